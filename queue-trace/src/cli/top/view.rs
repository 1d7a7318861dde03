//! What is shown, and where.

use std::env;

use anyhow::Context;
use ratatui::crossterm::event::{self, Event as Input};
use tokio::sync::mpsc;

use super::signals::Signals;
use crate::output::top::screen::Screen;
use crate::output::top::{Action, Fed, Origin, State, Theme, draw};

/// The view on its screen.
pub(super) struct View {
    pub(super) state: State,
    theme: Theme,
    screen: Screen,
    inputs: mpsc::UnboundedReceiver<Input>,
}

impl View {
    /// Takes the terminal.
    pub(super) fn start(origin: Origin) -> anyhow::Result<Self> {
        let theme =
            Theme::new(env::var_os("NO_COLOR").as_deref(), env::var_os("COLORTERM").as_deref());
        let screen = Screen::take().context("cannot use the terminal")?;
        let mut view = Self { state: State::new(origin), theme, screen, inputs: inputs() };
        view.draw()?;
        Ok(view)
    }

    /// Waits for a key, or the mouse.
    pub(super) async fn input(&mut self) -> anyhow::Result<Input> {
        self.inputs.recv().await.context("the terminal is gone")
    }

    /// Does what that means.
    pub(super) fn take(&mut self, input: &Input) -> anyhow::Result<Action> {
        let action = match input {
            Input::Key(key) => self.state.key(*key),
            Input::Mouse(mouse) => {
                self.state.mouse(*mouse);
                Action::Continue
            }
            _ => Action::Continue,
        };
        self.draw()?;
        Ok(action)
    }

    /// Shows what is new; nothing means that there will be nothing any more.
    pub(super) fn show(&mut self, fed: Option<Fed>) -> anyhow::Result<()> {
        let pace = &mut self.state.pace;
        match fed {
            Some(fed) => {
                pace.iter_mut().for_each(|pace| pace.steps = pace.steps.saturating_sub(1));
                self.state.feed(fed);
            }
            None => pace.iter_mut().for_each(|pace| pace.ended = true),
        }
        self.draw()
    }

    pub(super) fn draw(&mut self) -> anyhow::Result<()> {
        let Self { state, theme, screen, .. } = self;
        let drawn = screen.terminal.draw(|frame| draw(frame, state, *theme));
        drawn.map(|_| ()).context("cannot draw")
    }

    /// Leaves the terminal to the shell until it lets us go on.
    pub(super) async fn suspend(&mut self, signals: &mut Signals) -> anyhow::Result<()> {
        self.screen.suspend();
        signals.stop().await?;
        self.screen.resume().context("cannot use the terminal")?;
        self.draw()
    }
}

/// What comes from keyboard and mouse. Its thread ends with the program.
fn inputs() -> mpsc::UnboundedReceiver<Input> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        while let Ok(input) = event::read() {
            if sender.send(input).is_err() {
                break;
            }
        }
    });
    receiver
}
