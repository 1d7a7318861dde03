//! A terminal for programs that draw.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::num::NonZero;
use std::os::fd::AsFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::fd::OwnedFd;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};
use vt100::Parser;

use super::tracer::exit;
use super::wait;

const ROWS: u16 = 40;
const COLUMNS: u16 = 130;

/// A terminal of 130 columns, and what runs in it.
pub(crate) struct Terminal {
    child: Child,
    master: OwnedFd,
    /// Kept open: what is read at the other end must not end before we have looked.
    slave: File,
    screen: Arc<Mutex<Parser>>,
    /// The settings that it had before, as text.
    settings: String,
}

impl Terminal {
    /// Runs a program in a new one; `spawn` starts it.
    pub(crate) fn run(mut command: Command, spawn: impl FnOnce(&mut Command) -> Child) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = OpenOptions::new().read(true).write(true).open(name).unwrap();
        let size = Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&slave, size).unwrap();
        let end = || slave.try_clone().unwrap();
        command.stdin(end()).stdout(end()).stderr(end()).env("TERM", "xterm-256color");
        let settings = settings(&slave);
        let child = spawn(&mut command);
        let [rows, columns] = [ROWS, COLUMNS].map(|size| NonZero::new(size).unwrap());
        let screen = Arc::new(Mutex::new(Parser::new(rows, columns, 0)));
        show(File::from(master.try_clone().unwrap()), Arc::clone(&screen));
        Self { child, master, slave, screen, settings }
    }

    /// What is on the screen.
    pub(crate) fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Presses keys.
    pub(crate) fn press(&self, keys: &str) {
        rustix::io::write(&self.master, keys.as_bytes()).unwrap();
    }

    /// Waits until the screen satisfies a condition; that screen.
    pub(crate) fn wait_for(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait::until(what, || {
                last = self.text();
                condition(&last)
            });
        }));
        assert!(found.is_ok(), "waited in vain for {what}:\n{last}");
        last
    }

    /// Waits for the end of the program, after which the terminal has to be as it was before.
    pub(crate) fn end(mut self) -> ExitStatus {
        let status = exit(&mut self.child);
        wait::until("the main screen", || {
            let screen = self.screen.lock().unwrap();
            !screen.screen().alternate_screen() && !screen.screen().hide_cursor()
        });
        assert_eq!(settings(&self.slave), self.settings, "the terminal's settings");
        status
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // After a failure: what is left must not disturb the next scenario.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn settings(terminal: impl AsFd) -> String {
    format!("{:?}", tcgetattr(terminal).unwrap())
}

/// Takes in what is written, until nobody has the other end any more.
fn show(mut output: File, screen: Arc<Mutex<Parser>>) {
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = output.read(&mut bytes) {
            screen.lock().unwrap().process(&bytes[..length]);
        }
    });
}
