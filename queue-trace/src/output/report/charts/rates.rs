//! Arrivals against accepts.

use anyhow::Result;
use maud::Markup;
use plotters::prelude::*;

use super::time::{self, Axis};
use super::{Words, failed, figure, palette, top};
use crate::model::{Stretch, Trail};

/// What came, what was accepted and what was refused, a second.
pub(in super::super) fn rates(trail: &Trail) -> Result<Markup> {
    // Short stretches make spikes of single connections.
    let trail = &trail.with_at_most(60);
    let rate = |count: u64| count as f64 * 1e9 / trail.length_ns() as f64;
    let most = |of: fn(&Stretch) -> u64| rate(trail.stretches().iter().map(of).max().unwrap_or(0));
    let kinds: [fn(&Stretch) -> u64; 3] = [|s| s.syns, |s| s.accepts, |s| s.refused];
    let [came, accepted, refused] = kinds.map(most);
    let words = Words {
        title: "Arrivals against accepts, per second",
        description: format!(
            "At most {came:.1} SYNs came in a second, {accepted:.1} connections were accepted, and {refused:.1} SYNs \
             and final ACKs were refused."
        ),
        legend: vec![
            ("came", "SYNs".to_owned()),
            ("accepted", "accepted".to_owned()),
            ("refused", "refused".to_owned()),
        ],
    };
    let axis = Axis::of(trail);
    let most = top(came.max(accepted).max(refused));
    figure(&words, |area, size| {
        let mut chart = time::chart(area, size, axis, most)?;
        let colours = [palette::CAME, palette::ACCEPTED, palette::REFUSED];
        for (kind, colour) in kinds.into_iter().zip(colours) {
            let middle = |place| axis.begin(trail, place) + axis.begin(trail, 1) / 2.0;
            let points = trail.stretches().iter().enumerate();
            let line = points.map(|(place, stretch)| (middle(place), rate(kind(stretch))));
            chart.draw_series(LineSeries::new(line, colour.stroke_width(2))).map_err(failed)?;
        }
        Ok(())
    })
}
