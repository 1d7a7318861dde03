//! The `queue-trace` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    queue_trace::cli::main()
}
