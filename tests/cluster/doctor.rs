//! The doctor before a real API server: what is wrong with an installation of the shipped manifests, and that the
//! commands it gives mend it.
//!
//! There is no node and no kubelet. A podgate of ours stands for the replicas, and what a kubelet and the controller
//! of endpoints would say is written by hand.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};

use crate::authority::Authority;
use crate::control_plane::ControlPlane;
use crate::programs;
use crate::serving::Podgate;
use crate::wait::eventually;
use crate::webhooks::{MUTATING, VALIDATING};

const OWN: &str = "podgate-system";

/// What a run of the doctor came to.
#[derive(Debug)]
struct Visit {
    code: Option<i32>,
    output: String,
    errors: String,
}

impl Visit {
    /// With these flags, told by them alone what cluster it is.
    fn pay(flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_podgate"));
        command.arg("doctor").args(flags);
        for (name, _) in std::env::vars_os() {
            if name == "KUBECONFIG" || name.as_encoded_bytes().starts_with(b"PODGATE_") {
                command.env_remove(name);
            }
        }
        let ended = command.output().unwrap();
        Self {
            code: ended.status.code(),
            output: String::from_utf8(ended.stdout).unwrap(),
            errors: String::from_utf8(ended.stderr).unwrap(),
        }
    }

    fn to(cluster: &ControlPlane, flags: &[&str]) -> Self {
        let kubeconfig = cluster.kubeconfig();
        let usual = ["--format=json", "--kubeconfig", kubeconfig.to_str().unwrap()];
        Self::pay(&[&usual, flags].concat())
    }

    #[track_caller]
    fn findings(&self) -> Vec<Json> {
        let report: serde_json::Result<Json> = serde_json::from_str(&self.output);
        assert!(report.is_ok(), "{report:?}: {self:?}");
        let report = report.unwrap();
        report["findings"].as_array().unwrap().clone()
    }

    /// The checks that found something, each once, notes left out.
    #[track_caller]
    fn checks(&self) -> Vec<String> {
        let findings = self.findings();
        let wrong = findings.iter().filter(|finding| finding["severity"] != "info");
        let mut checks: Vec<String> =
            wrong.map(|finding| finding["check"].as_str().unwrap().to_owned()).collect();
        checks.sort();
        checks.dedup();
        checks
    }
}

fn install(cluster: &ControlPlane) {
    let base = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("manifests/base");
    cluster.kubectl(&["apply", "--kustomize", base.to_str().unwrap()]).succeeded();
}

/// A CA as the `caBundle` of a webhook.
fn bundle(authority: &Authority) -> String {
    BASE64.encode(authority.certificate())
}

/// The administrator's kubeconfig, changed.
fn kubeconfig_with(cluster: &ControlPlane, name: &str, change: impl FnOnce(&mut Json)) -> PathBuf {
    let text = fs::read_to_string(cluster.kubeconfig()).unwrap();
    let document = podgate::yaml::read(&text).remove(0).unwrap();
    let mut kubeconfig: Json = serde_json::from_slice(&document.root.to_json()).unwrap();
    change(&mut kubeconfig);
    let file = cluster.folder().join(format!("{name}.kubeconfig"));
    fs::write(&file, kubeconfig.to_string()).unwrap();
    file
}

/// Starts a podgate that manages its certificate in the cluster, and waits until the Lease and the bundles are its.
fn run(cluster: &ControlPlane) -> Podgate {
    let kubeconfig = cluster.kubeconfig();
    let flags =
        ["--kubeconfig", kubeconfig.to_str().unwrap(), "--own-namespace", OWN, "--replica", "podgate-1"];
    let podgate = Podgate::start(&flags);
    eventually("podgate is ready", || {
        let (status, body) = podgate.admin("/readyz");
        if status == 200 { Ok(()) } else { Err(body) }
    });
    podgate
}

