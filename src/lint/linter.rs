//! An object → its entry in the report: the evaluator's verdict, with the place of each finding.

use crate::controls::{CONTROLS, Standard};
use crate::evaluate::{Context, ControlFindings, Severity, StandardText, Verdict, evaluate_whole};
use crate::json::{self, Reader};
use crate::lint::diagnostic::place_findings;
use crate::lint::manifest::Item;
use crate::lint::misplaced;
use crate::lint::pod_summary::PodSummary;
use crate::lint::report::{FindingReport, ObjectReport, ObjectVerdict, PodReport};
use crate::lint::unread::DocumentOrigin;
use crate::lint::wrong_types;
use crate::path::Path;
use crate::pod::Pod;
use crate::policy::{PolicySet, RuleSource, Scope, Snapshot};
use crate::workload::{Workload, WorkloadObject};
use crate::yaml::{Node, YamlError};

/// Judges objects by policies.
pub(super) struct Linter<'o> {
    policies: &'o PolicySet,
    namespaces: &'o Snapshot,
    /// Whether objects are read as a gate reads them. With one standard alone they are read to the
    /// letter: a misspelt field is ignored, and nothing is filled in.
    is_gate: bool,
}

impl<'o> Linter<'o> {
    pub(super) fn new(policies: &'o PolicySet, namespaces: &'o Snapshot) -> Self {
        Self { policies, namespaces, is_gate: policies.is_gate() }
    }

    /// Judges an object that carries a pod.
    pub(super) fn object(
        &self,
        workload: &Workload,
        item: &Item<'_>,
        origin: &DocumentOrigin<'_>,
    ) -> Result<ObjectReport, Vec<YamlError>> {
        let json = item.node.to_json();
        let Ok(mut object) = self.read(workload, &json) else {
            return Err(wrong_types::all(item.node, origin.text, |json| self.read(workload, json).map(drop)));
        };
        let metadata = object.metadata();
        let name = if metadata.name.is_empty() { &metadata.generate_name } else { &metadata.name };
        let (name, namespace) = (name.to_string(), metadata.namespace.to_string());
        let pod = object.pod.as_mut().map(|pod| {
            if self.is_gate {
                pod.apply_server_defaults();
            }
            self.pod(pod, &namespace, &workload.template_steps(), item.node)
        });
        let (verdict, pods) = match pod {
            Some((verdict, pod)) => (verdict, vec![pod]),
            None => (ObjectVerdict::Allow, Vec::new()),
        };
        Ok(ObjectReport {
            file: origin.file.to_owned(),
            document: origin.document,
            line: item.node.span.line,
            column: item.node.span.column,
            api_version: item.api_version.to_owned(),
            kind: item.kind.to_owned(),
            is_namespace_known: self.is_known(&namespace),
            namespace,
            name,
            verdict,
            pods,
            misplaced: misplaced::find(item.node, workload),
        })
    }

    fn read<'j>(&self, workload: &Workload, json: &'j [u8]) -> json::Result<WorkloadObject<'j>> {
        let mut reader = Reader::new(json)?;
        if self.is_gate {
            reader = reader.refusing_misspelt_case();
        }
        Ok(workload.read(&mut reader)?.unwrap_or_default())
    }

    fn pod(
        &self,
        pod: &Pod<'_>,
        namespace: &str,
        base: &Path<'_>,
        node: &Node,
    ) -> (ObjectVerdict, PodReport) {
        let policies = self.policies.security_for(namespace, self.namespaces.labels(namespace));
        let verdict = evaluate_whole(policies, pod, Context::CREATE);
        let diagnostics = place_findings(&verdict, base, node);
        let strictest = diagnostics
            .iter()
            .filter(|diagnostic| !diagnostic.judged.is_filled_in())
            .map(|diagnostic| diagnostic.severity)
            .max();
        let text = standard_text(&verdict, pod);
        let report = PodReport {
            path: base.to_string(),
            allowed: !verdict.is_denied_with_defaults(),
            reason: text.reason,
            detail: text.detail,
            findings: diagnostics.iter().map(|diagnostic| FindingReport::new(pod, diagnostic)).collect(),
            summary: strictest.map(|severity| PodSummary::new(pod, &verdict, &diagnostics, severity)),
        };
        let verdict = match strictest {
            Some(Severity::Deny) => ObjectVerdict::Deny,
            Some(Severity::Warn) => ObjectVerdict::Warn,
            Some(Severity::Audit) | None => ObjectVerdict::Allow,
        };
        (verdict, report)
    }

    /// Whether enough is known of the namespace: if not, every policy that may hold is taken to hold.
    fn is_known(&self, namespace: &str) -> bool {
        self.policies.standard.is_some()
            || self.policies.security.iter().all(|policy| match policy.scope {
                Scope::Names(_) => !namespace.is_empty(),
                Scope::Labels(_) => {
                    self.policies.reserved.iter().any(|reserved| reserved == namespace)
                        || self.namespaces.labels(namespace).is_some()
                }
            })
    }
}

/// What Kubernetes would say of the pod, or else what the extended controls say.
fn standard_text<'p>(verdict: &Verdict<'p>, pod: &'p Pod<'_>) -> StandardText {
    // Two policies may relax different controls of one standard.
    let mut by_standard: Vec<(&Standard, Vec<ControlFindings<'p>>)> = Vec::new();
    let mut extended = StandardText::default();
    for violation in &verdict.violations {
        let remaining = verdict.remaining(violation, pod, |actions| actions.deny, usize::MAX);
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
