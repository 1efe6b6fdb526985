//! What of a schema may hold a pod: the walk through one openAPIV3Schema.
//!
//! A pod is known by what only a pod has: a list `containers` beside `volumes`, `restartPolicy` and the like. A schema of a
//! CustomResourceDefinition is structural: it has no `$ref`, and all fields stand under `properties`, `items` and
//! `additionalProperties`. So only these are followed, down to a depth and up to a number of findings.

use crate::kinds::written::ShapeWord;
use crate::workload::{CONTAINER_LISTS, pattern_fault};
use crate::yaml::{Node, Value};

/// How deep fields are followed: deeper than any object may be written.
const DEEPEST: usize = 64;
/// Most things that are kept of a schema.
const MOST_FOUND: usize = 64;

/// What stands in a PodSpec beside `containers`, one of which at least there must be.
const BESIDE: [&str; 6] =
    ["volumes", "restartPolicy", "hostNetwork", "serviceAccountName", "securityContext", "initContainers"];
/// What every object has, and what its controller writes: no pod is made of it.
const NOT_WRITTEN: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];
/// How the last key of a path ends behind which a pod may be.
const OF_TEMPLATES: [&str; 2] = ["template", "spec"];
/// How the last key of a list ends that is one of containers.
const OF_CONTAINERS: [&str; 2] = ["container", "sidecar"];
/// What a container has beside its image.
const OF_CONTAINER: [&str; 9] =
    ["name", "command", "args", "env", "envFrom", "ports", "resources", "securityContext", "volumeMounts"];
/// What templates are for that are not of pods.
const NOT_OF_PODS: [&str; 3] = ["claim", "volume", "service"];

/// What was found in a schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SchemaFindings {
    /// Where pods are.
    pub(super) places: Vec<FoundPlace>,
    /// The places among them at which a pod may be written without containers.
    pub(super) loose: Vec<String>,
    /// What looks like a container that stands by itself.
    pub(super) containers: Vec<String>,
    /// What has an image and little else of a container: its path, and what it has.
    pub(super) images: Vec<(String, String)>,
    /// Where a pod may be, of which the schema says nothing; empty for the whole object.
    pub(super) hidden: Vec<String>,
    /// Whether something was left out: it is too deep, too much, or under a key that no path can name.
    pub(super) is_cut: bool,
}

/// A place of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundPlace {
    pub(super) path: String,
    pub(super) shape: ShapeWord,
}

/// Searches a schema; `None` is one that is absent.
pub(super) fn search(schema: Option<&Node>) -> SchemaFindings {
    let mut found = SchemaFindings::default();
    match schema {
        Some(schema) if !is_silent(schema) => found.walk(schema, "", 0, false),
        _ => found.hidden.push(String::new()),
    }
    found
}

impl SchemaFindings {
    /// Whether something of pods was found.
    pub(super) fn has_pods(&self) -> bool {
        !(self.places.is_empty() && self.containers.is_empty())
    }

    /// Where the PodSpecs are, or what is like one.
    pub(super) fn specs(&self) -> impl Iterator<Item = String> {
        self.places.iter().filter_map(|FoundPlace { path, shape }| match shape {
            ShapeWord::PodTemplate => Some(format!("{path}.spec")),
            ShapeWord::PodSpec | ShapeWord::PartialPodSpec => Some(path.clone()),
            ShapeWord::Container | ShapeWord::Patch | ShapeWord::Object => None,
        })
    }

    /// `is_taken`: its PodSpec is in the findings already, as that of a template.
    fn walk(&mut self, node: &Node, path: &str, depth: usize, is_taken: bool) {
        let kept = self.counts();
        if depth > DEEPEST || kept.iter().any(|count| *count >= MOST_FOUND) {
            self.is_cut = true;
            return;
        }
        if is_lone_container(node) {
            return self.containers.push(path.to_owned());
        }
        if let Some(fields) = fields_beside_image(node) {
            self.images.push((path.to_owned(), fields));
        }
        if !is_taken && is_pod_spec(node) {
            self.keep_pod(node, path, path.to_owned(), ShapeWord::PodSpec);
        }
        let is_template = self.template(node, path);
        self.fields(node, path, depth, is_template);
        if self.counts() == kept {
            self.nothing_found(node, path);
        }
    }

