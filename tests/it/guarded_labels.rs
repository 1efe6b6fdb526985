//! What `podgate serve` says of a policy that whoever may edit a Namespace can leave: at start, and when policies
//! change.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value as Json;

use crate::command::podgate;

/// Nothing here takes as long on a machine that is only busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// By the label of the manifests, and by another one.
fn policy(name: &str, key: &str) -> String {
    format!(
        "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: {name}}}\nspec:\n  \
         match: {{namespaceSelector: {{matchLabels: {{podgate.dev/policy: x}}, \
         matchExpressions: [{{key: {key}, operator: NotIn, values: [sandbox]}}]}}}}\n  standard: {{enforce: baseline}}\n"
    )
}

/// A server that follows a file of policies; killed when the test ends.
struct Serving {
    child: Child,
    lines: Receiver<Json>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Serving {
    fn start(policies: &Path, flags: &[&str]) -> Self {
        let mut command = podgate();
        command
            .args(["serve", "--dev", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"])
            .args(["--log-format=json", "--reload-interval=50ms", "--policy"])
            .arg(policies)
            .args(flags);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let errors = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Json::String(line));
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The warnings up to the line with this message, as `policy: label`.
    fn warnings_until(&self, message: &str) -> Vec<String> {
        let mut warnings = Vec::new();
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no line {message:?}"));
            if line["message"] == message {
                return warnings;
            }
            if line["level"] == "WARN" {
                let text = |key: &str| line[key].as_str().unwrap_or_else(|| panic!("{line}")).to_owned();
                let key = if line["annotation"].is_null() { "label" } else { "annotation" };
                assert!(text("message").contains("is not guarded"), "{line}");
                assert!(text("message").contains("PODGATE_GUARDED_LABELS"), "it says what to do: {line}");
                warnings.push(format!("{}: {}", text("policy"), text(key)));
            }
        }
    }
}

#[test]
fn a_policy_by_an_unguarded_label_is_warned_of_at_start_and_at_reload() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policies.yaml");
    fs::write(&file, policy("one", "environment")).unwrap();
    let serving = Serving::start(&file, &[]);
    assert_eq!(serving.warnings_until("serving"), ["SecurityPolicy one: environment"]);
    fs::write(&file, policy("one", "environment") + "---\n" + &policy("two", "team")).unwrap();
    assert_eq!(
        serving.warnings_until("reloaded"),
        ["SecurityPolicy one: environment", "SecurityPolicy two: team"]
    );
    fs::write(&file, policy("two", "kubernetes.io/metadata.name")).unwrap();
    assert_eq!(serving.warnings_until("reloaded"), [""; 0]);
}

#[test]
fn what_is_guarded_is_for_the_installation_to_say() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policies.yaml");
    fs::write(&file, policy("one", "environment")).unwrap();
    for (flag, expected) in [
        ("podgate.dev/policy,environment", vec![]),
        ("environment", vec!["SecurityPolicy one: podgate.dev/policy"]),
        ("", vec!["SecurityPolicy one: environment", "SecurityPolicy one: podgate.dev/policy"]),
    ] {
        let serving = Serving::start(&file, &["--guarded-labels", flag]);
        assert_eq!(serving.warnings_until("serving"), expected, "{flag:?}");
    }
    // Kubernetes' own labels decide in drop-in mode, and the default guards none of them.
    fs::write(&file, "apiVersion: pod-security.admission.config.k8s.io/v1\nkind: PodSecurityConfiguration\n")
        .unwrap();
    let warnings = Serving::start(&file, &[]).warnings_until("serving");
    assert_eq!(warnings.len(), 6, "{warnings:?}");
    assert_eq!(warnings[0], "PodSecurityConfiguration: pod-security.kubernetes.io/enforce");
}

#[test]
fn a_policy_that_goes_by_an_unguarded_annotation_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policies.yaml");
    let text = policy("ids", "kubernetes.io/metadata.name")
        .replace("standard: {enforce: baseline}", "controls: {runAsUserRanges: {fromNamespace: true}}");
    fs::write(&file, text).unwrap();
    let warning = "SecurityPolicy ids: openshift.io/sa.scc.uid-range";
    assert_eq!(Serving::start(&file, &[]).warnings_until("serving"), [warning]);
    let keys = "podgate.dev/policy,openshift.io/sa.scc.uid-range";
    assert_eq!(Serving::start(&file, &["--guarded-labels", keys]).warnings_until("serving"), [""; 0]);
    let check = |flags: &[&str]| {
        let ended = podgate().args(["policy", "check"]).arg(&file).args(flags).output().unwrap();
        assert_eq!(ended.status.code(), Some(0));
        String::from_utf8(ended.stdout).unwrap()
    };
    let warned = check(&[]);
    assert!(
        warned.starts_with(
            "warning: SecurityPolicy ids depends on the annotation openshift.io/sa.scc.uid-range of"
        ) && warned.ends_with("in order: 1 SecurityPolicy; 1 warning\n"),
        "{warned}"
    );
    assert_eq!(check(&["--guarded-labels", keys]), "in order: 1 SecurityPolicy\n");
}

#[test]
fn a_key_that_no_label_can_have_is_told() {
    let ended = podgate().args(["serve", "--dev", "--guarded-labels", "a,b c"]).output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(
        errors.contains("--guarded-labels") && errors.contains("no label can have the key \"b c\""),
        "{errors}"
    );
}
