//! What `queue-trace doctor` found, as one JSON object.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::{Examination, at};
use crate::diagnose::{Diagnosis, Evidence, Value, Verdict, explain};
use crate::model::{Balance, Listener, Totals};

/// The fields. An interface: names and meanings are kept.
#[derive(Serialize)]
struct Report<'a> {
    /// The running kernel's release.
    kernel: &'a str,
    /// By which means it is watched: `fentry` or `kprobe`.
    tier: &'a str,
    /// The kernel functions that are hooked.
    hooks: Vec<Hook<'a>>,
    /// `attached` where the scheduler's tracepoints tell what processes do; else why they do not, or null where they
    /// were not asked.
    scheduler: Option<&'a str>,
    /// What cannot be seen on this kernel, one phrase each.
    not_visible: &'a [String],
    /// The kernel's counters that cannot be compared for that.
    not_in_the_books: &'a [String],
    /// What else could not be seen, and for want of which privilege, one line each.
    notes: Vec<&'a str>,
    /// The settings of our own network namespace; null where the kernel has no such setting.
    sysctls: BTreeMap<&'a str, Option<i64>>,
    /// For how long was watched, nanoseconds.
    watched_ns: u64,
    /// The books of each namespace in which something can be compared.
    books: Vec<Book<'a>>,
    /// All listeners, the worst first.
    listeners: Vec<Line<'a>>,
}

/// A hook.
#[derive(Serialize)]
struct Hook<'a> {
    /// The kernel function.
    function: &'a str,
    /// `entry` or `return`.
    at: &'static str,
}

/// The books of a namespace.
#[derive(Serialize)]
struct Book<'a> {
    /// Its inode.
    netns: u32,
    /// Whether every difference is 0.
    balanced: bool,
    /// One for each of the kernel's counters.
    counters: Vec<Counter<'a>>,
}

/// A counter.
#[derive(Serialize)]
struct Counter<'a> {
    /// Its name in `/proc/net/netstat`.
    counter: &'a str,
    /// By how much the kernel raised it.
    kernel: u64,
    /// How much of that we can name a listener for.
    listeners: u64,
}

/// A listener.
#[derive(Serialize)]
struct Line<'a> {
    /// The local address, without brackets.
    address: IpAddr,
    /// The local port.
    port: u16,
    /// Inode of its network namespace.
    netns: u32,
    /// Whether it has closed.
    closed: bool,
    /// The processes that hold it.
    pids: Vec<u32>,
    /// Both queues are full above this.
    limit: u32,
    /// The backlog that `listen()` was called with, as the program passed it; null if nobody saw it.
    asked_backlog: Option<i32>,
    /// `net.core.somaxconn` when it was; null if nobody saw it.
    somaxconn_then: Option<u32>,
    /// Why the limit is what it is, one sentence.
    limit_explained: String,
    /// Connections in the accept queue now.
    waiting: u64,
    /// `fine`, `note`, `warning` or `critical`.
    severity: &'static str,
    /// The main verdict.
    verdict: Said<'a>,
    /// The others, worst first.
    remarks: Vec<Said<'a>>,
}

/// A verdict.
#[derive(Serialize)]
struct Said<'a> {
    /// Name of the rule.
    rule: &'static str,
    /// As above.
    severity: &'static str,
    /// What is wrong, one sentence.
    story: &'a str,
    /// By what one can tell it: names to numbers or words; times end in `_ns`, shares are from 0 to 1.
    evidence: Map<String, Json>,
    /// What to change, step by step.
    change: &'a [String],
    /// What not to do; empty if there is nothing to say.
    avoid: &'a str,
}

/// Writes it.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(out: &mut impl Write, found: &Examination<'_>) -> io::Result<()> {
    let means = &found.means;
    let report = Report {
        kernel: &found.release,
        tier: &means.tier,
        hooks: means
            .hooks
            .iter()
            .map(|(function, returns)| Hook { function, at: at(*returns) })
            .collect(),
        scheduler: found.scheduler.as_ref().map(|told| match told {
            Ok(()) => "attached",
            Err(reason) => reason,
        }),
        not_visible: &means.losses,
        not_in_the_books: &means.uncounted,
        notes: means.privileges.iter().chain(&means.notes).map(String::as_str).collect(),
        sysctls: found.sysctls().entries().into_iter().collect(),
        watched_ns: u64::try_from(found.watched.as_nanos()).unwrap_or(u64::MAX),
        books: found.snapshot.books.iter().map(book).collect(),
        listeners: found.verdicts.iter().filter_map(|one| line(found, one)).collect(),
    };
    serde_json::to_writer(&mut *out, &report)?;
    writeln!(out)
}

fn book(balance: &Balance) -> Book<'_> {
    let counter = |line: &crate::model::Line| Counter {
        counter: line.counter,
        kernel: line.kernel,
        listeners: line.ours,
    };
    Book {
        netns: balance.netns,
        balanced: balance.even(),
        counters: balance.lines.iter().map(counter).collect(),
    }
}

fn line<'a>(found: &'a Examination<'_>, diagnosis: &'a Diagnosis) -> Option<Line<'a>> {
    let (listener, totals): &(Listener, Totals) =
        found.snapshot.listeners.get(diagnosis.listener)?;
    Some(Line {
        address: listener.address,
        port: listener.port,
        netns: listener.netns,
        closed: listener.closed,
        pids: listener.owners.iter().map(|owner| owner.pid).collect(),
        limit: listener.limit,
        asked_backlog: listener.asked.map(u32::cast_signed),
        somaxconn_then: listener.somaxconn,
        limit_explained: explain(listener, &found.census.settings_of(listener.netns)),
        waiting: totals.waiting,
        severity: diagnosis.severity().name(),
        verdict: said(&diagnosis.main),
        remarks: diagnosis.remarks.iter().map(said).collect(),
    })
}

fn said(verdict: &Verdict) -> Said<'_> {
    let pair = |Evidence { name, value }: &Evidence| {
        let value = match value {
            Value::Count(number) | Value::Time(number) => Json::from(*number),
            Value::Share(share) => Json::from(*share),
            Value::Words(words) => Json::from(words.as_str()),
        };
        ((*name).to_owned(), value)
    };
    Said {
        rule: verdict.rule.name(),
        severity: verdict.severity.name(),
        story: &verdict.story,
        evidence: verdict.evidence.iter().map(pair).collect(),
        change: &verdict.change,
        avoid: verdict.avoid,
    }
}
