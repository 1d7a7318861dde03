//! The mouse.

use ratatui::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::columns::Column;
use super::state::State;

/// Where things were drawn last.
#[derive(Debug, Default)]
pub(super) struct Hits {
    /// The headings of columns.
    pub(super) headings: Vec<(Rect, Column)>,
    /// Rows, with the numbers of their listeners.
    pub(super) rows: Vec<(Rect, u32)>,
    /// How many lines, or rows, fit.
    pub(super) page: usize,
    /// How many there are.
    pub(super) length: usize,
}

impl State {
    /// Does what a click or a turn of the wheel means.
    pub fn mouse(&mut self, event: MouseEvent) {
        let at = Position::new(event.column, event.row);
        match event.kind {
            MouseEventKind::Down(MouseButton::Left) if self.help => self.help = false,
            MouseEventKind::Down(MouseButton::Left) => self.click(at),
            MouseEventKind::Down(MouseButton::Right) if self.opened => self.close(),
            MouseEventKind::ScrollDown => self.scroll_by(3),
            MouseEventKind::ScrollUp => self.scroll_by(-3),
            _ => {}
        }
    }

    /// Headings sort, again the other way round; a row is chosen, and opened by another click.
    fn click(&mut self, at: Position) {
        if self.opened {
            return;
        }
        if let Some((_, column)) = self.hits.headings.iter().find(|(area, _)| area.contains(at)) {
            let column = *column;
            self.reversed = self.sort == column && !self.reversed;
            self.sort = column;
        }
        if let Some((_, id)) = self.hits.rows.iter().find(|(area, _)| area.contains(at)) {
            let id = *id;
            if self.selected == Some(id) { self.open() } else { self.selected = Some(id) }
        }
    }

    /// Scrolls what is on the screen.
    pub(super) fn scroll_by(&mut self, lines: isize) {
        if self.opened {
            let last = self.hits.length.saturating_sub(self.hits.page);
            self.scroll = self.scroll.saturating_add_signed(lines).min(last);
        } else {
            self.choose(lines);
        }
    }
}
