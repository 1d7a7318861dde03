//! The keyboard.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::columns::Column;
use super::state::{Pace, SPANS, State};

/// What is to be done that the view cannot do itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Go on.
    Continue,
    /// End.
    Quit,
    /// Leave the terminal to the shell, as Ctrl-Z asks for.
    Suspend,
}

/// So many snapshots are gone back or on at once.
const LEAP: i64 = 10;
/// The slowest and the fastest that a recording is played.
const SPEEDS: (f64, f64) = (0.125, 1024.0);

impl State {
    /// Does what a key means.
    pub fn key(&mut self, key: KeyEvent) -> Action {
        if key.kind == KeyEventKind::Release {
            return Action::Continue;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Action::Quit,
            KeyCode::Char('z') if control => return Action::Suspend,
            _ if control => {}
            _ if self.editing => self.edit(key.code),
            // Any key closes the help, and does nothing else.
            _ if self.help => self.help = false,
            KeyCode::Char('q') => return Action::Quit,
            code => self.command(code, key.modifiers),
        }
        Action::Continue
    }

    fn command(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        let leap = modifiers.contains(KeyModifiers::SHIFT);
        match code {
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.help = true,
            KeyCode::Up | KeyCode::Char('k') => self.scroll_by(-1),
            KeyCode::Down | KeyCode::Char('j') => self.scroll_by(1),
            KeyCode::PageUp => self.scroll_by(-self.page()),
            KeyCode::PageDown => self.scroll_by(self.page()),
            KeyCode::Home => self.scroll_by(isize::MIN / 2),
            KeyCode::End => self.scroll_by(isize::MAX / 2),
            KeyCode::Left => self.travel(if leap { -LEAP } else { -1 }),
            KeyCode::Right => self.travel(if leap { LEAP } else { 1 }),
            KeyCode::Char('[') => self.travel(-LEAP),
            KeyCode::Char(']') => self.travel(LEAP),
            KeyCode::Char('n') => self.at = None,
            KeyCode::Char(' ' | 'p') => self.toggle_pause(),
            KeyCode::Char('+' | '=') => self.span = self.span.saturating_sub(1),
            KeyCode::Char('-') => self.span = (self.span + 1).min(SPANS.len() - 1),
            KeyCode::Char(key @ ('<' | '>' | '.')) => self.play(key),
            _ if self.opened => match code {
                KeyCode::Esc | KeyCode::Backspace | KeyCode::Enter => self.close(),
                _ => {}
            },
            KeyCode::Enter => self.open(),
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('/' | 'f') => self.editing = true,
            KeyCode::Char('s') => self.sort_next(1),
            KeyCode::Char('S') => self.sort_next(Column::ALL.len() - 1),
            KeyCode::Char('r') => self.reversed = !self.reversed,
            _ => {}
        }
    }

    fn edit(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.editing = false,
            KeyCode::Esc => {
                self.editing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(char) => self.filter.push(char),
            _ => {}
        }
    }

    /// Slower, faster, or one snapshot on.
    fn play(&mut self, key: char) {
        let Some(pace) = &mut self.pace else { return };
        match key {
            '<' => pace.speed = (pace.speed / 2.0).max(SPEEDS.0),
            '>' => pace.speed = (pace.speed * 2.0).min(SPEEDS.1),
            _ => *pace = Pace { paused: true, steps: pace.steps + 1, ..*pace },
        }
        if key == '.' {
            self.at = None;
        }
    }

    fn sort_next(&mut self, columns: usize) {
        let next = (self.sort as usize + columns) % Column::ALL.len();
        (self.sort, self.reversed) = (Column::ALL[next], false);
    }

    /// Chooses the listener so many rows further down.
    pub(super) fn choose(&mut self, rows: isize) {
        let shown: Vec<_> = self.rows().iter().map(|row| row.listener.id).collect();
        let at = shown.iter().position(|id| Some(*id) == self.selected).unwrap_or(0);
        let wanted = at.saturating_add_signed(rows).min(shown.len().saturating_sub(1));
        self.selected = shown.get(wanted).copied();
    }

    /// Shows the chosen listener in full.
    pub(super) fn open(&mut self) {
        let row = self.row().map(|row| row.listener.id);
        if row.is_some() {
            (self.selected, self.opened, self.scroll) = (row, true, 0);
        }
    }

    /// Shows the list again.
    pub(super) fn close(&mut self) {
        (self.opened, self.scroll) = (false, 0);
    }

    fn page(&self) -> isize {
        self.hits.page.max(2) as isize - 1
    }
}
