//! Exemptions: whom a policy does not judge, and whom it does all the same.

use podgate::admission::{Answer, Outcome, Reviewer, Webhook};
use podgate::policy::{ExemptBy, Policies, Snapshot, read_file};
use serde_json::{Value as Json, json};

use crate::command::run;
use crate::control_modes::{create, pod, reviewer, update};
use crate::pods::Alone as _;
use crate::reviews::well_formed;

const SPEC: &str = "standard: {enforce: restricted, warn: restricted}, defaults: {securityContext: Restricted}, \
                    templates: Enforce, exemptions: [\
                    {users: [alice], serviceAccounts: [ci/builder], reason: builds, owner: ml}, \
                    {groups: [sre], reason: debugs, owner: ml}, {runtimeClasses: [kata], reason: is a VM, owner: ml}]";

fn privileged(change: impl FnOnce(&mut Json)) -> Json {
    pod(|pod| {
        pod["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
        change(pod);
    })
}

fn by(mut review: Json, username: &str, groups: &[&str]) -> Json {
    review["request"]["userInfo"] = json!({"username": username, "groups": groups});
    review
}

fn answer<'b>(reviewer: &Reviewer, webhook: Webhook, review: &'b str) -> (Answer<'b>, Json) {
    let answer = reviewer.alone(webhook, review.as_bytes()).unwrap();
    let response = well_formed(review, webhook, "u", &answer.body);
    (answer, response)
}

/// By what a review is exempt; the rest of an exempt answer says nothing.
#[track_caller]
fn exempt(reviewer: &Reviewer, review: &Json) -> Option<String> {
    let text = review.to_string();
    let (answer, response) = answer(reviewer, Webhook::Validate, &text);
    let exempt = response["auditAnnotations"]["exempt"].as_str().map(ToOwned::to_owned);
    let names: Vec<&str> = answer.decision.exemptions.iter().map(|(_, by)| by.name()).collect();
    assert_eq!(names, exempt.as_deref().into_iter().collect::<Vec<_>>(), "{review}");
    if let Some(by) = &exempt {
        let expected = json!({"uid": "u", "allowed": true, "auditAnnotations": {"exempt": by}});
        assert_eq!(response, expected, "{review}");
    } else {
        assert_eq!(answer.decision.outcome, Outcome::Denied, "{review}");
    }
    exempt
}

#[test]
fn requesters_are_exempt_by_what_the_api_server_says_of_them() {
    let reviewer = reviewer(SPEC);
    let builder = "system:serviceaccount:ci:builder";
    let of_ci = ["system:serviceaccounts", "system:serviceaccounts:ci", "system:authenticated"];
    for (username, groups, expected) in [
        ("alice", &["system:authenticated"][..], Some("user")),
        ("alice", &["sre"], Some("user")),
        ("bob", &["system:authenticated", "sre"], Some("group")),
        (builder, &of_ci, Some("user")),
        // Whoever logs in under the name of an account without being one.
        (builder, &["system:authenticated"], None),
        (builder, &["system:serviceaccounts:other"], None),
        ("system:serviceaccount:other:builder", &["system:serviceaccounts:other"], None),
        ("Alice", &["system:authenticated"], None),
        ("alice ", &[], None),
        ("", &[], None),
        ("bob", &["SRE", "sre2", "alice", "kata"], None),
        ("sre", &["alice"], None),
        (
            "system:serviceaccount:kube-system:replicaset-controller",
            &["system:serviceaccounts:kube-system"],
            None,
        ),
    ] {
        let review = by(create(&privileged(|_| {})), username, groups);
        assert_eq!(exempt(&reviewer, &review).as_deref(), expected, "{username} {groups:?}");
        let text = review.to_string();
        let (mutated, response) = answer(&reviewer, Webhook::Mutate, &text);
        assert_eq!(
            mutated.decision.outcome == Outcome::Allowed,
            expected.is_some(),
            "{username}: {response}"
        );
        assert!(mutated.decision.exemptions.is_empty() && response.get("auditAnnotations").is_none());
    }
}

#[test]
fn what_a_pod_says_of_itself_exempts_nobody() {
    let reviewer = reviewer(SPEC);
    for change in [
        (|pod| pod["spec"]["serviceAccountName"] = "builder".into()) as fn(&mut Json),
        |pod| pod["metadata"]["namespace"] = "team".into(),
        |pod| pod["metadata"]["annotations"] = json!({"userInfo": "alice", "exempt": "user"}),
        |pod| pod["spec"]["runtimeClassName"] = "kata-qemu".into(),
    ] {
        let review = by(
            create(&privileged(change)),
            "system:serviceaccount:team:builder",
            &["system:serviceaccounts:team"],
        );
        assert_eq!(exempt(&reviewer, &review), None);
    }
    let mut forged = by(create(&privileged(|_| {})), "bob", &[]);
    forged["request"]["username"] = "alice".into();
    forged["request"]["object"]["userInfo"] = json!({"username": "alice"});
    forged["request"]["options"] = json!({"userInfo": {"username": "alice", "groups": ["sre"]}});
    assert_eq!(exempt(&reviewer, &forged), None);
}

