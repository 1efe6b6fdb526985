//! The objects of a case, taken apart: pods, which the webhook's code judges as the API server would send them, and what
//! makes pods, which the linter's code judges.

use serde_json::{Value, json};

use crate::policy_test::case::TestCase;
use crate::policy_test::written::SubresourceWord;
use crate::text::quoted;
use crate::workload::Workload;

/// The uid of every review: nobody waits for it.
const UID: &str = "policy-test";
/// Who does what no case names a user for.
const ANYBODY: &str = "policy-test";

/// What a case is about.
#[derive(Debug)]
pub struct CaseSubject {
    /// The pods.
    pub pods: Vec<TestedPod>,
    /// The other objects, as documents of one text; empty if there are none.
    pub manifests: String,
    /// The namespace of those that name none; empty if nobody names one.
    pub namespace: String,
}

/// A pod that somebody creates or updates.
#[derive(Debug)]
pub struct TestedPod {
    object: Value,
    old: Option<Value>,
    subresource: Option<SubresourceWord>,
    namespace: String,
    user: String,
    groups: Vec<String>,
}

impl TestCase {
    /// What is judged, given its objects.
    ///
    /// # Errors
    /// Everything that does not fit together.
    pub fn subject(&self, objects: Vec<Value>) -> Result<CaseSubject, Vec<String>> {
        let mut faults = Vec::new();
        let mut subject =
            CaseSubject { pods: Vec::new(), manifests: String::new(), namespace: self.namespace() };
        let (are_many, has_old) = (objects.len() > 1, self.old.is_some());
        for object in objects {
            let is_pod = is_pod(&object);
            let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
            if text("apiVersion").is_empty() || text("kind").is_empty() {
                faults.push("not a Kubernetes object: it needs apiVersion and kind".to_owned());
                continue;
            }
            if !is_pod {
                self.check_no_pod(text("kind"), &mut faults);
            }
            let namespace = self.namespace_of(&object, &mut faults);
            if is_pod {
                subject.pods.push(self.pod(object, namespace));
            } else {
                subject.manifests.push_str(&format!("---\n{object}\n"));
            }
        }
        if subject.pods.is_empty() && subject.manifests.is_empty() && faults.is_empty() {
            faults.push("holds no object".to_owned());
        }
        if are_many && has_old {
            faults.push("an UPDATE is of one pod, and its file holds more than one object".to_owned());
        }
        if are_many && self.expected.has_fields() {
            faults.push("fields are those of one pod, and its file holds more than one object".to_owned());
        }
        if !subject.pods.is_empty() && self.old.as_ref().is_some_and(|old| !is_pod(old)) {
            faults.push("old: not a Pod of v1".to_owned());
        }
        if faults.is_empty() { Ok(subject) } else { Err(faults) }
    }

    /// The namespace of what names none; empty if nobody names one.
    fn namespace(&self) -> String {
        self.own_namespace.as_ref().or(self.shared_namespace.as_ref()).cloned().unwrap_or_default()
    }

    fn namespace_of(&self, object: &Value, faults: &mut Vec<String>) -> String {
        let stated = object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
        if let Some(own) = self.own_namespace.as_ref().filter(|own| !stated.is_empty() && stated != **own) {
            faults.push(format!(
                "the case says namespace {}, and its object {}: leave one out",
                quoted(own),
                quoted(stated)
            ));
        }
        let namespace = if stated.is_empty() { self.namespace() } else { stated.to_owned() };
        if namespace.is_empty() && is_pod(object) {
            faults.push(
                "in no namespace: give the case a namespace, or spec.namespace for all cases".to_owned(),
            );
        }
        namespace
    }

    /// Reports what only a pod has.
    fn check_no_pod(&self, kind: &str, faults: &mut Vec<String>) {
        let given = [
            ("operation: UPDATE", self.old.is_some()),
            ("user", self.user.is_some()),
            ("groups", self.groups.is_some()),
            ("fields", self.expected.has_fields()),
        ];
        for (what, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
            faults.push(format!("{what} is for a Pod: of a {kind}, it is judged what its pods will be"));
        }
    }

    fn pod(&self, mut object: Value, namespace: String) -> TestedPod {
        let mut old = self.old.clone();
        put_namespace(&mut object, &namespace);
        if let Some(old) = &mut old {
            put_namespace(old, &namespace);
        }
        let user = self.user.clone().unwrap_or_else(|| ANYBODY.to_owned());
        let groups = self.groups.clone().unwrap_or_else(|| groups_of(&user));
        TestedPod { object, old, subresource: self.subresource, namespace, user, groups }
    }
}

/// The groups that a service account or a node is in; none for any other user.
fn groups_of(user: &str) -> Vec<String> {
    if user.starts_with("system:node:") {
        return ["system:nodes", "system:authenticated"].map(str::to_owned).to_vec();
    }
    let account = user.strip_prefix("system:serviceaccount:").and_then(|account| account.split_once(':'));
    let of = |(namespace, _)| {
        let own = format!("system:serviceaccounts:{namespace}");
        vec!["system:serviceaccounts".to_owned(), own, "system:authenticated".to_owned()]
    };
    account.map(of).unwrap_or_default()
}

fn is_pod(object: &Value) -> bool {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    Workload::of_kind(text("apiVersion"), text("kind")).is_some_and(Workload::is_pod)
}

/// Puts an object that names no namespace into one, as the API server does before it asks anybody.
fn put_namespace(object: &mut Value, namespace: &str) {
    let Value::Object(members) = object else { return };
    let metadata = members.entry("metadata").or_insert_with(|| json!({}));
    if let Value::Object(metadata) = metadata {
        metadata.entry("namespace").or_insert_with(|| namespace.into());
    }
}

impl TestedPod {
    /// Whether it is new, so that defaults are filled in.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.old.is_none()
    }

    /// The pod.
    #[must_use]
    pub fn object(&self) -> &Value {
        &self.object
    }

    /// The AdmissionReview of this pod in place of its own, as an API server would send it.
    #[must_use]
    pub fn review(&self, object: &Value) -> Value {
        let subresource = match self.subresource {
            None => "",
            Some(SubresourceWord::EphemeralContainers) => "ephemeralcontainers",
            Some(SubresourceWord::Resize) => "resize",
        };
        json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": UID,
                "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "resource": {"group": "", "version": "v1", "resource": "pods"},
                "subResource": subresource,
                "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
                "requestResource": {"group": "", "version": "v1", "resource": "pods"},
                "requestSubResource": subresource,
                "name": object.pointer("/metadata/name").unwrap_or(&Value::Null),
                "namespace": self.namespace,
                "operation": if self.is_new() { "CREATE" } else { "UPDATE" },
                "userInfo": {"username": self.user, "groups": self.groups},
                "object": object,
                "oldObject": self.old,
            },
        })
    }
}
