//! A kernel without memory, for a moment.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;

/// More than there is.
const ALL: &str = "1000000000";

/// Keeps all pages back: below `vm.min_free_kbytes` only those get one who will free more.
///
/// Processes that want one have the kernel end processes instead; so those that could are best stopped.
#[derive(Debug)]
pub(crate) struct Scarcity {
    /// Open beforehand: opening takes memory.
    setting: File,
    before: String,
}

impl Scarcity {
    pub(crate) fn prepare() -> Self {
        let path = "/proc/sys/vm/min_free_kbytes";
        let before = std::fs::read_to_string(path).unwrap();
        let setting = OpenOptions::new().write(true).open(path).unwrap();
        Self { setting, before }
    }

    /// Does what takes no memory of its own.
    pub(crate) fn during(&self, work: impl FnOnce()) {
        // SAFETY: no memory of ours is changed, only kept where it is.
        assert_eq!(unsafe { libc::mlockall(libc::MCL_CURRENT) }, 0, "mlockall");
        self.set(ALL);
        work();
        self.set(self.before.trim());
    }

    fn set(&self, value: &str) {
        self.setting.write_all_at(value.as_bytes(), 0).expect("cannot set vm.min_free_kbytes");
    }
}
