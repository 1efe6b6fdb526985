//! Drop-in mode: with a PodSecurityConfiguration podgate answers as Kubernetes' own Pod Security webhook does.

use std::collections::BTreeMap;

use podgate::admission::{Counted, CountedResource, ExistingPods, Reply, Reviewer, Webhook};
use podgate::policy::{Action, Answers, Lookup, LookupAnswer, LookupError, PolicySet, Snapshot};
use serde_json::{Value as Json, json};

use crate::policies;
use crate::reviews::recorded;

/// The configuration that the reviews were recorded with.
pub(crate) const CONFIGURATION: &str = "
apiVersion: pod-security.admission.config.k8s.io/v1
kind: PodSecurityConfiguration
defaults:
  enforce: privileged
  enforce-version: latest
exemptions:
  usernames: [exempt-user]
  namespaces: [exempt-namespace1, exempt-namespace2]
  runtimeClasses: [exempt-runtime-class1, exempt-runtime-class2]
";

fn policies(text: &str) -> Result<PolicySet, Vec<String>> {
    policies::read(&[("f", text)])
}

fn reviewer(namespaces: Snapshot) -> Reviewer {
    Reviewer::new(policies(CONFIGURATION).unwrap(), namespaces)
}

/// A review of something that is made in, or done to, a namespace.
fn review(resource: &str, changes: &Json) -> Vec<u8> {
    let (group, resource) = resource.split_once('/').unwrap_or(("", resource));
    let kind = match resource {
        "pods" => "Pod",
        "namespaces" => "Namespace",
        "deployments" => "Deployment",
        "replicationcontrollers" => "ReplicationController",
        "services" => "Service",
        other => panic!("which kind is {other}?"),
    };
    let mut request = json!({
        "uid": "u",
        "kind": {"group": group, "version": "v1", "kind": kind},
        "resource": {"group": group, "version": "v1", "resource": resource},
        "name": "x",
        "namespace": "team",
        "operation": "CREATE",
        "userInfo": {"username": "alice"},
        "object": null,
        "oldObject": null,
    });
    request.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
    serde_json::to_vec(&review).unwrap()
}

fn pod(spec: &Json) -> Json {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec})
}

fn labelled(labels: &[(&str, &str)]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let labels =
        labels.iter().map(|(key, value)| (format!("pod-security.kubernetes.io/{key}"), (*value).to_owned()));
    snapshot.insert("team", labels.collect());
    snapshot
}

/// The response to a review, and what is counted.
fn answer(labels: &[(&str, &str)], body: &[u8], answers: &Answers) -> (Json, Vec<Counted>) {
    match reviewer(labelled(labels)).review(Webhook::Validate, body, answers).unwrap() {
        Reply::Answer(answer) => {
            let review: Json = serde_json::from_slice(&answer.body).unwrap();
            let mut response = review["response"].clone();
            assert_eq!(response.as_object_mut().unwrap().remove("uid"), Some("u".into()));
            (response, answer.decision.pod_security.to_vec())
        }
        Reply::NeedsLookup(lookup) => panic!("{lookup}"),
    }
}

fn response(labels: &[(&str, &str)], body: &[u8]) -> Json {
    answer(labels, body, &Answers::default()).0
}

#[test]
fn recorded_reviews_are_answered_as_upstream_answered_them() {
    let Some((recorded, mut namespaces)) = recorded() else { return };
    for name in ["exempt-namespace1", "exempt-namespace2"] {
        namespaces.insert(name, BTreeMap::new());
    }
    let reviewer = reviewer(namespaces);
    let (mut compared, mut with_pods) = (0, 0);
    for review in &recorded {
        let Some(upstream) = &review.upstream else { continue };
        match reviewer.review(Webhook::Validate, &review.body, &Answers::default()).unwrap() {
            Reply::Answer(answer) => {
                let ours: Json = serde_json::from_slice(&answer.body).unwrap();
                assert_eq!(&ours["response"], upstream, "{}", review.what);
                compared += 1;
            }
            Reply::NeedsLookup(Lookup::PodsIn(query)) => {
                assert_eq!(query.namespace, review.request["namespace"], "{}", review.what);
                with_pods += 1;
            }
            Reply::NeedsLookup(lookup) => panic!("{}: {lookup}", review.what),
        }
    }
    assert_eq!((compared, with_pods), (68, 2));
}

