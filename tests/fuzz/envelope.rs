//! A whole AdmissionReview, asked of both webhooks, as a gate and in drop-in mode.
//!
//! What was read whole is written anew by `serde_json`, the uid first and the other members in the order of their
//! keys, so that the object comes before what says how to read it; the answer must be the same.

use std::sync::LazyLock;

use podgate::admission::{Reviewer, Webhook, refuse};
use podgate::policy::BUILT_IN;
use serde_json::{Value as Json, json};

use super::{
    NAMESPACE, answer, changes_when_rewritten, is_one_line, is_plainly_forbidden, pod, policies, snapshot,
    within_memory,
};

/// No answer is longer, whatever is asked.
const LONGEST_ANSWER: usize = 512 * 1024;
/// Longest uid that is answered to, and longest message about what cannot be read.
const LONGEST: usize = 256;

const DROP_IN: &str = "
apiVersion: pod-security.admission.config.k8s.io/v1
kind: PodSecurityConfiguration
defaults: {enforce: restricted, warn: baseline, audit: 'restricted', audit-version: v1.24}
";

static REVIEWERS: LazyLock<[Reviewer; 2]> =
    LazyLock::new(|| [BUILT_IN, DROP_IN].map(|text| Reviewer::new(policies(text), snapshot())));

pub fn check(body: &[u8]) {
    let theirs = serde_json::from_slice::<Json>(body).ok();
    let rewritten = theirs.as_ref().and_then(rewrite);
    for reviewer in REVIEWERS.iter() {
        let [validated, mutated] = [Webhook::Validate, Webhook::Mutate].map(|webhook| {
            let response = respond(reviewer, webhook, body);
            if let Some(rewritten) = &rewritten {
                check_rewritten(reviewer, webhook, &response, (body, rewritten));
            }
            response
        });
        if let Some(theirs) = theirs.as_ref().filter(|review| is_of_forbidden_pod(review)) {
            assert_ne!(validated["allowed"], true, "a forbidden pod is let through: {theirs}");
        }
        if !reviewer.is_pod_security() {
            let unread = |response: &Json| matches!(response["status"]["code"].as_u64(), Some(400 | 413));
            assert_eq!(unread(&validated), unread(&mutated), "one of the webhooks can read it");
        }
    }
}

/// The response to a review, of which everything that holds of every response is asserted; `null` for none.
fn respond(reviewer: &Reviewer, webhook: Webhook, body: &[u8]) -> Json {
    let answer = match within_memory(pod::MEMORY_TIMES, body, || answer(reviewer, webhook, body)) {
        Ok(answer) => answer,
        Err(error) => {
            is_one_line(&error.message, LONGEST);
            return Json::Null;
        }
    };
    assert!(answer.body.len() <= LONGEST_ANSWER, "an answer of {} bytes", answer.body.len());
    let review: Json = serde_json::from_slice(&answer.body).expect("an answer is JSON");
    let response = &review["response"];
    assert_eq!(response["uid"], answer.decision.uid.as_ref());
    let code = response["status"]["code"].as_u64();
    assert_eq!(u64::from(answer.decision.code), code.unwrap_or(200), "{response}");
    match response["allowed"].as_bool().expect("allowed or not") {
        true => assert!(response.get("status").is_none(), "{response}"),
        false => assert!(code.is_some_and(|code| code >= 400), "{response}"),
    }
    let has_patch = response.get("patch").is_some();
    assert_eq!(has_patch, response.get("patchType").is_some(), "half a patch: {response}");
    assert!(!has_patch || (webhook == Webhook::Mutate && response["allowed"] == true), "{response}");
    check_refusal(webhook, body, &answer.decision.uid, code);
    response.clone()
}

/// A review that fails for another reason is still answered to its uid, whatever was read of it.
fn check_refusal(webhook: Webhook, body: &[u8], uid: &str, code: Option<u64>) {
    match refuse(webhook, body, 504, "too late") {
        Ok(refused) => {
            let review: Json = serde_json::from_slice(&refused.body).expect("an answer is JSON");
            let response = &review["response"];
            assert_eq!((&response["uid"], &response["allowed"]), (&json!(uid), &json!(false)));
            assert_eq!(response["status"]["code"], 504);
        }
        // A gate may have stopped before a second uid.
        Err(_) => assert!(matches!(code, Some(400 | 413)), "no answer to {uid}"),
    }
}

/// The same review in other words; `None` where `serde_json` cannot tell them, or there is no uid to answer to.
fn rewrite(review: &Json) -> Option<Vec<u8>> {
    let request = review.get("request")?.as_object()?;
    let uid = request.get("uid")?.as_str()?;
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && !b"\"\\".contains(&byte);
    if uid.is_empty() || uid.len() > LONGEST || !uid.bytes().all(is_plain) {
        return None;
    }
    let mut text = format!(r#"{{"request":{{"uid":{}"#, json!(uid));
    push_members(&mut text, request, "uid");
    text.push('}');
    push_members(&mut text, review.as_object()?, "request");
    text.push('}');
    Some(text.into_bytes())
}

fn push_members(text: &mut String, members: &serde_json::Map<String, Json>, without: &str) {
    for (key, value) in members.iter().filter(|(key, _)| *key != without) {
        text.push_str(&format!(",{}:{value}", json!(key)));
    }
}

/// Asserts that the same review in other words has an answer, and the same one if it was read whole.
fn check_rewritten(
    reviewer: &Reviewer,
    webhook: Webhook,
    response: &Json,
    (body, rewritten): (&[u8], &[u8]),
) {
    let again = respond(reviewer, webhook, rewritten);
    assert!(again.is_object(), "no answer to a uid that comes first");
    if is_read(response) && !changes_when_rewritten(body) {
        assert_eq!(essence(response), essence(&again), "in other words it has another answer");
        assert_eq!(headline(response), headline(&again));
    }
}

/// Whether a review was read whole. What cannot be read is told with the byte at which it cannot, in drop-in mode in an
/// annotation; and of two keys that are equal `serde_json` takes the second, where the first is at fault.
fn is_read(response: &Json) -> bool {
    let is_undecoded = |error: &str| error.starts_with("failed to decode object: ");
    response.is_object()
        && !matches!(response["status"]["code"].as_u64(), Some(400 | 413))
        && !response["auditAnnotations"]["error"].as_str().is_some_and(is_undecoded)
}

/// What of a response does not hang on the order of the text. That of a refusal's lines, of its causes and of warnings
/// does, and there is an end to them.
fn essence(response: &Json) -> [&Json; 5] {
    let status = &response["status"];
    [
        &response["allowed"],
        &status["code"],
        &status["reason"],
        &response["patch"],
        &response["auditAnnotations"],
    ]
}

/// The first line of a refusal.
fn headline(response: &Json) -> Option<&str> {
    response["status"]["message"].as_str()?.lines().next()
}

/// Whether it asks about a new pod in the namespace of the policies that nobody may have.
fn is_of_forbidden_pod(review: &Json) -> bool {
    let request = &review["request"];
    let is_empty = |value: &Json| value.is_null() || *value == "";
    let (resource, kind) = (&request["resource"], &request["kind"]);
    request["operation"] == "CREATE"
        && request["namespace"] == NAMESPACE
        && resource["resource"] == "pods"
        && is_empty(&resource["group"])
        && kind["kind"] == "Pod"
        && is_empty(&kind["group"])
        && ["subResource", "requestSubResource"].iter().all(|key| is_empty(&request[*key]))
        && is_plainly_forbidden(&request["object"])
}
