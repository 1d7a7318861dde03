//! Golden screens of a made-up minute and a half, and what keys and mouse do.

mod made;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{
    KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::style::Color;

use self::made::{END, SECOND, fed, polled, state};
use super::{Action, Origin, State, Theme, draw};
use crate::output::golden;

fn drawn(state: &mut State, (width, height): (u16, u16), theme: Theme) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, state, theme)).unwrap();
    terminal
}

fn text(state: &mut State, size: (u16, u16)) -> String {
    let terminal = drawn(state, size, Theme::Plain);
    let lines = terminal.backend().buffer().content().chunks(size.0.into());
    let line = |cells: &[ratatui::buffer::Cell]| {
        let line: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        format!("{}\n", line.trim_end())
    };
    lines.map(line).collect()
}

fn press(state: &mut State, keys: &str) {
    for key in keys.chars() {
        let code = match key {
            '⏎' => KeyCode::Enter,
            '⎋' => KeyCode::Esc,
            '↓' => KeyCode::Down,
            '←' => KeyCode::Left,
            '→' => KeyCode::Right,
            key => KeyCode::Char(key),
        };
        state.key(KeyEvent::from(code));
    }
}

/// The screen after these keys, in each size.
fn check(name: &str, keys: &str, sizes: &[(u16, u16)]) {
    for size in sizes {
        let mut state = state();
        // How far one can scroll is known once it was drawn.
        for key in keys.chars() {
            press(&mut state, &key.to_string());
            text(&mut state, *size);
        }
        let screen = text(&mut state, *size);
        golden::check(&format!("top/screens/{name}-{}x{}.txt", size.0, size.1), screen.as_bytes());
    }
}

const SIZES: [(u16, u16); 3] = [(60, 20), (80, 24), (200, 50)];

#[test]
fn the_list() {
    check("list", "", &SIZES);
}

#[test]
fn one_listener() {
    check("detail", "⏎", &SIZES);
    check("detail-scrolled", "⏎↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓↓", &SIZES[..2]);
    check("detail-group", "↓⏎", &[(120, 60)]);
}

#[test]
fn the_help() {
    check("help", "?", &SIZES);
}

#[test]
fn a_filter() {
    check("filter", "/PHP", &SIZES[..2]);
    check("filter-none", "/nobody⏎", &SIZES[..1]);
}

#[test]
fn without_counting() {
    let mut state = polled();
    golden::check("top/screens/poll-80x24.txt", text(&mut state, (80, 24)).as_bytes());
    press(&mut state, "⏎");
    golden::check("top/screens/poll-detail-80x50.txt", text(&mut state, (80, 50)).as_bytes());
}

/// The listeners of a list, in their order.
fn ports(state: &mut State) -> Vec<u16> {
    state.rows().iter().map(|row| row.listener.port).collect()
}

#[test]
fn trouble_comes_first_and_keys_sort_otherwise() {
    let mut state = state();
    assert_eq!(ports(&mut state)[..4], [8080, 9000, 65_535, 443]);
    let words: Vec<_> = state.rows().iter().map(super::rows::Row::word).collect();
    assert_eq!(words[..2], ["stopped acceptor", "refused lately"]);
    press(&mut state, "r");
    assert_eq!(ports(&mut state).last(), Some(&8080));
    // On to the owner, and to the listener.
    press(&mut state, "ss");
    assert_eq!(ports(&mut state)[0], 443, "0.0.0.0");
    press(&mut state, "S");
    assert_eq!(ports(&mut state)[0], 8080, "demo");
}

#[test]
fn a_filter_needs_all_words_and_goes_with_escape() {
    let mut state = state();
    let all = ports(&mut state).len();
    press(&mut state, "/10.0 901q");
    assert!(state.editing, "q is a letter");
    assert!(ports(&mut state).is_empty());
    press(&mut state, "⎋/10.0 901⏎");
    assert_eq!(ports(&mut state), [9000]);
    press(&mut state, "⎋");
    assert_eq!(ports(&mut state).len(), all);
}

