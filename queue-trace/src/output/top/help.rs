//! The help.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Widget};

use super::state::State;
use super::theme::Theme;
use super::words::wrapped;

const KEYS: &[(&str, &str)] = &[
    ("↑ ↓ PgUp PgDn", "choose a listener; scroll"),
    ("Enter, Esc", "open it; back to the list"),
    ("s S r", "sort by next, previous column; reverse"),
    ("/ Esc", "filter by words; show all again"),
    ("Space", "pause, go on"),
    ("← → [ ]", "back, on in history; by ten"),
    ("n", "now"),
    ("+ -", "graphs over less, more time"),
    ("< > .", "recording: slower, faster, step"),
    ("mouse", "click a heading or a row; wheel"),
    ("q, Ctrl-C", "quit"),
];

const BARS: &str =
    "Bars: full is limit + 1; ┃ is the peak of the last minute. Waits are of the last 10 s.";

/// Draws it over what is there.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, state: &State, theme: Theme) {
    let width = area.width.min(66);
    let inner = usize::from(width.saturating_sub(4));
    let mut lines: Vec<_> = KEYS
        .iter()
        .map(|(keys, does)| {
            Line::from(vec![Span::styled(format!("{keys:<15}"), theme.heading()), Span::raw(*does)])
        })
        .collect();
    lines.extend(wrapped(BARS, inner).into_iter().map(Line::raw));
    for loss in &state.origin.losses {
        let text = format!("Not visible here: {loss}");
        lines.extend(wrapped(&text, inner).into_iter().map(|line| Line::styled(line, theme.dim())));
    }
    let height = (lines.len() as u16 + 2).min(area.height);
    let popup = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    Clear.render(popup, buffer);
    let block = Block::bordered()
        .title(" help: any key closes it ")
        .padding(ratatui::widgets::Padding::horizontal(1));
    Paragraph::new(lines).block(block).render(popup, buffer);
}
