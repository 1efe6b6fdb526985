//! Counting a decision, and logging it in one line if it is notable.
//!
//! Most reviews pass, and nobody reads a thousand such lines a second: the API server's audit log has those requests, too.
//! Neither holds anything of the object but names, and no text is built unless it is logged.

use std::fmt;
use std::time::Duration;

use tracing::field::{DisplayValue, display};

use crate::admission::{Decision, Outcome};
use crate::pod::Owner;
use crate::policy::ExemptBy;
use crate::server::labels::{FILLED_IN, mode, operation, outcome, webhook};
use crate::server::metrics::Metrics;
use crate::text::{Joined, joined, prefix};

/// Logs a decision.
macro_rules! log {
    ($target:literal, $decision:ident, $took:ident) => {
        tracing::info!(
            target: $target,
            uid = text(&$decision.uid),
            webhook = webhook($decision.webhook),
            operation = operation($decision.operation),
            kind = text(&$decision.kind),
            subresource = text(&$decision.subresource),
            namespace = text(&$decision.namespace),
            name = text(&$decision.name),
            generate_name = text(&$decision.generate_name),
            owner = $decision.owner.as_ref().map(|owner| display(OwnerName(owner))),
            policy = listed($decision.policies.iter()),
            exempt = listed($decision.exemptions.iter().map(|(policy, by)| ExemptFrom(policy, *by))),
            decision = outcome($decision.outcome),
            code = $decision.code,
            refusal = text(&$decision.refusal_code),
            exceptions = listed($decision.exceptions.iter().map(|(_, exception)| exception)),
            controls = listed($decision.findings.iter().map(|(control, _)| control)),
            patch_operations = ($decision.patch_operations > 0).then_some($decision.patch_operations),
            dry_run = $decision.is_dry_run.then_some(true),
            error = text(&$decision.error),
            micros = micros($took),
            "reviewed",
        )
    };
}

/// From when on a review is slow. It takes some 10 µs, and a few ms with a look-up at the API server. A tenth of the second in
/// which an API server should have answered its user is what that user may notice.
const SLOW: Duration = Duration::from_millis(100);

/// Which reviews are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LoggedReviews {
    /// Those that did not simply pass.
    Notable,
    /// Every one.
    All,
    /// None.
    None,
}

impl LoggedReviews {
    /// The value of the flag.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Notable => "notable",
            Self::All => "all",
            Self::None => "none",
        }
    }

    fn has(self, decision: &Decision<'_>, took: Duration) -> bool {
        match self {
            Self::Notable => is_notable(decision, took),
            Self::All => true,
            Self::None => false,
        }
    }
}

/// Whether a review did anything but pass, or passed slowly.
fn is_notable(decision: &Decision<'_>, took: Duration) -> bool {
    let is_plain = match decision.outcome {
        Outcome::Allowed => {
            !decision.has_remarks
                && !decision.is_unjudged
                && decision.findings.is_empty()
                && decision.exemptions.is_empty()
        }
        Outcome::Patched | Outcome::Denied | Outcome::Error => false,
    };
    !is_plain || took >= SLOW
}

/// Counts one decision, and logs it if it is one of those that are logged.
pub(super) fn record(metrics: &Metrics, logged: LoggedReviews, decision: &Decision<'_>, took: Duration) {
    metrics.review(decision.webhook, decision.operation, decision.outcome, took);
    for (control, severity) in &decision.findings {
        metrics.finding(control, mode(*severity));
    }
    for control in &decision.filled_in {
        metrics.finding(control, FILLED_IN);
    }
    for (policy, exception) in &decision.exceptions {
        metrics.exception(policy, exception);
    }
    for (policy, outcome) in &decision.identities {
        metrics.identity(policy, *outcome);
    }
    for (policy, by) in &decision.exemptions {
        metrics.exemption(policy, *by);
    }
    metrics.pod_security(decision);
    if decision.is_unjudged && metrics.unjudged(&decision.namespace) {
        tracing::warn!(
            target: "podgate::unjudged",
            namespace = text(&decision.namespace),
            advice = "give its label a value that a policy asks for, or take the label off; podgate doctor names both",
            "no policy holds in a namespace: what is made there is let pass unjudged",
        );
    }
    if !logged.has(decision, took) {
        return;
    }
    // Verdicts are what the log is for. What cannot be judged is mostly what no API server sends, and the log's rate
    // limit may leave some of it out.
    match decision.outcome {
        Outcome::Allowed | Outcome::Patched | Outcome::Denied => log!("podgate::review", decision, took),
        Outcome::Error => log!("podgate::failed", decision, took),
    }
}

/// A field for a text, cut to the longest name that Kubernetes takes; none for an empty one.
fn text(text: &str) -> Option<&str> {
    const LONGEST: usize = 253;
    Some(prefix(text, LONGEST)).filter(|text| !text.is_empty())
}

/// A field for a list, `ml-restricted,ml-trainers`; none for an empty one.
fn listed<I>(items: I) -> Option<DisplayValue<Joined<'static, I>>>
where
    I: ExactSizeIterator<Item: fmt::Display> + Clone,
{
    (items.len() > 0).then(|| display(joined(items, ",")))
}

/// `ml-restricted:user`.
struct ExemptFrom<'p>(&'p str, ExemptBy);

impl fmt::Display for ExemptFrom<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0, self.1.name())
    }
}

/// `Job/train`, each part cut as every name is.
struct OwnerName<'o>(&'o Owner<'o>);

impl fmt::Display for OwnerName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kind, name] = [&self.0.kind, &self.0.name].map(|part| text(part).unwrap_or_default());
        write!(f, "{kind}/{name}")
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::{Reviewer, Webhook};
    use crate::policy::{Answers, Policies, Snapshot};

    /// The decision about a review that simply passes.
    fn pass() -> Decision<'static> {
        let body = br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"DELETE","resource":{"group":"","version":"v1","resource":"pods"}}}"#;
        let reviewer = Reviewer::new(Policies::new(Vec::new()).finish().unwrap(), Snapshot::default());
        reviewer.review(Webhook::Validate, body, &Answers::default()).unwrap().answer().unwrap().decision
    }

    #[test]
    fn a_slow_review_is_notable_though_it_passes() {
        let just_under = SLOW - Duration::from_nanos(1);
        for (logged, took, expected) in [
            (LoggedReviews::Notable, just_under, false),
            (LoggedReviews::Notable, SLOW, true),
            (LoggedReviews::All, just_under, true),
            (LoggedReviews::None, SLOW, false),
        ] {
            assert_eq!(logged.has(&pass(), took), expected, "{logged:?} {took:?}");
        }
    }

    /// Lines wait in memory until they are written, so none may be as long as a peer likes.
    #[test]
    fn owners_are_cut_as_names_are() {
        let owner = Owner {
            api_version: "v".into(),
            kind: "k".repeat(300).into(),
            name: "é".repeat(300).into(),
            uid: "u".into(),
        };
        assert_eq!(OwnerName(&owner).to_string(), format!("{}/{}", "k".repeat(253), "é".repeat(126)));
        let owner = Owner { api_version: "v".into(), kind: "Job".into(), name: "".into(), uid: "u".into() };
        assert_eq!(OwnerName(&owner).to_string(), "Job/");
    }
}
