//! Reviews as a real API server sent them, and whole answers as a person or a program reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use podgate::admission::{Operation, Outcome, Reply, Reviewer, Webhook};
use podgate::controls::Standard;
use podgate::evaluate::by_standard;
use podgate::json::Reader;
use podgate::lint::{Objects, read_objects};
use podgate::pod::Pod;
use podgate::policy::{Answers, BUILT_IN, Lookup, LookupAnswer, LookupError, PolicySet, Snapshot};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::pods::{Alone as _, any_pod, cases, json_of};
use crate::policies::{self, policies};
use crate::real_data::{self, RECORDED};
use crate::requests::creation;

const LABEL: (&str, &str) = ("podgate.dev/policy", "ml-restricted");
/// The namespace that pods are made in.
pub(crate) const MADE_IN: &str = "ml-team-a";
/// What Kubernetes' own warnings begin with, in drop-in mode.
const UPSTREAM: &str = "would violate PodSecurity ";
/// Longest warning, and longest first line of a refusal before its code.
const LONGEST: usize = 120;

/// The built-in policy, and others beside it.
pub(crate) fn built_in(others: &[&str]) -> PolicySet {
    let files: Vec<_> = others.iter().chain(&[BUILT_IN]).map(|text| ("a policy", *text)).collect();
    policies::read(&files).unwrap()
}

