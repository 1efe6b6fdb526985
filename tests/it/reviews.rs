//! Reviews as a real API server sent them, and whole answers as a person or a program reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use podgate::admission::{Operation, Outcome, Reviewer, Webhook};
use podgate::controls::Standard;
use podgate::evaluate::by_standard;
use podgate::json::Reader;
use podgate::lint::read_objects;
use podgate::pod::Pod;
use podgate::policy::{BUILT_IN, Namespaces, Policies, PolicySet, SYSTEM_NAMESPACES, read_file};
use serde_json::{Value as Json, json};

const LABEL: (&str, &str) = ("podgate.dev/policy", "ml-restricted");
/// Longest warning, and longest first line of a refusal before its code.
const LONGEST: usize = 120;

/// The built-in policy, and others beside it.
pub(crate) fn built_in(others: &[&str]) -> PolicySet {
    let reserved = SYSTEM_NAMESPACES.iter().chain(&["podgate-system"]).map(ToString::to_string);
    let mut policies = Policies::new(reserved.collect());
    for text in others.iter().chain(&[BUILT_IN]) {
        read_file("a policy", text, &mut policies);
    }
    policies.finish().unwrap()
}

/// Namespaces with the label of the built-in policy.
pub(crate) fn labelled(names: &[&str]) -> Namespaces {
    let mut namespaces = Namespaces::default();
    for name in names {
        namespaces.insert(*name, BTreeMap::from([(LABEL.0.to_owned(), LABEL.1.to_owned())]));
    }
    namespaces
}

/// The built-in policy, for these namespaces.
pub(crate) fn gate(names: &[&str]) -> Reviewer {
    Reviewer::new(built_in(&[]), labelled(names))
}