/// Says what a kubelet would: that the pods of the Deployment are ready.
fn kubelet(cluster: &ControlPlane) {
    let pods = eventually("two pods", || {
        let pods = cluster.kubectl(&["get", "pods", "--namespace", OWN, "--output=name"]).succeeded();
        let pods: Vec<String> = pods.lines().map(ToOwned::to_owned).collect();
        if pods.len() == 2 { Ok(pods) } else { Err(format!("{pods:?}")) }
    });
    let ready =
        json!({ "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] } });
    for pod in pods {
        let patch = format!("--patch={ready}");
        cluster.kubectl(&["patch", &pod, "--namespace", OWN, "--subresource=status", &patch]).succeeded();
    }
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": { "name": "podgate-1", "labels": { "kubernetes.io/service-name": "podgate" } },
        "addressType": "IPv4",
        "endpoints": [{ "addresses": ["10.0.0.1"], "conditions": { "ready": true } }],
        "ports": [{ "name": "webhook", "port": 8443 }],
    });
    cluster.create(&slice, &["--namespace", OWN]).succeeded();
    eventually("the replicas are ready", || {
        let ready = &cluster.get(OWN, "deployment/podgate")["status"]["readyReplicas"];
        if *ready == 2 { Ok(()) } else { Err(ready.to_string()) }
    });
}

#[test]
fn an_installation_is_looked_at_from_nothing_to_all_well() {
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    let cluster = &cluster;

    let nothing = Visit::to(cluster, &[]);
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    let missing = [
        "configuration-missing",
        "deployment-missing",
        "guard-missing",
        "lease-missing",
        "policies",
        "secret-missing",
        "service-missing",
        "switch-rights",
    ];
    assert_eq!(nothing.checks(), missing);

    install(cluster);
    let tenant = cluster.namespace(&[("podgate.dev/policy", "ml-restricted")]);
    let installed = Visit::to(cluster, &[]);
    let idle = ["bundle-missing", "endpoints-missing", "lease-stale", "replicas-not-ready", "secret-missing"];
    assert_eq!(installed.checks(), idle, "{installed:?}");

    let podgate = run(cluster);
    let running = Visit::to(cluster, &["--connect", &podgate.address.to_string()]);
    assert_eq!(running.checks(), ["endpoints-missing", "replicas-not-ready"], "{running:?}");

    kubelet(cluster);
    let well = Visit::to(cluster, &["--connect", &podgate.address.to_string()]);
    assert_eq!((well.code, well.checks()), (Some(0), Vec::new()), "{well:?}");
    let kubeconfig = cluster.kubeconfig();
    let text = Visit::pay(&["--kubeconfig", kubeconfig.to_str().unwrap()]).output;
    assert!(text.starts_with("all is well: 0 errors, 0 warnings and 0 notes from "), "{text}");

    overlays_are_well(cluster);
    breaks_are_mended_by_their_commands(cluster, &tenant);
    served_to_nobody(cluster, podgate);
    may_read_little(cluster);
}

/// What is shipped beside the base is no fault. podgate writes the bundles of new webhooks meanwhile.
fn overlays_are_well(cluster: &ControlPlane) {
    for (overlay, notes) in
        [("overlays/aks", vec!["aks-selectors"; 3]), ("overlays/pod-security", vec![]), ("base", vec![])]
    {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("manifests").join(overlay);
        cluster.kubectl(&["apply", "--kustomize", folder.to_str().unwrap()]).succeeded();
        eventually(&format!("{overlay} is well"), || {
            let visit = Visit::to(cluster, &[]);
            let found: Vec<Json> =
                visit.findings().into_iter().map(|finding| finding["check"].clone()).collect();
            if visit.code == Some(0) && found == notes { Ok(()) } else { Err(format!("{visit:?}")) }
        });
    }
}

