//! The kernel's counters from pass to pass.
//!
//! Nothing but passes of ours raises the tracked counters of a CPU, so what one pass left them at is where the
//! next one finds them, and most passes raise none. They are read again only after a pass that may have, or for
//! another namespace: reading costs a hundred instructions, comparing namespaces twenty.
//!
//! All that makes this untrue makes the ledgers void: a pass whose end we did not see, counting begun anew, an
//! ICMP error, a SYN to a broadcast address, a cookie made by a BPF helper (`tcp_get_syncookie_mss`), and for good
//! a protocol that shares TCP's requests and counters (DCCP), which shows by a request that is queued outside of
//! our passes, or when it is registered. Without the hooks that tell, and over kprobes, which the kernel can skip, there
//! are no ledgers (`Config::ledgers`): each pass reads at its beginning.

use queue_trace_common::group;

use crate::config::{config, member};
use crate::memory::Memory;
use crate::mib::{self, Counts, Fastopen, Refusals, SynQueue};
use crate::pass::Pass;

/// Namespaces that are remembered on a CPU; a power of two.
const LEDGERS: usize = 16;

/// This CPU's counters of one namespace as they were last seen.
#[repr(C)]
pub struct Ledger {
    /// Kernel address of the namespace.
    net: u64,
    /// Its `hash_mix`, which is random, so that the next namespace at this address has another one; and in the
    /// upper half the epoch that this ledger is of.
    identity: u64,
    /// Where this CPU's counters of it stand.
    slots: u64,
    /// Where `OutSegs` stands, of the counters of TCP proper.
    out_segments: u64,
    /// `ListenOverflows` and `ListenDrops`.
    pub refusals: Refusals,
    /// `TCPReqQFullDoCookies` and `TCPReqQFullDrop`.
    pub syn_queue: SynQueue,
    /// `SyncookiesSent`.
    pub cookies_sent: u64,
    /// Of Fast Open.
    pub fastopen: Fastopen,
    /// Which of them are known; bits of [`group`].
    known: u32,
    /// Filler.
    reserved: u32,
}

/// The ledgers of a CPU.
#[repr(C)]
pub struct Ledgers {
    /// By their namespace's `hash_mix`.
    of: [Ledger; LEDGERS],
    /// What is added to a per-CPU pointer on this CPU; 0 until it is read.
    pub this_cpu: u64,
    /// The socket whose namespace was sought last; 0 for none.
    socket: u64,
    /// How many listeners had closed by then: the address may be another's after the next one.
    closings: u64,
    /// Ledgers of other epochs are void.
    epoch: u32,
    /// Which ledger is that of the pass.
    current: u32,
}

impl Ledgers {
    /// Makes all of them void: somebody else may have raised counters.
    #[inline(always)]
    pub fn void(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        self.socket = 0;
    }

    /// The ledger of the pass.
    #[inline(always)]
    pub fn current(&mut self) -> &mut Ledger {
        let index = self.current as usize % LEDGERS;
        // SAFETY: the index is within the array; a checked one would bring a panic.
        unsafe { &mut *self.of.as_mut_ptr().add(index) }
    }
}

impl Ledger {
    /// Where this CPU's counters of the pass's namespace stand.
    #[inline(always)]
    pub fn slots(&self) -> *const u8 {
        // SAFETY: a reference. Volatile, so that the verifier sees a number: what was written is a typed pointer.
        unsafe { (&raw const self.slots).read_volatile() as *const u8 }
    }

    /// How many segments TCP has sent on this CPU.
    #[inline(always)]
    pub fn out_segments(&self) -> u64 {
        // SAFETY: as in `slots`.
        let slot = unsafe { (&raw const self.out_segments).read_volatile() };
        mib::out_segments(slot as *const u8)
    }

