//! Exceptions: what they let be and what not, until when, and for whom; from a policy file and a review to the answer.

mod asked;
mod checked;
mod example;
mod faults;
mod foretold;
mod grants;
mod linted;
mod narrow;
mod until;

use podgate::admission::{Answer, Reviewer, Webhook};
use podgate::policy::{Answers, Lookup, LookupAnswer, LookupError, Snapshot};
use serde_json::{Value as Json, json};

use crate::policies::policies;
use crate::reviews::{apply, well_formed};

/// The last day of the exceptions of these tests.
const LAST_DAY: &str = "2027-03-31";

/// A policy of the restricted standard, filling in, with these exceptions, each a YAML object without what all need.
fn policy(exceptions: &[&str]) -> String {
    policy_with("", exceptions)
}

/// The same with `more` in its spec.
fn policy_with(more: &str, exceptions: &[&str]) -> String {
    let mut text = format!(
        "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: ml}}\nspec:\n  match: {{namespaces: [team]}}\n  \
         standard: {{enforce: restricted:latest}}\n  defaults: {{securityContext: Restricted}}\n{more}  exceptions:\n"
    );
    for (index, exception) in exceptions.iter().enumerate() {
        let given = exception.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(exception);
        text.push_str(&format!(
            "  - {{name: e{index}, reason: because, owner: ask-me, expires: {LAST_DAY}, {given}}}\n"
        ));
    }
    text
}

fn reviewer(policy: &str) -> Reviewer {
    Reviewer::new(policies(policy), Snapshot::live())
}

/// A pod in order, with this changed in its spec and in its one container, and these labels.
#[expect(clippy::needless_pass_by_value, reason = "they are written where it is called")]
fn pod(spec: Json, container: Json) -> Json {
    let mut whole = json!({
        "metadata": {"name": "p", "labels": {"app": "trainer"}},
        "spec": {"containers": [{
            "name": "main", "image": "registry.example.com/nccl:1",
            "securityContext": {
                "allowPrivilegeEscalation": false, "runAsNonRoot": true, "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        }]},
    });
    json_patch::merge(&mut whole["spec"]["containers"][0], &container);
    json_patch::merge(&mut whole["spec"], &spec);
    whole
}

fn adding(capabilities: &[&str]) -> Json {
    pod(json!({}), json!({"securityContext": {"capabilities": {"add": capabilities}}}))
}

fn review(pod: &Json) -> Vec<u8> {
    review_of(("", "v1", "Pod", "pods"), pod)
}

/// A review of a new object of this group, version, kind and resource.
fn review_of((group, version, kind, resource): (&str, &str, &str, &str), object: &Json) -> Vec<u8> {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u", "operation": "CREATE", "namespace": "team", "name": "p",
        "kind": {"group": group, "version": version, "kind": kind},
        "resource": {"group": group, "version": version, "resource": resource},
        "object": object, "dryRun": false}})
    .to_string()
    .into_bytes()
}

/// The answer on a day; what it asks RBAC for is told by `grants`.
fn answer_with<'b>(
    reviewer: &Reviewer,
    (webhook, day): (Webhook, &str),
    body: &'b [u8],
    mut grants: impl FnMut(&Lookup) -> Result<LookupAnswer, LookupError>,
) -> Answer<'b> {
    let answers = Answers::on(day.parse().unwrap());
    let resolve = |lookup: &Lookup| match lookup {
        Lookup::Namespace(_) => Ok(LookupAnswer::Namespace(None)),
        Lookup::Grants { .. } => grants(lookup),
        Lookup::ServiceAccount { .. }
        | Lookup::Bound { .. }
        | Lookup::IdentityRight { .. }
        | Lookup::PodIdentities
        | Lookup::PodsIn(_) => panic!("{lookup}"),
    };
    reviewer.answer(webhook, body, answers, resolve).unwrap()
}

fn nobody(lookup: &Lookup) -> Result<LookupAnswer, LookupError> {
    panic!("nothing has to be looked up: {lookup:?}")
}

/// The response of `/validate` on a day.
fn judged(reviewer: &Reviewer, day: &str, pod: &Json) -> Json {
    let body = review(pod);
    well_formed(
        "exceptions",
        Webhook::Validate,
        "u",
        &answer_with(reviewer, (Webhook::Validate, day), &body, nobody).body,
    )
}

/// The text of a refusal on one line; empty if the pod is allowed.
fn refusal(response: &Json) -> String {
    let text = response["status"]["message"].as_str().unwrap_or_default();
    assert_eq!(response["allowed"] == true, text.is_empty(), "{response}");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What `/mutate` makes of a pod.
fn mutated(reviewer: &Reviewer, pod: &Json) -> Json {
    let body = review(pod);
    let answer = answer_with(reviewer, (Webhook::Mutate, LAST_DAY), &body, nobody);
    let mut made = pod.clone();
    apply("exceptions", &well_formed("exceptions", Webhook::Mutate, "u", &answer.body), &mut made);
    made
}
