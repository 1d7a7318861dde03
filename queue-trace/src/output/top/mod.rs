//! The live view: listeners sorted by trouble, and one listener in full.
//!
//! [`State`] is fed with snapshots and records, wherever they come from, and with keys; [`draw`] shows it. No
//! clock and no terminal in here: that is [`screen`]'s, and the command's.

mod bar;
mod columns;
mod detail;
mod footer;
mod header;
mod help;
mod keys;
mod list;
mod mouse;
mod numbers;
mod plight;
mod refused;
mod rows;
mod said;
pub mod screen;
mod state;
mod theme;
mod words;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};

pub use keys::Action;
pub use state::{Fed, Origin, Pace, State};
pub use theme::Theme;

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, state: &mut State, theme: Theme) {
    let rows = [Constraint::Length(2), Constraint::Fill(1), Constraint::Length(1)];
    let [top, middle, bottom] = Layout::vertical(rows).areas(frame.area());
    let buffer = frame.buffer_mut();
    header::draw(buffer, top, state, theme);
    if state.opened {
        detail::draw(buffer, middle, state, theme);
    } else {
        list::draw(buffer, middle, state, theme);
    }
    footer::draw(buffer, bottom, state, theme);
    if state.help {
        help::draw(buffer, middle, state, theme);
    }
}

#[cfg(test)]
mod tests;
