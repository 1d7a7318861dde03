//! The log: lines on standard error. The journal gets each with its priority and adds the time itself.

use std::env;
use std::fmt;
use std::io;

use jiff::Timestamp;
use rustix::fs::fstat;
use serde::de::{self, Deserialize, Deserializer};
use tracing::{Event, Level as Severity, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Names of the levels.
const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

/// The section `[log]`.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What is logged.
    pub level: Level,
}

/// What is logged: a level, or several for parts of the program, as in `warn,queue_trace::daemon=debug`.
#[derive(Debug, Clone, PartialEq)]
pub struct Level(Targets);

impl Default for Level {
    fn default() -> Self {
        Self(Targets::new().with_default(LevelFilter::INFO))
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut targets = Targets::new();
        for part in text.split(',').map(str::trim) {
            let (target, level) =
                part.split_once('=').map_or((None, part), |(target, level)| (Some(target), level));
            if !LEVELS.contains(&level) {
                return Err(de::Error::unknown_variant(level, LEVELS));
            }
            let level: LevelFilter = level.parse().map_err(de::Error::custom)?;
            targets = match target {
                Some(target) => targets.with_target(target, level),
                None => targets.with_default(level),
            };
        }
        Ok(Self(targets))
    }
}

/// The log of this process.
#[derive(Debug)]
pub struct Log {
    filter: reload::Handle<Targets, Registry>,
}

impl Log {
    /// Begins to log.
    ///
    /// # Errors
    ///
    /// When this process logs already.
    pub fn start(settings: &Settings) -> anyhow::Result<Self> {
        let (filter, handle) = reload::Layer::new(settings.level.0.clone());
        let lines = tracing_subscriber::fmt::layer()
            .event_format(Lines { journal: to_journal() })
            .with_writer(io::stderr)
            .with_ansi(false);
        tracing_subscriber::registry().with(filter).with(lines).try_init()?;
        Ok(Self { filter: handle })
    }

    /// Logs at another level from now on.
    pub fn set(&self, settings: &Settings) {
        // It fails only without a log, and then there is nobody to tell.
        let _ = self.filter.reload(settings.level.0.clone());
    }
}

/// Whether standard error is the journal's: `JOURNAL_STREAM` names its device and inode, and is
/// inherited by programs whose standard error is another.
fn to_journal() -> bool {
    let Ok(stream) = env::var("JOURNAL_STREAM") else { return false };
    fstat(io::stderr()).is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// How a line looks.
#[derive(Debug)]
struct Lines {
    journal: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = *event.metadata().level();
        if self.journal {
            write!(writer, "<{}>", priority(level))?;
        } else {
            write!(writer, "{:.3} {level:>5} ", Timestamp::now())?;
        }
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// The priority of `syslog(3)`.
const fn priority(level: Severity) -> u8 {
    match level {
        Severity::ERROR => 3,
        Severity::WARN => 4,
        Severity::INFO => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};

    use super::*;

    fn level(text: &str) -> Result<Level, Error> {
        let deserializer: StrDeserializer<'_, Error> = text.into_deserializer();
        Level::deserialize(deserializer)
    }

    #[test]
    fn a_level_is_for_all_or_for_a_part() {
        assert_eq!(level("info").unwrap(), Level::default());
        let Level(targets) = level("warn, queue_trace::daemon=debug").unwrap();
        assert!(targets.would_enable("queue_trace::daemon", &Severity::DEBUG));
        assert!(!targets.would_enable("queue_trace::source", &Severity::INFO));
    }

    #[test]
    fn what_is_no_level_is_refused() {
        for text in ["infoo", "", "info,queue_trace=loud", "queue_trace"] {
            assert!(level(text).unwrap_err().to_string().contains("unknown variant"), "{text}");
        }
    }
}
