//! What a rule says.

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is wrong.
    Fine,
    /// Worth knowing; nobody is hurt by it now.
    Note,
    /// Clients are delayed, or will be.
    Warning,
    /// Clients are refused and it goes on.
    Critical,
}

impl Severity {
    /// The name in every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident $name:literal,)*) => {
        /// What is wrong. Of equally bad ones the first of this list is the main one: causes stand before
        /// what follows from them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(#[$doc])* $rule,)*
        }

        impl Rule {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$rule,)*];

            /// The name in every output.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$rule => $name,)* }
            }
        }
    };
}

rules! {
    /// The accept queue is full and nobody accepts at all.
    StoppedAcceptor "stopped_acceptor",
    /// One member of a `SO_REUSEPORT` group refuses while another has room.
    UnevenGroup "uneven_group",
    /// Connections come faster than they are accepted.
    SlowAcceptor "slow_acceptor",
    /// Most clients never answer the SYN-ACK.
    SynFlood "syn_flood",
    /// ACKs come that are no cookies of ours.
    AckFlood "ack_flood",
    /// `tcp_max_syn_backlog` bounds the SYN queue: cookies are off.
    SynBacklog "syn_backlog",
    /// More real clients at once than the SYN queue holds.
    SynRush "syn_rush",
    /// `somaxconn` was raised after `listen()`.
    ListenAgain "listen_again",
    /// `somaxconn` cuts the backlog that the program asks for.
    BacklogClamped "backlog_clamped",
    /// The accept queue overflowed for a moment, and drained.
    Burst "burst",
    /// Connections were lost when the listener closed for its successor.
    LostAtRestart "lost_at_restart",
    /// SYN-ACKs or their answers get lost, or clients vanish.
    LossyPath "lossy_path",
    /// Clients waited for a retransmission timer.
    SlowTimers "slow_timers",
    /// Fast Open is bound by its own queue.
    FastopenLimit "fastopen_limit",
    /// `TCP_DEFER_ACCEPT` holds ACKs back, which counters show as drops.
    Deferred "deferred",
    /// Nothing is wrong.
    Healthy "healthy",
}

/// A figure or a word that a verdict rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// What it is, in `snake_case`; times end in `_ns`.
    pub name: &'static str,
    /// How much.
    pub value: Value,
}

/// The value of an [`Evidence`].
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number.
    Count(u64),
    /// Nanoseconds.
    Time(u64),
    /// From 0 to 1.
    Share(f64),
    /// Anything else.
    Words(String),
}

/// What is wrong with one listener, and what to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Which rule says so.
    pub rule: Rule,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence, without its full stop.
    pub story: String,
    /// What that rests on.
    pub evidence: Vec<Evidence>,
    /// What to change, step by step: commands as they are to be typed, with their values, or one sentence.
    pub change: Vec<String>,
    /// What not to do, one sentence; empty if nothing comes to mind.
    pub avoid: &'static str,
}

impl Verdict {
    /// A verdict that gives no evidence and no advice yet.
    pub(super) fn new(rule: Rule, severity: Severity, story: impl Into<String>) -> Self {
        Self {
            rule,
            severity,
            story: story.into(),
            evidence: Vec::new(),
            change: Vec::new(),
            avoid: "",
        }
    }

    /// Adds a number.
    pub(super) fn count(mut self, name: &'static str, count: impl Into<u64>) -> Self {
        self.evidence.push(Evidence { name, value: Value::Count(count.into()) });
        self
    }

    /// Adds a time, nanoseconds.
    pub(super) fn time(mut self, name: &'static str, nanoseconds: u64) -> Self {
        self.evidence.push(Evidence { name, value: Value::Time(nanoseconds) });
        self
    }

    /// Adds a share.
    pub(super) fn share(mut self, name: &'static str, share: f64) -> Self {
        self.evidence.push(Evidence { name, value: Value::Share(share) });
        self
    }

    /// Adds words.
    pub(super) fn words(mut self, name: &'static str, words: impl Into<String>) -> Self {
        self.evidence.push(Evidence { name, value: Value::Words(words.into()) });
        self
    }

    /// What to change.
    pub(super) fn change(mut self, steps: impl IntoIterator<Item = String>) -> Self {
        self.change.extend(steps);
        self
    }

    /// What not to do.
    pub(super) const fn avoid(mut self, what: &'static str) -> Self {
        self.avoid = what;
        self
    }
}
