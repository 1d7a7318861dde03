//! The tables, in Markdown.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::Size;
use super::entering::Empty;
use super::sample::{Sample, Scenario, Tracer};

/// Less than that is noise: a watcher that adds no more does not see the load.
const NOISE: f64 = 40.0;

/// What was measured on a kernel.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    /// As on the command line.
    pub(super) kernel: String,
    /// As `uname -r` prints it.
    pub(super) release: String,
    /// Everything that the load generator reported.
    pub(super) samples: Vec<Sample>,
}

/// Prints what a connection costs by how many listeners there are.
pub(super) fn print_growth(rows: &[(Size, Figures)]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let release = rows.first().map_or("", |(_, figures)| &figures.release);
    writeln!(out, "### Linux {release}\n")?;
    writeln!(
        out,
        "| listeners | CPUs | nothing | counting | counting's programs |\n|---:|---:|---:|---:|---:|"
    )?;
    for (Size { listeners, cpus }, figures) in rows {
        let number = |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.0}"));
        let load = Scenario::Connection;
        writeln!(
            out,
            "| {listeners} | {cpus} | {} | +{} | {} |",
            number(figures.alone(load)),
            number(figures.added(Tracer::Counting, load)),
            number(figures.of_programs(Tracer::Counting, load)),
        )?;
    }
    writeln!(out)
}

impl Figures {
    /// Instructions per operation with nothing attached.
    fn alone(&self, scenario: Scenario) -> Option<f64> {
        median(self.costs(scenario).map(|(_, alone, ..)| alone))
    }

    /// Instructions that a watcher adds to an operation, its process included.
    pub(super) fn added(&self, tracer: Tracer, scenario: Scenario) -> Option<f64> {
        median(self.costs(scenario).filter(|cost| cost.0 == tracer).map(|cost| cost.2 - cost.1))
    }

    /// Instructions of a watcher's programs for an operation, the kernel's own for measuring them included: the
    /// same on each run, where the whole varies with the kernel's random numbers.
    pub(super) fn of_programs(&self, tracer: Tracer, scenario: Scenario) -> Option<f64> {
        let parts = self.parts(tracer);
        let parts: Vec<_> = parts.values().filter_map(|of| of.get(&scenario)).collect();
        (!parts.is_empty()).then(|| parts.iter().map(|part| part.instructions).sum())
    }

    /// Those of them that its process takes.
    fn reader(&self, tracer: Tracer, scenario: Scenario) -> Option<f64> {
        median(self.costs(scenario).filter(|cost| cost.0 == tracer).map(|cost| cost.3))
    }

    fn costs(&self, wanted: Scenario) -> impl Iterator<Item = (Tracer, f64, f64, f64)> {
        self.samples.iter().filter_map(move |sample| match sample {
            Sample::Cost { tracer, scenario, alone, traced, reader } if *scenario == wanted => {
                Some((*tracer, *alone, *traced, *reader))
            }
            _ => None,
        })
    }

    /// Runs and instructions of each of a watcher's programs, per operation.
    fn parts(&self, wanted: Tracer) -> BTreeMap<&str, BTreeMap<Scenario, Part>> {
        let mut parts = BTreeMap::<_, BTreeMap<_, Part>>::new();
        for sample in &self.samples {
            if let Sample::Program { tracer, scenario, name, runs, instructions } = sample
                && *tracer == wanted
            {
                // Names that were cut may be the same.
                let part = parts.entry(name.as_str()).or_default().entry(*scenario).or_default();
                part.runs += runs;
                part.instructions += instructions;
            }
        }
        parts
    }

    /// Instructions inside a watcher's programs, per operation.
    fn inside(&self, tracer: Tracer, scenario: Scenario) -> Option<f64> {
        let (clock, parts) = (self.clock()?, self.parts(tracer));
        let parts = parts.values().filter_map(|scenarios| scenarios.get(&scenario));
        Some(parts.map(|part| part.instructions - clock * part.runs).sum())
    }

