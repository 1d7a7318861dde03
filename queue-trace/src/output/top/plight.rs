//! How a listener fares, in a word.

use super::bar::Queue;
use super::theme::Level;

/// How a listener fares; the worst last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Plight {
    /// It has closed.
    #[default]
    Closed,
    /// Nothing happens.
    Idle,
    /// It has work, and does it.
    Fine,
    /// Its accept queue was three quarters full within the last minute.
    Filling,
    /// It refused someone within the last minute.
    Refused,
    /// Its accept queue is full.
    Full,
    /// It refused someone within the last seconds.
    Refusing,
}

impl Plight {
    /// The plight of an open listener with this accept queue; how many it refused within the last seconds and
    /// within the last minute; whether anything happened in that.
    pub(super) fn of(accept: Queue, refused: (u64, u64), happened: bool) -> Self {
        match refused {
            (1.., _) => Self::Refusing,
            _ if u64::from(accept.depth) >= accept.room() => Self::Full,
            (_, 1..) => Self::Refused,
            _ if u64::from(accept.peak) * 4 >= accept.room() * 3 && accept.limit > 0 => {
                Self::Filling
            }
            _ if happened => Self::Fine,
            _ => Self::Idle,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Idle => "idle",
            Self::Fine => "fine",
            Self::Filling => "filling",
            Self::Refused => "refused lately",
            Self::Full => "full",
            Self::Refusing => "refusing",
        }
    }

    pub(super) fn level(self) -> Level {
        match self {
            Self::Closed | Self::Idle => Level::Quiet,
            Self::Fine => Level::Good,
            Self::Filling | Self::Refused => Level::Warning,
            Self::Full | Self::Refusing => Level::Bad,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hurts_most_is_told() {
        let of = |depth, peak, refused| {
            Plight::of(Queue { depth, peak, limit: 7 }, refused, depth + peak > 0)
        };
        assert_eq!(of(0, 0, (0, 0)), Plight::Idle);
        assert_eq!(of(0, 5, (0, 0)), Plight::Fine);
        assert_eq!(of(0, 6, (0, 0)), Plight::Filling);
        assert_eq!(of(0, 8, (0, 1)), Plight::Refused);
        assert_eq!(of(8, 8, (0, 1)), Plight::Full);
        assert_eq!(of(0, 8, (1, 1)), Plight::Refusing);
    }
}
