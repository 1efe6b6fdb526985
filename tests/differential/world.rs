//! Clusters for drop-in mode: a configuration, Namespaces with labels right and wrong, pods that are there already; and
//! reviews of everything that upstream's webhook is asked about.

use serde_json::{Map, Value as Json, json};

use crate::pod::Maker;
use crate::random::Random;

const NAMESPACES: usize = 16;
const PREFIX: &str = "pod-security.kubernetes.io";
const MODES: [&str; 3] = ["enforce", "audit", "warn"];
const LEVELS: [&str; 3] = ["privileged", "baseline", "restricted"];
const WRONG_LEVELS: [&str; 5] = ["", "Restricted", "nope", "restricted ", "q\"uote\\"];
const WRONG_VERSIONS: [&str; 10] =
    ["", "v2.0", "1.2", "v1", "v1.08", "Latest", "v1.99999999999999999999", "v1.-1", "v1.2.3", "größe"];
const USERS: [&str; 4] = ["alice", "root-of-all", "system:serviceaccount:ci:deployer", ""];
const RUNTIME_CLASSES: [&str; 3] = ["gvisor", "kata", "runc"];
const IMAGES: [&str; 3] = ["pytorch:1", "pytorch:2", "busybox"];

/// A kind that makes pods: group, version, resource, kind, and where its template is.
type Controller = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const TEMPLATE: &[&str] = &["spec", "template"];
const CONTROLLERS: [Controller; 9] = [
    ("", "v1", "podtemplates", "PodTemplate", &["template"]),
    ("", "v1", "replicationcontrollers", "ReplicationController", TEMPLATE),
    ("apps", "v1", "replicasets", "ReplicaSet", TEMPLATE),
    ("apps", "v1", "deployments", "Deployment", TEMPLATE),
    ("apps", "v1", "deployments", "Deployment", TEMPLATE),
    ("apps", "v1", "statefulsets", "StatefulSet", TEMPLATE),
    ("apps", "v1", "daemonsets", "DaemonSet", TEMPLATE),
    ("batch", "v1", "jobs", "Job", TEMPLATE),
    ("batch", "v1", "cronjobs", "CronJob", &["spec", "jobTemplate", "spec", "template"]),
];

/// A cluster as the files of both sides describe it.
pub(crate) struct World {
    random: Random,
    /// A PodSecurityConfiguration.
    pub(crate) configuration: Json,
    /// A List of Namespaces and Pods.
    pub(crate) objects: Json,
    labels: Vec<Json>,
}

impl World {
    pub(crate) fn new(random: Random) -> Self {
        let mut world = Self { random, configuration: Json::Null, objects: Json::Null, labels: Vec::new() };
        world.configuration = world.configure();
        let mut items = Vec::new();
        for index in 0..NAMESPACES {
            let labels = world.labels();
            items.push(namespace(&name(index), &labels));
            world.labels.push(labels);
            for pod in 0..world.random.below(9) {
                items.push(world.existing_pod(index, pod));
            }
        }
        world.objects = json!({ "apiVersion": "v1", "kind": "List", "items": items });
        world
    }

    // ---- the cluster

    fn configure(&mut self) -> Json {
        let version = *self.random.pick(&["v1", "v1", "v1beta1", "v1alpha1"]);
        let mut defaults = Map::new();
        if self.random.percent(60) {
            for mode in MODES {
                if self.random.percent(40) {
                    defaults.insert(mode.into(), (*self.random.pick(&LEVELS)).into());
                }
                if self.random.percent(30) {
                    defaults.insert(format!("{mode}-version"), self.version().into());
                }
            }
        }
        let mut exemptions = Map::new();
        if self.random.percent(60) {
            exemptions.insert("usernames".into(), json!(["root-of-all"]));
            exemptions.insert("namespaces".into(), json!([name(0), name(1)]));
            exemptions.insert("runtimeClasses".into(), json!(["gvisor"]));
        }
        json!({
            "apiVersion": format!("pod-security.admission.config.k8s.io/{version}"),
            "kind": "PodSecurityConfiguration",
            "defaults": defaults,
            "exemptions": exemptions,
        })
    }

    fn version(&mut self) -> String {
        match self.random.below(42) {
            41 => "latest".to_owned(),
            minor => format!("v1.{minor}"),
        }
    }

