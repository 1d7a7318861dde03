//! How the kernel was watched.

use std::time::Duration;

/// How the kernel was watched, and what cannot be seen that way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Means {
    /// By which means: `fentry`, `kprobe` or `poll`.
    pub tier: String,
    /// The kernel functions that were hooked, and whether at their return.
    pub hooks: Vec<(String, bool)>,
    /// Why it was not by fentry, where kprobes stood in for it.
    pub refusal: Option<String>,
    /// Hooks that the kernel has but did not take, and why; one line each.
    pub refused: Vec<String>,
    /// Whether a full SYN queue was told by the MIB slot.
    pub syn_by_mib: bool,
    /// Whether an overflow at the final ACK was told by the MIB slot.
    pub ack_by_mib: bool,
    /// How long reading the kernel's types, loading and attaching took.
    pub took: [Duration; 3],
    /// How many listeners there were already.
    pub listeners: usize,
    /// What that kernel did not let us see, one phrase each.
    pub losses: Vec<String>,
    /// The kernel's counters that are not in the books for that reason.
    pub uncounted: Vec<String>,
    /// What was lost for want of privileges, one line each.
    pub privileges: Vec<String>,
    /// What could not be seen at the start, one line each.
    pub notes: Vec<String>,
}
