//! `queue-trace replay`.

use std::fs;
use std::process::Output;

use crate::support::{Place, kept, objects, queue_trace, recording, written};

/// The lines of all events that are in the file.
fn all_lines() -> Vec<String> {
    fs::read_to_string(kept("version1.jsonl")).unwrap().lines().map(str::to_owned).collect()
}

/// The lines of events that it shows.
fn replay(arguments: &[&str]) -> String {
    events(&written(&[&["replay", &recording(), "--format", "json"], arguments].concat()))
}

/// The lines but for those, at the end, that tell of what was not streamed.
fn events(text: &str) -> String {
    let told = |line: &&str| !line.contains(r#""event":"not_streamed""#);
    text.split_inclusive('\n').filter(told).collect()
}

/// What was asked for when it was recorded, where nothing else is asked for now.
pub(crate) fn shows_what_was_asked_for() {
    let refused = |line: &&String| line.contains(r#""event":"syn_refused""#);
    let expected: Vec<_> = all_lines().iter().filter(refused).cloned().collect();
    assert_eq!(expected.len(), 3 * 7);
    assert_eq!(replay(&[]).lines().collect::<Vec<_>>(), expected);
}

pub(crate) fn is_trace_with_input() {
    let outputs = ["text", "json"].map(|format| {
        let options = ["--format", format, "--relative", "--status", "1s"];
        let replay = queue_trace(&[&["replay", &recording()], &options[..]].concat());
        let trace = queue_trace(&[&["trace", "--input", &recording()], &options[..]].concat());
        assert!(trace.status.success(), "{trace:?}");
        assert_eq!(trace, replay);
        trace
    });
    let [text, json] = outputs.map(|output| String::from_utf8(output.stdout).unwrap());
    assert_eq!(text.lines().count(), events(&json).lines().count());
    assert!(json.contains(r#""of":"syn_queued","thinned":0,"shed":12"#), "{json}");
}

pub(crate) fn filters() {
    let accepts = objects(&replay(&["--event", "accept", "--event", "close"]));
    assert_eq!(accepts.len(), 3 * 3);
    assert!(accepts.iter().all(|event| event["event"] == "accept" || event["event"] == "close"));
    assert_eq!(replay(&["--port", "9999"]), "");
    let relative = objects(&replay(&["--relative", "--event", "close"]));
    assert_eq!(relative[2]["time"], "2.072000");
}

pub(crate) fn ends_where_it_is_told() {
    assert_eq!(replay(&["--count", "3"]).lines().count(), 3);
    // The events of the first second, and of the second one up to a part of it.
    let close = ["--event", "close"];
    let seconds = |time| replay(&[&close[..], &["--duration", time]].concat()).lines().count();
    assert_eq!(["10ms", "500ms", "1005ms", "1500ms", "9h"].map(seconds), [0, 1, 1, 2, 3]);
    let summary = |arguments: &[&str]| {
        let output = queue_trace(&[&["replay", &recording()], arguments].concat());
        String::from_utf8(output.stderr).unwrap()
    };
    // The counts are those of the first snapshot after the end: of that number of an outcome there
    // are once, twice, thrice as many.
    let closes = |text: String| {
        let line = text.lines().find(|line| line.trim_start().starts_with("close ")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(closes(summary(&["--format", "json", "--duration", "500ms"])), 49);
    assert_eq!(closes(summary(&["--format", "json", "--count", "8"])), 98);
    assert_eq!(closes(summary(&["--format", "json"])), 147);
}

pub(crate) fn shows_the_queues_at_intervals() {
    let output = queue_trace(&["replay", &recording(), "--format", "json", "--status", "1500ms"]);
    let told = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = told.lines().filter(|line| line.contains("  status  ")).collect();
    assert_eq!(lines.len(), 1, "{told}");
    assert!(lines[0].contains("accept queue 2 of 5, at most 4"), "{told}");
}

fn assert_refused(output: &Output, part: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    let last = error.lines().last().unwrap_or_default();
    assert!(last.starts_with("queue-trace: ") && last.contains(part), "{part} in {error}");
}

pub(crate) fn tells_of_damage() {
    let (place, whole) = (Place::new("damaged"), fs::read(recording()).unwrap());
    let mut bytes = whole.clone();
    // Within the last snapshot, behind all events.
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    fs::write(&place.0, &bytes).unwrap();
    let damaged = queue_trace(&["replay", place.path(), "--format", "json"]);
    assert_eq!(events(&String::from_utf8_lossy(&damaged.stdout)).lines().count(), 3 * 7);
    assert_refused(&damaged, "damaged at byte ");

    fs::write(&place.0, &whole[..at]).unwrap();
    let cut = queue_trace(&["replay", place.path(), "--format", "json"]);
    assert!(cut.status.success(), "{cut:?}");
    assert_eq!(cut.stdout, damaged.stdout);
    let error = String::from_utf8(cut.stderr).unwrap();
    assert!(error.lines().last().unwrap().contains("was cut short"), "{error}");
}

pub(crate) fn refuses_what_it_cannot_read() {
    assert_refused(
        &queue_trace(&["replay", "/nonexistent"]),
        "cannot read /nonexistent: No such file",
    );
    let lines = kept("version1.jsonl");
    let foreign = queue_trace(&["replay", lines.to_str().unwrap()]);
    assert_refused(&foreign, "not a recording of queue-trace");
    let place = Place::new("later");
    let mut bytes = fs::read(recording()).unwrap();
    bytes[8] = 9;
    fs::write(&place.0, bytes).unwrap();
    assert_refused(&queue_trace(&["replay", place.path()]), "format 9 is of a later queue-trace");
    let usage = queue_trace(&["trace", "--input", &recording(), "--attach", "kprobe"]);
    assert_eq!(usage.status.code(), Some(2), "{usage:?}");
}
