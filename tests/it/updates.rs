//! Updates of existing pods: judged by what they add or change, for controls beyond the standard.

use podgate::admission::Outcome;
use serde_json::{Value as Json, json};

use crate::control_modes::{create, pod, reviewer, said, update};

/// What comes of changing a pod, with the white space of the text made single.
fn changed(spec: &str, old: &Json, requester: &str, change: impl FnOnce(&mut Json)) -> (Outcome, String) {
    let mut new = old.clone();
    change(&mut new);
    let mut review = update(old, &new);
    review["request"]["userInfo"] = json!({ "username": requester });
    let (outcome, text) = said(&reviewer(spec), &review);
    (outcome, text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn allowed() -> (Outcome, String) {
    (Outcome::Allowed, String::new())
}

const RESERVED: &str = "controls: {reservedLabels: {keys: [\"kai.scheduler/*\"], writers: [scheduler]}, \
                        reservedAnnotations: {keys: [\"hami.io/*\"]}, requiredLabels: {labels: [{key: team}, {key: tier}]}}";

/// A pod that violates all three controls.
fn violating() -> Json {
    pod(|pod| {
        pod["metadata"]["labels"] = json!({ "kai.scheduler/queue": "a", "team": "t" });
        pod["metadata"]["annotations"] = json!({ "hami.io/gpu": "secret-1", "free": "b" });
    })
}

#[test]
fn old_violations_of_metadata_are_left_alone() {
    let old = violating();
    let (outcome, text) = said(&reviewer(RESERVED), &create(&old));
    assert!(outcome == Outcome::Denied && text.contains("3 changes"), "{text}");
    let changes: [fn(&mut Json); 4] = [
        |pod| pod["metadata"]["labels"]["free"] = "x".into(),
        |pod| pod["metadata"]["annotations"]["free"] = "x".into(),
        |pod| pod["metadata"]["finalizers"] = json!(["a/b"]),
        |pod| pod["metadata"]["labels"]["tier"] = "x".into(),
    ];
    for change in changes {
        assert_eq!(changed(RESERVED, &old, "someone", change), allowed());
    }
}

#[test]
fn what_is_done_to_reserved_keys_is_told() {
    let old = violating();
    type Change = fn(&mut Json);
    let changes: [(Change, &str); 6] = [
        (
            |pod| pod["metadata"]["labels"]["kai.scheduler/queue"] = "b".into(),
            "metadata.labels[kai.scheduler/queue] is b -> use the value that it had",
        ),
        (
            |pod| drop(pod["metadata"]["labels"].as_object_mut().unwrap().remove("kai.scheduler/queue")),
            "metadata.labels[kai.scheduler/queue] not set -> use the value that it had",
        ),
        (
            |pod| pod["metadata"]["labels"]["kai.scheduler/x"] = "b".into(),
            "metadata.labels[kai.scheduler/x] is b -> remove it",
        ),
        (
            |pod| pod["metadata"]["annotations"]["hami.io/gpu"] = "secret-2".into(),
            "metadata.annotations[hami.io/gpu] is set (value not shown) -> use the value that it had",
        ),
        (
            |pod| drop(pod["metadata"].as_object_mut().unwrap().remove("annotations")),
            "metadata.annotations[hami.io/gpu] not set -> use the value that it had",
        ),
        (
            |pod| drop(pod["metadata"]["labels"].as_object_mut().unwrap().remove("team")),
            "metadata.labels.team not set -> use a value of your own",
        ),
    ];
    for (change, expected) in changes {
        let (outcome, text) = changed(RESERVED, &old, "someone", change);
        assert_eq!(outcome, Outcome::Denied, "{expected}");
        assert!(text.contains("1 change needed") && text.contains(expected), "{text}");
        assert!(!text.contains("recreate") && !text.contains("secret"), "{text}");
    }
    let by_writer = changed(RESERVED, &old, "scheduler", |pod| {
        pod["metadata"]["labels"]["kai.scheduler/queue"] = "b".into();
    });
    assert_eq!(by_writer, allowed());
}

#[test]
fn a_toleration_that_is_added_is_judged() {
    const SPEC: &str = "controls: {tolerations: {reserved: [{key: pool}]}}";
    let old = pod(|pod| pod["spec"]["tolerations"] = json!([{ "key": "pool", "operator": "Exists" }]));
    let add = |toleration: Json| {
        changed(SPEC, &old, "someone", |pod| {
            pod["spec"]["tolerations"].as_array_mut().unwrap().push(toleration)
        })
    };
    assert_eq!(add(json!({ "key": "spot", "operator": "Exists" })), allowed());
    for toleration in [json!({ "operator": "Exists" }), json!({ "key": "pool", "effect": "NoExecute" })] {
        let (outcome, text) = add(toleration);
        assert_eq!(outcome, Outcome::Denied);
        assert!(text.contains("1 change needed") && text.contains("-> remove it"), "{text}");
        assert!(!text.contains("recreate"), "{text}");
    }
}

/// The pod is held back, and may still be bound to other nodes.
#[test]
fn a_node_selector_that_is_narrowed_is_judged() {
    const SPEC: &str = "controls: {nodeSelectors: {reserved: [pool]}}";
    let term = |value: &str| json!({ "key": "pool", "operator": "In", "values": [value] });
    let affinity = |terms: &[Json]| {
        json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{ "matchExpressions": terms }] } } })
    };
    let old = pod(|pod| {
        pod["spec"]["nodeSelector"] = json!({ "pool": "a" });
        pod["spec"]["affinity"] = affinity(&[term("a")]);
    });
    let same = changed(SPEC, &old, "someone", |pod| pod["spec"]["nodeSelector"]["arch"] = "arm64".into());
    assert_eq!(same, allowed());
    let changes: [&dyn Fn(&mut Json); 3] = [
        &|pod| pod["spec"]["nodeSelector"]["pool"] = "b".into(),
        &|pod| pod["spec"]["affinity"] = affinity(&[term("b")]),
        &|pod| pod["spec"]["affinity"] = affinity(&[term("a"), term("a")]),
    ];
    for change in changes {
        let (outcome, text) = changed(SPEC, &old, "someone", change);
        assert!(outcome == Outcome::Denied && text.contains("1 change needed"), "{text}");
    }
}