/// Asserts that an answer is one that the API server takes as it is meant, and returns its `response`.
#[track_caller]
pub(crate) fn well_formed(what: &str, webhook: Webhook, uid: &str, body: &[u8]) -> Json {
    let review: Json = serde_json::from_slice(body).expect(what);
    assert_eq!(review["apiVersion"], "admission.k8s.io/v1", "{what}");
    assert_eq!(review["kind"], "AdmissionReview", "{what}");
    assert_eq!(keys(&review), ["apiVersion", "kind", "response"], "{what}");
    let response = &review["response"];
    assert_eq!(response["uid"], uid, "{what}");
    assert_eq!(keys(response).len(), response.as_object().unwrap().len());
    let allowed = response["allowed"].as_bool().expect(what);
    let status = &response["status"];
    if allowed {
        assert!(status.is_null(), "{what}: {response}");
    } else {
        assert!(status["code"].as_u64().unwrap() >= 400, "{what}: {response}");
        assert_eq!(status["status"], "Failure", "{what}");
        assert!(!status["message"].as_str().unwrap().is_empty(), "{what}");
    }
    match (response.get("patchType"), response.get("patch")) {
        (None, None) => {}
        (Some(kind), Some(patch)) => {
            assert!(allowed && webhook == Webhook::Mutate, "{what}: {response}");
            assert_eq!(kind, "JSONPatch", "{what}");
            assert!(!patch.as_str().unwrap().is_empty(), "{what}");
        }
        _ => panic!("{what}: half a patch in {response}"),
    }
    let mut seen = BTreeSet::new();
    for warning in strings(response.get("warnings")) {
        assert!(warning.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{what}: {warning:?}");
        assert!(warning.len() <= LONGEST, "{what}: {} characters in {warning:?}", warning.len());
        assert!(seen.insert(warning), "{what}: twice {warning:?}");
    }
    assert!(seen.iter().map(|warning| warning.len()).sum::<usize>() <= 4096, "{what}: too much to warn of");
    for (key, value) in response.get("auditAnnotations").and_then(Json::as_object).into_iter().flatten() {
        let is_qualified = key.len() <= 63
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            && key.starts_with(|first: char| first.is_ascii_alphanumeric())
            && key.ends_with(|last: char| last.is_ascii_alphanumeric());
        assert!(is_qualified, "{what}: {key}");
        assert!(!value.as_str().unwrap().is_empty(), "{what}: {key}");
    }
    response.clone()
}

fn keys(object: &Json) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

fn strings(list: Option<&Json>) -> Vec<&str> {
    list.and_then(Json::as_array).into_iter().flatten().map(|text| text.as_str().unwrap()).collect()
}

/// Applies the patch of a response, if there is one, and says whether there was.
#[track_caller]
pub(crate) fn apply(what: &str, response: &Json, object: &mut Json) -> bool {
    let Some(patch) = response.get("patch").and_then(Json::as_str) else { return false };
    let patch: json_patch::Patch = serde_json::from_slice(&BASE64.decode(patch).unwrap()).unwrap();
    assert!(!patch.0.is_empty(), "{what}");
    json_patch::patch(object, &patch).unwrap_or_else(|error| panic!("{what}: {error}"));
    true
}

// ---- recorded reviews

struct Recorded {
    what: String,
    webhook: Webhook,
    body: Vec<u8>,
    request: Json,
    upstream: Option<Json>,
}

impl Recorded {
    fn is_created_pod(&self) -> bool {
        let request = &self.request;
        request["resource"]["resource"] == "pods"
            && request["operation"] == "CREATE"
            && request["subResource"].as_str().unwrap_or_default().is_empty()
    }

    #[track_caller]
    fn answer(&self, reviewer: &Reviewer) -> Json {
        let answer = reviewer.review(self.webhook, &self.body).expect(&self.what);
        let uid = self.request["uid"].as_str().unwrap();
        let decision = &answer.decision;
        assert_eq!(decision.uid, uid, "{}", self.what);
        assert_eq!(decision.namespace, self.request["namespace"].as_str().unwrap_or_default());
        let operation = match self.request["operation"].as_str().unwrap() {
            "CREATE" => Operation::Create,
            "UPDATE" => Operation::Update,
            "DELETE" => Operation::Delete,
            _ => Operation::Connect,
        };
        assert_eq!(decision.operation, Some(operation), "{}", self.what);
        assert_ne!(decision.outcome, Outcome::Error, "{}: {}", self.what, decision.error);
        let response = well_formed(&self.what, self.webhook, uid, &answer.body);
        apply(&self.what, &response, &mut self.request["object"].clone());
        response
    }
}

/// What a real API server sent; nothing where `RECORDED_REVIEWS` does not name the folder.
fn recorded() -> Option<(Vec<Recorded>, Namespaces)> {
    let Some(folder) = std::env::var_os("RECORDED_REVIEWS") else {
        eprintln!("skipped: RECORDED_REVIEWS does not name the folder of recorded reviews");
        return None;
    };
    let folder = Path::new(&folder);
    let lines = fs::read_to_string(folder.join("reviews.jsonl")).unwrap();
    let recorded: Vec<Recorded> = lines
        .lines()
        .enumerate()
        .map(|(index, line)| {
            let line: Json = serde_json::from_str(line).unwrap();
            let request = line["review"]["request"].clone();
            let webhook = if line["webhook"] == "mutate" { Webhook::Mutate } else { Webhook::Validate };
            Recorded {
                what: format!(
                    "line {}: {webhook:?} {} {} {}/{}",
                    index + 1,
                    request["operation"],
                    request["resource"]["resource"],
                    request["namespace"],
                    request["name"]
                ),
                webhook,
                body: serde_json::to_vec(&line["review"]).unwrap(),
                request,
                upstream: line.get("upstream").cloned(),
            }
        })
        .collect();
    assert_eq!(recorded.len(), 117);
    let mut namespaces = Namespaces::default();
    let text = fs::read_to_string(folder.join("namespaces.yaml")).unwrap();
    let unread = read_objects("namespaces.yaml", &text, &mut namespaces);
    assert!(unread.is_empty(), "{unread:?}");
    Some((recorded, namespaces))
}

fn namespaces_of(recorded: &[Recorded]) -> BTreeSet<&str> {
    recorded.iter().filter_map(|review| review.request["namespace"].as_str()).collect()
}

/// No namespace of the recording opts in.
#[test]
fn recorded_reviews_pass_a_gate_that_nobody_asked_for() {
    let Some((recorded, mut namespaces)) = recorded() else { return };
    // Namespaces that were refused at their creation, or exempt, are not among the recorded ones.
    for name in namespaces_of(&recorded) {
        if namespaces.labels(name).is_none() {
            namespaces.insert(name, BTreeMap::new());
        }
    }
    let reviewer = Reviewer::new(built_in(&[]), namespaces);
    for review in &recorded {
        let response = review.answer(&reviewer);
        assert_eq!(response["allowed"], true, "{}: {response}", review.what);
        assert_eq!(response.get("patch"), None, "{}: {response}", review.what);
        assert_eq!(response.get("warnings"), None, "{}: {response}", review.what);
    }
}

#[test]
fn recorded_pods_are_judged_where_a_namespace_asks_for_it() {
    let Some((recorded, _)) = recorded() else { return };
    let names: Vec<&str> = namespaces_of(&recorded).into_iter().collect();
    let reviewer = gate(&names);
    let restricted: Standard = "restricted:latest".parse().unwrap();
    let (mut denied, mut patched, mut judged, mut warned) = (0, 0, 0, 0);
    for review in &recorded {
        let response = review.answer(&reviewer);
        let allowed = response["allowed"] == true;
        let is_patched = response.get("patch").is_some();
        if !review.is_created_pod() {
            assert!(!is_patched, "{}: {response}", review.what);
            if review.request["resource"]["resource"] != "pods" {
                assert!(allowed, "{}: {response}", review.what);
                warned += usize::from(response.get("warnings").is_some());
            }
            continue;
        }
        let object = &review.request["object"];
        let text = object.to_string();
        let pod = Pod::read(&mut Reader::over(&text)).unwrap();
        let is_known = |volume: &Json| {
            let sources: Vec<&str> = keys(volume).into_iter().filter(|key| *key != "name").collect();
            let allowed =
                ["configMap", "downwardAPI", "emptyDir", "persistentVolumeClaim", "projected", "secret"];
            sources.iter().all(|source| allowed.contains(source))
        };
        let volumes = object["spec"]["volumes"].as_array().cloned().unwrap_or_default();
        let is_good = by_standard(&restricted, &pod).is_empty() && volumes.iter().all(is_known);
        judged += 1;
        match review.webhook {
            Webhook::Validate => {
                assert_eq!(allowed, is_good, "{}: {response}", review.what);
                denied += usize::from(!allowed);
            }
            Webhook::Mutate => {
                assert!(allowed, "{}: {response}", review.what);
                assert!(!is_patched || !is_good, "{}: {response}", review.what);
                patched += usize::from(is_patched);
                let mut after = review.request.clone();
                apply(&review.what, &response, &mut after["object"]);
                let again = json!({ "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": after }).to_string();
                let again = reviewer.review(Webhook::Mutate, again.as_bytes()).unwrap();
                assert_eq!(again.decision.outcome, Outcome::Allowed, "{}", review.what);
            }
        }
    }
    eprintln!("{judged} created pods: {denied} refused, {patched} patched; {warned} templates warned of");
    assert!(judged > 5 && denied > 2 && warned > 2, "{judged} {denied} {warned}");
}

/// Upstream's own refusals: ours tells the same detail to the audit log.
#[test]
fn recorded_refusals_are_told_as_upstream_told_them() {
    let Some((recorded, namespaces)) = recorded() else { return };
    let mut told = 0;
    for review in &recorded {
        let Some(upstream) = &review.upstream else { continue };
        if upstream["allowed"] == true || review.request["resource"]["resource"] != "pods" {
            continue;
        }
        let message = upstream["status"]["message"].as_str().unwrap();
        let (_, violation) = message.split_once("violates ").unwrap();
        let standard = upstream["auditAnnotations"]["enforce-policy"].as_str().unwrap().parse().unwrap();
        let reviewer = Reviewer::new(PolicySet::of_standard(&standard), namespaces.clone());
        let response = review.answer(&reviewer);
        assert_eq!(response["allowed"], false, "{}", review.what);
        let audit = &response["auditAnnotations"];
        assert_eq!(
            audit["enforce-policy"], upstream["auditAnnotations"]["enforce-policy"],
            "{}",
            review.what
        );
        assert_eq!(audit["audit-violations"], format!("would violate {violation}"), "{}", review.what);
        assert_eq!(response["status"]["code"], upstream["status"]["code"], "{}", review.what);
        assert_eq!(response["status"]["reason"], upstream["status"]["reason"], "{}", review.what);
        assert_eq!(response["status"]["details"]["kind"], upstream["status"]["details"]["kind"]);
        assert_eq!(response["status"]["details"]["name"], upstream["status"]["details"]["name"]);
        told += 1;
    }
    assert_eq!(told, 3);
}
