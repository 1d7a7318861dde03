//! Which listener is it? Finds the slot of a listening socket, and gives it one.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use queue_trace_common::{
    CLOSED_KEY, COMM_LENGTH, Counters, Fault, LISTENER_STREAMS, ListenerInfo, ListenerRef,
    MAX_PORTS, MISSING, NOT_SEEN,
};

use crate::config::{config, has, member, offset};
use crate::maps;
use crate::memory::{Memory, Probed};
use crate::packet::{AF_INET6, put, put_all, words};

/// `TCP_LISTEN`.
const TCP_LISTEN: u8 = 10;
/// `BPF_ANY`.
const REPLACE: u64 = 0;
/// `BPF_NOEXIST`.
const NEW_ONLY: u64 = 1;

/// A listener's slot and flags, by value: the map's entry may be replaced under us.
#[derive(Clone, Copy)]
pub struct Listener {
    /// Index into `COUNTERS` and `LISTENER_INFO`.
    pub slot: u32,
    /// Bits `LISTENER_*`.
    pub flags: u32,
    /// This CPU's counters of the slot, looked up once; never null.
    counters: *mut Counters,
}

impl Listener {
    /// The listener of a slot.
    #[inline(always)]
    pub fn new(slot: u32, flags: u32) -> Self {
        Self::at(slot, flags, maps::place(slot))
    }

    /// The listener of an entry.
    #[inline(always)]
    fn of(ListenerRef { slot, flags }: ListenerRef) -> Self {
        Self::new(slot, flags)
    }

    /// The same where it is known where its counters on this CPU stand.
    #[inline(always)]
    fn at(slot: u32, flags: u32, place: u32) -> Self {
        let counters = maps::counters(place).unwrap_or(core::ptr::null_mut());
        Self { slot, flags, counters }
    }

    /// The slot that listeners share when no slot is left.
    #[inline(always)]
    pub fn rest() -> Self {
        Self::new(0, LISTENER_STREAMS)
    }

    /// Its counters on this CPU; nothing only for the verifier, which does not know that every slot has some.
    #[inline(always)]
    pub fn counters(&self) -> Option<*mut Counters> {
        (!self.counters.is_null()).then_some(self.counters)
    }
}

/// The process that opens a listener.
#[derive(Clone, Copy, Default)]
pub struct Opener {
    /// Process id; 0 when the listener was there before us.
    pub pid: u32,
    /// Its name.
    pub comm: [u8; COMM_LENGTH],
}

/// The listener of a socket; one that we have not met gets a slot here, so that listeners older than
/// us, and those whose `listen()` a SYN overtakes, are known from their first event on.
#[inline(always)]
pub fn find<M: Memory>(sk: *const u8) -> Listener {
    if let Some(listener) = known(sk) {
        return listener;
    }
    if listens::<M>(sk) {
        // New to us, or at the address of one that closed.
        return open::<M>(sk, &Opener::default());
    }
    // Late events of a closed listener: its half-open requests live on until their timers fire.
    entry(closed(sk)).map_or_else(Listener::rest, Listener::of)
}

/// The same, for callers with bottom halves off: most events of a CPU are of the listener of the one before.
/// `closings` is as read when the pass began, or later.
#[inline(always)]
pub fn find_again<M: Memory>(last: &mut Last, closings: u64, sk: *const u8) -> Listener {
    if !last.is_of(sk, closings) {
        last.seek::<M>(sk, closings);
    }
    last.listener()
}

/// The listener that [`find_again`] found last on a CPU.
#[repr(C)]
pub struct Last {
    /// Kernel address of its socket.
    pub socket: u64,
    /// How many listeners had closed by then: the address may be another's after the next one.
    pub closings: u64,
    /// As in [`Listener`].
    pub slot: u32,
    /// As in [`Listener`].
    pub flags: u32,
    /// Where its counters on this CPU stand.
    pub place: u32,
    /// Filler.
    pub reserved: u32,
}

impl Last {
    /// Whether it is of this socket.
    #[inline(always)]
    pub fn is_of(&self, sk: *const u8, closings: u64) -> bool {
        self.socket == sk as u64 && self.closings == closings
    }

    /// Makes it that of this socket. `closings` has been read before: whoever closes takes the entry away first and
    /// counts then.
    #[inline(always)]
    pub fn seek<M: Memory>(&mut self, sk: *const u8, closings: u64) {
        if let Some(ListenerRef { slot, flags }) = entry(sk as u64) {
            self.keep(sk as u64, closings, slot, flags);
        } else {
            let Listener { slot, flags, .. } = find::<M>(sk);
            // Of a closed one nothing is remembered.
            self.keep(0, closings, slot, flags);
        }
    }

    /// Makes it the one that listeners share when no slot is left.
    #[inline(always)]
    pub fn seek_rest(&mut self) {
        self.keep(0, 0, 0, LISTENER_STREAMS);
    }

    #[inline(always)]
    fn keep(&mut self, socket: u64, closings: u64, slot: u32, flags: u32) {
        let place = maps::place(slot);
        *self = Self { socket, closings, slot, flags, place, reserved: 0 };
    }

