//! Objects that make pods, as they are applied: what is warned of, what a policy with `templates: Enforce` refuses, and
//! what is let be.

use std::time::{Duration, Instant};

use podgate::admission::{Reviewer, Webhook};
use serde_json::{Value as Json, json};

use crate::pods::{Alone as _, own_fixtures};
use crate::policies;
use crate::reviews::{labelled, well_formed};

const NAMESPACE: &str = "ml-team-a";
/// The longest answer to any review.
const LONGEST_ANSWER: usize = 256 * 1024;

/// The built-in policy, by which templates are refused or not.
fn reviewer(templates: &str) -> Reviewer {
    let policy = podgate::policy::BUILT_IN
        .replace("  mode: Enforce\n", &format!("  mode: Enforce\n  templates: {templates}\n"));
    assert!(policy.contains("templates:"), "{policy}");
    Reviewer::new(policies::read(&[("a policy", &policy)]).unwrap(), labelled(&[NAMESPACE]))
}

fn enforcing() -> Reviewer {
    reviewer("Enforce")
}

/// A template of a pod that says nothing of security.
fn lazy() -> Json {
    json!({ "spec": { "containers": [{ "name": "c", "image": "i" }] } })
}

/// One that nothing can repair.
fn bad() -> Json {
    json!({ "spec": { "hostIPC": true, "containers": [{ "name": "c", "image": "i" }] } })
}

fn deployment(template: &Json) -> Json {
    let mut template = template.clone();
    template["metadata"] = json!({ "labels": { "a": "b" } });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "served" },
        "spec": { "selector": { "matchLabels": { "a": "b" } }, "template": template },
    })
}

fn ray_job(head: &Json, worker: &Json) -> Json {
    json!({
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": { "name": "trained" },
        "spec": { "rayClusterSpec": {
            "headGroupSpec": { "template": head },
            "workerGroupSpecs": [{ "replicas": 1, "template": worker }],
        } },
    })
}

/// The request about an object whose resource is called so.
fn request(operation: &str, resource: &str, object: &Json, old: &Json) -> Json {
    let some = if object.is_null() { old } else { object };
    let (group, version) = some["apiVersion"].as_str().unwrap().split_once('/').unwrap();
    json!({
        "uid": "u",
        "kind": { "group": group, "version": version, "kind": some["kind"] },
        "resource": { "group": group, "version": version, "resource": resource },
        "name": some["metadata"]["name"],
        "namespace": NAMESPACE,
        "operation": operation,
        "userInfo": { "username": "someone" },
        "object": object,
        "oldObject": old,
    })
}

#[track_caller]
fn judged(reviewer: &Reviewer, request: &Json) -> Json {
    let review =
        json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request });
    let body = review.to_string();
    let answer = reviewer.alone(Webhook::Validate, body.as_bytes()).unwrap();
    assert!(answer.body.len() <= LONGEST_ANSWER, "{} bytes", answer.body.len());
    well_formed("an object", Webhook::Validate, "u", &answer.body)
}

/// The answer to the creation of an object of this resource.
#[track_caller]
fn created(reviewer: &Reviewer, resource: &str, object: &Json) -> Json {
    judged(reviewer, &request("CREATE", resource, object, &Json::Null))
}

#[track_caller]
fn updated(reviewer: &Reviewer, resource: &str, old: &Json, object: &Json) -> Json {
    judged(reviewer, &request("UPDATE", resource, object, old))
}

fn warnings(response: &Json) -> Vec<&str> {
    let warnings = response["warnings"].as_array().into_iter().flatten();
    warnings.map(|warning| warning.as_str().unwrap()).collect()
}

fn fields(response: &Json) -> Vec<&str> {
    let causes = response["status"]["details"]["causes"].as_array().into_iter().flatten();
    causes.map(|cause| cause["field"].as_str().unwrap()).collect()
}

