//! A custom resource that carries pods: whoever applies it is warned of what its pods will be refused for, or it is refused
//! itself, where a policy says so.
//!
//! What is not known refuses nothing: the pods themselves are judged when they are made. So what cannot be looked into here
//! is let be, with a warning.

use std::collections::BTreeSet;

use crate::admission::answer::{Cause, Details, Response, Status};
use crate::admission::bounds::{LONGEST_NAME, LONGEST_NOTE};
use crate::admission::decision::Decision;
use crate::admission::outcome::{audit_text, cause_at, switch_text};
use crate::admission::request::{NamedObject, ObjectField, Request};
use crate::admission::template_warnings::TemplateWarnings;
use crate::assess::{Assessed, assess, judged_part};
use crate::controls::PodOrigin;
use crate::evaluate::{Refusal, Severity, Subject, findings_of, note};
use crate::json::Result;
use crate::policy::SecurityPolicy;
use crate::text::{counted, cut_as_json, printable};
use crate::workload::{Carried, CopyBudget, Kinds, Object, References, Template};
use crate::yaml::{self, Node};

/// Most values of an object that is looked into: in a tree each takes some hundred bytes, and hardly any real object has as
/// many.
const MOST_VALUES: usize = 8192;
/// Most values of the pods that are put together of an object: what all of its pods have in common is in each of them. The
/// texts that hold an object count as well.
const MOST_COPIED: usize = 8192;
/// Most templates of an object that are judged.
const MOST_TEMPLATES: usize = 256;
/// Most causes in the status of a refusal.
const MOST_CAUSES: usize = 64;
/// Most templates that are named beside the first.
const MOST_OTHERS: usize = 8;
/// Longest path in a warning, in characters.
const LONGEST_PATH: usize = 90;

/// What is said about a custom resource.
#[derive(Debug, Default)]
struct TemplatesVerdict {
    /// What whoever applies it is warned of.
    warnings: TemplateWarnings,
    /// What the API server's audit log is told.
    audit: Option<String>,
    /// And of policies that are switched to Audit.
    switch: Option<String>,
    /// Why it is refused, if it is.
    refusal: Option<TemplateRefusal>,
}

/// Why a custom resource is refused: for the first of its templates that is, with what is said of the others.
#[derive(Debug)]
struct TemplateRefusal {
    message: String,
    code: String,
    /// How many changes it takes.
    changes: usize,
    causes: Vec<Cause>,
    others: OtherRefusals,
}

/// What is said of the other templates that are refused.
#[derive(Debug, Default)]
struct OtherRefusals {
    count: usize,
    /// How many changes they take together.
    changes: usize,
    /// The lines about them.
    lines: String,
}

impl TemplateRefusal {
    /// Adds that of another template of the object: its path is named, and its causes are told to programs.
    fn add(&mut self, path: &str, other: Self) {
        let OtherRefusals { count, changes, lines } = &mut self.others;
        if *count < MOST_OTHERS {
            let (path, needed) = (printable(path, LONGEST_PATH), counted(other.changes, "change"));
            lines.push_str(&format!(
                "\nLikewise refused:  the pods of {path} ({needed})  [code {}]",
                other.code
            ));
        } else if *count == MOST_OTHERS {
            lines.push_str("\nLikewise refused:  those of more templates; podgate lint has them all");
        }
        *count += 1;
        *changes += other.changes;
        let room = MOST_CAUSES.saturating_sub(self.causes.len());
        self.causes.extend(other.causes.into_iter().take(room));
    }
}

/// Judges the templates of custom resources.
pub(super) struct TemplateReview<'r, 'b> {
    pub(super) kinds: &'r Kinds,
    pub(super) policies: Vec<&'r SecurityPolicy>,
    pub(super) is_gate: bool,
    /// Where its pods will come from.
    pub(super) origin: PodOrigin<'r>,
    pub(super) request: &'r Request<'b>,
    pub(super) object: &'r NamedObject<'b>,
}

impl<'r, 'b> TemplateReview<'r, 'b> {
    /// Judges the object, and fills in the response.
    pub(super) fn answer(&self, response: &mut Response<'_>, decision: &mut Decision<'b>) {
        let TemplatesVerdict { warnings, audit, switch, refusal } = self.judge(decision);
        response.audit_annotations.audit_violations = audit;
        response.audit_annotations.switch = switch;
        let Some(TemplateRefusal { message, code, causes, .. }) = refusal else {
            response.warnings = warnings.told();
            return;
        };
        decision.deny(403, code);
        response.allowed = false;
        let details = Details {
            name: cut_as_json(self.name(), LONGEST_NAME),
            kind: cut_as_json(self.request.resource.as_ref(), LONGEST_NAME).into(),
            causes,
        };
        response.status = Some(Status { details: Some(details), ..Status::failure(403, message) });
    }