/// The standard judges the whole pod again, as Kubernetes' own admission does.
#[test]
fn the_standard_is_left_as_upstream_has_it() {
    const SPEC: &str = "standard: {enforce: baseline}, controls: {readOnlyRootFilesystem: {}}";
    let old = pod(|pod| pod["spec"]["hostPID"] = true.into());
    let (outcome, text) = changed(SPEC, &old, "someone", |pod| {
        pod["spec"]["containers"][0]["image"] = "j".into();
    });
    assert!(outcome == Outcome::Denied && text.contains("spec.hostPID"), "{text}");
    assert!(text.contains("1 change needed") && text.contains("recreate the pod"), "{text}");
}

/// The volume was there before and stays; that one more container mounts it is new.
#[test]
fn a_new_ephemeral_container_must_not_mount_what_is_not_allowed() {
    let volumes = json!([
        {"name": "path", "hostPath": {"path": "/etc"}},
        {"name": "driver", "csi": {"driver": "d"}},
        {"name": "flex", "flexVolume": {"driver": "a/b"}},
        {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
        {"name": "image", "image": {"reference": "evil.example.com/x:1"}},
        {"name": "good", "emptyDir": {}},
    ]);
    let mounting = |pod: &Json, name: &str, volume: &str| {
        let mut new = pod.clone();
        let mount = json!({"name": volume, "mountPath": "/v", "readOnly": true});
        let debug = json!({"name": name, "image": "evil.example.com/x:1", "volumeMounts": [mount]});
        let list = &mut new["spec"]["ephemeralContainers"];
        *list = list.as_array().into_iter().flatten().cloned().chain([debug]).collect();
        new
    };
    for (controls, volume, found) in [
        ("hostPaths: {allowed: []}", "path", "/etc"),
        ("volumeTypes: {allowed: [emptyDir]}", "path", "hostPath"),
        ("csiDrivers: {allowed: []}", "driver", "d"),
        ("flexVolumeDrivers: {allowed: []}", "flex", "a/b"),
        ("projectedSources: {allowed: [secret]}", "token", "serviceAccountToken"),
        ("automountServiceAccountToken: {}", "token", "the token of the API server"),
        ("imageRegistries: {allowed: [good.example.com]}", "image", "evil.example.com/x:1"),
    ] {
        let spec = format!("controls: {{{controls}}}");
        let old = pod(|pod| {
            pod["spec"]["automountServiceAccountToken"] = false.into();
            pod["spec"]["volumes"] = volumes.clone();
        });
        let review = |old: &Json, new: &Json| {
            let mut review = update(old, new);
            review["request"]["subResource"] = "ephemeralcontainers".into();
            review["request"]["requestSubResource"] = "ephemeralcontainers".into();
            let (outcome, text) = said(&reviewer(&spec), &review);
            (outcome, text.split_whitespace().collect::<Vec<_>>().join(" "))
        };
        let mounted = mounting(&old, "debug", volume);
        let (outcome, text) = review(&old, &mounted);
        assert_eq!(outcome, Outcome::Denied, "{controls}");
        let expected = format!(
            "ephemeral container \"debug\": volumeMounts {found} -> remove it (the pod has the volume already"
        );
        assert!(text.contains(&expected), "{controls}: {text}");
        if !controls.starts_with("imageRegistries") {
            assert!(text.contains("1 change needed"), "{controls}: {text}");
            assert_eq!(review(&old, &mounting(&old, "debug", "good")), allowed(), "{controls}");
            assert_eq!(review(&mounted, &mounting(&mounted, "next", "good")), allowed(), "{controls}");
        }
        let (outcome, text) = review(&mounted, &mounting(&mounted, "next", volume));
        assert!(outcome == Outcome::Denied && !text.contains("\"debug\""), "{controls}: {text}");
    }
}

/// A pod that was made before the policy keeps its token, but no new container gets it.
#[test]
fn a_new_ephemeral_container_must_not_mount_the_token_of_an_old_pod() {
    let old = pod(|pod| {
        pod["spec"]["volumes"] = json!([{"name": "kube-api-access-x2b9c", "projected": {"sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
        ]}}]);
    });
    let debug = |mounts: Json| {
        changed("controls: {automountServiceAccountToken: {}}", &old, "someone", |pod| {
            pod["spec"]["ephemeralContainers"] = json!([{"name": "d", "image": "i", "volumeMounts": mounts}]);
        })
    };
    assert_eq!(debug(json!([])), allowed());
    let (outcome, text) = debug(json!([{"name": "kube-api-access-x2b9c", "mountPath": "/t"}]));
    assert!(outcome == Outcome::Denied && text.contains("1 change needed"), "{text}");
    let expected = "volumeMounts the token of the API server -> remove it (the pod has the volume already";
    assert!(text.contains(expected), "{text}");
}

