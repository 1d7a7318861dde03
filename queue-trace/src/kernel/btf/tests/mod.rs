//! The reader against BTF made by hand, cut from real kernels, damaged, and read by another reader.

pub(in crate::kernel) mod builder;
mod damage;
mod kernels;
mod members;
mod oracle;
mod symbols;
