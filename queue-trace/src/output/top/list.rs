//! The list of listeners.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::columns::{Column, Placed, place};
use super::mouse::Hits;
use super::numbers;
use super::rows::Row;
use super::state::State;
use super::theme::Theme;
use super::words::shortened;
use crate::model::Moment;

/// The mark of the chosen row stands in front of it.
const MARK: u16 = 1;

/// Draws the list.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, state: &mut State, theme: Theme) {
    if area.height < 2 || area.width <= MARK {
        return;
    }
    let rows = state.rows();
    let page = usize::from(area.height - 1);
    let chosen = rows.iter().position(|row| Some(row.listener.id) == state.selected).unwrap_or(0);
    let scroll = state.scroll.min(rows.len().saturating_sub(page));
    let scroll = scroll.clamp((chosen + 1).saturating_sub(page), chosen);
    let columns = place(area.width - MARK, &rows, state.counts());
    let mut hits = Hits { page, length: rows.len(), ..Hits::default() };
    draw_headings(buffer, area, &columns, state, theme, &mut hits);
    for (row, y) in rows.iter().skip(scroll).zip(area.y + 1..area.bottom()) {
        let line = Rect { y, height: 1, ..area };
        draw_row(buffer, line, &columns, row, state.counts(), theme);
        if row.listener.id == rows[chosen].listener.id {
            buffer.set_string(line.x, y, "▸", theme.heading());
            let shown =
                Rect { width: columns.first().map_or(0, |first| first.width) + MARK, ..line };
            buffer.set_style(shown, Style::new().add_modifier(Modifier::REVERSED));
        }
        hits.rows.push((line, row.listener.id));
    }
    if rows.is_empty() {
        let text = match state.filter.is_empty() {
            true => "there are no listeners",
            false => "no listener is like that: Esc shows all",
        };
        buffer.set_stringn(area.x + MARK, area.y + 1, text, area.width.into(), theme.dim());
    }
    (state.scroll, state.hits) = (scroll, hits);
}

fn draw_headings(
    buffer: &mut Buffer,
    area: Rect,
    columns: &[Placed],
    state: &State,
    theme: Theme,
    hits: &mut Hits,
) {
    for placed in columns {
        let cell = cell(area, area.y, placed);
        let mut title = placed.column.title(state.counts()).to_owned();
        if placed.column == state.sort {
            title.push(if state.reversed { '▴' } else { '▾' });
        }
        put(buffer, cell, &title, placed.column.right(), theme.heading());
        hits.headings.push((cell, placed.column));
    }
}

fn draw_row(
    buffer: &mut Buffer,
    line: Rect,
    columns: &[Placed],
    row: &Row<'_>,
    counts: bool,
    theme: Theme,
) {
    for placed in columns {
        let cell = cell(line, line.y, placed);
        let style = style(row, placed.column, theme);
        match placed.column {
            Column::Accept => row.accept.draw(buffer, cell, 9, theme),
            Column::Syn => row.syn.draw(buffer, cell, 8, theme),
            column => put(buffer, cell, &text(row, column, counts), column.right(), style),
        }
    }
}

/// What a cell says.
fn text(row: &Row<'_>, column: Column, counts: bool) -> String {
    match column {
        Column::Listener => row.listener.name(),
        Column::Refusals if !counts => numbers::rate(row.rate(|moment| moment.drops)),
        Column::Syns => numbers::rate(row.rate(|moment| moment.syns)),
        Column::Established => numbers::rate(row.rate(|moment| moment.established)),
        Column::Accepts => numbers::rate(row.rate(|moment| moment.accepts)),
        Column::Refusals => numbers::rate(row.rate(Moment::refused)),
        Column::Median => numbers::within(&row.waits, 0.5),
        Column::Slowest => numbers::within(&row.waits, 0.99),
        Column::Oldest => row.oldest_ns().map_or_else(String::new, numbers::time),
        Column::Verdict => row.word(),
        Column::Owner => row.owner(),
        Column::Accept | Column::Syn => String::new(),
    }
}

fn style(row: &Row<'_>, column: Column, theme: Theme) -> Style {
    match column {
        Column::Verdict => theme.level(row.level()),
        Column::Refusals if row.refused > 0 => theme.level(row.level()),
        Column::Owner => theme.dim(),
        _ => Style::new(),
    }
}

fn cell(line: Rect, y: u16, placed: &Placed) -> Rect {
    let x = line.x + MARK + placed.x;
    Rect { x, y, width: placed.width.min(line.right().saturating_sub(x)), height: 1 }
}

/// Writes into a cell; what does not fit is cut short and says so.
fn put(buffer: &mut Buffer, cell: Rect, text: &str, right: bool, style: Style) {
    let text = shortened(text, cell.width.into());
    let length = text.chars().count().min(cell.width.into()) as u16;
    let x = if right { cell.x + cell.width - length } else { cell.x };
    buffer.set_stringn(x, cell.y, text, cell.width.into(), style);
}