#[test]
fn pods_are_judged_by_the_labels_of_their_namespace() {
    let body = review("pods", &json!({"object": pod(&json!({"hostNetwork": true}))}));
    let labels = [("enforce", "baseline"), ("audit", "restricted"), ("audit-version", "v1.99")];
    let (response, counted) = answer(&labels, &body, &Answers::default());
    assert_eq!(
        response,
        json!({
            "allowed": false,
            "status": {
                "metadata": {},
                "status": "Failure",
                "message": "pods \"x\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true)",
                "reason": "Forbidden",
                "details": {"name": "x", "kind": "pods"},
                "code": 403
            },
            "auditAnnotations": {
                "enforce-policy": "baseline:latest",
                "audit-violations": "would violate PodSecurity \"restricted:v1.99\": host namespaces (hostNetwork=true)"
            }
        })
    );
    let actions: Vec<(bool, Action)> = counted
        .iter()
        .map(|counted| match counted {
            Counted::Evaluation { resource: CountedResource::Pod, is_allowed, action, .. } => {
                (*is_allowed, *action)
            }
            Counted::Evaluation { .. } | Counted::Exemption { .. } | Counted::Error { .. } => {
                panic!("{counted:?}")
            }
        })
        .collect();
    assert_eq!(actions, [(false, Action::Enforce), (false, Action::Audit)]);
}

#[test]
fn what_is_not_judged() {
    let bad = pod(&json!({"hostNetwork": true, "runtimeClassName": "exempt-runtime-class1"}));
    let labels = [("enforce", "baseline")];
    let exempt = |who: &str| json!({"allowed": true, "auditAnnotations": {"exempt": who}});
    let allowed = json!({"allowed": true});
    for (resource, changes, expected) in [
        ("pods", json!({"object": bad}), exempt("runtimeClass")),
        ("pods", json!({"object": bad, "userInfo": {"username": "exempt-user"}}), exempt("user")),
        ("pods", json!({"object": 7, "namespace": "exempt-namespace1"}), exempt("namespace")),
        (
            "pods",
            json!({"object": bad, "requestSubResource": "status", "subResource": "status"}),
            allowed.clone(),
        ),
        ("pods", json!({"object": bad, "namespace": "kube-system"}), allowed.clone()),
        ("pods", json!({"object": bad, "namespace": "podgate-system"}), allowed.clone()),
        ("apps/deployments", json!({"object": 7, "requestSubResource": "scale"}), allowed.clone()),
        ("apps/deployments", json!({"object": 7, "userInfo": {"username": "exempt-user"}}), exempt("user")),
        (
            "replicationcontrollers",
            json!({"object": {"apiVersion": "v1", "kind": "ReplicationController", "spec": {}}}),
            allowed,
        ),
    ] {
        assert_eq!(response(&labels, &review(resource, &changes)), expected, "{resource} {changes}");
    }
}

#[test]
fn nothing_is_read_of_a_pod_where_nothing_is_asked_of_it() {
    let body = review("pods", &json!({"object": {"spec": 7}}));
    let privileged = json!({"allowed": true, "auditAnnotations": {"enforce-policy": "privileged:latest"}});
    assert_eq!(response(&[("enforce-version", "v1.20")], &body), privileged);
    let refused = response(&[("audit", "baseline")], &body);
    assert_eq!(refused["status"]["message"], "failed to decode object");
    assert_eq!(refused["status"]["code"], 400);
    let (_, counted) = answer(&[("audit", "baseline")], &body, &Answers::default());
    assert_eq!(counted, [Counted::Error { resource: CountedResource::Pod, is_fatal: true }]);
}

