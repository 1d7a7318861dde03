//! What people and programs see; each output in its own file.

pub mod books;
pub mod clock;
pub mod doctor;
pub mod json;
#[cfg(feature = "listeners")]
pub mod listeners;
mod pieces;
pub mod status;
pub mod summary;
pub mod text;
mod units;

/// After how many bytes lines are written at the latest: half of what a pipe takes, so that its reader is
/// busy with one half while the other is made, and neither waits.
pub const AT_ONCE: usize = 32 << 10;

#[cfg(test)]
pub(crate) mod golden;
#[cfg(test)]
mod sample;
