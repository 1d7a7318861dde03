//! The configuration: flags over environment over file over defaults.
//!
//! Each layer above the file is a list of single values. They are put into the file's table, which is
//! then decoded: so each section, whoever owns it, takes all layers, and each value is checked in one
//! place only.

mod explain;
mod layers;
mod reload;
mod values;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::{Table, Value};

pub use layers::{Override, environment};
pub use reload::Changes;
pub use values::{Attach, Bytes, Events, Every, Pin};

use super::history::Bounds;
use super::{http, logging, privileges};
use crate::kernel::attach;

/// Where the configuration is, if it is not said.
pub const DEFAULT_FILE: &str = "/etc/queue-trace/queue-trace.toml";

/// All sections.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What is counted, and how often it is read.
    pub serve: Serve,
    /// How much is kept of each listener's past.
    pub history: History,
    /// The HTTP endpoint.
    pub http: http::Settings,
    /// The push to an OpenTelemetry receiver.
    #[cfg(feature = "otlp")]
    pub otlp: crate::output::otlp::Settings,
    /// What is given up once everything runs.
    pub privileges: privileges::Settings,
    /// What is logged.
    pub log: logging::Settings,
}

/// The section `[serve]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Serve {
    /// How often the counters are read.
    pub interval: Every,
    /// How often the system is asked for what costs more: which listeners there are and whose, and the
    /// kernel's own counters.
    pub poll: Every,
    /// How to attach.
    pub attach: Attach,
    /// BTF of this very kernel, if it does not show it itself.
    pub btf: Option<PathBuf>,
    /// Where maps and links are pinned, so that counting goes on without us; a folder, or whether at all.
    pub pin: Pin,
    /// Kinds of events of which the kernel side makes a record each. Everything is counted anyway.
    pub stream: Events,
    /// Refusals of a listener are logged once in this time.
    pub refusals: Every,
}

impl Default for Serve {
    fn default() -> Self {
        Self {
            interval: Every(Duration::from_secs(1)),
            poll: Every(Duration::from_secs(30)),
            attach: Attach::default(),
            btf: None,
            pin: Pin::default(),
            stream: Events::default(),
            refusals: Every(Duration::from_secs(10)),
        }
    }
}

impl Serve {
    /// How the kernel side is attached.
    #[must_use]
    pub fn attach_settings(&self) -> attach::Settings {
        let tier = if let Attach::By(tier) = self.attach { Some(tier) } else { None };
        attach::Settings {
            stream: self.stream.outcomes(),
            types: self.btf.clone(),
            tier,
            workers: true,
            ..attach::Settings::default()
        }
    }
}

/// The section `[history]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct History {
    /// The most memory that it may take.
    pub memory: Bytes,
    /// The most listeners of which it is kept.
    pub listeners: usize,
}

impl Default for History {
    fn default() -> Self {
        Self { memory: Bytes(8 << 20), listeners: 4_096 }
    }
}

impl History {
    /// As the history takes them.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        Bounds { memory: self.memory.0, listeners: self.listeners }
    }
}

/// What is wrong with a configuration, in one line that begins with where.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Mistake(String);

/// A configuration, and what it was decoded from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What is wanted.
    pub config: Config,
    /// The file's table with the values of the other layers in it.
    table: Table,
    /// Where the file is, or would be.
    file: PathBuf,
}

impl Loaded {
    /// Reads the file, if there is one, and puts the other layers over it, the last one on top. That no
    /// file is there is a mistake only where one was named.
    ///
    /// # Errors
    ///
    /// One line: where the mistake is, and what is right there.
    pub fn read(file: Option<&Path>, over: &[Override]) -> Result<Self, Mistake> {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if file.is_none() && error.kind() == io::ErrorKind::NotFound => {
                String::new()
            }
            Err(error) => return Err(Mistake(format!("cannot read {}: {error}", path.display()))),
        };
        Self::from_text(&text, path, over)
    }

    /// Where the file is, or would be.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The same of a file that was read already.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn from_text(text: &str, path: &Path, over: &[Override]) -> Result<Self, Mistake> {
        let at = |error: &toml::de::Error| {
            let line = explain::line(text, error.span());
            let what = explain::explain(error.message());
            Mistake(format!("{}:{line}: {what}", path.display()))
        };
        let mut config: Config = toml::from_str(text).map_err(|error| at(&error))?;
        let mut table: Table = toml::from_str(text).map_err(|error| at(&error))?;
        for value in over {
            value.put_into(&mut table);
            config = decode(&table).map_err(|what| Mistake(format!("{}: {what}", value.origin)))?;
        }
        Ok(Self { config, table, file: path.to_owned() })
    }
}

fn decode(table: &Table) -> Result<Config, String> {
    Value::Table(table.clone())
        .try_into()
        .map_err(|error: toml::de::Error| explain::explain(error.message()))
}

#[cfg(test)]
mod tests;
