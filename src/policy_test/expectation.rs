//! What a case expects, and how what was found differs from it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::controls::{CONTROLS, Control};
use crate::evaluate::Severity;
use crate::path::Path;
use crate::policy::PlacedFaults;
use crate::policy::schema::suggestion;
use crate::policy_test::field::steps;
use crate::policy_test::written::{SeverityWord, TestVerdict, WrittenExpectation};
use crate::text::quoted;

/// How nothing is written.
const NONE: &str = "none";

/// What a case expects; what it does not say is not compared.
#[derive(Debug)]
pub(super) struct CaseExpectation {
    verdict: TestVerdict,
    controls: Option<BTreeMap<String, Severity>>,
    filled_in: Option<BTreeSet<String>>,
    fields: Vec<ExpectedField>,
    policies: Option<BTreeSet<String>>,
}

#[derive(Debug)]
struct ExpectedField {
    /// As it is written.
    name: String,
    /// The same as a JSON Pointer.
    pointer: String,
    value: Value,
}

/// What was found of a case.
#[derive(Debug)]
pub struct CaseOutcome {
    /// The worst verdict on any of its objects.
    pub verdict: TestVerdict,
    /// The controls that are violated once defaults are filled in, by their ids.
    pub controls: BTreeMap<String, Severity>,
    /// The controls that what is filled in makes good.
    pub filled_in: BTreeSet<String>,
    /// The policies that hold.
    pub policies: BTreeSet<String>,
    /// Whether no policy holds, so that nothing was judged.
    pub is_unjudged: bool,
    /// The pod once defaults are filled in, if the case is about one alone.
    pub pod: Option<Value>,
    /// What its author would be told.
    pub said: Vec<String>,
}

/// Something that is not as it is expected.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct CaseDifference {
    /// What: `verdict`, `controls`, `filledIn`, `policies`, or a field of the pod.
    pub what: String,
    /// What is expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

impl CaseExpectation {
    /// Checks what is written at this path for sense.
    pub(super) fn read(written: WrittenExpectation, at: &Path<'_>, faults: &mut PlacedFaults<'_>) -> Self {
        let WrittenExpectation { verdict, controls, filled_in, fields, policies } = written;
        let controls = controls.map(|controls| {
            controls.into_iter().map(|(id, severity)| (id, severity.meaning())).collect::<BTreeMap<_, _>>()
        });
        check_severities(verdict, controls.as_ref(), at, faults);
        let ids = controls.iter().flat_map(BTreeMap::keys);
        for id in ids.filter(|id| Control::named(id).is_none()) {
            faults.fault(&at.clone().key("controls").key(id.as_str()), no_control(id));
        }
        for (index, id) in filled_in.iter().flatten().enumerate() {
            let place = at.clone().key("filledIn").index(index);
            if Control::named(id).is_none() {
                faults.fault(&place, no_control(id));
            } else if controls.as_ref().is_some_and(|controls| controls.contains_key(id)) {
                faults.fault(&place, format!("{id} is among the controls that are violated all the same"));
            }
        }
        let mut expected = Vec::new();
        for (name, value) in fields.into_iter().flatten() {
            match steps(&name) {
                Some(path) => {
                    let pointer = path.json_pointer();
                    expected.push(ExpectedField { pointer, name, value });
                }
                None => {
                    let message = "not a field: write spec.containers[0].image or metadata.labels[a.b/c]";
                    faults.fault(&at.clone().key("fields").key(name), message);
                }
            }
        }
        let set = |list: Option<Vec<String>>| list.map(BTreeSet::from_iter);
        Self { verdict, controls, filled_in: set(filled_in), fields: expected, policies: set(policies) }
    }

    /// Whether it expects something of fields, which only a pod that was judged alone has.
    pub(super) fn has_fields(&self) -> bool {
        !self.fields.is_empty()
    }

    /// How what was found differs from what is expected.
    pub(super) fn differences(&self, found: &CaseOutcome) -> Vec<CaseDifference> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, expected: String, found: String| {
            if expected != found {
                differences.push(CaseDifference { what: what.to_owned(), expected, found });
            }
        };
        compare("verdict", self.verdict.name().to_owned(), found.verdict.name().to_owned());
        if let Some(expected) = &self.controls {
            compare("controls", with_severities(expected), with_severities(&found.controls));
        }
        if let Some(expected) = &self.filled_in {
            compare("filledIn", list(expected), list(&found.filled_in));
        }
        match &self.policies {
            Some(expected) => compare("policies", list(expected), list(&found.policies)),
            // Whoever tests policies wants none to be left out by mistake.
            None if found.is_unjudged => {
                compare("policies", "one that holds in the namespace".to_owned(), NONE.to_owned());
            }
            None => {}
        }
        for field in &self.fields {
            let of_pod = found.pod.as_ref().and_then(|pod| pod.pointer(&field.pointer));
            compare(&field.name, field.value.to_string(), of_pod.unwrap_or(&Value::Null).to_string());
        }
        differences
    }
}

/// Refuses what no verdict can come to, and a reason that is left open.
fn check_severities(
    verdict: TestVerdict,
    controls: Option<&BTreeMap<String, Severity>>,
    at: &Path<'_>,
    faults: &mut PlacedFaults<'_>,
) {
    let strictest = match verdict {
        TestVerdict::Allow => Severity::Audit,
        TestVerdict::Warn | TestVerdict::Unresolved => Severity::Warn,
        TestVerdict::Deny => Severity::Deny,
    };
    let Some(controls) = controls else {
        if matches!(verdict, TestVerdict::Warn | TestVerdict::Deny) {
            let message = format!(
                "say for which controls, or anything might be the reason: controls: {{ID: {}}}; \
                 controls: {{}} for what is no control's",
                verdict.name()
            );
            faults.fault(at, message);
        }
        return;
    };
    for (id, severity) in controls.iter().filter(|(_, severity)| **severity > strictest) {
        let message = format!("what is {} cannot come to the verdict {}", past(*severity), verdict.name());
        faults.fault(&at.clone().key("controls").key(id.as_str()), message);
    }
}

fn past(severity: Severity) -> &'static str {
    match severity {
        Severity::Audit => "audited",
        Severity::Warn => "warned of",
        Severity::Deny => "denied",
    }
}

fn no_control(id: &str) -> String {
    let nearest = suggestion(id, CONTROLS.iter().map(|control| control.id));
    format!("no such control {}{nearest}; podgate explain lists them all", quoted(id))
}

/// `hostPaths: deny, hostPorts: warn`.
fn with_severities(controls: &BTreeMap<String, Severity>) -> String {
    let controls = controls.iter().map(|(id, severity)| format!("{id}: {}", severity.name()));
    or_none(&controls.collect::<Vec<_>>())
}

fn list(words: &BTreeSet<String>) -> String {
    or_none(&words.iter().cloned().collect::<Vec<_>>())
}

fn or_none(words: &[String]) -> String {
    if words.is_empty() { NONE.to_owned() } else { words.join(", ") }
}

impl SeverityWord {
    fn meaning(self) -> Severity {
        match self {
            Self::Audit => Severity::Audit,
            Self::Warn => Severity::Warn,
            Self::Deny => Severity::Deny,
        }
    }
}
