//! Spark (the operator of Kubeflow): a driver and executors. What `template` says of a role is what Spark begins with; the flat
//! fields of the role are then written over it by the operator's webhook, and Spark adds what `sparkConf` says.

use crate::path::Path;
use crate::text::printable;
use crate::workload::assembly::Assembly;
use crate::workload::kind::{Adapter, Object};
use crate::workload::merge::merge_typed;
use crate::workload::object::give_image;
use crate::workload::pattern::{Match, matches};
use crate::workload::placeholder::has_placeholder;
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::UnresolvedReason;
use crate::yaml::{Node, Value};

/// The roles, and what Spark calls the main container of each.
const ROLES: [(&str, &[&str]); 2] =
    [("driver", &["spark-kubernetes-driver"]), ("executor", &["spark-kubernetes-executor", "executor"])];
/// Fields of a role that are called as in a pod's spec.
const OF_POD: [&str; 2] = ["hostNetwork", "shareProcessNamespace"];
/// Fields of a role that are called as in a container, and replace those of the main one.
const OF_CONTAINER: [&str; 2] = ["securityContext", "lifecycle"];
/// Longest name in a sentence, in characters.
const LONGEST_NAME: usize = 200;

/// An application at `spec`.
pub(in crate::workload) const SPARK_APPLICATION: Adapter = Adapter {
    find: |object| application(object, "spec"),
    places: &[("spec.driver", Shape::PartialPodSpec), ("spec.executor", Shape::PartialPodSpec)],
};

/// An application at `spec.template`.
pub(in crate::workload) const SCHEDULED_SPARK_APPLICATION: Adapter = Adapter {
    find: |object| application(object, "spec.template"),
    places: &[
        ("spec.template.driver", Shape::PartialPodSpec),
        ("spec.template.executor", Shape::PartialPodSpec),
    ],
};

/// A role of an application.
struct Role<'o, 'd> {
    object: &'o Object<'d>,
    application: Option<&'d Node>,
    /// Where the application stands.
    base: &'static str,
    name: &'static str,
    main_containers: &'static [&'static str],
    path: Path<'d>,
    node: &'d Node,
}