/// What a pod has taken too much of before may go on, and take less, but not more: in whichever container.
#[test]
fn a_resize_is_judged_by_what_it_adds() {
    const SPEC: &str = "controls: {resourceLimits: {perPod: {memory: 10Gi, hugepages-2Mi: 1Gi}}}";
    let limits = |memory: &str| json!({"limits": {"memory": memory}});
    let old = pod(|pod| {
        let containers = json!([
            {"name": "a", "image": "i", "resources": limits("5Gi")},
            {"name": "b", "image": "i", "resources": limits("6Gi")},
        ]);
        pod["spec"]["containers"] = containers;
    });
    let resize = |change: &dyn Fn(&mut Json)| {
        let mut new = old.clone();
        change(&mut new["spec"]);
        let mut review = update(&old, &new);
        review["request"]["subResource"] = "resize".into();
        review["request"]["requestSubResource"] = "resize".into();
        let (outcome, text) = said(&reviewer(SPEC), &review);
        (outcome, text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    assert_eq!(resize(&|spec| spec["containers"][0]["resources"] = limits("1Gi")), allowed());
    assert_eq!(resize(&|spec| spec["containers"][0]["resources"] = limits("4500Mi")), allowed());
    type Case<'c> = (&'c dyn Fn(&mut Json), &'c str);
    let cases: [Case<'_>; 4] = [
        (
            &|spec| spec["containers"][0]["resources"] = limits("9Gi"),
            "container \"a\": resources.limits.memory is 9Gi",
        ),
        (
            &|spec| spec["containers"][1]["resources"] = limits("9Gi"),
            "container \"b\": resources.limits.memory is 9Gi",
        ),
        (
            &|spec| spec["resources"] = json!({"requests": {"memory": "900Gi"}}),
            "spec.resources.requests.memory is 900Gi -> set it to 10Gi (or less)",
        ),
        (
            &|spec| spec["resources"] = json!({"requests": {"hugepages-2Mi": "2Gi"}}),
            "spec.resources.requests.hugepages-2Mi is 2Gi -> set it to 1Gi (or less)",
        ),
    ];
    for (change, expected) in cases {
        let (outcome, text) = resize(change);
        assert_eq!(outcome, Outcome::Denied, "{expected}");
        assert!(text.contains("1 change needed") && text.contains(expected), "{expected}: {text}");
    }
}

/// Another way to log in may let somebody choose a name, but not the groups that the API server itself gives.
#[test]
fn a_name_without_its_group_is_nobody_special() {
    const ACCOUNT: &str = "system:serviceaccount:hami:scheduler";
    let mirror = pod(|pod| {
        pod["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
        pod["spec"]["nodeName"] = "n".into();
    });
    let labelled = pod(|pod| pod["metadata"]["labels"] = json!({"kai.scheduler/queue": "a"}));
    let reserved =
        format!("controls: {{reservedLabels: {{keys: [\"kai.scheduler/*\"], writers: [\"{ACCOUNT}\"]}}}}");
    for (spec, pod, user, group) in [
        ("controls: {nodeName: {}}", &mirror, "system:node:n", "system:nodes"),
        (&reserved, &labelled, ACCOUNT, "system:serviceaccounts:hami"),
    ] {
        for (groups, expected) in [
            (json!([group, "system:authenticated"]), Outcome::Allowed),
            (json!(["system:authenticated"]), Outcome::Denied),
            (json!(null), Outcome::Denied),
        ] {
            let mut review = create(pod);
            review["request"]["userInfo"] = json!({"username": user, "groups": groups});
            assert_eq!(said(&reviewer(spec), &review).0, expected, "{user} in {groups}");
        }
    }
}
