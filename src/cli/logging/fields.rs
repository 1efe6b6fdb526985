//! Fields as the text format writes them: numbers and booleans as they are, all else in quotes, in printable ASCII.
//!
//! Most of what is logged was written by a peer or a tenant. A value without quotes could forge fields, and one with a
//! line break whole lines. So no value is trusted to be harmless, wherever it comes from.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

use crate::text::Escaped;

/// Writes the fields of a line.
pub(super) struct QuotedFields;

impl<'w> FormatFields<'w> for QuotedFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = FieldWriter { writer, is_first: true, result: Ok(()) };
        fields.record(&mut line);
        line.result
    }
}

/// The field that `tracing` keeps the message of a line in.
pub(super) const MESSAGE: &str = "message";

struct FieldWriter<'w> {
    writer: Writer<'w>,
    is_first: bool,
    result: fmt::Result,
}

impl FieldWriter<'_> {
    fn plain(&mut self, field: &Field, value: impl fmt::Display) {
        self.write(|writer| write!(writer, "{}={value}", field.name()));
    }

    fn quoted(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        self.write(|writer| {
            write!(writer, "{}=\"", field.name())?;
            Escaped(&mut *writer).write_fmt(value)?;
            writer.write_char('"')
        });
    }

    fn write(&mut self, write: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        let is_first = std::mem::replace(&mut self.is_first, false);
        if self.result.is_ok() && !is_first {
            self.result = self.writer.write_char(' ');
        }
        if self.result.is_ok() {
            self.result = write(&mut self.writer);
        }
    }
}

impl Visit for FieldWriter<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.quoted(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == MESSAGE {
            return self.write(|writer| write!(Escaped(writer), "{value:?}"));
        }
        self.quoted(field, format_args!("{value:?}"));
    }
}
