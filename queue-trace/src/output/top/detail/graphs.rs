//! Graphs over time: how deep the queues were, and what came against what was accepted.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, Widget};

use super::cards::Card;
use crate::model::{Frame, Moment};
use crate::output::top::numbers;
use crate::output::top::rows::Row;
use crate::output::top::state::{SPANS, State};
use crate::output::top::theme::{Level, Theme};

/// A graph has so many lines at least.
pub(super) const LEAST: u16 = 9;
/// A graph has so many lines at most.
pub(super) const MOST: u16 = 16;

/// A line of a graph: places from the left, seconds before now and so below zero, and values.
type Points = Vec<(f64, f64)>;

/// How deep both queues were, against the limit.
pub(super) fn depth<'a>(state: &State, row: &Row<'_>, height: u16, theme: Theme) -> Card<'a> {
    let id = row.listener.id;
    let accept = points(state, id, |_, moment| Some(f64::from(moment.accept_peak)));
    let syn = points(state, id, |_, moment| Some(f64::from(moment.syn_peak)));
    let room = row.accept.room() as f64;
    let refused = history(state).filter_map(|(x, frame)| {
        let moment = frame.of(id)?;
        (moment.refused() > 0).then_some((x, room))
    });
    let refused = refused.collect();
    let limit = vec![(-(span(state) as f64), room), (0.0, room)];
    let title = Line::from(vec![
        Span::styled(" depth  ", theme.heading()),
        Span::styled("⣀ accept queue  ", theme.line(0)),
        Span::styled("• SYN queue  ", theme.line(1)),
        Span::styled("─ full  ", theme.dim()),
        Span::styled("× refusals ", theme.line(2)),
    ]);
    let lines = vec![
        (limit, Kind::Limit, theme.dim()),
        (syn, Kind::Dots, theme.line(1)),
        (accept, Kind::Line, theme.line(0)),
        (refused, Kind::Marks, theme.line(2)),
    ];
    card(title, lines, (span(state), height), theme)
}

/// What came against what was accepted, a second.
pub(super) fn flow<'a>(state: &State, row: &Row<'_>, height: u16, theme: Theme) -> Card<'a> {
    if !state.counts() {
        let line = Line::styled("not counted in the poll tier", theme.dim());
        return Card::of_lines(Line::styled(" arrivals and accepts ", theme.heading()), vec![line]);
    }
    let id = row.listener.id;
    let arrivals = points(state, id, |frame, moment| frame.rate(moment.established));
    let accepts = points(state, id, |frame, moment| frame.rate(moment.accepts));
    let refusals = points(state, id, |frame, moment| frame.rate(moment.refused()));
    let title = Line::from(vec![
        Span::styled(" a second  ", theme.heading()),
        Span::styled("⣀ established  ", theme.line(0)),
        Span::styled("• accepted  ", theme.line(1)),
        Span::styled("× refused ", theme.line(2)),
    ]);
    let refusals = refusals.into_iter().filter(|(_, rate)| *rate > 0.0).collect();
    let lines = vec![
        (accepts, Kind::Dots, theme.line(1)),
        (arrivals, Kind::Line, theme.line(0)),
        (refusals, Kind::Marks, theme.line(2)),
    ];
    card(title, lines, (span(state), height), theme)
}

/// How a line is drawn; they differ without colours, too.
#[derive(Clone, Copy)]
enum Kind {
    Line,
    Dots,
    Limit,
    Marks,
}

/// Over how many seconds graphs go.
pub(super) fn span(state: &State) -> u64 {
    SPANS.get(state.span).copied().unwrap_or(60)
}

/// The frames that graphs show, each with its place from the left.
pub(super) fn history(state: &State) -> impl Iterator<Item = (f64, &Frame)> {
    let now_ns = state.frame().map_or(0, |frame| frame.time_ns);
    let frames = state
        .shown()
        .into_iter()
        .flat_map(|at| state.timeline.back(at, span(state) * 1_000_000_000));
    frames.map(move |frame| (-((now_ns - frame.time_ns) as f64 / 1e9), frame))
}

/// What a listener had in each frame; zero in those in which it was quiet.
fn points(state: &State, listener: u32, value: impl Fn(&Frame, &Moment) -> Option<f64>) -> Points {
    let value = |(x, frame): (f64, &Frame)| {
        Some((x, frame.of(listener).map_or(Some(0.0), |moment| value(frame, moment))?))
    };
    history(state).filter_map(value).collect()
}

fn card<'a>(
    title: Line<'a>,
    lines: Vec<(Points, Kind, Style)>,
    (span, height): (u64, u16),
    theme: Theme,
) -> Card<'a> {
    let draw = move |buffer: &mut Buffer, area: Rect| {
        let values = lines.iter().flat_map(|(points, ..)| points).map(|(_, value)| *value);
        let most = values.fold(1.0, f64::max);
        let sets = lines.iter().map(|(points, kind, style)| {
            let (marker, graph) = match kind {
                Kind::Line => (Marker::Braille, GraphType::Line),
                Kind::Dots => (Marker::Dot, GraphType::Scatter),
                Kind::Limit => (Marker::Custom('─'), GraphType::Line),
                Kind::Marks => (Marker::Custom('×'), GraphType::Scatter),
            };
            Dataset::default().marker(marker).graph_type(graph).style(*style).data(points)
        });
        let dim = theme.level(Level::Quiet);
        let label = |text: String| Span::styled(text, dim);
        let x = Axis::default()
            .style(dim)
            .bounds([-(span as f64), 0.0])
            .labels([label(format!("−{span} s")), label("0".to_owned())]);
        let y = Axis::default()
            .style(dim)
            .bounds([0.0, most])
            .labels([label("0".to_owned()), label(numbers::count(most))]);
        Chart::new(sets.collect()).x_axis(x).y_axis(y).legend_position(None).render(area, buffer);
    };
    Card { title, height, draw: Box::new(draw) }
}
