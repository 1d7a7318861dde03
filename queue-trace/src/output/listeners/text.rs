//! The table for people.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::{bracketed, device, rows};
use crate::netlink::Listener;
use crate::output::owners;
use crate::procfs::Owner;
use crate::source::{Census, Contents};

const HEADER: [&str; 7] =
    ["ADDRESS", "PORT", "NETNS", "ACCEPT QUEUE", "HALF-OPEN", "DROPS", "OWNER"];

/// Columns of numbers, which stand to the right.
const NUMBERS: [usize; 3] = [1, 4, 5];

/// Writes the table, what its marks mean, and the settings of each namespace that is in it.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write_text(report: &Census, out: &mut impl Write) -> io::Result<()> {
    if rows(report).next().is_none() {
        return writeln!(out, "no TCP listeners");
    }
    writeln!(out, "{}\n", table(report).trim_fmt())?;
    if rows(report).any(|(_, listener)| listener.full()) {
        writeln!(out, "FULL: the next connection is refused; limit + 1 connections fit")?;
    }
    if rows(report).any(|(contents, listener)| contents.syn_queues.of(listener).shared_by > 1) {
        writeln!(
            out,
            "group: of a whole SO_REUSEPORT group; the kernel does not tell of its members"
        )?;
    }
    writeln!(out, "DROPS: every packet the listener discarded (sk_drops), not only overflows\n")?;
    for contents in &report.namespaces {
        if !contents.listeners.is_empty() {
            writeln!(out, "{}", settings(contents))?;
        }
    }
    Ok(())
}

fn table(report: &Census) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(HEADER);
    for (contents, listener) in rows(report) {
        table.add_row(row(contents, listener, report.owners.of(listener.inode)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
        if NUMBERS.contains(&column.index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn row(contents: &Contents, listener: &Listener, owners: &[Owner]) -> [String; HEADER.len()] {
    let device = device(contents, listener).map_or_else(String::new, |device| format!("%{device}"));
    let full = if listener.full() { " FULL" } else { "" };
    let half_open = contents.syn_queues.of(listener);
    let group = if half_open.shared_by > 1 { "group " } else { "" };
    [
        printable(&format!("{}{device}", bracketed(listener.address))),
        listener.port.to_string(),
        namespace_label(contents),
        format!("{}/{}{full}", listener.depth, listener.limit),
        format!("{group}{}", half_open.count),
        listener.drops.map_or_else(|| "?".into(), |drops| drops.to_string()),
        owners::label(owners.iter().map(|owner| &owner.process)).unwrap_or_else(|| "-".into()),
    ]
}

fn namespace_label(contents: &Contents) -> String {
    match &contents.namespace.name {
        Some(name) => printable(name),
        None => contents.namespace.inode.to_string(),
    }
}

/// The line about a namespace.
fn settings(contents: &Contents) -> String {
    let namespace = &contents.namespace;
    let name = namespace.name.as_deref().map_or_else(String::new, |name| printable(name) + " ");
    let own = if contents.own { " (this one)" } else { "" };
    let values: Vec<_> = contents
        .sysctls
        .entries()
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", (*value)?)))
        .collect();
    let orphans = match contents.syn_queues.unattributed {
        0 => String::new(),
        count => format!("; {count} half-open at no listener of this namespace"),
    };
    format!("netns {name}{}{own}: {}{orphans}", namespace.inode, values.join(" "))
}

/// Processes choose their names: none may move the cursor or break the line.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
