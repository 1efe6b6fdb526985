//! The service account that an IdentityPolicy gives a pod: whether it is there decides on the pod.

use std::collections::BTreeMap;

use podgate::admission::{LookedUp, LookupError, Reply, Reviewer, Want, Webhook};
use podgate::policy::{Policies, Snapshot, read_file};
use serde_json::{Value as Json, json};

const TRAINERS: &str = "
apiVersion: podgate.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: trainers}
spec:
  match: {namespaces: [team]}
  identity: {provider: azure, serviceAccountName: trainer-wi}
";

fn reviewer(mut snapshot: Snapshot, accounts: &[(&str, &str)]) -> Reviewer {
    let mut policies = Policies::new(Vec::new());
    read_file("f", TRAINERS, &mut policies);
    snapshot.insert("team", BTreeMap::new());
    for (namespace, name) in accounts {
        snapshot.insert_service_account(namespace, name);
    }
    Reviewer::new(policies.finish().unwrap(), snapshot)
}

/// Whether a new pod is allowed, the code of its refusal and the message, or what is wanted first.
fn mutate(reviewer: &Reviewer, looked_up: &LookedUp) -> Result<(bool, u64, String), Want> {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "team",
            "operation": "CREATE",
            "object": {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        },
    });
    let body = serde_json::to_vec(&review).unwrap();
    match reviewer.review(Webhook::Mutate, &body, looked_up).unwrap() {
        Reply::Answer(answer) => {
            let answer: Json = serde_json::from_slice(&answer.body).unwrap();
            let response = &answer["response"];
            assert_eq!(response["allowed"], response["patch"].is_string(), "{response}");
            let status = &response["status"];
            let message = status["message"].as_str().unwrap_or_default().to_owned();
            Ok((response["allowed"] == true, status["code"].as_u64().unwrap_or(200), message))
        }
        Reply::Wants(want) => Err(want),
    }
}

#[test]
fn an_account_that_is_there_is_given() {
    let looked_up = LookedUp::default();
    for accounts in [&[("team", "trainer-wi")][..], &[("team", "default"), ("team", "trainer-wi")]] {
        let answer = mutate(&reviewer(Snapshot::default(), accounts), &looked_up).unwrap();
        assert_eq!(answer, (true, 200, String::new()));
        assert_eq!(mutate(&reviewer(Snapshot::live(), accounts), &looked_up).unwrap(), answer);
    }
    // Files that name no account at all tell nothing.
    assert!(mutate(&reviewer(Snapshot::default(), &[]), &looked_up).unwrap().0);
}

#[test]
fn an_account_that_is_not_there_is_refused() {
    let expected = (
        false,
        403,
        "podgate: IdentityPolicy \"trainers\" gives this pod the service account team/trainer-wi, which is not \
         found: create it, or change the policy"
            .to_owned(),
    );
    for accounts in [[("team", "default")], [("elsewhere", "trainer-wi")]] {
        let answer = mutate(&reviewer(Snapshot::default(), &accounts), &LookedUp::default());
        assert_eq!(answer.unwrap(), expected, "{accounts:?}");
    }
    let found = LookedUp { service_account: Some(Ok(false)), ..LookedUp::default() };
    assert_eq!(mutate(&reviewer(Snapshot::live(), &[]), &found).unwrap(), expected);
}

#[test]
fn an_account_that_is_not_known_is_looked_up() {
    let live = reviewer(Snapshot::live(), &[("team", "default")]);
    match mutate(&live, &LookedUp::default()) {
        Err(Want::ServiceAccount { namespace, name }) => {
            assert_eq!((&*namespace, &*name), ("team", "trainer-wi"))
        }
        other => panic!("{other:?}"),
    }
    let found = LookedUp { service_account: Some(Ok(true)), ..LookedUp::default() };
    assert!(mutate(&live, &found).unwrap().0);
    // What cannot be looked up is not taken to be there.
    let failed = LookedUp { service_account: Some(Err(LookupError::NoCluster)), ..LookedUp::default() };
    let (allowed, code, message) = mutate(&live, &failed).unwrap();
    assert_eq!((allowed, code), (false, 500));
    assert!(message.contains("cannot be looked up") && message.contains("try again"), "{message}");
}
