//! Identities by policy, as reviews: a pod as the API server sends it → the pod after the patch, or the refusal.
//!
//! Each case compares the whole pod, and then runs a second time, as the API server does after a patch.

mod additions;
mod azure_ml;
mod bound;
mod cases;
mod injected;
mod modes;
mod outcomes;
mod promise;
mod rules;
mod swap;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use podgate::admission::{Reviewer, Webhook};
use podgate::identity::{Azure, AzureSettings, Providers, ServiceAccount, TokenEndpoint, TokenLayout};
use podgate::policy::{
    Answers, Binding, BindingKind, IDENTITY_GROUP, LookupAnswer, LookupError, PolicySet, RoleRule, Snapshot,
    USE_IDENTITY,
};
use serde_json::{Value as Json, json};

use crate::policies::policies;

pub(super) const TEAM: &str = "ml-team-a";
pub(super) const TENANT: &str = "99999999-aaaa-4bbb-8ccc-dddddddddddd";
pub(super) const CLIENT_A: &str = "0a0a0a0a-1111-4222-8333-444444444444";
pub(super) const CLIENT_ID: &str = "azure.workload.identity/client-id";
/// Binds a pod to the token endpoint.
pub(super) const BINDING: &str = "azure.workload.identity/use-identity-binding";
pub(super) const USE: &str = "azure.workload.identity/use";

/// The value of a variable of the pod's own, which is nowhere in an answer.
const CANARY: &str = "canary-of-a-secret";

/// An IdentityPolicy for the trainers of a namespace, with more in its `spec` and its `match`.
pub(super) fn trainers(more_match: &str, more: &str) -> String {
    policy(
        "ml-team-a-trainers",
        &format!("{{namespaces: [{TEAM}], podSelector: {{matchLabels: {{app: trainer}}}}{more_match}}}"),
        &format!("identity: {{provider: azure, serviceAccountName: trainer-wi}}{more}"),
    )
}

pub(super) fn policy(name: &str, matched: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: podgate.dev/v1alpha1\nkind: IdentityPolicy\nmetadata: {{name: {name}}}\n\
         spec: {{match: {matched}, {spec}}}\n"
    )
}

/// A service account with a client id.
pub(super) fn account() -> ServiceAccount {
    ServiceAccount::new([(CLIENT_ID, CLIENT_A)], [])
}

/// What a review is answered by.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) policies: String,
    pub(super) accounts: Vec<(&'static str, ServiceAccount)>,
    pub(super) namespace: &'static str,
    pub(super) creator: &'static str,
    pub(super) is_live: bool,
    /// Whether a binding names the account of the trainers; `None` if bindings are not known.
    pub(super) is_bound: Option<bool>,
    /// Whether that account may use the identity that bound pods are bound to; `None` where pods cannot be bound.
    pub(super) may_use: Option<bool>,
}

/// A token endpoint of the cluster, that pods with the annotation [`BINDING`] are bound to.
pub(super) fn endpoint() -> TokenEndpoint {
    TokenEndpoint {
        annotation_suffix: "identity-binding".to_owned(),
        audience: "api://AKSIdentityBinding".to_owned(),
        ..TokenEndpoint::default()
    }
}

/// The answer to a review.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) code: u64,
    pub(super) message: String,
    pub(super) warnings: Vec<String>,
    /// The pod after the patch; `None` if there is none.
    pub(super) pod: Option<Json>,
    /// The note in the audit log.
    pub(super) note: String,
}

impl Case {
    /// The trainers' policy, and the accounts `default` and `trainer-wi`.
    pub(super) fn new(policies: &str) -> Self {
        Self {
            policies: policies.to_owned(),
            accounts: vec![("default", ServiceAccount::default()), ("trainer-wi", account())],
            namespace: TEAM,
            creator: "system:serviceaccount:kube-system:replicaset-controller",
            is_live: false,
            is_bound: None,
            may_use: None,
        }
    }

    pub(super) fn with_account(mut self, name: &'static str, account: ServiceAccount) -> Self {
        self.accounts.retain(|(other, _)| *other != name);
        self.accounts.push((name, account));
        self
    }

