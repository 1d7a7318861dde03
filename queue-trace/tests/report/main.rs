//! `queue-trace report` over a recording: no kernel, no privileges; and what a browser makes of it.
//!
//! `cargo xtask test` says where a headless Chromium is; otherwise those tests are listed as ignored.

#![expect(clippy::unwrap_used, reason = "failing is how a test reports")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Trial};

mod browser;

fn main() -> ExitCode {
    let browser = std::env::var_os("QUEUE_TRACE_CHROMIUM");
    let test = |name: &str, run: fn()| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    };
    let mut tests = vec![
        test("is_one_page_with_all_parts", is_one_page_with_all_parts),
        test("takes_a_part_of_a_recording", takes_a_part_of_a_recording),
        test("refuses_what_it_cannot_read_or_write", refuses_what_it_cannot_read_or_write),
    ];
    let ignored = browser.is_none();
    let program = PathBuf::from(browser.unwrap_or_default());
    let mut page = |name: &str, run: fn(&Path)| {
        let program = program.clone();
        let trial = Trial::test(name, move || {
            run(&program);
            Ok(())
        });
        tests.push(trial.with_ignored_flag(ignored));
    };
    page("browser::everything_is_to_be_seen", browser::everything_is_to_be_seen);
    page("browser::loads_nothing_and_complains_of_nothing", browser::loads_nothing);
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

/// The recording that is kept: 50 events in each of three seconds, one of each outcome.
fn recording() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recording/version1.qtrace")
}

fn report(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_queue-trace");
    Command::new(program).arg("report").args(arguments).output().unwrap()
}

/// The report of the recording.
fn page(more: &[&str]) -> String {
    let recording = recording();
    let arguments = ["--input", recording.to_str().unwrap(), "--output", "-"];
    let output = report(&[&arguments[..], more].concat());
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn is_one_page_with_all_parts() {
    let page = page(&[]);
    for part in [
        "What happened",
        "Depth of the accept queue",
        "Arrivals against accepts",
        "Waits in the accept queue",
        "Refusals by reason",
        "Who was hurt",
        "What if the backlog",
        "What to change",
        "Environment",
        "6.12.57+deb13-amd64",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.ends_with("</html>"));
}

fn takes_a_part_of_a_recording() {
    assert!(page(&[]).contains(", for 3.00 s"));
    assert!(page(&["--duration", "500ms"]).contains(", for 1.00 s"), "to the next second");
    assert!(page(&["--port", "1"]).contains("Nothing is wrong"));
}

fn refuses_what_it_cannot_read_or_write() {
    let recording = recording();
    let recording = recording.to_str().unwrap();
    for (arguments, status, told) in [
        (vec!["--input", "/nowhere.qtrace"], 1, "/nowhere.qtrace"),
        (vec!["--input", recording, "--output", "/nowhere/at.html"], 1, "/nowhere/at.html"),
        (vec!["--duration", "soon"], 2, "not a time"),
    ] {
        let output = report(&arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {errors}");
        assert!(errors.contains(told) && !errors.contains("panicked"), "{errors}");
    }
}
