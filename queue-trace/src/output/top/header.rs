//! The two lines at the top: what is shown of what, and the sums over all listeners.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::numbers;
use super::state::State;
use super::theme::{Level, Theme};
use crate::model::Moment;
use crate::output::units::Time;

/// Draws both lines.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, state: &State, theme: Theme) {
    let lines = [title(state, theme), sums(state, theme)];
    for (line, y) in lines.into_iter().zip(area.top()..area.bottom()) {
        buffer.set_line(area.x, y, &line, area.width);
    }
    if area.height > 0 {
        let flag = flag(state, theme);
        let width = (flag.width() as u16).min(area.width);
        buffer.set_line(area.right() - width, area.y, &flag, width);
    }
}

fn title(state: &State, theme: Theme) -> Line<'static> {
    let time = state.frame().map(|frame| state.wall(frame.time_ns));
    let time = time.map_or_else(String::new, |time| time.strftime("%H:%M:%SZ").to_string());
    let tier = if state.snapshot.tier.is_empty() { "–" } else { state.snapshot.tier };
    let place =
        state.origin.recorded.as_ref().map_or_else(String::new, |host| format!(" on {host}"));
    Line::from(vec![
        Span::styled("queue-trace top", theme.heading()),
        Span::raw(format!("  {time}  ")),
        Span::styled(format!("{tier}{place}"), theme.dim()),
    ])
}

/// Whether what is shown is what happens now.
fn flag(state: &State, theme: Theme) -> Line<'static> {
    let mut spans = Vec::new();
    if let Some(pace) = state.pace {
        let playing = match pace {
            _ if pace.ended => " END ".to_owned(),
            _ if pace.paused => " PAUSED ".to_owned(),
            _ => format!(" ▶ ×{} ", pace.speed),
        };
        spans.push(Span::styled(playing, theme.heading()));
    }
    let age = state.age_ns();
    if state.at.is_some() {
        let text = match age {
            0 => " PAUSED ".to_owned(),
            age => format!(" {} AGO ", Time(age)),
        };
        spans.push(Span::styled(text, theme.level(Level::Warning).patch(reversed())));
    }
    Line::from(spans)
}

fn reversed() -> Style {
    Style::new().add_modifier(ratatui::style::Modifier::REVERSED)
}

fn sums(state: &State, theme: Theme) -> Line<'static> {
    let Some(frame) = state.frame() else { return Line::raw("nothing was read yet") };
    let rate = |of: fn(&Moment) -> u32| {
        let sum = frame.moments().iter().fold(0_u32, |sum, moment| sum.saturating_add(of(moment)));
        (numbers::rate(frame.rate(sum)), sum > 0)
    };
    if !state.counts() {
        return polled(state, &rate(|moment| moment.drops).0, theme);
    }
    let mut spans = Vec::new();
    for (name, (shown, _)) in [
        ("SYNs", rate(|moment| moment.syns)),
        ("established", rate(|moment| moment.established)),
        ("accepted", rate(|moment| moment.accepts)),
    ] {
        spans.push(Span::styled(format!("{name} "), theme.dim()));
        spans.push(Span::raw(format!("{shown}/s  ")));
    }
    let (shown, some) = rate(Moment::refused);
    let style = if some { theme.level(Level::Bad) } else { Style::new() };
    spans.push(Span::styled("refused ", theme.dim()));
    spans.push(Span::styled(format!("{shown}/s"), style));
    Line::from(spans)
}

/// What is known without counting ourselves.
fn polled(state: &State, drops: &str, theme: Theme) -> Line<'static> {
    let all = state.snapshot.counters.iter().flat_map(|namespace| &namespace.counters);
    let sum = |name: &str| {
        let of = all.clone().filter(|(counter, _)| *counter == name);
        of.map(|(_, count)| *count).sum::<u64>()
    };
    let style = |count: u64| if count > 0 { theme.level(Level::Bad) } else { Style::new() };
    let (overflows, listen_drops) = (sum("ListenOverflows"), sum("ListenDrops"));
    Line::from(vec![
        Span::styled("sk_drops ", theme.dim()),
        Span::raw(format!("{drops}/s  ")),
        Span::styled("since the start: ListenOverflows ", theme.dim()),
        Span::styled(overflows.to_string(), style(overflows)),
        Span::styled("  ListenDrops ", theme.dim()),
        Span::styled(listen_drops.to_string(), style(listen_drops)),
    ])
}
