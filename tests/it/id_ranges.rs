//! Ranges of users and groups: of a policy and of a namespace's annotations, from the cluster or from files, to the answer.

use std::collections::BTreeMap;
use std::fs;

use podgate::admission::{Reply, Reviewer, Webhook};
use podgate::lint::report::{ObjectVerdict, UnresolvedReason};
use podgate::lint::{Input, Options, Report, run};
use podgate::policy::{Answers, Lookup, LookupAnswer, LookupError, NamespaceMetadata, Snapshot};
use serde_json::{Value as Json, json};

use crate::pods::Alone as _;
use crate::policies::policies;
use crate::reviews::{apply, well_formed};

const UIDS: &str = "openshift.io/sa.scc.uid-range";
const GROUPS: &str = "openshift.io/sa.scc.supplemental-groups";
/// Every control of ids, by the annotations of the namespace.
const ALL: &str = "{runAsUserRanges: {fromNamespace: true, default: Lowest}, runAsGroupRanges: {fromNamespace: true, default: Lowest}, \
                   fsGroupRanges: {fromNamespace: true, default: Lowest}, supplementalGroupRanges: {fromNamespace: true, default: Lowest}}";

fn policy(controls: &str) -> String {
    format!(
        "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: ids}}\n\
         spec: {{match: {{namespaces: [team]}}, controls: {controls}}}\n"
    )
}

fn metadata(annotations: &[(&str, &str)]) -> NamespaceMetadata {
    NamespaceMetadata::new(BTreeMap::new(), annotations.iter().copied())
}

/// A reviewer in a cluster of which one namespace is known, with these annotations.
fn reviewer(controls: &str, annotations: &[(&str, &str)]) -> Reviewer {
    let mut snapshot = Snapshot::default();
    snapshot.insert_namespace("team", metadata(annotations));
    Reviewer::new(policies(&policy(controls)), snapshot)
}

fn review(pod: &Json, old: Option<&Json>) -> Vec<u8> {
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u", "operation": if old.is_some() { "UPDATE" } else { "CREATE" }, "namespace": "team", "name": "p",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "object": pod, "oldObject": old, "dryRun": false}});
    review.to_string().into_bytes()
}

fn response(reviewer: &Reviewer, webhook: Webhook, bytes: &[u8]) -> Json {
    well_formed("ids", webhook, "u", &reviewer.alone(webhook, bytes).unwrap().body)
}

