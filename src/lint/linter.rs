//! An object → its entry in the report: the evaluator's verdict, with the place of each finding.

use jiff::civil::Date;

use crate::assess::{Assessed, assess, assess_pod};
use crate::controls::PodOrigin;
use crate::json::{self, Reader};
use crate::lint::account_of_run::AccountOfRun;
use crate::lint::describe::describe;
use crate::lint::identity::{IdentityCheck, PodSource, misplaced_keys};
use crate::lint::injected::Injected;
use crate::lint::known_kinds::{misspelling, nearly_known};
use crate::lint::manifest::Item;
use crate::lint::misplaced::{self, Misplaced};
use crate::lint::report::{ObjectReport, ObjectVerdict, PodReport};
use crate::lint::unlooked;
use crate::lint::unread::DocumentOrigin;
use crate::lint::unresolved::{missing_part, missing_parts};
use crate::lint::wrong_types;
use crate::path::Path;
use crate::pod::Controller;
use crate::policy::{
    PolicyError, PolicyIndex, PolicySet, SYSTEM_NAMESPACES, Scope, SecurityPolicy, Snapshot,
};
use crate::workload::{
    Carried, Carries, CopyBudget, Kind, Kinds, Object, PodDefaults, References, Shape, Template, Unresolved,
    UnresolvedReason, Workload, WorkloadObject, has_placeholder, holders, injected_by_metadata,
    is_of_cluster,
};
use crate::yaml::{Document, Value, YamlError};

/// What says what is wrong with the tables of kinds of a file, by its name: who reads such files is not known here.
pub(super) type CheckTables = fn(&str, &[&Document]) -> Vec<PolicyError>;

/// Most values that are copied to put the pods of one object together: hundreds of megabytes.
const MOST_COPIED: usize = 1 << 20;

/// Judges objects by policies.
pub(super) struct Linter<'o> {
    /// The policies, and which of them hold in each Namespace that is known.
    pub(super) index: &'o PolicyIndex,
    /// The namespace of objects that name none.
    namespace: &'o str,
    /// The custom resources that are known, and the objects that they may refer to.
    kinds: &'o Kinds,
    references: &'o References,
    /// Whether a policy selects namespaces by their labels, and whether one names them.
    pub(super) selects: (bool, bool),
    /// Whether objects are read as a gate reads them. With one standard alone they are read to the
    /// letter: a misspelt field is ignored, and nothing is filled in.
    is_gate: bool,
    check_tables: Option<CheckTables>,
    /// The day on which exceptions are asked whether they hold, and what tells which RBAC grants.
    pub(super) exceptions: (Option<Date>, &'o Snapshot),
    /// Judges identities; `None` where nothing asks for one.
    identity: Option<IdentityCheck<'o>>,
}

/// What an object says of itself.
struct ObjectName {
    namespace: String,
    name: String,
}

