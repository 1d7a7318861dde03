//! The kernel side seen from user space: which hooks this kernel has, loading, attaching, reading.

pub mod attach;
pub mod btf;
pub mod clock;
mod constants;
mod costs;
mod fallback;
mod globals;
pub mod hooks;
pub mod layout;
mod machine;
pub mod maps;
pub mod misses;
pub mod objects;
pub mod offsets;
#[cfg(feature = "serve")]
pub mod pins;
mod pipeline;
pub mod preflight;
mod programs;
pub mod rehearsal;
#[cfg(feature = "serve")]
pub mod resume;
pub mod ring;
pub mod scheduler;
pub mod shared;
pub mod slots;
pub mod symbols;
mod tracefs;
pub mod types;
pub mod workers;
