//! Objects that make pods, applied through a real API server: who is warned, what a policy refuses, and that a template is
//! refused exactly when its pod would be.
//!
//! The kinds of others are defined here, with schemas that take anything. No operator makes pods of them, so these tests do,
//! of the same spec; those of Kubernetes' own kinds are made by its controllers.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use podgate::policy::BUILT_IN;
use serde_json::{Value as Json, json};

use crate::control_plane::{ControlPlane, Ended};
use crate::gate::{Gate, LABEL, Parts, good_pod, pod};
use crate::installation::definition;
use crate::wait::{eventually, within};

/// Group, version, resource and kind, the path of the template, and whether it ends at the spec.
const KINDS: [(&str, &str, &str, &str, &str, bool); 13] = [
    ("kubeflow.org", "v1", "pytorchjobs", "PyTorchJob", "spec.pytorchReplicaSpecs.Worker.template", false),
    ("ray.io", "v1", "rayjobs", "RayJob", "spec.rayClusterSpec.headGroupSpec.template", false),
    (
        "jobset.x-k8s.io",
        "v1alpha2",
        "jobsets",
        "JobSet",
        "spec.replicatedJobs[0].template.spec.template",
        false,
    ),
    (
        "leaderworkerset.x-k8s.io",
        "v1",
        "leaderworkersets",
        "LeaderWorkerSet",
        "spec.leaderWorkerTemplate.workerTemplate",
        false,
    ),
    ("batch.volcano.sh", "v1alpha1", "jobs", "Job", "spec.tasks[0].template", false),
    (
        "trainer.kubeflow.org",
        "v1alpha1",
        "trainingruntimes",
        "TrainingRuntime",
        "spec.template.spec.replicatedJobs[0].template.spec.template",
        false,
    ),
    ("kubeflow.org", "v1", "notebooks", "Notebook", "spec.template.spec", true),
    ("serving.kserve.io", "v1beta1", "inferenceservices", "InferenceService", "spec.predictor", true),
    ("sparkoperator.k8s.io", "v1alpha1", "sparkconnects", "SparkConnect", "spec.server.template", false),
    ("agents.x-k8s.io", "v1alpha1", "sandboxes", "Sandbox", "spec.podTemplate", false),
    // Its template does not stand in a spec.
    ("kaito.sh", "v1beta1", "workspaces", "Workspace", "inference.template", false),
    ("keda.sh", "v1alpha1", "scaledjobs", "ScaledJob", "spec.jobTargetRef.template", false),
    ("grove.io", "v1alpha1", "podcliques", "PodClique", "spec.podSpec", true),
];

/// The cluster that tests share, with the kinds of others.
fn cluster() -> Option<&'static ControlPlane> {
    static DEFINED: LazyLock<Option<&ControlPlane>> = LazyLock::new(|| {
        let cluster = ControlPlane::shared()?;
        let of_kinds =
            KINDS.iter().map(|(group, version, plural, kind, ..)| definition(group, version, plural, kind));
        let others = [
            definition("trainer.kubeflow.org", "v1alpha1", "trainjobs", "TrainJob"),
            definition("argoproj.io", "v1alpha1", "workflows", "Workflow"),
            definition("sparkoperator.k8s.io", "v1beta2", "sparkapplications", "SparkApplication"),
        ];
        for definition in of_kinds.chain(others) {
            cluster.create(&definition, &[]).succeeded();
        }
        let wait = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"];
        cluster.kubectl(&wait).succeeded();
        Some(cluster)
    });
    *DEFINED
}

/// The built-in policy, which also refuses what would make such pods.
fn enforcing() -> String {
    BUILT_IN.replace("  mode: Enforce\n", "  mode: Enforce\n  templates: Enforce\n")
}

/// A gate by a policy, before a new namespace, with the configurations of this folder.
fn gate(folder: &str, policy: &str) -> Option<Gate> {
    let cluster = cluster()?;
    let namespace = cluster.namespace(&[LABEL]);
    Some(Gate::of(Parts { folder, policy, ..Parts::default() }, cluster, &namespace, |_| {}))
}

fn gate_that_refuses() -> Option<Gate> {
    gate("overlays/templates-enforce", &enforcing())
}

/// An object of a kind whose pods have this spec.
fn object(
    (group, version, _, kind, path, is_spec): (&str, &str, &str, &str, &str, bool),
    name: &str,
    spec: &Json,
) -> Json {
    let mut value = if is_spec { spec.clone() } else { json!({ "spec": spec }) };
    for step in path.rsplit('.') {
        value = match step.strip_suffix("[0]") {
            Some(list) => json!({ list: [value] }),
            None => json!({ step: value }),
        };
    }
    value["apiVersion"] = json!(format!("{group}/{version}"));
    value["kind"] = json!(kind);
    value["metadata"] = json!({ "name": name });
    value
}