    /// Labels of a Namespace: each mode's at times, and at times wrong.
    fn labels(&mut self) -> Json {
        let mut labels = Map::from_iter([("team".to_owned(), "a".into())]);
        let wrong = *self.random.pick(&[0, 0, 4, 15]);
        for mode in MODES {
            if self.random.percent(55) {
                let levels: &[&str] = if self.random.percent(wrong) { &WRONG_LEVELS } else { &LEVELS };
                labels.insert(format!("{PREFIX}/{mode}"), (*self.random.pick(levels)).into());
            }
            if self.random.percent(35) {
                let version = if self.random.percent(wrong) {
                    (*self.random.pick(&WRONG_VERSIONS)).to_owned()
                } else {
                    self.version()
                };
                labels.insert(format!("{PREFIX}/{mode}-version"), version.into());
            }
        }
        if self.random.percent(3) { Json::Null } else { labels.into() }
    }

    fn existing_pod(&mut self, namespace: usize, index: usize) -> Json {
        // Both sides read it from a file, one of them as YAML, which has its own rules for rare characters.
        let mut pod = loop {
            let pod = self.pod(Maker::sound_pod);
            if pod.to_string().bytes().all(|byte| (b' '..=b'~').contains(&byte))
                && !pod.to_string().contains("\\u")
            {
                break pod;
            }
        };
        let name_of_pod = format!("{}-{index}", self.random.pick(&["web", "train", "a"]));
        let mut metadata = json!({ "name": name_of_pod, "namespace": name(namespace) });
        if let Some(annotations) = pod["metadata"].get("annotations") {
            metadata["annotations"] = annotations.clone();
        }
        if self.random.percent(60) {
            let owner = self.random.below(3);
            metadata["ownerReferences"] = json!([
                { "apiVersion": "v1", "kind": "Node", "name": "n", "uid": "n" },
                { "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": format!("r-{owner}"),
                  "controller": self.random.percent(85) },
            ]);
        }
        pod["metadata"] = metadata;
        pod
    }

    /// A pod with what only whole reviews hang on: the type, images and the runtime class.
    fn pod(&mut self, make: impl FnOnce(Maker) -> Json) -> Json {
        let mut pod = make(Maker::new(Random::of(self.random.next(), 0)));
        pod["apiVersion"] = "v1".into();
        pod["kind"] = "Pod".into();
        self.set_images(&mut pod);
        if self.random.percent(20) && pod["spec"].is_object() {
            pod["spec"]["runtimeClassName"] = (*self.random.pick(&RUNTIME_CLASSES)).into();
        }
        pod
    }

