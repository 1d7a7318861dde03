//! Tables as lines: JSON and CSV.

use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::table::{Column, Table, Value};

/// One JSON object a line; what is not there is left out.
#[derive(Debug)]
pub struct JsonLines<W> {
    out: W,
    columns: Vec<Column>,
}

impl<W: Write> JsonLines<W> {
    /// Lines with these fields.
    pub fn new(out: W, columns: Vec<Column>) -> Self {
        Self { out, columns }
    }
}

impl<W: Write> Table for JsonLines<W> {
    fn row(&mut self, values: Vec<Value>) -> io::Result<()> {
        let field = |(column, value): (&Column, Value)| {
            let value = match value {
                Value::None => return None,
                Value::Time(ns) => Json::from(time(ns)),
                Value::Number(number) => Json::from(number),
                Value::Text(text) => Json::from(text),
                Value::Flag(flag) => Json::from(flag),
            };
            Some((column.name.clone(), value))
        };
        let object: Map<_, _> = self.columns.iter().zip(values).filter_map(field).collect();
        serde_json::to_writer(&mut self.out, &object)?;
        self.out.write_all(b"\n")
    }

    fn end(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

/// Comma-separated values (RFC 4180) with a line of names; what is not there is empty.
pub struct Csv<W: Write>(csv::Writer<W>);

impl<W: Write> Csv<W> {
    /// Begins with the names of these columns.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn new(out: W, columns: &[Column]) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(columns.iter().map(|column| &column.name)).map_err(into_io)?;
        Ok(Self(writer))
    }
}

impl<W: Write> Table for Csv<W> {
    fn row(&mut self, values: Vec<Value>) -> io::Result<()> {
        let text = |value| match value {
            Value::None => String::new(),
            Value::Time(ns) => time(ns),
            Value::Number(number) => number.to_string(),
            Value::Text(text) => text,
            Value::Flag(flag) => flag.to_string(),
        };
        self.0.write_record(values.into_iter().map(text)).map_err(into_io)
    }

    fn end(mut self: Box<Self>) -> io::Result<()> {
        self.0.flush()
    }
}

/// The system's own error, so that a closed pipe is known as one.
fn into_io(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// RFC 3339 in UTC with microseconds.
fn time(ns: i64) -> String {
    let time = Timestamp::from_nanosecond(ns.into()).unwrap_or_default();
    format!("{time:.6}")
}
