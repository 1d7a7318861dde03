//! The terminal is left as it was found.

use rustix::process::{Pid, Signal, kill_process};

use super::pane::Pane;
use super::shown::{TOP, loaded};

/// The argument that has the test program take the screen and panic.
pub(crate) const PANIC: &str = "--panic-on-the-screen";

/// A pane in which the view is shown.
fn shown() -> Pane {
    let pane = Pane::running(&format!("{TOP} --attach poll"));
    pane.wait_for("the view", |screen| screen.contains("accept queue"));
    assert_eq!(pane.asked("#{alternate_on} #{mouse_any_flag}"), "1 1");
    pane
}

fn kill(pane: &Pane, signal: Signal) {
    kill_process(Pid::from_raw(pane.child() as i32).unwrap(), signal).unwrap();
}

pub(crate) fn after_q() {
    let pane = shown();
    pane.press(&["q"]);
    pane.check_restored(0);
}

pub(crate) fn after_signals() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
        let pane = shown();
        kill(&pane, signal);
        pane.check_restored(0);
    }
}

pub(crate) fn after_a_panic() {
    let program = std::env::current_exe().unwrap();
    let pane = Pane::running(&format!("{} {PANIC}", program.display()));
    let screen = pane.check_restored(101);
    assert!(screen.contains("this is a test"), "{screen}");
}

/// Ctrl-Z, and then what the shell's `fg` does; and from outside.
pub(crate) fn while_suspended() {
    let (_listener, port) = loaded();
    let pane = Pane::running(&format!("set -m; {TOP} --attach poll; fg; fg"));
    let seen = |screen: &str| screen.contains(&format!("127.0.0.1:{port}"));
    pane.wait_for("the view", seen);
    pane.press(&["C-z"]);
    // The shell goes on with the next command, which brings the view back.
    pane.wait_for("the view to come back", seen);
    pane.press(&["?"]);
    pane.wait_for("keys to be heard", |screen| screen.contains("any key closes it"));
    pane.press(&["q"]);
    pane.wait_for("the list", |screen| seen(screen) && !screen.contains("any key closes it"));
    kill(&pane, Signal::TSTP);
    pane.wait_for("the view to come back", seen);
    pane.press(&["q"]);
    let flags = "#{alternate_on} #{cursor_flag} #{mouse_any_flag}";
    pane.wait_for("the end", |screen| screen.contains("status="));
    assert_eq!(pane.asked(flags), "0 1 0");
}