/// Breaks one thing after the other, and gives a shell the command that the doctor names.
fn breaks_are_mended_by_their_commands(cluster: &ControlPlane, tenant: &str) {
    let replace =
        |path: &str, value: Json| json!([{ "op": "add", "path": path, "value": value }]).to_string();
    let url = json!({ "url": "https://127.0.0.1:1/mutate", "caBundle": bundle(&Authority::new()) });
    for (check, kind, patch) in [
        ("failure-policy", VALIDATING, replace("/webhooks/0/failurePolicy", "Ignore".into())),
        ("timeout", VALIDATING, replace("/webhooks/0/timeoutSeconds", 30.into())),
        ("match-policy", VALIDATING, replace("/webhooks/1/matchPolicy", "Exact".into())),
        ("side-effects", MUTATING, replace("/webhooks/0/sideEffects", "NoneOnDryRun".into())),
        ("reinvocation-policy", MUTATING, replace("/webhooks/0/reinvocationPolicy", "Never".into())),
        (
            "object-selector",
            VALIDATING,
            replace("/webhooks/0/objectSelector", json!({ "matchLabels": { "a": "b" } })),
        ),
        (
            "rules-incomplete",
            VALIDATING,
            json!([{ "op": "remove", "path": "/webhooks/0/rules/1" }]).to_string(),
        ),
        (
            "selector-too-far",
            VALIDATING,
            json!([
                { "op": "remove", "path": "/webhooks/1/namespaceSelector/matchExpressions" },
            ])
            .to_string(),
        ),
        ("webhook-target", MUTATING, replace("/webhooks/0/clientConfig", url)),
    ] {
        let name = if kind == MUTATING { "00-podgate" } else { "podgate" };
        let patched = cluster.kubectl(&["patch", kind, name, "--type=json", &format!("--patch={patch}")]);
        patched.succeeded();
        is_mended(cluster, check);
    }
    let wrong = ["label", "--overwrite", "namespace", tenant, "podgate.dev/policy=typo"];
    cluster.kubectl(&wrong).succeeded();
    is_mended(cluster, "namespace-without-policy");
    for object in ["poddisruptionbudget/podgate", "service/podgate", "lease/podgate"] {
        cluster.kubectl(&["delete", object, "--namespace", OWN]).succeeded();
    }
    is_mended(cluster, "service-missing");
    cluster.kubectl(&["delete", "validatingadmissionpolicybinding/podgate-policy-label"]).succeeded();
    is_mended(cluster, "guard-unbound");
}

/// Looks, finds that, does as it is told, and finds it gone. podgate itself writes bundles meanwhile.
#[track_caller]
fn is_mended(cluster: &ControlPlane, check: &str) {
    let visit = Visit::to(cluster, &[]);
    assert_eq!(visit.code, Some(1), "{check}: {visit:?}");
    let findings = visit.findings();
    let commands: Vec<&str> = findings
        .iter()
        .filter(|finding| finding["check"] == check)
        .map(|finding| finding["mend"].as_str().unwrap())
        .collect();
    assert!(!commands.is_empty(), "{check}: {findings:#?}");
    for command in commands {
        shell(cluster, command);
    }
    eventually(&format!("{check} is mended, and nothing else is wrong"), || {
        let visit = Visit::to(cluster, &[]);
        if visit.code == Some(0) { Ok(()) } else { Err(format!("{visit:?}")) }
    });
}

/// Runs a command as it stands in the report, in the folder of the manifests.
#[track_caller]
fn shell(cluster: &ControlPlane, command: &str) {
    let kubectl = programs::find("the doctor's commands", &["kubectl"]).unwrap().remove(0);
    let path = format!("{}:/usr/bin:/bin", kubectl.parent().unwrap().display());
    let ended = Command::new("sh")
        .args(["-c", command])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PATH", path)
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("KUBERC", "off")
        .output()
        .unwrap();
    assert!(ended.status.success(), "{command}: {}", String::from_utf8_lossy(&ended.stderr));
}

