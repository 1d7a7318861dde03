//! What stands in for hooks, and where.

use super::Tier;

/// What makes a hook superfluous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// This CPU's slot of the kernel's counters.
    Slot,
    /// The same, where reading it takes less than the hook.
    CheapSlot,
    /// What `tcp_check_req` returns, and how the request is dropped.
    Return,
    /// How far the kernel's counters moved within the pass, and a hook of what runs when there is no memory; where
    /// entering a program takes more than reading by helper.
    Progress,
    /// The SYN-ACK that the kernel counts.
    Sent,
}

/// What the kernel side can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readable {
    /// This CPU's slot of the kernel's counters.
    pub slots: bool,
    /// Which namespace a socket is in, apart from one that had its address before.
    pub namespaces: bool,
    /// Any address for a few instructions (`bpf_rdonly_cast`), and arguments that point to numbers (from 5.17 on).
    pub cheaply: bool,
    /// Whether entering a program takes more than a hundred instructions (from 5.19 on, `struct bpf_tramp_run_ctx`),
    /// not 36.
    pub dear_hooks: bool,
    /// The counters of Fast Open among the slots.
    pub fastopen: bool,
    /// Whether a request makes a connection of its own, or one more subflow of MPTCP.
    pub joins: bool,
    /// The segments that TCP has sent, in the slots of TCP proper.
    pub sent: bool,
    /// Whether a protocol that comes has half-open requests, and none but TCP has any now.
    pub protocols: bool,
}

/// What runs when a request cannot be allocated.
pub(super) const OUT_OF_MEMORY: &str = "slab_out_of_memory";

/// What runs when a module brings a protocol.
pub(super) const PROTOCOL_COMES: &str = "proto_register";

/// Without these what `tcp_check_req` returns does not tell all that became of a handshake.
const RETURN_NEEDS: &[&str] = &["__inet_csk_reqsk_queue_drop", "inet_child_forget"];

/// What else raises the slots that tell a refusal, and what ends a listener: unless all of it is seen, the slots
/// are read anew in each pass.
const LEDGERS_NEED: &[&str] = &[
    "inet_csk_listen_stop",
    "tcp_v4_conn_request",
    "tcp_v6_conn_request",
    "subflow_v4_conn_request",
    "subflow_v6_conn_request",
    "cookie_v4_check",
    "cookie_v6_check",
    "tcp_req_err",
    "tcp_get_syncookie_mss",
];

/// What stands in for hooks on one kernel.
pub(super) struct Substitutes {
    /// The slots are known from pass to pass.
    pub(super) ledgers: bool,
    slots: bool,
    cheap_slots: bool,
    returned: bool,
    progress: bool,
    sent: bool,
}

impl Substitutes {
    /// `there` says which functions can be hooked, `exists` which the kernel has.
    pub(super) fn new(
        tier: Tier,
        readable: Readable,
        there: &dyn Fn(&str) -> bool,
        exists: &dyn Fn(&str) -> bool,
    ) -> Self {
        let Readable { slots, namespaces, cheaply, dear_hooks, .. } = readable;
        let Readable { fastopen, joins, sent, protocols, .. } = readable;
        let seen = |functions: &[&str]| functions.iter().all(|name| !exists(name) || there(name));
        // Programs over kprobes can be skipped, and with one the whole chain would break.
        let ledgers = tier == Tier::Fentry && slots && namespaces && seen(LEDGERS_NEED);
        let progress = ledgers && dear_hooks && there(OUT_OF_MEMORY);
        Self {
            ledgers,
            slots,
            cheap_slots: slots && cheaply && fastopen,
            returned: cheaply && joins && RETURN_NEEDS.iter().all(|function| there(function)),
            progress,
            sent: progress && cheaply && sent && protocols && there(PROTOCOL_COMES),
        }
    }

    /// Whether something else tells what a hook would.
    pub(super) const fn tell(&self, instead: Option<Instead>) -> bool {
        match instead {
            Some(Instead::Slot) => self.slots,
            Some(Instead::CheapSlot) => self.cheap_slots,
            Some(Instead::Return) => self.returned,
            Some(Instead::Progress) => self.progress,
            Some(Instead::Sent) => self.sent,
            None => false,
        }
    }
}
