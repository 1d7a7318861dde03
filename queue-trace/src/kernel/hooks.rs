//! Which hooks there are, and which of them this kernel takes.

use super::btf::{Btf, Function};
use instead::Substitutes;
pub use instead::{Instead, Readable};
use kprobes::KPROBES;

mod instead;
mod kprobes;
mod losses;
#[cfg(test)]
mod tests;

/// By which of the kernel's means the programs are attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[cfg_attr(feature = "serve", derive(serde::Serialize, serde::Deserialize))]
pub enum Tier {
    /// BPF trampolines, from 5.5 on (arm64: 6.4): the cheapest.
    Fentry,
    /// Kprobes: on almost every kernel, at several times the cost.
    Kprobe,
}

impl Tier {
    /// The name in every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
        }
    }

    /// Its hooks, in the order in which they are attached.
    pub(super) const fn hooks(self) -> &'static [Hook] {
        match self {
            Self::Fentry => HOOKS,
            Self::Kprobe => KPROBES,
        }
    }
}

/// How a program is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// At the function's entry.
    Entry,
    /// At its return.
    Return,
}

/// Which of several shapes of a kernel function a program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Any.
    Any,
    /// That many parameters, and a value returned: the value follows the arguments, so its place
    /// depends on their number.
    Parameters(usize),
    /// Something is returned.
    Value,
    /// Nothing is returned.
    Void,
}

/// One program and the kernel function that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hook {
    /// The program in the kernel side.
    pub program: &'static str,
    /// The kernel function.
    pub function: &'static str,
    /// Where on it.
    pub at: At,
    /// For which shape of the function.
    pub shape: Shape,
    /// Another function that, where it exists, makes this hook superfluous.
    pub unless: Option<&'static str>,
    /// Another function without which this hook has nothing to tell.
    pub only_with: Option<&'static str>,
    /// Its program goes on with that of the return of `tcp_v4_conn_request`.
    pub joined: bool,
    /// It has something to tell only where this function is not hooked.
    pub only_instead_of: Option<&'static str>,
    /// What else tells the same, for less.
    pub instead: Option<Instead>,
    /// Whether nothing works without it.
    pub required: bool,
}

const fn hook(program: &'static str, function: &'static str, at: At) -> Hook {
    Hook {
        program,
        function,
        at,
        shape: Shape::Any,
        unless: None,
        only_with: None,
        joined: false,
        only_instead_of: None,
        instead: None,
        required: false,
    }
}

