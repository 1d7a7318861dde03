//! A terminal.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longer than this nothing takes, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A shell in a terminal of 100 columns and 40 lines.
pub(crate) struct Pane {
    /// The name of its own tmux server.
    server: String,
}

impl Pane {
    /// Starts it, and in it what sends the terminal's settings, and then this command.
    pub(crate) fn running(command: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let pane = Self { server: format!("queue-trace-test-{}-{number}", std::process::id()) };
        let size = ["-x", "100", "-y", "40"];
        let shell = ["env", "PS1=ready$ ", "sh"];
        let start = [&["-f", "/dev/null", "new-session", "-d"], &size[..], &shell].concat();
        let output = pane.tmux(&start);
        assert!(output.status.success(), "{output:?}");
        pane.wait_for("the shell", |screen| screen.contains("ready$"));
        // A line that is broken in two is not found again.
        pane.press(&["stty -g | cksum", "Enter"]);
        pane.wait_for("its settings", |screen| screen.matches("ready$").count() == 2);
        pane.press(&[&format!("{command}; echo status=$?; stty -g | cksum"), "Enter"]);
        pane
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        Command::new("tmux").args(["-L", &self.server]).args(arguments).output().unwrap()
    }

    /// Presses keys, or types text.
    pub(crate) fn press(&self, keys: &[&str]) {
        let output = self.tmux(&[&["send-keys"], keys].concat());
        assert!(output.status.success(), "{output:?}");
    }

    /// What it shows.
    pub(crate) fn screen(&self) -> String {
        String::from_utf8(self.tmux(&["capture-pane", "-p"]).stdout).unwrap()
    }

    /// What tmux says of it.
    pub(crate) fn asked(&self, format: &str) -> String {
        let output = self.tmux(&["display-message", "-p", format]);
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Waits until the screen satisfies a condition; that screen.
    pub(crate) fn wait_for(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if condition(&screen) {
                return screen;
            }
            assert!(start.elapsed() < PATIENCE, "waited for {what}:\n{screen}");
            sleep(Duration::from_millis(50));
        }
    }

    /// The process that runs in the shell.
    pub(crate) fn child(&self) -> u32 {
        let shell = self.asked("#{pane_pid}");
        let path = format!("/proc/{shell}/task/{shell}/children");
        let children = std::fs::read_to_string(path).unwrap();
        children.split_whitespace().next().expect("it has a child").parse().unwrap()
    }

    /// Waits for the end of the command, and looks whether the terminal is as it was before.
    pub(crate) fn check_restored(&self, status: u32) -> String {
        let ended = format!("status={status}\n");
        let screen = self.wait_for("the end", |screen| {
            screen.contains(&ended) && screen.trim_end().ends_with("ready$")
        });
        let flags = "#{alternate_on} #{cursor_flag} #{mouse_any_flag}";
        assert_eq!(self.asked(flags), "0 1 0", "main screen, cursor, no mouse:\n{screen}");
        let sums = || screen.lines().filter(|line| line.split(' ').all(is_number));
        let sums: Vec<_> = sums().filter(|line| !line.is_empty()).collect();
        assert_eq!(sums.len(), 2, "{screen}");
        assert_eq!(sums[0], sums[1], "settings before and after:\n{screen}");
        screen
    }
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

impl Drop for Pane {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
