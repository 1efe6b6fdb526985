//! podgate installed as a user installs it: `kubectl apply -k manifests/base`, a certificate that it manages by
//! itself, the rights of its own service account and no others, and its Service as the way there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};

use crate::control_plane::ControlPlane;
use crate::gate::{LABEL, bad_pod, lazy_pod};
use crate::left_out::say;
use crate::serving::Podgate;
use crate::wait::eventually;
use crate::webhooks::{MUTATING, VALIDATING};

const SYSTEM: &str = "podgate-system";

fn manifest(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests").join(path)
}

/// podgate's objects in a cluster whose Services can be reached.
struct Installation {
    cluster: ControlPlane,
    /// The Service's address, at which a replica listens in place of a pod.
    address: String,
    kubeconfig: PathBuf,
}

impl Installation {
    fn new() -> Option<Self> {
        let cluster = ControlPlane::start_apart()?;
        let base = manifest("base");
        cluster.kubectl(&["apply", "--kustomize", base.to_str().unwrap()]).succeeded();
        let service = cluster.get(SYSTEM, "service/podgate");
        let address = format!("{}:443", service["spec"]["clusterIP"].as_str().unwrap());
        let kubeconfig = cluster.folder().join("podgate.kubeconfig");
        as_service_account(&cluster, SYSTEM, "podgate", &kubeconfig);
        Some(Self { cluster, address, kubeconfig })
    }

    /// A replica at the address of the Service, or one that nobody is sent to.
    fn replica(&self, name: &str, is_reached: bool) -> Podgate {
        let listen = if is_reached { self.address.as_str() } else { "127.0.0.1:0" };
        let flags = [
            "--kubeconfig".into(),
            self.kubeconfig.to_str().unwrap().to_owned(),
            "--policy".into(),
            manifest("base/ml-restricted.yaml").to_str().unwrap().to_owned(),
            "--replica".into(),
            name.to_owned(),
        ];
        Podgate::start_in(&self.cluster, listen, &flags)
    }

    fn await_ready(&self, podgate: &Podgate) {
        eventually("readiness", || match podgate.admin_in(&self.cluster, "/readyz") {
            (200, _) => Ok(()),
            (_, missing) => Err(missing),
        });
    }

    /// The `caBundle` of every webhook entry.
    fn bundles(&self) -> Vec<String> {
        [(VALIDATING, "podgate"), (MUTATING, "00-podgate")]
            .into_iter()
            .flat_map(|(kind, name)| {
                let configuration = self.cluster.get(SYSTEM, &format!("{kind}/{name}"));
                let webhooks = configuration["webhooks"].as_array().unwrap().clone();
                webhooks.into_iter().map(|webhook| {
                    webhook["clientConfig"]["caBundle"].as_str().unwrap_or_default().to_owned()
                })
            })
            .collect()
    }

    fn secret(&self) -> Json {
        self.cluster.get(SYSTEM, "secret/podgate-tls")
    }

    /// Waits until a bad pod is refused by podgate, and a lazy one repaired.
    fn await_gate(&self, namespace: &str) {
        self.cluster.await_refusal(namespace, &bad_pod("bad"), "spec.hostIPC");
        eventually("a repaired pod", || {
            let flags = ["--namespace", namespace, "--dry-run=server", "--output=json"];
            let ended = self.cluster.create(&lazy_pod("lazy"), &flags);
            let pod: Json = serde_json::from_str(&ended.output).unwrap_or_default();
            let is_repaired = pod["spec"]["containers"][0]["securityContext"]["runAsNonRoot"] == true;
            if is_repaired { Ok(()) } else { Err(format!("{ended:?}")) }
        });
    }
}

/// Writes a kubeconfig with the rights of a service account.
fn as_service_account(cluster: &ControlPlane, namespace: &str, name: &str, file: &Path) {
    let token = cluster.kubectl(&["create", "token", name, "--namespace", namespace]).succeeded();
    fs::copy(cluster.kubeconfig(), file).unwrap();
    let file = file.to_str().unwrap();
    let token = format!("--token={}", token.trim());
    cluster.kubectl(&["--kubeconfig", file, "config", "set-credentials", "account", &token]).succeeded();
    let context = ["--kubeconfig", file, "config", "set-context", "--current", "--user=account"];
    cluster.kubectl(&context).succeeded();
}

