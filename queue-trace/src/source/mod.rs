//! Where events and counters come from.

mod books;
mod live;
mod seeds;

pub use live::{Live, Snapshot, Start, monotonic_ns};
