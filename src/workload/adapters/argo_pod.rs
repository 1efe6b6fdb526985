//! How Argo Workflows makes the pod of a template: the workflow's defaults under it, fields of the workflow where it has none,
//! and patches over all of it, which are written as texts.

use crate::path::Path;
use crate::text::quoted;
use crate::workload::adapters::argo_patch::{Patch, apply, give_images, patch_of};
use crate::workload::kind::Object;
use crate::workload::merge::merge_typed;
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::{Unresolved, UnresolvedReason};
use crate::yaml::{Node, Span, Value};

/// What a template can be, in the order in which Argo asks.
const TYPES: [&str; 10] =
    ["container", "containerSet", "steps", "dag", "script", "resource", "data", "suspend", "http", "plugin"];
/// The fields of a pod that a template has, and a workflow for those that have none.
const OF_POD: [&str; 12] = [
    "hostNetwork",
    "volumes",
    "serviceAccountName",
    "automountServiceAccountToken",
    "hostAliases",
    "nodeSelector",
    "tolerations",
    "affinity",
    "schedulerName",
    "priorityClassName",
    "imagePullSecrets",
    "dnsPolicy",
];
const MAIN: &str = "main";

/// What a workflow says for all its templates.
pub(super) struct Level<'o, 'd> {
    pub(super) object: &'o Object<'d>,
    /// The path of its spec.
    pub(super) path: Path<'d>,
    spec: Option<&'d Node>,
    defaults: Option<&'d Node>,
    patch: Option<Patch>,
    /// Whether references to other workflows are followed.
    pub(super) follows: bool,
}

