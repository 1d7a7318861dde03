//! The `queue-trace` program.
fn main() {}
