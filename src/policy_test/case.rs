//! A case of a test: what is judged, and what is expected of it.

use jiff::civil::Date;

use serde_json::Value;

use crate::path::Path;
use crate::policy::{PlacedFaults, day, is_namespace};
use crate::policy_test::expectation::{CaseDifference, CaseExpectation, CaseOutcome};
use crate::policy_test::written::{OperationWord, SubresourceWord, WrittenCase};
use crate::text::not_ascii;

/// A path in a file of tests, which is from the folder of that file on.
#[derive(Debug)]
pub struct FileReference {
    /// As it is written.
    pub path: String,
    /// The line on which it is written.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// Where the objects of a case are.
#[derive(Debug)]
pub enum CaseSource {
    /// There is one, in the case.
    Object(Value),
    /// They are in a file.
    File(FileReference),
}

/// A case of a test.
#[derive(Debug)]
pub struct TestCase {
    /// What it shows.
    pub name: String,
    /// The line on which it begins.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// What is judged.
    pub source: CaseSource,
    /// The day on which it is judged, if it is not today.
    pub day: Option<Date>,
    /// The namespace of what names none, if the case names one itself.
    pub(super) own_namespace: Option<String>,
    /// The namespace of what names none, if the file names one for all cases.
    pub(super) shared_namespace: Option<String>,
    /// The pod before the update, if it is one.
    pub(super) old: Option<Value>,
    pub(super) subresource: Option<SubresourceWord>,
    pub(super) user: Option<String>,
    pub(super) groups: Option<Vec<String>>,
    pub(super) expected: CaseExpectation,
}

impl TestCase {
    /// Checks what is written at this path for sense; `None` if nothing is there to be judged.
    pub(super) fn read(
        written: WrittenCase,
        (shared_namespace, shared_day): (Option<&String>, Option<Date>),
        at: &Path<'_>,
        faults: &mut PlacedFaults<'_>,
    ) -> Option<Self> {
        let WrittenCase {
            name,
            object,
            file,
            namespace,
            at: day,
            operation,
            subresource,
            old,
            user,
            groups,
            expect,
        } = written;
        let span = faults.place(at);
        if let Some(namespace) = &namespace {
            check_namespace(namespace, &at.clone().key("namespace"), faults);
        }
        let day = day.and_then(|day| read_day(&day, &at.clone().key("at"), faults));
        check_operation((operation, old.is_some(), subresource.is_some()), at, faults);
        let expected = CaseExpectation::read(expect, &at.clone().key("expect"), faults);
        let source = match (object, file) {
            (Some(object), None) => CaseSource::Object(Value::Object(object)),
            (None, Some(path)) => CaseSource::File(reference(path, &at.clone().key("file"), faults)),
            (given, _) => {
                let how_many = if given.is_some() { "only one of" } else { "one of" };
                faults.fault(at, format!("needs {how_many} object and file: what is judged"));
                return None;
            }
        };
        Some(Self {
            name,
            line: span.line,
            column: span.column,
            source,
            day: day.or(shared_day),
            own_namespace: namespace,
            shared_namespace: shared_namespace.cloned(),
            old: old.map(Value::Object),
            subresource,
            user,
            groups,
            expected,
        })
    }

    /// How what was found differs from what is expected.
    #[must_use]
    pub fn differences(&self, found: &CaseOutcome) -> Vec<CaseDifference> {
        self.expected.differences(found)
    }
}

/// A path with its place.
pub(super) fn reference(path: String, at: &Path<'_>, faults: &PlacedFaults<'_>) -> FileReference {
    let span = faults.place(at);
    FileReference { path, line: span.line, column: span.column }
}

/// Reports what no namespace can be named.
pub(super) fn check_namespace(name: &str, at: &Path<'_>, faults: &mut PlacedFaults<'_>) {
    if !is_namespace(name) {
        faults.fault(at, format!("no namespace can be named {name:?}{}", not_ascii(name)));
    }
}

/// A day as it is written.
pub(super) fn read_day(text: &str, at: &Path<'_>, faults: &mut PlacedFaults<'_>) -> Option<Date> {
    let day = day(text);
    if day.is_none() {
        faults.fault(at, format!("must be a day, as in 2027-03-31{}", not_ascii(text)));
    }
    day
}

/// Checks that an update has what was there before, and nothing else has.
fn check_operation(
    (operation, has_old, has_subresource): (Option<OperationWord>, bool, bool),
    at: &Path<'_>,
    faults: &mut PlacedFaults<'_>,
) {
    let is_update = operation == Some(OperationWord::Update);
    if is_update && !has_old {
        faults.fault(at, "an UPDATE needs old: the pod before it");
    }
    for (key, is_there) in [("old", has_old), ("subresource", has_subresource)] {
        if is_there && !is_update {
            faults.fault(&at.clone().key(key), format!("only an UPDATE has {key}: add operation: UPDATE"));
        }
    }
}