/// Snapshot with the label of the built-in policy.
pub(crate) fn labelled(names: &[&str]) -> Snapshot {
    let mut namespaces = Snapshot::default();
    for name in names {
        namespaces.insert(name, BTreeMap::from([(LABEL.0.to_owned(), LABEL.1.to_owned())]));
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
        assert!(warning.starts_with("podgate: ") || warning.starts_with(UPSTREAM), "{what}: {warning:?}");
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

/// The response to the creation of a pod, from a reviewer that needs nothing looked up.
#[track_caller]
pub(crate) fn response(reviewer: &Reviewer, webhook: Webhook, pod: &Json) -> Json {
    let review = creation("u", MADE_IN, pod).to_string();
    let answer = reviewer.alone(webhook, review.as_bytes()).expect("a uid");
    well_formed(&format!("{pod:.200}"), webhook, "u", &answer.body)
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

pub(crate) struct Recorded {
    pub(crate) what: String,
    webhook: Webhook,
    pub(crate) body: Vec<u8>,
    pub(crate) request: Json,
    pub(crate) upstream: Option<Json>,
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
        let answer = reviewer.alone(self.webhook, &self.body).expect(&self.what);
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
pub(crate) fn recorded() -> Option<(Vec<Recorded>, Snapshot)> {
    let folder = real_data::folder(RECORDED, "tests with recorded reviews")?;
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
    let mut objects = Objects::default();
    let text = fs::read_to_string(folder.join("namespaces.yaml")).unwrap();
    let unread = read_objects("namespaces.yaml", &text, &mut objects);
    assert!(unread.is_empty(), "{unread:?}");
    Some((recorded, objects.snapshot))
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
        // Whoever asks it all the same learns that it was in vain, and nothing else.
        let is_told = |warning: &&str| {
            warning.starts_with("podgate: no policy holds in namespace ") || warning.contains(LABEL.0)
        };
        let warnings = strings(response.get("warnings"));
        assert!(warnings.iter().all(is_told), "{}: {response}", review.what);
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
                let again = reviewer.alone(Webhook::Mutate, again.as_bytes()).unwrap();
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

// ---- whole answers

/// A pod of this YAML as it is created in a namespace that asks to be judged.
fn created(resource: (&str, &str, &str), yaml: &str) -> String {
    let object: Json = serde_json::from_slice(&json_of("an object", yaml)).unwrap();
    let (group, kind, resource) = resource;
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "one",
            "kind": { "group": group, "version": "v1", "kind": kind },
            "resource": { "group": group, "version": "v1", "resource": resource },
            "name": object["metadata"]["name"],
            "namespace": "ml-team-a",
            "operation": "CREATE",
            "object": object,
            "oldObject": null,
        },
    })
    .to_string()
}

fn created_pod(yaml: &str) -> String {
    created(("", "Pod", "pods"), yaml)
}

/// An answer for a person: the response, with the patch taken apart, the message by its lines, and
/// each cause in one.
fn shown(webhook: Webhook, body: &str) -> String {
    let answer = gate(&["ml-team-a"]).alone(webhook, body.as_bytes()).unwrap();
    let mut response = well_formed(body, webhook, "one", &answer.body);
    let patch = response.get("patch").and_then(Json::as_str).map(|patch| BASE64.decode(patch).unwrap());
    if let Some(patch) = patch {
        let operations: Vec<Json> = serde_json::from_slice(&patch).unwrap();
        response["patch"] = operations.iter().map(ToString::to_string).collect();
    }
    if let Some(message) = response.pointer("/status/message").and_then(Json::as_str) {
        response["status"]["message"] = message.lines().collect();
    }
    if let Some(causes) = response.pointer_mut("/status/details/causes").and_then(Json::as_array_mut) {
        for cause in causes {
            let part = |key: &str| cause[key].as_str().unwrap();
            *cause = format!("{} {}: {}", part("reason"), part("field"), part("message")).into();
        }
    }
    format!("{response:#}")
}

const GOOD: &str = "
metadata: {name: good}
spec:
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
  - {name: main, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}
";
const LAZY: &str = "
metadata: {name: lazy}
spec:
  initContainers: [{name: fetch, securityContext: {capabilities: {add: [NET_BIND_SERVICE]}}}]
  containers: [{name: main}]
";
const FAULTY: &str = "
metadata:
  name: train
  ownerReferences: [{apiVersion: batch/v1, kind: Job, name: bert, uid: u, controller: true}]
spec:
  hostIPC: true
  initContainers: [{name: fetch}]
  containers:
  - {name: trainer, securityContext: {runAsUser: 0, capabilities: {add: [IPC_LOCK]}}}
  - {name: sidecar, ports: [{hostPort: 8080}]}
  volumes: [{name: data, hostPath: {path: /data}}, {name: shared, nfs: {server: s, path: /}}]
";

#[test]
fn a_pod_that_lacks_nothing() {
    insta::assert_snapshot!(shown(Webhook::Validate, &created_pod(GOOD)), @r##"
    {
      "allowed": true,
      "auditAnnotations": {
        "enforce-policy": "restricted:latest"
      },
      "uid": "one"
    }
    "##);
    insta::assert_snapshot!(shown(Webhook::Mutate, &created_pod(GOOD)), @r##"
    {
      "allowed": true,
      "uid": "one"
    }
    "##);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one whole answer")]
fn a_pod_with_many_faults() {
    insta::assert_snapshot!(shown(Webhook::Validate, &created_pod(FAULTY)), @r#"
    {
      "allowed": false,
      "auditAnnotations": {
        "audit-violations": "would violate PodSecurity \"restricted:latest\": host namespaces (hostIPC=true), hostPort (container \"sidecar\" uses hostPort 8080), unrestricted capabilities (container \"trainer\" must not include \"IPC_LOCK\" in securityContext.capabilities.add), restricted volume types (volumes \"data\", \"shared\" use restricted volume types \"hostPath\", \"nfs\"), runAsUser=0 (container \"trainer\" must not set runAsUser=0); would violate policy \"ml-restricted\": volume types (volumes \"data\", \"shared\" use volume types that the policy does not list \"hostPath\", \"nfs\")",
        "enforce-policy": "restricted:latest"
      },
      "status": {
        "code": 403,
        "details": {
          "causes": [
            "FieldValueForbidden spec.hostIPC: is true; remove it (for shared memory mount an emptyDir with medium: Memory at /dev/shm)",
            "FieldValueForbidden spec.containers[1].ports[0].hostPort: container \"sidecar\": is 8080; remove it (reach the pod through a Service)",
            "FieldValueRequired spec.initContainers[0].securityContext.allowPrivilegeEscalation: init container \"fetch\": not set; filled in for you when the rest is fixed",
            "FieldValueRequired spec.containers[0].securityContext.allowPrivilegeEscalation: container \"trainer\": not set; filled in for you when the rest is fixed",
            "FieldValueRequired spec.containers[1].securityContext.allowPrivilegeEscalation: container \"sidecar\": not set; filled in for you when the rest is fixed",
            "FieldValueRequired spec.initContainers[0].securityContext.capabilities.drop: init container \"fetch\": not set; filled in for you when the rest is fixed",
            "FieldValueRequired spec.containers[0].securityContext.capabilities.drop: container \"trainer\": not set; filled in for you when the rest is fixed",
            "FieldValueRequired spec.containers[1].securityContext.capabilities.drop: container \"sidecar\": not set; filled in for you when the rest is fixed",
            "FieldValueForbidden spec.containers[0].securityContext.capabilities.add[0]: container \"trainer\": IPC_LOCK; remove it (no effect for a non-root process; ask for node memlock instead)",
            "FieldValueInvalid spec.volumes[0].hostPath: volume \"data\": is hostPath; use a persistentVolumeClaim; also allowed: configMap, downwardAPI, emptyDir, projected, secret",
            "FieldValueInvalid spec.volumes[1].nfs: volume \"shared\": is nfs; use a persistentVolumeClaim; also allowed: configMap, downwardAPI, emptyDir, projected, secret",
            "FieldValueRequired spec.initContainers[0].securityContext.runAsNonRoot: init container \"fetch\": not set; filled in for you when the rest is fixed",
            "FieldValueRequired spec.containers[0].securityContext.runAsNonRoot: container \"trainer\": not set; filled in for you when the rest is fixed",
            "FieldValueRequired spec.containers[1].securityContext.runAsNonRoot: container \"sidecar\": not set; filled in for you when the rest is fixed",
            "FieldValueInvalid spec.containers[0].securityContext.runAsUser: container \"trainer\": is 0; set it to a number above 0 (removing it is enough only if the image's user is a number above 0)",
            "FieldValueRequired spec.initContainers[0].securityContext.seccompProfile.type: init container \"fetch\": not set; filled in for you when the rest is fixed",
            "FieldValueRequired spec.containers[0].securityContext.seccompProfile.type: container \"trainer\": not set; filled in for you when the rest is fixed",
            "FieldValueRequired spec.containers[1].securityContext.seccompProfile.type: container \"sidecar\": not set; filled in for you when the rest is fixed"
          ],
          "kind": "pods",
          "name": "train"
        },
        "message": [
          "Pod \"train\" (owner: Job/bert) was refused: 6 changes needed to meet \"ml-restricted\" in namespace ml-team-a.  [code PG-M08A]",
          "  - spec.hostIPC is true",
          "      -> remove it (for shared memory mount an emptyDir with medium: Memory at",
          "      /dev/shm)",
          "  - volume \"data\" is hostPath",
          "      -> use a persistentVolumeClaim; also allowed: configMap, downwardAPI,",
          "      emptyDir, projected, secret",
          "  - volume \"shared\" is nfs",
          "      -> use a persistentVolumeClaim; also allowed: configMap, downwardAPI,",
          "      emptyDir, projected, secret",
          "  - container \"trainer\": securityContext.capabilities.add IPC_LOCK",
          "      -> remove it (no effect for a non-root process; ask for node memlock",
          "      instead)",
          "  - container \"trainer\": securityContext.runAsUser is 0",
          "      -> set it to a number above 0 (removing it is enough only if the image's",
          "      user is a number above 0)",
          "  - container \"sidecar\": ports[0].hostPort is 8080",
          "      -> remove it (reach the pod through a Service)",
          "  - all 3 containers: allowPrivilegeEscalation, capabilities.drop, runAsNonRoot,",
          "      seccompProfile.type not set",
          "      -> filled in for you when the rest is fixed",
          "Check locally:  podgate lint FILE",
          "Why and how:  podgate explain PG-M08A"
        ],
        "metadata": {},
        "reason": "Forbidden",
        "status": "Failure"
      },
      "uid": "one"
    }
    "#);
}

#[test]
fn a_pod_that_leaves_out_what_is_filled_in() {
    insta::assert_snapshot!(shown(Webhook::Mutate, &created_pod(LAZY)), @r#"
    {
      "allowed": true,
      "patch": [
        "{\"op\":\"add\",\"path\":\"/spec/initContainers/0/securityContext/allowPrivilegeEscalation\",\"value\":false}",
        "{\"op\":\"add\",\"path\":\"/spec/initContainers/0/securityContext/capabilities/drop\",\"value\":[\"ALL\"]}",
        "{\"op\":\"add\",\"path\":\"/spec/initContainers/0/securityContext/runAsNonRoot\",\"value\":true}",
        "{\"op\":\"add\",\"path\":\"/spec/initContainers/0/securityContext/seccompProfile\",\"value\":{\"type\":\"RuntimeDefault\"}}",
        "{\"op\":\"add\",\"path\":\"/spec/containers/0/securityContext\",\"value\":{\"allowPrivilegeEscalation\":false,\"capabilities\":{\"drop\":[\"ALL\"]},\"runAsNonRoot\":true,\"seccompProfile\":{\"type\":\"RuntimeDefault\"}}}"
      ],
      "patchType": "JSONPatch",
      "uid": "one",
      "warnings": [
        "podgate: \"ml-restricted\" fills in runAsNonRoot: set a runAsUser unless the image's user is a number above 0"
      ]
    }
    "#);
}

#[test]
fn a_pod_that_the_mutating_webhook_has_not_seen() {
    insta::assert_snapshot!(shown(Webhook::Validate, &created_pod(LAZY)), @r#"
    {
      "allowed": false,
      "auditAnnotations": {
        "audit-violations": "would violate PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false (containers \"fetch\", \"main\" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (containers \"fetch\", \"main\" must set securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or containers \"fetch\", \"main\" must set securityContext.runAsNonRoot=true), seccompProfile (pod or containers \"fetch\", \"main\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")",
        "enforce-policy": "restricted:latest"
      },
      "status": {
        "code": 403,
        "details": {
          "causes": [
            "FieldValueRequired spec.initContainers[0].securityContext.allowPrivilegeEscalation: init container \"fetch\": not set; filled in for you where podgate's mutating webhook sees the pod",
            "FieldValueRequired spec.containers[0].securityContext.allowPrivilegeEscalation: container \"main\": not set; filled in for you where podgate's mutating webhook sees the pod",
            "FieldValueRequired spec.initContainers[0].securityContext.capabilities.drop: init container \"fetch\": not set; filled in for you where podgate's mutating webhook sees the pod",
            "FieldValueRequired spec.containers[0].securityContext.capabilities.drop: container \"main\": not set; filled in for you where podgate's mutating webhook sees the pod",
            "FieldValueRequired spec.initContainers[0].securityContext.runAsNonRoot: init container \"fetch\": not set; filled in for you where podgate's mutating webhook sees the pod",
            "FieldValueRequired spec.containers[0].securityContext.runAsNonRoot: container \"main\": not set; filled in for you where podgate's mutating webhook sees the pod",
            "FieldValueRequired spec.initContainers[0].securityContext.seccompProfile.type: init container \"fetch\": not set; filled in for you where podgate's mutating webhook sees the pod",
            "FieldValueRequired spec.containers[0].securityContext.seccompProfile.type: container \"main\": not set; filled in for you where podgate's mutating webhook sees the pod"
          ],
          "kind": "pods",
          "name": "lazy"
        },
        "message": [
          "Pod \"lazy\" was refused: 4 defaults of podgate missing, needed to meet \"ml-restricted\" in namespace ml-team-a.  [code PG-2J80]",
          "  - all 2 containers: securityContext.allowPrivilegeEscalation not set",
          "      -> set it to false",
          "  - all 2 containers: securityContext.capabilities.drop not set",
          "      -> set it to [ALL]",
          "  - all 2 containers: securityContext.runAsNonRoot not set",
          "      -> set it to true (with a runAsUser above 0, unless the image's user is a",
          "      number above 0)",
          "  - all 2 containers: securityContext.seccompProfile.type not set",
          "      -> set it to RuntimeDefault",
          "  Note: podgate fills these in by itself, but its mutating webhook has not seen",
          "      this pod, or a later webhook took them off again: ask the cluster's",
          "      administrator (podgate doctor), or set them yourself",
          "Why and how:  podgate explain PG-2J80"
        ],
        "metadata": {},
        "reason": "Forbidden",
        "status": "Failure"
      },
      "uid": "one"
    }
    "#);
}

#[test]
fn a_template_is_warned_of() {
    let indented = FAULTY.trim().replace('\n', "\n    ");
    let deployment = format!("metadata: {{name: web}}\nspec:\n  template:\n    {indented}\n");
    insta::assert_snapshot!(shown(Webhook::Validate, &created(("apps", "Deployment", "deployments"), &deployment)), @r#"
    {
      "allowed": true,
      "auditAnnotations": {
        "audit-violations": "would violate PodSecurity \"restricted:latest\": host namespaces (hostIPC=true), hostPort (container \"sidecar\" uses hostPort 8080), unrestricted capabilities (container \"trainer\" must not include \"IPC_LOCK\" in securityContext.capabilities.add), restricted volume types (volumes \"data\", \"shared\" use restricted volume types \"hostPath\", \"nfs\"), runAsUser=0 (container \"trainer\" must not set runAsUser=0); would violate policy \"ml-restricted\": volume types (volumes \"data\", \"shared\" use volume types that the policy does not list \"hostPath\", \"nfs\")"
      },
      "uid": "one",
      "warnings": [
        "podgate: \"ml-restricted\" would refuse: spec.hostIPC is true; remove it [PG-M08A]",
        "podgate: \"ml-restricted\" would refuse: volume \"data\" is hostPath; use a persistentVolumeClaim [PG-M08A]",
        "podgate: \"ml-restricted\" would refuse: volume \"shared\" is nfs; use a persistentVolumeClaim [PG-M08A]",
        "podgate: \"ml-restricted\" would refuse: container \"trainer\": capabilities.add IPC_LOCK; remove it [PG-M08A]",
        "podgate: \"ml-restricted\" would refuse: container \"trainer\": runAsUser is 0; set it to a number above 0 [PG-M08A]",
        "podgate: \"ml-restricted\" would refuse: container \"sidecar\": ports[0].hostPort is 8080; remove it [PG-M08A]"
      ]
    }
    "#);
}

#[test]
fn what_cannot_be_judged_says_why() {
    let body = created_pod(
        "{metadata: {name: odd}, spec: {containers: [{name: c, securityContext: {runAsUser: '0'}}]}}",
    );
    insta::assert_snapshot!(shown(Webhook::Validate, &body), @r##"
    {
      "allowed": false,
      "auditAnnotations": {
        "error": "podgate: the review cannot be read: request.object.spec.containers[0].securityContext.runAsUser: expected a whole number, found a string (byte 258)"
      },
      "status": {
        "code": 400,
        "message": [
          "podgate: the review cannot be read: request.object.spec.containers[0].securityContext.runAsUser: expected a whole number, found a string (byte 258)"
        ],
        "metadata": {},
        "reason": "BadRequest",
        "status": "Failure"
      },
      "uid": "one"
    }
    "##);
}

/// The standard and the policy's own control find the same volume: the narrower advice alone is of use.
/// Whatever the order of the policies, what is offered is what both of them take.
#[test]
fn the_narrower_rule_says_what_may_be_used_instead() {
    let narrow = "controls: {volumeTypes: {allowed: [emptyDir]}}";
    let wide = "standard: {enforce: restricted}";
    for (one, other) in [(narrow, wide), (wide, narrow)] {
        let of = |name, rule| {
            let head = "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy";
            let spec = format!("spec: {{match: {{namespaces: [ml-team-a]}}, {rule}}}");
            format!("{head}\nmetadata: {{name: {name}}}\n{spec}\n")
        };
        let both = format!("{}---\n{}", of("one", one), of("other", other));
        let reviewer = Reviewer::new(policies(&both), Snapshot::default());
        let body = created_pod("spec: {volumes: [{name: data, nfs: {server: s, path: /}}], containers: []}");
        let answer = reviewer.alone(Webhook::Validate, body.as_bytes()).unwrap().body;
        let response = well_formed("a pod", Webhook::Validate, "one", &answer);
        let causes = response["status"]["details"]["causes"].as_array().unwrap();
        assert_eq!(causes.len(), 1, "{causes:#?}");
        assert_eq!(causes[0]["message"], "volume \"data\": is nfs; use emptyDir");
    }
}

#[test]
fn a_place_that_breaks_two_rules_is_told_once() {
    let reviewer = gate(&["ml-team-a"]);
    let spec = "spec: {volumes: [{name: data, hostPath: {path: /data}}], containers: []}";
    let answer = reviewer.alone(Webhook::Validate, created_pod(spec).as_bytes()).unwrap().body;
    let response = well_formed("a pod", Webhook::Validate, "one", &answer);
    let causes = response["status"]["details"]["causes"].as_array().unwrap();
    assert_eq!(causes.len(), 1, "{causes:#?}");
    let template = format!("spec: {{template: {{{spec}}}}}");
    let body = created(("apps", "Deployment", "deployments"), &template);
    let answer = reviewer.alone(Webhook::Validate, body.as_bytes()).unwrap().body;
    let response = well_formed("a template", Webhook::Validate, "one", &answer);
    let warnings = strings(response.get("warnings"));
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
}

/// Names as long as Kubernetes lets them be, of everything that the first line names.
#[test]
fn the_first_line_stays_short_whatever_the_names() {
    let long = "n".repeat(63);
    let [one, other] = ["a", "b"]
        .map(|letter| BUILT_IN.replacen("name: ml-restricted", &format!("name: {}", letter.repeat(60)), 1));
    let both = policies::read(&[("one", &one), ("other", &other)]).unwrap();
    let reviewer = Reviewer::new(both, labelled(&[&long]));
    let pod = format!(
        "metadata: {{name: {0}, ownerReferences: [{{kind: Job, name: {0}, controller: true}}]}}\nspec: {{hostIPC: true, containers: []}}",
        "p".repeat(253)
    );
    let body = created_pod(&pod).replace("ml-team-a", &long);
    let answer = reviewer.alone(Webhook::Validate, body.as_bytes()).unwrap();
    let response = well_formed("long names", Webhook::Validate, "one", &answer.body);
    let message = response["status"]["message"].as_str().unwrap();
    let (sentence, _) = message.lines().next().unwrap().split_once("  [code PG-").expect(message);
    assert!(sentence.len() <= LONGEST, "{} characters in {sentence}", sentence.len());
}

/// The same fault is told at the same place, whether the object came before or after its resource.
#[test]
fn an_error_names_its_place_in_the_review() {
    let reviewer = gate(&["ml-team-a"]);
    let (object, resource) =
        (r#""object":{"spec":{"hostIPC":1}}"#, r#""resource":{"resource":"pods"},"operation":"CREATE""#);
    for (first, second) in [(object, resource), (resource, object)] {
        let body = format!(
            r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"one",{first},{second}}}}}"#
        );
        let offset = body.find("hostIPC\":").unwrap() + "hostIPC\":".len();
        let answer = reviewer.alone(Webhook::Validate, body.as_bytes()).unwrap();
        assert_eq!(
            answer.decision.error,
            format!(
                "podgate: the review cannot be read: request.object.spec.hostIPC: expected true or false, found a number (byte {offset})"
            )
        );
    }
}

// ---- what a person reads, of any pod

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn refusals_and_warnings_keep_to_their_form(pod in any_pod(), is_template in any::<bool>()) {
        let request = |resource: &str, kind: &str, group: &str, object: &Json| {
            json!({
                "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                "request": {
                    "uid": "any", "operation": "CREATE", "namespace": "team-a",
                    "kind": { "kind": kind }, "resource": { "group": group, "resource": resource },
                    "object": object,
                },
            })
            .to_string()
        };
        let body = if is_template {
            request("jobs", "Job", "batch", &json!({ "spec": { "template": pod } }))
        } else {
            request("pods", "Pod", "", &pod)
        };
        for (policy, webhook) in [("Enforce", Webhook::Validate), ("Warn", Webhook::Validate), ("Enforce", Webhook::Mutate)] {
            let reviewer = reviewer_of(policy);
            let answer = reviewer.alone(webhook, body.as_bytes()).expect("it has a uid");
            let response = well_formed(policy, webhook, "any", &answer.body);
            apply(policy, &response, &mut serde_json::from_str::<Json>(&body).unwrap()["request"]["object"].take());
            if answer.decision.outcome == Outcome::Denied {
                has_its_form(response["status"]["message"].as_str().unwrap(), &pod);
                for cause in response["status"]["details"]["causes"].as_array().unwrap() {
                    prop_assert!(cause["field"].as_str().unwrap().starts_with("spec.") || cause["field"].as_str().unwrap().starts_with("metadata."), "{}", cause);
                    prop_assert!(!cause["message"].as_str().unwrap().is_empty());
                }
            }
            if policy == "Warn" || is_template {
                prop_assert_eq!(&response["allowed"], &json!(answer.decision.outcome != Outcome::Error));
            }
        }
    }
}

/// The built-in policy in one of its modes, for `team-a`.
fn reviewer_of(mode: &str) -> Reviewer {
    let policies = policies(&BUILT_IN.replace("mode: Enforce", &format!("mode: {mode}")));
    Reviewer::new(policies, labelled(&["team-a"]))
}

/// A refusal: a headline that stands alone, a line for each change, and where to ask.
#[track_caller]
fn has_its_form(message: &str, pod: &Json) {
    assert!(message.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{message:?}");
    let headline = message.lines().next().unwrap();
    let (sentence, code) = headline.split_once("  [code PG-").expect(message);
    assert!(sentence.len() <= LONGEST && sentence.starts_with("Pod") && sentence.ends_with('.'), "{message}");
    let code = code.trim_end_matches(']');
    assert!(message.contains(&format!("podgate explain PG-{code}")), "{message}");
    // Each change is an item, also where white space is folded, and so is what is filled in.
    let items: Vec<String> = message.split("\n  - ").skip(1).map(folded).collect();
    let is_change = |item: &&String| item.contains(" -> ") && !item.contains("-> filled in for you");
    let changes = items.iter().filter(is_change).count();
    assert!((1..=12).contains(&changes), "{message}");
    let before = [" change", " default"].iter().find_map(|word| sentence.split_once(word)).unwrap().0;
    let count: usize = before.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(count >= changes, "{message}");
    assert_eq!(count > changes, items.iter().any(|item| item.starts_with("and ")), "{message}");
    let whole = folded(message);
    assert!(items.iter().all(|item| whole.contains(&format!(" - {item}"))), "{message}");
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        // By name, never by a place in a list.
        assert!(!message.contains(&format!("{list}[")), "{message}\n{pod}");
    }
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The API server asks by the labels that it sees. Ours may be older.
#[test]
fn labels_that_no_policy_matches_are_read_again_before_a_pod_is_let_pass() {
    let mut stale = Snapshot::live();
    stale.insert("ml-team-a", BTreeMap::new());
    let reviewer = Reviewer::new(built_in(&[]), stale);
    let body = created_pod("{metadata: {name: x}, spec: {hostPID: true}}");
    let reply = reviewer.review(Webhook::Validate, body.as_bytes(), &Answers::default()).unwrap();
    assert!(matches!(reply, Reply::NeedsLookup(Lookup::Namespace(name)) if name == "ml-team-a"));
    let label = BTreeMap::from([("podgate.dev/policy".to_owned(), "ml-restricted".to_owned())]);
    for (found, code) in [
        (Ok(Some(label)), 403),
        (Ok(Some(BTreeMap::new())), 200),
        (Err(LookupError::Failed), 403),
        (Ok(None), 403),
    ] {
        let answer = found
            .clone()
            .map(|labels: Option<BTreeMap<_, _>>| LookupAnswer::Namespace(labels.map(Into::into)));
        let answers = Answers::from([(Lookup::Namespace("ml-team-a".to_owned()), answer)]);
        let reply = reviewer.review(Webhook::Validate, body.as_bytes(), &answers).unwrap();
        assert_eq!(reply.answer().unwrap().decision.code, code, "{found:?}");
    }
}
