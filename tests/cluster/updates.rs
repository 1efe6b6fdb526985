//! Updates of pods that are there: what they add is judged, and what the pod had before is not held against it.

use serde_json::{Value as Json, json};

use crate::control_plane::ControlPlane;
use crate::gate::{Gate, LABEL, Parts, good_pod};

/// Who may write the reserved label.
const WRITER: &str = "system:serviceaccount:kueue-system:kueue-controller-manager";
/// The group that its API server puts it into.
const WRITERS: &str = "system:serviceaccounts:kueue-system";

/// Controls that judge updates.
const POLICY: &str = r#"
apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: ml-restricted}
spec:
  match: {namespaceSelector: {matchLabels: {podgate.dev/policy: ml-restricted}}}
  standard: {enforce: baseline}
  controls:
    tolerations: {reserved: [{key: dedicated}]}
    reservedLabels:
      keys: [kueue.x-k8s.io/managed]
      writers: ["system:serviceaccount:kueue-system:kueue-controller-manager"]
    reservedAnnotations: {keys: ["hami.io/*"]}
    resourceLimits: {max: {cpu: 2}}
"#;

/// A gate by the policy, asked about updates of metadata, before a namespace with a pod that violates it already.
fn gate() -> Option<Gate> {
    let cluster = ControlPlane::shared()?;
    let namespace = cluster.namespace(&[LABEL]);
    // Pods without limits of their own get some before any webhook sees them.
    let limits = json!({ "type": "Container", "default": { "cpu": "1" }, "defaultRequest": { "cpu": "1" } });
    let range = json!({ "apiVersion": "v1", "kind": "LimitRange", "metadata": { "name": "limits" },
        "spec": { "limits": [limits] } });
    cluster.create(&range, &["--namespace", &namespace]).succeeded();
    let mut old = good_pod("old");
    old["spec"]["containers"][0]["resources"] =
        json!({ "requests": { "cpu": "1", "memory": "64Mi" }, "limits": { "cpu": "4", "memory": "128Mi" } });
    old["metadata"]["labels"] = json!({ "kueue.x-k8s.io/managed": "true" });
    old["metadata"]["annotations"] = json!({ "hami.io/vgpu-node": "n1" });
    old["metadata"]["finalizers"] = json!(["example.com/hold"]);
    old["spec"]["tolerations"] =
        json!([{ "key": "dedicated", "operator": "Exists", "effect": "NoSchedule" }]);
    cluster.create(&old, &["--namespace", &namespace]).succeeded();
    let parts = Parts { folder: "overlays/metadata-updates", policy: POLICY, ..Parts::default() };
    Some(Gate::of(parts, cluster, &namespace, |_| {}))
}

/// A patch that adds a toleration.
fn tolerate(toleration: &Json) -> String {
    json!([{ "op": "add", "path": "/spec/tolerations/-", "value": toleration }]).to_string()
}

#[test]
fn what_an_update_adds_is_judged_and_nothing_else() {
    let Some(gate) = gate() else { return };
    let patch = |patch: &str| gate.kubectl(&["patch", "pod", "old", "--type=json", "--patch", patch]);
    patch(&tolerate(&json!({ "key": "spot", "operator": "Exists" }))).succeeded();
    let refused =
        patch(&tolerate(&json!({ "key": "dedicated", "operator": "Exists", "effect": "NoExecute" })))
            .failed();
    assert!(refused.contains("1 change needed") && refused.contains("spec.tolerations"), "{refused}");
    assert!(refused.contains("remove it") && !refused.contains("recreate the pod"), "{refused}");
    let refused = patch(&tolerate(&json!({ "operator": "Exists" }))).failed();
    assert!(refused.contains("spec.tolerations"), "{refused}");
    let tolerations = gate.get("pod/old")["spec"]["tolerations"].as_array().unwrap().len();
    assert_eq!(tolerations, 4, "its own, the two of the API server, and the one that is free");
}