#[test]
fn it_gates_a_labelled_namespace_soon_after_it_is_applied() {
    let start = Instant::now();
    let Some(installed) = Installation::new() else { return };
    let applied = start.elapsed();
    let podgate = installed.replica("podgate-a", true);
    installed.await_ready(&podgate);
    let ready = start.elapsed();
    let namespace = installed.cluster.namespace(&[]);
    installed.cluster.create(&bad_pod("before"), &["--namespace", &namespace]).succeeded();
    let label = format!("{}={}", LABEL.0, LABEL.1);
    installed.cluster.kubectl(&["label", "namespace", &namespace, &label]).succeeded();
    installed.await_gate(&namespace);
    say(&format!(
        "installed: control plane and objects in {applied:.1?}, ready after {ready:.1?}, the first refusal after {:.1?}",
        start.elapsed()
    ));
    // In its own namespace, and in the system's, podgate is never asked.
    installed.cluster.create(&bad_pod("system"), &["--namespace", "kube-system"]).succeeded();
    assert!(installed.bundles().iter().all(|bundle| !bundle.is_empty()));
    let lease = installed.cluster.get(SYSTEM, "lease/podgate");
    assert_eq!(lease["spec"]["holderIdentity"], "podgate-a");
    // Orderly gone, the next need not wait for the Lease to run out.
    assert!(podgate.terminate().success());
    let lease = installed.cluster.get(SYSTEM, "lease/podgate");
    assert_eq!(lease["spec"]["holderIdentity"].as_str().unwrap_or_default(), "", "{lease}");
}

#[test]
fn a_certificate_that_others_spoil_is_mended() {
    let Some(installed) = Installation::new() else { return };
    let mut podgate = installed.replica("podgate-a", true);
    installed.await_ready(&podgate);
    let namespace = installed.cluster.namespace(&[LABEL]);
    installed.await_gate(&namespace);

    // Somebody empties a bundle, and writes another into the next.
    let before = installed.bundles();
    let foreign = BASE64.encode(crate::authority::Authority::new().certificate());
    let patch = json!([
        { "op": "remove", "path": "/webhooks/0/clientConfig/caBundle" },
        { "op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": foreign },
    ]);
    let patch = format!("--patch={patch}");
    installed.cluster.kubectl(&["patch", VALIDATING, "podgate", "--type=json", &patch]).succeeded();
    eventually("the bundles as they were", || {
        let now = installed.bundles();
        if now == before { Ok(()) } else { Err(format!("{} of them differ", now.len())) }
    });
    installed.await_gate(&namespace);

    // Somebody spoils the Secret.
    let garbage = json!({ "data": { "tls.crt": BASE64.encode("garbage") } });
    let patch = format!("--patch={garbage}");
    installed.cluster.kubectl(&["patch", "secret", "podgate-tls", "--namespace", SYSTEM, &patch]).succeeded();
    eventually("a Secret that is whole again", || {
        let secret = installed.secret();
        let certificate = secret["data"]["tls.crt"].as_str().unwrap_or_default().to_owned();
        let certificate = BASE64.decode(certificate).unwrap_or_default();
        let is_whole = certificate.starts_with(b"-----BEGIN") && secret["data"]["ca.key"].is_string();
        if is_whole { Ok(()) } else { Err("not yet") }
    });
    installed.await_gate(&namespace);
    installed.await_ready(&podgate);

    // Labels that others have put on the Secret stay.
    assert_eq!(installed.secret()["metadata"]["labels"]["app.kubernetes.io/name"], "podgate");
    podgate.await_log("serving");
    let keys: Vec<String> = podgate.log().into_iter().filter(|line| line.contains("PRIVATE KEY")).collect();
    assert_eq!(keys, [""; 0]);
}

#[test]
fn one_of_two_replicas_leads_and_the_other_takes_over() {
    let Some(installed) = Installation::new() else { return };
    let first = installed.replica("podgate-a", true);
    installed.await_ready(&first);
    let second = installed.replica("podgate-b", false);
    // It serves the same certificate, and leaves the work to the first.
    installed.await_ready(&second);
    let holder = || installed.cluster.get(SYSTEM, "lease/podgate")["spec"]["holderIdentity"].clone();
    assert_eq!(holder(), "podgate-a");
    drop(first);
    let patch = r#"--patch=[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]"#;
    installed.cluster.kubectl(&["patch", MUTATING, "00-podgate", "--type=json", patch]).succeeded();
    // The first was killed: its Lease has to run out first.
    crate::wait::within(std::time::Duration::from_secs(90), "another leader, and the bundle mended", || {
        let (holder, bundles) = (holder(), installed.bundles());
        let is_mended = holder == "podgate-b" && bundles.iter().all(|bundle| !bundle.is_empty());
        if is_mended { Ok(()) } else { Err(holder.to_string()) }
    });
}

