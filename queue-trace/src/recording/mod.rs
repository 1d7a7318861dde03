//! Recordings: what was seen, in a file, to be looked at later by any view.
//!
//! FORMAT.md beside this file describes the format. In short: a file is blocks, each with a checksum; a
//! block is written at the latest with each snapshot, in one piece; the messages in the blocks can get new
//! fields, and the numbers in them have their names in the same file, so older files stay readable.

pub(crate) mod census;
mod columns;
mod counters;
mod files;
mod frame;
mod header;
pub(crate) mod listeners;
mod names;
mod parts;
mod reader;
mod wire;
mod writer;

pub use files::{Files, Limits, Stopped};
pub use header::Header;
pub use parts::{Part, open_parts};
pub use reader::{Error, Loss, Reader, Step};
pub use writer::Writer;

#[cfg(test)]
mod tests;
