//! Whether a control is content with what is filled in at the wish of others: it is asked about a pod that has nothing else.

use serde_json::{Value as Json, json};

use crate::controls::CheckedPod;
use crate::finding::{Edit, FieldPath, Finding};
use crate::json::Reader;
use crate::pod::{ContainerKind, Pod};
use crate::policy::ActiveControl;

/// Most questions about one pod. What can be asked depends on the policies; what is not asked is not accepted.
const MOST: usize = 256;

/// What controls were asked, with their answers: containers that are filled in alike are one question.
#[derive(Debug, Default)]
pub(super) struct Questions<'p>(Vec<(Question<'p>, bool)>);

/// Whether a control finds nothing in a field any more, nor in any field that is filled in.
#[derive(Debug, Clone)]
pub(super) struct Question<'p> {
    pub(super) active: &'p ActiveControl,
    /// The list of the container; `None` for the pod.
    pub(super) kind: Option<ContainerKind>,
    pub(super) path: FieldPath<'p>,
    /// Numbers that stand for what is filled in there, and for what is for the pod.
    pub(super) filled: [u128; 2],
}

impl<'p> Questions<'p> {
    /// Asks, unless it was asked before.
    pub(super) fn ask(&mut self, question: Question<'p>, checked: CheckedPod<'_>, filled: &[Edit<'_>]) {
        let Question { active, kind, .. } = question;
        if self.0.len() < MOST
            && !self.0.iter().any(|(asked, _)| asked.is(active, kind, &question.path, question.filled))
        {
            let is_accepted = is_content(&question, checked, filled);
            self.0.push((question, is_accepted));
        }
    }

    /// Whether it was asked, and is content.
    pub(super) fn is_accepted(
        &self,
        active: &ActiveControl,
        kind: Option<ContainerKind>,
        path: &FieldPath<'_>,
        filled: [u128; 2],
    ) -> bool {
        self.0.iter().any(|(asked, is_accepted)| *is_accepted && asked.is(active, kind, path, filled))
    }
}

impl Question<'_> {
    fn is(
        &self,
        active: &ActiveControl,
        kind: Option<ContainerKind>,
        path: &FieldPath<'_>,
        filled: [u128; 2],
    ) -> bool {
        std::ptr::eq(self.active, active) && (self.kind, self.filled) == (kind, filled) && self.path == *path
    }
}

/// Whether the control finds nothing with what is filled in, and does without it: then that is the reason.
fn is_content(question: &Question<'_>, checked: CheckedPod<'_>, filled: &[Edit<'_>]) -> bool {
    let Question { active, kind, path, .. } = question;
    let Some(bare) = bare_pod(*kind, &checked.pod.spec.os_name) else { return false };
    let mut completed = bare.clone();
    filled.iter().for_each(|edit| edit.make_in(&mut completed));
    let finds = |pod: &Json, concerns: &dyn Fn(&Finding<'_>) -> bool| {
        let mut finds = false;
        let text = pod.to_string();
        let pod = Pod::read(&mut Reader::over(&text)).ok()?;
        let checked = CheckedPod { pod: &pod, origin: checked.origin };
        active.check(checked, &mut |finding| finds |= concerns(&finding));
        Some(finds)
    };
    let own = |finding: &Finding<'_>| finding.path == *path;
    let is_filled = |finding: &Finding<'_>| filled.iter().any(|edit| edit.path == finding.path);
    finds(&bare, &own) == Some(true)
        && finds(&completed, &|finding| own(finding) || is_filled(finding)) == Some(false)
}

/// A pod with one container of a kind, or with none, that says nothing.
fn bare_pod(kind: Option<ContainerKind>, os: &str) -> Option<Json> {
    let mut pod = json!({ "spec": { "os": { "name": os } } });
    if let Some(kind) = kind {
        let spec = pod.get_mut("spec")?.as_object_mut()?;
        spec.insert(kind.list().to_owned(), json!([{ "name": "container" }]));
    }
    Some(pod)
}
