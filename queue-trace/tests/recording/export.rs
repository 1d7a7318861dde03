//! `queue-trace export`: the three kinds of file say the same.

use std::ffi::OsStr;
use std::fs;
use std::process::Command;

use jiff::Timestamp;
use serde_json::Value;

use crate::support::{Object, Place, kept, objects, queue_trace, recording, written};

const WHAT: [&str; 3] = ["events", "listeners", "history"];
/// One of each outcome in three seconds; one listener at the end; two, two and one in three seconds.
const ROWS: [usize; 3] = [3 * 50, 1, 5];

fn export(format: &str, what: &str) -> String {
    written(&["export", &recording(), "--format", format, "--what", what])
}

pub(crate) fn json_lines_are_those_of_trace() {
    assert_eq!(export("jsonl", "events"), fs::read_to_string(kept("version1.jsonl")).unwrap());
    let last = &objects(&export("jsonl", "listeners"))[0];
    assert_eq!((&last["limit"], &last["accept_depth"]), (&100.into(), &2.into()));
    assert_eq!((&last["syn_refused_accept_queue_full"], &last["close"]), (&15.into(), &147.into()));
    assert_eq!(last["oldest_wait_ns"], 0, "it began after the snapshot that is made up");
    for (what, rows) in WHAT.iter().zip(ROWS) {
        assert_eq!(export("jsonl", what).lines().count(), rows, "{what}");
    }
}

pub(crate) fn csv_has_the_same_rows() {
    for what in WHAT {
        let text = export("csv", what);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let names = reader.headers().unwrap().clone();
        let lines = objects(&export("jsonl", what));
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), lines.len(), "{what}");
        for (row, line) in rows.iter().zip(&lines) {
            let there = names.iter().zip(row).filter(|(_, value)| !value.is_empty());
            let there: Vec<_> =
                there.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            assert_eq!(there.len(), line.len(), "{line:?}");
            for (name, value) in there {
                let expected = match &line[&name] {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                assert_eq!(value, expected, "{name} in {line:?}");
            }
        }
    }
}

pub(crate) fn duckdb_reads_the_same_rows(python: &OsStr) {
    const SCRIPT: &str = "
import duckdb, json, sys
rows = duckdb.execute('select * replace (epoch_ns(time) as time) from read_parquet(?)', sys.argv[1:])
names = [column[0] for column in rows.description]
for row in rows.fetchall():
    print(json.dumps({name: value for name, value in zip(names, row) if value is not None}))
";
    for what in WHAT {
        let place = Place::new(what);
        let arguments = ["export", &recording(), "--format", "parquet", "--what", what];
        assert_eq!(written(&[&arguments[..], &["--output", place.path()]].concat()), "");
        let output = Command::new(python).args(["-c", SCRIPT, place.path()]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let mut rows = objects(&String::from_utf8(output.stdout).unwrap());
        let mut lines = objects(&export("jsonl", what));
        rows.iter_mut().for_each(|row| in_microseconds(row, |time| time.as_i64().unwrap()));
        lines.iter_mut().for_each(|line| in_microseconds(line, nanoseconds));
        assert_eq!(rows, lines, "{what}");
    }
}

/// What lines show of a time.
fn in_microseconds(row: &mut Object, nanoseconds: impl Fn(&Value) -> i64) {
    let time = nanoseconds(&row["time"]);
    row.insert("time".into(), time.div_euclid(1000).into());
}

fn nanoseconds(time: &Value) -> i64 {
    let time: Timestamp = time.as_str().unwrap().parse().unwrap();
    time.as_nanosecond() as i64
}

pub(crate) fn does_not_write_over_a_file() {
    let place = Place::new("there");
    fs::write(&place.0, "precious").unwrap();
    let arguments = ["export", &recording(), "--format", "csv", "--output", place.path()];
    let output = queue_trace(&arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(fs::read(&place.0).unwrap(), b"precious");
}
