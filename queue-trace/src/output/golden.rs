//! Golden files: an output as it was agreed on, kept beside the tests.

use std::path::Path;

/// Compares with a golden file below `tests`; `BLESS=1` writes it anew.
#[allow(clippy::panic, reason = "a test helper")]
pub(crate) fn check(name: &str, actual: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, actual).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let actual = String::from_utf8_lossy(actual);
    assert_eq!(actual, expected, "{}: BLESS=1 writes it anew", path.display());
}