    /// The name of the object; empty where one is still to be generated.
    fn name(&self) -> &'r str {
        let names = [&self.request.name, &self.object.metadata.name];
        names.into_iter().find(|name| !name.is_empty()).map_or("", AsRef::as_ref)
    }

    fn judge(&self, decision: &mut Decision<'_>) -> TemplatesVerdict {
        let mut verdict = TemplatesVerdict::default();
        let node = match read(self.object.text) {
            Ok(node) => node,
            Err(reason) => {
                verdict.warnings.add(&format!("this {} is not looked into: {reason}", self.request.kind));
                return verdict;
            }
        };
        let (references, budget) = (References::default(), CopyBudget::of(MOST_COPIED));
        let object = self.whole(&node, (&references, &budget));
        let Carried::Templates(templates) = object.carried() else { return verdict };
        if templates.len() > MOST_TEMPLATES {
            let count = templates.len();
            let kind = &self.request.kind;
            verdict.warnings.add(&format!(
                "of the {count} templates of this {kind} only {MOST_TEMPLATES} are looked into"
            ));
        }
        let refusing: Vec<&SecurityPolicy> =
            self.policies.iter().copied().filter(|policy| policy.refuses_templates).collect();
        let templates = templates.get(..MOST_TEMPLATES).unwrap_or(&templates);
        templates.iter().for_each(|template| self.warn(template, &mut verdict, decision));
        verdict.refusal = self.refusal_of(templates, &refusing);
        verdict
    }

    /// Why the object is refused, if it is for any of these templates.
    fn refusal_of(
        &self,
        templates: &[Template<'_>],
        refusing: &[&SecurityPolicy],
    ) -> Option<TemplateRefusal> {
        // What was there before is read when it is first asked for.
        let mut old = None;
        let mut is_new = |template: &Template<'_>| {
            let old = old.get_or_insert_with(|| self.old_pods(refusing));
            old.is_empty()
                || template.pod.as_deref().is_some_and(|pod| !old.contains(&judged_part(pod, refusing)))
        };
        let mut refused = templates.iter().filter_map(|template| {
            let refusal = self.refusal(template, refusing, 0)?;
            is_new(template).then_some((template, refusal))
        });
        let (template, mut first) = refused.next()?;
        refused.for_each(|(template, refusal)| first.add(&template.path.to_string(), refusal));
        if first.others.count > 0 {
            // The first line counts the changes of all, and was written before the others were known.
            let whole = self.refusal(template, refusing, first.others.changes)?;
            first.message = [whole.message, std::mem::take(&mut first.others.lines)].concat();
        }
        Some(first)
    }

    /// An object of the kind that the request is about.
    fn whole<'d>(
        &'d self,
        node: &'d Node,
        (references, budget): (&'d References, &'d CopyBudget),
    ) -> Object<'d> {
        Object {
            node,
            api_version: &self.object.api_version,
            kind: &self.request.kind,
            kinds: self.kinds,
            namespace: &self.request.namespace,
            references,
            budget,
        }
    }

    /// The pods that the object had before an update. Nobody is refused for those: whoever changes the rest of an object (an
    /// operator that scales it, a user who suspends it) may have written none of them.
    fn old_pods(&self, refusing: &[&SecurityPolicy]) -> BTreeSet<Vec<u8>> {
        let ObjectField::Named(old) = &self.request.old_object else { return BTreeSet::new() };
        let Ok(node) = read(old.text) else { return BTreeSet::new() };
        let (references, budget) = (References::default(), CopyBudget::of(MOST_COPIED));
        let Carried::Templates(templates) = self.whole(&node, (&references, &budget)).carried() else {
            return BTreeSet::new();
        };
        let pods = templates.iter().take(MOST_TEMPLATES).filter_map(|template| template.pod.as_deref());
        pods.map(|pod| judged_part(pod, refusing)).collect()
    }

    fn warn(&self, template: &Template<'_>, verdict: &mut TemplatesVerdict, decision: &mut Decision<'_>) {
        assess(template, (&self.policies, self.origin), self.is_gate, |assessed| {
            let Ok(assessed) = assessed else { return };
            let pod = assessed.pod;
            let closed = assessed.closed_verdict();
            if !closed.violations.is_empty() {
                let names = self.policies.iter().map(|policy| policy.name.clone());
                let new: Vec<_> = names.filter(|name| !decision_has(decision, name)).collect();
                decision.record(new.into_iter(), &closed, false);
            }
            verdict.switch = verdict.switch.take().or_else(|| switch_text(&closed));
            verdict.warnings.add_of(&template.path.to_string(), closed.warnings_and_closing(pod, None));
            if verdict.audit.is_none() {
                verdict.audit = audit_text(&closed, false).map(|text| cut_as_json(text, LONGEST_NOTE));
            }
        });
    }

    /// Why the object is refused for one of its templates: as its pods would be, by the policies that say so. Others need so
    /// many changes `elsewhere`.
    fn refusal(
        &self,
        template: &Template<'_>,
        refusing: &[&SecurityPolicy],
        elsewhere: usize,
    ) -> Option<TemplateRefusal> {
        let written = template.pod.as_deref().filter(|_| !refusing.is_empty())?;
        assess(template, (refusing, self.origin), self.is_gate, |assessed| {
            self.refuse((template, written), elsewhere, assessed.ok()?)
        })
    }

    fn refuse(
        &self,
        (template, written): (&Template<'_>, &Node),
        elsewhere: usize,
        assessed: Assessed<'_, '_>,
    ) -> Option<TemplateRefusal> {
        let pod = assessed.pod;
        let verdict = assessed.closed_verdict();
        if !verdict.is_denied_with_defaults() {
            return None;
        }
        let denied = findings_of(&verdict, Severity::Deny);
        let path = template.path.to_string();
        let (kind, namespace) = (self.request.kind.as_ref(), self.request.namespace.as_ref());
        let subject = Subject { kind, name: self.name(), owner: None, namespace, template: &path, elsewhere };
        let Refusal { message, code, changes } = Refusal::new(subject, pod, (&verdict, &denied), None);
        let left = denied.iter().filter(|judged| !judged.is_filled_in()).take(MOST_CAUSES);
        let causes = left.map(|judged| {
            let field = template.places.locate(written, &judged.finding.whole_path()).field;
            cause_at(field, judged, note(pod, judged, None))
        });
        Some(TemplateRefusal {
            message,
            code,
            changes,
            causes: causes.collect(),
            others: OtherRefusals::default(),
        })
    }
}

