//! Whether a control is content with what is filled in at the wish of others: it is asked about a pod that has nothing else.

use serde_json::{Value as Json, json};

use crate::controls::CheckedPod;
use crate::finding::{Edit, EditOp, FieldPath, Subject};
use crate::json::Reader;
use crate::pod::{ContainerKind, ContainerRef, Pod};
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
    /// A number that stands for what is filled in there.
    pub(super) filled: u128,
}

impl<'p> Questions<'p> {
    /// Asks, unless it was asked before.
    pub(super) fn ask(
        &mut self,
        question: Question<'p>,
        checked: CheckedPod<'_>,
        filled: &[(FieldPath<'_>, EditOp<'_>)],
    ) {
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
        filled: u128,
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
        filled: u128,
    ) -> bool {
        std::ptr::eq(self.active, active) && (self.kind, self.filled) == (kind, filled) && self.path == *path
    }
}

fn is_content(
    Question { active, kind, path, .. }: &Question<'_>,
    CheckedPod { pod, origin }: CheckedPod<'_>,
    filled: &[(FieldPath<'_>, EditOp<'_>)],
) -> bool {
    let mut other = json!({ "spec": { "os": { "name": &*pod.spec.os_name } } });
    let subject = match kind {
        Some(kind) => {
            other["spec"][kind.list()] = json!([{ "name": "container" }]);
            Subject::Container(ContainerRef { kind: *kind, index: 0, name: "container" })
        }
        None => Subject::Pod,
    };
    for (path, op) in filled {
        Edit::new(subject, path.clone(), op.clone()).make_in(&mut other);
    }
    let mut is_content = true;
    read_and_check(&other, |pod| {
        active.check(CheckedPod { pod, origin }, &mut |finding| {
            let concerns = |field: &FieldPath<'_>| finding.path == *field;
            is_content &= !concerns(path) && !filled.iter().any(|(path, _)| concerns(path));
        });
    }) && is_content
}

/// Reads a pod, and has it checked. Whether it can be read.
fn read_and_check(pod: &Json, check: impl FnOnce(&Pod<'_>)) -> bool {
    let text = pod.to_string();
    Pod::read(&mut Reader::over(&text)).map(|pod| check(&pod)).is_ok()
}
