//! What people and programs see; each output in its own file.

#[cfg(feature = "serve")]
pub mod api;
pub mod books;
pub mod clock;
pub mod doctor;
pub mod json;
#[cfg(feature = "listeners")]
pub mod listeners;
#[cfg(feature = "serve")]
pub mod metrics;
#[cfg(feature = "otlp")]
pub mod otlp;
mod owners;
#[cfg(feature = "parquet")]
pub mod parquet;
mod pieces;
#[cfg(feature = "serve")]
pub mod prometheus;
#[cfg(feature = "report")]
pub mod report;
#[cfg(feature = "record")]
pub mod rows;
pub mod status;
pub mod summary;
#[cfg(feature = "record")]
pub mod table;
pub mod text;
#[cfg(feature = "top")]
pub mod top;
mod units;
mod verdicts;
pub mod what_if;

/// After how many bytes lines are written at the latest: half of what a pipe takes, so that its reader is
/// busy with one half while the other is made, and neither waits.
pub const AT_ONCE: usize = 32 << 10;

#[cfg(test)]
pub(crate) mod golden;
#[cfg(test)]
mod sample;
