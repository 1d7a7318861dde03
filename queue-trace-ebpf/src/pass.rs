//! One pass of a packet or a timer through the kernel, gathered on the CPU that it runs on.
//!
//! The outer hook opens the pass and closes it; the inner hooks only leave evidence. All of them run
//! with bottom halves off, so that nothing else of ours comes between on the same CPU (kernel.md
//! section 6.1: no nesting in 2.35 million SYNs). `PREEMPT_RT` without a per-CPU softirq lock breaks
//! that, and user space refuses it.

use crate::config::config;
use crate::listener::{self, Listener};
use crate::maps;
use crate::memory::Memory;

/// Which pass this CPU is in.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// None of ours.
    None = 0,
    /// `tcp_conn_request`: a SYN.
    Syn = 1,
    /// `tcp_check_req`: a segment for a half-open request.
    Ack = 2,
    /// `cookie_v4_check` or `cookie_v6_check`: an ACK that may carry a cookie.
    Cookie = 3,
    /// `reqsk_timer_handler`: time to send the SYN-ACK again, or to give up.
    Timer = 4,
    /// `tcp_req_err`: an ICMP error about a half-open request.
    Icmp = 5,
}

/// Evidence that inner hooks leave; bits of [`Pass::seen`].
pub mod seen {
    /// `inet_reqsk_alloc` was called: the SYN got past both full-queue tests. Not left where it is not hooked.
    pub const ALLOCATED: u32 = 1 << 0;
    /// It returned nothing; where it is not hooked, a slab had no memory.
    pub const NO_MEMORY: u32 = 1 << 1;
    /// `tcp_syn_flood_action` said: SYN queue full, drop.
    pub const FLOOD_DROP: u32 = 1 << 2;
    /// `tcp_peer_is_proven` said no: the last-quarter rule refuses.
    pub const NOT_PROVEN: u32 = 1 << 3;
    /// A cookie was made.
    pub const COOKIE_MADE: u32 = 1 << 4;
    /// Fast Open made a child and tried to queue it.
    pub const FASTOPEN_CHILD: u32 = 1 << 5;
    /// The request went into the hash of half-open requests; where that is not hooked, a SYN-ACK was sent for it.
    pub const HASHED: u32 = 1 << 6;
    /// It was there already.
    pub const HASH_RACE: u32 = 1 << 7;
    /// MPTCP did not take the SYN, and reset it: the segment that was sent is no SYN-ACK.
    pub const VETOED: u32 = 1 << 8;
    /// The child was not queued, because the listener is closing: `inet_csk_reqsk_queue_add` refused it, or
    /// `inet_child_forget` was called.
    pub const QUEUE_CLOSED: u32 = 1 << 9;
    /// `tcp_v4_syn_recv_sock` or `tcp_v6_syn_recv_sock` was entered.
    pub const SYN_RECV_SOCK: u32 = 1 << 10;
    /// `tcp_create_openreq_child` was called: the accept queue had room.
    pub const CHILD: u32 = 1 << 11;
    /// An IPv6 route for the child was not found.
    pub const NO_ROUTE: u32 = 1 << 12;
    /// `inet_csk_complete_hashdance` with the request in our hands; where that is told by the return of
    /// `tcp_check_req`, the request was dropped without having been found in the hash.
    pub const HASHDANCE: u32 = 1 << 13;
    /// The same, but another CPU has the request.
    pub const HASHDANCE_LOST: u32 = 1 << 14;
    /// `inet_csk_reqsk_queue_drop` unlinked the request.
    pub const REQUEST_DROPPED: u32 = 1 << 15;
    /// `tcp_oow_rate_limited` was asked: out of window, or a SYN sent again.
    pub const OUT_OF_WINDOW: u32 = 1 << 16;
    /// The SYN-ACK was sent again.
    pub const SYNACK_RESENT: u32 = 1 << 17;
    /// The SYN-ACK could not be sent again.
    pub const SYNACK_UNSENDABLE: u32 = 1 << 18;
    /// The cookie was checked and is valid.
    pub const COOKIE_VALID: u32 = 1 << 19;
    /// The cookie was checked and is not valid.
    pub const COOKIE_INVALID: u32 = 1 << 20;
    /// The listener was not in LISTEN when the timer fired.
    pub const LISTENER_CLOSED: u32 = 1 << 21;
    /// The SYN queue is full and a cookie was chosen: by `tcp_syn_flood_action`, or because the
    /// request was allocated without a reference to its listener.
    pub const COOKIE_CHOSEN: u32 = 1 << 22;
    /// Fast Open was asked for a cookie.
    pub const FASTOPEN_COOKIE_REQUESTED: u32 = 1 << 23;
    /// Fast Open's own queue was full.
    pub const FASTOPEN_QUEUE_FULL: u32 = 1 << 24;
    /// Fast Open could not make its child.
    pub const FASTOPEN_FALLBACK: u32 = 1 << 25;
    /// The same because the accept queue was full.
    pub const FASTOPEN_FALLBACK_OVERFLOW: u32 = 1 << 26;
    /// A Fast Open attempt with its option or with data began.
    pub const FASTOPEN_ATTEMPT: u32 = 1 << 27;
    /// The request's listener is closed and another one of its group takes it over.
    pub const MIGRATING: u32 = 1 << 28;
    /// The request was cloned for it.
    pub const CLONED: u32 = 1 << 29;
    /// The clone could not be made; the kernel has counted that.
    pub const CLONE_FAILED: u32 = 1 << 30;
    /// The clone went into the hash.
    pub const CLONE_HASHED: u32 = 1 << 31;
    /// In the pass of a SYN, where nothing migrates: its listener is one of MPTCP.
    pub const MPTCP: u32 = MIGRATING;
}

