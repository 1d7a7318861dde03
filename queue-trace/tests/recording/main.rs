//! The commands that read recordings, run over one of the first version: no kernel, no privileges.
//!
//! Parquet is read by DuckDB. `cargo xtask test` says where a Python that has it is; otherwise that test is
//! listed as ignored.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "failing is how a test reports")]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

mod export;
mod replay;
mod support;
mod views;

fn main() -> ExitCode {
    let python = std::env::var_os("QUEUE_TRACE_PYTHON");
    let test = |name: &str, run: fn()| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    };
    let mut tests = vec![
        test("replay::shows_what_was_asked_for", replay::shows_what_was_asked_for),
        test("replay::is_trace_with_input", replay::is_trace_with_input),
        test("replay::filters", replay::filters),
        test("replay::ends_where_it_is_told", replay::ends_where_it_is_told),
        test("replay::shows_the_queues_at_intervals", replay::shows_the_queues_at_intervals),
        test("replay::tells_of_damage", replay::tells_of_damage),
        test("replay::refuses_what_it_cannot_read", replay::refuses_what_it_cannot_read),
        test("export::json_lines_are_those_of_trace", export::json_lines_are_those_of_trace),
        test("export::csv_has_the_same_rows", export::csv_has_the_same_rows),
        test("export::does_not_write_over_a_file", export::does_not_write_over_a_file),
        test("views::doctor_judges_a_recording", views::doctor_judges_a_recording),
        test("views::what_if_computes_with_a_recording", views::what_if_computes_with_a_recording),
        test(
            "views::listeners_of_an_old_file_are_refused",
            views::listeners_of_an_old_file_are_refused,
        ),
        test(
            "views::watching_and_input_exclude_each_other",
            views::watching_and_input_exclude_each_other,
        ),
    ];
    let ignored = python.is_none();
    let parquet = Trial::test("export::duckdb_reads_the_same_rows", move || {
        export::duckdb_reads_the_same_rows(&python.unwrap());
        Ok(())
    });
    tests.push(parquet.with_ignored_flag(ignored));
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}