fn spec(changes: &[(&str, Json)]) -> Json {
    let mut spec = json!({ "containers": [{ "name": "c", "image": "i" }] });
    for (path, value) in changes {
        let (parents, last) = path.rsplit_once('/').unwrap();
        let mut node = &mut spec;
        for step in parents.split('/').skip(1) {
            node = match step.parse::<usize>() {
                Ok(index) => &mut node[index],
                Err(_) => &mut node[step],
            };
        }
        node[last] = value.clone();
    }
    spec
}

fn bad() -> Json {
    spec(&[("/hostIPC", json!(true))])
}

fn of_container(field: &str, value: Json) -> Json {
    let path = format!("/containers/0/{field}");
    spec(&[(&path, value)])
}

/// Pods of all sorts: good ones, lazy ones, and ones with something that is forbidden.
fn specs() -> BTreeMap<&'static str, Json> {
    let of_security = |value| of_container("securityContext", value);
    BTreeMap::from([
        ("lazy", spec(&[])),
        ("good", good_pod("good")["spec"].clone()),
        ("host-ipc", bad()),
        ("host-network", spec(&[("/hostNetwork", json!(true))])),
        ("privileged", of_security(json!({ "privileged": true }))),
        ("escalating", of_security(json!({ "allowPrivilegeEscalation": true }))),
        ("root", of_security(json!({ "runAsUser": 0 }))),
        ("root-pod", spec(&[("/securityContext", json!({ "runAsNonRoot": false }))])),
        ("user", spec(&[("/securityContext", json!({ "runAsUser": 1000 }))])),
        ("unconfined", spec(&[("/securityContext", json!({ "seccompProfile": { "type": "Unconfined" } }))])),
        ("capable", of_security(json!({ "capabilities": { "add": ["NET_ADMIN"] } }))),
        ("drops-some", of_security(json!({ "capabilities": { "drop": ["NET_RAW"] } }))),
        ("binds", of_security(json!({ "capabilities": { "drop": ["ALL"], "add": ["NET_BIND_SERVICE"] } }))),
        ("host-port", of_container("ports", json!([{ "containerPort": 80, "hostPort": 80 }]))),
        ("port", of_container("ports", json!([{ "containerPort": 80 }]))),
        ("host-path", spec(&[("/volumes", json!([{ "name": "v", "hostPath": { "path": "/" } }]))])),
        ("nfs", spec(&[("/volumes", json!([{ "name": "v", "nfs": { "server": "s", "path": "/" } }]))])),
        ("scratch", spec(&[("/volumes", json!([{ "name": "v", "emptyDir": {} }]))])),
        (
            "sysctl",
            spec(&[("/securityContext", json!({ "sysctls": [{ "name": "kernel.msgmax", "value": "1" }] }))]),
        ),
        (
            "init",
            spec(&[(
                "/initContainers",
                json!([{ "name": "i", "image": "i", "securityContext": { "privileged": true } }]),
            )]),
        ),
    ])
}

/// Tries to create objects, all of other names, in one go: the names of those that were taken, and what was said.
fn tried(gate: &Gate, objects: &[Json]) -> (Vec<String>, Ended) {
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    let ended = gate.create_with(&list, &["--dry-run=server", "--output=name"]);
    let taken = ended.output.lines().filter_map(|line| Some(line.split_once('/')?.1.to_owned()));
    (taken.collect(), ended)
}

#[test]
fn whoever_applies_a_bad_object_is_warned() {
    let Some(gate) = gate("base", BUILT_IN) else { return };
    for kind in KINDS {
        let (_, _, _, name, path, _) = kind;
        let applied = gate.create(&object(kind, "bad", &bad()));
        assert!(applied.errors.contains("would refuse: spec.hostIPC"), "{name}: {applied:?}");
        assert!(applied.errors.contains(&format!("podgate: in the pods of {path}")), "{name}: {applied:?}");
        applied.succeeded();
        let good = gate.create(&object(kind, "good", &good_pod("good")["spec"]));
        assert_eq!(good.errors, "", "{name}");
        good.succeeded();
    }
}