    fn counts(&self) -> [usize; 4] {
        [self.places.len(), self.containers.len(), self.images.len(), self.hidden.len()]
    }

    fn keep(&mut self, path: String, shape: ShapeWord) {
        self.places.push(FoundPlace { path, shape });
    }

    /// Keeps the PodSpec at `spec_path`, as what stands at `path` if the pod's own security context can be written in it.
    fn keep_pod(&mut self, spec: &Node, path: &str, spec_path: String, shape: ShapeWord) {
        if !has_pod_level(spec) {
            return self.keep(spec_path, ShapeWord::PartialPodSpec);
        }
        let is_required = |item: &Node| item.as_text() == Some("containers");
        if !spec.items_at("required").iter().any(is_required) {
            self.loose.push(path.to_owned());
        }
        self.keep(path.to_owned(), shape);
    }

    /// Whether it is a PodTemplateSpec, which then is kept.
    fn template(&mut self, node: &Node, path: &str) -> bool {
        let is_named = last_key(path).ends_with("template");
        let spec = property(node, "spec").filter(|spec| is_pod_spec(spec));
        let is_template = !path.is_empty() && (is_named || property(node, "metadata").is_some());
        let Some(spec) = spec.filter(|_| is_template) else { return false };
        self.keep_pod(spec, path, format!("{path}.spec"), ShapeWord::PodTemplate);
        true
    }

    fn fields(&mut self, node: &Node, path: &str, depth: usize, is_template: bool) {
        let is_pod = is_pod_spec(node);
        for entry in properties(node) {
            let key = entry.key.as_str();
            let is_left_out = path.is_empty() && NOT_WRITTEN.contains(&key);
            if is_left_out || is_pod && CONTAINER_LISTS.contains(&key) {
                continue;
            }
            if !is_plain(key) {
                self.is_cut = true;
                continue;
            }
            self.walk(&entry.value, &joined(path, key), depth + 1, is_template && key == "spec");
        }
        match node.get("items") {
            Some(items) => self.walk(items, &format!("{path}[]"), depth + 1, false),
            // Nothing is said of its items.
            None if is_list(node) && is_of_containers(&format!("{path}[]")) => {
                self.hidden.push(format!("{path}[]"));
            }
            None => {}
        }
        if let Some(values) = node.get("additionalProperties").filter(|values| is_object(values)) {
            self.walk(values, &joined(path, "*"), depth + 1, false);
        }
    }

    /// A value in which nothing was found may hold a pod all the same.
    fn nothing_found(&mut self, node: &Node, path: &str) {
        let is_any = is_true(node, "x-kubernetes-embedded-resource");
        let last = last_key(path);
        let is_of_template = OF_TEMPLATES.iter().any(|end| last.ends_with(end))
            && !NOT_OF_PODS.iter().any(|other| last.contains(other));
        if is_any && property(node, "spec").is_none() {
            self.keep(path.to_owned(), ShapeWord::Object);
        } else if is_of_containers(path) && is_silent(node) || is_of_template && is_silent(node) {
            self.hidden.push(path.to_owned());
        }
    }
}

/// Whether what stands at it may have fields of which the schema says nothing.
fn is_silent(node: &Node) -> bool {
    let says = ["properties", "items", "additionalProperties"];
    let is_open = is_true(node, "x-kubernetes-preserve-unknown-fields");
    let may_be_object = matches!(node.text_of("type"), "" | "object");
    let is_said = says.iter().any(|key| node.get(key).is_some_and(is_object));
    is_object(node) && (is_open || may_be_object && !is_said)
}

fn is_pod_spec(node: &Node) -> bool {
    property(node, "containers").is_some_and(is_list)
        && BESIDE.iter().any(|key| property(node, key).is_some())
}

fn is_list(node: &Node) -> bool {
    node.text_of("type") == "array" || node.get("items").is_some()
}