#[test]
fn a_role_that_allows_too_little_is_told_and_mended() {
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    let namespace = cluster.namespace(&[]);
    let kubeconfig = cluster.folder().join("powerless.kubeconfig");
    as_service_account(&cluster, &namespace, "default", &kubeconfig);
    let flags = ["--kubeconfig", kubeconfig.to_str().unwrap(), "--own-namespace", &namespace];
    let podgate = Podgate::start(&flags);
    // Each watch tells of itself, in any order.
    let warning = eventually("a warning", || {
        let lines = podgate.log();
        let mut parsed = lines.iter().filter_map(|line| serde_json::from_str::<Json>(line).ok());
        let found = parsed.find(|line| line["resource"] == "namespaces" && !line["error"].is_null());
        found.ok_or("not of the Namespaces")
    });
    assert_eq!(warning["message"], "the watch has failed: what is known stays in force");
    let (error, advice) = (warning["error"].as_str().unwrap(), warning["advice"].as_str().unwrap());
    assert!(error.contains("forbidden") && error.contains("cannot "), "{error}");
    assert!(advice.contains("ClusterRole") || advice.contains("role"), "{advice}");
    let (code, missing) = podgate.admin("/readyz");
    assert_eq!(code, 503, "{missing}");
    assert!(missing.contains("the namespaces and service accounts of the cluster"), "{missing}");
    assert!(missing.contains("a certificate that the published caBundle vouches for"), "{missing}");
    let errors = "podgate_cluster_errors_total{reason=\"forbidden\",resource=\"namespaces\"}";
    eventually("a count", || podgate.metric(errors).filter(|count| *count >= 1.0).ok_or("none"));

    // The role comes later.
    let bind = format!("--serviceaccount={namespace}:default");
    cluster
        .kubectl(&["create", "clusterrolebinding", "late", "--clusterrole=cluster-admin", &bind])
        .succeeded();
    let up = "podgate_cluster_watch_up{resource=\"namespaces\"}";
    crate::wait::within(std::time::Duration::from_secs(60), "a watch", || {
        podgate.metric(up).filter(|up| *up == 1.0).ok_or("not up")
    });
}

#[test]
fn while_the_api_server_is_gone_verdicts_go_on() {
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    let namespace = cluster.namespace(&[LABEL]);
    let authority = crate::authority::Authority::new();
    let leaf = authority.loopback();
    let podgate = Podgate::start(&[
        "--kubeconfig".as_ref(),
        cluster.kubeconfig().as_os_str(),
        "--tls-cert".as_ref(),
        leaf.certificate().as_os_str(),
        "--tls-key".as_ref(),
        leaf.key().as_os_str(),
    ]);
    podgate.await_ready();
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u",
            "kind": { "version": "v1", "kind": "Pod" },
            "resource": { "version": "v1", "resource": "pods" },
            "namespace": namespace,
            "operation": "CREATE",
            "object": bad_pod("bad"),
        },
    });
    let ask = || {
        let answer = crate::serving::post(&podgate.url("/validate"), &authority, &review);
        (answer["response"]["allowed"].clone(), answer["response"]["status"]["code"].clone())
    };
    assert_eq!(ask(), (json!(false), json!(403)));
    cluster.stop("kube-apiserver");
    let up = "podgate_cluster_watch_up{resource=\"namespaces\"}";
    eventually("a watch that has failed", || podgate.metric(up).filter(|up| *up == 0.0).ok_or("it is up"));
    assert_eq!(ask(), (json!(false), json!(403)));
    assert_eq!(podgate.admin("/readyz").0, 200);
    // Of a namespace that nobody knows the strictest is assumed, and soon.
    let mut unknown = review.clone();
    unknown["request"]["namespace"] = "never-seen".into();
    let answer = crate::serving::post(&podgate.url("/validate"), &authority, &unknown);
    assert_eq!(answer["response"]["status"]["code"], 403);
    cluster.start_again("kube-apiserver");
    crate::wait::within(std::time::Duration::from_secs(60), "a watch", || {
        podgate.metric(up).filter(|up| *up == 1.0).ok_or("not up")
    });
}
