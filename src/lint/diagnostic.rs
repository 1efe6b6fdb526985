//! Findings with their places in the file.

use crate::assess::Openness;
use crate::evaluate::{Judged, Severity, Verdict, narrow};
use crate::policy::Exception;
use crate::workload::{Place, Places, Referent};
use crate::yaml::{Node, Span};

/// A finding with its place in the file.
pub(super) struct Diagnostic<'v, 'p> {
    pub(super) judged: Judged<'v, 'p>,
    /// Its strictest consequence.
    pub(super) severity: Severity,
    /// The exception that lets it be.
    pub(super) exception: Option<&'v Exception>,
    /// Whether it has to be seen elsewhere if it is one.
    pub(super) is_unresolved: bool,
    /// The field, from the object on.
    pub(super) field: String,
    pub(super) span: Span,
    /// The alias that puts it there.
    pub(super) alias: Option<Span>,
    /// The object that it comes from, if it is another one.
    pub(super) referent: Option<&'v Referent>,
}

impl Diagnostic<'_, '_> {
    /// Whether somebody has to do something about it.
    pub(super) fn is_to_do(&self) -> bool {
        !self.judged.is_filled_in() && !self.is_unresolved && self.exception.is_none()
    }

    /// What follows from it.
    pub(super) fn disposition(&self) -> &'static str {
        if self.is_unresolved { "unresolved" } else { self.judged.disposition.name() }
    }

    /// By which of two findings of the same field is the one to report: one that is left to do comes first, then the
    /// stricter.
    fn rank(&self) -> (bool, Severity) {
        (!self.judged.is_filled_in(), self.severity)
    }
}

/// The findings, each field once: with its strictest consequence and, among equal ones, that of the narrower rule. What may
/// be elsewhere is unresolved.
pub(super) fn place_findings<'v, 'p>(
    verdict: &'v Verdict<'p>,
    places: &'v Places<'_>,
    written: &Node,
    openness: Openness<'_>,
) -> Vec<Diagnostic<'v, 'p>> {
    let placed = verdict.judged().map(|judged| {
        let Place { field, span, alias, referent } = places.locate(written, &judged.finding.whole_path());
        Diagnostic {
            judged,
            severity: judged.severity(),
            exception: None,
            is_unresolved: !judged.is_filled_in() && openness.is_open(judged.control(), judged.finding),
            field,
            referent,
            span,
            alias,
        }
    });
    narrow(
        placed,
        |diagnostic| &diagnostic.judged,
        |kept, next| {
            let is_narrower = next.rank() == kept.rank()
                && !is_same(kept, &next)
                && kept.judged.is_superseded_by(&next.judged);
            if next.rank() > kept.rank() || is_narrower {
                *kept = next;
            }
        },
    )
}

/// What exceptions let be, as findings of which nothing follows.
pub(super) fn place_excepted<'v, 'p>(
    verdict: &'v Verdict<'p>,
    places: &'v Places<'_>,
    written: &Node,
) -> Vec<Diagnostic<'v, 'p>> {
    let placed = verdict.judged_excepted().map(|(judged, exception)| {
        let Place { field, span, alias, referent } = places.locate(written, &judged.finding.whole_path());
        let severity = judged.severity();
        Diagnostic {
            judged,
            severity,
            exception: Some(exception),
            is_unresolved: false,
            field,
            referent,
            span,
            alias,
        }
    });
    placed.collect()
}

/// Whether two policies have found the same: the first of them is named.
fn is_same(one: &Diagnostic<'_, '_>, other: &Diagnostic<'_, '_>) -> bool {
    one.judged.control() == other.judged.control()
}
