//! Single controls with a mode and a message of their own, and what of an existing pod makes them look again.

use podgate::admission::{Outcome, Reviewer, Webhook};
use podgate::policy::{Policies, Snapshot, read_file};
use serde_json::{Value as Json, json};

use crate::pods::Alone as _;
use crate::reviews::{apply, well_formed};

pub(crate) fn reviewer(spec: &str) -> Reviewer {
    let text = format!(
        "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: p}}\n\
         spec: {{match: {{namespaces: [team]}}, {spec}}}\n"
    );
    let mut policies = Policies::new(Vec::new());
    read_file("p.yaml", &text, &mut policies);
    Reviewer::new(policies.finish().unwrap(), Snapshot::default())
}

/// A pod that satisfies the restricted level, changed.
pub(crate) fn pod(change: impl FnOnce(&mut Json)) -> Json {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "team"}, "spec": {
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "c", "image": "i", "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}],
    }});
    change(&mut pod);
    pod
}

pub(crate) fn create(pod: &Json) -> Json {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u", "operation": "CREATE", "namespace": "team", "name": "p",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "object": pod, "oldObject": null, "dryRun": false}})
}

pub(crate) fn update(old: &Json, new: &Json) -> Json {
    let mut review = create(new);
    review["request"]["operation"] = "UPDATE".into();
    review["request"]["oldObject"] = old.clone();
    review
}

/// What a review comes to, with the text of the refusal or the warnings.
pub(crate) fn said(reviewer: &Reviewer, review: &Json) -> (Outcome, String) {
    let bytes = review.to_string();
    let answer = reviewer.alone(Webhook::Validate, bytes.as_bytes()).unwrap();
    let response = well_formed("control modes", Webhook::Validate, "u", &answer.body);
    let text = response["status"]["message"].as_str().map_or_else(
        || {
            let warnings = response["warnings"].as_array().into_iter().flatten();
            warnings.filter_map(Json::as_str).collect::<Vec<_>>().join("\n")
        },
        ToOwned::to_owned,
    );
    (answer.decision.outcome, text)
}

