//! Pods that break a control more often than findings are kept: nobody is let pass for it, and every number is true.

use std::fmt::Write as _;

use podgate::admission::{Reviewer, Webhook};
use podgate::controls::Standard;
use podgate::evaluate::{MOST_FINDINGS, StandardText, by_standard};
use podgate::json::Reader;
use podgate::pod::Pod;
use podgate::policy::Snapshot;
use serde_json::{Value as Json, json};

use crate::policies::policies;
use crate::reviews::{MADE_IN, apply, gate, response};

/// Containers that lack nothing but what is set here.
fn containers(count: usize, set: impl Fn(usize, &mut Json)) -> Json {
    let container = |index| {
        let mut container = json!({ "name": format!("c{index}"), "securityContext": {
            "allowPrivilegeEscalation": false, "runAsNonRoot": true, "capabilities": { "drop": ["ALL"] },
            "seccompProfile": { "type": "RuntimeDefault" },
        } });
        set(index, &mut container);
        container
    };
    (0..count).map(container).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "whoever calls it has made them for it")]
fn pod(containers: Json) -> Json {
    json!({ "metadata": { "name": "train" }, "spec": { "containers": containers } })
}

#[track_caller]
fn message(pod: &Json) -> String {
    let response = response(&gate(&[MADE_IN]), Webhook::Validate, pod);
    assert_eq!(response["status"]["code"], 403, "{response}");
    response["status"]["message"].as_str().expect("a message").to_owned()
}

#[test]
fn the_first_line_counts_changes_that_were_not_kept() {
    for count in [MOST_FINDINGS - 1, MOST_FINDINGS, MOST_FINDINGS + 1, 499] {
        let one_each = pod(containers(count, |index, container| {
            container["securityContext"]["procMount"] = json!(format!("x{index}"));
        }));
        let text = message(&one_each);
        assert!(text.contains(&format!(" was refused: {count} changes needed")), "{text}");
        assert!(text.contains(&format!("- and {} more", count - 12)), "{text}");
        let same =
            pod(containers(count, |_, container| container["securityContext"]["privileged"] = json!(true)));
        let text = message(&same);
        assert!(text.contains(" was refused: 1 change needed"), "{text}");
        assert!(text.contains(&format!("all {count} containers")), "{text}");
        let most = pod(containers(count + 1, |index, container| {
            if index > 0 {
                container["securityContext"]["privileged"] = json!(true);
            }
        }));
        assert!(message(&most).contains(&format!("\"c4\" and {} more", count - 4)), "{}", message(&most));
    }
}

/// The one that cannot be mended comes after all those that are kept.
#[test]
fn what_stays_is_found_behind_what_is_filled_in() {
    let lazy =
        |container: &mut Json| container.as_object_mut().expect("an object").retain(|key, _| key == "name");
    let mut last_is_bad = pod(containers(400, |_, container| lazy(container)));
    last_is_bad["spec"]["ephemeralContainers"] = json!([{ "name": "debug" }]);
    let text = message(&last_is_bad);
    assert!(text.contains("ephemeral container \"debug\""), "{text}");
    assert!(text.contains(" was refused: 4 changes needed"), "{text}");
    assert!(text.contains("what 400 containers leave out is filled in for you"), "{text}");
    let all_lazy = pod(containers(400, |_, container| lazy(container)));
    let text = message(&all_lazy);
    assert!(text.contains("podgate fills these in by itself"), "{text}");
    assert!(
        text.contains(" was refused: 4 defaults of podgate missing") && text.contains("all 400 containers"),
        "{text}"
    );
}

/// The whole pod is mended, or none of it.
#[test]
fn a_patch_is_whole_or_refused() {
    let gate = gate(&[MADE_IN]);
    let lazy =
        |count: usize| -> Json { (0..count).map(|index| json!({ "name": format!("c{index}") })).collect() };
    for lists in [&["containers"][..], &["containers", "initContainers"]] {
        let mut pod = json!({ "metadata": { "name": "train" }, "spec": {} });
        for list in lists {
            pod["spec"][list] = lazy(400);
        }
        let mutated = response(&gate, Webhook::Mutate, &pod);
        let mut after = pod.clone();
        assert!(apply("lazy containers", &mutated, &mut after));
        assert_eq!(response(&gate, Webhook::Validate, &after)["allowed"], true);
    }
    let pod = json!({ "metadata": { "name": "train" }, "spec": { "containers": lazy(500), "initContainers": lazy(500) } });
    let refused = response(&gate, Webhook::Mutate, &pod);
    assert_eq!(refused["status"]["code"], 413, "{refused}");
    assert_eq!(
        refused["status"]["message"],
        "podgate: the pod \"train\" cannot be mutated: what podgate fills in for it is over 180 KiB: let it say more itself, or split it"
    );
    assert_eq!((&refused["allowed"], refused.get("patch")), (&json!(false), None));
}

/// In the standard's own words: all of them up to the bound, and a count beyond.
#[test]
fn the_standards_text_says_how_many_more() {
    let standard: Standard = "baseline:latest".parse().expect("a standard");
    for (count, expected) in
        [(MOST_FINDINGS, None), (MOST_FINDINGS + 1, Some("; and 1 more)")), (500, Some("; and 244 more)"))]
    {
        let text =
            pod(containers(count, |_, container| container["securityContext"]["privileged"] = json!(true)))
                .to_string();
        let pod = Pod::read(&mut Reader::over(&text)).expect("a pod");
        let detail = StandardText::of(&by_standard(&standard, &pod)).detail;
        let mut names = String::new();
        for index in 0..count.min(MOST_FINDINGS) {
            let _ = write!(names, "{}\"c{index}\"", if index == 0 { "" } else { ", " });
        }
        let whole = format!("privileged (containers {names} must not set securityContext.privileged=true)");
        match expected {
            None => assert_eq!(detail, whole),
            Some(end) => assert_eq!(detail, format!("{}{end}", whole.trim_end_matches(')'))),
        }
    }
}

