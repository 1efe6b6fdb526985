//! Upstream's own integration suite, through a real API server, against a webhook program.
//!
//! Upstream's own webhook has to pass it too: what fails there is a fault of the way it is run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value as Json;

use crate::authority::{Authority, Leaf};
use crate::control_plane::ControlPlane;
use crate::left_out::say;
use crate::programs;
use crate::serving::{Podgate, free_port};
use crate::webhooks::{VALIDATING, rules, webhook};

/// Every level, version and control, each once with pods that pass and once with pods that fail.
const SUBTESTS: usize = 750;

/// What upstream's own manifests register, with their failure policies.
const ENFORCED: [&str; 3] = ["/v1/namespaces", "/v1/pods", "/v1/pods/ephemeralcontainers"];
const ADVISED: [&str; 8] = [
    "/v1/podtemplates",
    "/v1/replicationcontrollers",
    "apps/v1/daemonsets",
    "apps/v1/deployments",
    "apps/v1/replicasets",
    "apps/v1/statefulsets",
    "batch/v1/cronjobs",
    "batch/v1/jobs",
];

/// Without this the API server would judge by itself.
const WITHOUT_POD_SECURITY: [&str; 1] = ["--disable-admission-plugins=PodSecurity"];

/// Upstream's defaults: a namespace is judged by its labels alone.
const POD_SECURITY: &str = "
apiVersion: pod-security.admission.config.k8s.io/v1
kind: PodSecurityConfiguration
";

#[test]
fn upstreams_webhook_passes() {
    let Some([program]) = find(["pod-security-webhook"]) else { return };
    suite("upstream's webhook", |cluster, leaf| {
        let port = free_port();
        let log = fs::File::create(cluster.folder().join("webhook.log")).unwrap();
        let webhook = Command::new(program)
            .args([format!("--secure-port={port}"), "--bind-address=127.0.0.1".into()])
            .args(["--tls-cert-file".as_ref(), leaf.certificate().as_os_str()])
            .args(["--tls-private-key-file".as_ref(), leaf.key().as_os_str()])
            .args(["--kubeconfig".as_ref(), cluster.kubeconfig().as_os_str()])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        (format!("https://127.0.0.1:{port}/"), Killed(webhook))
    });
}

#[test]
fn podgate_passes() {
    suite("podgate in drop-in mode", |cluster, leaf| {
        let configuration = cluster.folder().join("pod-security.yaml");
        fs::write(&configuration, POD_SECURITY).unwrap();
        let podgate = Podgate::start(&[
            "--policy".as_ref(),
            configuration.as_os_str(),
            "--kubeconfig".as_ref(),
            cluster.kubeconfig().as_os_str(),
            "--tls-cert".as_ref(),
            leaf.certificate().as_os_str(),
            "--tls-key".as_ref(),
            leaf.key().as_os_str(),
        ]);
        (podgate.url("/validate"), podgate)
    });
}

/// Runs the suite against a webhook, and expects all of it to pass.
///
/// `start` starts the webhook under test with a certificate for loopback, and returns its URL and what ends it.
fn suite<R>(of: &str, start: impl FnOnce(&ControlPlane, &Leaf) -> (String, R)) {
    let Some([suite]) = find(["pod-security-suite"]) else { return };
    let Some(cluster) = ControlPlane::start(&WITHOUT_POD_SECURITY) else { return };
    let authority = Authority::new();
    let leaf = authority.loopback();
    let (url, _running) = start(&cluster, &leaf);
    let _installed = cluster.install(VALIDATING, "suite", &hooks(&url, &authority.certificate()));
    pass(&suite, &cluster, of);
}

fn find<const N: usize>(names: [&str; N]) -> Option<[PathBuf; N]> {
    programs::find("upstream's own suite", &names)?.try_into().ok()
}

/// A program that is killed when the test ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The webhooks of upstream's manifests, led to a URL.
fn hooks(url: &str, ca: &str) -> [Json; 2] {
    [
        webhook("enforcing.suite.podgate.dev", url, ca, "Fail", &rules(&ENFORCED)),
        webhook("advising.suite.podgate.dev", url, ca, "Ignore", &rules(&ADVISED)),
    ]
}

/// The suite waits by itself until the webhook is heeded, and fails if there is none.
fn pass(suite: &Path, cluster: &ControlPlane, of: &str) {
    let start = Instant::now();
    let ended = Command::new(suite)
        .args(["-test.v", "-test.timeout=10m"])
        .env("KUBECONFIG", cluster.kubeconfig())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&ended.stdout);
    let count = |outcome: &str| {
        output
            .lines()
            .filter(|line| line.starts_with(&format!("    --- {outcome}: TestPodSecurity/")))
            .count()
    };
    let (passed, failed, skipped) = (count("PASS"), count("FAIL"), count("SKIP"));
    let seconds = start.elapsed().as_secs_f64();
    say(&format!("upstream's suite, against {of}: {passed} passed, {failed} failed, in {seconds:.1} s"));
    let faults: Vec<&str> = output.lines().filter(|line| !line.trim_start().starts_with("=== ")).collect();
    assert!(ended.status.success(), "{}\n{}", faults.join("\n"), String::from_utf8_lossy(&ended.stderr));
    assert_eq!((passed, failed, skipped), (SUBTESTS, 0, 0));
}