/// Whether a path is that of the items of a list of containers, as its name has it: `spec.initContainers[]`.
fn is_of_containers(path: &str) -> bool {
    path.ends_with("[]") && OF_CONTAINERS.iter().any(|end| last_key(path).ends_with(end))
}

/// Whether the pod's own security context may be written in a PodSpec.
fn has_pod_level(spec: &Node) -> bool {
    property(spec, "securityContext").is_some() || is_true(spec, "x-kubernetes-preserve-unknown-fields")
}

fn is_lone_container(node: &Node) -> bool {
    let has = |key: &str| property(node, key).is_some();
    has("image") && (has("command") || has("args")) && has("env") && has("volumeMounts")
}

/// What an object has beside its image that a container has as well, if that is enough to look like one.
fn fields_beside_image(node: &Node) -> Option<String> {
    let image = property(node, "image")?;
    let is_text = matches!(image.text_of("type"), "" | "string") && property(image, "repository").is_none();
    let has: Vec<&str> = OF_CONTAINER.into_iter().filter(|key| property(node, key).is_some()).collect();
    (is_text && !has.is_empty()).then(|| has.join(", "))
}

fn properties(node: &Node) -> &[crate::yaml::Entry] {
    node.get("properties").map(Node::entries).unwrap_or_default()
}

fn property<'d>(node: &'d Node, key: &str) -> Option<&'d Node> {
    node.get_in(&["properties", key])
}

fn is_object(node: &Node) -> bool {
    matches!(node.value, Value::Mapping(_))
}

fn is_true(node: &Node, key: &str) -> bool {
    node.get(key).is_some_and(|value| value.value == Value::Bool(true))
}

