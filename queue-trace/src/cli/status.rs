//! Exit codes: 0 success, 1 failure, 2 wrong usage. A closed output is success: the reader has seen
//! enough.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;

/// The exit code of a result, and the line that explains it.
pub(super) fn of(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let usage = error.is::<Usage>();
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(io::stderr(), "queue-trace: {error:#}");
            if usage { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// A mistake in what the user asked for that clap does not see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) String);

/// The exit code of arguments that clap did not take; help and version are no mistakes.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = writeln!(io::stderr(), "queue-trace: {}; see --help", one_line(&error.to_string()));
    } else if let Err(error) = error.print()
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        return ExitCode::FAILURE;
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// What clap says first, without its usage and its hint, in one line.
fn one_line(message: &str) -> String {
    let said = message.split("\n\nUsage").next().unwrap_or_default();
    let said = said.split("\n\nFor more").next().unwrap_or_default();
    let words: Vec<_> = said.trim_start_matches("error: ").split_whitespace().collect();
    words.join(" ")
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clap_says_fits_on_a_line() {
        let message = "error: invalid value 'x' for '--event <EVENT>'\n  [possible values: a, b]\n\n\
                       For more information, try '--help'.\n";
        assert_eq!(
            one_line(message),
            "invalid value 'x' for '--event <EVENT>' [possible values: a, b]"
        );
    }
}
