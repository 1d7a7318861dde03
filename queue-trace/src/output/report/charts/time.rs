//! Charts over time.

use anyhow::Result;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::{Area, Size, failed, label, palette};
use crate::model::Trail;

/// Seconds, minutes or hours since the beginning, whichever gives small numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    unit_ns: f64,
    name: &'static str,
    /// Where it ends, in its unit.
    pub(super) end: f64,
}

impl Axis {
    /// The axis of a trail.
    pub(super) fn of(trail: &Trail) -> Self {
        let length_ns = trail.length_ns() as f64 * trail.stretches().len() as f64;
        let (unit_ns, name) = match length_ns / 1e9 {
            ..180.0 => (1e9, "s"),
            ..10_800.0 => (60e9, "min"),
            _ => (3_600e9, "h"),
        };
        Self { unit_ns, name, end: (length_ns / unit_ns).max(1e-9) }
    }

    /// Where the stretch of a trail with this number begins.
    pub(super) fn begin(self, trail: &Trail, stretch: usize) -> f64 {
        stretch as f64 * trail.length_ns() as f64 / self.unit_ns
    }

    /// A label.
    pub(super) fn label(self, value: f64) -> String {
        let rounded = (value * 1000.0).round() / 1000.0;
        format!("{rounded} {}", self.name)
    }
}

/// A chart of numbers over time, with its axes and nothing in it yet.
pub(super) fn chart<'a, 'b>(
    area: &'b Area<'a>,
    size: Size,
    axis: Axis,
    most: f64,
) -> Result<ChartContext<'b, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>> {
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .margin_right(20)
        .x_label_area_size(22)
        .y_label_area_size(46)
        .build_cartesian_2d(0.0..axis.end, 0.0..most)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(palette::LINE)
        .axis_style(palette::LINE)
        .label_style(label(area))
        .x_labels(size.labels())
        .y_labels(5)
        .x_label_formatter(&|x| axis.label(*x))
        .y_label_formatter(&|y| format!("{y}"))
        .draw()
        .map_err(failed)?;
    Ok(chart)
}