#[test]
fn a_policy_refuses_the_object_itself() {
    let Some(gate) = gate_that_refuses() else { return };
    for kind in KINDS {
        let (_, _, resource, name, path, _) = kind;
        let refused = gate.create(&object(kind, "bad", &bad())).failed();
        for text in [
            "admission webhook \"templates.podgate.dev\" denied the request: ",
            &format!("{name} \"bad\" was refused"),
            &format!("in the pods of {path}"),
            "hostIPC",
        ] {
            assert!(refused.contains(text), "{text} is not in {refused}");
        }
        let event = gate.cluster.audited("create", &gate.namespace, "bad");
        assert_eq!(event["responseStatus"]["code"], 403, "{event:#}");
        let good = gate.create(&object(kind, "good", &spec(&[])));
        assert_eq!(good.errors, "", "{name}");
        good.succeeded();
        gate.kubectl(&["delete", &format!("{resource}.{}/good", kind.0)]).succeeded();
    }
    // Their operators put the pods together.
    let privileged = json!({ "privileged": true });
    let container = json!({ "image": "i", "securityContext": privileged });
    for (version, kind, path, spec) in [
        (
            "argoproj.io/v1alpha1",
            "Workflow",
            "spec.templates[0]",
            json!({ "entrypoint": "t", "templates": [{ "name": "t", "container": container }] }),
        ),
        (
            "sparkoperator.k8s.io/v1beta2",
            "SparkApplication",
            "spec.driver",
            json!({ "driver": { "securityContext": privileged }, "executor": {} }),
        ),
    ] {
        let object =
            json!({ "apiVersion": version, "kind": kind, "metadata": { "name": "o" }, "spec": spec });
        let refused = gate.create(&object).failed();
        for text in [&format!("in the pods of {path}:"), "privileged"] {
            assert!(refused.contains(text), "{text} is not in {refused}");
        }
    }
    // What its pods are is elsewhere, so nobody can tell.
    let train = json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": { "name": "open" },
        "spec": { "runtimeRef": { "name": "torch" }, "trainer": { "image": "i" } },
    });
    gate.create(&train).succeeded();
}

/// What is there already can be labelled, changed elsewhere, scaled, and deleted; its pods cannot become bad, or worse.
#[test]
fn existing_objects_can_be_worked_with() {
    let Some(gate) = gate_that_refuses() else { return };
    // Made where nobody asks, and then moved under the policy: in a namespace without the label.
    let namespace = gate.namespace.clone();
    let label = |value: &str| {
        gate.cluster.kubectl(&["label", "namespace", &namespace, "--overwrite", value]).succeeded();
    };
    label("podgate.dev/policy-");
    let [job, workspace] = ["RayJob", "Workspace"]
        .map(|name| KINDS.into_iter().find(|(_, _, _, kind, ..)| *kind == name).unwrap());
    let mut old = object(job, "old", &bad());
    old["spec"]["shutdownAfterJobFinishes"] = json!(false);
    for object in [old, object(workspace, "old", &bad()), object(workspace, "lazy", &spec(&[]))] {
        eventually("an object where no policy holds", || {
            let ended = gate.create(&object);
            if ended.is_success { Ok(()) } else { Err(ended.errors) }
        });
    }
    label(&format!("{}={}", LABEL.0, LABEL.1));
    gate.cluster.await_refusal(&namespace, &object(job, "probe", &bad()), "was refused");
    let patch = |what: &str, patch: &Json| {
        gate.kubectl(&["patch", what, "--type=merge", "--patch", &patch.to_string()])
    };
    for what in ["rayjobs.ray.io/old", "workspaces.kaito.sh/old"] {
        let labelled = gate.kubectl(&["label", what, "team=a"]);
        assert_eq!(labelled.errors, "", "{what} is asked about");
        labelled.succeeded();
    }
    let changed = patch("rayjobs.ray.io/old", &json!({ "spec": { "shutdownAfterJobFinishes": true } }));
    assert!(changed.errors.contains("would refuse: spec.hostIPC"), "{changed:?}");
    changed.succeeded();
    let worse = json!({ "inference": { "template": { "spec": { "hostPID": true } } } });
    for what in ["workspaces.kaito.sh/old", "workspaces.kaito.sh/lazy"] {
        let refused = patch(what, &worse).failed();
        assert!(refused.contains("in the pods of inference.template"), "{refused}");
    }
    for what in ["rayjobs.ray.io/old", "workspaces.kaito.sh/old"] {
        gate.kubectl(&["delete", what]).succeeded();
    }
}

/// A template is refused exactly when a pod that is made from it is, once podgate has repaired it.
#[test]
fn a_template_is_refused_exactly_when_its_pod_is() {
    let Some(gate) = gate_that_refuses() else { return };
    let specs = specs();
    let pods: Vec<Json> = specs.iter().map(|(name, spec)| pod(name, spec)).collect();
    let (expected, said) = tried(&gate, &pods);
    assert!(expected.len() > 4 && expected.len() < specs.len() - 4, "{said:?}");
    for kind in KINDS {
        let objects: Vec<Json> = specs.iter().map(|(name, spec)| object(kind, name, spec)).collect();
        let (taken, said) = tried(&gate, &objects);
        assert_eq!(taken, expected, "{}: {said:?}", kind.3);
    }
}