#[track_caller]
fn assert_silent(response: &Json) {
    assert_eq!((&response["allowed"], warnings(response)), (&json!(true), vec![]), "{response:#}");
}

#[test]
fn whoever_applies_a_bad_object_is_warned() {
    let reviewer = reviewer("Warn");
    for (resource, object, path) in [
        ("deployments", deployment(&bad()), ""),
        ("rayjobs", ray_job(&bad(), &lazy()), "spec.rayClusterSpec.headGroupSpec.template"),
        ("rayjobs", ray_job(&lazy(), &bad()), "spec.rayClusterSpec.workerGroupSpecs[0].template"),
    ] {
        let response = created(&reviewer, resource, &object);
        assert_eq!(response["allowed"], true, "{response:#}");
        let warned = warnings(&response);
        assert!(warned.iter().any(|warning| warning.contains("would refuse: spec.hostIPC")), "{warned:#?}");
        let is_named = |warning: &&&str| **warning == format!("podgate: in the pods of {path}:");
        assert_eq!(warned.iter().filter(is_named).count(), usize::from(!path.is_empty()), "{warned:#?}");
        assert!(response["auditAnnotations"]["audit-violations"].is_string(), "{response:#}");
    }
    // Twice the same is said once.
    let both = created(&reviewer, "rayjobs", &ray_job(&bad(), &bad()));
    let warned = warnings(&both);
    assert_eq!(warned[0], "podgate: in the pods of spec.rayClusterSpec.headGroupSpec.template and 1 more:");
    assert_eq!(warned.iter().filter(|warning| warning.contains("hostIPC")).count(), 1, "{warned:#?}");
}

#[test]
fn what_is_filled_in_is_no_fault() {
    for reviewer in [reviewer("Warn"), enforcing()] {
        assert_silent(&created(&reviewer, "deployments", &deployment(&lazy())));
        assert_silent(&created(&reviewer, "rayjobs", &ray_job(&lazy(), &lazy())));
    }
}

#[test]
fn a_policy_refuses_the_object_itself() {
    let reviewer = enforcing();
    let response = created(&reviewer, "deployments", &deployment(&bad()));
    assert_eq!(response["status"]["code"], 403);
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.contains("in the pods of spec.template:"), "{message}");
    assert_eq!(fields(&response), ["spec.template.spec.hostIPC"]);
    assert_eq!(response["status"]["details"]["kind"], "deployments");

    let response = created(&reviewer, "rayjobs", &ray_job(&bad(), &bad()));
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.starts_with("RayJob \"trained\""), "{message}");
    assert!(message.contains("in the pods of spec.rayClusterSpec.headGroupSpec.template:"), "{message}");
    // The changes of all its templates count.
    assert!(message.contains("was refused: 2 changes needed"), "{message}");
    let other = "Likewise refused:  the pods of spec.rayClusterSpec.workerGroupSpecs[0].template (1 change)  [code PG-";
    assert!(message.contains(other), "{message}");
    assert_eq!(
        fields(&response),
        [
            "spec.rayClusterSpec.headGroupSpec.template.spec.hostIPC",
            "spec.rayClusterSpec.workerGroupSpecs[0].template.spec.hostIPC",
        ]
    );
    let details = &response["status"]["details"];
    assert_eq!((&details["kind"], &details["name"]), (&json!("rayjobs"), &json!("trained")));
}

