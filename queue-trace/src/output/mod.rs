//! What people and programs see; each output in its own file.

pub mod books;
pub mod clock;
pub mod doctor;
pub mod json;
pub mod listeners;
pub mod status;
pub mod summary;
pub mod text;
mod units;

#[cfg(test)]
pub(crate) mod golden;
#[cfg(test)]
mod sample;
