//! One listener in full: a page that scrolls, in one column or in two.

mod advice;
mod cards;
mod graphs;
mod heat;
mod tables;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Block, Widget};

use self::cards::Card;
use super::mouse::Hits;
use super::rows::Row;
use super::state::State;
use super::theme::Theme;

/// From this width on there are two columns.
const WIDE: u16 = 110;

/// Draws the page, or as much of it as fits from where it was scrolled to.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, state: &mut State, theme: Theme) {
    if area.is_empty() {
        return;
    }
    let Some(row) = state.row() else {
        buffer.set_stringn(
            area.x,
            area.y,
            "this listener is gone: Esc goes back",
            area.width.into(),
            theme.dim(),
        );
        return;
    };
    let page = page(area, state, &row, theme);
    let length = usize::from(page.area.height);
    let shown = usize::from(area.height);
    let scroll = state.scroll.min(length.saturating_sub(shown));
    for y in 0..area.height.min(page.area.height) {
        for x in 0..area.width {
            if let (Some(to), Some(from)) =
                (buffer.cell_mut((area.x + x, area.y + y)), page.cell((x, y + scroll as u16)))
            {
                to.clone_from(from);
            }
        }
    }
    state.scroll = scroll;
    state.hits = Hits { page: shown, length, ..Hits::default() };
}

/// The whole page.
fn page(area: Rect, state: &State, row: &Row<'_>, theme: Theme) -> Buffer {
    let advice = advice::card(state, row, area.width, theme);
    // A tall terminal has taller graphs.
    let lines = (area.height.saturating_sub(advice.height + 2) / 3).saturating_sub(2);
    let lines = lines.clamp(graphs::LEAST, graphs::MOST);
    let graphs = [
        graphs::depth(state, row, lines, theme),
        graphs::flow(state, row, lines, theme),
        heat::card(state, row, theme),
    ];
    let half = area.width / 2;
    let column = if area.width >= WIDE { area.width - half } else { area.width };
    let tables = tables::cards(state, row, column, theme);
    let height = |cards: &[Card<'_>]| cards.iter().map(|card| card.height + 2).sum::<u16>();
    let top = advice.height + 2;
    let (left, right) = (height(&graphs), height(&tables));
    let wide = area.width >= WIDE;
    let below = if wide { left.max(right) } else { left + right };
    let mut page = Buffer::empty(Rect::new(0, 0, area.width, top + below));
    stack(&mut page, Rect::new(0, 0, area.width, top), [advice]);
    if wide {
        stack(&mut page, Rect::new(0, top, half, below), graphs);
        stack(&mut page, Rect::new(half, top, area.width - half, below), tables);
    } else {
        stack(&mut page, Rect::new(0, top, area.width, left), graphs);
        stack(&mut page, Rect::new(0, top + left, area.width, right), tables);
    }
    page
}

/// Draws cards one below the other.
fn stack<'a>(page: &mut Buffer, area: Rect, cards: impl IntoIterator<Item = Card<'a>>) {
    let mut y = area.y;
    for card in cards {
        let place = Rect { y, height: card.height + 2, ..area };
        let block = Block::bordered().title(card.title);
        let inner = block.inner(place);
        block.render(place, page);
        if !inner.is_empty() {
            (card.draw)(page, inner);
        }
        y += place.height;
    }
}
