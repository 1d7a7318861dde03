//! A file of the first version stays readable. It is never written anew: what it says may only be shown
//! otherwise.

use std::collections::HashMap;
use std::path::Path;

use super::super::Header;
use super::{made, read};
use crate::model::Observed;
use crate::output::clock::Clock;
use crate::output::summary::{self, Facts};
use crate::output::{golden, json};

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recording/version1.qtrace")
}

#[test]
fn the_first_version_is_read() {
    let bytes = std::fs::read(path()).unwrap();
    let (header, told) = read(&bytes).unwrap();
    assert_eq!((told.loss, told.unknown), (None, 0));
    assert_eq!(header, Header { means: made::first_means(), ..made::header() });
    let mut clock = Clock::new(header.start_ns, header.wall, false);
    let (mut lines, mut observed) = (Vec::new(), Observed::default());
    for (listener, event) in &told.events {
        json::write(&mut lines, &mut clock, listener, event);
        observed.take(listener.id, event);
    }
    golden::check("recording/version1.jsonl", &lines);
    let mut text = Vec::new();
    for snapshot in &told.snapshots {
        let facts = Facts { snapshot, observed: &observed, verdicts: &HashMap::new() };
        summary::write(&mut text, &facts, |_| true).unwrap();
    }
    golden::check("recording/version1.txt", &text);
}