    pub(super) fn without_account(mut self, name: &str) -> Self {
        self.accounts.retain(|(other, _)| *other != name);
        self
    }

    pub(super) fn reviewer(&self) -> Reviewer {
        let mut snapshot = if self.is_live { Snapshot::live() } else { Snapshot::default() };
        for namespace in [self.namespace, TEAM] {
            snapshot.insert(namespace, BTreeMap::from([("team".to_owned(), "ml".to_owned())]));
        }
        for (name, account) in &self.accounts {
            snapshot.insert_service_account(self.namespace, name, account.clone());
        }
        let mut providers = Providers::default();
        if let Some(is_bound) = self.is_bound {
            let bindings = snapshot.bindings_mut();
            bindings.set_known(BindingKind::Role);
            bindings.set_known(BindingKind::ClusterRole);
            let mut binding = Binding::to_role(None);
            binding.add("ServiceAccount", if is_bound { "trainer-wi" } else { "other" }, Some(TEAM));
            bindings.insert(TEAM, "b", binding);
        }
        if let Some(may_use) = self.may_use {
            let bindings = snapshot.bindings_mut();
            bindings.set_known(BindingKind::Role);
            bindings.set_known(BindingKind::ClusterRole);
            let mut binding = Binding::to_role(Some("identity-user"));
            binding.add("ServiceAccount", "trainer-wi", Some(TEAM));
            bindings.insert("", "b", binding);
            let rule = RoleRule {
                groups: vec![IDENTITY_GROUP],
                resources: vec![if may_use { CLIENT_A } else { "another" }],
                verbs: vec![USE_IDENTITY],
                names: Vec::new(),
            };
            bindings.add_cluster_role("identity-user", [rule]);
        }
        let settings = AzureSettings { layout: TokenLayout::V15, ..AzureSettings::of_tenant(TENANT) };
        let token_endpoint = self.may_use.map(|_| endpoint());
        providers.add(Azure::new(AzureSettings { token_endpoint, ..settings }).unwrap());
        let set = if self.policies.is_empty() { PolicySet::default() } else { policies(&self.policies) };
        Reviewer::new(set, snapshot).with_providers(Arc::new(providers))
    }

