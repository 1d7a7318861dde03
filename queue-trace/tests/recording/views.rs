//! The views that take a recording instead of watching.

use serde_json::Value;

use crate::support::{queue_trace, recording, written};

pub(crate) fn doctor_judges_a_recording() {
    let with = |format| queue_trace(&["doctor", "--input", &recording(), "--format", format]);
    let (text, json) = (with("text"), with("json"));
    // The books of the kept recording do not balance.
    assert_eq!((text.status.code(), json.status.code()), (Some(1), Some(1)), "{text:?}");
    let told = String::from_utf8(text.stdout).unwrap();
    assert!(told.contains("kernel 6.12.57+deb13-amd64: "), "{told}");
    assert!(told.contains("THE BOOKS DO NOT BALANCE"), "{told}");
    let report: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["tier"], "fentry");
    let rules: Vec<_> = report["listeners"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|one| std::iter::once(&one["verdict"]).chain(one["remarks"].as_array().unwrap()))
        .map(|verdict| verdict["rule"].as_str().unwrap())
        .collect();
    assert!(rules.contains(&"slow_acceptor") && rules.contains(&"ack_flood"), "{rules:?}");
}

pub(crate) fn what_if_computes_with_a_recording() {
    let told = written(&["what-if", "--input", &recording()]);
    assert!(told.contains("127.0.0.1:8080  limit ") && told.contains("backlog "), "{told}");
    let none = written(&["what-if", "--input", &recording(), "--port", "9999"]);
    assert!(none.contains("there is nothing to compute with"), "{none}");
}

/// The first version recorded no lists.
pub(crate) fn listeners_of_an_old_file_are_refused() {
    let output = queue_trace(&["listeners", "--input", &recording()]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("has no list of listeners"), "{error}");
}

pub(crate) fn watching_and_input_exclude_each_other() {
    for command in ["doctor", "what-if"] {
        let output = queue_trace(&[command, "--input", &recording(), "--duration", "1s"]);
        assert_eq!(output.status.code(), Some(2), "{command}: {output:?}");
    }
}
