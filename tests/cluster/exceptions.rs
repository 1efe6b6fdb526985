//! An exception that RBAC grants, as an ML team has it: by the policy, the Role, the RoleBinding and the pod of `examples/exceptions`,
//! through a real kube-apiserver that is asked whether the pod's service account may use it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::control_plane::ControlPlane;
use crate::gate::{Gate, LABEL, Parts};
use crate::wait::{eventually, within};

/// A right that is taken away counts no longer than this.
const LONGEST_AFTER_REVOKED: Duration = Duration::from_secs(10);

const POLICY: &str = include_str!("../../examples/exceptions/policy.yaml");
const POD: &str = include_str!("../../examples/exceptions/pod.yaml");

fn example(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/exceptions");
    folder.join(name).to_str().unwrap().to_owned()
}

/// The policy with an end that no run of this test comes to.
fn policy() -> String {
    let lasting = POLICY.replace("2027-03-31", "9998-12-31");
    assert_ne!(lasting, POLICY);
    lasting
}

/// The pod in the namespace of a gate.
fn pod_in(namespace: &str) -> Json {
    let document = podgate::yaml::read(POD).pop().unwrap().unwrap();
    let mut pod: Json = serde_json::from_slice(&document.root.to_json()).unwrap();
    pod["metadata"]["namespace"] = json!(namespace);
    pod
}

/// Why the pod is refused; nothing if it is admitted.
fn refusal(gate: &Gate, pod: &Json) -> String {
    let ended = gate.create_with(pod, &["--dry-run=server"]);
    if ended.is_success {
        String::new()
    } else {
        ended.errors.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn an_ml_team_is_granted_an_exception_and_loses_it_again() {
    let Some(cluster) = ControlPlane::shared() else { return };
    cluster.kubectl(&["apply", "--filename", &example("namespace.yaml")]).succeeded();
    let policy = policy();
    let parts = Parts { policy: &policy, ..Parts::default() };
    let gate = Gate::of(parts, cluster, "ml-workloads", |_| {});
    let pod = pod_in("ml-workloads");
    let refused = refusal(&gate, &pod);
    let right = "the exception rdma-memlock would allow some of it if the service account ml-workload-sa had the verb use on \
                 securityexceptions.podgate.dev/rdma-memlock in the namespace ml-workloads: whoever manages Roles there can grant it, \
                 or ask ml-platform@example.com";
    assert!(refused.contains(right), "{refused}");

    cluster.kubectl(&["apply", "--filename", &example("rbac.yaml")]).succeeded();
    let list = ["auth", "can-i", "--list", "--as=system:serviceaccount:ml-workloads:ml-workload-sa"];
    eventually("the right", || {
        let ended = gate.kubectl(&list);
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let right = "securityexceptions.podgate.dev [] [rdma-memlock] [use]";
        if ended.output.lines().any(|line| words(line) == right) { Ok(()) } else { Err(format!("{ended:?}")) }
    });
    eventually("the pod", || {
        let refused = refusal(&gate, &pod);
        if refused.is_empty() { Ok(()) } else { Err(refused) }
    });
    gate.create(&pod).succeeded();
    let made = gate.get("pod/train-llm-0");
    let security = &made["spec"]["containers"][0]["securityContext"];
    assert_eq!(security["capabilities"], json!({"add": ["IPC_LOCK"], "drop": ["ALL"]}), "{security}");
    assert_eq!(security["runAsNonRoot"], true, "what it says nothing of is filled in: {security}");
    let event = cluster.audited("create", "ml-workloads", "train-llm-0");
    let annotations = event["annotations"].as_object().unwrap();
    let used = annotations.iter().find(|(key, _)| key.ends_with("/exceptions")).map(|(_, value)| value);
    assert_eq!(used, Some(&json!("rdma-memlock (ml-rdma): capabilities_restricted")), "{event:#}");
    let metric = "podgate_exceptions_used_total{exception=\"rdma-memlock\",policy=\"ml-rdma\"}";
    assert!(gate.podgate.metric(metric).is_some_and(|count| count >= 1.0));

    // Another service account of the namespace has not been granted anything.
    let mut of_default = pod.clone();
    of_default["spec"]["serviceAccountName"] = json!("default");
    let refused = refusal(&gate, &of_default);
    assert!(refused.contains("if the service account default had the verb use"), "{refused}");

    gate.kubectl(&["delete", "rolebinding/use-rdma-memlock"]).succeeded();
    let mut again = pod;
    again["metadata"]["name"] = json!("train-llm-1");
    let refused = within(LONGEST_AFTER_REVOKED, "a refusal", || {
        let refused = refusal(&gate, &again);
        if refused.is_empty() { Err("it is still admitted") } else { Ok(refused) }
    });
    assert!(refused.contains(right), "{refused}");
}

/// A podgate that may read what it needs, and may not ask what others may do: as it is installed without the optional right.
#[test]
fn without_the_right_to_ask_the_exception_holds_for_nobody() {
    let Some(cluster) = ControlPlane::shared() else { return };
    let namespace = cluster.namespace(&[LABEL]);
    let kubectl = |arguments: &[&str]| cluster.kubectl(arguments).succeeded();
    let own = cluster.namespace(&[]);
    kubectl(&["create", "serviceaccount", "reader", "--namespace", &own]);
    let role = format!("reader-of-{own}");
    let resources = "--resource=namespaces,serviceaccounts,pods,rolebindings,clusterrolebindings";
    kubectl(&["create", "clusterrole", &role, "--verb=get,list,watch", resources]);
    let account = format!("--serviceaccount={own}:reader");
    kubectl(&["create", "clusterrolebinding", &role, &format!("--clusterrole={role}"), &account]);
    let token = kubectl(&["create", "token", "reader", "--namespace", &own]);
    let text = fs::read_to_string(cluster.kubeconfig()).unwrap();
    let lines = text.lines().map(|line| match line.split_once("user: {token: ") {
        Some((indent, _)) => format!("{indent}user: {{token: {}}}\n", token.trim()),
        None => format!("{line}\n"),
    });
    let kubeconfig = cluster.folder().join(format!("{own}-kubeconfig"));
    fs::write(&kubeconfig, lines.collect::<String>()).unwrap();

    let policy = policy();
    let parts = Parts { policy: &policy, kubeconfig: Some(&kubeconfig), ..Parts::default() };
    let gate = Gate::of(parts, cluster, &namespace, |_| {});
    kubectl(&["create", "serviceaccount", "ml-workload-sa", "--namespace", &namespace]);
    let granted = fs::read_to_string(example("rbac.yaml")).unwrap().replace("ml-workloads", &namespace);
    cluster.kubectl_with(&["apply", "--filename=-"], &granted).succeeded();
    let refused = refusal(&gate, &pod_in(&namespace));
    let missing = "whether the service account ml-workload-sa may use the exception rdma-memlock could not be told (podgate may not ask: \
                   whoever administers the cluster can grant it to create subjectaccessreviews)";
    assert!(refused.contains(missing), "{refused}");
}