/// The refusal of a pod; empty if it is allowed.
fn refusal(reviewer: &Reviewer, pod: &Json, old: Option<&Json>) -> String {
    let response = response(reviewer, Webhook::Validate, &review(pod, old));
    let text = response["status"]["message"].as_str().unwrap_or_default();
    assert_eq!(response["allowed"] == true, text.is_empty(), "{response}");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[expect(clippy::needless_pass_by_value, reason = "they are written where it is called")]
fn pod(security: Json, of_container: Json) -> Json {
    let container = json!({"name": "main", "image": "i", "securityContext": of_container});
    json!({"metadata": {"name": "p"}, "spec": {"securityContext": security, "containers": [container]}})
}

#[test]
fn what_a_pod_leaves_out_comes_from_its_namespace() {
    let reviewer = reviewer(ALL, &[(UIDS, "1000650000/10000"), (GROUPS, "7-9,20/5")]);
    let mut made = pod(json!({}), json!({"privileged": false}));
    assert!(apply("ids", &response(&reviewer, Webhook::Mutate, &review(&made, None)), &mut made));
    assert_eq!(made["spec"]["securityContext"], json!({"fsGroup": 7, "supplementalGroups": [7]}));
    assert_eq!(
        made["spec"]["containers"][0]["securityContext"],
        json!({"privileged": false, "runAsUser": 1_000_650_000, "runAsGroup": 7})
    );
    assert_eq!(refusal(&reviewer, &made, None), "");
    assert_eq!(response(&reviewer, Webhook::Mutate, &review(&made, None)).get("patch"), None);
}

#[test]
fn an_account_gets_the_same_id_in_every_pod() {
    let of_account = |account: &str| {
        let controls = "{runAsUserRanges: {fromNamespace: true, default: PerServiceAccount}}";
        let reviewer = reviewer(controls, &[(UIDS, "1000650000/10000")]);
        let mut made = pod(json!({}), json!({}));
        made["spec"]["serviceAccountName"] = account.into();
        made["spec"]["initContainers"] = json!([{"name": "init", "image": "i"}]);
        assert!(apply("ids", &response(&reviewer, Webhook::Mutate, &review(&made, None)), &mut made));
        assert_eq!(refusal(&reviewer, &made, None), "");
        let ids = ["containers", "initContainers"]
            .map(|list| made["spec"][list][0]["securityContext"]["runAsUser"].as_i64().unwrap());
        assert_eq!(ids[0], ids[1]);
        ids[0]
    };
    assert_eq!(of_account("trainer"), of_account("trainer"));
    assert_ne!(of_account("trainer"), of_account("default"));
}

#[test]
fn a_namespace_that_does_not_say_which_ids_refuses_its_pods() {
    let inside =
        pod(json!({"fsGroup": 5, "supplementalGroups": [5]}), json!({"runAsUser": 5, "runAsGroup": 5}));
    for (annotations, named) in [
        (&[][..], r#"namespace "team": annotations[openshift.io/sa.scc.uid-range] not set"#),
        (&[(UIDS, "")], r#"annotations[openshift.io/sa.scc.uid-range] is """#),
        (&[(UIDS, "5/0")], "annotations[openshift.io/sa.scc.uid-range] is 5/0"),
        (&[(UIDS, "5/4294967295")], "annotations[openshift.io/sa.scc.uid-range] is 5/4294967295"),
        (
            &[(UIDS, "5/10"), (GROUPS, "x\n")],
            "annotations[openshift.io/sa.scc.supplemental-groups] is x\\u{a}",
        ),
    ] {
        let text = refusal(&reviewer(ALL, annotations), &inside, None);
        assert!(text.contains(named) && text.contains("use blocks like 1000650000/10000 or"), "{text}");
        // Nothing is filled in that nobody knows.
        let silent = pod(json!({}), json!({}));
        let controls =
            "{runAsUserRanges: {fromNamespace: true, ranges: [{min: 5, max: 5}], default: Lowest}}";
        if annotations.len() < 2 {
            let answer = response(&reviewer(controls, annotations), Webhook::Mutate, &review(&silent, None));
            assert_eq!(answer.get("patch"), None, "{annotations:?}");
        }
    }
    assert_eq!(refusal(&reviewer(ALL, &[(UIDS, "5/10")]), &inside, None), "");
    let text = refusal(&reviewer(ALL, &[(UIDS, "6/10")]), &inside, None);
    for found in [
        r#"container "main": securityContext.runAsUser is 5 -> use a number from 6 to 15"#,
        r#"container "main": securityContext.runAsGroup is 5 -> use a number from 6 to 15"#,
        "spec.securityContext.fsGroup is 5 -> set it to 6",
        "spec.securityContext.supplementalGroups[0] is 5 -> use a number from 6 to 15",
    ] {
        assert!(text.contains(found), "{found}: {text}");
    }
}

/// What is wrong with a namespace was wrong before the update, too, and must not let anything new pass.
#[test]
fn a_debug_container_is_judged_whatever_the_namespace_says() {
    let old = pod(json!({}), json!({"runAsUser": 5}));
    let mut new = old.clone();
    new["spec"]["ephemeralContainers"] =
        json!([{"name": "debug", "image": "i", "securityContext": {"runAsUser": 0}}]);
    let controls = "{runAsUserRanges: {fromNamespace: true}}";
    for annotations in [&[][..], &[(UIDS, "5/5")], &[(UIDS, "oops")]] {
        let reviewer = reviewer(controls, annotations);
        let text = refusal(&reviewer, &new, Some(&old));
        assert!(text.contains(r#"ephemeral container "debug": securityContext.runAsUser is 0"#), "{text}");
        let mut labelled = old.clone();
        labelled["metadata"]["labels"] = json!({"a": "b"});
        assert_eq!(refusal(&reviewer, &labelled, Some(&old)), "");
    }
    // It inherits what was there before the policy was, and has to say something else.
    let old = pod(json!({"runAsUser": 0}), json!({}));
    let mut new = old.clone();
    new["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": "i"}]);
    let reviewer = reviewer(controls, &[(UIDS, "5/5")]);
    assert!(refusal(&reviewer, &new, Some(&old)).contains(r#"ephemeral container "debug""#));
    new["spec"]["ephemeralContainers"][0]["securityContext"] = json!({"runAsUser": 6});
    assert_eq!(refusal(&reviewer, &new, Some(&old)), "");
}

#[test]
fn a_cluster_is_asked_for_what_is_not_known_of_the_namespace() {
    let inside = review(&pod(json!({}), json!({"runAsUser": 5})), None);
    let asked = Lookup::Namespace("team".to_owned());
    let mut without = Snapshot::live();
    without.insert("team", BTreeMap::new());
    for snapshot in [Snapshot::live(), without] {
        let set = policies(&policy("{runAsUserRanges: {fromNamespace: true}}"));
        let reviewer = Reviewer::new(set, snapshot);
        let reply = reviewer.review(Webhook::Validate, &inside, &Answers::default()).unwrap();
        assert!(matches!(reply, Reply::NeedsLookup(lookup) if lookup == asked));
        for (found, code) in [
            (Ok(Some(metadata(&[(UIDS, "5/1")]))), 200),
            (Ok(Some(metadata(&[(UIDS, "6/1")]))), 403),
            (Ok(Some(metadata(&[]))), 403),
            (Ok(None), 403),
            (Err(LookupError::TimedOut), 403),
        ] {
            let answers = Answers::from([(asked.clone(), found.clone().map(LookupAnswer::Namespace))]);
            let reply = reviewer.review(Webhook::Validate, &inside, &answers).unwrap();
            assert_eq!(reply.answer().unwrap().decision.code, code, "{found:?}");
        }
    }
    // Nobody is asked where nothing depends on it.
    let set = policies(&policy("{runAsUserRanges: {ranges: [{min: 5, max: 5}]}}"));
    let reply = Reviewer::new(set, Snapshot::live()).review(Webhook::Validate, &inside, &Answers::default());
    assert_eq!(reply.unwrap().answer().unwrap().decision.code, 200);
}

/// Lints a file in the namespace `team` by all controls.
fn linted(text: &str) -> Report {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.yaml"), text).unwrap();
    let options =
        Options { policies: policies(&policy(ALL)), namespace: "team".to_owned(), ..Options::default() };
    run(&[Input::Path(folder.path().to_owned())], options)
}

#[test]
fn the_linter_knows_the_namespaces_of_its_files() {
    const POD: &str =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i}]}\n---\n";
    let namespace = |annotations: &str| {
        format!(
            "{POD}apiVersion: v1\nkind: Namespace\nmetadata: {{name: team, annotations: {annotations}}}\n"
        )
    };
    let report = linted(&namespace(&format!("{{{UIDS}: 5/5, {GROUPS}: 7-9}}")));
    assert_eq!(report.objects[0].verdict, ObjectVerdict::Allow, "what it leaves out is filled in");
    let filled: Vec<&str> =
        report.objects[0].pods[0].findings.iter().map(|finding| finding.message.as_str()).collect();
    assert!(
        filled.contains(&r#"container "c": securityContext.runAsUser not set; set it to 5"#),
        "{filled:?}"
    );
    for annotations in ["{}", &format!("{{{UIDS}: '5'}}"), &format!("{{{UIDS}: 5/5, {GROUPS}: null}}")] {
        let report = linted(&namespace(annotations));
        assert_eq!(report.objects[0].verdict, ObjectVerdict::Deny, "{annotations}");
    }
    // Nobody can tell which of two is in the cluster.
    let two = [namespace(&format!("{{{UIDS}: 5/5}}")), namespace(&format!("{{{UIDS}: 6/5}}"))].join("---\n");
    for text in [POD, &two] {
        let report = linted(text);
        let pod = &report.objects[0].pods[0];
        assert_eq!(pod.verdict, ObjectVerdict::Unresolved, "{pod:#?}");
        let entry = &pod.unresolved[0];
        let about = (entry.reason, entry.kind.as_deref(), entry.name.as_deref());
        assert_eq!(about, (UnresolvedReason::Reference, Some("Namespace"), Some("team")));
        assert_eq!(entry.text, "needs Namespace team: its annotations say which ids it may have");
    }
}