#[test]
fn what_cannot_be_read_is_refused_of_pods_and_noted_of_what_makes_them() {
    let labels = [("enforce", "restricted")];
    for (changes, message) in [
        (json!({}), "failed to decode pod"),
        (json!({"operation": "DELETE"}), "failed to decode pod"),
        (json!({"object": {"apiVersion": "apps/v1", "kind": "Deployment"}}), "failed to decode pod"),
        (json!({"object": {"apiVersion": "x/v1", "kind": "Pod"}}), "failed to decode object"),
        (json!({"object": pod(&json!({})), "operation": "UPDATE"}), "failed to decode old pod"),
        (
            json!({"object": pod(&json!({})), "operation": "UPDATE", "oldObject": {"spec": 7}}),
            "failed to decode old object",
        ),
    ] {
        let refused = response(&labels, &review("pods", &changes));
        assert_eq!(
            (&refused["status"]["message"], &refused["status"]["reason"]),
            (&message.into(), &"BadRequest".into()),
            "{changes}"
        );
        assert!(
            refused["auditAnnotations"]["error"].as_str().unwrap().starts_with(message),
            "{changes}: {refused}"
        );
    }
    for (resource, object, error) in [
        (
            "apps/deployments",
            json!({"spec": 7}),
            "failed to decode object: spec: expected an object, found a number",
        ),
        (
            "services",
            json!({"apiVersion": "v1", "kind": "Service"}),
            "failed to extract pod template: unexpected object type: /v1, Kind=Service",
        ),
        (
            "apps/deployments",
            json!({"apiVersion": "extensions/v1beta1", "kind": "Deployment"}),
            "failed to decode object: no kind \"Deployment\" is registered for version \"extensions/v1beta1\"",
        ),
    ] {
        let noted = response(&labels, &review(resource, &json!({"object": object})));
        assert_eq!(noted["allowed"], true, "{resource}");
        let found = noted["auditAnnotations"]["error"].as_str().unwrap();
        assert!(found.starts_with(error), "{resource}: {found}");
    }
}

/// What generated reviews found: upstream goes by what an object says that it is, whatever its request says.
#[test]
fn objects_are_read_by_their_own_type() {
    let labels = [("enforce", "restricted"), ("audit", "baseline")];
    let host = json!({"hostNetwork": true});
    let typed = |api_version: &str, kind: &str, spec: Json| json!({"apiVersion": api_version, "kind": kind, "spec": spec});
    let template = json!({"template": {"spec": host}});
    let unknown = |kind: &str| format!("failed to extract pod template: unexpected object type: {kind}");
    for (resource, object, expected) in [
        ("apps/deployments", typed("v1", "Pod", host.clone()), None),
        ("apps/deployments", typed("batch/v1", "Job", template.clone()), None),
        ("services", typed("apps/v1", "Deployment", template.clone()), None),
        ("apps/deployments", typed("v1", "Service", template), Some(unknown("/v1, Kind=Service"))),
        ("services", json!({}), Some(unknown("/, Kind="))),
        ("services", json!({"apiVersion": "x/v9", "kind": "Status"}), Some(unknown("x/v9, Kind=Status"))),
    ] {
        let response = response(&labels, &review(resource, &json!({"object": object})));
        let annotations = &response["auditAnnotations"];
        let error = annotations.get("error").and_then(Json::as_str);
        assert_eq!(error, expected.as_deref(), "{resource} {object}: {response}");
        assert_eq!(annotations.get("audit-violations").is_some(), expected.is_none(), "{resource} {object}");
    }
    for (object, message) in [
        (typed("v1", "Widget", json!({})), "failed to decode object"),
        (typed("a/b/c", "Pod", json!({})), "failed to decode object"),
        (typed("apps/v1", "Deployment", json!({"template": 7})), "failed to decode object"),
        (typed("apps/v1", "Deployment", json!({"volumes": 7})), "failed to decode pod"),
        (typed("/v1", "Pod", host), "pods \"x\" is forbidden"),
    ] {
        let response = response(&labels, &review("pods", &json!({"object": object})));
        let found = response["status"]["message"].as_str().unwrap();
        assert!(found.starts_with(message), "{object}: {found}");
    }
}

