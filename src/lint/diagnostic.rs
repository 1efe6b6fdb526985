//! Findings with their places in the file.

use std::collections::HashMap;

use crate::evaluate::{Judged, Severity, Verdict};
use crate::path::Path;
use crate::yaml::{Located, Node, Span};

/// A finding with its place in the file.
pub(super) struct Diagnostic<'v, 'p> {
    pub(super) judged: Judged<'v, 'p>,
    /// The strictest consequence that any policy gives it.
    pub(super) severity: Severity,
    /// The field, from the object on.
    pub(super) field: String,
    pub(super) span: Span,
    /// The alias that puts it there.
    pub(super) alias: Option<Span>,
}

/// The findings, each violation of a control once, with its strictest consequence.
pub(super) fn place_findings<'v, 'p>(
    verdict: &'v Verdict<'p>,
    base: &Path<'_>,
    node: &Node,
) -> Vec<Diagnostic<'v, 'p>> {
    let mut diagnostics: Vec<Diagnostic<'v, 'p>> = Vec::new();
    let mut known = HashMap::new();
    for judged in verdict.judged() {
        let path = base.join(&judged.finding.whole_path());
        let field = path.to_string();
        let index = *known.entry((judged.control().id, field.clone())).or_insert(diagnostics.len());
        match diagnostics.get_mut(index) {
            // What is filled in need not be fixed; else the finding of the stricter policy is the one that has to be.
            Some(same) if rank(&judged) > rank(&same.judged) => {
                (same.judged, same.severity) = (judged, judged.severity());
            }
            Some(_) => {}
            None => {
                let Located { span, alias, .. } = node.locate(&path);
                diagnostics.push(Diagnostic { judged, severity: judged.severity(), field, span, alias });
            }
        }
    }
    diagnostics
}

fn rank(judged: &Judged<'_, '_>) -> (bool, Severity) {
    (!judged.is_filled_in(), judged.severity())
}
