//! Running queue-trace over the recording that is kept.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Map, Value};

/// One line, one row.
pub(crate) type Object = Map<String, Value>;

/// A file that is kept beside these tests.
pub(crate) fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recording").join(name)
}

/// The recording: 50 events in each of three seconds, one of each outcome.
pub(crate) fn recording() -> String {
    kept("version1.qtrace").to_str().unwrap().to_owned()
}

/// A place for a file, which goes away with the test.
pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("queue-trace-{}-{name}", std::process::id()));
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs queue-trace to its end.
pub(crate) fn queue_trace(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_queue-trace");
    Command::new(program).args(arguments).output().expect("cannot run queue-trace")
}

/// What it wrote; it has to succeed.
pub(crate) fn written(arguments: &[&str]) -> String {
    let output = queue_trace(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// JSON lines as objects.
pub(crate) fn objects(text: &str) -> Vec<Object> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
