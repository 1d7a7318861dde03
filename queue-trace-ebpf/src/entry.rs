//! When a connection entered the accept queue: the kernel itself remembers.
//!
//! `tcp_init_buffer_space` stamps a child as soon as it is in the queue (`tcp_child_process` follows
//! `inet_csk_complete_hashdance`), or when Fast Open makes it, in microseconds of the monotonic clock
//! (`tcp_sock.rcvq_space.time`). Only reading from the socket changes that, which nobody does before it is
//! accepted. The same from 5.10 to 7.3.

use aya_ebpf::helpers::bpf_ktime_get_ns;

use crate::config::offset;
use crate::memory::Memory;

/// When a child entered, on the monotonic clock; 0 if it has not yet been stamped: another CPU accepts it
/// while the first one is still dealing with the final ACK.
#[inline(always)]
pub fn time_ns<M: Memory>(child: *const u8) -> u64 {
    // SAFETY: `child` is a TCP socket; the member lies behind the declared `sock`.
    let us: u64 = unsafe { M::read_tcp(child, offset!(entry_time)) };
    us * 1000
}

/// How long a child has waited, at least 1.
#[inline(always)]
pub fn waited_ns<M: Memory>(child: *const u8) -> u64 {
    let entered = time_ns::<M>(child);
    // SAFETY: the helper has no preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    if entered == 0 || entered >= now { 1 } else { now - entered }
}