    fn set_images(&mut self, pod: &mut Json) {
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            let containers =
                pod.get_mut("spec").and_then(|spec| spec.get_mut(list)).and_then(Json::as_array_mut);
            for container in containers.into_iter().flatten().filter_map(Json::as_object_mut) {
                container.insert("image".into(), (*self.random.pick(&IMAGES)).into());
            }
        }
    }

    // ---- reviews

    /// The next review.
    pub(crate) fn review(&mut self, uid: &str) -> Json {
        let mut request = match self.random.below(10) {
            0..5 => self.of_pod(),
            5..7 => self.of_controller(),
            7..9 => self.of_namespace(),
            _ => self.of_something_else(),
        };
        request["uid"] = uid.into();
        request["userInfo"] =
            json!({ "username": self.random.pick(&USERS), "groups": ["system:authenticated"] });
        request["requestKind"] = request["kind"].clone();
        request["requestResource"] = request["resource"].clone();
        if let Some(subresource) = request.get("subResource").cloned() {
            request["requestSubResource"] = subresource;
        }
        request["dryRun"] = false.into();
        json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request })
    }

    /// A namespace: mostly one that is there.
    fn a_namespace(&mut self) -> String {
        if self.random.percent(3) { "missing".to_owned() } else { name(self.random.below(NAMESPACES)) }
    }

    fn of_pod(&mut self) -> Json {
        let subresources = [
            "ephemeralcontainers",
            "resize",
            "status",
            "binding",
            "exec",
            "eviction",
            "attach",
            "unheard-of",
        ];
        let mut request = json!({
            "kind": { "group": "", "version": "v1", "kind": "Pod" },
            "resource": { "group": "", "version": "v1", "resource": "pods" },
            "name": self.random.pick(&["train-bert", "web-0", "", "größe"]),
            "namespace": self.a_namespace(),
            "operation": "CREATE",
            "object": self.pod(Maker::pod),
            "oldObject": null,
        });
        if self.random.percent(25) {
            request["subResource"] = (*self.random.pick(&subresources)).into();
        }
        if self.random.percent(45) {
            request["operation"] = "UPDATE".into();
            request["oldObject"] = self.older(&request["object"]);
        }
        match self.random.below(60) {
            0 => request["object"] = Json::Null,
            1 => request["oldObject"] = Json::Null,
            2 => request["object"] = namespace("no-pod", &Json::Null),
            3 => request["object"]["apiVersion"] = "v2".into(),
            _ => {}
        }
        request
    }

    /// A pod as it was before: the same, nearly, or quite another.
    fn older(&mut self, pod: &Json) -> Json {
        let mut old = pod.clone();
        match self.random.below(8) {
            0..3 => self.set_images(&mut old),
            3 => old = self.pod(Maker::sound_pod),
            4 => {
                let list = *self.random.pick(&["containers", "initContainers", "ephemeralContainers"]);
                if let Some(containers) = old["spec"].get_mut(list).and_then(Json::as_array_mut) {
                    containers.pop();
                }
            }
            5 => old["metadata"] = json!({ "annotations": { "changed": "yes" } }),
            _ => {}
        }
        old
    }

    fn of_controller(&mut self) -> Json {
        let (group, version, resource, kind, template) = *self.random.pick(&CONTROLLERS);
        let pod = self.pod(Maker::pod);
        let mut object = json!({ "metadata": pod["metadata"], "spec": pod["spec"] });
        if self.random.percent(3) {
            object = Json::Null;
        }
        for key in template.iter().rev() {
            object = json!({ *key: object });
        }
        object["apiVersion"] =
            if group.is_empty() { version.into() } else { format!("{group}/{version}").into() };
        object["kind"] = kind.into();
        object["metadata"] = json!({ "name": "made" });
        let mut request = json!({
            "kind": { "group": group, "version": version, "kind": kind },
            "resource": { "group": group, "version": version, "resource": resource },
            "name": "made",
            "namespace": self.a_namespace(),
            "operation": "CREATE",
            "object": object,
            "oldObject": null,
        });
        if self.random.percent(30) {
            request["operation"] = "UPDATE".into();
            request["oldObject"] = request["object"].clone();
        }
        if self.random.percent(8) {
            request["subResource"] = (*self.random.pick(&["scale", "status"])).into();
        }
        request
    }

    fn of_namespace(&mut self) -> Json {
        let index = self.random.below(NAMESPACES);
        let new = self.labels();
        let mut request = json!({
            "kind": { "group": "", "version": "v1", "kind": "Namespace" },
            "resource": { "group": "", "version": "v1", "resource": "namespaces" },
            "name": name(index),
            "namespace": name(index),
            "operation": "CREATE",
            "object": namespace(&name(index), &new),
            "oldObject": null,
        });
        if self.random.percent(75) {
            request["operation"] = "UPDATE".into();
            let old = if self.random.percent(15) { new } else { self.labels[index].clone() };
            request["oldObject"] = namespace(&name(index), &old);
        }
        if self.random.percent(5) {
            request["subResource"] = (*self.random.pick(&["status", "finalize"])).into();
        }
        match self.random.below(60) {
            0 => request["object"] = Json::Null,
            1 => request["oldObject"] = Json::Null,
            2 => request["object"] = self.pod(Maker::sound_pod),
            _ => {}
        }
        request
    }

    /// What nobody registers a webhook for, and what it answers nevertheless.
    fn of_something_else(&mut self) -> Json {
        let (group, version, resource, kind) = *self.random.pick(&[
            ("", "v1", "services", "Service"),
            ("", "v1", "secrets", "Secret"),
            ("apps", "v1", "controllerrevisions", "ControllerRevision"),
            ("networking.k8s.io", "v1", "ingresses", "Ingress"),
        ]);
        let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        json!({
            "kind": { "group": group, "version": version, "kind": kind },
            "resource": { "group": group, "version": version, "resource": resource },
            "name": "other",
            "namespace": self.a_namespace(),
            "operation": "CREATE",
            "object": { "apiVersion": api_version, "kind": kind, "metadata": { "name": "other" } },
            "oldObject": null,
        })
    }
}

fn name(index: usize) -> String {
    format!("team-{index}")
}

fn namespace(name: &str, labels: &Json) -> Json {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels } })
}
