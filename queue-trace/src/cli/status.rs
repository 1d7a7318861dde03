//! Exit codes: 0 success, 1 failure, 2 wrong usage. A closed output is success: the reader has seen
//! enough.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// The exit code of a result, and the line that explains it.
pub(super) fn of(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(io::stderr(), "queue-trace: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The exit code of arguments that clap did not take; help and version are no mistakes.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == ErrorKind::BrokenPipe)
    })
}