#[test]
fn a_namespace_that_nobody_knows() {
    let body = review("pods", &json!({"namespace": "missing", "object": pod(&json!({}))}));
    assert_eq!(
        response(&[], &body),
        json!({
            "allowed": false,
            "status": {
                "metadata": {},
                "status": "Failure",
                "message": "Internal error occurred: failed to lookup namespace \"missing\"",
                "reason": "InternalError",
                "details": {"causes": [{"message": "failed to lookup namespace \"missing\""}]},
                "code": 500
            },
            "auditAnnotations": {
                "error": "Internal error occurred: failed to lookup namespace \"missing\": namespaces \"missing\" not found"
            }
        })
    );
    let body = review("apps/deployments", &json!({"namespace": "missing", "object": {}}));
    assert_eq!(
        response(&[], &body),
        json!({
            "allowed": true,
            "auditAnnotations": {"error": "failed to lookup namespace \"missing\": namespaces \"missing\" not found"}
        })
    );
}

#[test]
fn a_namespace_that_is_not_in_the_snapshot_is_looked_up() {
    let body = review("pods", &json!({"object": pod(&json!({"hostPID": true}))}));
    let reviewer = reviewer(Snapshot::live());
    let reply = reviewer.review(Webhook::Validate, &body, &Answers::default()).unwrap();
    assert!(matches!(reply, Reply::NeedsLookup(Lookup::Namespace(name)) if name == "team"));
    let labels = BTreeMap::from([("pod-security.kubernetes.io/enforce".to_owned(), "baseline".to_owned())]);
    for (found, code) in [(Ok(Some(labels)), 403), (Ok(None), 500), (Err(LookupError::Failed), 500)] {
        let found = found.map(|labels| LookupAnswer::Namespace(labels.map(Into::into)));
        let answers = Answers::from([(Lookup::Namespace("team".to_owned()), found)]);
        let answer = reviewer.review(Webhook::Validate, &body, &answers).unwrap().answer().unwrap();
        assert_eq!(answer.decision.code, code);
    }
}

#[test]
fn faulty_labels_are_noted_and_the_strictest_is_taken() {
    let body = review("pods", &json!({"object": pod(&json!({"containers": [{"name": "c"}]}))}));
    let refused = response(&[("enforce", "oops"), ("audit-version", "v2")], &body);
    assert_eq!(refused["allowed"], false);
    assert_eq!(refused["auditAnnotations"]["enforce-policy"], "restricted:latest");
    assert_eq!(
        refused["auditAnnotations"]["error"],
        "Failed to parse policy: [metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"oops\": must be one of \
         privileged, baseline, restricted, metadata.labels[pod-security.kubernetes.io/audit-version]: Invalid value: \"v2\": \
         must be \"latest\" or \"v1.x\"]"
    );
}

fn namespace(labels: &[(&str, &str)]) -> Json {
    let labels: BTreeMap<String, &str> =
        labels.iter().map(|(key, value)| (format!("pod-security.kubernetes.io/{key}"), *value)).collect();
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team", "labels": labels}})
}

