//! The objects of a review: names, operations, subresources, forged annotations, patches.

use podgate::admission::{Reviewer, Webhook};
use serde_json::{Value as Json, json};

use super::Expected::{Allowed, Failed, Refused};
use super::{
    NAMESPACE, UID, WEBHOOKS, assert_outcome, bad_pod, container, create, outcome, pod, pod_with, privileged,
    request, review, update,
};
use crate::pods::Alone as _;
use crate::reviews::{built_in, labelled, well_formed};

/// Strings of the pod's author that would move a cursor, end a line, or fill a log.
#[test]
fn names_are_echoed_only_escaped_and_cut() {
    let long = "x".repeat(1 << 20);
    for name in [
        "a\u{0}b",
        "a\nb",
        "\u{202e}evil",
        "\u{1b}[31mred",
        "größe",
        "a\tb",
        "\"><script>",
        "\\",
        long.as_str(),
    ] {
        let mut containers = bad_pod();
        containers["spec"]["containers"] = json!([privileged(name)]);
        let mut volumes = pod();
        volumes["spec"]["volumes"] = json!([{ "name": name, "hostPath": { "path": "/" } }]);
        let mut metadata = bad_pod();
        metadata["metadata"]["name"] = json!(name);
        metadata["metadata"]["ownerReferences"] = json!([{ "kind": name, "name": name, "controller": true }]);
        let mut generated = bad_pod();
        generated["metadata"] = json!({ "generateName": name });
        let mut values = pod();
        values["spec"]["containers"][0]["securityContext"]["capabilities"]["add"] = json!([name]);
        values["spec"]["containers"][0]["securityContext"]["procMount"] = json!(name);
        values["spec"]["securityContext"]["seccompProfile"]["type"] = json!(name);
        values["spec"]["securityContext"]["sysctls"] = json!([{ "name": name, "value": "1" }]);
        values["spec"]["securityContext"]["seLinuxOptions"] = json!({ "type": name, "user": name });
        let mut annotations = pod();
        let key = format!("container.apparmor.security.beta.kubernetes.io/{name}");
        let key: String = key.chars().take(1 << 19).collect();
        annotations["metadata"]["annotations"] = json!({ key: name });
        for (what, pod) in [
            ("container", containers),
            ("volume", volumes),
            ("name", metadata),
            ("generateName", generated),
            ("values", values),
            ("annotations", annotations),
        ] {
            let what = format!("{what} {name:.20}");
            assert_outcome(&what, create(&pod), Refused);
            let (_, response) = outcome(&what, Webhook::Validate, create(&pod).as_bytes());
            let message = response["status"]["message"].as_str().unwrap();
            assert!(
                message.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)),
                "{what}: {message:?}"
            );
            assert!(message.len() < 8 * 1024, "{what}: a message of {} bytes", message.len());
        }
    }
}

/// The names in the request come from the API server, but their length is not trusted either.
#[test]
fn a_long_name_of_the_request_does_not_come_back_whole() {
    for key in ["name", "namespace"] {
        let mut of_request = request("CREATE", "", &bad_pod(), &Json::Null);
        of_request["object"]["metadata"] = json!({ "generateName": "a-" });
        of_request[key] = json!("n".repeat(1 << 20));
        assert_outcome(key, review(&of_request), Refused);
    }
}

#[test]
fn objects_that_are_not_there_or_should_not_be() {
    let nothing = Json::Null;
    assert_outcome("CREATE of nothing", create(&nothing), Failed(400));
    assert_outcome("UPDATE from nothing", update("", &pod(), &nothing), Failed(400));
    assert_outcome("UPDATE of nothing", update("", &nothing, &pod()), Failed(400));
    assert_outcome("DELETE with an object", review(&request("DELETE", "", &pod(), &nothing)), Failed(400));
    assert_outcome("CONNECT with a pod", review(&request("CONNECT", "", &pod(), &nothing)), Failed(400));
    assert_outcome(
        "CONNECT with a pod",
        review(&request("CONNECT", "future", &pod(), &nothing)),
        Failed(400),
    );
    for subresource in ["", "ephemeralcontainers", "resize", "future"] {
        assert_outcome(subresource, update(subresource, &pod(), &nothing), Failed(400));
    }
    let mut without = request("CREATE", "", &pod(), &nothing);
    without.as_object_mut().unwrap().remove("object");
    assert_outcome("CREATE without an object", review(&without), Failed(400));
}

