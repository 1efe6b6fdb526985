//! Files with a platform's own kinds: YAML as it is written → rows of the table, or every fault with its line and column.
//!
//! As strict as policy files, and for the same reason: an entry that says something else than was meant lets pods through
//! unjudged. So first the schema: what does not fit is reported and taken out. What is left is checked for sense.

use serde_json::Value;

use crate::kinds::added::{self, AddedKind};
use crate::kinds::names::{group_fault, kind_fault, version_fault};
use crate::kinds::written::{KindTableFile, WrittenKind, WrittenTemplate};
use crate::path::Path;
use crate::policy::schema::{self, describe};
use crate::policy::{API_VERSION, KIND_TABLE, PlacedFaults, PolicyError, yaml_fault};
use crate::text::quoted;
use crate::workload::{Kinds, pattern_fault};
use crate::yaml::{self, YamlError};

/// The kinds of some files, as far as they were read, and what is wrong with the files.
#[derive(Debug, Default)]
pub struct KindFiles {
    added: Vec<AddedKind>,
    faults: Vec<PolicyError>,
}

impl KindFiles {
    /// Reads one file, `text`, which errors call `file`.
    pub fn read(&mut self, file: &str, text: &str) {
        let documents = yaml::read(text);
        if documents.is_empty() {
            self.faults.push(PolicyError::new(file, 1, 1, format!("holds no {KIND_TABLE}")));
        }
        for document in documents {
            match document {
                Ok(document) => self.document(file, &document),
                Err(fault) => self.faults.push(broken(file, text, fault)),
            }
        }
    }

    /// The kinds of the table and of the files.
    ///
    /// # Errors
    /// Everything that is wrong with the files.
    pub fn finish(self) -> Result<Kinds, Vec<PolicyError>> {
        if self.faults.is_empty() {
            Ok(Kinds::with(self.added.into_iter().map(|added| added.row).collect()))
        } else {
            Err(self.faults)
        }
    }

    /// What is wrong with tables of one file that were read as YAML already.
    #[must_use]
    pub fn faults_of(file: &str, tables: &[&yaml::Document]) -> Vec<PolicyError> {
        let mut files = Self::default();
        tables.iter().for_each(|table| files.document(file, table));
        files.faults
    }

    fn document(&mut self, file: &str, document: &yaml::Document) {
        let mut reader =
            TableReader { file, faults: PlacedFaults::new(file, document), added: &mut self.added };
        reader.object(document);
        self.faults.extend(reader.faults.in_order());
    }
}

/// What is wrong with a document that is no YAML. A path with `[]` between brackets is one often.
fn broken(file: &str, text: &str, mut fault: YamlError) -> PolicyError {
    let line = text.lines().nth(fault.line.saturating_sub(1)).unwrap_or_default();
    if line.contains(['{', '[']) && line.contains("[]") {
        fault.message.push_str("; between brackets, put a path with [] into quotes");
    }
    yaml_fault(file, text, &fault)
}

/// Reads one document of a file.
struct TableReader<'r> {
    file: &'r str,
    faults: PlacedFaults<'r>,
    added: &'r mut Vec<AddedKind>,
}

impl TableReader<'_> {
    fn object(&mut self, document: &yaml::Document) {
        let mut object: Value = match serde_json::from_slice(&document.root.to_json()) {
            Ok(object) => object,
            Err(error) => return self.faults.fault(&Path::root(), error.to_string()),
        };
        if !self.is_table(&mut object) {
            return;
        }
        for mismatch in schema::check(&schema::of::<KindTableFile>(), &mut object) {
            self.faults.mismatch(mismatch);
        }
        match serde_json::from_value::<KindTableFile>(object) {
            Ok(table) => {
                for (index, written) in table.spec.kinds.into_iter().enumerate() {
                    self.kind(&Path::from_dotted("spec.kinds").index(index), written);
                }
            }
            Err(error) => self.faults.fault(&Path::root(), error.to_string()),
        }
    }

    /// Whether an object is a table of kinds. If it only should be one, its `apiVersion` and `kind` become what they should.
    fn is_table(&mut self, object: &mut Value) -> bool {
        let Value::Object(members) = object else {
            let message = format!("expected a {KIND_TABLE}, found {}", describe(object));
            self.faults.fault(&Path::root(), message);
            return false;
        };
        let kind = members.get("kind").and_then(Value::as_str).unwrap_or_default();
        if let Some(what) = added::advice(kind) {
            self.faults.fault(&Path::from_dotted("kind"), what);
            return false;
        }
        let is_table = kind == KIND_TABLE;
        for (key, word) in [("apiVersion", API_VERSION), ("kind", KIND_TABLE)] {
            self.faults.check_word(key, members.get(key), &[word]);
            members.insert(key.to_owned(), word.into());
        }
        is_table
    }

    fn kind(&mut self, at: &Path<'_>, written: WrittenKind) {
        let is_named = self.names(at, &written);
        if is_named {
            self.check_new(at, &written);
        }
        if let Some(fault) = added::carries_fault(&written) {
            self.faults.fault(at, fault);
        }
        self.templates(at, written.templates.as_deref().unwrap_or_default());
        // What is at fault is kept, too, so that a second entry of its kind is told to be one.
        let line = self.faults.place(&at.clone().key("kind")).line;
        self.added.push(AddedKind { file: self.file.to_owned(), line, row: added::row(written) });
    }

    /// Whether the names are such that there may be such a kind.
    fn names(&mut self, at: &Path<'_>, written: &WrittenKind) -> bool {
        let group = at.clone().key("group");
        if added::is_of_kubernetes(&written.group, &written.kind) {
            let kind = &written.kind;
            self.faults.fault(&group, format!("{kind} of this group is Kubernetes' own, and known already"));
            return false;
        }
        let versions = written.versions.as_deref().unwrap_or_default();
        let mut faults: Vec<(Path<'_>, String)> = Vec::new();
        faults.extend(group_fault(&written.group).map(|fault| (group, fault)));
        faults.extend(kind_fault(&written.kind).map(|fault| (at.clone().key("kind"), fault)));
        for (index, version) in versions.iter().enumerate() {
            let place = at.clone().key("versions").index(index);
            let again = versions.iter().take(index).any(|other| other == version);
            let fault = version_fault(version).or_else(|| again.then(|| "is named twice".to_owned()));
            faults.extend(fault.map(|fault| (place, fault)));
        }
        let is_named = faults.is_empty();
        for (path, fault) in faults {
            self.faults.fault(&path, fault);
        }
        is_named
    }

    /// Reports a kind that is known already.
    fn check_new(&mut self, at: &Path<'_>, written: &WrittenKind) {
        let place = at.clone().key("kind");
        if let Some(fault) = added::built_in(written) {
            self.faults.fault(&place, fault);
        } else if let Some(AddedKind { file, line, row }) = added::twice(written, self.added) {
            let versions = if row.versions.is_empty() { "without versions" } else { "of the same version" };
            let message = format!("{}/{} {versions} is already in {file}:{line}", row.group, row.kind);
            self.faults.fault(&place, message);
        }
    }

    fn templates(&mut self, at: &Path<'_>, templates: &[WrittenTemplate]) {
        for (index, WrittenTemplate { path, .. }) in templates.iter().enumerate() {
            let place = at.clone().key("templates").index(index).key("path");
            if let Some(fault) = pattern_fault(path) {
                self.faults.fault(&place, fault);
            } else if templates.iter().take(index).any(|other| other.path == *path) {
                self.faults.fault(&place, format!("{} is named twice", quoted(path)));
            }
        }
    }
}
