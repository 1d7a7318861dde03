//! The depth of the accept queue against its limit, with refusals marked.

use anyhow::Result;
use maud::Markup;
use plotters::prelude::*;

use super::time::{self, Axis};
use super::{Words, failed, figure, palette, top};
use crate::model::Trail;

/// The timeline of a listener's accept queue.
pub(in super::super) fn depth(trail: &Trail) -> Result<Markup> {
    let limits = limits(trail);
    let peak = trail.stretches().iter().map(|stretch| stretch.accept_peak).max().unwrap_or(0);
    let limit = limits.iter().copied().max().unwrap_or(0);
    // A limit far above the queue would make a flat line of it.
    let far = limit / 20 > peak;
    let refused = trail.stretches().iter().filter(|stretch| stretch.refused > 0).count();
    let words = Words {
        title: "Depth of the accept queue",
        description: format!(
            "Greatest depth in each of {} stretches of time: at most {peak}, against a limit of {limit}. \
             Connections were refused in {refused} of the stretches.",
            trail.stretches().len()
        ),
        legend: vec![
            ("depth", "connections waiting".to_owned()),
            ("limit", if far { format!("limit: {limit}, far above") } else { "limit".to_owned() }),
            ("refused", "refusals".to_owned()),
        ],
    };
    let axis = Axis::of(trail);
    let most = top(f64::from(if far { peak } else { peak.max(limit) }));
    figure(&words, |area, size| {
        let mut chart = time::chart(area, size, axis, most)?;
        let line = steps(trail, axis, |place| f64::from(trail.stretches()[place].accept_peak));
        let mut below = line.clone();
        below.extend([(axis.end, 0.0), (0.0, 0.0)]);
        chart.draw_series([Polygon::new(below, palette::DEPTH.mix(0.25))]).map_err(failed)?;
        chart
            .draw_series([PathElement::new(line, palette::DEPTH.stroke_width(2))])
            .map_err(failed)?;
        let limit = steps(trail, axis, |place| f64::from(limits[place]));
        let limit = DashedLineSeries::new(limit, 6, 4, palette::LIMIT.stroke_width(2));
        if !far {
            chart.draw_series(limit).map_err(failed)?;
        }
        // One mark for what lies side by side.
        chart
            .draw_series(refusals(trail).into_iter().map(|(from, to)| {
                let (from, to) = (axis.begin(trail, from), axis.begin(trail, to));
                Rectangle::new([(from, most), (to, most * 0.96)], palette::REFUSED.filled())
            }))
            .map_err(failed)?;
        Ok(())
    })
}

/// The limit in each stretch: what it was when something last happened; in the first ones what it was then.
fn limits(trail: &Trail) -> Vec<u32> {
    let known = trail.stretches().iter().map(|stretch| stretch.limit);
    let mut last = known.clone().find(|limit| *limit != 0).unwrap_or(0);
    known
        .map(|limit| {
            if limit != 0 {
                last = limit;
            }
            last
        })
        .collect()
}

/// A line that keeps its value for the whole of each stretch.
fn steps(trail: &Trail, axis: Axis, value: impl Fn(usize) -> f64) -> Vec<(f64, f64)> {
    let mut line: Vec<(f64, f64)> = Vec::new();
    for place in 0..trail.stretches().len() {
        let value = value(place);
        let before = line.last().map(|(_, before)| *before);
        if before != Some(value) {
            line.extend(before.map(|before| (axis.begin(trail, place), before)));
            line.push((axis.begin(trail, place), value));
        }
    }
    line.extend(line.last().map(|(_, last)| (axis.end, *last)));
    line
}

/// The stretches in which there were refusals, those side by side as one: first, and the one behind the last.
fn refusals(trail: &Trail) -> Vec<(usize, usize)> {
    let mut marks: Vec<(usize, usize)> = Vec::new();
    for (place, stretch) in trail.stretches().iter().enumerate() {
        match marks.last_mut() {
            _ if stretch.refused == 0 => {}
            Some((_, end)) if *end == place => *end = place + 1,
            _ => marks.push((place, place + 1)),
        }
    }
    marks
}
