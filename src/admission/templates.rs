//! A custom resource that carries pods: whoever applies it is warned of what its pods will be refused for, or it is refused
//! itself, where a policy says so.
//!
//! What is not known refuses nothing: the pods themselves are judged when they are made. So what cannot be looked into here
//! is let be, with a warning.

use crate::admission::answer::Cause;
use crate::admission::bounds::LONGEST_NOTE;
use crate::admission::decision::Decision;
use crate::admission::outcome::{audit_text, cause_at};
use crate::assess::{Assessed, assess};
use crate::evaluate::{Refusal, Severity, Subject, findings_of, note};
use crate::json::Result;
use crate::policy::SecurityPolicy;
use crate::text::{cut_as_json, printable};
use crate::workload::{Carried, Kinds, Object, References, Template};
use crate::yaml::{self, Node};

/// Most values of an object that is looked into: a tree of them takes room, and no real one has as many.
const MOST_VALUES: usize = 16_384;
/// Most templates of an object that are judged.
const MOST_TEMPLATES: usize = 256;
/// Most warnings about one object: the API server cuts them all once they pass 4096 characters together.
const MOST_WARNINGS: usize = 32;
/// Most causes in the status of a refusal.
const MOST_CAUSES: usize = 64;
/// Most templates that are named beside the first.
const MOST_OTHERS: usize = 8;
/// Longest path in a warning, in characters.
const LONGEST_PATH: usize = 90;

/// What is said about a custom resource.
#[derive(Debug, Default)]
pub(super) struct TemplatesVerdict {
    /// What whoever applies it is warned of.
    pub(super) warnings: Vec<String>,
    /// What the API server's audit log is told.
    pub(super) audit: Option<String>,
    /// Why it is refused, if it is.
    pub(super) refusal: Option<TemplateRefusal>,
}

/// Why a custom resource is refused: for the first of its templates that is.
#[derive(Debug)]
pub(super) struct TemplateRefusal {
    pub(super) message: String,
    pub(super) code: String,
    pub(super) causes: Vec<Cause>,
    /// How many more templates are.
    others: usize,
}

impl TemplateRefusal {
    /// Adds that of another template of the object: its path is named, and its causes are told to programs.
    fn add(&mut self, path: &str, other: Self) {
        if self.others < MOST_OTHERS {
            let path = printable(path, LONGEST_PATH);
            self.message.push_str(&format!("\nLikewise refused:  the pods of {path}  [code {}]", other.code));
        } else if self.others == MOST_OTHERS {
            self.message.push_str("\nLikewise refused:  those of more templates; podgate lint has them all");
        }
        self.others += 1;
        let room = MOST_CAUSES.saturating_sub(self.causes.len());
        self.causes.extend(other.causes.into_iter().take(room));
    }
}

/// Judges the templates of custom resources.
pub(super) struct TemplateReview<'r> {
    pub(super) kinds: &'r Kinds,
    pub(super) policies: Vec<&'r SecurityPolicy>,
    pub(super) is_gate: bool,
    pub(super) subject: Subject<'r>,
    pub(super) api_version: &'r str,
}

