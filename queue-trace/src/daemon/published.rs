//! What the daemon tells its outputs.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use jiff::Timestamp;

use super::history::{Bounds, History};
use crate::model::Snapshot;
use crate::procfs::Sysctls;

/// The state at the last reading.
#[derive(Debug, Clone)]
pub struct Published {
    /// What was counted.
    pub snapshot: Snapshot,
    /// How many readings have brought anything: while it is the same, only the time has gone on.
    pub edition: u64,
    /// When that was, by the wall clock; [`Snapshot::time_ns`] has the same moment on the monotonic one.
    pub at: Timestamp,
    /// When counting began.
    pub started: Timestamp,
    /// What cannot be seen here, one line each.
    pub losses: Vec<String>,
    /// The settings of the namespaces when they were last asked for, by their inodes.
    pub settings: Arc<HashMap<u32, Sysctls>>,
    /// How each listener fared lately, by its number; times are seconds of the monotonic clock.
    pub history: Arc<RwLock<History>>,
}

impl Published {
    /// A state with no past.
    #[must_use]
    pub fn new(snapshot: Snapshot, at: Timestamp, started: Timestamp, losses: Vec<String>) -> Self {
        let nothing = Bounds { memory: 0, listeners: 0 };
        let history = Arc::new(RwLock::new(History::new(nothing)));
        Self { snapshot, edition: 0, at, started, losses, settings: Arc::default(), history }
    }
}
