//! A test with everything that it names, read from the files.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;

use crate::cli::sources::{SourceFile, all_of, no_policies, read_paths, read_source};
use crate::lint::{Objects, read_objects};
use crate::policy::{PolicyError, PolicySet, read_document, read_file};
use crate::policy_test::{CaseSource, CaseSubject, FileReference, PolicyTest, TestCase};
use crate::yaml;

/// A test, ready to be run.
pub(super) struct LoadedTest {
    pub(super) file: String,
    pub(super) cases: Vec<(TestCase, CaseSubject)>,
    pub(super) objects: Objects,
    policy_files: Vec<SourceFile>,
    policies: Vec<yaml::Document>,
    own_namespace: String,
}

impl LoadedTest {
    /// Reads what a test names. What is wrong with it is added to the faults; then there is nothing to run.
    pub(super) fn load(test: PolicyTest, own_namespace: &str, faults: &mut Vec<PolicyError>) -> Option<Self> {
        let PolicyTest { file, text, policy_files, policies, object_files, cases } = test;
        let known = faults.len();
        let policy_files = read_references(&file, &policy_files, "policy", faults);
        let mut objects = Objects::default();
        let mut sources = read_references(&file, &object_files, "object", faults);
        sources.push(SourceFile { name: file.clone(), text });
        for source in &sources {
            let unread = read_objects(&source.name, &source.text, &mut objects).into_iter();
            faults.extend(unread.map(|unread| {
                let (line, column) = (unread.line.unwrap_or(1), unread.column.unwrap_or(1));
                PolicyError::new(&unread.file, line, column, unread.message)
            }));
        }
        let load = |case: TestCase| {
            let subject = subject(&file, &case, faults)?;
            Some((case, subject))
        };
        let cases = cases.into_iter().filter_map(load).collect();
        let own_namespace = own_namespace.to_owned();
        let loaded = Self { file, cases, objects, policy_files, policies, own_namespace };
        match loaded.read_policies() {
            Err(of_policies) => faults.extend(of_policies),
            Ok(policies) if policies.pod_security.is_some() => {
                let message =
                    "tests are of SecurityPolicies and IdentityPolicies, not of a PodSecurityConfiguration";
                faults.push(PolicyError::new(&loaded.file, 1, 1, message));
            }
            Ok(_) => {}
        }
        (faults.len() == known).then_some(loaded)
    }

    /// The policies that are tested.
    pub(super) fn policies(&self) -> Result<PolicySet> {
        self.read_policies().map_err(|faults| all_of(&faults, "policies"))
    }

    fn read_policies(&self) -> Result<PolicySet, Vec<PolicyError>> {
        let mut policies = no_policies(&self.own_namespace);
        for SourceFile { name, text } in &self.policy_files {
            read_file(name, text, &mut policies);
        }
        let of_file = self.policies.iter();
        let faults: Vec<PolicyError> =
            of_file.flat_map(|document| read_document(&self.file, document, &mut policies)).collect();
        match policies.finish() {
            Ok(policies) if faults.is_empty() => Ok(policies),
            Ok(_) => Err(faults),
            Err(of_files) => Err(of_files.into_iter().chain(faults).collect()),
        }
    }
}

/// A path that a test names, from where the program runs.
fn resolve(test: &str, reference: &FileReference) -> PathBuf {
    let folder = Path::new(test).parent().unwrap_or(Path::new(""));
    folder.join(&reference.path)
}

/// What is wrong with a path that a test names.
fn unreadable(test: &str, reference: &FileReference, error: &anyhow::Error) -> PolicyError {
    PolicyError::new(test, reference.line, reference.column, format!("{error:#}"))
}

fn read_references(
    test: &str,
    references: &[FileReference],
    what: &str,
    faults: &mut Vec<PolicyError>,
) -> Vec<SourceFile> {
    let mut files = Vec::new();
    for reference in references {
        match read_paths(&[resolve(test, reference)], what) {
            Ok(read) => files.extend(read),
            Err(error) => faults.push(unreadable(test, reference, &error)),
        }
    }
    files
}

/// What a case is about; `None` if something is wrong with it.
fn subject(test: &str, case: &TestCase, faults: &mut Vec<PolicyError>) -> Option<CaseSubject> {
    let objects = match &case.source {
        CaseSource::Object(object) => vec![object.clone()],
        CaseSource::File(reference) => objects_of(test, reference, faults)?,
    };
    let fault = |message| PolicyError::new(test, case.line, case.column, message);
    match case.subject(objects) {
        Ok(subject) => Some(subject),
        Err(messages) => {
            faults.extend(messages.into_iter().map(fault));
            None
        }
    }
}

/// The objects of a file, one a document.
fn objects_of(test: &str, reference: &FileReference, faults: &mut Vec<PolicyError>) -> Option<Vec<Value>> {
    let SourceFile { name, text } = match read_source(&resolve(test, reference), "object") {
        Ok(file) => file,
        Err(error) => {
            faults.push(unreadable(test, reference, &error));
            return None;
        }
    };
    let mut objects = Vec::new();
    for document in yaml::read(&text) {
        match document {
            Ok(document) if document.root.value == yaml::Value::Null => {}
            Ok(document) => match serde_json::from_slice(&document.root.to_json()) {
                Ok(object) => objects.push(object),
                Err(error) => faults.push(PolicyError::new(&name, document.line, 1, error.to_string())),
            },
            Err(fault) => faults.push(PolicyError::new(&name, fault.line, fault.column, fault.message)),
        }
    }
    Some(objects)
}