impl TemplateReview<'_> {
    /// Judges an object, given as JSON.
    pub(super) fn judge(&self, text: &str, decision: &mut Decision<'_>) -> TemplatesVerdict {
        let mut verdict = TemplatesVerdict::default();
        let node = match read(text) {
            Ok(node) => node,
            Err(reason) => {
                verdict
                    .warnings
                    .push(format!("podgate: this {} is not looked into: {reason}", self.subject.kind));
                return verdict;
            }
        };
        let object = Object {
            node: &node,
            api_version: self.api_version,
            kind: self.subject.kind,
            kinds: self.kinds,
            namespace: self.subject.namespace,
            references: &References::default(),
        };
        let Carried::Templates(templates) = object.carried() else { return verdict };
        for template in templates.iter().take(MOST_TEMPLATES) {
            self.template(template, &mut verdict, decision);
        }
        let more = verdict.warnings.len().saturating_sub(MOST_WARNINGS);
        if more > 0 {
            verdict.warnings.truncate(MOST_WARNINGS);
            verdict.warnings.push(format!("podgate: and {more} more warnings: podgate lint has them all"));
        }
        verdict
    }

    fn template(&self, template: &Template<'_>, verdict: &mut TemplatesVerdict, decision: &mut Decision<'_>) {
        assess(template, &self.policies, self.is_gate, |assessed| {
            let Ok(assessed) = assessed else { return };
            let pod = assessed.pod;
            let closed = assessed.closed_verdict();
            let names = self.policies.iter().map(|policy| policy.name.clone());
            if !closed.violations.is_empty() {
                decision.record(
                    names.filter(|name| !decision_has(decision, name)).collect::<Vec<_>>().into_iter(),
                    &closed,
                    false,
                );
            }
            let warnings = closed.template_warnings(pod, None);
            if !warnings.is_empty() {
                let path = printable(&template.path.to_string(), LONGEST_PATH).to_string();
                verdict.warnings.push(format!("podgate: in the pods of {path}:"));
                verdict.warnings.extend(warnings);
            }
            if verdict.audit.is_none() {
                verdict.audit = audit_text(&closed, pod, false).map(|text| cut_as_json(text, LONGEST_NOTE));
            }
        });
        match (&mut verdict.refusal, self.refusal(template)) {
            (Some(first), Some(other)) => first.add(&template.path.to_string(), other),
            (None, refusal) => verdict.refusal = refusal,
            (Some(_), None) => {}
        }
    }

    /// Why the object is refused for one of its templates: as its pods would be, by the policies that say so.
    fn refusal(&self, template: &Template<'_>) -> Option<TemplateRefusal> {
        let refusing = self.policies.iter().copied().filter(|policy| policy.refuses_templates);
        let refusing: Vec<&SecurityPolicy> = refusing.collect();
        let written = template.pod.as_deref().filter(|_| !refusing.is_empty())?;
        assess(template, &refusing, self.is_gate, |assessed| self.refuse(template, written, assessed.ok()?))
    }

    fn refuse(
        &self,
        template: &Template<'_>,
        written: &Node,
        assessed: Assessed<'_, '_>,
    ) -> Option<TemplateRefusal> {
        let pod = assessed.pod;
        let verdict = assessed.closed_verdict();
        if !verdict.is_denied_with_defaults() {
            return None;
        }
        let denied = findings_of(&verdict, Severity::Deny);
        let path = template.path.to_string();
        let subject = Subject { template: &path, ..self.subject };
        let Refusal { message, code } = Refusal::new(subject, pod, (&verdict, &denied), None);
        let left = denied.iter().filter(|judged| !judged.is_filled_in()).take(MOST_CAUSES);
        let causes = left.map(|judged| {
            let field = template.places.locate(written, &judged.finding.whole_path()).field;
            cause_at(field, judged, note(pod, judged, None))
        });
        Some(TemplateRefusal { message, code, causes: causes.collect(), others: 0 })
    }
}

/// Whether a policy is among those of a decision already.
fn decision_has(decision: &Decision<'_>, name: &str) -> bool {
    decision.policies.iter().any(|known| known.as_ref() == name)
}

/// The tree of an object; why not, if it is not looked into.
fn read(text: &str) -> std::result::Result<Node, String> {
    let values = text.bytes().filter(|byte| b",[{".contains(byte)).count();
    if values > MOST_VALUES {
        return Err(format!("it has more than {MOST_VALUES} values"));
    }
    match yaml::read(text).pop() {
        Some(Ok(document)) => Ok(document.root),
        Some(Err(error)) => Err(printable(&error.message, LONGEST_PATH).to_string()),
        None => Err("there is nothing in it".to_owned()),
    }
}

/// Whether an update changes anything of an object that its pods could depend on: not its metadata and its status.
pub(super) fn is_changed(old: &str, new: &str) -> Result<bool> {
    Ok(sections(old)? != sections(new)?)
}

/// The parts of an object that its pods may depend on.
fn sections(text: &str) -> Result<Vec<(String, &str)>> {
    let mut sections = Vec::new();
    crate::json::Reader::over(text).object(|reader, key| {
        let is_wanted = !["metadata", "status", "apiVersion", "kind"].contains(&key.as_ref());
        let key = key.to_string();
        let value = reader.skip()?;
        if is_wanted {
            sections.push((key, value));
        }
        Ok(())
    })?;
    Ok(sections)
}
