//! Findings in the standard's own words, as Kubernetes' own Pod Security Admission would say them.

use std::fmt::Write as _;

use crate::controls::Violation;
use crate::evaluate::control_findings::ControlFindings;
use crate::evaluate::verdict::RuleViolations;
use crate::policy::RuleSource;
use crate::text::prefix;

/// Longest text of one rule's findings in the standard's words, in bytes. Each text appears twice, in the refusal and in
/// the audit log, and an answer has 256 KiB. Two hundred containers with the longest names may violate seven controls each.
const LONGEST_TEXT: usize = 100 * 1024;

/// Findings in the standard's own words.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct StandardText {
    /// The reasons, joined with `, `.
    pub reason: String,
    /// The reasons with their details, where there are any, in brackets; likewise.
    pub detail: String,
}

impl StandardText {
    /// The words for findings in the order of their controls; empty for none. After the details of a control it says how many
    /// were not kept, and it omits the end of a text over 100 KiB.
    #[must_use]
    pub fn of<'f, 'p: 'f>(findings: impl IntoIterator<Item = &'f ControlFindings<'p>>) -> Self {
        /// Room for the words about a pod with many faults.
        const USUAL: usize = 1024;
        let mut text = Self { reason: String::new(), detail: String::with_capacity(USUAL) };
        let mut left_out = 0;
        for of_control in findings {
            let Violation { reason, detail } = of_control.control.in_words(of_control.kept());
            if !text.reason.is_empty() {
                text.reason.push_str(", ");
                text.detail.push_str(", ");
            }
            text.reason.push_str(reason);
            text.detail.push_str(reason);
            if !detail.is_empty() {
                text.detail.push_str(" (");
                text.detail.push_str(&detail);
                match of_control.omitted() {
                    0 => {}
                    more => drop(write!(text.detail, "; and {more} more")),
                }
                text.detail.push(')');
            }
            left_out += shorten(&mut text.detail);
        }
        if left_out > 0 {
            let _ = write!(text.detail, "... and {left_out} bytes more");
        }
        text
    }
}

/// Cuts a text to [`LONGEST_TEXT`], and returns how much was cut.
fn shorten(text: &mut String) -> usize {
    let whole = text.len();
    text.truncate(prefix(text, LONGEST_TEXT).len());
    whole - text.len()
}

impl RuleViolations<'_> {
    /// Some of its findings as Kubernetes' own audit log or warnings put them:
    /// `PodSecurity "restricted:latest": hostPort (container "c" uses hostPort 80)`.
    #[must_use]
    pub fn text_of<'f, 'p: 'f>(&self, findings: impl IntoIterator<Item = &'f ControlFindings<'p>>) -> String {
        let detail = StandardText::of(findings).detail;
        let (what, name) = match &self.rule.source {
            RuleSource::Standard(standard) => ("PodSecurity", standard.text()),
            RuleSource::Extended => ("policy", &*self.policy.name),
        };
        [what, " \"", name, "\": ", &detail].concat()
    }
}
