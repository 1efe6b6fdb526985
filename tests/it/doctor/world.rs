//! A good installation: that of `manifests/base`, with what a cluster adds to it.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use podgate::doctor::{
    ApiServer, BundleState, CaDates, CertificateDates, Guard, Installation, InstallationNames, NamedAccount,
    OptionalRights, PolicySource, TlsProbe,
};
use podgate::identity::ServiceAccount;
use podgate::policy::Labels;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::manifests::base;
use crate::pods::of_repository;

pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const GUARDS: [&str; 4] =
    ["podgate-policy-label", "podgate-installation", "podgate-webhooks", "podgate-service-account"];

pub(super) const VALIDATING: &str = "ValidatingWebhookConfiguration";
pub(super) const MUTATING: &str = "MutatingWebhookConfiguration";
pub(super) const DEPLOYMENT: &str = "Deployment";

/// 2026-11-25T12:00:00Z.
pub(super) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_608_000)
}

/// The objects of a cluster that podgate is installed in, and what is known beside them.
pub(super) struct World {
    objects: Vec<Json>,
    /// Changes what no object says.
    pub(super) after: fn(&mut Installation),
}

impl World {
    /// Where all is well.
    pub(super) fn good() -> Self {
        let policy = fs::read_to_string(of_repository("manifests/base/ml-restricted.yaml")).unwrap();
        let mut world = Self { objects: base(), after: |_| {} };
        world.objects.extend([
            json!({ "kind": "ConfigMap", "metadata": { "name": "podgate" }, "data": { "ml-restricted.yaml": policy } }),
            json!({ "kind": "Pod", "metadata": { "name": "podgate-1" } }),
            json!({ "kind": "Pod", "metadata": { "name": "podgate-2" } }),
            json!({
                "kind": "EndpointSlice",
                "metadata": { "name": "podgate-x" },
                "addressType": "IPv4",
                "endpoints": [
                    { "addresses": ["10.0.0.1"], "conditions": { "ready": true } },
                    { "addresses": ["10.0.0.2"], "conditions": { "ready": true } },
                ],
            }),
        ]);
        world.patch(
            VALIDATING,
            &json!([
                { "op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "cGVt" },
                { "op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": "cGVt" },
            ]),
        );
        world.patch(
            MUTATING,
            &json!([{ "op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "cGVt" }]),
        );
        world
            .patch(DEPLOYMENT, &json!([{ "op": "add", "path": "/status", "value": { "readyReplicas": 2 } }]));
        let spec = json!({ "holderIdentity": "podgate-1", "renewTime": "2026-11-25T11:59:55.000000Z" });
        world.patch("Lease", &json!([{ "op": "add", "path": "/spec", "value": spec }]));
        for (pod, node) in [("podgate-1", "node-a"), ("podgate-2", "node-b")] {
            let mut spec = world.get("Deployment", "podgate")["spec"]["template"]["spec"].clone();
            spec["nodeName"] = node.into();
            spec["containers"][0]["image"] = "example.com/podgate:0.1.0".into();
            world.patch(&format!("Pod {pod}"), &json!([{ "op": "add", "path": "/spec", "value": spec }]));
        }
        world
    }

    /// The objects of a kind, or the one of `Kind name`.
    fn all(&mut self, which: &str) -> impl Iterator<Item = &mut Json> {
        let (kind, name) = which
            .split_once(' ')
            .map_or((which.to_owned(), None), |(kind, name)| (kind.to_owned(), Some(name.to_owned())));
        self.objects.iter_mut().filter(move |object| {
            object["kind"] == kind.as_str()
                && name.as_ref().is_none_or(|name| object["metadata"]["name"] == name.as_str())
        })
    }

    fn get(&self, kind: &str, name: &str) -> &Json {
        self.objects
            .iter()
            .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
            .unwrap()
    }

    #[track_caller]
    pub(super) fn patch(&mut self, which: &str, patch: &Json) {
        let patch: json_patch::Patch = serde_json::from_value(patch.clone()).unwrap();
        let mut count = 0;
        for object in self.all(which) {
            json_patch::patch(object, &patch).unwrap();
            count += 1;
        }
        assert_eq!(count, 1, "{which}");
    }

    pub(super) fn remove(&mut self, which: &str) {
        let doomed: Vec<Json> = self.all(which).map(|object| object.clone()).collect();
        assert!(!doomed.is_empty(), "{which}");
        self.objects.retain(|object| !doomed.contains(object));
    }

    pub(super) fn one<T: DeserializeOwned>(&self, kind: &str, name: &str) -> Option<T> {
        let is_meant = |object: &&Json| object["kind"] == kind && object["metadata"]["name"] == name;
        self.objects.iter().find(is_meant).map(|object| serde_json::from_value(object.clone()).unwrap())
    }

    fn every<T: DeserializeOwned>(&self, kind: &str) -> Vec<T> {
        let of_kind = self.objects.iter().filter(|object| object["kind"] == kind);
        of_kind.map(|object| serde_json::from_value(object.clone()).unwrap()).collect()
    }

    pub(super) fn installation(&self) -> Installation {
        let names = InstallationNames {
            namespace: "podgate-system".into(),
            deployment: "podgate".into(),
            service: "podgate".into(),
            config_map: "podgate".into(),
            secret: "podgate-tls".into(),
            lease: "podgate".into(),
            validating: "podgate".into(),
            mutating: "00-podgate".into(),
        };
        let others = ["azure-wi-webhook-mutating-webhook-configuration", "istio-sidecar-injector-1-27"];
        let mut installation = Installation {
            names,
            now: now(),
            server: Ok(ApiServer { version: "v1.37.1".into(), time: Some(now() + Duration::from_secs(1)) }),
            validating: Ok(self.one(VALIDATING, "podgate")),
            mutating: Ok(self.one(MUTATING, "00-podgate")),
            mutating_names: Ok(["00-podgate"].iter().chain(&others).map(ToString::to_string).collect()),
            bundles: vec![
                bundle("pods.podgate.dev", false),
                bundle("templates.podgate.dev", false),
                bundle("pods.podgate.dev", true),
            ],
            secret: Ok(self.one("Secret", "podgate-tls").map(|_: Json| Some(leaf()))),
            namespaces: Ok(namespaces(&[
                ("default", None),
                ("kube-system", None),
                ("podgate-system", None),
                ("ml-a", Some("ml-restricted")),
            ])),
            service_accounts: Ok(vec![account("ml-a", Some("0a0a0a0a-1111-4222-8333-444444444444"))]),
            mutating_policies: Ok(self.every("MutatingAdmissionPolicy")),
            rights: OptionalRights {
                lists_bindings: Ok(true),
                lists_pod_identities: Ok(true),
                reviews_access: Ok(true),
                watches_switch: Ok(true),
            },
            policies: PolicySource::ConfigMap(Ok(self.one("ConfigMap", "podgate"))),
            switch: Ok(self.one("ConfigMap", "podgate-switch")),
            deployment: Ok(self.one(DEPLOYMENT, "podgate")),
            pods: Ok(self.every("Pod")),
            budgets: Ok(self.every("PodDisruptionBudget")),
            service: Ok(self.one("Service", "podgate")),
            endpoints: Ok(self.every("EndpointSlice")),
            network_policies: Ok(self.every("NetworkPolicy")),
            lease: Ok(self.one("Lease", "podgate")),
            guards: GUARDS
                .map(|name| Guard {
                    name: name.into(),
                    policy: Ok(self.one("ValidatingAdmissionPolicy", name)),
                })
                .into(),
            bindings: Ok(self.every("ValidatingAdmissionPolicyBinding")),
        };
        (self.after)(&mut installation);
        installation
    }
}

/// The service account `trainer`.
pub(super) fn account(namespace: &str, client_id: Option<&str>) -> NamedAccount {
    let annotations = client_id.map(|id| ("azure.workload.identity/client-id", id));
    NamedAccount {
        namespace: namespace.into(),
        name: "trainer".into(),
        account: ServiceAccount::new(annotations, []),
    }
}

pub(super) fn namespaces(namespaces: &[(&str, Option<&str>)]) -> Vec<(String, Labels)> {
    let labelled = |(name, policy): &(&str, Option<&str>)| {
        let mut labels = Labels::from([("kubernetes.io/metadata.name".to_owned(), (*name).to_owned())]);
        labels.extend(policy.map(|policy| ("podgate.dev/policy".to_owned(), policy.to_owned())));
        ((*name).to_owned(), labels)
    };
    namespaces.iter().map(labelled).collect()
}

fn bundle(webhook: &str, is_mutating: bool) -> BundleState {
    BundleState {
        webhook: webhook.into(),
        is_mutating,
        authorities: vec![CaDates { not_before: now() - 30 * DAY, not_after: now() + 300 * DAY }],
        has_others: false,
        verifies: Some(true),
        served: Some(TlsProbe::Trusted),
    }
}

fn leaf() -> CertificateDates {
    CertificateDates {
        not_before: now() - 10 * DAY,
        not_after: now() + 20 * DAY,
        names: vec!["podgate.podgate-system.svc".into()],
    }
}

pub(super) fn certificate(installation: &mut Installation) -> &mut CertificateDates {
    installation.secret.as_mut().unwrap().as_mut().unwrap().as_mut().unwrap()
}