    /// What the kernel's measurement of a program takes itself: all there is to see of an empty one.
    fn clock(&self) -> Option<f64> {
        let parts = self.parts(Tracer::Floor);
        let all = || parts.values().flat_map(BTreeMap::values);
        let runs: f64 = all().map(|part| part.runs).sum();
        (runs > 0.0).then(|| all().map(|part| part.instructions).sum::<f64>() / runs)
    }
}

/// A program's part in an operation.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    runs: f64,
    instructions: f64,
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// Prints everything about a kernel.
pub(super) fn print(figures: &Figures) -> io::Result<()> {
    let out = &mut io::stdout().lock();
    writeln!(out, "### Linux {}\n", figures.release)?;
    costs(out, figures)?;
    ratios(out, figures)?;
    streaming(out, figures)?;
    loaded(out, figures)?;
    parts(out, figures)
}

fn costs(out: &mut impl Write, figures: &Figures) -> io::Result<()> {
    writeln!(out, "Instructions per operation alone, and what each watcher adds:\n")?;
    let head = Tracer::ALL.map(Tracer::name);
    header(out, "per", &[&["nothing"], &head[..]].concat())?;
    for scenario in Scenario::ALL {
        let alone = figures.alone(scenario).map_or("–".into(), |value| grouped(value, ""));
        let added = Tracer::ALL.map(|tracer| {
            figures.added(tracer, scenario).map_or("–".into(), |value| grouped(value, "+"))
        });
        row(out, scenario.name(), &[&[alone], &added[..]].concat())?;
    }
    for sample in &figures.samples {
        if let Sample::Missing { tracer, scenario, reason } = sample {
            let load = scenario.map_or(String::new(), |load| format!(" for a {}", load.name()));
            writeln!(out, "\nNo {}{load} here: {reason}", tracer.name())?;
        }
    }
    writeln!(out)
}

fn ratios(out: &mut impl Write, figures: &Figures) -> io::Result<()> {
    let peers = [Tracer::Tcpsynbl, Tracer::BpftraceKprobe, Tracer::BpftraceKfunc];
    let names = peers.map(|peer| format!("÷ {}", peer.name()));
    writeln!(out, "Counting, held against them:\n")?;
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    header(out, "per", &[&["of nothing", "over the floor"], &names[..]].concat())?;
    for scenario in Scenario::ALL {
        let Some(added) = figures.added(Tracer::Counting, scenario) else { continue };
        let of = figures
            .alone(scenario)
            .map_or("–".into(), |alone| format!("{:+.1} %", 100.0 * added / alone));
        let floor = figures.added(Tracer::Floor, scenario);
        let over = floor.map_or("–".into(), |floor| grouped(added - floor, "+"));
        let by = peers.map(|peer| match figures.added(peer, scenario) {
            Some(value) if value > NOISE => format!("{:.2}", added / value),
            Some(_) => "does not see it".into(),
            None => "–".into(),
        });
        row(out, scenario.name(), &[&[of, over], &by[..]].concat())?;
    }
    writeln!(out)
}

fn streaming(out: &mut impl Write, figures: &Figures) -> io::Result<()> {
    writeln!(out, "Streaming, instructions per event over counting:\n")?;
    let columns = ["events", "in the programs", "altogether", "of these in the reader's process"];
    header(out, "per", &columns)?;
    for scenario in Scenario::ALL {
        let events = scenario.events();
        let over = |get: &dyn Fn(Tracer) -> Option<f64>| {
            let counting = get(Tracer::Counting)?;
            get(Tracer::Streaming).map(|streaming| (streaming - counting) / events)
        };
        if let (Some(inside), Some(altogether), Some(reader)) = (
            over(&|tracer| figures.inside(tracer, scenario)),
            over(&|tracer| figures.added(tracer, scenario)),
            over(&|tracer| figures.reader(tracer, scenario)),
        ) {
            let cells = [inside, altogether, reader].map(|value| grouped(value, "+"));
            row(out, scenario.name(), &[&[format!("{events:.0}")], &cells[..]].concat())?;
        }
    }
    writeln!(out)
}