#[test]
fn a_resize_is_judged() {
    let Some(gate) = gate() else { return };
    let resize = |pod: &str, limits: Json| {
        let patch =
            json!({ "spec": { "containers": [{ "name": "trainer", "resources": { "limits": limits } }] } });
        gate.kubectl(&["patch", "pod", pod, "--subresource=resize", "--patch", &patch.to_string()])
    };
    // It had more before.
    resize("old", json!({ "memory": "256Mi" })).succeeded();
    let refused = resize("old", json!({ "cpu": "8" })).failed();
    assert!(refused.contains("resources.limits") && refused.contains("1 change needed"), "{refused}");
    assert!(!refused.contains("recreate the pod"), "{refused}");
    let mut new = good_pod("new");
    new["spec"]["containers"][0]["resources"] =
        json!({ "requests": { "cpu": "500m" }, "limits": { "cpu": "1" } });
    gate.create(&new).succeeded();
    resize("new", json!({ "cpu": "2" })).succeeded();
    let refused = resize("new", json!({ "cpu": "3" })).failed();
    assert!(refused.contains("resources.limits"), "{refused}");
}

#[test]
fn reserved_labels_and_annotations_are_their_writers() {
    let Some(gate) = gate() else { return };
    for (arguments, text) in [
        (["label", "pod/old", "kueue.x-k8s.io/managed=false", "--overwrite"], "use the value that it had"),
        (
            ["label", "pod/old", "kueue.x-k8s.io/managed-", "--overwrite"],
            "not set; use the value that it had",
        ),
        (
            ["annotate", "pod/old", "hami.io/vgpu-node=n2", "--overwrite"],
            "metadata.annotations[hami.io/vgpu-node]",
        ),
        (["annotate", "pod/old", "hami.io/bind-phase=done", "--overwrite"], "remove it"),
    ] {
        let refused = gate.kubectl(&arguments).failed();
        assert!(refused.contains("denied the request") && refused.contains("1 change needed"), "{refused}");
        let words = refused.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.replace(" -> ", "; ").contains(text) || words.contains(text), "{text}: {refused}");
        assert!(!refused.contains("recreate the pod"), "{refused}");
    }
    let as_writer = format!("--as={WRITER}");
    let label = ["label", "pod/old", "kueue.x-k8s.io/managed=false", "--overwrite"];
    // Its name alone is not believed: an API server puts every service account into the group of its namespace.
    let refused = gate.kubectl(&[&label[..], &[&as_writer, "--as-group=system:masters"]].concat()).failed();
    assert!(refused.contains("denied the request"), "{refused}");
    let group = format!("--as-group={WRITERS}");
    gate.kubectl(&[&label[..], &[&as_writer, &group, "--as-group=system:masters"]].concat()).succeeded();
    let mut reserved = good_pod("reserved");
    reserved["metadata"]["labels"] = json!({ "kueue.x-k8s.io/managed": "true" });
    let refused = gate.create(&reserved).failed();
    assert!(refused.contains("metadata.labels[kueue.x-k8s.io/managed]"), "{refused}");
}

#[test]
fn what_is_free_can_be_written_to_a_pod_that_violated_before() {
    let Some(gate) = gate() else { return };
    gate.kubectl(&["label", "pod/old", "seen=yes"]).succeeded();
    gate.kubectl(&["annotate", "pod/old", "example.com/seen=yes"]).succeeded();
    let status = r#"{"status":{"message":"seen"}}"#;
    gate.kubectl(&["patch", "pod", "old", "--subresource=status", "--patch", status]).succeeded();
    gate.kubectl(&["delete", "pod", "old", "--wait=false"]).succeeded();
    let finalizers = r#"{"metadata":{"finalizers":null}}"#;
    gate.kubectl(&["patch", "pod", "old", "--patch", finalizers]).succeeded();
}

/// While podgate is down, what the webhook does not ask about can be written.
#[test]
fn finalizers_and_status_need_no_podgate() {
    let Some(gate) = gate() else { return };
    let (cluster, namespace) = (gate.cluster, gate.namespace.clone());
    let _installed = gate.stop();
    let kubectl = |arguments: &[&str]| cluster.kubectl(&[&["--namespace", &namespace], arguments].concat());
    let status = r#"{"status":{"message":"seen"}}"#;
    kubectl(&["patch", "pod", "old", "--subresource=status", "--patch", status]).succeeded();
    kubectl(&["patch", "pod", "old", "--patch", r#"{"metadata":{"finalizers":null}}"#]).succeeded();
    let unasked = kubectl(&["label", "pod/old", "seen=yes"]).failed();
    assert!(unasked.contains("failed calling webhook"), "{unasked}");
}