/// The client of a pass.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Client {
    /// IPv4 in the first word, or IPv6; network order. Words, because the compiler would move bytes one by one.
    pub address: [u32; 4],
    /// Host order.
    pub port: u16,
    /// 4, 6, or 0 for not known.
    pub version: u8,
    /// Filler.
    pub reserved: [u8; 5],
}

/// What is known of the pass.
#[repr(C)]
pub struct Pass {
    /// This CPU's own ring of records; user space finds it here.
    pub ring: queue_trace_common::Ends,
    /// [`Kind`].
    pub kind: u32,
    /// Bits of [`seen`].
    pub seen: u32,
    /// What concerned all CPUs when the pass began.
    pub now: maps::Now,
    /// The segment with which `tcp_conn_request` was called, where its dispatch cannot tell by the pass.
    pub last_syn: u64,
    /// The request that becomes a connection or is unlinked.
    pub request: Request,
    /// The client, kept where the packet does not live to the end of the pass.
    pub client: Client,
    /// The kernel's counters when the pass began, where every outcome is compared with them.
    pub mib: crate::mib::Counts,
    /// What TCP had sent on this CPU when the pass of a SYN began, where that tells whether it was queued.
    pub out_segments: u64,
    /// The kernel's drops when a cookie was made.
    pub refusals: crate::mib::Refusals,
    /// The same of those of migrated requests, when one was cloned.
    pub migrations: [u64; 2],
    /// The listener that was found last.
    pub last: listener::Last,
    /// The kernel's counters as passes left them.
    pub ledgers: crate::ledger::Ledgers,
    /// The listener that a request belonged to when its pass began, if that matters.
    pub former: u64,
    /// The listener that takes a request or connection over.
    pub migrating_to: u64,
    /// The clone of a waiting connection's request, until it is known to be queued.
    pub clone: u64,
    /// The kernel's counters when a Fast Open attempt began, where that is hooked.
    pub fastopen: (crate::mib::Fastopen, crate::mib::Refusals),
    /// The listener that `accept()` has just taken a child from, and the child; process context.
    pub taken: [u64; 2],
    /// The listener that the child which gets its socket now was taken from.
    pub found: u64,
    /// How many records this CPU may stream.
    pub flow: crate::flow::Flow,
    /// Arguments for return probes.
    pub kept: Kept,
}

