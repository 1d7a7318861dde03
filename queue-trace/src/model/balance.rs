//! The books: our sums over listeners beside the kernel's own counters of a namespace.

use queue_trace_common::{Outcome, Tally};

use super::Totals;

/// One of the kernel's counters and the outcomes that raise it (kernel.md section 5.14).
struct Identity {
    counter: &'static str,
    outcomes: &'static [Outcome],
    tallies: &'static [Tally],
}

impl Identity {
    /// What should be the counter.
    fn of(&self, sum: &Totals) -> u64 {
        self.outcomes.iter().map(|outcome| sum.of(*outcome)).sum::<u64>()
            + self.tallies.iter().map(|tally| sum.tally(*tally)).sum::<u64>()
    }
}

const IDENTITIES: &[Identity] = &[
    Identity {
        counter: "ListenOverflows",
        outcomes: &[
            Outcome::SynAcceptQueueFull,
            Outcome::AckAcceptQueueFull,
            Outcome::AckAcceptQueueFullReset,
            Outcome::CookieAcceptQueueFull,
        ],
        tallies: &[Tally::FastopenFallbackOverflow],
    },
    Identity {
        counter: "ListenDrops",
        outcomes: &[
            Outcome::SynAcceptQueueFull,
            Outcome::SynQueueFull,
            Outcome::SynLastQuarter,
            Outcome::SynNoMemory,
            Outcome::SynNoRoute,
            Outcome::SynClosing,
            Outcome::SynNotUnicast,
            Outcome::AckAcceptQueueFull,
            Outcome::AckAcceptQueueFullReset,
            Outcome::AckChildFailed,
            Outcome::AckChildFailedReset,
            Outcome::CookieChildFailed,
            Outcome::CookieAcceptQueueFull,
            Outcome::ExpiredIcmp,
        ],
        tallies: &[Tally::FastopenFallback],
    },
    Identity { counter: "TCPReqQFullDrop", outcomes: &[Outcome::SynQueueFull], tallies: &[] },
    Identity { counter: "TCPReqQFullDoCookies", outcomes: &[], tallies: &[Tally::CookieChosen] },
    Identity { counter: "SyncookiesSent", outcomes: &[Outcome::SynCookie], tallies: &[] },
    Identity {
        counter: "SyncookiesRecv",
        outcomes: &[
            Outcome::CookieEstablished,
            Outcome::CookieAcceptQueueFull,
            Outcome::CookieFailed,
            Outcome::CookieChildFailed,
        ],
        tallies: &[],
    },
    Identity { counter: "SyncookiesFailed", outcomes: &[Outcome::CookieInvalid], tallies: &[] },
    Identity { counter: "TCPDeferAcceptDrop", outcomes: &[Outcome::AckDeferred], tallies: &[] },
    Identity {
        counter: "EmbryonicRsts",
        outcomes: &[
            Outcome::ExpiredReset,
            Outcome::AckAcceptQueueFullReset,
            Outcome::AckChildFailedReset,
        ],
        tallies: &[],
    },
    Identity {
        counter: "TCPFastOpenCookieReqd",
        outcomes: &[],
        tallies: &[Tally::FastopenCookieRequested],
    },
    Identity {
        counter: "TCPFastOpenListenOverflow",
        outcomes: &[],
        tallies: &[Tally::FastopenQueueFull],
    },
    Identity {
        counter: "TCPMigrateReqSuccess",
        outcomes: &[Outcome::MigratedRequest, Outcome::MigratedConnection],
        tallies: &[],
    },
    Identity {
        counter: "TCPMigrateReqFailure",
        outcomes: &[Outcome::MigrationFailed],
        tallies: &[],
    },
];

/// One line of the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The kernel's name of the counter, as in `/proc/net/netstat`.
    pub counter: &'static str,
    /// By how much the kernel raised it.
    pub kernel: u64,
    /// How much of that we can name a listener for.
    pub ours: u64,
}

impl Line {
    /// Kernel less ours.
    #[must_use]
    pub fn difference(&self) -> i128 {
        i128::from(self.kernel) - i128::from(self.ours)
    }
}

/// The books of one network namespace since we began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// Inode of the namespace.
    pub netns: u32,
    /// One line for each counter that the kernel has; none if the namespace is gone.
    pub lines: Vec<Line>,
}

impl Balance {
    /// Sets our sum over all listeners of a namespace beside the kernel's counters, which `kernel`
    /// gives by name.
    #[must_use]
    pub fn new(netns: u32, sum: &Totals, kernel: impl Fn(&str) -> Option<u64>) -> Self {
        let line = |identity: &Identity| {
            Some(Line {
                counter: identity.counter,
                kernel: kernel(identity.counter)?,
                ours: identity.of(sum),
            })
        };
        Self { netns, lines: IDENTITIES.iter().filter_map(line).collect() }
    }

    /// The kernel's name of a counter that is in the books.
    #[must_use]
    pub fn counter(name: &str) -> Option<&'static str> {
        IDENTITIES.iter().map(|identity| identity.counter).find(|counter| *counter == name)
    }

    /// A namespace that vanished, and its counters with it.
    #[must_use]
    pub fn gone(netns: u32) -> Self {
        Self { netns, lines: Vec::new() }
    }

    /// Leaves lines out that cannot agree because a hook is missing.
    pub fn leave_out(&mut self, counters: &[&str]) {
        self.lines.retain(|line| !counters.contains(&line.counter));
    }

    /// The sum of a moment after the kernel's counters were read: what was counted while they were is no difference.
    pub fn settle(&mut self, later: &Totals) {
        for line in &mut self.lines {
            let identity = IDENTITIES.iter().find(|identity| identity.counter == line.counter);
            let later = identity.map_or(line.ours, |identity| identity.of(later));
            if (line.ours..=later).contains(&line.kernel) {
                line.ours = line.kernel;
            }
        }
    }

    /// Whether every line agrees.
    #[must_use]
    pub fn even(&self) -> bool {
        self.lines.iter().all(|line| line.difference() == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_syn_is_an_overflow_and_a_drop() {
        let mut sum = Totals::default();
        sum.outcomes[Outcome::SynAcceptQueueFull as usize] = 3;
        sum.outcomes[Outcome::SynQueueFull as usize] = 2;
        let kernel = |name: &str| match name {
            "ListenOverflows" => Some(3),
            "ListenDrops" => Some(6),
            "TCPReqQFullDrop" => Some(2),
            _ => None,
        };
        let balance = Balance::new(1, &sum, kernel);
        let differences: Vec<_> =
            balance.lines.iter().map(|line| (line.counter, line.difference())).collect();
        assert_eq!(
            differences,
            [("ListenOverflows", 0), ("ListenDrops", 1), ("TCPReqQFullDrop", 0)]
        );
        assert!(!balance.even());
    }

    #[test]
    fn what_was_counted_meanwhile_is_no_difference() {
        let sum = |refused| {
            let mut sum = Totals::default();
            sum.outcomes[Outcome::SynAcceptQueueFull as usize] = refused;
            sum
        };
        let even = |kernel: u64, later: u64| {
            let mut balance = Balance::new(1, &sum(5), |_| Some(kernel));
            balance.lines.retain(|line| line.counter == "ListenOverflows");
            balance.settle(&sum(later));
            balance.even()
        };
        let [at_once, between, at_last] = [5, 6, 8].map(|kernel| even(kernel, 8));
        assert!(at_once && between && at_last);
        assert!(![(4, 8), (9, 8), (6, 5)].into_iter().any(|(kernel, later)| even(kernel, later)));
    }
}
