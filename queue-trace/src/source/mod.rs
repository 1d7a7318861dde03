//! Where events and counters come from.

mod books;
mod live;
mod names;
mod seeds;

pub use live::{Live, Snapshot, Start, monotonic_ns};
pub use names::Names;
