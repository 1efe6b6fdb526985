//! What could not be read, and from which document it came.

use std::fmt;

use serde::Serialize;

use crate::yaml::YamlError;

/// Where an object comes from.
pub(super) struct DocumentOrigin<'s> {
    pub(super) file: &'s str,
    /// The place of its document in the file, from 1.
    pub(super) document: usize,
    /// The text of the file.
    pub(super) text: &'s str,
}

/// Something that could not be read, and so was not judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// The file, as it was named; `-` for standard input.
    pub file: String,
    /// The line, if it is one place in the file.
    pub line: Option<usize>,
    /// The column, likewise.
    pub column: Option<usize>,
    /// The place of the document in the file, from 1, if the rest of the file was read.
    pub document: Option<usize>,
    /// Why, and what to do.
    pub message: String,
}

impl Unread {
    /// A whole file.
    pub(super) fn file(file: String, message: String) -> Self {
        Self { file, line: None, column: None, document: None, message }
    }

    /// A document, or an object in one.
    pub(super) fn in_document(origin: &DocumentOrigin<'_>, fault: YamlError) -> Self {
        Self {
            file: origin.file.to_owned(),
            line: Some(fault.line),
            column: Some(fault.column),
            document: Some(origin.document),
            message: fault.message,
        }
    }
}

impl Unread {
    /// The same as a warning about something that is not read, and need not be.
    pub(super) fn warning(&self) -> String {
        let Self { message, .. } = self;
        let place = self.to_string();
        let place = place.strip_suffix(message.as_str()).unwrap_or(&place);
        format!("{place}warning: {message} (only counted)")
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        for number in [self.line, self.column].into_iter().flatten() {
            write!(f, ":{number}")?;
        }
        write!(f, ": {}", self.message)
    }
}
