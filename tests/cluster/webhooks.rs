//! Webhook configurations that lead the API server to a program under test.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};

use crate::control_plane::ControlPlane;
use crate::wait::eventually;

/// The kinds of configurations, as the API server spells them.
pub(crate) const VALIDATING: &str = "ValidatingWebhookConfiguration";
pub(crate) const MUTATING: &str = "MutatingWebhookConfiguration";

/// A configuration that is taken away again when the test ends.
pub(crate) struct Installed<'c> {
    cluster: &'c ControlPlane,
    kind: &'static str,
    name: String,
}

impl Drop for Installed<'_> {
    fn drop(&mut self) {
        let _ = self.cluster.kubectl(&["delete", self.kind, &self.name, "--wait=false"]);
    }
}

/// Rules for creations and updates of these resources, each `group/version/resource` or `/v1/pods/ephemeralcontainers`.
pub(crate) fn rules(resources: &[&str]) -> Json {
    let rule = |resource: &&str| {
        let mut parts = resource.splitn(3, '/');
        let (group, version, resource) = (parts.next(), parts.next(), parts.next());
        json!({
            "apiGroups": [group],
            "apiVersions": [version],
            "resources": [resource],
            "operations": ["CREATE", "UPDATE"],
        })
    };
    resources.iter().map(rule).collect()
}

/// A webhook that is reached by URL, for all namespaces. Tests add to it what else they need.
pub(crate) fn webhook(name: &str, url: &str, ca: &str, failure_policy: &str, rules: &Json) -> Json {
    json!({
        "name": name,
        "clientConfig": { "url": url, "caBundle": BASE64.encode(ca) },
        "rules": rules,
        "failurePolicy": failure_policy,
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": 10,
        "admissionReviewVersions": ["v1"],
    })
}

/// The same for these namespaces alone.
pub(crate) fn only_in(namespaces: &[&str], mut webhook: Json) -> Json {
    webhook["namespaceSelector"] = json!({ "matchExpressions": [
        { "key": "kubernetes.io/metadata.name", "operator": "In", "values": namespaces },
    ] });
    webhook
}

impl ControlPlane {
    /// Installs a configuration. The API server heeds it a moment later: wait for what it is to do.
    pub(crate) fn install(&self, kind: &'static str, name: &str, webhooks: &[Json]) -> Installed<'_> {
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": kind,
            "metadata": { "name": name },
            "webhooks": webhooks,
        });
        self.create(&configuration, &[]).succeeded();
        Installed { cluster: self, kind, name: name.to_owned() }
    }

    /// Waits until an object is refused with a text, which shows that a configuration is heeded. Nothing is created.
    pub(crate) fn await_refusal(&self, namespace: &str, object: &Json, text: &str) {
        eventually(&format!("a refusal with {text:?}"), || {
            let ended = self.create(object, &["--dry-run=server", "--namespace", namespace]);
            if ended.errors.contains(text) { Ok(()) } else { Err(format!("{ended:?}")) }
        });
    }
}
