//! What is said where the view cannot be.

use std::process::Command;

pub(crate) fn needs_a_terminal() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recording/version1.qtrace");
    for arguments in [vec!["top"], vec!["top", "--input", file]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_queue-trace"));
        let output = command.args(&arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.starts_with("queue-trace: `top` needs a terminal"), "{said}");
        assert_eq!((said.lines().count(), output.stdout.len()), (1, 0), "{said}");
    }
}