/// A bundle that somebody else has written, and then nobody who answers.
fn served_to_nobody(cluster: &ControlPlane, podgate: Podgate) {
    let address = podgate.address.to_string();
    assert!(podgate.terminate().success());
    let nobody = Visit::to(cluster, &["--connect", &address]);
    // It gave the Lease up when it ended.
    assert_eq!(nobody.checks(), ["lease-stale", "not-reached"], "{nobody:?}");
    assert!(nobody.output.contains("the NetworkPolicy podgate or a firewall"), "{nobody:?}");

    let foreign = Authority::new();
    let path = "/webhooks/0/clientConfig/caBundle";
    let patch = json!([{ "op": "add", "path": path, "value": bundle(&foreign) }]);
    let patch = format!("--patch={patch}");
    cluster.kubectl(&["patch", VALIDATING, "podgate", "--type=json", &patch]).succeeded();
    let overwritten = Visit::to(cluster, &[]);
    assert_eq!(overwritten.checks(), ["bundle-foreign", "lease-stale"], "{overwritten:?}");

    // The next podgate serves what its Secret holds, and mends the bundle; another's is not trusted by it.
    let podgate = run(cluster);
    let own = podgate.address.to_string();
    assert_eq!(Visit::to(cluster, &["--connect", &own]).checks(), [""; 0]);
    let leaf = foreign.leaf(&["podgate.podgate-system.svc"]);
    let (certificate, key) = (leaf.certificate(), leaf.key());
    let flags = ["--tls-cert".as_ref(), certificate.as_os_str(), "--tls-key".as_ref(), key.as_os_str()];
    let other = Podgate::start(&flags);
    let visit = Visit::to(cluster, &["--connect", &other.address.to_string()]);
    assert_eq!(visit.checks(), ["served-foreign"], "{visit:?}");
}

/// With podgate's own role, which allows little, the doctor says what it did not see.
fn may_read_little(cluster: &ControlPlane) {
    let token = cluster.kubectl(&["create", "token", "podgate", "--namespace", OWN]).succeeded();
    let file = kubeconfig_with(cluster, "podgate", |kubeconfig| {
        kubeconfig["users"][0]["user"] = json!({ "token": token.trim() });
    });
    let visit = Visit::pay(&["--format=json", "--kubeconfig", file.to_str().unwrap()]);
    assert_eq!(visit.code, Some(1), "{visit:?}");
    let unread: Vec<Json> =
        visit.findings().into_iter().filter(|finding| finding["check"] == "not-read").collect();
    let objects: Vec<&str> = unread.iter().map(|finding| finding["object"].as_str().unwrap()).collect();
    assert!(objects.contains(&"Deployment podgate-system/podgate"), "{objects:?}");
    assert!(!objects.contains(&"ValidatingWebhookConfiguration podgate"), "{objects:?}");
    assert!(
        unread.iter().all(|finding| finding["found"].as_str().unwrap().contains(" is forbidden: ")),
        "{unread:#?}"
    );
}

#[test]
fn no_cluster_is_no_verdict() {
    let Some(cluster) = ControlPlane::shared() else { return };
    let file = kubeconfig_with(cluster, "nowhere", |kubeconfig| {
        kubeconfig["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1".into();
    });
    for (flags, expected) in [
        (["--kubeconfig", file.to_str().unwrap()], "podgate: the API server is not reached by the context "),
        (
            ["--kubeconfig", "nowhere.kubeconfig"],
            "podgate: the kubeconfig nowhere.kubeconfig cannot be used: ",
        ),
        (["--policy", "nowhere.yaml"], "podgate: cannot read the policy files of nowhere.yaml"),
    ] {
        let visit = Visit::pay(&flags);
        assert_eq!((visit.code, visit.output.as_str()), (Some(2), ""), "{flags:?}: {visit:?}");
        assert!(visit.errors.lines().any(|line| line.starts_with(expected)), "{flags:?}: {visit:?}");
    }
}
