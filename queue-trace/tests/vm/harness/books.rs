//! The books: what the events add up to, beside what the kernel counted and what the sockets say.
//!
//! The sums are made anew here from the events, not taken from the summary, whose own verdict has to
//! agree.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use super::events::Events;
use super::netstat::Counters;
use super::server::Server;
use super::tracer::Trace;

/// What a listener holds, as the kernel says.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    waiting: u64,
    half_open: u64,
}

impl Known {
    pub(crate) fn of(server: &Server) -> Self {
        Self { waiting: u64::from(server.depth()), half_open: server.half_open() }
    }
}

/// Everything that has to agree.
#[derive(Debug)]
pub(crate) struct Books<'a> {
    pub(crate) netns: u64,
    pub(crate) trace: &'a Trace,
    /// The kernel's counters before queue-trace started, when traffic had come to rest, and after
    /// queue-trace had ended.
    pub(crate) before: &'a Counters,
    pub(crate) after: &'a Counters,
    pub(crate) last: &'a Counters,
    /// Listeners that were there when queue-trace started, and that are there at its end.
    pub(crate) older: Vec<(SocketAddr, Known)>,
    pub(crate) open: Vec<(SocketAddr, Known)>,
    pub(crate) crafted_syns: u64,
}

/// Events by kind and reason; a reason of `*` stands for all.
type Terms = &'static [(&'static str, &'static str)];

/// The kernel's counters and what raises them (kernel.md section 5.14; its fact 10).
const IDENTITIES: &[(&str, Terms)] = &[
    (
        "ListenOverflows",
        &[
            ("syn_refused", "accept_queue_full"),
            ("ack_refused", "accept_queue_full"),
            ("ack_refused", "accept_queue_full_reset"),
            ("ack_refused", "cookie_accept_queue_full"),
        ],
    ),
    (
        "ListenDrops",
        &[
            ("syn_refused", "*"),
            ("ack_refused", "accept_queue_full"),
            ("ack_refused", "accept_queue_full_reset"),
            ("ack_refused", "cookie_accept_queue_full"),
            ("ack_refused", "child_failed"),
            ("ack_refused", "child_failed_reset"),
            ("ack_refused", "cookie_child_failed"),
            ("request_expired", "icmp_error"),
        ],
    ),
    ("TCPReqQFullDrop", &[("syn_refused", "syn_queue_full")]),
    ("SyncookiesSent", &[("syn_cookie", "*")]),
    (
        "SyncookiesRecv",
        &[
            ("cookie_valid", "*"),
            ("ack_refused", "cookie_accept_queue_full"),
            ("ack_refused", "cookie_child_failed"),
            ("ack_refused", "cookie_unusable"),
        ],
    ),
    ("SyncookiesFailed", &[("cookie_invalid", "*")]),
    ("TCPDeferAcceptDrop", &[("ack_deferred", "*")]),
    (
        "EmbryonicRsts",
        &[
            ("request_expired", "reset_by_client"),
            ("ack_refused", "accept_queue_full_reset"),
            ("ack_refused", "child_failed_reset"),
        ],
    ),
    // Counted for each child that the kernel makes, also for one that is of no use in the end.
    (
        "PassiveOpens",
        &[
            ("established", "*"),
            ("cookie_valid", "*"),
            ("syn_fastopen", "*"),
            ("ack_ignored", "taken_by_another_cpu"),
            ("ack_refused", "listener_closing"),
        ],
    ),
];

/// The counters that the books are about.
pub(crate) fn counters() -> impl Iterator<Item = &'static str> {
    IDENTITIES.iter().map(|(counter, _)| *counter)
}

/// What must not be in the summary.
const TROUBLES: &[&str] = &[
    "THE BOOKS DO NOT BALANCE",
    "disagree with the kernel's own counters",
    "found no room",
    "no slot was left",
    "could not be timed",
];

fn sum(events: &Events, terms: Terms) -> u64 {
    let term = |(kind, reason): &(&str, &str)| match *reason {
        "*" => events.count(kind),
        reason => events.count_because(kind, reason),
    };
    terms.iter().map(term).sum()
}