#[test]
fn an_update_is_refused_only_for_a_template_that_it_brings() {
    let reviewer = enforcing();
    let old = ray_job(&bad(), &lazy());
    let mut labelled = old.clone();
    labelled["metadata"]["labels"] = json!({ "team": "a" });
    labelled["status"] = json!({ "jobStatus": "RUNNING" });
    assert_silent(&updated(&reviewer, "rayjobs", &old, &labelled));
    // An operator or a user who changes something else is warned at most.
    let mut suspended = old.clone();
    suspended["spec"]["suspend"] = json!(true);
    suspended["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["replicas"] = json!(4);
    let response = updated(&reviewer, "rayjobs", &old, &suspended);
    assert_eq!(response["allowed"], true, "{response:#}");
    assert!(!warnings(&response).is_empty());
    // Wherever a template moves to, it is the same one.
    let mut moved = old.clone();
    moved["spec"]["rayClusterSpec"]["workerGroupSpecs"] =
        json!([{ "template": lazy() }, { "template": bad() }]);
    assert_eq!(updated(&reviewer, "rayjobs", &old, &moved)["allowed"], true);
    // A new bad one is refused, and so is a bad one that becomes worse.
    let response = updated(&reviewer, "rayjobs", &ray_job(&lazy(), &lazy()), &ray_job(&lazy(), &bad()));
    assert_eq!(fields(&response), ["spec.rayClusterSpec.workerGroupSpecs[0].template.spec.hostIPC"]);
    let mut worse = old.clone();
    worse["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["hostPID"] = json!(true);
    assert_eq!(updated(&reviewer, "rayjobs", &old, &worse)["status"]["code"], 403);
    // The same holds for Kubernetes' own kinds.
    let old = deployment(&bad());
    let mut scaled = old.clone();
    scaled["spec"]["replicas"] = json!(3);
    assert_eq!(updated(&reviewer, "deployments", &old, &scaled)["allowed"], true);
    let response = updated(&reviewer, "deployments", &deployment(&lazy()), &old);
    assert_eq!(response["status"]["code"], 403);
}

/// Whatever field a control looks at: an object that would be refused if it were created is refused when an update makes it so.
#[test]
fn what_refuses_an_object_refuses_the_update_that_brings_it() {
    let mut count = 0;
    for fixture in own_fixtures() {
        let Some(controls) = fixture.text.lines().find_map(|line| line.strip_prefix("# controls: ")) else {
            continue;
        };
        let pod: Json = serde_json::from_slice(&fixture.json).unwrap();
        if !fixture.name.contains("/fail/") || pod["kind"] != "Pod" {
            continue;
        }
        let policy = format!(
            "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: fixture}}\n\
             spec: {{match: {{namespaces: [{NAMESPACE}]}}, templates: Enforce, controls: {controls}}}\n"
        );
        let reviewer = Reviewer::new(policies::policies(&policy), labelled(&[NAMESPACE]));
        let mut template = json!({ "metadata": pod["metadata"], "spec": pod["spec"] });
        if template["spec"]["containers"].as_array().is_none_or(Vec::is_empty) {
            template["spec"]["containers"] = lazy()["spec"]["containers"].clone();
        }
        let object = ray_job(&template, &template);
        if created(&reviewer, "rayjobs", &object)["allowed"] == true {
            continue;
        }
        let old = ray_job(&lazy(), &lazy());
        let response = updated(&reviewer, "rayjobs", &old, &object);
        let is_old_refused = created(&reviewer, "rayjobs", &old)["allowed"] == false;
        assert!(response["allowed"] == false || is_old_refused, "{}: {response:#}", fixture.name);
        count += usize::from(!is_old_refused);
    }
    assert!(count > 50, "{count}");
}

#[test]
fn what_carries_no_pod_is_let_be() {
    let reviewer = enforcing();
    let object = ray_job(&bad(), &bad());
    assert_silent(&judged(&reviewer, &request("DELETE", "rayjobs", &Json::Null, &object)));
    let mut status = request("UPDATE", "rayjobs", &object, &object);
    status["subResource"] = json!("status");
    assert_silent(&judged(&reviewer, &status));
    let scale = json!({ "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": { "name": "a" } });
    let mut scaled = request("UPDATE", "leaderworkersets", &scale, &scale);
    scaled["resource"]["group"] = json!("leaderworkerset.x-k8s.io");
    scaled["subResource"] = json!("scale");
    assert_silent(&judged(&reviewer, &scaled));
    // A kind that makes none.
    let queue = json!({ "apiVersion": "scheduling.volcano.sh/v1beta1", "kind": "Queue", "metadata": { "name": "q" }, "spec": {} });
    assert_silent(&created(&reviewer, "queues", &queue));
    // Where no policy holds.
    let mut elsewhere = request("CREATE", "rayjobs", &object, &Json::Null);
    elsewhere["namespace"] = json!("elsewhere");
    assert_eq!(
        judged(
            &Reviewer::new(policies::read(&[("a policy", OF_ONE_NAMESPACE)]).unwrap(), labelled(&[])),
            &elsewhere
        )["allowed"],
        true
    );
}

const OF_ONE_NAMESPACE: &str = r"
apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: one}
spec:
  match: {namespaces: [ml-team-a]}
  templates: Enforce
  standard: {enforce: restricted}
";

#[test]
fn kinds_that_nobody_knows_are_refused_as_before() {
    let unknown =
        json!({ "apiVersion": "example.com/v1", "kind": "Thing", "metadata": { "name": "t" }, "spec": {} });
    let response = created(&enforcing(), "things", &unknown);
    assert_eq!(response["status"]["code"], 400);
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.contains("not known whether things.example.com carry pods"), "{message}");
    // Nor is a known kind believed of another group's resource.
    let mut request = request("CREATE", "rayjobs", &ray_job(&lazy(), &lazy()), &Json::Null);
    request["resource"]["group"] = json!("example.com");
    assert_eq!(judged(&enforcing(), &request)["status"]["code"], 400);
}

