//! `queue-trace listeners`: one table, now, without BPF.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write;
use std::str::FromStr;

use anyhow::bail;

use crate::output::listeners::{write_json, write_text};
use crate::procfs::{Namespace, Owners, reachable};
use crate::source::{Census, Contents};

/// Arguments of `queue-trace listeners`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  queue-trace listeners --port 443
  queue-trace listeners --format json | jq 'select(.accept_queue_full)'

Any user may look; owners of other users' sockets and other network namespaces need root.")]
pub struct ListenersArgs {
    #[cfg(feature = "record")]
    /// Show the listeners as they were at the end of this recording, instead of now
    #[arg(long, value_name = "FILE")]
    pub input: Option<std::path::PathBuf>,
    /// A table for people, or one JSON object a line and listener
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Show only listeners on this port; may be given several times
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Vec<u16>,
    /// Network namespaces to look into: all, own, an inode number, or a name as of `ip netns`
    #[arg(long, value_name = "all|own|INODE|NAME", default_value = "all")]
    pub netns: Netns,
}

/// How to show the listeners.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// An aligned table.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Which network namespaces to look into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Netns {
    /// Every one that can be found and entered.
    All,
    /// The one this program runs in.
    Own,
    /// The one with this inode.
    Inode(u64),
    /// The one with this name.
    Name(String),
}

impl FromStr for Netns {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match (text, text.parse()) {
            ("all", _) => Self::All,
            ("own", _) => Self::Own,
            (_, Ok(inode)) => Self::Inode(inode),
            (name, Err(_)) => Self::Name(name.into()),
        })
    }
}

/// Writes the listeners to `out`, and to standard error what could not be seen.
///
/// # Errors
///
/// When the one namespace asked for is not there or cannot be read, when none can be read, or when
/// `out` cannot be written to.
pub fn run(args: &ListenersArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let mut notes = Vec::new();
    #[cfg(feature = "record")]
    let report = match &args.input {
        Some(file) => recorded(args, file)?,
        None => gather(args, &mut notes)?,
    };
    #[cfg(not(feature = "record"))]
    let report = gather(args, &mut notes)?;
    match args.format {
        Format::Text => write_text(&report, out)?,
        Format::Json => write_json(&report, out)?,
    }
    out.flush()?;
    for note in notes {
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(std::io::stderr(), "queue-trace: {note}");
    }
    Ok(())
}

/// What a recording has of what was asked for.
#[cfg(feature = "record")]
fn recorded(args: &ListenersArgs, file: &std::path::Path) -> anyhow::Result<Census> {
    let mut recording = crate::source::Recording::open(file)?;
    while recording.advance(|_, _| true)? {}
    super::replay::told(&recording)?;
    let Some(mut census) = recording.census() else {
        bail!("{} has no list of listeners: a later queue-trace records it", file.display());
    };
    census.namespaces.retain(|contents| match &args.netns {
        Netns::All => true,
        Netns::Own => contents.own,
        Netns::Inode(inode) => contents.namespace.inode == *inode,
        Netns::Name(name) => contents.namespace.name.as_ref() == Some(name),
    });
    if census.namespaces.is_empty() {
        bail!("that network namespace is not in the recording");
    }
    for contents in &mut census.namespaces {
        contents.listeners.retain(|one| args.port.is_empty() || args.port.contains(&one.port));
    }
    Ok(census)
}

fn gather(args: &ListenersArgs, notes: &mut Vec<String>) -> anyhow::Result<Census> {
    let own = Namespace::own()?.inode;
    let mut report = Census::default();
    let mut skipped: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for namespace in choose(&args.netns, notes)? {
        match Contents::read(&namespace, namespace.inode == own, &args.port, true) {
            Ok(contents) => report.namespaces.push(contents),
            Err(error) if matches!(args.netns, Netns::All) && namespace.inode != own => {
                skipped.entry(error.to_string()).or_default().push(label(&namespace));
            }
            Err(error) => {
                let namespace = label(&namespace);
                let shown = format!("network namespace {namespace} is not shown");
                return Err(anyhow::Error::new(error).context(shown));
            }
        }
    }
    notes.extend(skipped.iter().map(|(error, namespaces)| skipped_note(error, namespaces)));
    let inodes = report.inodes();
    let owners = Owners::scan(&inodes)?;
    let unseen = inodes.iter().filter(|inode| owners.of(**inode).is_empty()).count();
    if unseen > 0 && owners.unreadable > 0 {
        notes.push(format!(
            "owners of {} are not visible {}",
            counted(unseen, "listener", "listeners"),
            limits()
        ));
    }
    report.owners = owners;
    if is_empty(&report) && args.format == Format::Json {
        notes.push("no TCP listeners".into());
    }
    Ok(report)
}

fn is_empty(report: &Census) -> bool {
    report.namespaces.iter().all(|contents| contents.listeners.is_empty())
}

/// The namespaces to look into.
fn choose(netns: &Netns, notes: &mut Vec<String>) -> anyhow::Result<Vec<Namespace>> {
    let reachable = reachable()?;
    let hidden = reachable.unreadable;
    let mut namespaces = reachable.namespaces;
    match netns {
        Netns::All if hidden > 0 => notes.push(format!(
            "network namespaces of {} are not visible {}; listeners there are not shown",
            counted(hidden, "process", "processes"),
            limits()
        )),
        Netns::All => {}
        Netns::Own => namespaces.truncate(1),
        Netns::Inode(inode) => namespaces.retain(|namespace| namespace.inode == *inode),
        Netns::Name(name) => namespaces.retain(|namespace| namespace.name.as_ref() == Some(name)),
    }
    match netns {
        _ if !namespaces.is_empty() => Ok(namespaces),
        Netns::Inode(inode) => {
            bail!("no network namespace {inode} is visible: `lsns -t net`, run as root, lists them")
        }
        Netns::Name(name) => bail!("no network namespace {name}: `ip netns` lists the names"),
        Netns::All | Netns::Own => bail!("no network namespace is visible: is /proc mounted?"),
    }
}

fn label(namespace: &Namespace) -> String {
    match &namespace.name {
        Some(name) => format!("{} ({name:?})", namespace.inode),
        None => namespace.inode.to_string(),
    }
}

/// One note for all namespaces that were skipped for the same reason.
fn skipped_note(error: &str, namespaces: &[String]) -> String {
    /// More than this are counted only.
    const NAMED: usize = 5;
    let named = namespaces[..namespaces.len().min(NAMED)].join(", ");
    let rest = namespaces.len().saturating_sub(NAMED);
    let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("not shown: network namespace {named}{rest}: {error}")
}

/// Why `/proc/PID` keeps something to itself.
fn limits() -> &'static str {
    if rustix::process::geteuid().is_root() {
        "even to root here (a container, or a security module)"
    } else {
        "without root (CAP_SYS_PTRACE)"
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_chosen_by_word_number_or_name() {
        let choices = [
            ("all", Netns::All),
            ("own", Netns::Own),
            ("4026531840", Netns::Inode(4_026_531_840)),
            ("blue", Netns::Name("blue".into())),
        ];
        for (text, choice) in choices {
            assert_eq!(text.parse::<Netns>().unwrap(), choice);
        }
    }

    #[test]
    fn many_skipped_namespaces_make_one_line() {
        let namespaces: Vec<_> = (1..=7).map(|n| n.to_string()).collect();
        assert_eq!(
            skipped_note("gone", &namespaces),
            "not shown: network namespace 1, 2, 3, 4, 5 and 2 more: gone"
        );
        assert_eq!(skipped_note("gone", &namespaces[..1]), "not shown: network namespace 1: gone");
    }
}
