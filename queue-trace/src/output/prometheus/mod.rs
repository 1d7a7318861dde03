//! The metrics as Prometheus reads them.

mod accept;

use std::fmt::Write;

use queue_trace_common::{Histogram, below_ns};

use super::metrics::{self, BOUNDS, Kind, Label, Metric, Value, View};

/// A way to write them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own text, version 0.0.4.
    Text,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The one that a reader likes best by its header `Accept`; text if it does not say.
    #[must_use]
    pub fn negotiate(accept: Option<&str>) -> Self {
        accept.map_or(Self::Text, accept::choose)
    }

    /// The header `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Writes all metrics that have points.
#[must_use]
pub fn write(format: Format, view: &View<'_>) -> String {
    let mut page = Page { format, out: String::new() };
    for metric in metrics::all() {
        let name = series(metric);
        let mut first = true;
        (metric.read)(view, &mut |place, labels, value| {
            if std::mem::take(&mut first) {
                page.head(metric);
            }
            page.point(&name, place, labels, value);
        });
    }
    if format == Format::OpenMetrics {
        page.out.push_str("# EOF\n");
    }
    page.out
}

/// The name under which a metric's points stand; those of histograms get their own suffixes.
#[must_use]
pub fn series(metric: &Metric) -> String {
    let suffix = match metric.kind {
        Kind::Counter => "_total",
        Kind::Info => "_info",
        Kind::Gauge | Kind::Histogram => "",
    };
    format!("{}{suffix}", metric.name)
}

/// The text as it grows. Writing to memory cannot fail, so what `write!` answers is of no interest.
struct Page {
    format: Format,
    out: String,
}

impl Page {
    fn head(&mut self, metric: &Metric) {
        let open = self.format == Format::OpenMetrics;
        let name = if open { metric.name.to_owned() } else { series(metric) };
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Info if open => "info",
            Kind::Gauge | Kind::Info => "gauge",
            Kind::Histogram => "histogram",
        };
        let _ = write!(self.out, "# HELP {name} ");
        self.escaped(metric.help, open);
        let _ = writeln!(self.out, "\n# TYPE {name} {kind}");
        if open && !metric.unit.is_empty() {
            let _ = writeln!(self.out, "# UNIT {name} {}", metric.unit);
        }
    }

    fn point(&mut self, name: &str, place: &[Label<'_>], labels: &[Label<'_>], value: Value<'_>) {
        match value {
            Value::Count(count) => {
                self.name(name, "", place, labels, None);
                self.count(count);
            }
            Value::Level(level) => {
                self.name(name, "", place, labels, None);
                let _ = writeln!(self.out, "{level}");
            }
            Value::Times(times) => self.times(name, place, labels, times),
        }
    }

    fn count(&mut self, count: u64) {
        self.out.push_str(itoa::Buffer::new().format(count));
        self.out.push('\n');
    }

    /// Buckets that each have all shorter times in them, the sum and the count.
    fn times(&mut self, name: &str, place: &[Label<'_>], labels: &[Label<'_>], times: &Histogram) {
        for bound in BOUNDS {
            let below: u64 = times.buckets.iter().take(bound + 1).sum();
            // The longest time in the kernel's bucket is a nanosecond shorter; nobody measures that.
            let end = below_ns(bound).map(|ns| (ns as f64 / 1e9).to_string());
            self.name(name, "_bucket", place, labels, end.as_deref());
            self.count(below);
        }
        let count = times.count();
        self.name(name, "_bucket", place, labels, Some("+Inf"));
        self.count(count);
        self.name(name, "_sum", place, labels, None);
        let _ = writeln!(self.out, "{}", times.sum_ns as f64 / 1e9);
        self.name(name, "_count", place, labels, None);
        self.count(count);
    }

    /// A series up to its value.
    fn name(
        &mut self,
        name: &str,
        suffix: &str,
        place: &[Label<'_>],
        labels: &[Label<'_>],
        le: Option<&str>,
    ) {
        self.out.push_str(name);
        self.out.push_str(suffix);
        let mut before = '{';
        let le = le.map(|end| ("le", end));
        let labels = place.iter().chain(labels).map(|(name, value)| (*name, value.as_ref()));
        for (name, value) in labels.chain(le) {
            self.out.push(before);
            self.out.push_str(name);
            self.out.push_str("=\"");
            self.escaped(value, true);
            self.out.push('"');
            before = ',';
        }
        self.out.push_str(if before == ',' { "} " } else { " " });
    }

    fn escaped(&mut self, text: &str, quotes: bool) {
        // Most of what there is needs none.
        if !text.bytes().any(|byte| matches!(byte, b'\\' | b'\n' | b'"')) {
            return self.out.push_str(text);
        }
        for letter in text.chars() {
            match letter {
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '"' if quotes => self.out.push_str("\\\""),
                other => self.out.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests;
