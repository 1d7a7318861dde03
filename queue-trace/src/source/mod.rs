//! Where events and counters come from.

mod any;
mod books;
mod census;
mod former;
mod join;
mod live;
mod names;
mod owners;
#[cfg(feature = "serve")]
mod pinned;
mod poll;
#[cfg(feature = "record")]
mod recorded;
#[cfg(feature = "record")]
mod recording;
mod seeds;
#[cfg(feature = "serve")]
mod state;
mod status;
mod watch;
mod workers;

pub use any::{Beginning, Source};
pub use census::{Census, Contents, LookError};
pub use live::{Live, Resumed, Start, monotonic_ns};
pub use names::Names;
#[cfg(feature = "serve")]
pub use pinned::unpin;
pub use poll::Poll;
#[cfg(all(test, feature = "record"))]
pub(crate) use recorded::read as recorded_census;
#[cfg(feature = "record")]
pub use recording::{Gap, Recording};
#[cfg(feature = "serve")]
pub use state::kept;
pub use status::Status;
