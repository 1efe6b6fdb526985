//! Whether a control is content with what is filled in at the wish of others: it is asked about a pod that has nothing else.

use serde_json::{Value as Json, json};

use crate::controls::CheckedPod;
use crate::finding::{Edit, EditOp, FieldPath, Finding, Found, Subject, Value};
use crate::json::Reader;
use crate::pod::{ContainerKind, ContainerRef, Pod};
use crate::policy::ActiveControl;

/// Most questions about one pod: what it holds, and so what is asked, is its author's to choose. What is not asked is not
/// accepted.
const MOST: usize = 256;

/// What controls were asked, with their answers: containers that are filled in alike are one question.
#[derive(Debug, Default)]
pub(super) struct Questions<'p>(Vec<(Question<'p>, bool)>);

/// Whether a control finds nothing in a field any more, nor in any field that is filled in.
#[derive(Debug)]
pub(super) struct Question<'q> {
    pub(super) active: &'q ActiveControl,
    /// The list of the container; `None` for the pod.
    pub(super) kind: Option<ContainerKind>,
    pub(super) path: FieldPath<'q>,
    pub(super) found: Found<'q>,
    /// Numbers that stand for what is filled in there, and for what is for the pod.
    pub(super) filled: [u128; 2],
}

impl<'p> Questions<'p> {
    /// Asks, unless it was asked before, where these edits fill in.
    pub(super) fn ask(&mut self, question: Question<'p>, checked: CheckedPod<'_>, filled: &[Edit<'_>]) {
        if self.0.len() < MOST && !self.0.iter().any(|(asked, _)| asked.is(&question)) {
            let is_accepted = question.is_answered(checked, filled).unwrap_or_default();
            self.0.push((question, is_accepted));
        }
    }

    /// Whether it was asked, and the control is content.
    pub(super) fn are_answered(&self, question: &Question<'_>) -> bool {
        self.0.iter().any(|(asked, is_accepted)| *is_accepted && asked.is(question))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Question<'_> {
    fn is(&self, other: &Question<'_>) -> bool {
        std::ptr::eq(self.active, other.active)
            && (self.kind, self.filled, self.found) == (other.kind, other.filled, other.found)
            && self.path == other.path
    }

    /// Whether the control finds nothing with what is filled in, and does without it: then that is the reason. `None` where
    /// there is no telling.
    fn is_answered(&self, checked: CheckedPod<'_>, filled: &[Edit<'_>]) -> Option<bool> {
        let bare = self.bare_pod(&checked.pod.spec.os_name)?;
        let mut completed = bare.clone();
        filled.iter().for_each(|edit| edit.make_in(&mut completed));
        let finds = |pod: &Json, concerns: &dyn Fn(&Finding<'_>) -> bool| {
            let mut finds = false;
            let text = pod.to_string();
            let pod = Pod::read(&mut Reader::over(&text)).ok()?;
            let checked = CheckedPod { pod: &pod, origin: checked.origin };
            self.active.check(checked, &mut |finding| finds |= concerns(&finding));
            Some(finds)
        };
        let own = |finding: &Finding<'_>| finding.path == self.path;
        let is_filled = |finding: &Finding<'_>| filled.iter().any(|edit| edit.path == finding.path);
        Some(finds(&bare, &own)? && !finds(&completed, &|finding| own(finding) || is_filled(finding))?)
    }

    /// A pod with the field as it was found, and nothing else; `None` where that is not known.
    fn bare_pod(&self, os: &str) -> Option<Json> {
        let mut pod = json!({ "spec": { "os": { "name": os } } });
        let mut subject = Subject::Pod;
        if let Some(kind) = self.kind {
            let spec = pod.get_mut("spec")?.as_object_mut()?;
            spec.insert(kind.list().to_owned(), json!([{ "name": "container" }]));
            subject = Subject::Container(ContainerRef { kind, index: 0, name: "container" });
        }
        let value = match self.found {
            Found::Absent => return Some(pod),
            Found::Hidden => return None,
            _ if self.path.has_index() => return None,
            Found::Bool(value) => Value::Bool(value),
            Found::Integer(value) => Value::Integer(value),
            Found::Text(text) => Value::Text(text),
            Found::List(items) => Value::Json(json!(items).to_string().into()),
        };
        Edit::new(subject, self.path.clone(), EditOp::Set(value)).make_in(&mut pod);
        Some(pod)
    }
}