#[test]
fn a_raised_level_is_held_against_the_pods_that_are_there() {
    let update = |old: &[(&str, &str)], new: &[(&str, &str)]| {
        review(
            "namespaces",
            &json!({"operation": "UPDATE", "object": namespace(new), "oldObject": namespace(old)}),
        )
    };
    let reviewer = reviewer(Snapshot::default());
    let needs_pods = |old: &[(&str, &str)], new: &[(&str, &str)]| match reviewer
        .review(Webhook::Validate, &update(old, new), &Answers::default())
        .unwrap()
    {
        Reply::NeedsLookup(Lookup::PodsIn(query)) => Some(query),
        Reply::NeedsLookup(lookup) => panic!("{lookup}"),
        Reply::Answer(answer) => {
            assert_eq!(answer.decision.code, 200);
            None
        }
    };
    for (old, new, is_checked) in [
        (&[][..], &[("enforce", "baseline")][..], true),
        (&[("enforce", "baseline")], &[("enforce", "restricted")], true),
        (&[("enforce", "restricted")], &[("enforce", "baseline")], false),
        (&[("enforce", "restricted")], &[("enforce", "baseline"), ("enforce-version", "v1.20")], true),
        (&[("enforce", "restricted")], &[("enforce", "privileged"), ("enforce-version", "v1.20")], false),
        (&[("enforce", "nonsense")], &[("enforce", "restricted")], false),
        (&[], &[("warn", "restricted"), ("audit", "restricted")], false),
    ] {
        assert_eq!(needs_pods(old, new).is_some(), is_checked, "{old:?} {new:?}");
    }
    let query = needs_pods(&[], &[("enforce", "baseline")]).unwrap();
    let mut pods = ExistingPods::new(&query);
    pods.add(br#"{"items":[{"metadata":{"name":"a"},"spec":{"hostIPC":true}}]}"#).unwrap();
    let found = Ok(pods.answer());
    let answers = Answers::from([(Lookup::PodsIn(query), found)]);
    let body = update(&[], &[("enforce", "baseline")]);
    let answer = reviewer.review(Webhook::Validate, &body, &answers).unwrap().answer().unwrap();
    let answer: Json = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        answer["response"]["warnings"],
        json!([
            "existing pods in namespace \"team\" violate the new PodSecurity enforce level \"baseline:latest\"",
            "a: host namespaces"
        ])
    );
}

#[test]
fn faulty_labels_of_a_namespace_are_refused_once() {
    let bad = &[("warn", "strict")][..];
    let update =
        |old, new| json!({"operation": "UPDATE", "object": namespace(new), "oldObject": namespace(old)});
    for (changes, code) in [
        (json!({"object": namespace(bad)}), 422),
        (update(&[], bad), 422),
        (update(&[("warn", "Strict")], bad), 422),
        (update(bad, bad), 0),
        (json!({"operation": "UPDATE", "object": namespace(&[])}), 400),
        (json!({"operation": "DELETE", "oldObject": namespace(bad)}), 400),
        (json!({"requestSubResource": "finalize", "operation": "UPDATE", "object": namespace(bad)}), 0),
        (json!({"namespace": "kube-system", "object": namespace(bad)}), 0),
    ] {
        let response = response(&[], &review("namespaces", &changes));
        assert_eq!(response["status"]["code"].as_u64().unwrap_or_default(), code, "{changes}: {response}");
    }
    let old = response(&[], &review("namespaces", &json!({"operation": "UPDATE", "object": namespace(&[])})));
    assert_eq!(old["status"]["message"], "failed to decode  old namespace");
}

#[test]
fn the_mutating_webhook_repairs_nothing() {
    let body = review("pods", &json!({"object": pod(&json!({"containers": [{"name": "c"}]}))}));
    let reviewer = reviewer(labelled(&[("enforce", "restricted")]));
    let reply = reviewer.review(Webhook::Mutate, &body, &Answers::default()).unwrap();
    assert_eq!(reply.answer().unwrap().decision.patch_operations, 0);
}

