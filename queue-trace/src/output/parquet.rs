//! Tables as Parquet files.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use super::table::{Column, Kind, Table, Value};

/// So many rows are gathered for a row group.
const ROWS: usize = 1 << 15;

/// Writes one file; every column may have nothing in a row.
pub struct Parquet<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    kinds: Vec<Kind>,
    /// By column.
    values: Vec<Vec<Value>>,
}

impl<W: Write + Send> Parquet<W> {
    /// Begins a file with these columns.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn new(out: W, columns: &[Column]) -> io::Result<Self> {
        let fields: Result<Vec<_>, _> = columns.iter().map(field).collect();
        let schema = Type::group_type_builder("rows").with_fields(fields.map_err(into_io)?).build();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(concat!("queue-trace ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let schema = Arc::new(schema.map_err(into_io)?);
        let writer = SerializedFileWriter::new(out, schema, Arc::new(properties));
        Ok(Self {
            writer: writer.map_err(into_io)?,
            kinds: columns.iter().map(|column| column.kind).collect(),
            values: vec![Vec::new(); columns.len()],
        })
    }

    /// Writes a row group of what was gathered.
    fn flush(&mut self) -> io::Result<()> {
        if self.values.iter().all(Vec::is_empty) {
            return Ok(());
        }
        let mut group = self.writer.next_row_group().map_err(into_io)?;
        for (kind, values) in self.kinds.iter().zip(&mut self.values) {
            let Some(column) = group.next_column().map_err(into_io)? else { break };
            write(column, *kind, std::mem::take(values)).map_err(into_io)?;
        }
        group.close().map_err(into_io)?;
        Ok(())
    }
}

impl<W: Write + Send> Table for Parquet<W> {
    fn row(&mut self, values: Vec<Value>) -> io::Result<()> {
        for (column, value) in self.values.iter_mut().zip(values) {
            column.push(value);
        }
        match self.values.first() {
            Some(column) if column.len() >= ROWS => self.flush(),
            _ => Ok(()),
        }
    }

    fn end(mut self: Box<Self>) -> io::Result<()> {
        self.flush()?;
        self.writer.close().map_err(into_io)?;
        Ok(())
    }
}

fn field(column: &Column) -> Result<TypePtr, ParquetError> {
    let (physical, logical) = match column.kind {
        Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::NANOS))),
        Kind::Number => (Physical::INT64, Some(LogicalType::integer(64, false))),
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Flag => (Physical::BOOLEAN, None),
    };
    let builder = Type::primitive_type_builder(&column.name, physical);
    let field = builder.with_repetition(Repetition::OPTIONAL).with_logical_type(logical).build();
    Ok(Arc::new(field?))
}

fn write(
    mut column: SerializedColumnWriter<'_>,
    kind: Kind,
    values: Vec<Value>,
) -> Result<(), ParquetError> {
    match kind {
        Kind::Time | Kind::Number => typed::<Int64Type>(&mut column, values, |value| match value {
            Value::Time(ns) => Some(ns),
            Value::Number(number) => Some(number.cast_signed()),
            _ => None,
        }),
        Kind::Text => typed::<ByteArrayType>(&mut column, values, |value| match value {
            Value::Text(text) => Some(ByteArray::from(text.into_bytes())),
            _ => None,
        }),
        Kind::Flag => typed::<BoolType>(&mut column, values, |value| match value {
            Value::Flag(flag) => Some(flag),
            _ => None,
        }),
    }?;
    column.close()
}

/// Writes the values that are there, and where there is none.
fn typed<T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    values: Vec<Value>,
    take: impl Fn(Value) -> Option<T::T>,
) -> Result<(), ParquetError> {
    let taken: Vec<_> = values.into_iter().map(take).collect();
    let there: Vec<i16> = taken.iter().map(|value| i16::from(value.is_some())).collect();
    let values: Vec<_> = taken.into_iter().flatten().collect();
    column.typed::<T>().write_batch(&values, Some(&there), None)?;
    Ok(())
}

/// The system's own error, so that a closed pipe is known as one.
fn into_io(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}