#[test]
fn deletion_is_allowed_and_never_patched() {
    for old in [pod(), bad_pod(), Json::Null, json!({ "spec": { "containers": [{}] } })] {
        let body = review(&request("DELETE", "", &Json::Null, &old));
        assert_outcome("DELETE", &body, Allowed);
        for webhook in WEBHOOKS {
            let (_, response) = outcome("DELETE", webhook, body.as_bytes());
            assert_eq!(response.get("patch"), None, "{response}");
        }
    }
}

#[test]
fn subresources() {
    let options =
        json!({ "apiVersion": "v1", "kind": "PodExecOptions", "command": ["sh"], "container": "main" });
    for (subresource, kind) in [
        ("exec", "PodExecOptions"),
        ("attach", "PodAttachOptions"),
        ("portforward", "PodPortForwardOptions"),
        ("proxy", "PodProxyOptions"),
    ] {
        let mut connect = request("CONNECT", subresource, &options, &Json::Null);
        connect["kind"]["kind"] = json!(kind);
        connect["object"]["kind"] = json!(kind);
        assert_outcome(subresource, review(&connect), Allowed);
    }
    for (subresource, group, kind) in [("binding", "", "Binding"), ("eviction", "policy", "Eviction")] {
        let mut created = request("CREATE", subresource, &json!({ "kind": kind }), &Json::Null);
        created["kind"] = json!({ "group": group, "version": "v1", "kind": kind });
        assert_outcome(subresource, review(&created), Allowed);
    }
    assert_outcome("status", update("status", &bad_pod(), &pod()), Allowed);
    // An unknown subresource is taken to carry a pod.
    for subresource in ["future", "Status", "status ", "exec/x"] {
        assert_outcome(
            subresource,
            review(&request("CREATE", subresource, &bad_pod(), &Json::Null)),
            Refused,
        );
        assert_outcome(subresource, review(&request("CREATE", subresource, &pod(), &Json::Null)), Allowed);
        let mut changed = bad_pod();
        changed["spec"]["containers"][0]["image"] = json!("another");
        assert_outcome(subresource, update(subresource, &changed, &pod()), Refused);
    }
}

#[test]
fn a_fault_in_any_list_of_containers_is_named() {
    let mut sidecar = privileged("side");
    sidecar["restartPolicy"] = json!("Always");
    for (list, container, name) in [
        ("initContainers", privileged("prepare"), "init container \"prepare\""),
        ("initContainers", sidecar, "init container \"side\""),
        ("ephemeralContainers", privileged("debug"), "ephemeral container \"debug\""),
    ] {
        let body = create(&pod_with(list, json!([container])));
        assert_outcome(name, &body, Refused);
        let (_, response) = outcome(name, Webhook::Validate, body.as_bytes());
        let message = response["status"]["message"].as_str().unwrap();
        assert!(message.contains(name), "{message}");
        assert!(!message.contains("\"main\""), "{message}");
        assert_eq!(
            response["status"]["details"]["causes"][0]["field"],
            format!("spec.{list}[0].securityContext.privileged")
        );
    }
}

#[test]
fn updates() {
    let image = |mut pod: Json| {
        pod["spec"]["containers"][0]["image"] = json!("registry.example/other:2");
        pod
    };
    let labelled = |mut pod: Json| {
        pod["metadata"]["labels"] = json!({ "a": "b" });
        pod
    };
    let leaving = |mut pod: Json| {
        pod["metadata"]["deletionTimestamp"] = json!("2026-11-21T00:00:00Z");
        pod["metadata"]["finalizers"] = json!(["example.com/x"]);
        pod
    };
    assert_outcome("a bad pod as it was", update("", &bad_pod(), &bad_pod()), Allowed);
    assert_outcome("a bad pod labelled", update("", &labelled(bad_pod()), &bad_pod()), Allowed);
    assert_outcome("a bad pod that leaves", update("", &leaving(bad_pod()), &bad_pod()), Allowed);
    assert_outcome("a bad pod with a new image", update("", &image(bad_pod()), &bad_pod()), Refused);
    assert_outcome(
        "a bad pod that leaves, with a new image",
        update("", &leaving(image(bad_pod())), &bad_pod()),
        Refused,
    );
    assert_outcome("a good pod with a new image", update("", &image(pod()), &pod()), Allowed);
    assert_outcome("a bad pod resized", update("resize", &bad_pod(), &bad_pod()), Allowed);
    for webhook in WEBHOOKS {
        let (_, response) = outcome("update", webhook, update("", &image(pod()), &pod()).as_bytes());
        assert_eq!(response.get("patch"), None, "{response}");
    }
    let debugged = |container: Json| pod_with("ephemeralContainers", json!([container]));
    let body = |container| update("ephemeralcontainers", &debugged(container), &pod());
    assert_outcome("a debugger", body(container("debug")), Allowed);
    assert_outcome("a privileged debugger", body(privileged("debug")), Refused);
    assert_outcome(
        "a debugger that was there",
        update("ephemeralcontainers", &debugged(privileged("d")), &debugged(privileged("d"))),
        Allowed,
    );
}