impl Books<'_> {
    /// Compares; fails with everything that does not agree.
    pub(crate) fn close(&self) {
        let mut wrong = String::new();
        self.counters(&mut wrong);
        self.syns(&mut wrong);
        self.listeners(&mut wrong);
        self.summary(&mut wrong);
        if !wrong.is_empty() {
            let Trace { events, summary } = self.trace;
            panic!("{wrong}events:\n{events}summary:\n{}", summary.text);
        }
    }

    /// Our sums over the namespace are the kernel's.
    fn counters(&self, wrong: &mut String) {
        for (counter, terms) in IDENTITIES {
            let kernel = self.last.since(self.before, counter);
            let ours = sum(&self.trace.events, terms);
            if kernel != ours {
                let _ = writeln!(wrong, "{counter}: kernel {kernel}, events {ours}");
            }
            if self.after.get(counter) != self.last.get(counter) {
                let _ = writeln!(wrong, "{counter} still moved while queue-trace was stopping");
            }
        }
    }

    /// Every SYN that was sent has an outcome. Clients count their attempts in `ActiveOpens`, and
    /// what they sent again in `TCPSynRetrans` together with the SYN-ACKs that listeners sent again.
    fn syns(&self, wrong: &mut String) {
        let attempts = self.after.since(self.before, "ActiveOpens");
        let events = &self.trace.events;
        let resent = if attempts == 0 {
            0
        } else {
            let unsendable = events.count_because("synack_retransmit", "unsendable");
            let synacks = events.count("synack_retransmit") - unsendable;
            self.after.since(self.before, "TCPSynRetrans").saturating_sub(synacks)
        };
        let sent = attempts + resent + self.crafted_syns;
        let kinds = ["syn_queued", "syn_cookie", "syn_fastopen", "syn_refused", "syn_duplicate"];
        let seen: u64 = kinds.iter().map(|kind| events.count(kind)).sum();
        if seen != sent {
            let _ = writeln!(
                wrong,
                "SYNs: {seen} have an outcome, but {attempts} were sent by connect(), {resent} sent \
                 again, {} crafted",
                self.crafted_syns
            );
        }
    }

    /// Each listener's own books: what came in has gone out or is still there.
    fn listeners(&self, wrong: &mut String) {
        for number in self.trace.events.listeners() {
            let events = self.trace.events.of_listener(number);
            let address = events.0[0].listens_at();
            let known = |list: &[(SocketAddr, Known)]| {
                let found = list.iter().find(|(listener, _)| *listener == address);
                found.map(|(_, known)| *known).unwrap_or_default()
            };
            // What an older or still open listener holds is not that of one that came and went.
            let before =
                if events.count("listen") == 0 { known(&self.older) } else { Known::default() };
            let after =
                if events.count("close") == 0 { known(&self.open) } else { Known::default() };
            let entered =
                sum(&events, &[("established", "*"), ("cookie_valid", "*"), ("syn_fastopen", "*")]);
            let left = sum(&events, &[("accept", "*"), ("abandoned", "*")]);
            if before.waiting + entered != left + after.waiting {
                let _ = writeln!(
                    wrong,
                    "{address} (listener {number}): {} waited before, {entered} entered, {left} \
                     left, {} are waiting",
                    before.waiting, after.waiting
                );
            }
            let queued = events.count("syn_queued");
            let ended = sum(
                &events,
                &[
                    ("established", "*"),
                    ("request_expired", "*"),
                    ("ack_refused", "accept_queue_full_reset"),
                    ("ack_refused", "child_failed_reset"),
                    ("ack_refused", "listener_closing"),
                ],
            );
            if before.half_open + queued != ended + after.half_open {
                let _ = writeln!(
                    wrong,
                    "{address} (listener {number}): {} half-open before, {queued} queued, {ended} \
                     ended, {} are half-open",
                    before.half_open, after.half_open
                );
            }
        }
    }

    /// The summary comes to the same verdict, and counts as many as there are events.
    fn summary(&self, wrong: &mut String) {
        let summary = &self.trace.summary;
        for trouble in TROUBLES.iter().filter(|trouble| summary.text.contains(*trouble)) {
            let _ = writeln!(wrong, "the summary says: {trouble}");
        }
        // It keeps silent about a namespace in which nothing was counted.
        let product = IDENTITIES.iter().filter(|(counter, _)| *counter != "PassiveOpens");
        let silent =
            product.map(|(counter, _)| self.last.since(self.before, counter)).sum::<u64>() == 0;
        let verdict = format!("namespace {}: the books balance", self.netns);
        if !silent && !summary.text.contains(&verdict) {
            let _ = writeln!(wrong, "the summary does not say: {verdict}");
        }
        let mut counted = BTreeMap::<_, u64>::new();
        for section in summary.listeners.iter().filter(|section| section.netns == self.netns) {
            for (kind, count) in &section.counts {
                *counted.entry((section.name.clone(), kind.clone())).or_default() += count;
            }
        }
        let mut written = BTreeMap::<_, u64>::new();
        for event in &self.trace.events.0 {
            *written.entry((event.listens_at().to_string(), event.event.clone())).or_default() += 1;
        }
        if counted != written {
            let _ = writeln!(wrong, "the summary counts {counted:?}, the events are {written:?}");
        }
    }
}