impl<'o> Linter<'o> {
    pub(super) fn new(
        index: &'o PolicyIndex,
        namespace: &'o str,
        (kinds, references): (&'o Kinds, &'o References),
        check_tables: Option<CheckTables>,
        exceptions: (Option<Date>, &'o Snapshot),
    ) -> Self {
        let PolicySet { security, .. } = index.policies();
        let by_labels = |policy: &SecurityPolicy| matches!(policy.scope, Scope::Labels(_));
        let selects = (security.iter().any(by_labels), !security.iter().all(by_labels));
        let is_gate = index.policies().is_gate();
        Self {
            index,
            namespace,
            kinds,
            references,
            selects,
            is_gate,
            check_tables,
            exceptions,
            identity: None,
        }
    }

    /// The same, judging identities as well.
    pub(super) fn with_identity(self, identity: Option<IdentityCheck<'o>>) -> Self {
        Self { identity, ..self }
    }

    /// Whether identities are judged.
    pub(super) fn judges_identity(&self) -> bool {
        self.identity.is_some()
    }

    /// Reads a service account.
    pub(super) fn account(
        &self,
        item: &Item<'_>,
        origin: &DocumentOrigin<'_>,
    ) -> Result<Option<AccountOfRun>, Vec<YamlError>> {
        AccountOfRun::read(item, origin, self.namespace)
    }

    /// Whether a kind is that of a custom resource that carries pods.
    pub(super) fn knows(&self, api_version: &str, kind: &str) -> bool {
        self.kinds.find(api_version, kind).is_some_and(|kind| !matches!(kind.carries, Carries::Nothing))
    }

    /// What is wrong with the version or kind of an object that is nearly one of those that are read.
    pub(super) fn misspelling(&self, api_version: &str, kind: &str) -> Option<String> {
        misspelling(self.kinds, api_version, kind)
    }

    /// What is wrong with the tables of kinds of a file.
    pub(super) fn faults_of_tables(&self, file: &str, tables: &[&Document]) -> Vec<PolicyError> {
        let check = self.check_tables.filter(|_| !tables.is_empty());
        check.map(|check| check(file, tables)).unwrap_or_default()
    }

    /// What a kind of somebody else's group was perhaps meant for.
    pub(super) fn nearly_known(&self, api_version: &str, kind: &str) -> Option<String> {
        nearly_known(self.kinds, api_version, kind)
    }

    pub(super) fn policies(&self) -> &'o PolicySet {
        self.index.policies()
    }

    /// The namespaces that no policy may reach.
    pub(super) fn reserved(&self) -> Vec<String> {
        let system = SYSTEM_NAMESPACES.iter().map(|name| (*name).to_owned());
        let others =
            self.policies().reserved.iter().filter(|name| !SYSTEM_NAMESPACES.contains(&name.as_str()));
        system.chain(others.cloned()).collect()
    }

    /// Judges an object of one of Kubernetes' own kinds that carry pods.
    pub(super) fn object(
        &self,
        workload: &Workload,
        item: &Item<'_>,
        origin: &DocumentOrigin<'_>,
    ) -> Result<ObjectReport, Vec<YamlError>> {
        let json = item.node.to_json();
        let read = self.read(workload, &json);
        let has_placeholder = has_placeholder(&String::from_utf8_lossy(&json));
        let name = match &read {
            Ok(object) => {
                let metadata = object.metadata();
                let name = if metadata.name.is_empty() { &metadata.generate_name } else { &metadata.name };
                self.named(name.to_string(), &metadata.namespace)
            }
            Err(_) => self.name_of(item),
        };
        let by = self.judged_by(&name.namespace);
        let (policies, from) = by.for_pods_of(workload.controller());
        let faults = || wrong_types::all(item.node, origin.text, |json| self.read(workload, json).map(drop));
        let defaults = PodDefaults::of(self.references, &name.namespace);
        let written = || self.written_pod(workload, item, (policies, from), &defaults).ok_or_else(faults);
        let pod = match read {
            Ok(object) if !has_placeholder && defaults.are_none() => {
                self.workload_pod(workload, item, object, (policies, from))
            }
            Ok(_) => written()?,
            Err(_) if has_placeholder => {
                let pod = written()?;
                let is_wrong = |entry: &Unresolved| entry.reason == UnresolvedReason::WrongType;
                if policies.is_empty() || pod.unresolved.is_empty() || pod.unresolved.iter().any(is_wrong) {
                    return Err(faults());
                }
                pod
            }
            Err(_) => return Err(faults()),
        };
        let mut pods = vec![pod];
        let template = item.node.locate(&workload.template_steps());
        let (mut injected, mut misplaced) = (Vec::new(), Vec::new());
        if template.exact {
            injected = Injected::of(injected_by_metadata(template.node), (policies, from));
            let whole = Template::in_place(workload.template_steps(), template.node);
            let whole = defaults.merged_into(whole, item.node);
            misplaced = self.add_identity(&[whole], (item, &name.namespace, policies), &mut pods);
        }
        misplaced.extend(misplaced::find(item.node, workload));
        Ok(ObjectReport { injected, misplaced, ..self.report(item, origin, &name, policies, pods) })
    }

