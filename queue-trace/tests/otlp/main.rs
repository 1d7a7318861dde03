//! The push, to receivers that are not ours: one that records what it gets by gRPC, the same over TLS, one that takes a
//! POST over TLS, and VictoriaMetrics by HTTP.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "failing is how a test reports"
)]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

mod grpc;
mod published;
mod receiver;
mod secured;
mod victoria_metrics;

fn main() -> ExitCode {
    let set = [
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20token"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
        ("OTEL_SERVICE_NAME", "edge"),
    ];
    for (name, value) in set {
        // SAFETY: there is no other thread yet.
        unsafe { std::env::set_var(name, value) };
    }
    secured::set_variables();
    let mut trials = vec![
        trial("metrics_are_what_was_counted", grpc::metrics_are_what_was_counted),
        trial("refusals_become_log_records", grpc::refusals_become_log_records),
        trial("a_receiver_that_comes_back_gets_all", grpc::a_receiver_that_comes_back_gets_all),
        trial("what_is_lost_is_counted", grpc::what_is_lost_is_counted),
        trial("tls_and_gzip_by_grpc", secured::by_grpc),
        trial("tls_and_gzip_by_http", secured::by_http),
        trial("a_stranger_gets_nothing", secured::a_stranger_gets_nothing),
    ];
    let there = std::env::var_os(victoria_metrics::VARIABLE).is_some();
    let real = trial("victoria_metrics_takes_it", victoria_metrics::takes_it);
    trials.push(real.with_ignored_flag(!there));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test; failed asserts are what it says.
fn trial(name: &'static str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}
