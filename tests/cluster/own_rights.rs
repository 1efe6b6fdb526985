//! What podgate's own rights are worth to whoever gets its token, and who can become podgate: tried with that token,
//! and by a tenant who may edit objects in every namespace.
//!
//! Each test has a cluster of its own, since what is installed is the whole cluster's.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};

use crate::control_plane::{ControlPlane, Ended};
use crate::gate::good_pod;
use crate::guards::{as_tenant, with_a_tenant};
use crate::installation::{OWN, manifests, own_kubeconfig};
use crate::wait::eventually;

pub(crate) const ONLY_BUNDLES: &str = "all but the caBundle may be changed only by";
pub(crate) const ADMIN: &str = "podgate-installation-admin";
pub(crate) const VALIDATING: &str = "validatingwebhookconfiguration/podgate";
pub(crate) const MUTATING: &str = "mutatingwebhookconfiguration/00-podgate";

/// A JSON Patch of one operation.
pub(crate) fn set(path: &str, value: Json) -> Json {
    let mut patch = json!([{ "op": "add", "path": path }]);
    patch[0]["value"] = value;
    patch
}

/// What must not be done to a webhook configuration, of either kind.
pub(crate) fn forbidden() -> Vec<Json> {
    let all = json!([{ "apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"] }]);
    // One more webhook, before the others.
    let more = json!([
        { "op": "copy", "from": "/webhooks/0", "path": "/webhooks/0" },
        { "op": "replace", "path": "/webhooks/0/name", "value": "more.podgate.dev" },
    ]);
    let url = json!([
        { "op": "remove", "path": "/webhooks/0/clientConfig/service" },
        { "op": "add", "path": "/webhooks/0/clientConfig/url", "value": "https://elsewhere.example.com/" },
    ]);
    let with_bundle = json!([
        { "op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": BASE64.encode(BUNDLE) },
        { "op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore" },
    ]);
    vec![
        set("/webhooks/0/clientConfig/service/name", json!("mine")),
        set("/webhooks/0/clientConfig/service/namespace", json!("mine")),
        set("/webhooks/0/clientConfig/service/path", json!("/mine")),
        set("/webhooks/0/clientConfig/service/port", json!(8443)),
        url,
        set("/webhooks/0/rules", all),
        set("/webhooks/0/rules/0/resources/-", json!("secrets")),
        set("/webhooks/0/rules", json!([])),
        set("/webhooks/0/failurePolicy", json!("Ignore")),
        set("/webhooks/0/matchPolicy", json!("Exact")),
        set("/webhooks/0/namespaceSelector", json!({})),
        set("/webhooks/0/objectSelector", json!({ "matchLabels": { "a": "b" } })),
        set("/webhooks/0/matchConditions", json!([])),
        set("/webhooks/0/sideEffects", json!("NoneOnDryRun")),
        set("/webhooks/0/timeoutSeconds", json!(1)),
        set("/webhooks/0/name", json!("other.podgate.dev")),
        set("/webhooks", json!([])),
        more,
        with_bundle,
        set("/metadata/labels/mine", json!("yes")),
        set("/metadata/annotations", json!({ "cert-manager.io/inject-ca-from": "mine/mine" })),
        set("/metadata/finalizers", json!(["example.com/mine"])),
        set(
            "/metadata/ownerReferences",
            json!([
                { "apiVersion": "v1", "kind": "Namespace", "name": "mine", "uid": "5f3c" },
            ]),
        ),
    ]
}

pub(crate) const BUNDLE: &[u8] = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

/// kubectl with podgate's token.
struct AsPodgate<'c> {
    cluster: &'c ControlPlane,
    kubeconfig: String,
}

impl<'c> AsPodgate<'c> {
    /// The base, and podgate's token.
    fn in_base(cluster: &'c ControlPlane) -> Self {
        cluster.kubectl(&["apply", "--kustomize", &manifests("base")]).succeeded();
        let kubeconfig = own_kubeconfig(cluster).to_str().unwrap().to_owned();
        Self { cluster, kubeconfig }
    }

    fn kubectl_with(&self, arguments: &[&str], input: &str) -> Ended {
        let flags = ["--kubeconfig", &self.kubeconfig, "--namespace", OWN];
        self.cluster.kubectl_with(&[arguments, &flags[..]].concat(), input)
    }

    fn patch(&self, object: &str, patch: &Json) -> Ended {
        self.kubectl_with(&["patch", object, "--type=json", "--patch", &patch.to_string()], "")
    }

    /// Writes an object of podgate's namespace whole, without effect. By its path, since kubectl would write an
    /// annotation of its own as well.
    fn replace(&self, object: &Json) -> Ended {
        let (api, plural) = match object["kind"].as_str().unwrap() {
            "Lease" => ("apis/coordination.k8s.io/v1", "leases"),
            _ => ("api/v1", "secrets"),
        };
        let name = object["metadata"]["name"].as_str().unwrap();
        let path = format!("/{api}/namespaces/{OWN}/{plural}/{name}?dryRun=All");
        let file = self.cluster.folder().join("replaced.json");
        fs::write(&file, object.to_string()).unwrap();
        self.kubectl_with(&["replace", "--raw", &path, "--filename", file.to_str().unwrap()], "")
    }
}