    /// Judges the pod of an object that was read.
    fn workload_pod(
        &self,
        workload: &Workload,
        item: &Item<'_>,
        mut object: WorkloadObject<'_>,
        (policies, origin): (&[&SecurityPolicy], PodOrigin<'_>),
    ) -> PodReport {
        let base = workload.template_steps();
        let located = item.node.locate(&base);
        let mut missing = missing_parts(workload, item);
        match &mut object.pod {
            Some(pod) if located.exact => {
                let mut template = Template::in_place(base, located.node);
                template.unresolved = missing;
                assess_pod((&template, located.node), (policies, origin), pod, |assessed| {
                    describe(&template, located.node, assessed)
                })
            }
            _ => {
                missing.push(missing_part(item.node, &base));
                missing.retain(|_| !policies.is_empty());
                PodReport::unread_pod(&base, Shape::PodTemplate, missing)
            }
        }
    }

    /// Judges the pod of an object in which not every value is known; `None` where there is none.
    fn written_pod(
        &self,
        workload: &Workload,
        item: &Item<'_>,
        policies: (&[&SecurityPolicy], PodOrigin<'_>),
        defaults: &PodDefaults<'_>,
    ) -> Option<PodReport> {
        let base = workload.template_steps();
        let located = item.node.locate(&base);
        let is_there = located.exact && located.node.value != Value::Null;
        let mut template = Template::in_place(base.clone(), located.node);
        template.unresolved = missing_parts(workload, item);
        if !is_there {
            template.unresolved.push(missing_part(item.node, &base));
            template.pod = None;
        }
        let template = defaults.merged_into(template, item.node);
        Some(self.template(&template, policies))
    }

    /// Judges the pods of a custom resource; `None` if it makes none.
    pub(super) fn custom_resource(
        &self,
        item: &Item<'_>,
        origin: &DocumentOrigin<'_>,
    ) -> Option<ObjectReport> {
        let Item { node, api_version, kind } = *item;
        let name = self.custom_name(item);
        let budget = CopyBudget::of(MOST_COPIED);
        let object = Object {
            node,
            api_version,
            kind,
            kinds: self.kinds,
            namespace: &name.namespace,
            references: self.references,
            budget: &budget,
        };
        let mut templates = match object.carried() {
            Carried::Unknown => return self.unknown_kind(item, origin),
            Carried::Nothing => return None,
            Carried::Templates(templates) => templates,
        };
        let defaults = PodDefaults::of(self.references, &name.namespace);
        if !defaults.are_none() {
            templates = templates.into_iter().map(|template| defaults.merged_into(template, node)).collect();
        }
        let by = self.judged_by(&name.namespace);
        let (policies, from) = by.for_pods_of(Controller::Unknown);
        let mut pods: Vec<PodReport> =
            templates.iter().map(|template| self.template(template, (policies, from))).collect();
        let by_webhooks =
            templates.iter().filter_map(|template| template.pod.as_deref()).flat_map(injected_by_metadata);
        let injected = Injected::of(object.injected().into_iter().chain(by_webhooks), (policies, from));
        let has_patterns = |kind: &Kind| matches!(kind.carries, Carries::Templates(_));
        let mut misplaced = match self.kinds.find(api_version, kind).is_some_and(has_patterns) {
            true => unlooked::find(node, kind, &templates),
            false => Vec::new(),
        };
        misplaced.extend(self.add_identity(&templates, (item, &name.namespace, policies), &mut pods));
        drop(templates);
        Some(ObjectReport { misplaced, injected, ..self.report(item, origin, &name, policies, pods) })
    }

    /// Adds what is wrong with the identity of pods, given the templates that they were reported from; returns the labels and
    /// annotations that have no effect.
    fn add_identity(
        &self,
        templates: &[Template<'_>],
        (item, namespace, security): (&Item<'_>, &str, &[&SecurityPolicy]),
        pods: &mut [PodReport],
    ) -> Vec<Misplaced> {
        let Some(check) = &self.identity else { return Vec::new() };
        let Item { api_version, kind, .. } = *item;
        for (template, pod) in templates.iter().zip(pods) {
            check.judge(template, PodSource { namespace, api_version, kind, security }, pod);
        }
        misplaced_keys(item, templates)
    }

    fn template(&self, template: &Template<'_>, policies: (&[&SecurityPolicy], PodOrigin<'_>)) -> PodReport {
        assess(template, policies, self.is_gate, |assessed| match (assessed, template.pod.as_deref()) {
            (Ok(assessed), Some(written)) => describe(template, written, assessed),
            (Ok(Assessed { unresolved, .. }) | Err(unresolved), _) => {
                PodReport::unread_pod(&template.path, template.shape, unresolved)
            }
        })
    }

    /// Reports the containers in an object of a kind that is not known; `None` if it holds none.
    fn unknown_kind(&self, item: &Item<'_>, origin: &DocumentOrigin<'_>) -> Option<ObjectReport> {
        let holders = holders(item.node);
        if holders.is_empty() {
            return None;
        }
        let name = self.name_of(item);
        let policies = self.judged_by(&name.namespace).policies;
        let pod = |path: &Path<'_>| {
            let about = (item.api_version, item.kind);
            let mut unresolved = Unresolved::of_unknown_kind(item.node, about, &name.name, path);
            if let Some(meant) = self.nearly_known(item.api_version, item.kind) {
                unresolved.text.push_str(&format!(", did you mean {meant}?"));
            }
            let unresolved = if policies.is_empty() { Vec::new() } else { vec![unresolved] };
            PodReport::unread_pod(path, Shape::Opaque, unresolved)
        };
        let pods = holders.iter().map(|(path, _)| pod(path)).collect();
        Some(self.report(item, origin, &name, &policies, pods))
    }

    fn name_of(&self, item: &Item<'_>) -> ObjectName {
        let name = match item.text_at("metadata.name") {
            "" => item.text_at("metadata.generateName"),
            name => name,
        };
        self.named(name.to_owned(), item.text_at("metadata.namespace"))
    }

    /// The same of a custom resource, which may be of the whole cluster.
    fn custom_name(&self, item: &Item<'_>) -> ObjectName {
        match is_of_cluster(item.api_version, item.kind) {
            true => ObjectName { namespace: String::new(), ..self.name_of(item) },
            false => self.name_of(item),
        }
    }

    fn named(&self, name: String, namespace: &str) -> ObjectName {
        let namespace = if namespace.is_empty() { self.namespace } else { namespace };
        ObjectName { namespace: namespace.to_owned(), name }
    }

    fn report(
        &self,
        item: &Item<'_>,
        origin: &DocumentOrigin<'_>,
        ObjectName { namespace, name }: &ObjectName,
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
            is_namespace_known: self.is_known(namespace),
            is_of_cluster: is_of_cluster(item.api_version, item.kind),
            namespace: namespace.clone(),
            name: name.clone(),
            verdict: pods.iter().map(|pod| pod.verdict).max().unwrap_or(ObjectVerdict::Allow),
            policies: policies.iter().map(|policy| policy.name.to_string()).collect(),
            pods,
            misplaced: Vec::new(),
            injected: Vec::new(),
        }
    }

    fn read<'j>(&self, workload: &Workload, json: &'j [u8]) -> json::Result<WorkloadObject<'j>> {
        let mut reader = Reader::new(json)?;
        if self.is_gate {
            reader = reader.refusing_misspelt_case();
        }
        Ok(workload.read(&mut reader)?.unwrap_or_default())
    }
}