    /// Whether what is known is so (tests).
    #[inline(always)]
    pub fn holds(&self, now: &Counts) -> bool {
        let refusals = self.refusals.overflows == now.overflows && self.refusals.drops == now.drops;
        let syn_queue = self.syn_queue.cookies == now.syn_queue_full_cookies
            && self.syn_queue.drops == now.syn_queue_full_drops;
        (self.known & group::REFUSALS == 0 || refusals)
            && (self.known & group::SYN_QUEUE == 0 || syn_queue)
    }

    /// The refusal counters may have been raised.
    #[inline(always)]
    pub fn forget_refusals(&mut self) {
        self.known &= !group::REFUSALS;
    }

    /// The accept queue was found full, once: it is known by how much that raises what is known.
    #[inline(always)]
    pub fn overflowed(&mut self) {
        self.refusals.overflows += 1;
        self.refusals.drops += 1;
    }

    /// Whether `SyncookiesSent` moved since it was last seen.
    #[inline(always)]
    pub fn cookie_sent(&mut self) -> bool {
        let sent = mib::cookies_sent(self.slots());
        core::mem::replace(&mut self.cookies_sent, sent) != sent
    }

    /// How far `ListenDrops` and `ListenOverflows` moved since they were last seen: whether at all.
    #[inline(always)]
    pub fn refused(&mut self) -> Refused {
        let now = Refusals::read(self.slots());
        let before = core::mem::replace(&mut self.refusals, now);
        Refused { dropped: now.drops != before.drops, overflow: now.overflows != before.overflows }
    }
}

/// Which of the refusal counters moved.
#[derive(Clone, Copy)]
pub struct Refused {
    /// `ListenDrops`.
    pub dropped: bool,
    /// `ListenOverflows`.
    pub overflow: bool,
}

/// A pass at this socket begins, of which the end will compare these groups of counters.
#[inline(always)]
pub fn begin<M: Memory>(pass: &mut Pass, sk: *const u8, wanted: u32) {
    identify::<M>(pass, sk);
    let ledger = pass.ledgers.current();
    let missing = wanted & !ledger.known;
    if missing == 0 {
        return;
    }
    let slots = ledger.slots();
    if missing & group::REFUSALS != 0 {
        ledger.refusals = Refusals::read(slots);
    }
    if missing & group::SYN_QUEUE != 0 {
        ledger.syn_queue = SynQueue::read(slots);
    }
    if missing & group::COOKIES != 0 {
        ledger.cookies_sent = mib::cookies_sent(slots);
    }
    if missing & group::FASTOPEN != 0 {
        ledger.fastopen = Fastopen::read(slots);
    }
    ledger.known |= missing;
}

/// Finds the ledger of a socket's namespace, or begins one.
#[inline(always)]
pub fn identify<M: Memory>(pass: &mut Pass, sk: *const u8) {
    let ledgers = &mut pass.ledgers;
    if config!(ledgers) != 0 {
        let closings = pass.now.closings;
        if ledgers.socket == sk as u64 && ledgers.closings == closings {
            return;
        }
        (ledgers.socket, ledgers.closings) = (sk as u64, closings);
    }
    // SAFETY: `sk` is a socket.
    let net = unsafe { member!(M, sk, net: u64) } as *const u8;
    let mut identity = 0;
    if config!(ledgers) != 0 {
        // SAFETY: as above.
        let mix: u32 = unsafe { member!(M, net, hash_mix) };
        identity = u64::from(mix) | u64::from(ledgers.epoch) << 32;
        ledgers.current = mix;
        let ledger = ledgers.current();
        if ledger.net == net as u64 && ledger.identity == identity {
            return;
        }
    }
    let mut this_cpu = ledgers.this_cpu;
    let ledger = ledgers.current();
    (ledger.net, ledger.identity, ledger.known) = (net as u64, identity, 0);
    mib::find::<M>(&mut ledger.slots, &mut this_cpu, net);
    if config!(queued_by_mib) != 0 {
        mib::find_out_segments::<M>(&mut ledger.out_segments, &mut this_cpu, net);
    }
    ledgers.this_cpu = this_cpu;
}
