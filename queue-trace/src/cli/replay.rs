//! `queue-trace replay`: what was recorded, as `trace` would have shown it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::trace::{View, ViewArgs};
use crate::recording::{Header, Loss};
use crate::source::{Gap, Recording};

/// Arguments of `queue-trace replay`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  queue-trace replay incident.qtrace --event syn_refused --relative
  queue-trace replay incident.qtrace --format json | jq -r .reason | sort | uniq -c

The same as `queue-trace trace --input FILE`. Needs no privileges and no particular kernel. Counters were
recorded each second: the summary of a part has them up to the first second after it.")]
pub struct ReplayArgs {
    /// What `queue-trace record` wrote
    pub file: PathBuf,
    /// What to show, and how.
    #[command(flatten)]
    pub view: ViewArgs,
}

/// Shows what was recorded.
///
/// # Errors
///
/// One line for the user; also when the file is damaged, after all before the damage was shown.
pub fn run(args: &ReplayArgs) -> anyhow::Result<()> {
    replay(&args.file, &args.view)
}

pub(super) fn replay(file: &Path, args: &ViewArgs) -> anyhow::Result<()> {
    let mut recording = Recording::open(file)?;
    let header = recording.header().clone();
    announce(&header);
    let mut args = args.clone();
    if args.filter.event.is_empty() {
        args.filter.event.clone_from(&header.events);
    }
    let mut view = View::new(&args, header.start_ns, header.wall);
    let mut more = true;
    let mut begin = header.start_ns;
    // A file that continues another begins later than the recording, and with a snapshot.
    if header.part > 0 {
        more = recording.advance(|_, _| true)?;
        begin = recording.time_ns();
    }
    let after = |time: Duration| begin.saturating_add(time.as_nanos() as u64);
    let end = args.duration.map_or(u64::MAX, after);
    let mut status = args.status.map(|every| (every, after(every)));
    while more && !view.done() && recording.time_ns() <= end {
        more = recording
            .advance(|listener, event| event.time_ns > end || view.take(listener, event))?;
        view.flush()?;
        if let Some((every, due)) = &mut status
            && recording.time_ns() >= *due
        {
            view.status(&recording.status(), recording.time_ns())?;
            *due = recording.time_ns() + every.as_nanos() as u64;
        }
    }
    view.finish(&recording.snapshot(), &recording.census().unwrap_or_default())?;
    told(&recording)
}

/// Says on standard error what the recording is of, and what could not be seen.
pub(super) fn announce(header: &Header) {
    let mut err = io::stderr().lock();
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(
        err,
        "queue-trace: recorded on {} (Linux {}) from {:.0} on: {} listeners by {} hooks ({})",
        header.host,
        header.kernel,
        header.wall,
        header.means.listeners,
        header.hooks,
        header.means.tier
    );
    if header.part > 0 {
        let _ = writeln!(
            err,
            "queue-trace: file {} of them; counts are from the first on",
            header.part + 1
        );
    }
    for loss in &header.means.losses {
        let _ = writeln!(err, "queue-trace: not visible on that kernel: {loss}");
    }
    if !header.means.uncounted.is_empty() {
        let counters = header.means.uncounted.join(", ");
        let _ = writeln!(err, "queue-trace: so these are not in the books: {counters}");
    }
    for note in &header.means.notes {
        let _ = writeln!(err, "queue-trace: {note}");
    }
}

/// Says what of a recording was not shown.
///
/// # Errors
///
/// When it is damaged.
pub(super) fn told(recording: &Recording) -> anyhow::Result<()> {
    let mut err = io::stderr().lock();
    if recording.unknown() > 0 {
        let _ = writeln!(
            err,
            "queue-trace: {} events and counts are of kinds that only a later queue-trace knows",
            recording.unknown()
        );
    }
    let is_damage = |gap: &Gap| matches!(gap, Gap::Lost(_, Loss::Damaged { .. }));
    let (damages, others): (Vec<_>, Vec<_>) = recording.gaps().into_iter().partition(is_damage);
    for gap in others {
        let _ = writeln!(err, "queue-trace: {gap}");
    }
    let damages: Vec<_> = damages.iter().map(ToString::to_string).collect();
    anyhow::ensure!(damages.is_empty(), "{}", damages.join("; "));
    Ok(())
}
