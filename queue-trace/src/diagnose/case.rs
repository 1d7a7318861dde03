//! One listener over one interval, as the rules look at it.

use queue_trace_common::{Event, Outcome};

use super::{Surroundings, Verdict};
use crate::model::{Listener, Paid, Totals};
use crate::procfs::Sysctls;

/// A listener, what happened at it, and what is known around it.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    /// Who.
    pub listener: &'a Listener,
    /// What happened in the interval.
    pub totals: &'a Totals,
    /// The other listeners on its address, closed ones too.
    pub siblings: Vec<(&'a Listener, &'a Totals)>,
    /// How long the interval was, nanoseconds.
    pub watched_ns: u64,
    /// When it ended, on the monotonic clock.
    pub now_ns: u64,
    /// The settings of the listener's namespace now; all absent where they could not be read.
    pub sysctls: Sysctls,
    /// What refused clients paid; nothing where no records were seen.
    pub paid: Option<Paid>,
    /// From how many addresses SYNs were refused or answered with cookies; nothing where no records were
    /// seen.
    pub addresses: Option<u64>,
    /// The processes that hold the listener, as far as they could be looked at.
    pub acceptors: Vec<&'a Surroundings>,
    /// A process within the listener's namespace, if that is not ours: settings have to be changed there.
    pub elsewhere: Option<u32>,
}

impl Case<'_> {
    pub(super) fn of(&self, outcome: Outcome) -> u64 {
        self.totals.of(outcome)
    }

    /// SYNs that a full accept queue refused.
    pub(super) fn refused_syns(&self) -> u64 {
        self.of(Outcome::SynAcceptQueueFull)
    }

    /// Final ACKs that a full accept queue refused.
    pub(super) fn refused_acks(&self) -> u64 {
        self.overflows() - self.refused_syns()
    }

    /// Whatever a full accept queue refused.
    pub(super) fn overflows(&self) -> u64 {
        overflows(self.totals)
    }

    /// Connections that entered the accept queue.
    pub(super) fn entered(&self) -> u64 {
        self.of(Outcome::Established)
            + self.of(Outcome::CookieEstablished)
            + self.of(Outcome::SynFastopen)
    }

    /// Connections that were accepted.
    pub(super) fn accepts(&self) -> u64 {
        self.totals.of_event(Event::Accept)
    }

    /// Whether the accept queue is full now.
    pub(super) fn is_full(&self) -> bool {
        !self.listener.closed && self.totals.waiting > u64::from(self.listener.limit)
    }

    /// For how long the first connection in the accept queue has waited, nanoseconds.
    pub(super) fn oldest_ns(&self) -> Option<u64> {
        self.totals.oldest_ns.map(|since| self.now_ns.saturating_sub(since))
    }

    /// For which share of the interval the accept queue was full.
    pub(super) fn full_share(&self) -> f64 {
        share(self.totals.accept_full_ns, self.watched_ns)
    }

    /// SYNs that were answered: queued, or sent a cookie.
    pub(super) fn answered_syns(&self) -> u64 {
        self.of(Outcome::SynQueued) + self.of(Outcome::SynCookie)
    }

    /// SYNs that found the SYN queue full and were refused, for cookies are off.
    pub(super) fn syn_queue_refusals(&self) -> u64 {
        self.of(Outcome::SynQueueFull) + self.of(Outcome::SynLastQuarter)
    }

    /// Adds what tells a flood of SYNs from a rush of clients.
    pub(super) fn tell_syns(&self, verdict: Verdict) -> Verdict {
        let verdict = verdict
            .share("completion", self.completion())
            .count("syn_queue_peak", self.totals.syn_peak)
            .count("limit", self.listener.limit);
        let addresses = self.addresses.into_iter();
        addresses.fold(verdict, |verdict, addresses| verdict.count("addresses", addresses))
    }

    /// The share of answered SYNs whose client finished the handshake, be it that it was then refused. A
    /// refused final ACK comes again and again, so this may be too much, but never above 1.
    pub(super) fn completion(&self) -> f64 {
        let acked = self.entered()
            + self.refused_acks()
            + self.of(Outcome::AckDeferred)
            + self.of(Outcome::CookieFailed)
            + self.of(Outcome::CookieChildFailed);
        share(acked, self.answered_syns()).min(1.0)
    }

    /// A backlog with which nothing would have been refused, were each refusal a connection of its own: the
    /// next power of two above the limit and all of them. `what-if` finds the smallest one.
    pub(super) fn enough_backlog(&self) -> u64 {
        (u64::from(self.listener.limit) + self.overflows()).next_power_of_two()
    }

    /// The steps to a larger backlog.
    pub(super) fn larger_backlog(&self, backlog: u64) -> Vec<String> {
        let mut steps = Vec::new();
        if self.sysctls.somaxconn.is_some_and(|now| now < backlog.cast_signed()) {
            steps.push(self.sysctl("net.core.somaxconn", backlog));
        }
        steps.push(format!(
            "give listen() a backlog of {backlog} in the program's configuration, and restart it"
        ));
        steps
    }

    /// The command that changes a setting where the listener is.
    pub(super) fn sysctl(&self, name: &str, value: u64) -> String {
        match self.elsewhere {
            Some(pid) => format!("nsenter --net=/proc/{pid}/ns/net sysctl -w {name}={value}"),
            None => format!("sysctl -w {name}={value}"),
        }
    }
}

/// Whatever a full accept queue refused.
pub(super) fn overflows(totals: &Totals) -> u64 {
    totals.of(Outcome::SynAcceptQueueFull)
        + totals.of(Outcome::AckAcceptQueueFull)
        + totals.of(Outcome::AckAcceptQueueFullReset)
        + totals.of(Outcome::CookieAcceptQueueFull)
}

/// A part of a whole; of nothing, none.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// A number and its noun.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
