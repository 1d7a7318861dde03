//! User side of queue-trace: says which TCP listener refuses or delays connections, why, whom it
//! hurts and what to change.
//!
//! Data flows one way: `kernel`, `netlink` and `procfs` know the system; `source` makes events and
//! counts of it; `model` does the arithmetic; `output` shows it; `cli` holds it together.

pub mod cli;
pub mod kernel;
pub mod model;
pub mod netlink;
pub mod output;
pub mod procfs;
pub mod source;