#[test]
fn what_is_not_known_refuses_nothing() {
    let reviewer = enforcing();
    let train = json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": { "name": "t" },
        "spec": { "runtimeRef": { "name": "torch" }, "trainer": { "image": "i", "numNodes": 2 } },
    });
    assert_eq!(created(&reviewer, "trainjobs", &train)["allowed"], true);
    // A placeholder, wherever it stands, and whatever stands where something else belongs.
    for value in [json!("${X}"), json!("{{inputs.x}}"), json!(["a"]), json!(7), json!(null)] {
        for place in [
            "/spec/hostIPC",
            "/spec/containers/0/securityContext",
            "/spec/containers",
            "/spec/securityContext",
            "/spec",
        ] {
            let mut head = lazy();
            head["spec"]["securityContext"] = json!({});
            head["spec"]["hostIPC"] = json!(false);
            head["spec"]["containers"][0]["securityContext"] = json!({});
            *head.pointer_mut(place).unwrap() = value.clone();
            let response = created(&reviewer, "rayjobs", &ray_job(&head, &lazy()));
            assert_eq!(response["allowed"], true, "{place} {value}: {response:#}");
        }
    }
    // What is forbidden beside it is refused all the same.
    let mut head = bad();
    head["spec"]["containers"] = json!("${CONTAINERS}");
    assert_eq!(created(&reviewer, "rayjobs", &ray_job(&head, &lazy()))["status"]["code"], 403);
}

#[test]
fn a_huge_object_is_let_be_with_a_warning() {
    let mut object = ray_job(&bad(), &lazy());
    object["spec"]["runtimeEnv"] = json!(vec![0; 20_000]);
    let response = created(&enforcing(), "rayjobs", &object);
    assert_eq!(response["allowed"], true);
    assert_eq!(
        warnings(&response),
        ["podgate: this RayJob is not looked into: it has more than 8192 values"]
    );
}

#[test]
fn a_thousand_templates_give_a_bounded_answer() {
    let mut object = ray_job(&lazy(), &lazy());
    let group = |index: usize| {
        let container = json!({ "name": format!("c{index}"), "securityContext": { "privileged": true } });
        json!({ "template": { "spec": { "containers": [container] } } })
    };
    object["spec"]["rayClusterSpec"]["workerGroupSpecs"] = (0..1000).map(group).collect();
    let warned = created(&reviewer("Warn"), "rayjobs", &object);
    let last = warnings(&warned);
    assert!(
        last.iter().any(|warning| warning.contains("more warnings: podgate lint has them all")),
        "{last:#?}"
    );
    assert_eq!(last[0], "podgate: of the 1001 templates of this RayJob only 256 are looked into");
    let refused = created(&enforcing(), "rayjobs", &object);
    let message = refused["status"]["message"].as_str().unwrap();
    assert!(message.len() < 8 * 1024, "{} bytes", message.len());
    assert!(message.contains("those of more templates; podgate lint has them all"), "{message}");
    assert_eq!(fields(&refused).len(), 64);
}