fn application<'d>(object: &Object<'d>, base: &'static str) -> Vec<Template<'d>> {
    let application = object.get(base);
    let of_role = |(name, main_containers): (&'static str, &'static [&'static str])| {
        let found = matches(object.node, &format!("{base}.{name}")).pop()?;
        Some(match found {
            Match::Value(path, node) if matches!(node.value, Value::Mapping(_)) => {
                Role { object, application, base, name, main_containers, path, node }.pod()
            }
            Match::Value(path, node) | Match::Unreadable(path, node) => {
                object.unreadable(path, node, Shape::PartialPodSpec, "an object")
            }
        })
    };
    ROLES.into_iter().filter_map(of_role).collect()
}

impl<'d> Role<'_, 'd> {
    fn pod(&self) -> Template<'d> {
        let mut pod = self.template();
        self.write_main_container(&mut pod);
        pod.push_all("containers", &self.path, self.node, "sidecars");
        pod.push_all("initContainers", &self.path, self.node, "initContainers");
        pod.copy(self.node, &OF_POD);
        if let Some(context) = self.node.get("podSecurityContext") {
            pod.spec.set("securityContext", context.clone());
        }
        self.add_volumes(&mut pod);
        self.add_configured(&mut pod);
        let metadata = self.metadata(&mut pod);
        let context = self.path.clone().key("podSecurityContext");
        let mut template = pod.template(self.path.clone(), Shape::PartialPodSpec, Part::Whole, metadata);
        template.places.would_be(Path::from_keys(["spec", "securityContext"]), context);
        template
    }

    /// What Spark begins with.
    fn template(&self) -> Assembly<'_, 'd> {
        let at = self.path.clone().key("template");
        let nothing = Node::object(self.node.span, []);
        let Some(template) = self.node.get("template") else {
            return Assembly::new(self.object, self.path.clone(), &nothing);
        };
        let (at, part) = match template.get("spec") {
            Some(spec) => (at.key("spec"), spec),
            None => (at, template),
        };
        match (&part.value, template.get("spec")) {
            (Value::Mapping(_), Some(spec)) => Assembly::new(self.object, at, spec),
            (Value::Mapping(_), None) => Assembly::new(self.object, at, &nothing),
            _ => {
                let mut pod = Assembly::new(self.object, at.clone(), &nothing);
                pod.note_unknown_part(&at, part);
                pod
            }
        }
    }

    /// The labels of a pod have no part in any verdict.
    fn metadata(&self, pod: &mut Assembly<'_, 'd>) -> Option<Node> {
        let written = self.node.get_in(&["template", "metadata"]);
        let annotations = self.node.get("annotations");
        let mut metadata = written.cloned().or(annotations.map(|node| Node::object(node.span, [])))?;
        if let Some(annotations) = annotations {
            let added = Node::object(annotations.span, [("annotations", annotations.clone())]);
            merge_typed(&mut metadata, &added);
        }
        Some(metadata)
    }

    /// Spark's own container is the one of that name, else the first, else a new one.
    fn write_main_container(&self, pod: &mut Assembly<'_, 'd>) {
        let is_object = |item: &Node| matches!(item.value, Value::Mapping(_));
        let is_named = |item: &Node| self.main_containers.contains(&item.text_of("name"));
        let items = pod.spec.items_at("containers");
        let first = || items.first().filter(|item| is_object(item)).map(|_| 0);
        let known = items.iter().position(is_named).or_else(first);
        let index = known.unwrap_or(items.len());
        if known.is_none() {
            let name = self.main_containers.first().copied().unwrap_or_default();
            let container = Node::object(self.node.span, [("name", Node::text(self.node.span, name))]);
            pod.push("containers", container);
        }
        let Some(container) = pod.spec.locate_mut(&["containers".into(), index.into()]) else { return };
        for key in OF_CONTAINER {
            if let Some(value) = self.node.get(key) {
                container.set(key, value.clone());
            }
        }
        give_image(container);
    }

    /// Of the volumes of the application a role has those that its own mounts name.
    fn add_volumes(&self, pod: &mut Assembly<'_, 'd>) {
        let shared = self.application.and_then(|application| application.get("volumes"));
        let (Some(mounts), Some(volumes)) = (self.node.get("volumeMounts"), shared) else { return };
        let mounts_at = self.path.clone().key("volumeMounts");
        let volumes_at = Path::from_dotted(self.base).key("volumes");
        for (path, list) in [(&mounts_at, mounts), (&volumes_at, volumes)] {
            if !matches!(list.value, Value::Sequence(_)) {
                pod.note_unreadable(path, list, "a list");
            }
        }
        let is_in = |list: &Node, name: &str| list.items().iter().any(|item| item.text_of("name") == name);
        for volume in volumes.items() {
            if is_in(mounts, volume.text_of("name")) && !volume.text_of("name").is_empty() {
                pod.push("volumes", volume.clone());
            }
        }
        if mounts.items().is_empty() || volumes.items().is_empty() {
            return;
        }
        for (list, other, at) in [(mounts, volumes, &mounts_at), (volumes, mounts, &volumes_at)] {
            for (index, item) in list.items().iter().enumerate() {
                if let Some(name) = unknown_name(item)
                    && !is_in(other, name.as_text().unwrap_or_default())
                {
                    pod.note_unreadable(&at.clone().index(index).key("name"), name, "the name of a volume");
                }
            }
        }
    }

    /// What the configuration of Spark adds to the pod.
    fn add_configured(&self, pod: &mut Assembly<'_, 'd>) {
        let Some(settings) = self.application.and_then(|application| application.get("sparkConf")) else {
            return;
        };
        let at = Path::from_dotted(self.base).key("sparkConf");
        if !matches!(settings.value, Value::Mapping(_)) {
            pod.note_unreadable(&at, settings, "an object");
        }
        let prefix = format!("spark.kubernetes.{}.", self.name);
        let mut known = Vec::new();
        for entry in settings.entries().iter().filter(|entry| entry.value.value != Value::Null) {
            let Some(setting) = entry.key.strip_prefix(&prefix) else { continue };
            let path = at.clone().key(entry.key.as_str());
            if setting == "podTemplateFile" {
                let file = printable(entry.value.as_text().unwrap_or_default(), LONGEST_NAME);
                let text = format!("its pod begins with the template file {file}");
                pod.note(self.object.unresolved(&path, UnresolvedReason::Reference, text));
            }
            let Some(volume) = configured_volume(setting).filter(|volume| !known.contains(volume)) else {
                continue;
            };
            known.push(volume);
            let (kind, name) = volume;
            if has_placeholder(kind) {
                let text = format!("the type of volume {} is a placeholder", printable(name, LONGEST_NAME));
                pod.note(self.object.unresolved(&path, UnresolvedReason::Placeholder, text));
                continue;
            }
            let span = entry.value.span;
            let source = Node::object(span, []);
            pod.push("volumes", Node::object(span, [("name", Node::text(span, name)), (kind, source)]));
        }
    }
}

/// The type and the name of a volume that a setting is about: `volumes.hostPath.data.mount.path`.
fn configured_volume(setting: &str) -> Option<(&str, &str)> {
    let (kind, rest) = setting.strip_prefix("volumes.")?.split_once('.')?;
    Some((kind, rest.split('.').next().unwrap_or(rest)))
}

