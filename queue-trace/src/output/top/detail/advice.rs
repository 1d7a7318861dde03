//! Who the listener is, what binds its limit, how it fares and what to do.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::cards::Card;
use crate::diagnose::{Diagnosis, Severity, explain};
use crate::output::text::printable;
use crate::output::top::rows::Row;
use crate::output::top::state::State;
use crate::output::top::theme::Theme;
use crate::output::top::words::wrapped;
use crate::output::verdicts;

/// Names of lines take so many columns.
const NAMES: usize = 9;

/// The card at the top.
pub(super) fn card<'a>(state: &State, row: &Row<'_>, width: u16, theme: Theme) -> Card<'a> {
    let width = usize::from(width.saturating_sub(2));
    let mut lines = Vec::new();
    let mut say = |name: &str, text: &str, style: Style| {
        for (number, line) in wrapped(text, width.saturating_sub(NAMES)).into_iter().enumerate() {
            let name = if number == 0 { name } else { "" };
            let name = Span::styled(format!("{name:<NAMES$}"), theme.dim());
            lines.push(Line::from(vec![name, Span::styled(line, style)]));
        }
    };
    say("owner", &row.owner(), Style::new());
    say("netns", &printable(&state.snapshot.namespace(row.listener.netns)), Style::new());
    let settings = state.settings.get(&row.listener.netns).copied().unwrap_or_default();
    say("limit", &explain(row.listener, &settings), Style::new());
    // Of the past there is the word only.
    match state.verdicts.get(&row.listener.id).filter(|_| state.at.is_none()) {
        Some(Diagnosis { main, remarks, .. }) if main.severity > Severity::Fine => {
            say("verdict", &verdicts::line(main), theme.level(row.level()));
            say("evidence", &verdicts::evidence(main), Style::new());
            for (number, step) in main.change.iter().enumerate() {
                say(if number == 0 { "change" } else { "" }, step, theme.heading());
            }
            if !main.avoid.is_empty() {
                say("avoid", main.avoid, Style::new());
            }
            for remark in remarks {
                say("also", &verdicts::line(remark), Style::new());
            }
        }
        _ => say("verdict", &row.word(), theme.level(row.level())),
    }
    let title = Line::styled(format!(" {} ", row.listener.name()), theme.heading());
    Card::of_lines(title, lines)
}