    /// The listener. Read from memory, whatever way it was found, so that the verifier knows the same of it each time and
    /// follows what comes then once.
    #[inline(always)]
    pub fn listener(&self) -> Listener {
        // SAFETY: members of a reference.
        unsafe {
            Listener::at(
                (&raw const self.slot).read_volatile(),
                (&raw const self.flags).read_volatile(),
                (&raw const self.place).read_volatile(),
            )
        }
    }
}

/// The entry of a listener that has not closed, if we have met it.
#[inline(always)]
pub fn known(sk: *const u8) -> Option<Listener> {
    entry(sk as u64).map(Listener::of)
}

#[inline(always)]
fn entry(key: u64) -> Option<ListenerRef> {
    // SAFETY: the value is read at once; a replaced one is as good as the one before.
    unsafe { maps::LISTENERS.get(key) }.copied()
}

/// The key of a closed listener. No socket has an odd address; and with keys of their own, a listener at
/// the same address need not take the entry over, which two CPUs could do at once.
///
/// Added, not or-ed: the verifier allows no bit operations on pointers.
#[inline(always)]
fn closed(sk: *const u8) -> u64 {
    (sk as u64).wrapping_add(CLOSED_KEY)
}

/// Whether the socket is in LISTEN.
#[inline(always)]
pub fn listens<M: Memory>(sk: *const u8) -> bool {
    // SAFETY: `sk` is a socket.
    unsafe { member!(M, sk, state: u8) == TCP_LISTEN }
}

/// Gives a socket a slot of its own.
#[inline(always)]
pub fn open<M: Memory>(sk: *const u8, opener: &Opener) -> Listener {
    let Ok(Some(slot)) = maps::FREE_SLOTS.pop() else {
        maps::fault(Fault::SlotsExhausted);
        return Listener::rest();
    };
    let Some(info) = maps::LISTENER_INFO.get_ptr_mut(slot) else {
        return Listener::rest();
    };
    // SAFETY: a slot taken from the queue is nobody else's.
    let info = unsafe { &mut *info };
    describe::<M>(sk, opener, info);
    let flags = if wanted(info.port) { LISTENER_STREAMS } else { 0 };
    let entry = ListenerRef { slot, flags };
    if maps::LISTENERS.insert(sk as u64, entry, NEW_ONLY).is_ok() {
        return Listener::new(slot, flags);
    }
    info.socket = 0;
    let _ = maps::FREE_SLOTS.push(slot, 0);
    // Another CPU was faster: SYNs can overtake the return of `listen()`, and each other.
    known(sk).unwrap_or_else(|| {
        maps::fault(Fault::SlotsExhausted);
        Listener::rest()
    })
}

/// Marks a listener as closed; its late events still find it.
#[inline(always)]
pub fn close(sk: *const u8, listener: Listener) {
    let entry = ListenerRef { slot: listener.slot, flags: listener.flags };
    // There is room: each slot may have two entries. In this order, so that one of them is there.
    let _ = maps::LISTENERS.insert(closed(sk), entry, REPLACE);
    let _ = maps::LISTENERS.remove(sk as u64);
    maps::closed_one();
    if let Some(info) = maps::LISTENER_INFO.get_ptr_mut(listener.slot) {
        // SAFETY: one aligned store; only the closing of this listener writes it.
        unsafe { (*info).closed_ns = bpf_ktime_get_ns() };
    }
}

/// Writes down who the listener is.
#[inline(always)]
fn describe<M: Memory>(sk: *const u8, opener: &Opener, info: &mut ListenerInfo) {
    // SAFETY: `sk` is a socket in LISTEN.
    unsafe {
        let family: u16 = member!(M, sk, family);
        let net = member!(M, sk, net: u64) as *const u8;
        info.socket = sk as u64;
        info.cookie = member!(M, sk, cookie);
        info.opened_ns = bpf_ktime_get_ns();
        info.closed_ns = 0;
        info.address = [0; 16];
        if family == AF_INET6 {
            put_all(&mut info.address, words::<M>(sk, offset!(local_v6)));
        } else {
            put(&mut info.address, 0, member!(M, sk, local_v4));
        }
        info.comm = opener.comm;
        info.pid = opener.pid;
        info.netns = Probed::read(net, offset!(netns));
        info.netns_cookie =
            if has!(netns_cookie) { Probed::read(net, offset!(netns_cookie)) } else { 0 };
        info.device = member!(M, sk, device);
        info.limit = member!(M, sk, limit);
        info.asked = NOT_SEEN;
        info.somaxconn = MISSING;
        info.port = member!(M, sk, local_port);
        info.family = family;
        info.reserved = 0;
    }
}

/// Whether the filters want this port.
#[inline(always)]
fn wanted(port: u16) -> bool {
    let count = config!(port_count) as usize;
    if count == 0 {
        return true;
    }
    for index in 0..MAX_PORTS {
        // SAFETY: `index` is within the array.
        let candidate = unsafe {
            core::ptr::read_volatile((&raw const crate::config::PORTS).cast::<u16>().add(index))
        };
        if index < count && candidate == port {
            return true;
        }
    }
    false
}
