//! The largest reviews: their answers stay small.

use std::time::Instant;

use podgate::admission::Webhook;
use serde_json::{Value as Json, json};

use super::{GATE, LONGEST_ANSWER, UID, WEBHOOKS, create, pod, pod_with, request, review};
use crate::pods::Alone as _;
use crate::reviews::well_formed;

/// Asserts that the answers to a large pod are bounded, and prints how long they took.
#[track_caller]
fn is_bounded(what: &str, pod: &Json) {
    let mut of_workload = request("CREATE", "", &json!({ "spec": { "template": pod } }), &Json::Null);
    of_workload["kind"] = json!({ "group": "apps", "version": "v1", "kind": "Deployment" });
    of_workload["resource"] = json!({ "group": "apps", "version": "v1", "resource": "deployments" });
    for (kind, body) in [("Pod", create(pod)), ("Deployment", review(&of_workload))] {
        for webhook in WEBHOOKS {
            let start = Instant::now();
            let answer = GATE.alone(webhook, body.as_bytes()).expect(what);
            let took = start.elapsed();
            let length = answer.body.len();
            eprintln!("{what}: {kind} of {} bytes, {webhook:?}: {length} bytes in {took:?}", body.len());
            assert!(length <= LONGEST_ANSWER, "{what}, {kind}, {webhook:?}: an answer of {length} bytes");
            let response = well_formed(what, webhook, UID, &answer.body);
            if kind == "Pod" && webhook == Webhook::Validate {
                assert_eq!(response["allowed"], false, "{what}");
                let code = response["status"]["code"].as_u64().unwrap();
                assert!([403, 413].contains(&code), "{what}: {code}");
            }
        }
    }
}

#[test]
fn many_host_ports() {
    // A port counts as three elements: the object and its two numbers.
    let ports: Vec<Json> =
        (0..60_000).map(|n| json!({ "containerPort": 1, "hostPort": n % 65_535 + 1 })).collect();
    let mut pod = pod();
    pod["spec"]["containers"][0]["ports"] = json!(ports);
    is_bounded("60,000 host ports", &pod);
}

#[test]
fn many_containers_that_lack_everything() {
    let containers =
        |count: usize| json!((0..count).map(|n| json!({ "name": format!("c{n}") })).collect::<Vec<_>>());
    is_bounded("1,000 containers", &json!({ "spec": { "containers": containers(1_000) } }));
    is_bounded(
        "500 containers of two kinds",
        &json!({ "spec": { "containers": containers(500), "initContainers": containers(500) } }),
    );
    let with = |security: Json| -> Json {
        (0..500)
            .map(
                |n| json!({ "name": "n".repeat(1_000), "image": n.to_string(), "securityContext": security }),
            )
            .collect()
    };
    let worst = with(json!({ "privileged": true, "runAsUser": 0, "procMount": "x".repeat(500),
        "capabilities": { "add": (0..100).map(|n| format!("CAP_{n}")).collect::<Vec<_>>() } }));
    is_bounded("500 containers with long names and values", &json!({ "spec": { "containers": worst } }));
}

#[test]
fn many_annotations() {
    let annotations: serde_json::Map<String, Json> = (0..100_000)
        .map(|n| (format!("container.apparmor.security.beta.kubernetes.io/c{n}"), json!("unconfined")))
        .collect();
    let mut many = pod();
    many["metadata"]["annotations"] = annotations.into();
    is_bounded("100,000 AppArmor annotations", &many);
}

#[test]
fn long_annotations() {
    let annotations: serde_json::Map<String, Json> = (0..60)
        .map(|n| {
            (
                format!("container.apparmor.security.beta.kubernetes.io/{n}{}", "k".repeat(50_000)),
                json!("unconfined"),
            )
        })
        .collect();
    let mut many = pod();
    many["metadata"]["annotations"] = annotations.into();
    is_bounded("60 AppArmor annotations with keys of 50,000 bytes", &many);
}

#[test]
fn many_capabilities() {
    let names: Vec<String> = (0..90_000).map(|n| format!("CAPABILITY_NUMBER_{n}")).collect();
    for list in ["add", "drop"] {
        let mut many = pod();
        many["spec"]["containers"][0]["securityContext"]["capabilities"] = json!({ list: names });
        is_bounded(&format!("90,000 capabilities to {list}"), &many);
    }
}

#[test]
fn many_volumes_and_sysctls() {
    let volumes: Vec<Json> =
        (0..60_000).map(|n| json!({ "name": n.to_string(), "hostPath": { "path": "/" } })).collect();
    is_bounded("60,000 hostPath volumes", &pod_with("volumes", json!(volumes)));
    let sysctls: Vec<Json> = (0..60_000).map(|n| json!({ "name": format!("x.{n}"), "value": "1" })).collect();
    let mut many = pod();
    many["spec"]["securityContext"]["sysctls"] = json!(sysctls);
    is_bounded("60,000 sysctls", &many);
}