/// What all pods of an object have in common is in each of them: much of it must not become very much.
#[test]
fn what_pods_have_in_common_is_not_copied_without_end() {
    let many = |count: usize, of: fn(usize) -> Json| (0..count).map(of).collect::<Vec<Json>>();
    let volumes = || many(3000, |index| json!({ "name": format!("v{index}") }));
    let workflow = json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": { "name": "w" },
        "spec": {
            "volumes": volumes(),
            "templates": many(2000, |index| json!({ "name": format!("t{index}"), "container": { "image": "i" } })),
        },
    });
    let task = json!({
        "apiVersion": "tekton.dev/v1",
        "kind": "Task",
        "metadata": { "name": "t" },
        "spec": { "stepTemplate": { "env": volumes() }, "steps": many(2000, |index| json!({ "name": format!("s{index}") })) },
    });
    let run = json!({
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": { "name": "r" },
        "spec": {
            "taskRunTemplate": { "podTemplate": { "volumes": volumes() } },
            "pipelineSpec": { "tasks": many(2000, |index| json!({ "name": format!("t{index}"), "taskSpec": { "steps": [{ "image": "i" }] } })) },
        },
    });
    let group = json!({
        "apiVersion": "workloads.x-k8s.io/v1alpha2",
        "kind": "RoleBasedGroup",
        "metadata": { "name": "g" },
        "spec": {
            "roleTemplates": [{ "name": "t", "template": { "spec": { "volumes": volumes(), "containers": [] } } }],
            "roles": many(1000, |index| json!({ "name": format!("r{index}"), "templateRef": { "name": "t" } })),
        },
    });
    for (resource, object) in
        [("workflows", workflow), ("tasks", task), ("pipelineruns", run), ("rolebasedgroups", group)]
    {
        let start = Instant::now();
        assert_eq!(created(&enforcing(), resource, &object)["allowed"], true, "{resource}");
        assert!(start.elapsed() < Duration::from_secs(10), "{resource}: {:?}", start.elapsed());
    }
}

/// Names and texts of the author are shown escaped, and in bounds.
#[test]
fn hostile_texts_are_escaped() {
    for text in ["a\u{0}b", "\u{202e}evil", "a\nb", "größe \u{1f600}", "\u{1b}[31m", &"x".repeat(100_000)] {
        let mut pods = bad();
        pods["spec"]["containers"][0]["name"] = json!(text);
        pods["spec"]["containers"][0]["securityContext"] = json!({ "privileged": true });
        let mut object = json!({
            "apiVersion": "kubeflow.org/v1",
            "kind": "PyTorchJob",
            "metadata": { "name": text },
            "spec": { "pytorchReplicaSpecs": { text: { "template": pods } } },
        });
        let response = created(&reviewer("Warn"), "pytorchjobs", &object);
        assert_eq!(response["allowed"], true);
        assert!(warnings(&response).iter().any(|warning| warning.contains("would refuse")), "{response:#}");
        let response = created(&enforcing(), "pytorchjobs", &object);
        assert_eq!(response["status"]["code"], 403, "{response:#}");
        let message = response["status"]["message"].as_str().unwrap();
        assert!(message.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{message:?}");
        assert!(message.len() < 8 * 1024, "{} bytes", message.len());
        object["spec"] = json!(text);
        assert_eq!(created(&enforcing(), "pytorchjobs", &object)["allowed"], true);
    }
}
