//! The books: what the events add up to, beside what the kernel counted and what the sockets say.
//!
//! The sums are made anew here from the events, not taken from the summary, whose own verdict has to
//! agree.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use super::events::Events;
use super::identities::{ENDED, ENTERED, IDENTITIES, LEFT, TALLIES, Terms};
use super::netstat::{self, Counters, TIME_WAIT};
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
    /// Whether listeners closed while packets came: kprobes do not see those that interrupt our own probe.
    pub(crate) closings: bool,
}

/// The counters that the books are about.
pub(crate) fn counters() -> impl Iterator<Item = &'static str> {
    IDENTITIES.iter().map(|(counter, _)| *counter)
}

const UNEVEN: &str = "THE BOOKS DO NOT BALANCE";

/// What must not be in the summary.
const TROUBLES: &[&str] = &[
    UNEVEN,
    "disagree with the kernel's own counters",
    "records found no room",
    "were thinned",
    "no slot was left",
    "could not be timed",
];

fn sum(events: &Events, terms: Terms) -> u64 {
    let term = |(kind, reason): &(&str, &str)| match *reason {
        "*" => events.count(kind),
        "" => events.of(kind).filter(|event| event.reason.is_none()).count() as u64,
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
            let Trace { events, summary, .. } = self.trace;
            panic!("{wrong}events:\n{events}summary:\n{}", summary.text);
        }
    }

    /// By how much numbers may differ: not at all, but for as many calls as the kernel skipped of our
    /// kprobes and queue-trace says so.
    fn slack(&self) -> u64 {
        let summary = &self.trace.summary;
        summary.slack() + if self.closings { summary.skipped_uncounted() } else { 0 }
    }

    /// Our sums over the namespace are the kernel's.
    fn counters(&self, wrong: &mut String) {
        // Migration is newer than 5.10, and so are its counters.
        for (counter, terms) in IDENTITIES.iter().filter(|(name, _)| self.last.has(name)) {
            let kernel = self.after.since(self.before, counter);
            let ours = sum(&self.trace.events, terms) + self.tallied(counter);
            // The child is made first and its route, or its place among the connections, looked for then; or the
            // other way round.
            let failed = |reason| self.trace.events.count_because("ack_refused", reason);
            let doubtful = match *counter {
                "PassiveOpens" => {
                    failed("child_failed")
                        + failed("cookie_child_failed")
                        + failed("cookie_unusable")
                }
                _ => 0,
            };
            let slack = self.slack();
            if !(ours.saturating_sub(slack)..=ours + doubtful + slack).contains(&kernel) {
                let _ = writeln!(wrong, "{counter}: kernel {kernel}, events {ours}");
            }
            let later = sum(&self.trace.later, terms);
            if self.last.since(self.after, counter) != later {
                let _ = writeln!(wrong, "{counter} still moved while queue-trace was stopping");
            }
        }
    }

    /// What the summary tells of this counter beside events.
    fn tallied(&self, counter: &str) -> u64 {
        let words = TALLIES.iter().filter(|(name, _)| *name == counter).map(|(_, words)| words);
        let sections = &self.trace.summary.listeners;
        let ours = || sections.iter().filter(|section| section.netns == self.netns);
        words.flat_map(|words| ours().map(|section| section.tally(words))).sum()
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
        // A SYN that was sent again, and comes when its connection is established, meets no listener: that is
        // one of those that `tcp_validate_incoming` challenges, beside SYN-ACKs that come twice. If the server has
        // closed by then, it meets TIME_WAIT, where nothing is counted.
        let over = resent.min(netstat::in_state(TIME_WAIT));
        let late = self.after.since(self.before, "TCPSYNChallenge") + over;
        if !(seen..=seen + late).contains(&sent) && seen.abs_diff(sent) > self.slack() {
            let _ = writeln!(
                wrong,
                "SYNs: {seen} have an outcome, up to {late} came too late, but {attempts} were sent by \
                 connect(), {resent} sent again, {} crafted",
                self.crafted_syns
            );
        }
    }

    /// Each listener's own books: what came in has gone out or is still there. Listeners that share
    /// an address, between which requests and connections may migrate, have theirs in common.
    fn listeners(&self, wrong: &mut String) {
        let mut shared = Vec::new();
        for number in self.trace.events.listeners() {
            let events = self.trace.events.of_listener(number);
            let address = events.0[0].listens_at();
            if !self.shares(address, &events) {
                // What an older or still open listener holds is not that of one that came and went.
                let known =
                    |list, is: bool| if is { held(list, address) } else { Known::default() };
                let before = known(&self.older, events.count("listen") == 0);
                let after = known(&self.open, events.count("close") == 0);
                let who = format!("{address} (listener {number})");
                self.compare(wrong, &who, &events, before, after);
            } else if !shared.contains(&address) {
                shared.push(address);
            }
        }
        for address in shared {
            let all = self.trace.events.0.iter().filter(|event| event.listens_at() == address);
            let events = Events(all.cloned().collect());
            let (before, after) = (held(&self.older, address), held(&self.open, address));
            self.compare(wrong, &format!("{address} (all listeners)"), &events, before, after);
        }
    }

    fn shares(&self, address: SocketAddr, events: &Events) -> bool {
        let at = |list: &[(SocketAddr, Known)]| list.iter().filter(|(a, _)| *a == address).count();
        let migrated = self.trace.events.of("migrated");
        let mut here = migrated.filter(|event| event.listens_at() == address);
        at(&self.older) > 1 || at(&self.open) > 1 || here.next().is_some() || events.0.is_empty()
    }

    /// The summary comes to the same verdict, and counts as many as there are events.
    fn summary(&self, wrong: &mut String) {
        let summary = &self.trace.summary;
        let uneven = |trouble: &&&str| self.slack() == 0 || **trouble != UNEVEN;
        let troubles = TROUBLES.iter().filter(|trouble| summary.text.contains(**trouble));
        for trouble in troubles.filter(uneven) {
            let _ = writeln!(wrong, "the summary says: {trouble}");
        }
        // It keeps silent about a namespace in which nothing was counted.
        let others = ["PassiveOpens", "TCPFastOpenPassive"];
        let product = IDENTITIES
            .iter()
            .filter(|(counter, _)| !others.contains(counter) && self.last.has(counter));
        let silent =
            product.map(|(counter, _)| self.last.since(self.before, counter)).sum::<u64>() == 0;
        let verdict = format!("namespace {}: the books balance", self.netns);
        if !silent && self.slack() == 0 && !summary.text.contains(&verdict) {
            let _ = writeln!(wrong, "the summary does not say: {verdict}");
        }
        let mut counted = BTreeMap::<_, u64>::new();
        for section in summary.listeners.iter().filter(|section| section.netns == self.netns) {
            for (kind, count) in &section.counts {
                *counted.entry((section.name.clone(), kind.clone())).or_default() += count;
            }
        }
        let mut written = BTreeMap::<_, u64>::new();
        for event in self.trace.events.0.iter().chain(&self.trace.later.0) {
            *written.entry((event.listens_at().to_string(), event.event.clone())).or_default() += 1;
        }
        self.resent_at_the_end(&mut counted, &written);
        if counted != written {
            let _ = writeln!(wrong, "the summary counts {counted:?}, the events are {written:?}");
        }
    }

    /// Timers go on while queue-trace ends: SYN-ACKs that are sent again after the last event and before the
    /// counters are read are in the counters alone. No more of them than the kernel says.
    fn resent_at_the_end(
        &self,
        counted: &mut BTreeMap<(String, String), u64>,
        written: &BTreeMap<(String, String), u64>,
    ) {
        let mut resent = self.last.since(self.after, "TCPSynRetrans");
        let timed = |key: &(String, String)| key.1 == "synack_retransmit";
        for (key, count) in counted.iter_mut().filter(|(key, _)| timed(key)) {
            let missing = count.saturating_sub(*written.get(key).unwrap_or(&0)).min(resent);
            *count -= missing;
            resent -= missing;
        }
        counted.retain(|key, count| *count > 0 || !timed(key));
    }

    /// What came in is what went out or is there.
    fn compare(&self, wrong: &mut String, who: &str, events: &Events, before: Known, after: Known) {
        let (entered, left) = (sum(events, ENTERED), sum(events, LEFT));
        if (before.waiting + entered).abs_diff(left + after.waiting) > self.slack() {
            let _ = writeln!(
                wrong,
                "{who}: {} waited before, {entered} entered, {left} left, {} are waiting",
                before.waiting, after.waiting
            );
        }
        let queued = events.count("syn_queued");
        let ended = sum(events, ENDED);
        if (before.half_open + queued).abs_diff(ended + after.half_open) > self.slack() {
            let _ = writeln!(
                wrong,
                "{who}: {} half-open before, {queued} queued, {ended} ended, {} are half-open",
                before.half_open, after.half_open
            );
        }
    }
}

/// What the listeners of an address hold together.
fn held(list: &[(SocketAddr, Known)], address: SocketAddr) -> Known {
    let found = list.iter().filter(|(listener, _)| *listener == address).map(|(_, known)| known);
    found.fold(Known::default(), |sum, known| Known {
        waiting: sum.waiting + known.waiting,
        // Each was told the same: half-open requests are found by their port.
        half_open: sum.half_open.max(known.half_open),
    })
}