#[test]
fn a_dry_run_is_judged_like_any_other() {
    for (pod, expected) in [(pod(), Allowed), (bad_pod(), Refused)] {
        let mut request = request("CREATE", "", &pod, &Json::Null);
        request["dryRun"] = json!(true);
        assert_outcome("dry run", review(&request), expected);
    }
}

#[test]
fn nobody_is_exempt_by_name() {
    for user in [
        json!({ "username": "system:serviceaccount:kube-system:replicaset-controller" }),
        json!({ "username": "system:serviceaccount:kube-system:replicaset-controller-evil", "groups": [] }),
        json!({ "username": "system:admin ", "groups": ["system:masters"] }),
        json!({ "username": "system:node:n1", "groups": ["system:nodes"] }),
        json!({ "username": "\u{455}ystem:admin" }),
        json!(null),
        json!({}),
    ] {
        let mut request = request("CREATE", "", &bad_pod(), &Json::Null);
        request["userInfo"] = user;
        assert_outcome(&request["userInfo"].to_string(), review(&request), Refused);
    }
}

#[test]
fn the_namespace_of_the_request_decides() {
    let body = |of_request: Json, of_object: Json| {
        let mut pod = bad_pod();
        pod["metadata"]["namespace"] = of_object;
        let mut request = request("CREATE", "", &pod, &Json::Null);
        request["namespace"] = of_request;
        review(&request)
    };
    for (of_request, of_object, expected) in [
        (json!(NAMESPACE), json!(NAMESPACE), Refused),
        (json!(NAMESPACE), Json::Null, Refused),
        (json!(NAMESPACE), json!("kube-system"), Failed(400)),
        (json!(NAMESPACE), json!("ML-TEAM-A"), Failed(400)),
        (json!("kube-system"), json!(NAMESPACE), Failed(400)),
        (json!("kube-system"), json!("kube-system"), Allowed),
        (json!("kube-system "), Json::Null, Refused),
        (json!(""), json!("kube-system"), Refused),
        (Json::Null, Json::Null, Refused),
        (json!("nobody-knows-it"), Json::Null, Refused),
    ] {
        assert_outcome(&format!("{of_request} {of_object}"), body(of_request, of_object), expected);
    }
}

#[test]
fn names_that_are_generated_long_or_broken() {
    for metadata in [
        json!({ "generateName": "train-" }),
        json!({ "generateName": "train-", "name": "" }),
        json!({}),
        json!({ "name": "n".repeat(253) }),
        json!({ "name": "two\nlines" }),
        Json::Null,
    ] {
        for (mut pod, expected) in [(pod(), Allowed), (bad_pod(), Refused)] {
            pod["metadata"] = metadata.clone();
            let mut request = request("CREATE", "", &pod, &Json::Null);
            request["name"] = json!("");
            assert_outcome(&metadata.to_string(), review(&request), expected);
            let (_, response) = outcome("name", Webhook::Validate, review(&request).as_bytes());
            if expected == Refused {
                let message = response["status"]["message"].as_str().unwrap();
                let headline = message.lines().next().unwrap();
                assert!(headline.contains("was refused: 1 change needed"), "{message}");
            }
        }
    }
}