/// The name of an item of a list, or the item, where it is not known what it is called.
fn unknown_name(item: &Node) -> Option<&Node> {
    match &item.value {
        Value::Mapping(_) => item.get("name").filter(|name| name.as_text().is_none_or(has_placeholder)),
        Value::Null => None,
        _ => Some(item),
    }
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::{found, pods};

    fn application(spec: &str) -> String {
        format!("{{apiVersion: sparkoperator.k8s.io/v1beta2, kind: SparkApplication, spec: {spec}}}")
    }

    #[test]
    fn each_role_is_a_pod() {
        for (spec, expected) in [
            (
                "{driver: {}, executor: {}}",
                &["spec.driver partialPodSpec", "spec.executor partialPodSpec"][..],
            ),
            ("{executor: {}}", &["spec.executor partialPodSpec"]),
            ("{driver: '${X}'}", &["spec.driver partialPodSpec placeholder"]),
            ("{driver: {template: '${X}'}}", &["spec.driver partialPodSpec placeholder,fragment"]),
            ("{driver: {template: {spec: 5}}}", &["spec.driver partialPodSpec wrongType,fragment"]),
            ("{driver: {sidecars: '${X}'}}", &["spec.driver partialPodSpec placeholder"]),
            ("{driver: {}, sparkConf: '${X}'}", &["spec.driver partialPodSpec placeholder"]),
            (
                "{driver: {}, sparkConf: {spark.kubernetes.driver.podTemplateFile: /a}}",
                &["spec.driver partialPodSpec reference"],
            ),
            ("{}", &["spec opaque noContainers"]),
        ] {
            assert_eq!(found(&application(spec)), expected, "{spec}");
        }
        let scheduled = "{apiVersion: sparkoperator.k8s.io/v1beta2, kind: ScheduledSparkApplication, spec: {template: \
                         {driver: {}}}}";
        assert_eq!(found(scheduled), ["spec.template.driver partialPodSpec"]);
    }

    #[test]
    fn the_fields_of_a_role_replace_those_of_its_template() {
        let spec = "{driver: {template: {spec: {securityContext: {a: 1}, containers: [{name: x}, {name: \
                    spark-kubernetes-driver, securityContext: {b: 1}}]}}, podSecurityContext: {c: 1}, securityContext: \
                    {d: 1}, hostNetwork: true, sidecars: [{name: s}], annotations: {e: f}}}";
        assert_eq!(
            pods(&application(spec)),
            [concat!(
                r#"{"metadata":{"annotations":{"e":"f"}},"spec":{"securityContext":{"c":1},"containers":[{"name":"x"},"#,
                r#"{"name":"spark-kubernetes-driver","securityContext":{"d":1},"image":"${image}"},{"name":"s"}],"#,
                r#""hostNetwork":true}}"#
            )]
        );
    }

    #[test]
    fn a_role_has_the_volumes_that_it_mounts_and_those_of_its_settings() {
        for (mounts, volumes, expected) in [
            ("[{name: a}]", "[{name: a}, {name: b}]", r#""volumes":[{"name":"a"}]"#),
            ("[{name: '${X}'}]", "[{name: '${X}'}]", r#""volumes":[{"name":"${X}"}]"#),
            ("[{name: b}]", "[{name: a}]", "}]}}"),
            ("null", "[{name: a}]", "}]}}"),
        ] {
            let pod =
                pods(&application(&format!("{{volumes: {volumes}, driver: {{volumeMounts: {mounts}}}}}")))
                    .concat();
            assert!(pod.contains(expected), "{pod}");
        }
        for (mounts, volumes) in [
            ("'${X}'", "[{name: a}]"),
            ("[{name: a}]", "5"),
            ("[{name: a}]", "['${X}']"),
            ("[5]", "[{name: a}]"),
        ] {
            let found =
                found(&application(&format!("{{volumes: {volumes}, driver: {{volumeMounts: {mounts}}}}}")))
                    .concat();
            assert!(
                found.ends_with("placeholder") || found.ends_with("wrongType"),
                "{mounts} {volumes}: {found}"
            );
        }
        let spec = "{driver: {}, sparkConf: {spark.kubernetes.driver.volumes.nfs.a.mount.path: /a, \
                    spark.kubernetes.driver.volumes.nfs.a.options.path: /b, spark.kubernetes.executor.volumes.nfs.c.x: d}}";
        assert!(pods(&application(spec)).concat().ends_with(r#""volumes":[{"name":"a","nfs":{}}]}}"#));
        let unknown = "{driver: {}, sparkConf: {'spark.kubernetes.driver.volumes.${X}.a.mount.path': /a}}";
        assert_eq!(found(&application(unknown)), ["spec.driver partialPodSpec placeholder"]);
    }
}
