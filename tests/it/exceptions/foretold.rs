//! Templates and manifests are judged as their pods will be: by the service account that an IdentityPolicy gives them, and by the
//! controller that makes them.

use podgate::admission::Webhook;
use podgate::lint::report::ObjectVerdict;
use podgate::lint::{Input, Options, run};
use podgate::policy::LookupAnswer;
use serde_json::{Value as Json, json};

use super::{LAST_DAY, adding, answer_with, policy_with, review_of, reviewer};
use crate::policies::policies;
use crate::reviews::well_formed;

const IDENTITY: &str = "---
apiVersion: podgate.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: trainers}
spec:
  match: {namespaces: [team], podSelector: {matchLabels: {app: trainer}}, sourceServiceAccounts: [default]}
  identity: {provider: azure, serviceAccountName: trainer-wi}
";
const ACCOUNTS: &str = "
apiVersion: v1
kind: ServiceAccount
metadata:
  name: trainer-wi
  namespace: team
  annotations: {azure.workload.identity/client-id: 11111111-2222-4333-8444-555555555555}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default, namespace: team}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: use, namespace: team}
rules:
- {apiGroups: [podgate.dev], resources: [securityexceptions], resourceNames: [e0], verbs: [use]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: use, namespace: team}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: use}
subjects: [{kind: ServiceAccount, name: HOLDER, namespace: team}]
";

/// An exception to the capability that the pods of these tests add.
fn memlock(more: &str) -> String {
    format!("{{controls: [capabilities_restricted], values: [IPC_LOCK], {more}}}")
}

/// An object of a kind with a pod that adds a capability, and its group, version, kind and resource.
fn object(kind: &str) -> (Json, (&'static str, &'static str, &'static str, &'static str)) {
    let pod = adding(&["IPC_LOCK"]);
    let template = json!({"metadata": {"labels": {"app": "trainer"}}, "spec": pod["spec"]});
    let workload = json!({"selector": {"matchLabels": {"app": "trainer"}}, "template": template});
    let (of, spec) = match kind {
        "Pod" => (("", "v1", "Pod", "pods"), pod["spec"].clone()),
        "Deployment" => (("apps", "v1", "Deployment", "deployments"), workload),
        "StatefulSet" => (("apps", "v1", "StatefulSet", "statefulsets"), workload),
        "Job" => (("batch", "v1", "Job", "jobs"), json!({"template": template})),
        "CronJob" => (
            ("batch", "v1", "CronJob", "cronjobs"),
            json!({"schedule": "@daily", "jobTemplate": {"spec": {"template": template}}}),
        ),
        "PyTorchJob" => (
            ("kubeflow.org", "v1", "PyTorchJob", "pytorchjobs"),
            json!({"pytorchReplicaSpecs": {"Worker": {"replicas": 1, "template": template}}}),
        ),
        _ => panic!("{kind}"),
    };
    let api_version = if of.0.is_empty() { of.1.to_owned() } else { format!("{}/{}", of.0, of.1) };
    let metadata = json!({"name": "p", "namespace": "team", "labels": {"app": "trainer"}});
    (json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}), of)
}

/// What the linter says of an object; the right to use the exception is the holder's.
fn linted(policy: &str, object: &Json, holder: &str) -> ObjectVerdict {
    let text = [object.to_string(), ACCOUNTS.replace("HOLDER", holder)].join("\n---\n");
    let input = Input::Text { name: "f.yaml".to_owned(), text };
    let today = Some(LAST_DAY.parse().unwrap());
    let report = run(&[input], Options { policies: policies(policy), today, ..Options::default() });
    let kind = object["kind"].as_str().unwrap();
    let judged = report.objects.iter().find(|judged| judged.kind == kind).expect("the object");
    // The last day of an exception is warned of.
    if judged.verdict == ObjectVerdict::Warn { ObjectVerdict::Allow } else { judged.verdict }
}

/// Whether the object is let be by `/validate`, with every warning but that of the last day, and whose right was asked about.
fn reviewed(
    policy: &str,
    (object, of): &(Json, (&str, &str, &str, &str)),
) -> (bool, Vec<String>, Vec<String>) {
    let mut asked = Vec::new();
    let body = review_of(*of, object);
    let answer = answer_with(&reviewer(policy), (Webhook::Validate, LAST_DAY), &body, |lookup| {
        asked.push(lookup.to_string());
        Ok(LookupAnswer::Grants(vec!["e0".into()]))
    });
    let response = well_formed("foretold", Webhook::Validate, "u", &answer.body);
    let warnings = response["warnings"].as_array().into_iter().flatten();
    let warnings = warnings.map(|warning| warning.as_str().unwrap().to_owned());
    let warnings = warnings.filter(|warning| !warning.contains("ends today")).collect();
    (response["allowed"] == true, warnings, asked)
}