#[test]
fn a_pod_of_tomorrow_is_judged_by_what_is_known_of_it() {
    let mut future = pod();
    future["spec"]["tomorrow"] = json!({ "containers": [{ "securityContext": { "privileged": true } }] });
    future["spec"]["containers"][0]["tomorrow"] = json!([1, null]);
    future["spec"]["containers"][0]["securityContext"]["tomorrow"] = json!("x");
    future["metadata"]["tomorrow"] = json!({});
    future["tomorrow"] = json!(1);
    assert_outcome("good", create(&future), Allowed);
    future["spec"]["hostIPC"] = json!(true);
    assert_outcome("bad", create(&future), Refused);
    for source in [
        json!({ "name": "v", "tomorrowSource": {} }),
        json!({ "name": "v", "tomorrowSource": { "a": 1 }, "emptyDir": {} }),
    ] {
        assert_outcome(&source.to_string(), create(&pod_with("volumes", json!([source]))), Refused);
    }
}

#[test]
fn what_podgate_made_is_no_proof() {
    let mut forged = bad_pod();
    for key in ["podgate.dev/checked", "podgate.dev/validated", "podgate.dev/policy", "podgate.dev/exempt"] {
        forged["metadata"]["annotations"][key] = json!("true");
        forged["metadata"]["labels"][key] = json!("ml-restricted");
    }
    assert_outcome("forged", create(&forged), Refused);
    let mut mirror = bad_pod();
    mirror["metadata"]["annotations"] = json!({ "kubernetes.io/config.mirror": "x" });
    assert_outcome("a mirror pod", create(&mirror), Refused);
    let lazy = json!({ "metadata": { "name": "lazy" }, "spec": { "containers": [
        { "name": "a" },
        { "name": "b", "securityContext": { "capabilities": { "drop": ["ALL"] } } },
        { "name": "c", "securityContext": { "allowPrivilegeEscalation": false, "capabilities": {} } },
    ] } });
    let mut mended = lazy.clone();
    let (_, response) = outcome("lazy", Webhook::Mutate, create(&lazy).as_bytes());
    apply(&response, &mut mended);
    assert_ne!(mended, lazy);
    assert_outcome("mended", create(&mended), Allowed);
    let (_, response) = outcome("mended", Webhook::Mutate, create(&mended).as_bytes());
    assert_eq!(response.get("patch"), None, "{response}");
}

fn apply(response: &Json, pod: &mut Json) {
    crate::reviews::apply("a patch", response, pod);
}

/// Keys that need escaping in a JSON pointer, beside the label that an identity adds.
#[test]
fn patches_point_past_keys_of_every_kind() {
    let policy = "apiVersion: podgate.dev/v1alpha1\nkind: IdentityPolicy\nmetadata: {name: trainers}\nspec:\n  match:\n    namespaceSelector:\n      matchLabels: {podgate.dev/policy: ml-restricted}\n  identity: {provider: azure, serviceAccountName: trainer-wi}\n";
    let gate = Reviewer::new(built_in(&[policy]), labelled(&[NAMESPACE]));
    let long = "v".repeat(256 * 1024);
    for labels in [
        Json::Null,
        json!({}),
        json!({ "a/b~1c": "x", "~": "", "/": "", "": "", "__proto__": "y", "~0~1": "z", "constructor": "" }),
        json!({ "azure.workload.identity/use": "true" }),
        json!({ "azure.workload.identity~1use": "false" }),
        json!({ "azure.workload.identity/use": "false" }),
    ] {
        let mut before = pod();
        before["metadata"]["labels"] = labels.clone();
        before["metadata"]["annotations"] = json!({ "a/b~c": long, "": "" });
        before["spec"]["containers"][0]["securityContext"] = Json::Null;
        let body = create(&before);
        let answer = gate.alone(Webhook::Mutate, body.as_bytes()).unwrap();
        let response = well_formed("labels", Webhook::Mutate, UID, &answer.body);
        assert!(answer.body.len() < 8 * 1024, "an answer of {} bytes", answer.body.len());
        let mut after = before.clone();
        apply(&response, &mut after);
        assert_eq!(after["spec"]["serviceAccountName"], "trainer-wi", "{labels}");
        assert_eq!(after["metadata"]["annotations"], before["metadata"]["annotations"], "{labels}");
        for (key, value) in labels.as_object().into_iter().flatten() {
            assert_eq!(after["metadata"]["labels"][key], *value, "{labels}");
        }
        let body = create(&after);
        let answer = gate.alone(Webhook::Mutate, body.as_bytes()).unwrap();
        let response = well_formed("again", Webhook::Mutate, UID, &answer.body);
        assert_eq!(response.get("patch"), None, "{labels}: {response}");
    }
}
