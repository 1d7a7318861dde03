//! `cargo xtask incident`: the incident that the documentation shows, made anew.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::setup::{self, chromium, kernels};
use crate::{build, command, workspace};

/// When there is most to see in what `top` plays.
const TROUBLE: Duration = Duration::from_secs(13);

/// Records a made incident in a virtual machine, and writes what queue-trace says of it
///
/// Into the folder go incident.qtrace, what `doctor` and `top` show of it, its report as HTML, and a picture of that.
/// Takes a minute.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Where to write; docs/incident is what the documentation shows
    #[arg(long, value_name = "FOLDER", default_value = "docs/incident")]
    into: PathBuf,
    /// The guest's kernel: 5.10, 6.1, 6.12, 7.2, newest, or the path of a vmlinuz
    #[arg(long, default_value = kernels::DEFAULT, value_parser = kernels::parse)]
    kernel: String,
    /// Takes the recording that is in the folder already
    #[arg(long)]
    recorded: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    setup::for_build()?;
    setup::for_views()?;
    let folder = &arguments.into;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let recording = folder.join("incident.qtrace");
    if !arguments.recorded {
        record(&arguments.kernel, &recording)?;
    }
    command::run(workspace::cargo().args(["build", "--quiet", "--package", "queue-trace"]))?;
    let program = workspace::target().join("debug/queue-trace");
    let doctor = Command::new(&program).arg("doctor").arg("--input").arg(&recording).output()?;
    ensure!(!doctor.stdout.is_empty(), "doctor has nothing to say: {doctor:?}");
    fs::write(folder.join("doctor.txt"), doctor.stdout)?;
    fs::write(folder.join("top.txt"), screens(&program, &recording)?)?;
    let report = folder.join("report.html");
    let mut command = Command::new(&program);
    command::run(command.args(["report", "--input"]).arg(&recording).arg("-o").arg(&report))?;
    picture(&report, &folder.join("report.png"))?;
    eprintln!("incident: all of it is in {}", folder.display());
    Ok(ExitCode::SUCCESS)
}

/// Lets it happen, and records it.
fn record(kernel: &str, recording: &Path) -> Result<()> {
    build::guest_programs(&[("incident", "xtask"), ("queue-trace", "queue-trace")])?;
    eprintln!("incident: recording it in a guest");
    let file = File::create(recording).context("cannot keep the recording")?;
    let status = Command::new(std::env::current_exe()?)
        .args(["vm", "run", "--no-build", "--smp", "2", "--kernel", kernel, "--copy"])
        .arg(build::guest_path("incident"))
        .args(["--", "incident", "queue-trace"])
        .stdin(Stdio::null())
        .stdout(file)
        .status()?;
    ensure!(status.success(), "the incident did not happen; its message stands above");
    Ok(())
}

/// What `top` shows in the middle of it, in a terminal of 100 columns: all listeners, and the one in trouble.
fn screens(program: &Path, recording: &Path) -> Result<String> {
    let server = format!("queue-trace-incident-{}", std::process::id());
    let tmux = |arguments: &[&str]| {
        command::text(Command::new("tmux").args(["-L", &server, "-f", "/dev/null"]).args(arguments))
    };
    let [program, recording] = [program, recording].map(|path| path.to_str().unwrap_or_default());
    let terminal = ["new-session", "-d", "-x", "100", "-y", "46"];
    let top = [program, "top", "--input", recording];
    let show = || {
        tmux(&[&terminal[..], &top].concat())?;
        sleep(TROUBLE);
        let all = tmux(&["capture-pane", "-p"])?;
        tmux(&["send-keys", "Space", "Enter", "+", "+"])?;
        sleep(Duration::from_secs(1));
        let screens = [all, tmux(&["capture-pane", "-p"])?].concat();
        // What is empty of a screen takes much room on a page.
        let lines = screens.lines().filter(|line| !line.trim().is_empty());
        Ok(lines.map(|line| format!("{line}\n")).collect())
    };
    let shown = show();
    let _ = tmux(&["kill-server"]);
    shown
}

/// A picture of a page's beginning, as on a desk.
fn picture(page: &Path, picture: &Path) -> Result<()> {
    let page = page.canonicalize()?;
    command::run_quietly(
        Command::new(chromium::program())
            .args(["--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1000,1500"])
            .arg(format!("--screenshot={}", picture.display()))
            .arg(format!("file://{}", page.display())),
    )
    .context("cannot take the picture")
}