/// Bytes of an answer that JSON writes as six.
#[test]
fn annotations_are_cut_as_they_are_sent() {
    let worst = pod(containers(200, |_, container| {
        container["name"] = json!("\u{1}".repeat(60));
        container["securityContext"]["capabilities"]["add"] = json!(["\u{1}".repeat(400)]);
        container["securityContext"]["privileged"] = json!(true);
    }));
    let gate_answer = response(&gate(&[MADE_IN]), Webhook::Validate, &worst);
    for (key, value) in gate_answer["auditAnnotations"].as_object().expect("annotations") {
        assert!(value.to_string().len() - 2 <= 1024, "{key}: {} bytes", value.to_string().len());
    }
    let drop_in = "apiVersion: pod-security.admission.config.k8s.io/v1\nkind: PodSecurityConfiguration\ndefaults: {enforce: restricted, audit: restricted, warn: restricted}\n";
    let mut namespaces = Snapshot::default();
    namespaces.insert(MADE_IN, std::collections::BTreeMap::new());
    let drop_in = Reviewer::new(policies(drop_in), namespaces);
    let answer = response(&drop_in, Webhook::Validate, &worst);
    assert!(answer.to_string().len() <= 256 * 1024, "{} bytes", answer.to_string().len());
    assert_eq!(answer["status"]["code"], 403);
}

/// Each list by itself, and all of them together.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of lists")]
fn lists_are_bounded() {
    let gate = gate(&[MADE_IN]);
    let code = |spec: Json, metadata: Json| {
        let response = response(&gate, Webhook::Validate, &json!({ "metadata": metadata, "spec": spec }));
        let message = response["status"]["message"].as_str().unwrap_or_default().to_owned();
        (response["status"]["code"].as_u64().unwrap_or(200), message)
    };
    let strings = |count: usize| -> Json { (0..count).map(|n| format!("X{n}")).collect() };
    let labels = |count: usize| -> Json {
        (0..count).map(|n| (format!("k{n}"), json!(""))).collect::<serde_json::Map<_, _>>().into()
    };
    let in_container = |container: Json| json!({ "containers": [container] });
    type Make<'m> = Box<dyn Fn(usize) -> (Json, Json) + 'm>;
    let lists: [(&str, Make<'_>); 7] = [
        (
            "object.spec.containers[0].securityContext.capabilities.add",
            Box::new(|count| {
                (
                    in_container(json!({ "securityContext": { "capabilities": { "add": strings(count) } } })),
                    Json::Null,
                )
            }),
        ),
        (
            "object.spec.containers[0].securityContext.capabilities.drop",
            Box::new(|count| {
                (
                    in_container(
                        json!({ "securityContext": { "capabilities": { "drop": strings(count) } } }),
                    ),
                    Json::Null,
                )
            }),
        ),
        (
            "object.spec.containers[0].ports",
            Box::new(|count| {
                let ports: Json = (1..=count).map(|port| json!({ "hostPort": port })).collect();
                (in_container(json!({ "ports": ports })), Json::Null)
            }),
        ),
        (
            "object.spec.securityContext.sysctls",
            Box::new(|count| {
                let sysctls: Json = (0..count).map(|n| json!({ "name": format!("s{n}") })).collect();
                (json!({ "securityContext": { "sysctls": sysctls }, "containers": [{}] }), Json::Null)
            }),
        ),
        (
            "object.spec.volumes",
            Box::new(|count| {
                let volumes: Json = (0..count).map(|n| json!({ "name": format!("v{n}") })).collect();
                (json!({ "volumes": volumes, "containers": [{}] }), Json::Null)
            }),
        ),
        (
            "object.metadata.labels",
            Box::new(|count| (in_container(json!({})), json!({ "labels": labels(count) }))),
        ),
        (
            "object.metadata.annotations",
            Box::new(|count| {
                let key = |n| format!("container.apparmor.security.beta.kubernetes.io/c{n}");
                let annotations: serde_json::Map<_, _> = (0..count).map(|n| (key(n), json!("x"))).collect();
                (in_container(json!({})), json!({ "annotations": annotations }))
            }),
        ),
    ];
    for (path, make) in lists {
        let (spec, metadata) = make(1000);
        assert_eq!(code(spec, metadata).0, 403, "{path}");
        let (spec, metadata) = make(1001);
        let (found, message) = code(spec, metadata);
        assert!(
            found == 413 && message.contains(path) && message.contains("more than 1000"),
            "{path}: {found}, {message}"
        );
    }
    let capable = |count: usize| json!({ "containers": vec![json!({ "securityContext": { "capabilities": { "add": strings(count) } } }); 100] });
    assert_eq!(code(capable(41), Json::Null).0, 403, "a hundred containers with every capability of Linux");
    let (found, message) = code(capable(43), Json::Null);
    assert!(found == 413 && message.contains("more than 4096"), "{message}");
    let ports: Json = vec![json!({ "containerPort": 80 }); 3000].into();
    assert_eq!(
        code(in_container(json!({ "ports": ports })), Json::Null).0,
        403,
        "what is passed over is not bounded"
    );
}
