//! The charts: static SVG within the page, without scripts.
//!
//! Each is drawn twice, wide and narrow, and the style sheet shows the one that fits: text that is scaled down
//! with its chart cannot be read on a phone. Colours become variables of the style sheet, which has light and
//! dark ones.

mod depth;
mod palette;
mod rates;
mod time;
mod waits;
mod what_if;

use anyhow::{Result, anyhow};
use maud::{Markup, PreEscaped, html};
use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::style::{IntoTextStyle, TextStyle};

pub(super) use depth::depth;
pub(super) use rates::rates;
pub(super) use waits::waits;
pub(super) use what_if::what_if;

/// Where a chart is drawn.
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// How large a chart is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Wide,
    Narrow,
}

impl Size {
    const fn class(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
        }
    }

    const fn pixels(self) -> (u32, u32) {
        match self {
            Self::Wide => (880, 240),
            Self::Narrow => (350, 220),
        }
    }

    /// How many labels the horizontal axis has room for.
    const fn labels(self) -> usize {
        match self {
            Self::Wide => 11,
            Self::Narrow => 5,
        }
    }
}

/// What a chart shows, in words.
struct Words {
    /// Its heading.
    title: &'static str,
    /// What is to be seen in it, for those who cannot see it.
    description: String,
    /// What its colours mean: class of the colour, and meaning.
    legend: Vec<(&'static str, String)>,
}

/// A chart with its heading and legend, drawn in both sizes.
fn figure(words: &Words, draw: impl Fn(&Area<'_>, Size) -> Result<()>) -> Result<Markup> {
    let [wide, narrow] = [Size::Wide, Size::Narrow].map(|size| svg(words, size, &draw));
    let (wide, narrow) = (wide?, narrow?);
    Ok(html! {
        figure {
            figcaption {
                strong { (words.title) }
                @for (class, meaning) in &words.legend {
                    " " span .key { span class={ "swatch " (class) } {} (meaning) }
                }
            }
            (wide) (narrow)
        }
    })
}

fn svg(
    words: &Words,
    size: Size,
    draw: &impl Fn(&Area<'_>, Size) -> Result<()>,
) -> Result<PreEscaped<String>> {
    let mut drawn = String::new();
    {
        let area = SVGBackend::with_string(&mut drawn, size.pixels()).into_drawing_area();
        draw(&area, size)?;
        area.present().map_err(failed)?;
    }
    let (_, inside) = drawn.split_once(">\n").ok_or_else(|| anyhow!("an empty chart"))?;
    let (width, height) = size.pixels();
    let head = html! { title { (words.title) } desc { (words.description) } }.into_string();
    Ok(PreEscaped(format!(
        "<svg role=\"img\" class=\"{}\" viewBox=\"0 0 {width} {height}\">{head}\n{}",
        size.class(),
        palette::with_variables(inside)
    )))
}

/// Drawing into memory fails only for a chart that cannot be: a defect, which is told and no panic.
fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw a chart: {error}")
}

/// Text within a chart.
fn label(area: &Area<'_>) -> TextStyle<'static> {
    ("sans-serif", 12).with_color(palette::INK).into_text_style(area)
}

/// Room above the highest value.
fn top(most: f64) -> f64 {
    (most * 1.12).max(1.0)
}