impl Hook {
    const fn shape(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    const fn unless(self, function: &'static str) -> Self {
        Self { unless: Some(function), ..self }
    }

    const fn only_with(self, function: &'static str) -> Self {
        Self { only_with: Some(function), ..self }
    }

    const fn joined(self) -> Self {
        Self { joined: true, ..self }
    }

    const fn only_instead_of(self, function: &'static str) -> Self {
        Self { only_instead_of: Some(function), ..self }
    }

    const fn unless_slot_tells(self) -> Self {
        self.instead(Instead::Slot)
    }

    const fn instead(self, instead: Instead) -> Self {
        Self { instead: Some(instead), ..self }
    }

    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// Whether its program is the one that others go on with.
    pub(super) fn ends_dispatch(&self) -> bool {
        (self.function, self.at) == (END_OF_DISPATCH, Return)
    }

    /// Whether this kernel's function has the shape that the program is for.
    fn fits(&self, function: &Function) -> bool {
        match self.shape {
            Shape::Any => true,
            Parameters(count) => !function.returns_void && function.parameters == count,
            Value => !function.returns_void,
            Void => function.returns_void,
        }
    }
}

use At::{Entry, Return};
use Shape::{Parameters, Value, Void};

/// The hooks of the fentry tier, in the order in which they are attached: those that a kernel may refuse
/// first, those that open a pass last.
pub const HOOKS: &[Hook] = &[
    hook("tcp_v4_syn_recv_sock_enter", "tcp_v4_syn_recv_sock", Entry).unless_slot_tells(),
    hook("tcp_v6_syn_recv_sock_enter", "tcp_v6_syn_recv_sock", Entry).unless_slot_tells(),
    hook("tcp_syn_flood_action_leave", "tcp_syn_flood_action", Return).unless_slot_tells(),
    hook("inet_reqsk_alloc_leave", ALLOCATION, Return).instead(Instead::Progress).required(),
    hook("slab_out_of_memory_enter", instead::OUT_OF_MEMORY, Entry).only_instead_of(ALLOCATION),
    hook("tcp_peer_is_proven_leave", "tcp_peer_is_proven", Return),
    hook("cookie_v4_init_enter", "cookie_v4_init_sequence", Entry).unless_slot_tells().required(),
    hook("cookie_v6_init_enter", "cookie_v6_init_sequence", Entry).unless_slot_tells(),
    hook("tcp_get_syncookie_mss_enter", "tcp_get_syncookie_mss", Entry),
    hook("tcp_try_fastopen_enter", "tcp_try_fastopen", Entry)
        .instead(Instead::CheapSlot)
        .required(),
    hook("hash_add_leave_void", QUEUED, Return).shape(Void).instead(Instead::Sent),
    hook("hash_add_leave_3", QUEUED, Return).shape(Parameters(3)).instead(Instead::Sent),
    hook("hash_add_leave_2", QUEUED, Return).shape(Parameters(2)).instead(Instead::Sent),
    hook("proto_register_enter", instead::PROTOCOL_COMES, Entry).only_instead_of(QUEUED),
    hook("queue_add_leave", "inet_csk_reqsk_queue_add", Return).required(),
    hook("tcp_create_openreq_child_enter", "tcp_create_openreq_child", Entry).unless_slot_tells(),
    hook("inet6_csk_route_req_leave_4", "inet6_csk_route_req", Return)
        .shape(Parameters(4))
        .unless_slot_tells(),
    hook("inet6_csk_route_req_leave_5", "inet6_csk_route_req", Return)
        .shape(Parameters(5))
        .unless_slot_tells(),
    hook("hashdance_enter", "inet_csk_complete_hashdance", Entry)
        .instead(Instead::Return)
        .required(),
    hook("queue_drop_leave", "__inet_csk_reqsk_queue_drop", Return),
    hook("tcp_oow_rate_limited_enter", "tcp_oow_rate_limited", Entry),
    hook("tcp_rtx_synack_leave", "tcp_rtx_synack", Return),
    hook("cookie_v4_judged_2", "__cookie_v4_check", Return).shape(Parameters(2)),
    hook("cookie_v4_judged_3", "__cookie_v4_check", Return).shape(Parameters(3)),
    hook("cookie_v6_judged_2", "__cookie_v6_check", Return).shape(Parameters(2)),
    hook("cookie_v6_judged_3", "__cookie_v6_check", Return).shape(Parameters(3)),
    hook("inet_child_forget_enter", "inet_child_forget", Entry),
    hook("inet_reqsk_clone_leave", "inet_reqsk_clone", Return).only_with("reuseport_migrate_sock"),
    hook("inet_ehash_insert_leave", "inet_ehash_insert", Return)
        .shape(Parameters(3))
        .only_with("reuseport_migrate_sock")
        .unless_slot_tells(),
    hook("reuseport_migrate_sock_leave", "reuseport_migrate_sock", Return)
        .only_with("inet_reqsk_clone"),
    hook("sys_accept_leave", "__sys_accept4", Return).shape(Parameters(4)),
    hook("sys_listen_enter", "__sys_listen", Entry),
    hook("inet_accept_enter", "__inet_accept", Entry),
    hook("security_sock_graft_enter", "security_sock_graft", Entry),
    hook("inet_csk_accept_leave", "inet_csk_accept", Return)
        .shape(Parameters(4))
        .unless("__inet_accept"),
    hook("inet_listen_leave", "inet_listen", Return).unless("__inet_listen_sk"),
    hook("inet_listen_sk_leave", "__inet_listen_sk", Return),
    hook("listen_stop_enter", "inet_csk_listen_stop", Entry),
    hook("reqsk_timer_handler_leave", "reqsk_timer_handler", Return),
    hook("reqsk_timer_handler_enter", "reqsk_timer_handler", Entry),
    hook("tcp_req_err_leave", "tcp_req_err", Return),
    hook("tcp_req_err_enter", "tcp_req_err", Entry),
    hook("tcp_v4_conn_request_leave", "tcp_v4_conn_request", Return),
    hook("tcp_v6_conn_request_leave", "tcp_v6_conn_request", Return).joined(),
    hook("subflow_v4_conn_request_leave", "subflow_v4_conn_request", Return).joined(),
    hook("subflow_v6_conn_request_leave", "subflow_v6_conn_request", Return).joined(),
    hook("cookie_v4_check_leave", "cookie_v4_check", Return),
    hook("cookie_v4_check_enter", "cookie_v4_check", Entry),
    hook("cookie_v6_check_leave", "cookie_v6_check", Return),
    hook("cookie_v6_check_enter", "cookie_v6_check", Entry),
    hook("tcp_check_req_leave_5", "tcp_check_req", Return).shape(Parameters(5)),
    hook("tcp_check_req_leave_6", "tcp_check_req", Return).shape(Parameters(6)),
    hook("tcp_check_req_enter", "tcp_check_req", Entry).required(),
    hook("tcp_conn_request_leave", "tcp_conn_request", Return).required(),
    hook("tcp_conn_request_enter", "tcp_conn_request", Entry).required(),
];

/// A request is allocated.
const ALLOCATION: &str = "inet_reqsk_alloc";

/// A request goes into the hash.
const QUEUED: &str = "inet_csk_reqsk_queue_hash_add";

/// Functions of several shapes, one of which has to fit.
const SHAPED: &[&str] = &[QUEUED, "tcp_check_req"];

/// Of the callers of `tcp_conn_request` that whose program tells what became of the SYNs of all.
const END_OF_DISPATCH: &str = "tcp_v4_conn_request";

/// The callers of `tcp_conn_request`, whose returns are as good as its own.
const DISPATCH: &[&str] =
    &[END_OF_DISPATCH, "tcp_v6_conn_request", "subflow_v4_conn_request", "subflow_v6_conn_request"];

/// The function that they call.
const END_OF_SYN: &str = "tcp_conn_request";

/// Without one of these the MIB slot has to tell an overflow at the final ACK.
const CHILD_MAKERS: &[&str] = &[
    "tcp_v4_syn_recv_sock",
    "tcp_v6_syn_recv_sock",
    "tcp_create_openreq_child",
    "inet6_csk_route_req",
];

/// What is done on this kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// By which means.
    pub tier: Tier,
    /// Why it is not fentry, where kprobes stand in for it.
    pub refusal: Option<String>,
    /// The hooks to attach, in order.
    pub hooks: Vec<Hook>,
    /// Tell a full SYN queue by the MIB slot.
    pub syn_by_mib: bool,
    /// Tell by the MIB slot whether a cookie was sent.
    pub cookie_by_mib: bool,
    /// Tell by the MIB slot how far the kernel got with a SYN.
    pub progress_by_mib: bool,
    /// Tell by the MIB slot whether a SYN was queued.
    pub queued_by_mib: bool,
    /// A cookie that was counted as sent may yet be dropped.
    pub cookie_can_drop: bool,
    /// Tell by the MIB slot what became of Fast Open.
    pub fastopen_by_mib: bool,
    /// Tell by the return of `tcp_check_req` that a handshake ended.
    pub hashdance_by_return: bool,
    /// The MIB slots are known from pass to pass.
    pub ledgers: bool,
    /// Tell an overflow at the final ACK by the MIB slot.
    pub ack_by_mib: bool,
    /// Tell by the MIB slot whether a request migrated when its timer fired.
    pub migrate_by_mib: bool,
    /// Accepted connections are counted before they are grafted to their socket.
    pub no_graft: bool,
    /// `tcp_rtx_synack` counts the retransmission itself.
    pub counts_retransmit: bool,
    /// Hooks that this kernel has but did not take, and why; one line each.
    pub refused: Vec<String>,
    /// What this kernel does not let us see, one phrase each.
    pub losses: Vec<String>,
    /// The kernel's counters that our sums cannot equal for want of a hook.
    pub uncounted: Vec<&'static str>,
}