#[test]
fn with_podgates_token_only_the_bundle_of_a_webhook_can_be_written() {
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    let podgate = AsPodgate::in_base(&cluster);
    eventually("the guard", || {
        // Without effect: once done, it would be no change, which is for anybody.
        let patch = set("/webhooks/1/timeoutSeconds", json!(3)).to_string();
        let dry = ["patch", VALIDATING, "--dry-run=server", "--type=json", "--patch", &patch];
        let ended = podgate.kubectl_with(&dry, "");
        if ended.errors.contains(ONLY_BUNDLES) { Ok(()) } else { Err(format!("{ended:?}")) }
    });
    for object in [VALIDATING, MUTATING] {
        for patch in forbidden() {
            let refused = podgate.patch(object, &patch).failed();
            assert!(refused.contains(ONLY_BUNDLES), "{object}: {patch}: {refused}");
        }
        podgate
            .patch(object, &set("/webhooks/0/clientConfig/caBundle", json!(BASE64.encode(BUNDLE))))
            .succeeded();
        let webhook = &cluster.get("", object)["webhooks"][0];
        assert_eq!(webhook["clientConfig"]["caBundle"], BASE64.encode(BUNDLE));
        podgate
            .patch(object, &json!([{ "op": "remove", "path": "/webhooks/0/clientConfig/caBundle" }]))
            .succeeded();
        // By its role alone it may neither replace nor delete one.
        assert!(podgate.kubectl_with(&["delete", object], "").failed().contains("cannot delete resource"));
    }
    let reinvocation = set("/webhooks/0/reinvocationPolicy", json!("Never"));
    assert!(podgate.patch(MUTATING, &reinvocation).failed().contains(ONLY_BUNDLES));
    // Whoever installed it is not held up.
    let admin = ["patch", VALIDATING, "--type=json", "--patch"];
    let patch = set("/webhooks/0/failurePolicy", json!("Ignore")).to_string();
    cluster.kubectl(&[&admin[..], &[&patch]].concat()).succeeded();
    cluster.kubectl(&["delete", VALIDATING, MUTATING]).succeeded();
}

#[test]
fn with_podgates_token_only_the_contents_of_its_secret_and_lease_can_be_written() {
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    let podgate = AsPodgate::in_base(&cluster);
    let changed = |object: &str, change: fn(&mut Json)| {
        let mut whole = cluster.get(OWN, object);
        change(&mut whole);
        podgate.replace(&whole)
    };
    eventually("the guard", || {
        let ended = changed("secret/podgate-tls", |secret| secret["metadata"]["labels"]["a"] = json!("b"));
        if ended.errors.contains(ADMIN) { Ok(()) } else { Err(format!("{ended:?}")) }
    });
    for object in ["secret/podgate-tls", "lease/podgate"] {
        for change in [
            (|object: &mut Json| object["metadata"]["annotations"]["mirror"] = json!("to-all"))
                as fn(&mut Json),
            |object| object["metadata"]["finalizers"] = json!(["example.com/mine"]),
            |object| {
                object["metadata"]["ownerReferences"] =
                    json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "mine", "uid": "5f3c" }]);
            },
            |object| object["metadata"]["labels"] = Json::Null,
        ] {
            let refused = changed(object, change).failed();
            assert!(refused.contains(ADMIN), "{object}: {refused}");
        }
    }
    assert!(
        changed("secret/podgate-tls", |secret| secret["immutable"] = json!(true)).failed().contains(ADMIN)
    );
    changed("secret/podgate-tls", |secret| secret["data"]["tls.crt"] = json!(BASE64.encode("x"))).succeeded();
    changed("secret/podgate-tls", |secret| secret["data"] = Json::Null).succeeded();
    changed("lease/podgate", |lease| lease["spec"]["holderIdentity"] = json!("podgate-0")).succeeded();
}

