//! What can change while the daemon runs.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::{Loaded, Mistake, decode};

/// Keys whose new values are taken over by a reload.
const RELOADABLE: &[&str] = &[
    "serve.interval",
    "serve.poll",
    "serve.refusals",
    "history.memory",
    "history.listeners",
    "log.level",
];

/// What a reload found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Keys of which the new value holds from now on.
    pub taken: Vec<String>,
    /// Keys of which it holds only after a restart.
    pub refused: Vec<String>,
}

impl Loaded {
    /// Takes over what can be taken over of a configuration that was read anew.
    ///
    /// # Errors
    ///
    /// When the two do not go together; then nothing has changed.
    pub fn reload(&mut self, new: &Self) -> Result<Changes, Mistake> {
        let mut changes = Changes::default();
        let mut table = self.table.clone();
        for (section, key) in keys(&self.table).union(&keys(&new.table)) {
            let (old, wanted) = (value(&self.table, section, key), value(&new.table, section, key));
            if old == wanted {
                continue;
            }
            let name = format!("{section}.{key}");
            if !RELOADABLE.contains(&name.as_str()) {
                changes.refused.push(name);
                continue;
            }
            changes.taken.push(name);
            let entry = table.entry(section.clone()).or_insert_with(|| Table::new().into());
            let Value::Table(entry) = entry else { continue };
            match wanted {
                Some(wanted) => entry.insert(key.clone(), wanted.clone()),
                None => entry.remove(key),
            };
        }
        self.config = decode(&table).map_err(Mistake)?;
        self.table = table;
        Ok(changes)
    }
}

/// All keys with their sections.
fn keys(table: &Table) -> BTreeSet<(String, String)> {
    let sections = table.iter().filter_map(|(name, section)| Some((name, section.as_table()?)));
    sections
        .flat_map(|(name, section)| section.keys().map(|key| (name.clone(), key.clone())))
        .collect()
}

fn value<'a>(table: &'a Table, section: &str, key: &str) -> Option<&'a Value> {
    table.get(section)?.get(key)
}