/// One of Kubernetes' own kinds that makes a pod of this spec.
fn own(kind: &str, name: &str, spec: &Json) -> Json {
    let labels = json!({ "of": name });
    let mut spec = spec.clone();
    if kind == "Job" {
        spec["restartPolicy"] = json!("Never");
    }
    let template = json!({ "metadata": { "labels": labels }, "spec": spec });
    let (version, selector) = match kind {
        "Job" => ("batch/v1", Json::Null),
        "ReplicationController" => ("v1", labels),
        _ => ("apps/v1", json!({ "matchLabels": labels })),
    };
    let mut object = json!({
        "apiVersion": version,
        "kind": kind,
        "metadata": { "name": name },
        "spec": { "template": template },
    });
    if !selector.is_null() {
        object["spec"]["selector"] = selector;
    }
    object
}

/// The same of Kubernetes' own kinds, whose pods its controllers make.
#[test]
fn controllers_make_the_pods_of_what_is_not_refused() {
    let (Some(refusing), Some(warning)) = (gate_that_refuses(), gate("base", BUILT_IN)) else { return };
    let specs = specs();
    for kind in ["Deployment", "ReplicaSet", "StatefulSet", "Job", "ReplicationController"] {
        let name = |name: &str| format!("{}-{name}", kind.to_lowercase());
        let objects: Vec<Json> = specs.iter().map(|(spec, value)| own(kind, &name(spec), value)).collect();
        let (taken, said) = tried(&refusing, &objects);
        assert!(taken.len() > 4 && taken.len() < specs.len() - 4, "{kind}: {said:?}");
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
        warning.create(&list).succeeded();
        // Each makes a pod, or says that it could not.
        let mut made = within(Duration::from_secs(120), "a pod, or why there is none", || {
            let pods = list_of(&warning, "pods");
            let of = |pod: &Json| pod["metadata"]["labels"]["of"].as_str().map(str::to_owned);
            let mut made: Vec<String> =
                pods.iter().filter_map(of).filter(|of| of.starts_with(&name(""))).collect();
            made.sort();
            made.dedup();
            let failed: Vec<String> = list_of(&warning, "events")
                .iter()
                .filter(|event| event["reason"] == "FailedCreate")
                .map(|event| event["involvedObject"]["name"].as_str().unwrap().to_owned())
                .collect();
            let is_settled = |object: &Json| {
                let name = object["metadata"]["name"].as_str().unwrap();
                // A Deployment's ReplicaSet has a name of its own.
                let is_of = |failed: &String| {
                    failed == name
                        || kind == "Deployment" && failed.rsplit_once('-').is_some_and(|(of, _)| of == name)
                };
                made.iter().any(|made| made == name) || failed.iter().any(is_of)
            };
            let open: Vec<&Json> = objects.iter().filter(|object| !is_settled(object)).collect();
            if open.is_empty() {
                Ok(made)
            } else {
                Err(format!("{} are open, as {:#}", open.len(), open[0]["metadata"]))
            }
        });
        made.sort();
        assert_eq!(made, taken, "{kind}: {said:?}");
    }
}

fn list_of(gate: &Gate, resource: &str) -> Vec<Json> {
    let listed = gate.kubectl(&["get", resource, "--output=json"]).succeeded();
    serde_json::from_str::<Json>(&listed).unwrap()["items"].as_array().unwrap().clone()
}

/// With nobody to ask, what warns lets everything pass, and what refuses lets nothing pass that makes pods.
#[test]
fn without_podgate_what_warns_lets_pass_and_what_refuses_does_not() {
    for (folder, is_open) in [("base", true), ("overlays/templates-enforce", false)] {
        let Some(gate) = gate(folder, &enforcing()) else { return };
        let job = KINDS[1];
        let (cluster, namespace) = (gate.cluster, gate.namespace.clone());
        gate.create(&object(job, "old", &spec(&[]))).succeeded();
        let _installed = gate.stop();
        let flags = ["--namespace", namespace.as_str()];
        let created = cluster.create(&object(job, "new", &spec(&[])), &flags);
        let deployed = cluster.create(&own("Deployment", "new", &spec(&[])), &flags);
        for ended in [created, deployed] {
            assert_eq!(ended.is_success, is_open, "{folder}: {ended:?}");
            assert!(
                is_open || ended.errors.contains("failed calling webhook \"templates.podgate.dev\""),
                "{ended:?}"
            );
        }
        // Nobody is asked about what makes no pod.
        for arguments in
            [["label", "rayjobs.ray.io/old", "a=b"], ["delete", "rayjobs.ray.io/old", "--wait=true"]]
        {
            cluster.kubectl(&[&arguments[..], &flags].concat()).succeeded();
        }
    }
}