/// Whether a policy is among those of a decision already.
fn decision_has(decision: &Decision<'_>, name: &str) -> bool {
    decision.policies.iter().any(|known| known.as_ref() == name)
}

/// The tree of an object; why not, if it is not looked into.
fn read(text: &str) -> std::result::Result<Node, String> {
    let text = without_status(text).map_err(|error| error.to_string())?;
    if values_in(&text) > MOST_VALUES {
        return Err(format!("it has more than {MOST_VALUES} values"));
    }
    match yaml::read(&text).pop() {
        Some(Ok(document)) => Ok(document.root),
        Some(Err(error)) => Err(error.message),
        None => Err("there is nothing in it".to_owned()),
    }
}

/// About how many values are in a JSON text.
fn values_in(text: &str) -> usize {
    let (mut count, mut is_in_string, mut is_escaped) = (0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_in_string => is_escaped = true,
            b'"' => is_in_string = !is_in_string,
            b',' | b'[' | b'{' if !is_in_string => count += 1,
            _ => {}
        }
    }
    count
}

/// An object without its status and `managedFields`, which are long and carry no pod.
fn without_status(text: &str) -> Result<String> {
    members_but(text, "status", |key, value| match key {
        "metadata" => members_but(value, "managedFields", |_, value| Ok(value.to_owned())),
        _ => Ok(value.to_owned()),
    })
}

/// An object without one of its keys, and with what becomes of the values of the others.
fn members_but(
    text: &str,
    left_out: &str,
    value_of: impl Fn(&str, &str) -> Result<String>,
) -> Result<String> {
    let mut kept = Vec::new();
    crate::json::Reader::over(text).object(|reader, key| {
        let key = key.to_string();
        let value = reader.skip()?;
        if key != left_out {
            let value = value_of(&key, value)?;
            kept.push(format!("{}:{value}", serde_json::Value::from(key)));
        }
        Ok(())
    })?;
    Ok(format!("{{{}}}", kept.join(",")))
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
