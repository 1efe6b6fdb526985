//! What is said of a pod in the words of Kubernetes' own evaluator.

use crate::assess::Openness;
use crate::controls::{CONTROLS, Standard};
use crate::evaluate::{ControlFindings, StandardText, Verdict};
use crate::policy::RuleSource;

/// What Kubernetes would say of the pod, or else what the extended controls say.
pub(super) fn standard_text<'p>(verdict: &Verdict<'p>, openness: Openness<'_>) -> StandardText {
    // Two policies may relax different controls of one standard.
    let mut by_standard: Vec<(&Standard, Vec<ControlFindings<'p>>)> = Vec::new();
    let mut extended = StandardText::default();
    for violation in &verdict.violations {
        let mut remaining = verdict.remaining(violation, |actions| actions.deny, usize::MAX);
        if openness.is_any_open() {
            let held = |findings: ControlFindings<'p>| {
                let control = findings.control;
                findings.retain(|finding| !openness.is_open(control, finding))
            };
            remaining = remaining.into_iter().filter_map(held).collect();
        }
        match &violation.rule.source {
            RuleSource::Standard(standard) => {
                match by_standard.iter_mut().find(|(known, _)| *known == standard) {
                    Some((_, known)) => add_missing(known, remaining),
                    None => by_standard.push((standard, remaining)),
                }
            }
            RuleSource::Extended => append(&mut extended, StandardText::of(&remaining)),
        }
    }
    let mut of_standards = StandardText::default();
    for (_, findings) in by_standard {
        append(&mut of_standards, StandardText::of(&findings));
    }
    if of_standards.reason.is_empty() { extended } else { of_standards }
}

/// Adds the controls that are not among the known ones, in the order of the registry.
fn add_missing<'p>(known: &mut Vec<ControlFindings<'p>>, others: Vec<ControlFindings<'p>>) {
    for other in others {
        if known.iter().all(|known| known.control != other.control) {
            known.push(other);
        }
    }
    known.sort_by_key(|findings| CONTROLS.iter().position(|control| *control == findings.control));
}

fn append(text: &mut StandardText, more: StandardText) {
    if text.reason.is_empty() {
        *text = more;
    } else if !more.reason.is_empty() {
        text.reason = format!("{}, {}", text.reason, more.reason);
        text.detail = format!("{}, {}", text.detail, more.detail);
    }
}
