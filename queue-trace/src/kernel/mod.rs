//! The kernel side seen from user space: which hooks this kernel has, loading, attaching, reading.

pub mod attach;
pub mod btf;
pub mod hooks;
pub mod maps;
pub mod misses;
pub mod offsets;
pub mod preflight;
mod programs;
pub mod ring;
pub mod shared;
pub mod slots;
pub mod symbols;
mod tracefs;
pub mod types;
