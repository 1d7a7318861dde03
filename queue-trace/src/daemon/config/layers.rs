//! Single values from flags and from the environment.

use toml::{Table, Value};

/// A value that stands over the file's.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// Where it comes from, as the user knows it: a flag, or an environment variable.
    pub origin: String,
    /// The section.
    section: String,
    /// The key in it.
    key: String,
    value: Value,
}

/// What our environment variables begin with.
const PREFIX: &str = "QUEUE_TRACE_";
/// The sections that the environment can set.
const SECTIONS: &[&str] = &["serve", "history", "http", "otlp", "privileges", "log"];

impl Override {
    /// The value of a flag.
    #[must_use]
    pub fn flag(flag: &str, section: &str, key: &str, value: impl Into<Value>) -> Self {
        let origin = format!("--{flag}");
        Self { origin, section: section.to_owned(), key: key.to_owned(), value: value.into() }
    }

    /// Puts it into the table of all sections.
    pub(super) fn put_into(&self, table: &mut Table) {
        let section = table.entry(self.section.clone()).or_insert_with(|| Table::new().into());
        if let Value::Table(section) = section {
            section.insert(self.key.clone(), self.value.clone());
        }
    }
}

/// The values in the environment: `QUEUE_TRACE_SECTION_KEY`, and `QUEUE_TRACE_LOG` for the level of the
/// log. A list is written with commas. Other variables that begin so are not the configuration's.
pub fn environment(variables: impl Iterator<Item = (String, String)>) -> Vec<Override> {
    let one = |(name, text): (String, String)| {
        let path = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
        let (section, key) = match path.as_str() {
            "log" => ("log", "level"),
            path => path.split_once('_')?,
        };
        SECTIONS.contains(&section).then(|| Override {
            section: section.to_owned(),
            key: key.to_owned(),
            value: value(section, key, &text),
            origin: name,
        })
    };
    let mut all: Vec<_> = variables.filter_map(one).collect();
    // The environment has no order of its own.
    all.sort_by(|a, b| a.origin.cmp(&b.origin));
    all
}

/// A number or a truth value where the text is one; else the text itself.
fn value(section: &str, key: &str, text: &str) -> Value {
    if (section, key) == ("serve", "stream") {
        return list(text);
    }
    match (text.parse::<i64>(), text.parse::<bool>()) {
        (Ok(number), _) => number.into(),
        (_, Ok(truth)) => truth.into(),
        _ => text.into(),
    }
}

/// The parts of a text between commas.
#[must_use]
pub(super) fn list(text: &str) -> Value {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(Value::from).collect::<Vec<_>>().into()
}
