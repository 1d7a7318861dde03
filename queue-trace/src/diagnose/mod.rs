//! What is wrong with each listener, by what one can tell it, and what to change.
//!
//! Pure: no clock, no I/O. Each rule has a file of its own in `rules`, with its condition in one place.

mod acceptor;
mod case;
mod limit;
#[cfg(test)]
mod made_up;
mod rank;
mod rules;
mod services;
mod surroundings;
mod verdict;

pub use case::Case;
pub use limit::explain;
pub use rank::{Diagnosis, Facts, diagnose};
pub use services::{Verdicts, of_services};
pub use surroundings::Surroundings;
pub use verdict::{Evidence, Rule, Severity, Value, Verdict};
