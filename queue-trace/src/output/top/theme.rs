//! Colours: as many as the terminal has, and none where nobody wants them. Nothing is told by colour alone.

use std::ffi::OsStr;

use ratatui::style::{Color, Modifier, Style};

/// Which colours there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// None: bold and reversed only.
    Plain,
    /// The sixteen that every terminal has, as its owner chose them.
    Sixteen,
    /// All there are.
    True,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Nothing happens.
    #[default]
    Quiet,
    /// Nothing is wrong.
    Good,
    /// Worth a look.
    Warning,
    /// Clients are hurt.
    Bad,
}

impl Theme {
    /// What the environment asks for: `NO_COLOR` (anything), else `COLORTERM` (`truecolor` or `24bit`).
    #[must_use]
    pub fn new(no_color: Option<&OsStr>, colorterm: Option<&OsStr>) -> Self {
        if no_color.is_some_and(|value| !value.is_empty()) {
            return Self::Plain;
        }
        match colorterm.and_then(OsStr::to_str) {
            Some("truecolor" | "24bit") => Self::True,
            _ => Self::Sixteen,
        }
    }

    /// Of what is this bad.
    pub(super) fn level(self, level: Level) -> Style {
        let style = Style::new();
        match (self, level) {
            (Self::Plain, Level::Bad) => style.add_modifier(Modifier::BOLD),
            (Self::Plain, Level::Quiet) => style.add_modifier(Modifier::DIM),
            (Self::Plain, _) => style,
            (Self::Sixteen, Level::Quiet) => style.fg(Color::DarkGray),
            (Self::Sixteen, Level::Good) => style.fg(Color::Green),
            (Self::Sixteen, Level::Warning) => style.fg(Color::Yellow),
            (Self::Sixteen, Level::Bad) => style.fg(Color::Red).add_modifier(Modifier::BOLD),
            (Self::True, Level::Quiet) => style.fg(Color::Rgb(118, 124, 135)),
            (Self::True, Level::Good) => style.fg(Color::Rgb(120, 190, 120)),
            (Self::True, Level::Warning) => style.fg(Color::Rgb(230, 180, 80)),
            (Self::True, Level::Bad) => {
                style.fg(Color::Rgb(240, 95, 90)).add_modifier(Modifier::BOLD)
            }
        }
    }

    /// Of what matters less.
    pub(super) fn dim(self) -> Style {
        self.level(Level::Quiet)
    }

    /// Of headings.
    pub(super) fn heading(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Of the first, second or third line of a graph.
    pub(super) fn line(self, number: usize) -> Style {
        let style = Style::new();
        match (self, number) {
            (Self::Plain, _) => style,
            (Self::Sixteen, 0) => style.fg(Color::Cyan),
            (Self::Sixteen, 1) => style.fg(Color::Magenta),
            (Self::Sixteen, _) => style.fg(Color::Red),
            (Self::True, 0) => style.fg(Color::Rgb(95, 175, 235)),
            (Self::True, 1) => style.fg(Color::Rgb(205, 140, 235)),
            (Self::True, _) => style.fg(Color::Rgb(240, 95, 90)),
        }
    }

    /// Of a cell of a heat map; from 0, cold, to 1, hot.
    pub(super) fn heat(self, heat: f64) -> Style {
        let style = Style::new();
        match self {
            Self::Plain => style,
            Self::Sixteen if heat < 0.34 => style.fg(Color::Blue),
            Self::Sixteen if heat < 0.67 => style.fg(Color::Yellow),
            Self::Sixteen => style.fg(Color::Red),
            Self::True => {
                // From a dull blue over orange to a light yellow.
                let mix = |from: f64, to: f64, part: f64| (from + (to - from) * part) as u8;
                let (from, to, part) = match heat {
                    ..0.5 => ((50.0, 70.0, 130.0), (220.0, 110.0, 60.0), heat * 2.0),
                    _ => ((220.0, 110.0, 60.0), (255.0, 235.0, 150.0), heat * 2.0 - 1.0),
                };
                let (r, g, b) =
                    (mix(from.0, to.0, part), mix(from.1, to.1, part), mix(from.2, to.2, part));
                style.fg(Color::Rgb(r, g, b))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_chooses() {
        let theme = |no_color: Option<&str>, colorterm: Option<&str>| {
            Theme::new(no_color.map(OsStr::new), colorterm.map(OsStr::new))
        };
        assert_eq!(theme(None, None), Theme::Sixteen);
        assert_eq!(theme(Some(""), Some("truecolor")), Theme::True);
        assert_eq!(theme(None, Some("24bit")), Theme::True);
        assert_eq!(theme(Some("1"), Some("truecolor")), Theme::Plain);
    }

    #[test]
    fn each_theme_has_its_own_colours_only() {
        for level in [Level::Quiet, Level::Good, Level::Warning, Level::Bad] {
            assert_eq!(Theme::Plain.level(level).fg, None);
            assert!(!matches!(Theme::Sixteen.level(level).fg, None | Some(Color::Rgb(..))));
            assert!(matches!(Theme::True.level(level).fg, Some(Color::Rgb(..))));
        }
    }
}
