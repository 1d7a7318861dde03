//! Lists: refusals by reason, workers and members of the group, clients that were refused lately.

use queue_trace_common::{Event, Outcome};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::cards::Card;
use super::graphs::history;
use crate::model::groups;
use crate::output::text::printable;
use crate::output::top::numbers;
use crate::output::top::refused::Client;
use crate::output::top::rows::Row;
use crate::output::top::state::State;
use crate::output::top::theme::{Level, Theme};
use crate::output::top::words::shortened;

/// More than this of a kind are only counted.
const SHOWN: usize = 8;

/// All of them.
pub(super) fn cards<'a>(state: &State, row: &Row<'_>, width: u16, theme: Theme) -> Vec<Card<'a>> {
    let width = usize::from(width.saturating_sub(2));
    let mut cards = vec![refusals(state, row, theme)];
    cards.push(workers(state, row, width, theme));
    cards.extend(members(state, row, theme));
    cards.push(clients(state, row, width, theme));
    cards
}

fn none<'a>(text: &'static str, theme: Theme) -> Vec<Line<'a>> {
    vec![Line::styled(text, theme.dim())]
}

/// Refusals by reason: in the time that the graphs show, and all.
fn refusals<'a>(state: &State, row: &Row<'_>, theme: Theme) -> Card<'a> {
    let title = Line::styled(" refusals, shown and since the start ", theme.heading());
    if !state.counts() {
        let drops =
            row.totals.drops.map_or_else(|| "not known".to_owned(), |drops| drops.to_string());
        let lines = vec![
            Line::raw(format!("sk_drops {drops}: packets discarded for whatever reason")),
            Line::styled("reasons are not known in the poll tier", theme.dim()),
        ];
        return Card::of_lines(title, lines);
    }
    let within = |outcome: Outcome| {
        let moments = history(state).filter_map(|(_, frame)| frame.of(row.listener.id));
        let refusals = moments.flat_map(|moment| &moment.refusals);
        refusals.filter(|(of, _)| *of == outcome).map(|(_, count)| u64::from(*count)).sum::<u64>()
    };
    let line = |event: Event, outcome: Outcome, all: u64| {
        let now = within(outcome);
        let style = if now > 0 { theme.level(Level::Bad) } else { Style::new() };
        Line::from(vec![
            Span::styled(format!("{now:>9}"), style),
            Span::raw(format!("{all:>10}  ")),
            Span::raw(outcome.reason().unwrap_or_default()),
            Span::styled(format!("  {}", event.name()), theme.dim()),
        ])
    };
    let events = [Event::SynRefused, Event::AckRefused].into_iter();
    let mut lines: Vec<_> = events
        .flat_map(|event| {
            row.totals.by_reason(event).map(move |(outcome, all)| line(event, outcome, all))
        })
        .collect();
    if lines.is_empty() {
        lines = none("none", theme);
    } else {
        let paid = state.observed.paid(row.listener.id, row.totals, &state.snapshot);
        lines.push(Line::styled(
            format!(
                "clients: {} got in late, {} never, {} still trying",
                paid.late(),
                paid.never(),
                paid.trying
            ),
            theme.dim(),
        ));
    }
    Card::of_lines(title, lines)
}

/// Who accepts.
fn workers<'a>(state: &State, row: &Row<'_>, width: usize, theme: Theme) -> Card<'a> {
    let title = Line::styled(" who accepted ", theme.heading());
    let own = state.snapshot.workers.iter().filter(|worker| worker.listener == row.listener.id);
    let own: Vec<_> = own.collect();
    let most = own.iter().map(|worker| worker.accepts).max().unwrap_or(0).max(1);
    let bar = width.saturating_sub(38);
    let mut lines: Vec<_> = own
        .iter()
        .take(SHOWN)
        .map(|worker| {
            let name = format!("{} ({})", printable(&worker.comm), worker.pid);
            let cells = (worker.accepts as f64 / most as f64 * bar as f64) as usize;
            Line::from(vec![
                Span::raw(format!("{:<26}{:>9}  ", shortened(&name, 26), worker.accepts)),
                Span::styled("█".repeat(cells), theme.level(Level::Good)),
            ])
        })
        .collect();
    match own.len() {
        0 if state.counts() => lines = none("nobody yet", theme),
        0 => lines = none("not known in the poll tier", theme),
        more if more > SHOWN => lines.push(Line::raw(format!("and {} more", more - SHOWN))),
        _ => {}
    }
    Card::of_lines(title, lines)
}

/// The listeners on the same address, if there are others.
fn members<'a>(state: &State, row: &Row<'_>, theme: Theme) -> Option<Card<'a>> {
    let all = groups(&state.snapshot.listeners);
    let of = |id: u32| {
        all.iter().find(|group| group.members.iter().any(|member| member.listener.id == id))
    };
    let group = of(row.listener.id)?;
    let share = |share: Option<f64>| {
        share.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share * 100.0))
    };
    let line = |member: &crate::model::Member<'_>| {
        let depth = format!("{}/{}", member.totals.waiting, member.listener.limit);
        let refused =
            member.totals.of_event(Event::SynRefused) + member.totals.of_event(Event::AckRefused);
        let mark = if member.listener.id == row.listener.id { "▸" } else { " " };
        let owner = member.listener.owners.first();
        let owner = owner.map_or_else(String::new, |owner| {
            format!("{} ({})", printable(&owner.comm), owner.pid)
        });
        Line::raw(format!("{mark}{depth:>10}{:>10}{refused:>9}  {owner}", share(member.accepted),))
    };
    let mut lines = vec![Line::styled("     queue  accepted  refused  owner", theme.dim())];
    lines.extend(group.members.iter().take(SHOWN).map(line));
    if group.members.len() > SHOWN {
        lines.push(Line::raw(format!("and {} more", group.members.len() - SHOWN)));
    }
    if group.refuses_beside_room {
        let text = "one refused while another one had room";
        lines.push(Line::styled(text, theme.level(Level::Bad)));
    }
    let title = format!(" SO_REUSEPORT group of {} ", group.members.len());
    Some(Card::of_lines(Line::styled(title, theme.heading()), lines))
}

/// The clients that were refused last.
fn clients<'a>(state: &State, row: &Row<'_>, width: usize, theme: Theme) -> Card<'a> {
    let title = Line::styled(" clients refused last ", theme.heading());
    let now_ns = state.frame().map_or(0, |frame| frame.time_ns);
    let line = |client: Client| {
        let time = state.wall(client.last_ns).strftime("%H:%M:%S").to_string();
        let fate = match client.entered_ns {
            Some(entered) => format!("got in after {}", numbers::time(entered - client.first_ns)),
            None => {
                format!("not in after {}", numbers::time(now_ns.saturating_sub(client.first_ns)))
            }
        };
        let reason = client.outcome.reason().unwrap_or_default();
        let address = client.address.to_string();
        let text = format!("{time} {address:<21} ×{:<2} {fate}, {reason}", client.times);
        let style = if client.entered_ns.is_some() { theme.dim() } else { Style::new() };
        Line::styled(shortened(&text, width), style)
    };
    let mut lines: Vec<_> =
        state.refused.of(row.listener.id, now_ns).take(SHOWN).map(line).collect();
    if lines.is_empty() {
        let text = if state.counts() { "none" } else { "not known in the poll tier" };
        lines = none(text, theme);
    }
    Card::of_lines(title, lines)
}
