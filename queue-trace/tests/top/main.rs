//! `queue-trace top` in a real terminal: what it shows, what keys do, and that the terminal is left as it was.
//!
//! The terminal is tmux; where that is not there, those tests are listed as ignored.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "failing is how a test reports"
)]

use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Trial};
use queue_trace::output::top::screen::Screen;

mod pane;
mod restored;
mod shown;
mod usage;

fn main() -> ExitCode {
    // A program for the tests: see `restored::after_a_panic`.
    if std::env::args().nth(1).as_deref() == Some(restored::PANIC) {
        let _screen = Screen::take().unwrap();
        panic!("this is a test");
    }
    let tmux = Command::new("tmux").arg("-V").output().is_ok();
    let test = |name: &str, run: fn()| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    };
    let mut tests = vec![
        test("shown::a_loaded_listener_by_polling", shown::a_loaded_listener_by_polling),
        test("shown::a_recording", shown::a_recording),
        test("restored::after_q", restored::after_q),
        test("restored::after_signals", restored::after_signals),
        test("restored::after_a_panic", restored::after_a_panic),
        test("restored::while_suspended", restored::while_suspended),
    ];
    tests = tests.into_iter().map(|test| test.with_ignored_flag(!tmux)).collect();
    tests.push(test("usage::needs_a_terminal", usage::needs_a_terminal));
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}
