//! How long accepted connections had waited, as a heat map over time.

use anyhow::Result;
use maud::Markup;
use plotters::prelude::*;
use queue_trace_common::below_ns;

use super::time::Axis;
use super::{Size, Words, failed, figure, label, palette};
use crate::model::Trail;
use crate::output::units::Time;

/// The heat map of a listener's waits; nothing if no connection was accepted.
pub(in super::super) fn waits(trail: &Trail) -> Result<Option<Markup>> {
    let all = trail.sum().waits;
    let (Some(first), Some(last)) = (all.keys().next(), all.keys().next_back()) else {
        return Ok(None);
    };
    let (first, last) = (i32::from(*first), i32::from(*last) + 1);
    let words = Words {
        title: "Waits in the accept queue over time",
        description: format!(
            "{} connections were accepted after waits from {} up to {}.",
            all.values().sum::<u64>(),
            begin(first),
            begin(last)
        ),
        legend: vec![("wait", "the stronger, the more connections waited so long".to_owned())],
    };
    let drawn = figure(&words, |area, size| {
        let trail = &trail.with_at_most(if size == Size::Wide { 60 } else { 30 });
        let axis = Axis::of(trail);
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_right(20)
            .x_label_area_size(22)
            .y_label_area_size(62)
            .build_cartesian_2d(0.0..axis.end, first..last)
            .map_err(failed)?;
        let counts = trail.stretches().iter().flat_map(|stretch| stretch.waits.values());
        let most = counts.copied().max().unwrap_or(1);
        let cells = trail.stretches().iter().enumerate().flat_map(|(place, stretch)| {
            let (from, to) = (axis.begin(trail, place), axis.begin(trail, place + 1));
            stretch.waits.iter().map(move |(bucket, count)| {
                let bucket = i32::from(*bucket);
                let colour = palette::WAIT.mix(heat(*count, most)).filled();
                Rectangle::new([(from, bucket), (to, bucket + 1)], colour)
            })
        });
        chart.draw_series(cells).map_err(failed)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .axis_style(palette::LINE)
            .label_style(label(area))
            .x_labels(size.labels())
            .y_labels(8)
            .x_label_formatter(&|x| axis.label(*x))
            .y_label_formatter(&|bucket| begin(*bucket))
            .draw()
            .map_err(failed)?;
        Ok(())
    })?;
    Ok(Some(drawn))
}

/// Where a bucket begins.
fn begin(bucket: i32) -> String {
    let before = usize::try_from(bucket).ok().and_then(|bucket| bucket.checked_sub(1));
    Time(before.and_then(below_ns).unwrap_or(0)).to_string()
}

/// One of five shades, by the order of magnitude: a few long waits are to be seen beside many short ones.
fn heat(count: u64, most: u64) -> f64 {
    const SHADES: [f64; 5] = [0.2, 0.4, 0.6, 0.8, 1.0];
    let share = (count as f64 + 1.0).ln() / (most as f64 + 1.0).ln();
    let place = (share * SHADES.len() as f64).ceil() as usize;
    SHADES.get(place.saturating_sub(1)).copied().unwrap_or(1.0)
}
