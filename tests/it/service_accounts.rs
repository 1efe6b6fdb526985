//! The service account that an IdentityPolicy gives a pod: whether it is there decides on the pod.

use std::collections::BTreeMap;

use podgate::admission::{Reply, Reviewer, Webhook};
use podgate::identity::ServiceAccount;
use podgate::policy::{Answers, Lookup, LookupAnswer, LookupError, Snapshot};
use serde_json::{Value as Json, json};

use crate::policies::policies;

const TRAINERS: &str = "
apiVersion: podgate.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: trainers}
spec:
  match: {namespaces: [team]}
  identity: {provider: azure, serviceAccountName: trainer-wi}
";

/// A service account with what Azure needs of it.
fn in_order() -> ServiceAccount {
    let client_id = "0a0a0a0a-1111-4222-8333-444444444444";
    ServiceAccount::new([("azure.workload.identity/client-id", client_id)], [])
}

fn reviewer(mut snapshot: Snapshot, accounts: &[(&str, &str)]) -> Reviewer {
    snapshot.insert("team", BTreeMap::new());
    for (namespace, name) in accounts {
        snapshot.insert_service_account(namespace, name, in_order());
    }
    Reviewer::new(policies(TRAINERS), snapshot)
}

/// The service account of the policy.
fn account() -> Lookup {
    Lookup::ServiceAccount { namespace: "team".to_owned(), name: "trainer-wi".to_owned() }
}

/// That it was looked up.
fn found(exists: Result<bool, LookupError>) -> Answers {
    Answers::from([(account(), exists.map(|exists| LookupAnswer::ServiceAccount(exists.then(in_order))))])
}

/// Whether a new pod is allowed, the code of its refusal and the message, or what is wanted first.
fn mutate(reviewer: &Reviewer, answers: &Answers) -> Result<(bool, u64, String), Lookup> {
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
    match reviewer.review(Webhook::Mutate, &body, answers).unwrap() {
        Reply::Answer(answer) => {
            let answer: Json = serde_json::from_slice(&answer.body).unwrap();
            let response = &answer["response"];
            assert_eq!(response["allowed"], response["patch"].is_string(), "{response}");
            let status = &response["status"];
            let message = status["message"].as_str().unwrap_or_default().to_owned();
            Ok((response["allowed"] == true, status["code"].as_u64().unwrap_or(200), message))
        }
        Reply::NeedsLookup(lookup) => Err(lookup),
    }
}

#[test]
fn an_account_that_is_there_is_given() {
    let answers = Answers::default();
    for accounts in [&[("team", "trainer-wi")][..], &[("team", "default"), ("team", "trainer-wi")]] {
        let answer = mutate(&reviewer(Snapshot::default(), accounts), &answers).unwrap();
        assert_eq!(answer, (true, 200, String::new()));
        assert_eq!(mutate(&reviewer(Snapshot::live(), accounts), &answers).unwrap(), answer);
    }
    // Files that name no account at all tell nothing.
    assert!(mutate(&reviewer(Snapshot::default(), &[]), &answers).unwrap().0);
}

#[test]
fn an_account_that_is_not_there_is_refused() {
    let expected = (
        false,
        403,
        "podgate: IdentityPolicy \"trainers\" gives this pod the service account team/trainer-wi, which is not \
         found: create it, or change the policy. Its subject for the federated credential is \
         system:serviceaccount:team:trainer-wi"
            .to_owned(),
    );
    for accounts in [[("team", "default")], [("elsewhere", "trainer-wi")]] {
        let answer = mutate(&reviewer(Snapshot::default(), &accounts), &Answers::default());
        assert_eq!(answer.unwrap(), expected, "{accounts:?}");
    }
    let answers = found(Ok(false));
    assert_eq!(mutate(&reviewer(Snapshot::live(), &[]), &answers).unwrap(), expected);
}

#[test]
fn an_account_that_is_not_known_is_looked_up() {
    let live = reviewer(Snapshot::live(), &[("team", "default")]);
    assert_eq!(mutate(&live, &Answers::default()), Err(account()));
    let answers = found(Ok(true));
    assert!(mutate(&live, &answers).unwrap().0);
    // What cannot be looked up is not taken to be there.
    let failed = found(Err(LookupError::NoCluster));
    let (allowed, code, message) = mutate(&live, &failed).unwrap();
    assert_eq!((allowed, code), (false, 500));
    assert!(message.contains("cannot be looked up") && message.contains("try again"), "{message}");
}
