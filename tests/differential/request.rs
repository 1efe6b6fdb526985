//! Reviews of everything that upstream's webhook is asked about, as an API server sends them, and as none should.

use serde_json::{Value as Json, json};

use crate::pod::Maker;
use crate::world::{NAMESPACES, World, name, namespace};

const USERS: [&str; 8] =
    ["alice", "alice", "bob", "bob", "root-of-al", "root-of-all", "system:serviceaccount:ci:deployer", ""];
/// The order in which an API server writes a request.
const ORDER: [&str; 15] = [
    "uid",
    "kind",
    "resource",
    "subResource",
    "requestKind",
    "requestResource",
    "requestSubResource",
    "name",
    "namespace",
    "operation",
    "userInfo",
    "object",
    "oldObject",
    "dryRun",
    "options",
];

/// A kind that makes pods: group, resource, kind, and where its template is.
type Controller = (&'static str, &'static str, &'static str, &'static [&'static str]);

const TEMPLATE: &[&str] = &["spec", "template"];
const CONTROLLERS: [Controller; 8] = [
    ("", "podtemplates", "PodTemplate", &["template"]),
    ("", "replicationcontrollers", "ReplicationController", TEMPLATE),
    ("apps", "replicasets", "ReplicaSet", TEMPLATE),
    ("apps", "deployments", "Deployment", TEMPLATE),
    ("apps", "statefulsets", "StatefulSet", TEMPLATE),
    ("apps", "daemonsets", "DaemonSet", TEMPLATE),
    ("batch", "jobs", "Job", TEMPLATE),
    ("batch", "cronjobs", "CronJob", &["spec", "jobTemplate", "spec", "template"]),
];

/// Subresources of pods, with the operation and the kind of their objects.
const OF_PODS: [(&str, &str, &str, &str); 13] = [
    ("ephemeralcontainers", "UPDATE", "", "Pod"),
    ("ephemeralcontainers", "UPDATE", "", "Pod"),
    ("resize", "UPDATE", "", "Pod"),
    ("status", "UPDATE", "", "Pod"),
    ("binding", "CREATE", "", "Binding"),
    ("eviction", "CREATE", "policy", "Eviction"),
    ("exec", "CONNECT", "", "PodExecOptions"),
    ("attach", "CONNECT", "", "PodAttachOptions"),
    ("portforward", "CONNECT", "", "PodPortForwardOptions"),
    ("proxy", "CONNECT", "", "PodProxyOptions"),
    ("unheard-of", "UPDATE", "", "Pod"),
    ("unheard-of", "CREATE", "", "Unheard"),
    ("Status", "UPDATE", "", "Pod"),
];

/// What nobody registers a webhook for, and what it answers nevertheless.
const OTHERS: [(&str, &str, &str, &str); 14] = [
    ("", "v1", "services", "Service"),
    ("", "v1", "configmaps", "ConfigMap"),
    ("", "v1", "secrets", "Secret"),
    ("", "v1", "serviceaccounts", "ServiceAccount"),
    ("", "v1", "nodes", "Node"),
    ("", "v1", "widgets", "Widget"),
    ("apps", "v1", "controllerrevisions", "ControllerRevision"),
    ("apps", "v1beta2", "deployments", "Deployment"),
    ("batch", "v1beta1", "cronjobs", "CronJob"),
    ("networking.k8s.io", "v1", "ingresses", "Ingress"),
    ("metrics.k8s.io", "v1beta1", "pods", "PodMetrics"),
    ("projects.example.com", "v1", "namespaces", "Namespace"),
    ("batch.volcano.sh", "v1alpha1", "jobs", "Job"),
    ("meta.k8s.io", "v1", "statuses", "Status"),
];

/// Types that an object says it is of, beside its request's: `null` is to say nothing.
const TYPES: [(&str, &str); 16] = [
    ("null", "null"),
    ("null", r#""Pod""#),
    (r#""v1""#, "null"),
    (r#""""#, r#""""#),
    (r#""/""#, r#""Pod""#),
    (r#""/v1""#, r#""Pod""#),
    (r#""v1/""#, r#""Pod""#),
    (r#""v2""#, r#""Pod""#),
    (r#""a/b/c""#, r#""Pod""#),
    (r#""apps/v1""#, r#""Deployment""#),
    (r#""batch/v1""#, r#""CronJob""#),
    (r#""v1""#, r#""PodTemplate""#),
    (r#""v1""#, r#""Namespace""#),
    (r#""v1""#, r#""Service""#),
    (r#""v1""#, r#""Widget""#),
    ("7", r#""Pod""#),
];

impl World {
    /// The next review.
    pub(crate) fn review(&mut self, uid: &str) -> String {
        let mut request = match self.random.below(20) {
            0..10 => self.of_pod(),
            10..14 => self.of_controller(),
            14..18 => self.of_namespace(),
            _ => self.of_something_else(),
        };
        request["uid"] = uid.into();
        self.complete(&mut request);
        self.distort(&mut request);
        self.write(&request)
    }

    /// Reviews of a Namespace whose level is raised from nothing: its pods are looked at whatever the defaults are.
    pub(crate) fn raising(&mut self, uid: &str, index: usize) -> String {
        let labels = |level| json!({ "pod-security.kubernetes.io/enforce": level });
        let mut request = self.of_namespace();
        request["uid"] = uid.into();
        request["namespace"] = name(index).into();
        request["operation"] = "UPDATE".into();
        request["object"] = namespace(&name(index), &labels("restricted"));
        request["oldObject"] = namespace(&name(index), &labels("privileged"));
        if let Some(request) = request.as_object_mut() {
            request.remove("subResource");
        }
        self.complete(&mut request);
        self.write(&request)
    }

    /// Adds what every request has.
    fn complete(&mut self, request: &mut Json) {
        request["userInfo"] = json!({
            "username": self.random.pick(&USERS),
            "uid": "1",
            "groups": ["system:authenticated", "root-of-all"],
        });
        request["requestKind"] = request["kind"].clone();
        request["requestResource"] = request["resource"].clone();
        if let Some(subresource) = request.get("subResource").cloned() {
            request["requestSubResource"] = subresource;
        }
        request["dryRun"] = self.random.percent(5).into();
        request["options"] = json!({ "kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1" });
    }

    /// At times makes of a request what no API server sends.
    fn distort(&mut self, request: &mut Json) {
        let part = *self.random.pick(&["object", "object", "oldObject"]);
        match self.random.below(200) {
            0 | 1 => request[part] = Json::Null,
            2..7 => {
                let (api_version, kind) = *self.random.pick(&TYPES);
                for (key, value) in [("apiVersion", api_version), ("kind", kind)] {
                    if let Some(object) = request[part].as_object_mut() {
                        match serde_json::from_str::<Option<Json>>(value).unwrap() {
                            None => object.remove(key),
                            Some(value) => object.insert(key.to_owned(), value),
                        };
                    }
                }
            }
            7 => request[part] = self.random.pick(&[json!(7), json!("text"), json!([]), json!(true)]).clone(),
            8..11 => self.misuse(&mut request[part]),
            11 => request["subResource"] = "status".into(),
            12 => request["requestSubResource"] = "scale".into(),
            13 => {
                if let Some(request) = request.as_object_mut() {
                    let key =
                        *self.random.pick(&["kind", "name", "namespace", "userInfo", "object", "oldObject"]);
                    request.remove(key);
                }
            }
            14 => request["kind"]["version"] = "v9".into(),
            15 => {
                request["operation"] = (*self.random.pick(&["CREATE", "UPDATE", "DELETE", "CONNECT"])).into()
            }
            _ => {}
        }
    }

    /// Puts a value of another type where one is counted on by us as by upstream.
    fn misuse(&mut self, object: &mut Json) {
        let places = [
            "/metadata",
            "/metadata/name",
            "/metadata/labels",
            "/metadata/labels/team",
            "/metadata/labels/pod-security.kubernetes.io~1enforce",
            "/metadata/annotations",
            "/metadata/ownerReferences",
            "/spec",
            "/spec/template",
            "/spec/template/spec",
            "/spec/template/metadata",
            "/spec/runtimeClassName",
            "/spec/containers/0/image",
            "/spec/containers/0/name",
        ];
        let there: Vec<&str> = places.into_iter().filter(|place| object.pointer(place).is_some()).collect();
        // A Status has other metadata, and nobody sends one.
        if there.is_empty() || object["kind"] == "Status" {
            return;
        }
        let place = *self.random.pick(&there);
        let values = [json!(7), json!("text"), json!([]), json!({}), json!(true), Json::Null];
        *object.pointer_mut(place).unwrap() = self.random.pick(&values).clone();
    }

    /// Mostly in the order of an API server; sorted otherwise.
    fn write(&mut self, request: &Json) -> String {
        let request = if self.random.percent(85) {
            let members = ORDER.iter().filter_map(|key| Some((key, request.get(key)?)));
            let members: Vec<String> = members.map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        } else {
            request.to_string()
        };
        format!(r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{request}}}"#)
    }

    /// A namespace: mostly one that is there.
    fn a_namespace(&mut self) -> String {
        if self.random.percent(4) {
            (*self.random.pick(&["missing", "miss\"ing", ""])).to_owned()
        } else {
            name(self.random.below(NAMESPACES))
        }
    }

    // ---- pods

    fn of_pod(&mut self) -> Json {
        let mut request = json!({
            "kind": { "group": "", "version": "v1", "kind": "Pod" },
            "resource": { "group": "", "version": "v1", "resource": "pods" },
            "name": self.random.pick(&["train-bert", "web-0", "", "größe", "q\"\u{200b}"]),
            "namespace": self.a_namespace(),
            "operation": "CREATE",
            "object": self.dressed_pod(),
            "oldObject": null,
        });
        if self.random.percent(25) {
            let (subresource, operation, group, kind) = *self.random.pick(&OF_PODS);
            request["subResource"] = subresource.into();
            request["operation"] = operation.into();
            if kind != "Pod" {
                let api_version = if group.is_empty() { "v1" } else { "policy/v1" };
                request["kind"] = json!({ "group": group, "version": "v1", "kind": kind });
                request["object"] =
                    json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": "x" } });
            }
        } else if self.random.percent(45) {
            request["operation"] = "UPDATE".into();
        } else if self.random.percent(4) {
            request["operation"] = "DELETE".into();
            request["oldObject"] = request["object"].take();
        }
        if request["operation"] == "UPDATE" {
            request["oldObject"] = self.older(&request["object"]);
        }
        request
    }

    /// A pod with what is on every pod that an API server sends.
    fn dressed_pod(&mut self) -> Json {
        let mut pod = self.pod(Maker::pod);
        if self.random.percent(50) && pod["metadata"].is_object() && pod["spec"].is_object() {
            pod["metadata"]["creationTimestamp"] = Json::Null;
            pod["metadata"]["generateName"] = "train-".into();
            pod["metadata"]["managedFields"] = json!([
                { "manager": "kubectl", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
                  "time": "2026-11-21T00:00:06Z", "fieldsV1": { "f:spec": { "f:containers": {} } } },
            ]);
            pod["spec"]["terminationGracePeriodSeconds"] = 30.into();
            pod["spec"]["dnsPolicy"] = "ClusterFirst".into();
            pod["spec"]["tolerations"] = json!([
                { "key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
                  "tolerationSeconds": 300 },
            ]);
            pod["status"] = json!({ "phase": "Pending", "qosClass": "BestEffort" });
        }
        pod
    }

    /// A pod as it was before: the same, nearly, or quite another.
    fn older(&mut self, pod: &Json) -> Json {
        let mut old = pod.clone();
        match self.random.below(9) {
            0..3 => self.set_images(&mut old),
            3 => old = self.pod(Maker::pod),
            4 => {
                let list = *self.random.pick(&["containers", "initContainers", "ephemeralContainers"]);
                if let Some(containers) = old["spec"].get_mut(list).and_then(Json::as_array_mut) {
                    containers.pop();
                }
            }
            5 => old["metadata"] = json!({ "annotations": { "changed": "yes" } }),
            6 => {
                let first = old["spec"].get_mut("ephemeralContainers").and_then(|list| list.get_mut(0));
                if let Some(container) = first.filter(|container| container.is_object()) {
                    container["name"] = "renamed".into();
                }
            }
            _ => {}
        }
        old
    }

    // ---- what makes pods, and what is taken for it

    fn of_controller(&mut self) -> Json {
        let (group, resource, kind, template) = *self.random.pick(&CONTROLLERS);
        let pod = self.pod(Maker::pod);
        let mut object = json!({ "metadata": pod["metadata"], "spec": pod["spec"] });
        if self.random.percent(3) {
            object = Json::Null;
        }
        for key in template.iter().rev() {
            object = json!({ *key: object });
        }
        object["apiVersion"] = api_version(group, "v1").into();
        object["kind"] = kind.into();
        object["metadata"] = json!({ "name": "made", "labels": { "team": "a" } });
        let mut request = json!({
            "kind": { "group": group, "version": "v1", "kind": kind },
            "resource": { "group": group, "version": "v1", "resource": resource },
            "name": "made",
            "namespace": self.a_namespace(),
            "operation": "CREATE",
            "object": object,
            "oldObject": null,
        });
        if self.random.percent(30) {
            request["operation"] = "UPDATE".into();
            request["oldObject"] = request["object"].clone();
        } else if self.random.percent(3) {
            request["operation"] = "DELETE".into();
            request["oldObject"] = request["object"].take();
        }
        if self.random.percent(8) {
            let subresource = *self.random.pick(&["scale", "status", "unheard-of"]);
            request["subResource"] = subresource.into();
            if subresource == "scale" {
                request["kind"] = json!({ "group": "autoscaling", "version": "v1", "kind": "Scale" });
                request["object"] = json!({ "apiVersion": "autoscaling/v1", "kind": "Scale" });
            }
        }
        request
    }

    fn of_something_else(&mut self) -> Json {
        let (group, version, resource, kind) = *self.random.pick(&OTHERS);
        let mut request = json!({
            "kind": { "group": group, "version": version, "kind": kind },
            "resource": { "group": group, "version": version, "resource": resource },
            "name": "other",
            "namespace": self.a_namespace(),
            "operation": self.random.pick(&["CREATE", "CREATE", "UPDATE", "DELETE"]),
            "object": { "apiVersion": api_version(group, version), "kind": kind, "metadata": { "name": "other" } },
            "oldObject": null,
        });
        if self.random.percent(5) {
            request["subResource"] = "status".into();
        }
        request
    }

    // ---- Namespaces

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
        match self.random.below(20) {
            // With generateName there is no name yet.
            0 => (request["name"], request["namespace"]) = ("".into(), "".into()),
            1 => {
                request["operation"] = "DELETE".into();
                request["oldObject"] = request["object"].take();
            }
            2..6 => {}
            _ => {
                request["operation"] = "UPDATE".into();
                let labels = &self.namespaces[&name(index)];
                let old = if self.random.percent(15) { new } else { json!(labels) };
                request["oldObject"] = namespace(&name(index), &old);
            }
        }
        if self.random.percent(5) {
            request["subResource"] = (*self.random.pick(&["status", "finalize"])).into();
        }
        request
    }
}

fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}