impl Plan {
    /// Chooses hooks by the kernel's BTF, without those that it has refused to attach: with one
    /// program of a function goes the other, which would begin what never ends.
    ///
    /// # Errors
    ///
    /// Names the function without which nothing can be counted.
    pub fn new(
        tier: Tier,
        btf: &Btf,
        refused: &[Hook],
        readable: Readable,
    ) -> Result<Self, String> {
        let there = |name: &str| {
            let refused = refused.iter().any(|hook| hook.function == name);
            btf.function(name).filter(|function| !function.ambiguous && !refused)
        };
        let exists = |function: &str| btf.function(function).is_some();
        let substitutes =
            Substitutes::new(tier, readable, &|function| there(function).is_some(), &exists);
        let mut hooks = Vec::with_capacity(tier.hooks().len());
        for hook in tier.hooks() {
            let superfluous = substitutes.tell(hook.instead)
                || hook.unless.is_some_and(|other| there(other).is_some())
                || hook.only_with.is_some_and(|other| !exists(other));
            if superfluous {
                continue;
            }
            if there(hook.function).is_some_and(|function| hook.fits(&function)) {
                hooks.push(*hook);
            } else if hook.required {
                return Err(indispensable(hook.function));
            }
        }
        let joinable = hooks.iter().any(Hook::ends_dispatch);
        hooks.retain(|hook| joinable || !hook.joined);
        let seen = |hooks: &[Hook], functions: &[&str]| {
            functions.iter().all(|function| {
                !exists(function) || hooks.iter().any(|hook| hook.function == *function)
            })
        };
        if seen(&hooks, DISPATCH) {
            hooks.retain(|hook| (hook.function, hook.at) != (END_OF_SYN, Return));
        }
        let every: Vec<_> = hooks.iter().map(|hook| hook.function).collect();
        hooks.retain(|hook| hook.only_instead_of.is_none_or(|other| !every.contains(&other)));
        let on = |function: &str| hooks.iter().any(|hook| hook.function == function);
        let told = |function: &str| {
            let mut all = tier.hooks().iter();
            all.any(|hook| hook.function == function && substitutes.tell(hook.instead))
        };
        if let Some(missing) = SHAPED.iter().find(|function| !on(function) && !told(function)) {
            return Err(indispensable(missing));
        }
        let (losses, uncounted) = losses::of(&|function| on(function) || told(function), &exists);
        Ok(Self {
            tier,
            refusal: None,
            syn_by_mib: !on("tcp_syn_flood_action"),
            cookie_by_mib: !on("cookie_v4_init_sequence"),
            progress_by_mib: !on(ALLOCATION),
            queued_by_mib: !on(QUEUED),
            cookie_can_drop: !on("cookie_v4_init_sequence") && exists("tcp_ao_copy_all_matching"),
            fastopen_by_mib: !on("tcp_try_fastopen"),
            hashdance_by_return: !on("inet_csk_complete_hashdance"),
            ledgers: substitutes.ledgers,
            ack_by_mib: !CHILD_MAKERS.iter().all(|function| on(function)),
            migrate_by_mib: readable.slots && exists("reuseport_migrate_sock"),
            no_graft: !on("security_sock_graft"),
            counts_retransmit: !exists("inet_rtx_syn_ack"),
            hooks,
            refused: Vec::new(),
            losses,
            uncounted,
        })
    }
}

fn indispensable(function: &str) -> String {
    format!(
        "this kernel does not let {function} be traced, which counting rests on; \
         `queue-trace listeners` works without"
    )
}
