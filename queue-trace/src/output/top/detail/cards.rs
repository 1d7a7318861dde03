//! What a page is made of.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Draws into an area.
type Draw<'a> = Box<dyn FnOnce(&mut Buffer, Rect) + 'a>;

/// A box with a title.
pub(super) struct Card<'a> {
    pub(super) title: Line<'a>,
    /// Lines within.
    pub(super) height: u16,
    /// Draws what is within; never called with an empty area.
    pub(super) draw: Draw<'a>,
}

impl<'a> Card<'a> {
    /// A card of lines of text.
    pub(super) fn of_lines(title: impl Into<Line<'a>>, lines: Vec<Line<'a>>) -> Self {
        Self {
            title: title.into(),
            height: lines.len() as u16,
            draw: Box::new(move |buffer, area| {
                for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
                    buffer.set_line(area.x, y, line, area.width);
                }
            }),
        }
    }
}
