//! An object → its entry in the report: the evaluator's verdict, with the place of each finding.

use std::collections::HashMap;

use crate::controls::{Finding, Standard};
use crate::evaluate::{Severity, Text, Verdict, evaluate_whole};
use crate::json::{self, Reader};
use crate::lint::advice::Advice;
use crate::lint::manifest::Item;
use crate::lint::{Origin, place, report};
use crate::pod::{Pod, Step, dotted, steps};
use crate::policy::{Basis, PolicySet, Scope, Snapshot};
use crate::workload::{Object, Workload};
use crate::yaml::{Fault, Located, Node, Span};

/// Judges objects by policies.
pub(super) struct Judge<'o> {
    policies: &'o PolicySet,
    namespaces: &'o Snapshot,
    /// Whether objects are read as a gate reads them. By one standard alone they are read to the
    /// letter: a misspelt field is none, and nothing is filled in.
    is_gate: bool,
}

/// A finding with its place in the file.
pub(super) struct Placed<'v> {
    pub(super) finding: &'v Finding<'v>,
    pub(super) severity: Severity,
    /// Whether podgate fills in what it asks for.
    pub(super) is_filled_in: bool,
    /// The field, from the object on.
    pub(super) field: String,
    pub(super) span: Span,
    /// The alias that puts it there.
    pub(super) alias: Option<Span>,
}

impl<'o> Judge<'o> {
    pub(super) fn new(policies: &'o PolicySet, namespaces: &'o Snapshot) -> Self {
        Self { policies, namespaces, is_gate: policies.is_gate() }
    }

    /// Judges an object that carries a pod.
    pub(super) fn object(
        &self,
        workload: &Workload,
        item: &Item<'_>,
        origin: &Origin<'_>,
    ) -> Result<report::Object, Fault> {
        let json = item.node.to_json();
        let mut object = self.read(workload, &json).map_err(|error| place::of_error(item.node, &error))?;
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
            None => (report::Verdict::Allow, Vec::new()),
        };
        Ok(report::Object {
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
        })
    }

    fn read<'j>(&self, workload: &Workload, json: &'j [u8]) -> json::Result<Object<'j>> {
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
        base: &[Step<'_>],
        node: &Node,
    ) -> (report::Verdict, report::Pod) {
        let policies = self.policies.security_for(namespace, self.namespaces.labels(namespace));
        let verdict = evaluate_whole(policies, pod);
        let placed = place_findings(&verdict, base, node);
        let strictest =
            placed.iter().filter(|placed| !placed.is_filled_in).map(|placed| placed.severity).max();
        let text = standard_text(&verdict, pod);
        let report = report::Pod {
            path: dotted(base),
            allowed: !verdict.is_denied_after_repair(),
            reason: text.reason,
            detail: text.detail,
            findings: placed.iter().map(|placed| report::Finding::new(pod, placed)).collect(),
            advice: strictest.map(|severity| Advice::new(pod, &verdict, &placed, severity)),
        };
        let verdict = match strictest {
            Some(Severity::Deny) => report::Verdict::Deny,
            Some(Severity::Warn) => report::Verdict::Warn,
            Some(Severity::Audit) | None => report::Verdict::Allow,
        };
        (verdict, report)
    }

    /// Whether no policy had to be taken to hold because nothing is known of the namespace.
    fn is_known(&self, namespace: &str) -> bool {
        self.policies.security.iter().all(|policy| match policy.scope {
            Scope::Everywhere => true,
            Scope::Names(_) => !namespace.is_empty(),
            Scope::Labels(_) => {
                self.policies.reserved.iter().any(|reserved| reserved == namespace)
                    || self.namespaces.labels(namespace).is_some()
            }
        })
    }
}

/// The findings, each fault of a control once with the strictest thing that comes of it.
fn place_findings<'v>(verdict: &'v Verdict<'_>, base: &[Step<'_>], node: &Node) -> Vec<Placed<'v>> {
    let mut placed: Vec<Placed<'v>> = Vec::new();
    let mut known = HashMap::new();
    for (severity, finding) in verdict.findings() {
        let path: Vec<Step<'_>> = base.iter().copied().chain(steps(finding.place, finding.field)).collect();
        let field = dotted(&path);
        let index = *known.entry((finding.control.id, field.clone())).or_insert(placed.len());
        match placed.get_mut(index) {
            Some(same) => same.severity = same.severity.max(severity),
            None => {
                let Located { span, alias, .. } = place::of_steps(node, &path);
                let is_filled_in = verdict.is_repaired(finding);
                placed.push(Placed { finding, severity, is_filled_in, field, span, alias });
            }
        }
    }
    placed
}

/// What Kubernetes would say of the pod, or of the rules beyond the standard if it says nothing.
fn standard_text<'p>(verdict: &Verdict<'p>, pod: &'p Pod<'_>) -> Text {
    let mut standards: Vec<&Standard> = Vec::new();
    let mut of_standards = Text::default();
    let mut beyond = Text::default();
    for breach in verdict.breaches.iter().filter(|breach| breach.rule.actions.deny) {
        let text = match &breach.rule.basis {
            Basis::Standard(standard) if standards.contains(&standard) => continue,
            Basis::Standard(standard) => {
                standards.push(standard);
                &mut of_standards
            }
            Basis::Controls(_) => &mut beyond,
        };
        append(text, Text::of(&verdict.unrepaired(breach, pod, usize::MAX)));
    }
    if of_standards.reason.is_empty() { beyond } else { of_standards }
}

fn append(text: &mut Text, more: Text) {
    if text.reason.is_empty() {
        *text = more;
    } else if !more.reason.is_empty() {
        text.reason = format!("{}, {}", text.reason, more.reason);
        text.detail = format!("{}, {}", text.detail, more.detail);
    }
}
