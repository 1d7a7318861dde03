//! Which backlog would have been enough, from arrivals and accepts as they happened. Pure: no clock, no I/O.
//!
//! What it assumes:
//!
//! - One client is one arrival, at its first try. A client that was refused and came again under the same
//!   address and port wanted in when it was refused first; with room it would have entered the queue then. The
//!   round trip that a refused SYN would still have taken is left out.
//! - In the worlds computed, a refused client does not come again. Its retry, a second or more later, would be
//!   one more arrival there; so what remains refused is counted by clients, and later waits are at least these.
//! - The accept queue is first in, first out, as the kernel's is.
//! - The server accepts as it did. While connections waited for it, the moments at which it accepted were its
//!   own, and stay. While it waited for connections, it would have accepted one after the other as fast as it
//!   usually does when several wait (the median). Where the queue ran empty again and again between refusals,
//!   as one with a tiny limit does, this is kind to the server.
//! - Accepting `k` times faster divides each of these times by `k`. One more worker beside `n` is
//!   `(n + 1) / n` times as fast.
//! - Connections that waited when the watch began are taken as if they had come then. Only the accept queue is
//!   looked at: what the SYN queue refused would not have come in by a larger backlog alone.

mod answer;
mod course;
mod pace;
mod queue;

pub use answer::{Answer, Faster, answer};
pub use course::{Course, Courses};
pub use pace::Speed;
pub use queue::{Outlook, play};