/// A template, and its place.
type At<'a, 'd> = (&'a Path<'d>, &'d Node);

impl<'o, 'd> Level<'o, 'd> {
    /// That of a workflow's spec.
    pub(super) fn of(object: &'o Object<'d>, path: Path<'d>, spec: &'d Node) -> Self {
        let patch = patch_of(object, &path, spec);
        Self { object, path, spec: Some(spec), defaults: spec.get("templateDefaults"), patch, follows: true }
    }

    /// That of templates without a workflow.
    pub(super) fn none(object: &'o Object<'d>) -> Self {
        Self { object, path: Path::root(), spec: None, defaults: None, patch: None, follows: true }
    }

    /// The pod of a template, if it makes one.
    pub(super) fn pod(&self, path: &Path<'d>, template: &'d Node) -> Option<Template<'d>> {
        let at = (path, template);
        if let Some(none) = self.object.without_room(path, Shape::PartialPodSpec) {
            return Some(none);
        }
        match type_of(template).or_else(|| self.defaults.and_then(type_of))? {
            kind @ ("container" | "script" | "containerSet") => Some(self.whole(at, kind)),
            // Argo's own container is in order, but for what is written for the pod around it.
            "resource" if self.writes_pod(template) => Some(self.around(at, "resource")),
            "data" => Some(self.around(at, "data")),
            "http" | "plugin" => Some(self.agent(at)),
            _ => None,
        }
    }

    /// The same without following references.
    pub(super) fn alone(&self) -> Self {
        Self { path: self.path.clone(), patch: self.patch.clone(), follows: false, ..*self }
    }

    /// The spec of the workflow that a reference names, if that is known.
    pub(super) fn referent(&self, reference: &Node) -> Option<&'d Node> {
        let name = reference.text_of("name");
        self.object.referent("argoproj.io", kind_of(reference), name)?.node.get("spec")
    }

    /// A reference to a template that is elsewhere: what the workflow says of all pods holds for that, too.
    pub(super) fn reference(&self, path: Path<'d>, reference: &Node) -> Template<'d> {
        let is_of_cluster =
            reference.get("clusterScope").is_some_and(|scope| scope.value == Value::Bool(true));
        let kind = if is_of_cluster { "ClusterWorkflowTemplate" } else { "WorkflowTemplate" };
        if let Some(none) = self.object.without_room(&path, Shape::Reference) {
            return none;
        }
        let mut spec = self.of_workflow(reference.span);
        if let Some(security) = self.spec.and_then(|workflow| workflow.get("securityContext")) {
            spec.set("securityContext", security.clone());
        }
        let about = (kind, reference.text_of("name"));
        let missing = self.object.reference(path, about, self.lacks(reference).as_deref());
        let mut template = self.object.with_written(missing, spec.clone());
        let mut unresolved = Vec::new();
        if self.patch.is_some() {
            self.apply_patches(&mut spec, None, &mut unresolved);
            let pod = Node::object(spec.span, [("spec", spec)]);
            let path = template.path.clone();
            let merged = self.object.merged_pod(path, Shape::Reference, Part::Overlay, pod);
            template = Template { unresolved: template.unresolved, ..merged };
        }
        template.unresolved.extend(unresolved);
        template
    }

    /// What the workflow lacks that a reference names, if it is known: references that are not followed may lead to anything.
    fn lacks(&self, reference: &Node) -> Option<String> {
        self.follows.then(|| match reference.text_of("template") {
            "" => "template that makes a pod".to_owned(),
            name => format!("template {}", quoted(name)),
        })
    }

    /// A pod that has its main container written.
    fn whole(&self, at: At<'_, 'd>, kind: &str) -> Template<'d> {
        self.template(at, kind, Part::Whole)
    }

    /// Says that the main container is Argo's own.
    fn executor(&self, path: &Path<'_>, what: &str) -> Unresolved {
        let text = format!("{path}: its container is {what}, which Argo brings");
        self.object.unresolved(path, UnresolvedReason::NoContainers, text)
    }

    /// A pod around the executor's container.
    fn around(&self, at: At<'_, 'd>, kind: &str) -> Template<'d> {
        self.template(at, kind, Part::Overlay).lacking(self.executor(at.0, "the executor"))
    }

    /// The pod of Argo's agent, of which only a patch is written.
    fn agent(&self, (path, template): At<'_, 'd>) -> Template<'d> {
        let mut unresolved = vec![self.executor(path, "the agent")];
        let mut spec = Node::object(template.span, []);
        self.apply_patches(&mut spec, None, &mut unresolved);
        give_images(&mut spec);
        let made = self.object.merged(path.clone(), Shape::PartialPodSpec, Part::Overlay, spec);
        Template { unresolved, ..made }
    }

    fn template(&self, (path, template): At<'_, 'd>, kind: &str, part: Part) -> Template<'d> {
        let mut unresolved = Vec::new();
        let mut spec = self.of_workflow(template.span);
        let mut metadata = Node::object(template.span, []);
        if let Some(written) = self.spec.and_then(|workflow| workflow.get("podMetadata")) {
            merge_typed(&mut metadata, written);
        }
        let layers =
            [(self.path.clone().key("templateDefaults"), self.defaults), (path.clone(), Some(template))];
        for (path, layer) in layers.iter().filter_map(|(path, layer)| Some((path, (*layer)?))) {
            if layer.is_object() {
                merge_typed(&mut spec, &self.layer((path, layer), kind, &mut unresolved));
                if let Some(written) = layer.get("metadata") {
                    merge_typed(&mut metadata, written);
                }
            }
        }
        self.add_security(&mut spec);
        let is_known = self.apply_patches(&mut spec, Some((path, template)), &mut unresolved);
        let unknown_defaults = self.unknown_defaults();
        let part = if is_known && unknown_defaults.is_none() { part } else { Part::Overlay };
        unresolved.extend(unknown_defaults);
        if part == Part::Overlay {
            give_images(&mut spec);
        }
        let pod = Node::object(template.span, [("metadata", metadata), ("spec", spec)]);
        let made = self.object.merged_pod(path.clone(), Shape::PartialPodSpec, part, pod);
        Template { unresolved, ..made }
    }

    /// What stands where defaults should, if it is no object.
    fn unknown_defaults(&self) -> Option<Unresolved> {
        let defaults = self.defaults.filter(|defaults| !defaults.is_object())?;
        let path = self.path.clone().key("templateDefaults");
        Some(self.object.unreadable_value(&path, defaults, "an object"))
    }

    /// The fields of the workflow that its pods have where their templates say nothing else.
    fn of_workflow(&self, span: Span) -> Node {
        let fields = OF_POD.iter().filter_map(|key| Some((*key, self.spec?.get(key)?.clone())));
        Node::object(span, fields)
    }

    /// What one template, or the defaults, writes of a pod.
    fn layer(&self, (path, layer): At<'_, 'd>, kind: &str, unresolved: &mut Vec<Unresolved>) -> Node {
        let mut spec = Node::object(layer.span, []);
        for key in OF_POD.iter().chain(&["initContainers", "securityContext"]) {
            if let Some(value) = layer.get(key) {
                spec.set(key, value.clone());
            }
        }
        let mut containers = Vec::new();
        match (kind, layer.get(kind)) {
            ("containerSet", Some(set)) if set.is_object() => {
                let at = (&path.clone().key("containerSet"), set);
                containers.extend_from_slice(self.object.list(at, "containers", unresolved));
            }
            ("container" | "script" | "containerSet", Some(container)) => {
                let mut container = container.clone();
                if container.is_object() {
                    container.set("name", Node::text(container.span, MAIN));
                }
                containers.push(container);
            }
            _ => {}
        }
        containers.extend_from_slice(self.object.list((path, layer), "sidecars", unresolved));
        if !containers.is_empty() {
            spec.set("containers", Node::list(layer.span, containers));
        }
        spec
    }

    /// The security context of a template replaces that of the workflow.
    fn add_security(&self, spec: &mut Node) {
        let of_workflow = self.spec.and_then(|workflow| workflow.get("securityContext"));
        if let (None, Some(security)) = (spec.get("securityContext"), of_workflow) {
            spec.set("securityContext", security.clone());
        }
    }

    /// Merges the patches of the workflow and the template. Whether both are known.
    fn apply_patches(
        &self,
        spec: &mut Node,
        template: Option<At<'_, 'd>>,
        unresolved: &mut Vec<Unresolved>,
    ) -> bool {
        let of_template = template.and_then(|(path, template)| {
            let own = patch_of(self.object, path, template);
            own.or_else(|| patch_of(self.object, &self.path.clone().key("templateDefaults"), self.defaults?))
        });
        apply(spec, [self.patch.as_ref(), of_template.as_ref()].into_iter().flatten(), unresolved)
    }

    /// Whether something is written of the pod around the executor's own container.
    fn writes_pod(&self, template: &Node) -> bool {
        const AROUND: [&str; 4] = ["initContainers", "sidecars", "volumes", "podSpecPatch"];
        let writes = |layer: &Node| AROUND.iter().any(|key| layer.get(key).is_some());
        let is_on_host =
            |spec: &Node| spec.get("hostNetwork").is_some_and(|host| host.value != Value::Bool(false));
        self.patch.is_some()
            || self.spec.is_some_and(is_on_host)
            || template.get("securityContext").is_some()
            || writes(template)
            || self.defaults.is_some_and(writes)
    }
}