#[test]
fn configurations_are_read_strictly() {
    for version in ["v1", "v1beta1", "v1alpha1"] {
        let text = format!(
            "apiVersion: pod-security.admission.config.k8s.io/{version}\nkind: PodSecurityConfiguration\n\
             defaults: {{enforce: baseline, warn: '', audit-version: v1.20}}\nexemptions:\n"
        );
        let levels = policies(&text).unwrap().pod_security.unwrap().defaults;
        assert_eq!(levels.enforce.to_string(), "baseline:latest");
        assert_eq!(levels.audit.to_string(), "privileged:v1.20");
    }
    let head = "apiVersion: pod-security.admission.config.k8s.io/v1\nkind: PodSecurityConfiguration\n";
    let second = format!("{head}---\n{head}");
    let mixed = format!("{head}---\n{}", podgate::policy::BUILT_IN);
    for (text, expected) in [
        (
            format!("{head}defaults: {{Enforce: baseline}}"),
            "unknown key \"Enforce\", did you mean \"enforce\"?",
        ),
        (format!("{head}more: null"), "unknown key \"more\""),
        (format!("{head}defaults: {{Warn: null}}"), "unknown key \"Warn\""),
        (format!("{head}defaults: {{enforce: Baseline}}"), "defaults.enforce: no such level \"Baseline\""),
        (
            format!("{head}defaults: {{warn-version: '1.2'}}"),
            "defaults.warn-version: no such version \"1.2\"",
        ),
        (
            format!("{head}exemptions: {{namespaces: [a, a]}}"),
            "exemptions.namespaces[1]: \"a\" stands in the list already",
        ),
        (
            format!("{head}exemptions: {{usernames: ['']}}"),
            "exemptions.usernames[0]: expected the name of a user",
        ),
        (
            format!("{head}exemptions: {{runtimeClasses: [A]}}"),
            "exemptions.runtimeClasses[0]: expected a name that a runtime",
        ),
        (head.replace("/v1", "/v2"), "apiVersion: expected"),
        (second, "a second PodSecurityConfiguration"),
        (mixed, "cannot hold together"),
    ] {
        let faults = policies(&text).unwrap_err();
        assert!(faults.iter().any(|fault| fault.contains(expected)), "{text}: {faults:?}");
    }
}

#[test]
fn labels_of_an_exempt_namespace_are_warned_of() {
    let warned = |labels: Json, old: Option<Json>| {
        let namespace = |labels: &Json| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "exempt-namespace1", "labels": labels}});
        let mut changes = json!({"name": "exempt-namespace1", "namespace": "exempt-namespace1", "object": namespace(&labels)});
        if let Some(old) = old {
            changes["operation"] = "UPDATE".into();
            changes["oldObject"] = namespace(&old);
        }
        let response = response(&[], &review("namespaces", &changes));
        assert_eq!(response["allowed"], true, "{response}");
        response["warnings"].clone()
    };
    let enforce = "pod-security.kubernetes.io/enforce";
    let expected = |policy: &str| {
        json!([format!(
            "namespace \"exempt-namespace1\" is exempt from Pod Security, and the policy ({policy}) will be ignored"
        )])
    };
    let labels = json!({enforce: "baseline", "pod-security.kubernetes.io/warn": "restricted"});
    assert_eq!(warned(labels.clone(), None), expected("enforce=baseline:latest, warn=restricted:latest"));
    assert_eq!(warned(labels, Some(json!({}))), expected("enforce=baseline:latest, warn=restricted:latest"));
    for unsaid in [json!({}), json!({enforce: "privileged"})] {
        assert_eq!(warned(unsaid, None), Json::Null);
    }
}

#[test]
fn a_version_past_the_newest_is_annotated_as_it_was_asked_for() {
    let body = review("pods", &json!({"object": pod(&json!({"hostNetwork": true}))}));
    for (version, expected) in
        [("v1.99", "baseline:v1.99"), ("v1.24", "baseline:v1.24"), ("latest", "baseline:latest")]
    {
        let response = response(&[("enforce", "baseline"), ("enforce-version", version)], &body);
        assert_eq!(response["auditAnnotations"]["enforce-policy"], expected);
    }
}

#[test]
fn what_is_found_is_told_to_whoever_logs_it() {
    let body = review("pods", &json!({"object": pod(&json!({"hostNetwork": true}))}));
    let labels = labelled(&[("enforce", "baseline")]);
    let Ok(Reply::Answer(answer)) = reviewer(labels).review(Webhook::Validate, &body, &Answers::default())
    else {
        panic!("no answer");
    };
    let found: Vec<(&str, &str)> =
        answer.decision.findings.iter().map(|(id, severity)| (*id, severity.name())).collect();
    assert_eq!(found, [("hostNamespaces", "deny")]);
}