const _: () = assert!(core::mem::offset_of!(Pass, ring) == 0);

/// Arguments of probed functions, kept from their entry to their return, because a return probe is given
/// none. Functions that can run within one another have a place each; all run with bottom halves off.
#[repr(C)]
pub struct Kept {
    /// Of the function that makes the pass: the listener.
    pub sk: u64,
    /// And the segment.
    pub skb: u64,
    /// And the half-open request.
    pub request: u64,
    /// Of the dispatch of an IPv4 SYN: the listener and the segment.
    pub v4: [u64; 2],
    /// Of the dispatch of an IPv6 SYN, within which that of an IPv4 SYN can run.
    pub v6: [u64; 2],
    /// The request that is unlinked, its listener, and whether its own timer does it.
    pub dropping: [u64; 3],
    /// The request whose SYN-ACK is sent again.
    pub resending: u64,
    /// The listener that another one is sought for, and the segment.
    pub sought: [u64; 2],
    /// The request that is cloned, and the listener that it is cloned for.
    pub cloned: [u64; 2],
}

/// What is known of the half-open request of a pass.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Request {
    /// Its first SYN-ACK, microseconds.
    pub synack_us: u64,
    /// When it was unlinked: how many SYN-ACKs were sent again, and whether its final ACK had come and was
    /// refused or held back, as in [`queue_trace_common::Record::detail`].
    pub detail: u32,
    /// Filler.
    pub reserved: u32,
}

/// This CPU's scratch record.
#[inline(always)]
pub fn current() -> Option<&'static mut Pass> {
    // SAFETY: the value is this CPU's, and nothing of ours interrupts a pass (module comment).
    maps::pass().map(|pass| unsafe { &mut *pass })
}

/// Opens a pass.
#[inline(always)]
pub fn open(kind: Kind) -> Option<&'static mut Pass> {
    let now = maps::counting()?;
    let pass = current()?;
    if config!(ledgers) != 0 {
        // The one before may have ended unseen, or may be of another time.
        if pass.kind != Kind::None as u32 {
            pass.ledgers.void();
        } else {
            apart();
            if pass.now.armed() != now.armed() {
                pass.ledgers.void();
            } else {
                apart();
                if now.shared() {
                    pass.ledgers.void();
                }
            }
        }
    }
    pass.kind = kind as u32;
    pass.seen = 0;
    pass.now = now;
    Some(pass)
}

/// Keeps two conditions apart, of which the compiler would make one out of numbers: more instructions than two jumps
/// that are not taken.
#[inline(always)]
fn apart() {
    // SAFETY: no instruction.
    unsafe { core::arch::asm!("", options(nomem, nostack, preserves_flags)) };
}

/// The pass of this kind that this CPU is in, closed with this call: the outer hook's end.
#[inline(always)]
pub fn close(kind: Kind) -> Option<&'static mut Pass> {
    let pass = within(kind)?;
    pass.kind = Kind::None as u32;
    Some(pass)
}

/// The pass that this CPU is in, if it is of this kind.
#[inline(always)]
pub fn within(kind: Kind) -> Option<&'static mut Pass> {
    current().filter(|pass| pass.kind == kind as u32)
}

/// Leaves evidence. Outside of a pass that changes nothing: the next one begins with none.
#[inline(always)]
pub fn note(evidence: u32) {
    if let Some(pass) = current() {
        pass.seen |= evidence;
    }
}

impl Pass {
    /// The pass's listener.
    #[inline(always)]
    pub fn listener<M: Memory>(&mut self, sk: *const u8) -> Listener {
        listener::find_again::<M>(&mut self.last, self.now.closings, sk)
    }

    /// Whether any of this evidence was left.
    #[inline(always)]
    pub fn saw(&self, evidence: u32) -> bool {
        self.seen & evidence != 0
    }
}