/// The kind of the object that a reference names.
fn kind_of(reference: &Node) -> &'static str {
    match reference.get("clusterScope").map(|scope| &scope.value) {
        Some(Value::Bool(true)) => "ClusterWorkflowTemplate",
        _ => "WorkflowTemplate",
    }
}

/// What a template is: of several things the one that Argo takes.
fn type_of(template: &Node) -> Option<&'static str> {
    TYPES.into_iter().find(|kind| template.get(kind).is_some())
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::{found, pods};

    fn workflow(spec: &str) -> String {
        format!("{{apiVersion: argoproj.io/v1alpha1, kind: Workflow, spec: {spec}}}")
    }

    #[test]
    fn a_pod_is_put_together_as_argo_does() {
        for (spec, expected) in [
            (
                "{securityContext: {runAsUser: 1}, hostNetwork: true, templates: [{container: {image: a}}]}",
                r#"{"hostNetwork":true,"containers":[{"image":"a","name":"main"}],"securityContext":{"runAsUser":1}}"#,
            ),
            (
                "{securityContext: {runAsUser: 1}, templates: [{securityContext: {fsGroup: 2}, script: {image: a}}]}",
                r#"{"securityContext":{"fsGroup":2},"containers":[{"image":"a","name":"main"}]}"#,
            ),
            (
                "{templateDefaults: {container: {image: a, tty: true}, sidecars: [{name: s}]}, templates: [{container: {image: b}}]}",
                r#"{"containers":[{"image":"b","tty":true,"name":"main"},{"name":"s"}]}"#,
            ),
            (
                "{volumes: [{name: a}], templates: [{volumes: [{name: b}], container: {image: a}}]}",
                r#"{"volumes":[{"name":"a"},{"name":"b"}],"containers":[{"image":"a","name":"main"}]}"#,
            ),
            (
                "{podSpecPatch: 'hostPID: true', templates: [{podSpecPatch: '{\"hostPID\": false}', container: {image: a}}]}",
                r#"{"containers":[{"image":"a","name":"main"}],"hostPID":false}"#,
            ),
            ("{podSpecPatch: 'hostPID: true', templates: [{http: {}}]}", r#"{"hostPID":true}"#),
        ] {
            assert_eq!(pods(&workflow(spec)).join(" "), pod_of(expected), "{spec}");
        }
    }

    /// A pod as it is put together: with metadata, but for the agent's.
    fn pod_of(spec: &str) -> String {
        let metadata = if spec.contains("containers") { r#""metadata":{},"# } else { "" };
        format!(r#"{{{metadata}"spec":{spec}}}"#)
    }

    #[test]
    fn a_container_of_the_executor_is_complete_but_for_what_a_patch_says() {
        let spec = "{templates: [{container: {image: a}, podSpecPatch: '{containers: [{name: wait, securityContext: {runAsUser: 0}}]}'}]}";
        let pods = pods(&workflow(spec)).join(" ");
        assert!(pods.contains(r#""runAsNonRoot":true"#) && pods.contains(r#""runAsUser":0"#), "{pods}");
    }

    #[test]
    fn a_patch_or_defaults_that_are_not_known_leave_the_pod_open() {
        for (spec, expected) in [
            ("{podSpecPatch: '{{x}}', templates: [{container: {image: a}}]}", "unparsable"),
            ("{podSpecPatch: '$(x)', templates: [{container: {image: a}}]}", "unparsable"),
            ("{podSpecPatch: {a: 1}, templates: [{container: {image: a}}]}", "wrongType"),
            ("{templateDefaults: '${X}', templates: [{container: {image: a}}]}", "placeholder"),
            ("{templates: [{sidecars: '${X}', container: {image: a}}]}", "placeholder"),
        ] {
            assert_eq!(
                found(&workflow(spec)),
                [format!("spec.templates[0] partialPodSpec {expected}")],
                "{spec}"
            );
        }
    }

    #[test]
    fn what_a_workflow_says_holds_for_what_it_refers_to() {
        let spec = "{hostNetwork: true, podSpecPatch: 'hostPID: true', workflowTemplateRef: {name: a}}";
        assert_eq!(pods(&workflow(spec)), [r#"{"spec":{"hostNetwork":true,"hostPID":true}}"#]);
        assert_eq!(pods(&workflow("{workflowTemplateRef: {name: a}}")), [""]);
    }
}
