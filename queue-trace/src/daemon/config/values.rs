//! Values of the configuration as people write them.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use queue_trace_common::{Event, Outcome};
use serde::Deserialize;
use serde::de::{self, Deserializer};

use crate::kernel::hooks::Tier;
use crate::kernel::pins::DEFAULT_FOLDER;

/// The least interval at which anything is done.
const LEAST: Duration = Duration::from_millis(100);
/// The greatest: the history's minutes have to be told apart.
const MOST: Duration = Duration::from_secs(3_600);

/// How often something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Every(pub Duration);

impl<'de> Deserialize<'de> for Every {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = text.parse::<SignedDuration>().ok().and_then(|time| time.try_into().ok());
        let time: Duration = time.ok_or_else(|| {
            de::Error::custom(format!("{text:?} is not a time: write for example 500ms, 10s or 2m"))
        })?;
        if time < LEAST || time > MOST {
            return Err(de::Error::custom(format!("{text} is not from 100ms to 1h")));
        }
        Ok(Self(time))
    }
}

/// An amount of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub usize);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
        let factor = match text[digits.len()..].trim() {
            "" | "B" => Some(1),
            "KiB" => Some(1 << 10),
            "MiB" => Some(1 << 20),
            "GiB" => Some(1 << 30),
            _ => None,
        };
        let bytes = factor.and_then(|factor| digits.parse::<usize>().ok()?.checked_mul(factor));
        bytes.map(Self).ok_or_else(|| {
            let hint = "is not an amount of memory: write for example 512KiB or 8MiB";
            de::Error::custom(format!("{text:?} {hint}"))
        })
    }
}

/// How to attach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Attach {
    /// By the best means that this kernel allows.
    #[default]
    Auto,
    /// By this one.
    By(Tier),
    /// Not at all: poll.
    Poll,
}

impl Attach {
    /// The names of all.
    pub const NAMES: [&str; 4] = ["auto", "fentry", "kprobe", "poll"];
}

impl<'de> Deserialize<'de> for Attach {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "auto" => Ok(Self::Auto),
            "fentry" => Ok(Self::By(Tier::Fentry)),
            "kprobe" => Ok(Self::By(Tier::Kprobe)),
            "poll" => Ok(Self::Poll),
            other => Err(de::Error::unknown_variant(other, &Self::NAMES)),
        }
    }
}

/// Where maps and links are pinned, if at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pin(pub Option<PathBuf>);

impl<'de> Deserialize<'de> for Pin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "true, false or a folder in a BPF file system")]
        enum Written {
            Whether(bool),
            Where(PathBuf),
        }
        match Written::deserialize(deserializer)? {
            Written::Whether(whether) => Ok(Self(whether.then(|| DEFAULT_FOLDER.into()))),
            Written::Where(folder) if folder.is_absolute() => Ok(Self(Some(folder))),
            Written::Where(folder) => Err(de::Error::custom(format!(
                "{} is not an absolute path: write for example {DEFAULT_FOLDER}",
                folder.display()
            ))),
        }
    }
}

/// Kinds of events of which the kernel side makes a record each.
#[derive(Clone, PartialEq, Eq)]
pub struct Events(Vec<Event>);

/// The names of all events.
static EVENT_NAMES: [&str; Event::ALL.len()] = {
    let mut names = [""; Event::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Event::ALL[at].name();
        at += 1;
    }
    names
};

impl Events {
    /// Their outcomes, bit by number. A server that polls with a non-blocking `accept()` gets EAGAIN all
    /// the time, which nobody wants to read.
    #[must_use]
    pub fn outcomes(&self) -> u64 {
        Outcome::mask(|outcome| {
            self.0.contains(&outcome.event()) && outcome != Outcome::AcceptEagain
        })
    }
}

impl Default for Events {
    /// What is rare, and refusals.
    fn default() -> Self {
        Self(vec![
            Event::SynRefused,
            Event::AckRefused,
            Event::Listen,
            Event::BacklogChanged,
            Event::Close,
        ])
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|event| event.name())).finish()
    }
}

impl<'de> Deserialize<'de> for Events {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let event = |name: String| {
            let event = Event::ALL.into_iter().find(|event| event.name() == name);
            event.ok_or_else(|| de::Error::unknown_variant(&name, &EVENT_NAMES))
        };
        Vec::<String>::deserialize(deserializer)?
            .into_iter()
            .map(event)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}