#[test]
fn a_runtime_class_is_exempt_for_whoever_uses_it() {
    let reviewer = reviewer(SPEC);
    let kata = privileged(|pod| pod["spec"]["runtimeClassName"] = "kata".into());
    assert_eq!(exempt(&reviewer, &by(create(&kata), "bob", &[])).as_deref(), Some("runtimeClass"));
    assert_eq!(exempt(&reviewer, &create(&kata)).as_deref(), Some("runtimeClass"));
    // The first in upstream's order is told.
    assert_eq!(exempt(&reviewer, &by(create(&kata), "alice", &[])).as_deref(), Some("user"));
}

/// A pod of a controller is not made by whoever applied the object, and an exempt account that is a controller makes
/// the pods of others.
#[test]
fn pods_of_controllers_are_judged() {
    let reviewer = reviewer(SPEC);
    let owned = |is_controller: bool| {
        privileged(|pod| {
            pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "1",
                "controller": is_controller}]);
        })
    };
    assert_eq!(exempt(&reviewer, &by(create(&owned(true)), "alice", &["sre"])), None);
    assert_eq!(exempt(&reviewer, &by(create(&owned(false)), "alice", &[])).as_deref(), Some("user"));
    // Who debugs such a pod changes it: it was made, and judged, before.
    let debugged = |user: &str| {
        let mut new = owned(true);
        new["spec"]["ephemeralContainers"] = json!([{"name": "d", "image": "i"}]);
        let mut review = by(update(&owned(true), &new), user, &[]);
        review["request"]["subResource"] = "ephemeralcontainers".into();
        review
    };
    assert_eq!(exempt(&reviewer, &debugged("alice")).as_deref(), Some("user"));
    assert_eq!(exempt(&reviewer, &debugged("bob")), None);
}

fn of_kind(kind: &str, group: &str, resource: &str, object: Json, user: &str) -> Json {
    let mut review = by(create(&Json::Null), user, &["sre"]);
    let request = &mut review["request"];
    request["kind"] = json!({"group": group, "version": "v1", "kind": kind});
    request["resource"] = json!({"group": group, "version": "v1", "resource": resource});
    request["object"] = object;
    review
}

/// Their pods will be made by controllers, and judged.
#[test]
fn templates_of_an_exempt_user_are_judged() {
    let reviewer = reviewer(SPEC);
    let template = |class: &str| {
        let pod = privileged(|pod| pod["spec"]["runtimeClassName"] = class.into());
        json!({"metadata": {"labels": {"app": "a"}}, "spec": pod["spec"]})
    };
    let deployment = |class: &str| {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "p", "namespace": "team"},
            "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template(class)}});
        of_kind("Deployment", "apps", "deployments", object, "alice")
    };
    assert_eq!(exempt(&reviewer, &deployment("")), None);
    assert_eq!(exempt(&reviewer, &deployment("kata")).as_deref(), Some("runtimeClass"));
    let job = |class: &str| {
        let object = json!({"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": "p", "namespace": "team"},
            "spec": {"headGroupSpec": {"template": template(class)}}});
        of_kind("RayCluster", "ray.io", "rayclusters", object, "alice").to_string()
    };
    let refused = job("");
    assert_eq!(answer(&reviewer, Webhook::Validate, &refused).0.decision.outcome, Outcome::Denied);
    let allowed = job("kata");
    let (answer, response) = answer(&reviewer, Webhook::Validate, &allowed);
    assert_eq!((answer.decision.outcome, response.get("warnings")), (Outcome::Allowed, None));
}

#[test]
fn an_exemption_is_from_its_own_policy_alone() {
    let mut policies = Policies::new(Vec::new());
    for (name, spec) in [("p", SPEC), ("q", "standard: {enforce: baseline}")] {
        let text = format!(
            "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: {name}}}\n\
             spec: {{match: {{namespaces: [team]}}, {spec}}}\n"
        );
        read_file(&format!("{name}.yaml"), &text, &mut policies);
    }
    let reviewer = Reviewer::new(policies.finish().unwrap(), Snapshot::default());
    let refused = by(create(&privileged(|_| {})), "alice", &[]).to_string();
    let (refusal, response) = answer(&reviewer, Webhook::Validate, &refused);
    assert_eq!(refusal.decision.exemptions.as_slice(), [("p".into(), ExemptBy::User)]);
    assert_eq!(refusal.decision.policies.as_slice(), ["q".into()]);
    assert_eq!(response["auditAnnotations"]["exempt"], "user");
    assert_eq!(response["auditAnnotations"]["enforce-policy"], "baseline:latest");
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.contains("to meet \"q\" in namespace"), "{message}");
    let bare = pod(|pod| pod["spec"]["securityContext"] = json!({}));
    let allowed = by(create(&bare), "alice", &[]).to_string();
    assert_eq!(answer(&reviewer, Webhook::Validate, &allowed).0.decision.outcome, Outcome::Allowed);
}