#[test]
fn the_account_that_a_policy_gives_counts_and_not_the_one_that_is_written() {
    use ObjectVerdict::{Allow, Deny};
    for kind in ["Pod", "Deployment", "Job", "CronJob", "PyTorchJob"] {
        let (object, _) = object(kind);
        for (more, identity, holder, expected) in [
            ("when: {serviceAccounts: [trainer-wi]}", IDENTITY, "nobody", Allow),
            ("when: {serviceAccounts: [trainer-wi]}", "", "nobody", Deny),
            ("when: {serviceAccounts: [default]}", IDENTITY, "nobody", Deny),
            ("when: {serviceAccounts: [default]}", "", "nobody", Allow),
            ("grantedBy: rbac", IDENTITY, "trainer-wi", Allow),
            ("grantedBy: rbac", IDENTITY, "default", Deny),
            ("grantedBy: rbac", "", "default", Allow),
            ("grantedBy: rbac", "", "trainer-wi", Deny),
        ] {
            let policy = [policy_with("", &[&memlock(more)]), identity.to_owned()].concat();
            assert_eq!(linted(&policy, &object, holder), expected, "{kind} {more} {holder} {identity}");
        }
    }
}

#[test]
fn the_webhook_foretells_it_of_templates() {
    for kind in ["Deployment", "Job", "CronJob", "PyTorchJob"] {
        let object = object(kind);
        for (account, identity, is_allowed) in [
            ("trainer-wi", IDENTITY, true),
            ("trainer-wi", "", false),
            ("default", IDENTITY, false),
            ("default", "", true),
        ] {
            let more = memlock(&format!("when: {{serviceAccounts: [{account}]}}"));
            let policy = [policy_with("  templates: Enforce\n", &[&more]), identity.to_owned()].concat();
            assert_eq!(reviewed(&policy, &object), (is_allowed, Vec::new(), Vec::new()), "{kind} {account}");
            // Where nothing is refused, what is said is a warning.
            let policy = [policy_with("", &[&more]), identity.to_owned()].concat();
            let (allowed, warnings, _) = reviewed(&policy, &object);
            assert_eq!((allowed, warnings.is_empty()), (true, is_allowed), "{kind} {account} {warnings:?}");
        }
    }
    let granted = policy_with("  templates: Enforce\n", &[&memlock("grantedBy: rbac")]);
    let (is_allowed, _, asked) = reviewed(&[granted.as_str(), IDENTITY].concat(), &object("Deployment"));
    assert!(is_allowed && asked.len() == 1 && asked[0].contains("trainer-wi"), "{asked:?}");
}

#[test]
fn the_controller_that_will_make_the_pods_counts() {
    use ObjectVerdict::{Allow, Deny, Unresolved};
    for (kind, owner, expected) in [
        ("Deployment", "ReplicaSet", Allow),
        ("Deployment", "Deployment", Deny),
        ("StatefulSet", "StatefulSet", Allow),
        ("Job", "Job", Allow),
        ("CronJob", "Job", Allow),
        ("CronJob", "CronJob", Deny),
        ("Pod", "Job", Deny),
        // Its operator may make the pods itself, or leave that to others.
        ("PyTorchJob", "PyTorchJob", Unresolved),
        ("PyTorchJob", "Job", Unresolved),
    ] {
        let more = memlock(&format!("when: {{ownerKinds: [{owner}]}}"));
        let (object, of) = object(kind);
        assert_eq!(linted(&policy_with("", &[&more]), &object, "nobody"), expected, "{kind} {owner}");
        let enforcing = policy_with("  templates: Enforce\n", &[&more]);
        let reviewed = reviewed(&enforcing, &(object, of));
        assert_eq!(reviewed, (expected != Deny, Vec::new(), Vec::new()), "{kind} {owner}");
    }
}

/// No controller copies them.
#[test]
fn owner_references_of_a_template_have_no_effect() {
    for kind in ["Deployment", "Job"] {
        let (mut object, of) = object(kind);
        object["spec"]["template"]["metadata"]["ownerReferences"] = json!([{"apiVersion": "ray.io/v1", "kind": "RayCluster", "name": "o", "uid": "x", "controller": true}]);
        let more = memlock("when: {ownerKinds: [RayCluster]}");
        assert_eq!(linted(&policy_with("", &[&more]), &object, "nobody"), ObjectVerdict::Deny);
        let enforcing = policy_with("  templates: Enforce\n", &[&more]);
        assert!(!reviewed(&enforcing, &(object, of)).0);
    }
}