/// Whether a path can name a key, and a comment can hold it.
fn is_plain(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_graphic()) && !key.contains('.') && pattern_fault(key).is_none()
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The last key of a path, in lower case and of one thing: `podtemplate` of `spec.podTemplates[]`.
fn last_key(path: &str) -> String {
    let key = path.rsplit('.').find(|part| *part != "*").unwrap_or_default();
    key.trim_end_matches("[]").to_lowercase().trim_end_matches('s').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    /// `path shape` of each place, `? path` of what is hidden, `c path` of containers, `...` where something was left out.
    fn found(schema: &str) -> Vec<String> {
        let document = yaml::read(schema).remove(0).expect(schema);
        let found = search(Some(&document.root));
        let places = found.places.iter().map(|place| format!("{} {:?}", place.path, place.shape));
        assert!(found.loose.is_empty(), "{:?}", found.loose);
        let containers = found.containers.iter().map(|path| format!("c {path}"));
        let images = found.images.iter().map(|(path, fields)| format!("i {path} {fields}"));
        let hidden = found.hidden.iter().map(|path| format!("? {path}"));
        let cut = found.is_cut.then(|| "...".to_owned());
        places.chain(containers).chain(images).chain(hidden).chain(cut).collect()
    }

    const POD: &str =
        "{required: [containers], properties: {containers: {type: array}, securityContext: {}, volumes: {}}}";
    const PART: &str = "{properties: {containers: {type: array}, volumes: {}}}";
    const CONTAINER: &str = "{properties: {image: {}, args: {}, env: {}, volumeMounts: {}}}";

    #[test]
    fn pods_are_found_where_they_are() {
        for (spec, expected) in [
            (
                format!("{{properties: {{template: {{properties: {{metadata: {{}}, spec: {POD}}}}}}}}}"),
                &["spec.template PodTemplate"][..],
            ),
            (
                format!("{{properties: {{template: {{properties: {{spec: {POD}}}}}}}}}"),
                &["spec.template PodTemplate"],
            ),
            (
                format!("{{properties: {{worker: {{properties: {{spec: {POD}}}}}}}}}"),
                &["spec.worker.spec PodSpec"],
            ),
            (
                format!("{{properties: {{worker: {{properties: {{spec: {POD}, metadata: {{}}}}}}}}}}"),
                &["spec.worker PodTemplate"],
            ),
            (
                format!("{{properties: {{template: {{properties: {{spec: {PART}}}}}}}}}"),
                &["spec.template.spec PartialPodSpec"],
            ),
            (
                format!("{{properties: {{roles: {{type: array, items: {{properties: {{pod: {POD}}}}}}}}}}}"),
                &["spec.roles[].pod PodSpec"],
            ),
            (
                format!(
                    "{{properties: {{replicas: {{additionalProperties: {{properties: {{template: {POD}}}}}}}}}}}"
                ),
                &["spec.replicas.*.template PodSpec"],
            ),
            // The object itself has metadata and a spec, and is no template.
            (POD.to_owned(), &["spec PodSpec"]),
            (
                PART.replace("volumes: {}", &format!("volumes: {{}}, worker: {PART}")),
                &["spec PartialPodSpec", "spec.worker PartialPodSpec"],
            ),
            ("{properties: {a: {type: string}, containers: {type: array, items: {type: string}}}}".to_owned(), &[]),
            ("{properties: {containers: {type: string}, volumes: {}}}".to_owned(), &[]),
            (
                format!("{{properties: {{sidecar: {CONTAINER}, more: {{items: {CONTAINER}}}}}}}"),
                &["c spec.sidecar", "c spec.more[]"],
            ),
            // A list of containers that stands alone, whatever the schema says of its items.
            (format!("{{properties: {{containers: {{items: {CONTAINER}}}}}}}"), &["c spec.containers[]"]),
            (
                "{properties: {initContainers: {type: array, items: {type: object}}, sidecars: {items: {}}}}".to_owned(),
                &["? spec.initContainers[]", "? spec.sidecars[]"],
            ),
            ("{properties: {containers: {type: array}, replicas: {}}}".to_owned(), &["? spec.containers[]"]),
            // What has an image and little else.
            (
                "{properties: {image: {type: string}, resources: {}, agent: {properties: {image: {}, name: {}}}}}".to_owned(),
                &["i spec resources", "i spec.agent name"],
            ),
            ("{properties: {logo: {properties: {image: {}}}, a: {properties: {image: {type: object}, name: {}}}}}".to_owned(), &[]),
        ] {
            let schema =
                format!("{{properties: {{metadata: {{type: object}}, spec: {spec}, status: {POD}}}}}");
            assert_eq!(found(&schema), expected, "{spec}");
        }
    }

    #[test]
    fn what_a_schema_does_not_tell_is_said() {
        for (schema, expected) in [
            ("{}", &["? "][..]),
            ("{type: object}", &["? "]),
            ("{properties: {spec: {x-kubernetes-preserve-unknown-fields: true}}}", &["? spec"]),
            ("{properties: {spec: {type: object}}}", &["? spec"]),
            ("{properties: {spec: {properties: {a: {type: object}, t: {type: string}}}}}", &[]),
            (
                "{properties: {spec: {properties: {podTemplates: {items: {type: object}}}}}}",
                &["? spec.podTemplates[]"],
            ),
            ("{properties: {spec: {properties: {volumeClaimTemplate: {type: object}}}}}", &[]),
            ("{properties: {spec: {properties: {template: {type: string}}}}}", &[]),
            (
                "{properties: {job: {type: object, x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true}}}",
                &["job Object"],
            ),
            ("{properties: {spec: {properties: {'a b': {type: object}}}}}", &["..."]),
            ("{properties: [1], items: 5, additionalProperties: true}", &["? "]),
        ] {
            assert_eq!(found(schema), expected, "{schema}");
        }
    }

    #[test]
    fn a_pod_without_containers_may_be_a_part_of_one() {
        let schema = format!("{{properties: {{spec: {}}}}}", POD.replace("required: [containers], ", ""));
        let document = yaml::read(&schema).remove(0).unwrap();
        let found = search(Some(&document.root));
        assert_eq!((found.places.len(), found.loose), (1, vec!["spec".to_owned()]));
    }

    #[test]
    fn findings_are_bounded() {
        let many: String = (0..200).map(|index| format!("a{index}: {POD},")).collect();
        let found = found(&format!("{{properties: {{spec: {{properties: {{{many}}}}}}}}}"));
        assert_eq!((found.len(), found.last().map(String::as_str)), (MOST_FOUND + 1, Some("...")));
    }
}
