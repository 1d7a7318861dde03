//! A queue as a bar against its limit.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::theme::{Level, Theme};

/// A queue: what is in it, what was in it at most lately, and what it was to hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Queue {
    pub(super) depth: u32,
    pub(super) peak: u32,
    pub(super) limit: u32,
}

/// What the last cell of the filled part looks like, by eighths.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

impl Queue {
    /// How many fit: it is full above its limit.
    pub(super) fn room(self) -> u64 {
        u64::from(self.limit) + 1
    }

    /// How full it is; 1 is full.
    pub(super) fn share(self) -> f64 {
        f64::from(self.depth) / self.room() as f64
    }

    /// How bad that is.
    pub(super) fn level(self) -> Level {
        match u64::from(self.depth.max(self.peak)) {
            0 => Level::Quiet,
            _ if u64::from(self.depth) >= self.room() => Level::Bad,
            peak if peak >= self.room() => Level::Warning,
            _ if self.share() >= 0.75 => Level::Warning,
            _ => Level::Good,
        }
    }

    /// Draws the bar with its numbers behind it, which take `numbers` columns.
    pub(super) fn draw(self, buffer: &mut Buffer, area: Rect, numbers: u16, theme: Theme) {
        let style = theme.level(self.level());
        let text = format!("{}/{}", self.depth, self.limit);
        let width = area.width.saturating_sub(numbers + 1);
        self.draw_bar(buffer, Rect { width, ..area }, theme);
        let numbers = usize::from(area.width.saturating_sub(width + 1));
        let text = format!("{text:>numbers$}");
        buffer.set_stringn(area.x + width + 1, area.y, text, numbers, style);
    }

    fn draw_bar(self, buffer: &mut Buffer, area: Rect, theme: Theme) {
        let cells = f64::from(area.width);
        let filled = (self.share() * cells).min(cells);
        // One connection is seen, however long the queue may be.
        let eighths = if self.depth > 0 { ((filled * 8.0) as u16).max(1) } else { 0 };
        let mark = (f64::from(self.peak) / self.room() as f64 * cells) as u16;
        let mark = mark.min(area.width.saturating_sub(1));
        for x in 0..area.width {
            let Some(cell) = buffer.cell_mut((area.x + x, area.y)) else { continue };
            if self.peak > self.depth && x == mark {
                cell.set_symbol("┃").set_style(theme.level(self.level()));
            } else if x < eighths / 8 {
                cell.set_symbol("█").set_style(theme.level(self.level()));
            } else if x == eighths / 8 && eighths % 8 > 0 {
                let symbol = EIGHTHS[usize::from(eighths % 8)];
                cell.set_symbol(symbol).set_style(theme.level(self.level()));
            } else {
                cell.set_symbol("·").set_style(theme.dim());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(depth: u32, peak: u32, limit: u32) -> String {
        let area = Rect::new(0, 0, 16, 1);
        let mut buffer = Buffer::empty(area);
        Queue { depth, peak, limit }.draw(&mut buffer, area, 7, Theme::Plain);
        buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect()
    }

    #[test]
    fn a_bar_is_full_when_the_queue_is() {
        assert_eq!(drawn(0, 0, 7), "········     0/7");
        assert_eq!(drawn(4, 4, 7), "████····     4/7");
        assert_eq!(drawn(8, 8, 7), "████████     8/7");
        assert_eq!(drawn(9, 9, 7), "████████     9/7", "never longer");
        assert_eq!(drawn(1, 1, 4096), "▏·······  1/4096");
        assert_eq!(drawn(1, 1, 0), "████████     1/0");
    }

    #[test]
    fn the_peak_is_marked() {
        assert_eq!(drawn(1, 4, 7), "█···┃···     1/7");
        assert_eq!(drawn(0, 8, 7), "·······┃     0/7");
    }

    #[test]
    fn it_is_bad_when_it_is_full_and_a_warning_when_it_was() {
        let level = |depth, peak| Queue { depth, peak, limit: 7 }.level();
        assert_eq!((level(0, 0), level(1, 1)), (Level::Quiet, Level::Good));
        assert_eq!(
            (level(6, 6), level(1, 8), level(8, 8)),
            (Level::Warning, Level::Warning, Level::Bad)
        );
    }
}
