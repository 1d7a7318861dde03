//! When a connection entered the accept queue: the kernel itself remembers.
//!
//! `tcp_init_buffer_space` stamps a child as soon as it is in the queue (`tcp_child_process` follows
//! `inet_csk_complete_hashdance`), or when Fast Open makes it, in microseconds of the monotonic clock
//! (`tcp_sock.rcvq_space.time`). Only reading from the socket changes that, which nobody does before it is
//! accepted. The same from 5.10 to 7.3.

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

/// How long a child has waited by now, at least 1.
#[inline(always)]
pub fn waited_ns<M: Memory>(child: *const u8, now_ns: u64) -> u64 {
    let entered = time_ns::<M>(child);
    if entered == 0 || entered >= now_ns { 1 } else { now_ns - entered }
}
