//! Files of tests: YAML as it is written → the cases and what they are judged by, or every fault with its line and column.
//!
//! As strict as policy files: a key that is not understood would be something that is not compared.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::path::Path;
use crate::policy::schema::{self, describe};
use crate::policy::{
    API_VERSION, POLICY_TEST, PlacedFaults, PolicyError, is_of_policy, is_policy_test, yaml_fault,
};
use crate::policy_test::case::{FileReference, TestCase, check_namespace, read_day, reference};
use crate::policy_test::written::{PolicyTestFile, PolicyTestSpec};
use crate::text::quoted;
use crate::workload::Workload;
use crate::yaml;

/// A test, and what stands beside it in its file.
#[derive(Debug)]
pub struct PolicyTest {
    /// The file, as it was named.
    pub file: String,
    /// Its text: the objects of the cluster that it holds are read from it.
    pub text: String,
    /// The files and folders with policies.
    pub policy_files: Vec<FileReference>,
    /// The policies in the file itself.
    pub policies: Vec<yaml::Document>,
    /// The files and folders with objects of the cluster.
    pub object_files: Vec<FileReference>,
    /// The cases, at least one.
    pub cases: Vec<TestCase>,
}

/// The tests of some files, as far as they were read, and what is wrong with the files.
#[derive(Debug, Default)]
pub struct FoundTests {
    /// The tests.
    pub tests: Vec<PolicyTest>,
    /// What is wrong.
    pub faults: Vec<PolicyError>,
}

impl FoundTests {
    /// Reads one file, `text`, which errors call `file`.
    pub fn read(&mut self, file: &str, text: &str) {
        let known = self.tests.len();
        let mut policies = Vec::new();
        let mut is_read = true;
        for document in yaml::read(text) {
            match document {
                Ok(document) => self.document((file, text), document, &mut policies),
                Err(fault) => {
                    is_read = false;
                    self.faults.push(yaml_fault(file, text, &fault));
                }
            }
        }
        match self.tests.get_mut(known..).unwrap_or_default() {
            [] if is_read && !self.faults.iter().any(|fault| fault.file == file) => {
                self.faults.push(PolicyError::new(file, 1, 1, format!("holds no {POLICY_TEST}")));
            }
            [] => {}
            [test] => test.policies = policies,
            [_, ..] => {
                let message = format!("holds more than one {POLICY_TEST}: give each a file of its own");
                self.faults.push(PolicyError::new(file, 1, 1, message));
            }
        }
        let without_policy =
            |test: &&PolicyTest| test.policies.is_empty() && test.policy_files.is_empty() && is_read;
        if let Some(test) = self.tests.get(known..).unwrap_or_default().iter().find(without_policy) {
            let message =
                "tests no policy: name its file in spec.policies, or add it to this file behind a line ---";
            self.faults.push(PolicyError::new(&test.file, 1, 1, message));
        }
    }

    fn document(
        &mut self,
        (file, text): (&str, &str),
        document: yaml::Document,
        policies: &mut Vec<yaml::Document>,
    ) {
        let root = &document.root;
        if root.value == yaml::Value::Null {
            return;
        }
        let (api_version, kind) = (root.text_of("apiVersion"), root.text_of("kind"));
        if is_of_policy(api_version, kind) {
            policies.push(document);
            return;
        }
        let mut faults = PlacedFaults::new(file, &document);
        let is_meant = is_policy_test(api_version, kind) || kind.eq_ignore_ascii_case(POLICY_TEST);
        if is_meant || kind.is_empty() {
            let test = read_test((file, text), &document, &mut faults);
            self.tests.extend(test);
        } else if Workload::of_kind(api_version, kind).is_some() {
            let message =
                format!("a {kind} beside the {POLICY_TEST}: what is judged is the object of a case");
            faults.fault(&Path::from_dotted("kind"), message);
        }
        self.faults.extend(faults.in_order());
    }
}

fn read_test(
    (file, text): (&str, &str),
    document: &yaml::Document,
    faults: &mut PlacedFaults<'_>,
) -> Option<PolicyTest> {
    let mut object: Value = match serde_json::from_slice(&document.root.to_json()) {
        Ok(object) => object,
        Err(error) => {
            faults.fault(&Path::root(), error.to_string());
            return None;
        }
    };
    let Value::Object(members) = &mut object else {
        faults.fault(&Path::root(), format!("expected a {POLICY_TEST}, found {}", describe(&object)));
        return None;
    };
    for (key, word) in [("apiVersion", API_VERSION), ("kind", POLICY_TEST)] {
        faults.check_word(key, members.get(key), &[word]);
        members.insert(key.to_owned(), word.into());
    }
    for mismatch in schema::check(&schema::of::<PolicyTestFile>(), &mut object) {
        faults.mismatch(mismatch);
    }
    match serde_json::from_value::<PolicyTestFile>(object) {
        Ok(written) => Some(of_spec((file, text), written.spec, faults)),
        Err(error) => {
            faults.fault(&Path::root(), error.to_string());
            None
        }
    }
}

fn of_spec((file, text): (&str, &str), spec: PolicyTestSpec, faults: &mut PlacedFaults<'_>) -> PolicyTest {
    let PolicyTestSpec { policies, objects, namespace, at: day, cases } = spec;
    let at = |key: &'static str| Path::from_keys(["spec", key]);
    if let Some(namespace) = &namespace {
        check_namespace(namespace, &at("namespace"), faults);
    }
    let day = day.and_then(|day| read_day(&day, &at("at"), faults));
    let references = |paths: Vec<String>, key, faults: &PlacedFaults<'_>| -> Vec<FileReference> {
        let placed = paths.into_iter().enumerate();
        placed.map(|(index, path)| reference(path, &at(key).index(index), faults)).collect()
    };
    let policy_files = references(policies, "policies", faults);
    let object_files = references(objects, "objects", faults);
    let mut read = Vec::new();
    let mut names = BTreeSet::new();
    for (index, written) in cases.into_iter().enumerate() {
        let place = at("cases").index(index);
        if !names.insert(written.name.clone()) {
            let message = format!("another case is named {}", quoted(&written.name));
            faults.fault(&place.clone().key("name"), message);
        }
        read.extend(TestCase::read(written, (namespace.as_ref(), day), &place, faults));
    }
    PolicyTest {
        file: file.to_owned(),
        text: text.to_owned(),
        policy_files,
        policies: Vec::new(),
        object_files,
        cases: read,
    }
}
