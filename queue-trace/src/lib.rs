//! User side of queue-trace: says which TCP listener refuses or delays connections, why, whom it
//! hurts and what to change.
//!
//! Data flows one way: `kernel`, `netlink` and `procfs` know the system; `source` makes events and
//! counts of it; `model` does the arithmetic; `diagnose` says what is wrong and what to change, `whatif` what a
//! backlog would have done; `output` shows it; `recording` keeps it for later; `cli` holds it together, and
//! `daemon` for those that stay.

pub mod cli;
#[cfg(feature = "serve")]
pub mod daemon;
pub mod diagnose;
pub mod kernel;
pub mod model;
pub mod netlink;
pub mod output;
pub mod procfs;
#[cfg(feature = "record")]
pub mod recording;
pub mod source;
pub mod whatif;