fn loaded(out: &mut impl Write, figures: &Figures) -> io::Result<()> {
    writeln!(out, "In the kernel:\n")?;
    header(out, "watcher", &["programs", "verified instructions", "JITed bytes", "map bytes"])?;
    for sample in &figures.samples {
        if let Sample::Loaded { tracer, programs, verified, jited_bytes, map_bytes } = sample {
            let cells =
                [programs, verified, jited_bytes, map_bytes].map(|n| grouped(*n as f64, ""));
            row(out, tracer.name(), &cells)?;
        }
    }
    writeln!(out)
}

fn parts(out: &mut impl Write, figures: &Figures) -> io::Result<()> {
    let (mut parts, Some(clock)) = (figures.parts(Tracer::Counting), figures.clock()) else {
        return Ok(());
    };
    writeln!(
        out,
        "Counting's programs, instructions per operation (runs); the kernel's own {clock:.0} for \
         measuring a run are taken off:\n"
    )?;
    header(out, "program", &Scenario::ALL.map(Scenario::name))?;
    let mut sums = [0.0; Scenario::ALL.len()];
    for scenarios in parts.values_mut() {
        // What others in the guest do is not the load's.
        scenarios.retain(|_, part| part.runs > 0.05);
        for (scenario, part) in scenarios {
            part.instructions -= clock * part.runs;
            sums[*scenario as usize] += part.instructions;
        }
    }
    let mut rows: Vec<_> = parts.iter().filter(|(_, scenarios)| !scenarios.is_empty()).collect();
    let all = |scenarios: &BTreeMap<_, Part>| {
        scenarios.values().map(|part| part.instructions).sum::<f64>()
    };
    rows.sort_by(|one, other| all(other.1).total_cmp(&all(one.1)));
    for (name, scenarios) in rows {
        let cells = Scenario::ALL.map(|scenario| {
            let part = scenarios.get(&scenario);
            part.map_or(String::new(), |part| {
                format!("{:.0} ({:.1})", part.instructions, part.runs)
            })
        });
        row(out, name, &cells)?;
    }
    row(out, "all", &sums.map(|sum| grouped(sum, "")))?;
    together(out, figures, &parts, &sums)?;
    writeln!(out)
}

/// Adds what entering the programs takes to what they take themselves.
fn together(
    out: &mut impl Write,
    figures: &Figures,
    parts: &BTreeMap<&str, BTreeMap<Scenario, Part>>,
    inside: &[f64; Scenario::ALL.len()],
) -> io::Result<()> {
    let Some(empty) = Empty::of(&figures.samples) else { return Ok(()) };
    let entering = Scenario::ALL.map(|scenario| {
        let runs = parts.iter().filter_map(|(name, of)| Some((*name, of.get(&scenario)?.runs)));
        empty.entering(runs)
    });
    row(out, "entering and leaving them", &entering.map(|sum| grouped(sum, "")))?;
    let together = Scenario::ALL.map(|scenario| {
        let sum = entering[scenario as usize] + inside[scenario as usize];
        let part = figures.alone(scenario).map(|alone| format!(" ({:.1} %)", 100.0 * sum / alone));
        grouped(sum, "") + &part.unwrap_or_default()
    });
    row(out, "together (of nothing)", &together)?;
    writeln!(out, "\n{}", empty.told())
}

fn header(out: &mut impl Write, first: &str, others: &[&str]) -> io::Result<()> {
    writeln!(out, "| {first} | {} |", others.join(" | "))?;
    writeln!(out, "|---|{}", "---:|".repeat(others.len()))
}

fn row(out: &mut impl Write, first: &str, others: &[String]) -> io::Result<()> {
    writeln!(out, "| {first} | {} |", others.join(" | "))
}

/// A whole number with its thousands apart; `plus` stands before what is not negative.
fn grouped(value: f64, plus: &str) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value < -0.5 { "−" } else { plus });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{grouped, median};

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(grouped(1_234_567.4, "+"), "+1,234,567");
        assert_eq!(grouped(999.6, ""), "1,000");
        assert_eq!(grouped(-12_345.0, "+"), "−12,345");
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median([3.0, 1.0].into_iter()), Some(2.0));
        assert_eq!(median([3.0, 1.0, 9.0].into_iter()), Some(3.0));
        assert_eq!(median(std::iter::empty()), None);
    }
}
