//! The columns of the list: which ones fit, and how wide they are.

use super::rows::Row;

/// A column, in the order in which they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Listener,
    Accept,
    Syn,
    Syns,
    Established,
    Accepts,
    Refusals,
    Median,
    Slowest,
    Oldest,
    Verdict,
    Owner,
}

impl Column {
    pub(super) const ALL: [Self; 12] = [
        Self::Listener,
        Self::Accept,
        Self::Syn,
        Self::Syns,
        Self::Established,
        Self::Accepts,
        Self::Refusals,
        Self::Median,
        Self::Slowest,
        Self::Oldest,
        Self::Verdict,
        Self::Owner,
    ];

    /// The same, those first that are shown in any case.
    const BY_IMPORTANCE: [Self; 12] = [
        Self::Listener,
        Self::Accept,
        Self::Verdict,
        Self::Refusals,
        Self::Syn,
        Self::Oldest,
        Self::Slowest,
        Self::Accepts,
        Self::Owner,
        Self::Established,
        Self::Syns,
        Self::Median,
    ];

    /// What stands above it; `counts` if our own programs count.
    pub(super) const fn title(self, counts: bool) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Accept => "accept queue",
            Self::Syn => "SYN queue",
            Self::Syns => "SYNs/s",
            Self::Established => "est./s",
            Self::Accepts => "acc./s",
            Self::Refusals if counts => "ref./s",
            Self::Refusals => "drops/s",
            Self::Median => "wait p50",
            Self::Slowest => "p99",
            Self::Oldest => "oldest",
            Self::Verdict => "verdict",
            Self::Owner => "owner",
        }
    }

    /// Whether it is numbers, which stand right.
    pub(super) const fn right(self) -> bool {
        matches!(
            self,
            Self::Syns
                | Self::Established
                | Self::Accepts
                | Self::Refusals
                | Self::Median
                | Self::Slowest
                | Self::Oldest
        )
    }

    /// Whether it is known without counting ourselves.
    const fn polled(self) -> bool {
        use Column::{Accepts, Established, Median, Oldest, Slowest, Syns};
        !matches!(self, Syns | Established | Accepts | Median | Slowest | Oldest)
    }

    /// The least width that makes sense.
    const fn least(self) -> u16 {
        match self {
            Self::Listener => 18,
            Self::Accept => 14,
            Self::Syn => 12,
            Self::Syns | Self::Established | Self::Accepts => 6,
            Self::Refusals => 7,
            Self::Median => 8,
            Self::Slowest => 7,
            Self::Oldest => 6,
            Self::Verdict => 16,
            Self::Owner => 14,
        }
    }
}

/// A column with its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) column: Column,
    pub(super) x: u16,
    pub(super) width: u16,
}

/// The columns that fit into a width, without those of which nothing is known. What is left over is given to names that are longer and to bars.
pub(super) fn place(width: u16, rows: &[Row<'_>], counts: bool) -> Vec<Placed> {
    let mut left = width;
    let mut shown = Vec::new();
    for column in Column::BY_IMPORTANCE.into_iter().filter(|one| counts || one.polled()) {
        let needed = column.least() + u16::from(!shown.is_empty());
        if needed > left && !shown.is_empty() {
            break;
        }
        left = left.saturating_sub(needed);
        shown.push(column);
    }
    let longest = |of: &dyn Fn(&Row<'_>) -> usize| rows.iter().map(of).max().unwrap_or(0) as u16;
    let mut widths = Column::ALL.map(Column::least);
    let mut grow = |column: Column, to: u16| {
        let width = &mut widths[column as usize];
        let more = to.saturating_sub(*width).min(left);
        if shown.contains(&column) {
            *width += more;
            left -= more;
        }
    };
    grow(Column::Listener, longest(&|row| row.listener.name().chars().count()));
    grow(Column::Verdict, longest(&|row| row.word().chars().count()));
    grow(Column::Accept, 26);
    grow(Column::Owner, longest(&|row| row.owner().chars().count()));
    grow(Column::Syn, 26);
    grow(Column::Accept, 40);
    let mut x = 0;
    let placed = Column::ALL.into_iter().filter(|column| shown.contains(column)).map(|column| {
        let placed = Placed { column, x, width: widths[column as usize] };
        x += placed.width + 1;
        placed
    });
    placed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_has_what_matters_most() {
        let shown =
            |width| -> Vec<_> { place(width, &[], true).iter().map(|p| p.column).collect() };
        use Column::{Accept, Listener, Oldest, Refusals, Syn, Verdict};
        assert_eq!(shown(59), [Listener, Accept, Refusals, Verdict]);
        assert_eq!(shown(79), [Listener, Accept, Syn, Refusals, Oldest, Verdict]);
        assert_eq!(shown(199), Column::ALL);
        assert_eq!(shown(3), [Listener], "cut off, but there");
    }

    #[test]
    fn nothing_is_wider_than_the_terminal() {
        for width in 20..250 {
            let placed = place(width, &[], true);
            let end = placed.last().map_or(0, |last| last.x + last.width);
            assert!(end <= width, "{width}: {placed:?}");
            assert!(placed.windows(2).all(|pair| pair[0].x + pair[0].width + 1 == pair[1].x));
        }
    }
}