#[test]
fn history_goes_back_and_pausing_holds_what_is_shown() {
    let mut state = state();
    let refused = |state: &State| state.row().map(|row| row.refused);
    let port = |state: &State| state.row().map(|row| row.listener.port);
    assert_eq!((port(&state), refused(&state)), (Some(8080), Some(40)));
    press(&mut state, "[[[[");
    assert_eq!(state.age_ns(), 40 * SECOND);
    assert_eq!(port(&state), Some(9000), "the group's bad moment, 40 s ago");
    assert_eq!(state.row().map(|row| row.word()), Some("refusing".into()), "worse than a note");
    press(&mut state, "→←");
    assert_eq!(state.age_ns(), 40 * SECOND);
    press(&mut state, "n ");
    state.feed(fed(END + 1));
    state.feed(fed(END + 2));
    assert_eq!(state.age_ns(), 2 * SECOND);
    assert!(text(&mut state, (80, 24)).contains("2.00 s AGO"));
    press(&mut state, " ");
    assert_eq!(state.age_ns(), 0);
    // Further back than there is anything.
    press(&mut state, &"[".repeat(20));
    assert_eq!(state.age_ns(), (END + 1) * SECOND);
    assert!(!text(&mut state, (80, 24)).is_empty());
}

#[test]
fn a_recording_is_played_faster_slower_and_by_steps() {
    let mut state = State::new(Origin { recorded: Some("host".into()), ..Origin::default() });
    press(&mut state, ">>>");
    assert_eq!(state.pace.unwrap().speed, 8.0);
    press(&mut state, "<<<<<<<<<<<<");
    assert_eq!(state.pace.unwrap().speed, 0.125);
    press(&mut state, ".");
    let pace = state.pace.unwrap();
    assert!(pace.paused && pace.steps == 1);
    press(&mut state, " ");
    assert!(!state.pace.unwrap().paused);
    // What happens now has no pace.
    let mut state = self::state();
    press(&mut state, "<>.");
    assert_eq!(state.pace, None);
}

#[test]
fn the_mouse_chooses_opens_and_sorts() {
    let mut state = state();
    text(&mut state, (200, 50));
    let mouse = |state: &mut State, kind, column, row| {
        state.mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE });
        text(state, (200, 50));
    };
    let left = MouseEventKind::Down(MouseButton::Left);
    mouse(&mut state, left, 5, 5);
    assert_eq!(state.selected, Some(6));
    assert!(!state.opened);
    mouse(&mut state, left, 5, 5);
    assert!(state.opened);
    mouse(&mut state, MouseEventKind::Down(MouseButton::Right), 0, 0);
    assert!(!state.opened);
    mouse(&mut state, left, 3, 2);
    assert_eq!(ports(&mut state)[0], 443, "by address");
    mouse(&mut state, left, 3, 2);
    assert_eq!(ports(&mut state).last(), Some(&443), "the other way round");
    mouse(&mut state, MouseEventKind::ScrollDown, 3, 9);
    assert_ne!(state.selected, Some(6));
}

#[test]
fn keys_that_end_or_suspend() {
    let mut state = state();
    let control = |key| KeyEvent::new(KeyCode::Char(key), KeyModifiers::CONTROL);
    assert_eq!(state.key(control('c')), Action::Quit);
    assert_eq!(state.key(control('z')), Action::Suspend);
    press(&mut state, "?");
    assert_eq!(state.key(KeyEvent::from(KeyCode::Char('q'))), Action::Continue, "closes the help");
    assert_eq!(state.key(KeyEvent::from(KeyCode::Char('q'))), Action::Quit);
}

#[test]
fn no_size_is_too_small_and_nothing_at_all_can_be_shown() {
    let empty = State::new(Origin::default());
    for (keys, mut state) in [("", state()), ("⏎", state()), ("?", polled()), ("/x", empty)] {
        press(&mut state, keys);
        for (width, height) in
            (0..140).step_by(9).flat_map(|w| (0..40).step_by(3).map(move |h| (w, h)))
        {
            drawn(&mut state, (width, height), Theme::True);
        }
    }
}

#[test]
fn colours_are_those_of_the_theme() {
    for keys in ["", "⏎"] {
        let colours = |theme| -> Vec<_> {
            let mut state = state();
            press(&mut state, keys);
            let terminal = drawn(&mut state, (200, 50), theme);
            terminal.backend().buffer().content().iter().map(|cell| cell.fg).collect()
        };
        assert!(colours(Theme::Plain).iter().all(|colour| *colour == Color::Reset));
        let some = |of: fn(&Color) -> bool, theme| colours(theme).iter().any(of);
        assert!(some(|colour| *colour == Color::Red, Theme::Sixteen));
        assert!(!some(|colour| matches!(colour, Color::Rgb(..)), Theme::Sixteen));
        assert!(some(|colour| matches!(colour, Color::Rgb(..)), Theme::True));
    }
}