/// Whoever may edit objects in every namespace cannot run as podgate, get its token, or enter its pods.
#[test]
fn tenants_cannot_become_podgate() {
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    with_a_tenant(&cluster);
    let own =
        |arguments: &[&str]| cluster.kubectl(&[&["--namespace", OWN, "--as=tenant"], arguments].concat());
    let pod = eventually("a pod of the Deployment", || {
        let pods = cluster.kubectl(&["get", "pods", "--namespace", OWN, "--output=name"]).succeeded();
        pods.lines().next().map(ToOwned::to_owned).ok_or("none")
    });
    eventually("the guard", || {
        let ended = own(&["create", "token", "podgate"]);
        if ended.errors.contains(ADMIN) { Ok(()) } else { Err(format!("{ended:?}")) }
    });
    for arguments in [
        &["create", "token", "podgate", "--duration=1h"][..],
        &["exec", &pod, "--", "sh"],
        &["attach", &pod],
        &["label", &pod, "a=b"],
        &["set", "image", &pod, "podgate=mine"],
    ] {
        let refused = own(arguments).failed();
        assert!(refused.contains(ADMIN), "{arguments:?}: {refused}");
    }
    let create =
        |object: &Json| cluster.create(object, &["--dry-run=server", "--as=tenant", "--namespace", OWN]);
    for (kind, account) in
        [("Pod", "podgate"), ("Deployment", "podgate"), ("Job", "podgate"), ("CronJob", "podgate")]
    {
        let refused = create(&with_account(kind, account)).failed();
        assert!(refused.contains(ADMIN), "{kind}: {refused}");
    }
    for kind in ["Pod", "Deployment", "Job", "CronJob", "StatefulSet", "DaemonSet", "ReplicaSet"] {
        create(&with_account(kind, "default")).succeeded();
    }
    let token = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": { "name": "mine", "annotations": { "kubernetes.io/service-account.name": "podgate" } },
    });
    assert!(create(&token).failed().contains(ADMIN));
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "mine" } });
    create(&secret).succeeded();
    // What admission does not see: to read, and to act as somebody. RBAC alone closes that.
    own(&["get", "secret/podgate-tls"]).succeeded();

    let may =
        ["create", "clusterrolebinding", "may", "--clusterrole=podgate-installation-admin", "--user=tenant"];
    cluster.kubectl(&may).succeeded();
    eventually("the right", || {
        let ended = own(&["create", "token", "podgate"]);
        if ended.is_success { Ok(()) } else { Err(ended.errors) }
    });
    create(&with_account("Job", "podgate")).succeeded();
}

/// An object whose pods run as a service account.
fn with_account(kind: &str, account: &str) -> Json {
    let mut spec = good_pod("mine")["spec"].clone();
    spec["serviceAccountName"] = json!(account);
    let (api, spec) = match kind {
        "Pod" => ("v1", spec),
        "Job" | "CronJob" => {
            spec["restartPolicy"] = json!("Never");
            let job = json!({ "template": { "spec": spec } });
            if kind == "Job" {
                ("batch/v1", job)
            } else {
                ("batch/v1", json!({ "schedule": "0 0 * * *", "jobTemplate": { "spec": job } }))
            }
        }
        _ => {
            let labels = json!({ "app": "mine" });
            let template = json!({ "metadata": { "labels": labels }, "spec": spec });
            ("apps/v1", json!({ "selector": { "matchLabels": labels }, "template": template }))
        }
    };
    json!({ "apiVersion": api, "kind": kind, "metadata": { "name": "mine" }, "spec": spec })
}

/// Gives the tenant every right on webhook configurations and admission policies, as an operator of others has them.
pub(crate) fn give_rights_on_admission(cluster: &ControlPlane) {
    let role = ["create", "clusterrole", "admission", "--verb=*"];
    let resources = "--resource=validatingwebhookconfigurations,mutatingwebhookconfigurations,\
                     validatingadmissionpolicies,validatingadmissionpolicybindings";
    cluster.kubectl(&[&role[..], &[resources]].concat()).succeeded();
    let bind = ["create", "clusterrolebinding", "admission", "--clusterrole=admission", "--user=tenant"];
    cluster.kubectl(&bind).succeeded();
}

/// Somebody with rights on webhook configurations, as an operator of others has them, and none on podgate.
#[test]
fn others_cannot_change_podgates_webhooks() {
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    with_a_tenant(&cluster);
    give_rights_on_admission(&cluster);
    eventually("the guard", || {
        let ended = as_tenant(&cluster, &["delete", MUTATING, "--dry-run=server"]);
        if ended.errors.contains(ONLY_BUNDLES) { Ok(()) } else { Err(format!("{ended:?}")) }
    });
    for object in [VALIDATING, MUTATING] {
        assert!(as_tenant(&cluster, &["delete", object]).failed().contains(ONLY_BUNDLES));
        let kind = object.split('/').next().unwrap();
        assert!(as_tenant(&cluster, &["delete", kind, "--all"]).failed().contains(ONLY_BUNDLES));
        for patch in forbidden() {
            let patched = ["patch", object, "--type=json", "--patch", &patch.to_string()];
            let refused = as_tenant(&cluster, &patched).failed();
            assert!(refused.contains(ONLY_BUNDLES), "{object}: {patch}: {refused}");
        }
        // As cert-manager's injector does.
        let bundle = set("/webhooks/0/clientConfig/caBundle", json!(BASE64.encode(BUNDLE))).to_string();
        as_tenant(&cluster, &["patch", object, "--type=json", "--patch", &bundle]).succeeded();
    }
    // The guards themselves are left out by Kubernetes, and RBAC alone decides.
    as_tenant(&cluster, &["delete", "validatingadmissionpolicybinding/podgate-webhooks"]).succeeded();
    eventually("no guard", || {
        let ended = as_tenant(&cluster, &["delete", MUTATING]);
        if ended.is_success { Ok(()) } else { Err(ended.errors) }
    });
}