fn audited(reviewer: &Reviewer, review: &Json) -> String {
    let bytes = review.to_string();
    let answer = reviewer.alone(Webhook::Validate, bytes.as_bytes()).unwrap();
    let response = well_formed("control modes", Webhook::Validate, "u", &answer.body);
    response["auditAnnotations"]["audit-violations"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_control_has_a_mode_and_a_message_of_its_own() {
    const MESSAGE: &str = "ask #storage for a PVC";
    let host_path = pod(|pod| {
        pod["spec"]["volumes"] = json!([{"name": "v", "hostPath": {"path": "/etc"}}]);
    });
    let spec = |mode: &str| {
        format!(
            "controls: {{hostPaths: {{{mode} allowed: [{{prefix: /mnt}}], message: \"{MESSAGE}\"}}, volumeTypes: {{allowed: [hostPath]}}}}"
        )
    };
    let (outcome, text) = said(&reviewer(&spec("")), &create(&host_path));
    assert_eq!(outcome, Outcome::Denied, "{text}");
    let item = "\n  - volume \"v\" is /etc -> use a persistentVolumeClaim (ask #storage for a PVC)\n";
    assert!(text.contains(item), "{text}");
    let (outcome, text) = said(&reviewer(&spec("mode: Warn,")), &create(&host_path));
    assert_eq!(outcome, Outcome::Allowed, "{text}");
    assert!(
        text.starts_with("podgate: \"p\" warns of: volume \"v\" is /etc; use a persistentVolumeClaim"),
        "{text}"
    );
    assert!(text.contains(MESSAGE), "{text}");
    let audit = reviewer(&spec("mode: Audit,"));
    assert_eq!(said(&audit, &create(&host_path)), (Outcome::Allowed, String::new()));
    assert!(audited(&audit, &create(&host_path)).contains("hostPath not allowed"));
    assert_eq!(said(&audit, &create(&pod(|_| {}))), (Outcome::Allowed, String::new()));
}

#[test]
fn single_controls_of_the_standard_can_be_relaxed() {
    let root = pod(|pod| {
        pod["spec"]["securityContext"]["runAsNonRoot"] = false.into();
    });
    let both = pod(|pod| {
        pod["spec"]["securityContext"]["runAsNonRoot"] = false.into();
        pod["spec"]["hostPID"] = true.into();
    });
    let spec = |except: &str| format!("standard: {{enforce: restricted, except: {{{except}}}}}");
    let warn = reviewer(&spec("runAsNonRoot: Warn"));
    let (outcome, text) = said(&warn, &create(&root));
    assert!(
        outcome == Outcome::Allowed
            && text.contains("\"p\" warns of: spec.securityContext.runAsNonRoot is false; set it to true"),
        "{text}"
    );
    let (outcome, text) = said(&warn, &create(&both));
    assert!(
        outcome == Outcome::Denied && text.contains("1 change") && !text.contains("runAsNonRoot"),
        "{text}"
    );
    let audit = reviewer(&spec("runAsNonRoot: Audit"));
    assert_eq!(said(&audit, &create(&root)), (Outcome::Allowed, String::new()));
    let expected = "would violate PodSecurity \"restricted:latest\": runAsNonRoot != true (pod must not set \
                    securityContext.runAsNonRoot=false)";
    assert_eq!(audited(&audit, &create(&root)), expected);
    let off = reviewer(&spec("runAsNonRoot: Off"));
    assert_eq!(said(&off, &create(&root)), (Outcome::Allowed, String::new()));
    assert_eq!(audited(&off, &create(&root)), "");
}

/// What is relaxed is not filled in either.
#[test]
fn what_is_relaxed_is_not_filled_in() {
    let lacking = pod(|pod| {
        pod["spec"]["securityContext"].as_object_mut().unwrap().remove("runAsNonRoot");
    });
    for (except, is_filled_in) in [("", true), ("runAsNonRoot: Warn", false), ("runAsNonRoot: Off", false)] {
        let gate = reviewer(&format!(
            "standard: {{enforce: restricted, except: {{{except}}}}}, defaults: {{securityContext: Restricted}}"
        ));
        let review = create(&lacking);
        let bytes = review.to_string();
        let answer = gate.alone(Webhook::Mutate, bytes.as_bytes()).unwrap();
        let response = well_formed("defaults", Webhook::Mutate, "u", &answer.body);
        let mut pod = lacking.clone();
        let changed = apply("defaults", &response, &mut pod);
        assert_eq!(changed, is_filled_in, "{except}");
        assert_eq!(said(&gate, &create(&pod)).0, Outcome::Allowed, "{except}");
    }
}

/// A container that asks for user 0 is not made to look non-root where nobody refuses that user: it would not start.
#[test]
fn root_is_not_made_to_look_non_root_where_it_is_admitted() {
    let root = pod(|pod| {
        pod["spec"]["securityContext"].as_object_mut().unwrap().remove("runAsNonRoot");
        pod["spec"]["containers"][0]["securityContext"]["runAsUser"] = 0.into();
    });
    for (except, changes) in [("", 1), ("runAsUser: Off", 0), ("runAsUser: Warn", 0)] {
        let gate = reviewer(&format!(
            "standard: {{enforce: restricted, except: {{{except}}}}}, defaults: {{securityContext: Restricted}}"
        ));
        let review = create(&root).to_string();
        let answer = gate.alone(Webhook::Mutate, review.as_bytes()).unwrap();
        assert_eq!(answer.decision.patch_operations, changes, "{except}");
        assert_eq!(said(&gate, &create(&root)).0, Outcome::Denied, "{except}");
    }
}

/// Only `runAsNonRoot` contradicts user 0: the rest is filled in for such a container as for any other.
#[test]
fn what_root_may_have_is_filled_in_where_root_is_admitted() {
    let root = pod(|pod| {
        let container = &mut pod["spec"]["containers"][0]["securityContext"];
        container.as_object_mut().unwrap().remove("allowPrivilegeEscalation");
        container["runAsUser"] = 0.into();
    });
    let gate = reviewer(
        "standard: {enforce: restricted, except: {runAsUser: Off}}, defaults: {securityContext: Restricted}",
    );
    let review = create(&root).to_string();
    let answer = gate.alone(Webhook::Mutate, review.as_bytes()).unwrap();
    assert_eq!(answer.decision.patch_operations, 1);
}

/// Relaxing what restricted asks for beyond baseline does not open the baseline.
#[test]
fn the_baseline_holds_where_what_replaces_it_is_relaxed() {
    let gate = reviewer(
        "standard: {enforce: restricted, except: {capabilities_restricted: Off, restrictedVolumes: Warn}}",
    );
    let without_drop = pod(|pod| {
        pod["spec"]["containers"][0]["securityContext"]["capabilities"] = json!({"add": ["CHOWN"]});
        pod["spec"]["volumes"] = json!([{"name": "n", "nfs": {"server": "s", "path": "/"}}]);
    });
    let (outcome, text) = said(&gate, &create(&without_drop));
    assert!(outcome == Outcome::Allowed && text.contains("volume \"n\" is nfs"), "{text}");
    let raw = pod(|pod| {
        pod["spec"]["containers"][0]["securityContext"]["capabilities"] = json!({"add": ["NET_RAW"]});
        pod["spec"]["volumes"] = json!([{"name": "h", "hostPath": {"path": "/"}}]);
    });
    let (outcome, text) = said(&gate, &create(&raw));
    assert!(
        outcome == Outcome::Denied && text.contains("NET_RAW") && text.contains("volume \"h\""),
        "{text}"
    );
}

/// An existing pod is checked by what its update can break, and by nothing else.
#[test]
fn an_update_is_checked_by_the_controls_that_it_can_break() {
    let gate = reviewer(
        "standard: {enforce: baseline}, controls: {readOnlyRootFilesystem: {}, volumeTypes: {allowed: [secret]}}",
    );
    let old = pod(|pod| {
        pod["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
    });
    let changed = |change: &dyn Fn(&mut Json)| {
        let mut new = old.clone();
        change(&mut new);
        said(&gate, &update(&old, &new))
    };
    let (outcome, text) = said(&gate, &create(&old));
    assert!(outcome == Outcome::Denied && text.contains("2 changes"), "{text}");
    let allowed = (Outcome::Allowed, String::new());
    assert_eq!(changed(&|pod| pod["metadata"]["labels"] = json!({"a": "b"})), allowed);
    assert_eq!(changed(&|pod| pod["spec"]["tolerations"] = json!([{"operator": "Exists"}])), allowed);
    assert_eq!(
        changed(&|pod| pod["spec"]["containers"][0]["resources"] = json!({"limits": {"cpu": "1"}})),
        allowed
    );
    // An image can break the standard, by upstream's rule, but neither of the two others.
    assert_eq!(changed(&|pod| pod["spec"]["containers"][0]["image"] = "j".into()), allowed);
    let debug = |context: Json| {
        move |pod: &mut Json| {
            pod["spec"]["ephemeralContainers"] =
                json!([{"name": "d", "image": "i", "securityContext": context.clone()}]);
        }
    };
    let (outcome, text) = changed(&debug(json!({})));
    assert!(outcome == Outcome::Denied && text.contains("readOnlyRootFilesystem"), "{text}");
    assert!(!text.contains("volume"), "the volumes cannot have changed: {text}");
}

/// Of the directories that cover a path the longest one counts.
#[test]
fn the_longest_prefix_counts() {
    let gate = reviewer(
        "controls: {hostPaths: {allowed: [{prefix: /srv/rw2}, {prefix: /srv/ro/, readOnly: true}, {prefix: /srv/ro/rw}]}}",
    );
    let mounts = |path: &str, read_only: Option<bool>| {
        let mut mount = json!({"name": "v", "mountPath": "/m"});
        if let Some(read_only) = read_only {
            mount["readOnly"] = read_only.into();
        }
        let pod = pod(|pod| {
            pod["spec"]["volumes"] = json!([{"name": "v", "hostPath": {"path": path}}]);
            pod["spec"]["containers"][0]["volumeMounts"] = json!([mount]);
        });
        said(&gate, &create(&pod)).0
    };
    for (path, read_only, expected) in [
        ("/srv/rw2/a", None, Outcome::Allowed),
        ("/srv/a", None, Outcome::Denied),
        ("/srv/ro/a", None, Outcome::Denied),
        ("/srv/ro/a", Some(false), Outcome::Denied),
        ("/srv/ro/a", Some(true), Outcome::Allowed),
        ("/srv/ro/rw/a", None, Outcome::Allowed),
    ] {
        assert_eq!(mounts(path, read_only), expected, "{path} {read_only:?}");
    }
    // A name of the wrong case is not passed over.
    let pod = pod(|pod| {
        pod["spec"]["volumes"] = json!([{"name": "v", "hostPath": {"path": "/srv/ro"}}]);
        pod["spec"]["containers"][0]["volumeMounts"] = json!([{"Name": "v", "mountPath": "/m"}]);
    });
    let (outcome, text) = said(&gate, &create(&pod));
    assert!(outcome == Outcome::Denied && text.contains("volumeMounts"), "{text}");
}

/// Two policies with one standard, of which each relaxes another control: what either refuses is refused, and said.
#[test]
fn what_one_policy_relaxes_another_may_refuse() {
    let policy = |name: &str, except: &str| {
        format!(
            "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: {name}}}\n\
             spec: {{match: {{namespaces: [team]}}, standard: {{enforce: baseline, except: {{{except}}}}}}}\n"
        )
    };
    let mut policies = Policies::new(Vec::new());
    read_file("a.yaml", &policy("a", "hostNamespaces: Warn"), &mut policies);
    read_file("b.yaml", &policy("b", "privileged: Warn"), &mut policies);
    let gate = Reviewer::new(policies.finish().unwrap(), Snapshot::default());
    let host = pod(|pod| pod["spec"]["hostPID"] = true.into());
    let (outcome, text) = said(&gate, &create(&host));
    assert!(outcome == Outcome::Denied && text.contains("1 change needed to meet \"b\""), "{text}");
}

/// Of an existing pod nothing can be changed, but a new ephemeral container can be another: the two stand apart.
#[test]
fn what_an_update_can_fix_stands_apart_from_what_it_cannot() {
    let gate = reviewer("standard: {enforce: restricted}, defaults: {securityContext: Restricted}");
    let old = pod(|pod| {
        pod["spec"]["containers"][0].as_object_mut().unwrap().remove("securityContext");
    });
    let mut new = old.clone();
    new["spec"]["ephemeralContainers"] = json!([{"name": "d", "image": "i"}]);
    let (outcome, text) = said(&gate, &update(&old, &new));
    assert_eq!(outcome, Outcome::Denied);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("4 changes needed") && !text.contains("all 2 containers"), "{text}");
    assert!(text.contains("- container \"c\":") && text.contains("- ephemeral container \"d\":"), "{text}");
    assert!(
        text.contains("recreate the pod") && text.contains("kubectl debug --profile=restricted"),
        "{text}"
    );
    assert!(!text.contains("podgate lint"), "{text}");
}

/// Who is told to use less of what is no quantity looks for the fault in the wrong place.
#[test]
fn what_is_no_value_at_all_is_told_so() {
    let image = "this is no name of an image in a registry";
    let quantity = "this is no quantity";
    for (controls, field, value, expected) in [
        ("imageTags: {}", "image", json!("a:1:2"), image),
        ("imageDigests: {}", "image", json!("A/b c"), image),
        ("imageRegistries: {allowed: [r.example.com]}", "image", json!("a:1:2"), image),
        ("resourceLimits: {max: {memory: 1Gi}}", "resources", json!({"limits": {"memory": "1K"}}), quantity),
        ("resourceLimits: {min: {memory: 1Mi}}", "resources", json!({"limits": {"memory": "1K"}}), quantity),
        (
            "resourceLimits: {perPod: {nvidia.com/gpu: 1}}",
            "resources",
            json!({"limits": {"nvidia.com/gpu": "one"}}),
            quantity,
        ),
        ("requiredResources: {limits: [memory]}", "resources", json!({"limits": {"memory": "1K"}}), quantity),
    ] {
        let gate = reviewer(&format!("controls: {{{controls}}}"));
        let refused = pod(|pod| pod["spec"]["containers"][0][field] = value.clone());
        let (outcome, text) = said(&gate, &create(&refused));
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(outcome == Outcome::Denied && text.contains(expected), "{controls}: {text}");
    }
    let (_, text) = said(&reviewer("controls: {imageTags: {}}"), &create(&pod(|_| {})));
    assert!(!text.contains("this is no") && text.contains("tag of a release"), "{text}");
}
