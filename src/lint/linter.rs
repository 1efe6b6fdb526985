//! An object → its entry in the report: the evaluator's verdict, with the place of each finding.

use crate::controls::{CONTROLS, Standard};
use crate::evaluate::{Context, ControlFindings, Severity, StandardText, Verdict, evaluate_whole};
use crate::json::{self, Reader};
use crate::lint::containers;
use crate::lint::diagnostic::{is_missing, place_findings};
use crate::lint::manifest::Item;
use crate::lint::misplaced;
use crate::lint::pod_summary::PodSummary;
use crate::lint::report::{FindingReport, ObjectReport, ObjectVerdict, PodReport};
use crate::lint::unread::DocumentOrigin;
use crate::lint::unresolved::{Unresolved, missing_parts};
use crate::lint::wrong_types;
use crate::path::Path;
use crate::pod::Pod;
use crate::policy::{
    PolicyIndex, PolicySet, RuleSource, SYSTEM_NAMESPACES, Scope, SecurityPolicy, is_namespace,
};
use crate::workload::{Workload, WorkloadObject};
use crate::yaml::{Node, YamlError};

/// Judges objects by policies.
pub(super) struct Linter<'o> {
    /// The policies, and which of them hold in each Namespace that is known.
    index: &'o PolicyIndex,
    /// The namespace of objects that name none.
    namespace: &'o str,
    /// Whether a policy selects namespaces by their labels, and whether one names them.
    selects: (bool, bool),
    /// Whether objects are read as a gate reads them. With one standard alone they are read to the
    /// letter: a misspelt field is ignored, and nothing is filled in.
    is_gate: bool,
}

/// What an object says of itself.
struct ObjectName {
    namespace: String,
    name: String,
}

impl<'o> Linter<'o> {
    pub(super) fn new(index: &'o PolicyIndex, namespace: &'o str) -> Self {
        let PolicySet { security, .. } = index.policies();
        let by_labels = |policy: &SecurityPolicy| matches!(policy.scope, Scope::Labels(_));
        let selects = (security.iter().any(by_labels), !security.iter().all(by_labels));
        Self { index, namespace, selects, is_gate: index.policies().is_gate() }
    }

    fn policies(&self) -> &'o PolicySet {
        self.index.policies()
    }

    /// The namespaces that no policy may reach.
    pub(super) fn reserved(&self) -> Vec<String> {
        let system = SYSTEM_NAMESPACES.iter().map(|name| (*name).to_owned());
        let others =
            self.policies().reserved.iter().filter(|name| !SYSTEM_NAMESPACES.contains(&name.as_str()));
        system.chain(others.cloned()).collect()
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
        let name = self.named(name.to_string(), &metadata.namespace);
        let policies = self.policies_for(&name.namespace);
        let mut missing = missing_parts(workload, item, object.pod.as_ref());
        if policies.is_empty() {
            // Nobody asks, whatever is elsewhere.
            missing.clear();
        }
        let base = workload.template_steps();
        let pod = match &mut object.pod {
            Some(pod) => {
                // The API server does so with every manifest, before anything judges it.
                pod.apply_server_defaults();
                judge(pod, &policies, &base, item.node, missing)
            }
            None => PodReport::unread_pod(&base, missing),
        };
        let mut report = self.report(item, origin, name, &policies, vec![pod]);
        report.misplaced = misplaced::find(item.node, workload);
        Ok(report)
    }

    /// Reports the containers in an object of a kind that is not known; `None` if it holds none.
    pub(super) fn unknown_kind(&self, item: &Item<'_>, origin: &DocumentOrigin<'_>) -> Option<ObjectReport> {
        let holders = containers::holders(item.node);
        if holders.is_empty() {
            return None;
        }
        let name = match item.text_at("metadata.name") {
            "" => item.text_at("metadata.generateName"),
            name => name,
        };
        let name = self.named(name.to_owned(), item.text_at("metadata.namespace"));
        let policies = self.policies_for(&name.namespace);
        let pod = |path: &Path<'_>| {
            let unresolved = Unresolved::of_unknown_kind(item, &name.name, path);
            PodReport::unread_pod(path, if policies.is_empty() { Vec::new() } else { vec![unresolved] })
        };
        let pods = holders.iter().map(|(path, _)| pod(path)).collect();
        Some(self.report(item, origin, name, &policies, pods))
    }

    fn named(&self, name: String, namespace: &str) -> ObjectName {
        let namespace = if namespace.is_empty() { self.namespace } else { namespace };
        ObjectName { namespace: namespace.to_owned(), name }
    }

    fn policies_for(&self, namespace: &str) -> Vec<&'o SecurityPolicy> {
        let namespace = real(namespace);
        match self.index.get(namespace) {
            Some(known) => known.policies().security(self.policies()).collect(),
            None => self.policies().security_for(namespace, None).collect(),
        }
    }

    fn report(
        &self,
        item: &Item<'_>,
        origin: &DocumentOrigin<'_>,
        ObjectName { namespace, name }: ObjectName,
        policies: &[&SecurityPolicy],
        pods: Vec<PodReport>,
    ) -> ObjectReport {
        ObjectReport {
            file: origin.file.to_owned(),
            document: origin.document,
            line: item.node.span.line,
            column: item.node.span.column,
            api_version: item.api_version.to_owned(),
            kind: item.kind.to_owned(),
            is_namespace_known: self.is_known(&namespace),
            namespace,
            name,
            verdict: pods.iter().map(|pod| pod.verdict).max().unwrap_or(ObjectVerdict::Allow),
            policies: policies.iter().map(|policy| policy.name.to_string()).collect(),
            pods,
            misplaced: Vec::new(),
        }
    }

    fn read<'j>(&self, workload: &Workload, json: &'j [u8]) -> json::Result<WorkloadObject<'j>> {
        let mut reader = Reader::new(json)?;
        if self.is_gate {
            reader = reader.refusing_misspelt_case();
        }
        Ok(workload.read(&mut reader)?.unwrap_or_default())
    }

    /// Whether enough is known of the namespace: if not, every policy that may hold is taken to hold.
    fn is_known(&self, namespace: &str) -> bool {
        let namespace = real(namespace);
        let (by_labels, by_name) = self.selects;
        let are_labels_known =
            || self.policies().is_reserved(namespace) || self.index.get(namespace).is_some();
        self.policies().standard.is_some()
            || (!by_name || !namespace.is_empty()) && (!by_labels || are_labels_known())
    }
}

