//! Pods that need the same changes, folded: a tree made from a few templates shows each fault once.

use std::collections::HashMap;

use crate::lint::report::{FoundIn, Layout, ObjectReport, PodReport, PodSummary, Report, SuggestedChange};
use crate::workload::Workload;

/// Pods for which the same has to be done.
#[derive(Debug)]
pub(super) struct Fold<'r> {
    /// The pods, in the order of the report: at least one.
    pub(super) pods: Vec<FoldedPod<'r>>,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct FoldedPod<'r> {
    pub(super) object: &'r ObjectReport,
    pub(super) pod: &'r PodReport,
    pub(super) summary: &'r PodSummary,
    /// Whether whoever applies the object is warned: Kubernetes' own evaluator knows none of the custom resources.
    pub(super) is_warned_of: bool,
}

/// What pods have in common that are folded.
#[derive(PartialEq, Eq, Hash)]
struct FoldKey<'r> {
    is_pod: bool,
    is_warned_of: bool,
    severity: &'static str,
    policies: &'r [String],
    code: &'r str,
    changes: Vec<ChangeKey<'r>>,
    more: usize,
    filled_in: &'r [String],
}

#[derive(PartialEq, Eq, Hash)]
struct ChangeKey<'r> {
    severity: &'static str,
    /// `None` if it is every container, whatever they are called.
    subject: Option<&'r str>,
    field: &'r str,
    found: &'r str,
    fix: &'r str,
    is_by_alias: bool,
    from: Option<&'r FoundIn>,
}

/// The pods for which something has to be done, those with the same changes together, each where its first one is.
pub(super) fn fold<'r>(report: &'r Report, layout: Layout) -> Vec<Fold<'r>> {
    let mut folds: Vec<Fold<'_>> = Vec::new();
    let mut known = HashMap::new();
    let pods = report.objects.iter().flat_map(|object| object.pods.iter().map(move |pod| (object, pod)));
    for (object, pod) in pods {
        let Some(summary) = pod.summary.as_ref().filter(|summary| summary.severity >= layout.least) else {
            continue;
        };
        let is_built_in = || Workload::of_kind(&object.api_version, &object.kind).is_some();
        let is_warned_of = report.standard.is_none() || is_built_in();
        let folded = FoldedPod { object, pod, summary, is_warned_of };
        let index = *known.entry(FoldKey::of(folded)).or_insert(folds.len());
        match folds.get_mut(index) {
            Some(fold) => fold.pods.push(folded),
            None => folds.push(Fold { pods: vec![folded] }),
        }
    }
    folds
}

impl<'r> FoldKey<'r> {
    fn of(FoldedPod { pod, summary, is_warned_of, .. }: FoldedPod<'r>) -> Self {
        let PodSummary { severity, policies, code, changes, more, filled_in, .. } = summary;
        Self {
            is_pod: pod.path.is_empty(),
            is_warned_of,
            severity: severity.name(),
            policies,
            code,
            changes: changes.iter().map(ChangeKey::of).collect(),
            more: *more,
            filled_in,
        }
    }
}

impl<'r> ChangeKey<'r> {
    fn of(change: &'r SuggestedChange) -> Self {
        Self {
            severity: change.severity.name(),
            subject: (!change.is_of_every_container).then_some(&change.text.subject),
            field: &change.text.field,
            found: &change.text.found,
            fix: &change.text.fix,
            is_by_alias: change.alias.is_some(),
            from: change.from.as_ref(),
        }
    }
}
