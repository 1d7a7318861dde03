//! Which backlog would have refused how many.

use anyhow::Result;
use maud::Markup;
use plotters::prelude::*;

use super::{Words, failed, figure, label, palette, top};
use crate::whatif::Answer;

/// The curve over the backlogs of an answer.
pub(in super::super) fn what_if(answer: &Answer) -> Result<Markup> {
    let told: Vec<_> = answer
        .backlogs
        .iter()
        .map(|(backlog, outlook)| format!("{} with {backlog}", outlook.refused))
        .collect();
    let words = Words {
        title: "Clients refused at first, by backlog",
        description: format!("Refused clients by backlog: {}.", told.join(", ")),
        legend: vec![("refused", "computed from arrivals and accepts as they were".to_owned())],
    };
    let refused = answer.backlogs.iter().map(|(_, outlook)| outlook.refused);
    let most = top(refused.clone().max().unwrap_or(0) as f64);
    let last = answer.backlogs.len() as i32;
    let points: Vec<_> =
        (0..last).map(SegmentValue::CenterOf).zip(refused.map(|count| count as f64)).collect();
    figure(&words, |area, _| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_right(20)
            .x_label_area_size(22)
            .y_label_area_size(46)
            .build_cartesian_2d((0..last - 1).into_segmented(), 0.0..most)
            .map_err(failed)?;
        let name = |place: &SegmentValue<i32>| match place {
            SegmentValue::CenterOf(place) => usize::try_from(*place)
                .ok()
                .and_then(|place| answer.backlogs.get(place))
                .map_or_else(String::new, |(backlog, _)| backlog.to_string()),
            _ => String::new(),
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(palette::LINE)
            .axis_style(palette::LINE)
            .label_style(label(area))
            .x_labels(answer.backlogs.len())
            .y_labels(5)
            .x_label_formatter(&name)
            .y_label_formatter(&|y| format!("{y}"))
            .draw()
            .map_err(failed)?;
        let line = LineSeries::new(points.clone(), palette::REFUSED.stroke_width(2));
        chart.draw_series(line).map_err(failed)?;
        let dots =
            points.iter().map(|point| Circle::new(point.clone(), 4, palette::REFUSED.filled()));
        chart.draw_series(dots).map_err(failed)?;
        Ok(())
    })
}
