//! Policies, a pod and a context → a verdict. The heart: pure, and for a pod that passes without an allocation.

mod accepted;
mod closing;
mod code;
mod context;
mod control_findings;
mod defaults;
mod disposition;
mod excepted;
mod exceptions;
mod existing;
mod filling;
mod group;
mod injected;
mod layout;
mod message;
mod obstacles;
mod refusal;
mod root_image;
mod standard_text;
mod tally;
mod verdict;
mod warnings;

use crate::controls::{CheckedPod, PodOrigin, Standard};
use crate::pod::Pod;
use crate::policy::SecurityPolicy;

use defaults::Filler;

pub use code::{CODE_DIGITS, CODE_PREFIX, code, controls_of};
pub use context::Context;
pub use control_findings::{ControlFindings, MOST_FINDINGS};
pub use defaults::Defaults;
pub use disposition::{Disposition, Severity};
pub use excepted::{Excepted, ExceptionInDoubt, grants_needed};
pub use existing::ExistingPod;
pub use group::{code_of, findings_of, group, narrow};
pub use message::{Line, line, note, sentence};
pub use refusal::{Refusal, Subject};
pub use root_image::root_image_warning;
pub use standard_text::StandardText;
pub use verdict::{Judged, JudgedControl, RuleViolations, Verdict};

/// Judges a pod by the policies that apply to it. At most [`MOST_FINDINGS`] findings of each violated control are
/// kept, and fewer where many rules are violated in many ways.
pub fn evaluate<'s: 'p, 'p>(
    policies: impl Iterator<Item = &'s SecurityPolicy>,
    pod: &'p Pod<'p>,
    context: Context<'p>,
) -> Verdict<'p> {
    Verdict::new(judging(policies, pod), CheckedPod { pod, origin: context.origin }, context, share)
}

/// How many findings of a control a rule may keep if the rules before it keep this many. At least one: a violated
/// control is never forgotten.
fn share(kept: usize) -> usize {
    // One control may keep an eighth of it: a pod that violates more is hostile, and there are some twenty controls.
    const OF_ALL_RULES: usize = 8 * MOST_FINDINGS;
    (OF_ALL_RULES.saturating_sub(kept) / 8).max(1)
}

/// Like [`evaluate`], with every finding: for people who lint their own files, however many findings there are.
pub fn evaluate_whole<'s: 'p, 'p>(
    policies: impl Iterator<Item = &'s SecurityPolicy>,
    pod: &'p Pod<'p>,
    context: Context<'p>,
) -> Verdict<'p> {
    let checked = CheckedPod { pod, origin: context.origin };
    Verdict::new(judging(policies, pod), checked, context, |_| usize::MAX)
}

/// Those of the policies that judge pods of this runtime class.
fn judging<'s>(
    policies: impl Iterator<Item = &'s SecurityPolicy>,
    pod: &Pod<'_>,
) -> impl Iterator<Item = &'s SecurityPolicy> {
    policies.filter(|policy| !policy.exemptions.has_runtime_class(&pod.spec.runtime_class_name))
}

/// What the policies that apply to a new pod fill in, and nothing else of their verdict.
pub fn defaults<'s: 'p, 'p>(
    policies: impl Iterator<Item = &'s SecurityPolicy>,
    pod: &'p Pod<'p>,
    origin: PodOrigin<'p>,
) -> Defaults<'p> {
    let mut defaults = Defaults::default();
    for policy in judging(policies, pod) {
        for active in policy.controls().filter(|active| active.is_filling_in()) {
            // What is filled in once something else is fixed is of no use here.
            active.check(CheckedPod { pod, origin }, &mut |finding| {
                let _ = defaults.add(Filler { policy, active }, &finding, None);
            });
        }
    }
    defaults
}

/// Judges a pod by one standard: every control that it violates, in the standard's order, and at most [`MOST_FINDINGS`]
/// findings of each.
#[must_use]
pub fn by_standard<'p>(standard: &Standard, pod: &'p Pod<'_>) -> Vec<ControlFindings<'p>> {
    let controls = standard.controls().iter();
    controls
        .filter_map(|(control, check)| ControlFindings::of(control, |sink| check(pod, sink), MOST_FINDINGS))
        .collect()
}