/// The namespace, if one can have this name. Else it stands for one that a template has yet to fill in, and may be any.
fn real(namespace: &str) -> &str {
    if is_namespace(namespace) { namespace } else { "" }
}

/// Judges a pod of which this is missing.
fn judge(
    pod: &Pod<'_>,
    policies: &[&SecurityPolicy],
    base: &Path<'_>,
    node: &Node,
    unresolved: Vec<Unresolved>,
) -> PodReport {
    let is_fragment = !unresolved.is_empty();
    let verdict = evaluate_whole(policies.iter().copied(), pod, Context::CREATE);
    let diagnostics = place_findings(&verdict, base, node, is_fragment);
    let to_do = diagnostics.iter().filter(|diagnostic| diagnostic.is_to_do());
    let strictest = to_do.map(|diagnostic| diagnostic.severity).max();
    let text = standard_text(&verdict, pod, is_fragment);
    let verdict_of_pod = match strictest {
        Some(Severity::Deny) => ObjectVerdict::Deny,
        _ if is_fragment => ObjectVerdict::Unresolved,
        Some(Severity::Warn) => ObjectVerdict::Warn,
        Some(Severity::Audit) | None => ObjectVerdict::Allow,
    };
    let summary =
        strictest.map(|severity| PodSummary::new(pod, &verdict, &diagnostics, severity, is_fragment));
    PodReport {
        path: base.to_string(),
        allowed: verdict_of_pod.is_allowed(),
        verdict: verdict_of_pod,
        reason: text.reason,
        detail: text.detail,
        unresolved,
        findings: diagnostics.iter().map(|diagnostic| FindingReport::new(pod, diagnostic)).collect(),
        summary,
    }
}

/// What Kubernetes would say of the pod, or else what the extended controls say.
fn standard_text<'p>(verdict: &Verdict<'p>, pod: &'p Pod<'_>, is_fragment: bool) -> StandardText {
    // Two policies may relax different controls of one standard.
    let mut by_standard: Vec<(&Standard, Vec<ControlFindings<'p>>)> = Vec::new();
    let mut extended = StandardText::default();
    for violation in &verdict.violations {
        let mut remaining = verdict.remaining(violation, pod, |actions| actions.deny, usize::MAX);
        if is_fragment {
            let held = |findings: ControlFindings<'p>| findings.retain(|finding| !is_missing(finding));
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
