//! The terminal, and that it is left as it was found.

use std::io::{self, Stdout, stdout};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

/// A terminal that is ours until this is dropped, or the program panics.
#[derive(Debug)]
pub struct Screen {
    /// Where to draw.
    pub terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    ///
    /// When it cannot be talked to; it is as it was, then.
    pub fn take() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let former = panic::take_hook();
            // First, so that what the panic says is seen.
            panic::set_hook(Box::new(move |info| {
                give_back();
                former(info);
            }));
        });
        let taken = enter();
        if taken.is_err() {
            give_back();
        }
        taken.map(|terminal| Self { terminal })
    }

    /// Takes it again after others had it.
    ///
    /// # Errors
    ///
    /// When it cannot be talked to.
    pub fn resume(&mut self) -> io::Result<()> {
        self.terminal = enter()?;
        Ok(())
    }

    /// Leaves it to others for a while.
    pub fn suspend(&mut self) {
        give_back();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Whether the terminal is ours. Giving it back twice would move the cursor to where it was at first, and over
/// what was written since.
static OURS: AtomicBool = AtomicBool::new(false);

fn enter() -> io::Result<Terminal<CrosstermBackend<Stdout>>> {
    OURS.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    // Not `Terminal::clear`: it asks where the cursor is, and the answer goes to who reads the keys.
    execute!(stdout(), EnterAlternateScreen, Clear(ClearType::All), EnableMouseCapture)?;
    Terminal::new(CrosstermBackend::new(stdout()))
}

/// Does what it can: the terminal may be gone.
fn give_back() {
    if !OURS.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = execute!(stdout(), DisableMouseCapture, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}