    pub(super) fn review(&self, pod: &Json) -> Vec<u8> {
        let review = json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "u",
                "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "resource": {"group": "", "version": "v1", "resource": "pods"},
                "namespace": self.namespace,
                "operation": "CREATE",
                "userInfo": {"username": self.creator},
                "dryRun": true,
                "object": pod,
            },
        });
        serde_json::to_vec(&review).unwrap()
    }

    pub(super) fn ask(&self, webhook: Webhook, pod: &Json) -> Outcome {
        self.ask_with(webhook, pod, &Err(LookupError::NoCluster))
    }

    pub(super) fn ask_with(
        &self,
        webhook: Webhook,
        pod: &Json,
        found: &Result<LookupAnswer, LookupError>,
    ) -> Outcome {
        let body = self.review(pod);
        let answer = self.reviewer().answer(webhook, &body, Answers::default(), |_| found.clone()).unwrap();
        let response = serde_json::from_slice::<Json>(&answer.body).unwrap()["response"].take();
        let patch: Option<json_patch::Patch> = response["patch"]
            .as_str()
            .map(|patch| serde_json::from_slice(&BASE64.decode(patch).unwrap()).unwrap());
        let told = format!("{response}{}", json!(patch));
        assert!(!told.contains("canary"), "a value of the pod's own is told: {told}");
        let after = patch.map(|patch| {
            let mut after = pod.clone();
            json_patch::patch(&mut after, &patch).unwrap_or_else(|error| panic!("{error}: {patch}"));
            after
        });
        let warnings: Vec<String> = serde_json::from_value(response["warnings"].clone()).unwrap_or_default();
        for warning in &warnings {
            assert!(warning.starts_with("podgate:") && warning.chars().count() <= 120, "{warning}");
        }
        assert_eq!(response["allowed"], response["status"].is_null(), "{response}");
        assert!(response["allowed"] == true || after.is_none(), "a refusal has no patch: {response}");
        Outcome {
            code: response["status"]["code"].as_u64().unwrap_or(200),
            message: response["status"]["message"].as_str().unwrap_or_default().to_owned(),
            warnings,
            pod: after,
            note: response["auditAnnotations"]["identity"].as_str().unwrap_or_default().to_owned(),
        }
    }

    /// The pod after `/mutate`, which is left alone the second time.
    pub(super) fn mutated(&self, pod: &Json) -> Outcome {
        let outcome = self.ask(Webhook::Mutate, pod);
        assert_eq!(outcome.code, 200, "{}", outcome.message);
        if let Some(after) = &outcome.pod {
            let again = self.ask(Webhook::Mutate, &self.rerun(after));
            assert_eq!((again.code, again.pod), (200, None), "a second time changes more");
        }
        outcome
    }

    /// What the API server does to a pod after a patch: its defaults, and its service account plugin once more.
    fn rerun(&self, pod: &Json) -> Json {
        let mut pod = pod.clone();
        let name = pod["spec"]["serviceAccountName"].as_str().unwrap_or("default").to_owned();
        let account = self.accounts.iter().find(|(known, _)| *known == name).map(|(_, account)| account);
        let volumes = pod["spec"]["volumes"].as_array_mut().unwrap();
        for volume in &mut *volumes {
            if volume["projected"].is_object() {
                volume["projected"]["defaultMode"] = 420.into();
            }
        }
        let is_token = |volume: &Json| volume["name"].as_str().unwrap().starts_with("kube-api-access-");
        let has_token = volumes.iter().any(is_token);
        let of_account = account.and_then(|account| account.automount_token);
        let is_wanted = pod["spec"]["automountServiceAccountToken"].as_bool().or(of_account).unwrap_or(true);
        if is_wanted && !has_token {
            let whole = trainer("default");
            pod["spec"]["volumes"].as_array_mut().unwrap().push(whole["spec"]["volumes"][0].clone());
        }
        pod
    }
}

/// A training pod as the API server sends it after its service account plugin.
pub(super) fn trainer(account: &str) -> Json {
    json!({
        "metadata": {
            "generateName": "trainer-7d4b9c6f5-",
            "labels": {"app": "trainer"},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "trainer-7d4b9c6f5",
                "uid": "00000000-0000-4000-8000-000000000001", "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "serviceAccountName": account,
            "serviceAccount": account,
            "restartPolicy": "Always",
            "futureField": {"kept": true},
            "containers": [{
                "name": "main",
                "image": "registry.example/train:1",
                "env": [{"name": "OWN", "value": CANARY}],
                "volumeMounts": [{
                    "name": "kube-api-access-x7k2p", "readOnly": true,
                    "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
                }],
            }],
            "volumes": [{"name": "kube-api-access-x7k2p", "projected": {"defaultMode": 420, "sources": [
                {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [
                    {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}},
                ]}},
            ]}}],
        },
    })
}

/// The trainer after it has been given an account: what a policy sets, without what the provider injects.
pub(super) fn assigned(account: &str) -> Json {
    let mut pod = trainer(account);
    pod["metadata"]["labels"][USE] = "true".into();
    pod
}

/// The same with what the provider injects.
pub(super) fn whole(account: &str) -> Json {
    injected::injected(assigned(account))
}

/// Without the API server's token.
pub(super) fn without_token(mut pod: Json) -> Json {
    let is_token = |item: &Json| item["name"].as_str().unwrap().starts_with("kube-api-access-");
    pod["spec"]["volumes"].as_array_mut().unwrap().retain(|volume| !is_token(volume));
    for container in pod["spec"]["containers"].as_array_mut().unwrap() {
        container["volumeMounts"].as_array_mut().unwrap().retain(|mount| !is_token(mount));
    }
    pod
}

/// That all fragments are in a text.
#[track_caller]
pub(super) fn has_all(text: &str, fragments: &[&str]) {
    for fragment in fragments {
        assert!(text.contains(fragment), "{fragment:?} is not in {text:?}");
    }
}