/// What cannot be read exempts nobody, and is asked about only where it may.
#[test]
fn groups_are_read_strictly_where_they_matter() {
    let groups = |groups: Json| {
        let mut review = create(&privileged(|_| {}));
        review["request"]["userInfo"] = json!({"username": "bob", "groups": groups});
        review.to_string()
    };
    let by_group = reviewer(SPEC);
    for faulty in [json!("sre"), json!([["sre"]]), json!([1]), json!({"sre": true})] {
        let review = groups(faulty);
        let (answer, response) = answer(&by_group, Webhook::Validate, &review);
        assert_eq!((answer.decision.outcome, answer.decision.code), (Outcome::Error, 400), "{review}");
        let message = response["status"]["message"].as_str().unwrap();
        assert!(message.starts_with("podgate: the groups in request.userInfo cannot be read"), "{message}");
    }
    for (none, expected) in [(json!(null), None), (json!([]), None), (json!([null]), None)] {
        let review: Json = serde_json::from_str(&groups(none)).unwrap();
        assert_eq!(exempt(&by_group, &review), expected);
    }
    let by_user =
        reviewer("standard: {enforce: restricted}, exemptions: [{users: [alice], reason: r, owner: o}]");
    let review = groups(json!([1]));
    assert_eq!(answer(&by_user, Webhook::Validate, &review).0.decision.outcome, Outcome::Denied);
    let twice = groups(json!(["x"])).replace(r#""groups":["x"]"#, r#""groups":["x"],"groups":["sre"]"#);
    assert_eq!(answer(&by_group, Webhook::Validate, &twice).0.decision.outcome, Outcome::Error);
    let many: Vec<String> = (0..5000).map(|index| format!("g{index}")).chain(["sre".to_owned()]).collect();
    let review: Json = serde_json::from_str(&groups(json!(many))).unwrap();
    assert_eq!(exempt(&by_group, &review).as_deref(), Some("group"));
}

fn policy() -> String {
    format!(
        "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: p}}\n\
         spec: {{match: {{namespaces: [team]}}, {SPEC}}}\n"
    )
}

/// Files have no requester, and reviews have one.
#[test]
fn the_linter_goes_by_runtime_classes_and_reviews_by_requesters() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("policy.yaml", &policy());
    for (class, code) in [("kata", 0), ("other", 1)] {
        let pod = privileged(|pod| pod["spec"]["runtimeClassName"] = class.into());
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "team"},
            "spec": {"selector": {"matchLabels": {"app": "a"}},
                "template": {"metadata": {"labels": {"app": "a"}}, "spec": pod["spec"]}}});
        for object in [pod, deployment] {
            let ended = run(folder.path(), &["lint", "--policy", "policy.yaml", "-"], &object.to_string());
            assert_eq!(ended.code, code, "{class}: {ended:?}");
        }
    }
    for (user, code) in [("alice", 0), ("bob", 1)] {
        let review = by(create(&privileged(|_| {})), user, &[]).to_string();
        let ended = run(folder.path(), &["review", "--policy", "policy.yaml"], &review);
        assert_eq!(ended.code, code, "{user}: {ended:?}");
    }
    let case = |name: &str, who: &str, verdict: &str| {
        format!(
            "  - name: {name}\n    object: {}\n    {who}\n    expect: {{verdict: {verdict}}}\n",
            privileged(|_| {})
        )
    };
    let denied =
        "deny, controls: {allowPrivilegeEscalation: deny, capabilities_restricted: deny, privileged: deny}";
    let cases = [
        case("a user", "user: alice", "allow"),
        case("an account", "user: system:serviceaccount:ci:builder", "allow"),
        case("a group", "groups: [sre]", "allow"),
        case("no account", "user: system:serviceaccount:other:builder", denied),
    ];
    let test = "apiVersion: podgate.dev/v1alpha1\nkind: PolicyTest\nmetadata: {name: t}\nspec:\n  policies: [policy.yaml]\n  cases:\n";
    write("test.yaml", &[test, &cases.concat()].concat());
    let ended = run(folder.path(), &["policy", "test", "test.yaml"], "");
    assert_eq!(ended.code, 0, "{ended:?}");
}

/// Whoever may make pods in its namespace runs them as the account.
#[test]
fn an_account_that_tenants_can_run_as_is_warned_of() {
    let warned = |account: &str| {
        let mut policies = Policies::new(Vec::new());
        read_file("p.yaml", &policy().replace("ci/builder", account), &mut policies);
        policies.warnings().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(warned("ci/builder"), [""; 0]);
    let warnings = warned("team/builder");
    assert!(
        matches!(&*warnings, [warning] if warning.contains("spec.exemptions[0].serviceAccounts[0]: whoever may make"))
    );
}
