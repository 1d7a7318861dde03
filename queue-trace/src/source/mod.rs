//! Where events and counters come from.

mod books;
mod live;
mod names;
mod seeds;
mod status;

pub use live::{Live, Snapshot, Start, monotonic_ns};
pub use names::Names;
pub use status::Status;
