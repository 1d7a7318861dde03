//! Waits in the accept queue as a heat map over time.

use queue_trace_common::{BUCKETS, Histogram, below_ns};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::cards::Card;
use super::graphs::{history, span};
use crate::output::top::numbers;
use crate::output::top::rows::Row;
use crate::output::top::state::State;
use crate::output::top::theme::Theme;

/// So many buckets of the histogram are one line.
const TOGETHER: usize = 4;
/// Lines of the map.
const LINES: usize = BUCKETS / TOGETHER;
/// Labels take so many columns.
const LABELS: u16 = 9;
/// Without colours, too, more is darker.
const SHADES: [&str; 5] = [" ", "░", "▒", "▓", "█"];

/// The card.
pub(super) fn card<'a>(state: &State, row: &Row<'_>, theme: Theme) -> Card<'a> {
    let title = Line::styled(" waits of accepted connections ", theme.heading());
    if !state.counts() {
        return Card::of_lines(
            title,
            vec![Line::styled("not known in the poll tier", theme.dim())],
        );
    }
    let span = span(state) as f64;
    let times: Vec<_> = history(state)
        .filter_map(|(x, frame)| {
            let mut waits = Histogram::default();
            frame.of(row.listener.id)?.add_waits(&mut waits);
            Some(((x + span) / span, waits))
        })
        .collect();
    let draw = move |buffer: &mut Buffer, area: Rect| {
        draw_labels(buffer, area, theme);
        let map = Rect { x: area.x + LABELS, width: area.width.saturating_sub(LABELS), ..area };
        let columns = gather(&times, map.width);
        let most = columns.iter().flatten().copied().max().unwrap_or(0);
        for (column, x) in columns.iter().zip(map.x..) {
            for (count, y) in column.iter().rev().zip(map.top()..map.bottom()) {
                let heat = heat(*count, most);
                if let Some(cell) = buffer.cell_mut((x, y)).filter(|_| *count > 0) {
                    let shade = SHADES[1 + (heat * 3.99) as usize];
                    cell.set_symbol(shade).set_style(theme.heat(heat));
                }
            }
        }
    };
    Card { title, height: LINES as u16, draw: Box::new(draw) }
}

/// The longest waits stand on top.
fn draw_labels(buffer: &mut Buffer, area: Rect, theme: Theme) {
    for (line, y) in (0..LINES).rev().zip(area.top()..area.bottom()) {
        let label = match below_ns(line * TOGETHER + TOGETHER - 1) {
            Some(end) => format!("<{}", numbers::time(end)),
            None => "longer".to_owned(),
        };
        buffer.set_string(area.x, y, format!("{label:>8}"), theme.dim());
    }
}

/// The counts of each column: of each line, the shortest waits first. Times are from 0 to 1.
fn gather(times: &[(f64, Histogram)], width: u16) -> Vec<[u64; LINES]> {
    let mut columns = vec![[0; LINES]; width.into()];
    for (time, waits) in times {
        let column = (time * f64::from(width)).ceil() as usize;
        if let Some(column) = columns.get_mut(column.saturating_sub(1)) {
            for (sum, buckets) in column.iter_mut().zip(waits.buckets.chunks(TOGETHER)) {
                *sum += buckets.iter().sum::<u64>();
            }
        }
    }
    columns
}

/// From 0 to 1: twice as many are the same step, however many there are.
fn heat(count: u64, most: u64) -> f64 {
    let bits = |count: u64| (count as f64 + 1.0).log2();
    if most <= 1 { 1.0 } else { (bits(count) / bits(most)).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_column_is_now_and_the_first_line_the_shortest_waits() {
        let mut waits = Histogram::default();
        (waits.buckets[3], waits.buckets[4], waits.buckets[31]) = (1, 5, 7);
        let columns = gather(&[(1.0, waits), (0.01, waits), (0.98, waits)], 10);
        assert_eq!((columns[9][0], columns[9][1], columns[9][7]), (2, 10, 14));
        assert_eq!((columns[0][1], columns[5]), (5, [0; LINES]));
    }

    #[test]
    fn heat_goes_by_powers_of_two() {
        assert_eq!((heat(1, 1), heat(0, 7), heat(7, 7)), (1.0, 0.0, 1.0));
        assert!((heat(1, 3) - 0.5).abs() < 1e-9);
    }
}
