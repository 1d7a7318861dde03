//! Which backlog would have been enough, as people read it.

use std::io::{self, Write};

use super::units::Time;
use crate::model::Listener;
use crate::whatif::{Answer, Course, Faster, Outlook};

/// Writes the answer for one listener, which was watched for that long, nanoseconds.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(
    out: &mut impl Write,
    listener: &Listener,
    course: &Course,
    answer: &Answer,
    watched_ns: u64,
) -> io::Result<()> {
    let rate = |count: usize| count as f64 * 1e9 / watched_ns.max(1) as f64;
    let (arrivals, accepts) = (course.arrivals.len(), course.accepts.len());
    writeln!(out, "\n{}  limit {}, namespace {}", listener.name(), course.limit, listener.netns)?;
    writeln!(
        out,
        "  as it was         {arrivals} clients came ({:.1}/s), {} of them refused at first; {accepts} accepted \
         ({:.1}/s); peak depth {}",
        rate(arrivals),
        course.refused,
        rate(accepts),
        course.peak
    )?;
    writeln!(out, "  without a limit   peak depth {}", answer.unlimited.peak)?;
    for (backlog, outlook) in &answer.backlogs {
        write_outlook(out, &format!("backlog {backlog}"), outlook, "")?;
    }
    for faster in &answer.faster {
        let enough = match faster.overrun {
            true => "; no backlog would help".to_owned(),
            false => format!("; a backlog of {} would lose nothing", faster.enough),
        };
        write_outlook(out, &name(faster, course), &faster.outlook, &enough)?;
    }
    if course.left_out > 0 {
        writeln!(out, "  {} clients came beyond what is taken in", course.left_out)?;
    }
    if answer.overrun {
        writeln!(
            out,
            "  No backlog helps: connections are accepted more slowly than they come, and {} would still wait at \
             the end. Accept faster.",
            answer.unlimited.waiting
        )
    } else if answer.enough > u64::from(course.limit) {
        writeln!(out, "  A backlog of {} would have lost nothing.", answer.enough)
    } else {
        writeln!(
            out,
            "  The limit is enough: a backlog of {} would have lost nothing.",
            answer.enough
        )
    }
}

fn name(faster: &Faster, course: &Course) -> String {
    if faster.one_more_worker {
        format!("{} workers", course.workers.max(1) + 1)
    } else {
        format!("accepts ×{}", faster.speed.times)
    }
}

fn write_outlook(
    out: &mut impl Write,
    name: &str,
    outlook: &Outlook,
    more: &str,
) -> io::Result<()> {
    let waits = &outlook.waits;
    write!(out, "  {name:<17} refused {}", outlook.refused)?;
    if waits.count() > 0 {
        let [half, nearly_all] = [0.5, 0.99].map(|share| Time(waits.quantile(share)));
        write!(out, "; waits p50 {half}, p99 {nearly_all}, max {}", Time(waits.max()))?;
    }
    writeln!(out, "{more}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{golden, sample};
    use crate::whatif::answer;

    #[test]
    fn an_answer_looks_as_agreed() {
        const MILLI: u64 = 1_000_000;
        let enough = Course {
            arrivals: (0..40).map(|n| n * MILLI).collect(),
            entries: vec![0, 10 * MILLI, 20 * MILLI],
            accepts: vec![10 * MILLI, 20 * MILLI, 30 * MILLI],
            refused: 37,
            limit: 0,
            peak: 1,
            workers: 1,
            left_out: 0,
        };
        let never = Course { accepts: vec![], workers: 0, left_out: 7, ..enough.clone() };
        let roomy = Course { limit: 4096, ..enough.clone() };
        let mut out = Vec::new();
        for course in [enough, never, roomy] {
            let answer = answer(&course, 1000 * MILLI);
            write(&mut out, &sample::listener(), &course, &answer, 1000 * MILLI).unwrap();
        }
        golden::check("output/what_if.txt", &out);
    }
}
