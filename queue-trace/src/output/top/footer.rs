//! The last line: the filter while it is typed, else what cannot be seen and which keys there are.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::state::State;
use super::theme::Theme;

const LIST: &[(&str, &str)] = &[
    ("?", "help"),
    ("q", "quit"),
    ("Enter", "open"),
    ("/", "filter"),
    ("s", "sort"),
    ("Space", "pause"),
    ("← →", "history"),
];

const DETAIL: &[(&str, &str)] = &[
    ("?", "help"),
    ("q", "quit"),
    ("Esc", "back"),
    ("↑ ↓", "scroll"),
    ("+ -", "zoom"),
    ("Space", "pause"),
    ("← →", "history"),
];

const RECORDING: &[(&str, &str)] = &[("< >", "slower, faster"), (".", "step")];

/// Draws the line.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, state: &State, theme: Theme) {
    let line = match state.editing {
        true => Line::from(vec![
            Span::styled("filter: ", theme.heading()),
            Span::raw(state.filter.clone()),
            Span::raw("▏"),
            Span::styled(
                "  words of address, owner or verdict; Enter keeps, Esc clears",
                theme.dim(),
            ),
        ]),
        false => keys(state, theme),
    };
    if area.height > 0 {
        buffer.set_line(area.x, area.y, &line, area.width);
    }
}

fn keys(state: &State, theme: Theme) -> Line<'static> {
    let keys = if state.opened { DETAIL } else { LIST };
    let more = if state.pace.is_some() { RECORDING } else { &[] };
    let mut spans = Vec::new();
    if !state.filter.is_empty() && !state.opened {
        spans.push(Span::styled(format!("filter: {}  ", state.filter), theme.heading()));
    }
    for (key, does) in keys.iter().chain(more) {
        spans.push(Span::styled(*key, theme.heading()));
        spans.push(Span::styled(format!(" {does}  "), theme.dim()));
    }
    Line::from(spans)
}
