//! The patch: it applies to the very object, it is made once, it only adds, and the pod is judged no worse for it.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use json_patch::Patch;
use podgate::admission::{Reviewer, Webhook};
use podgate::controls::Standard;
use podgate::evaluate::{Context, by_standard, evaluate};
use podgate::identity::{Azure, AzureSettings, Providers, TokenLayout};
use podgate::json::Reader;
use podgate::pod::{Metadata, Pod};
use podgate::policy::{BUILT_IN, PolicySet, Snapshot};
use serde_json::Value as Json;

use super::{NAMESPACE, answer, changes_when_rewritten, is_plainly_forbidden, policies, snapshot};

/// An older standard with defaults, and one without.
const TWO_MORE: &str = "
apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: older}
spec:
  match: {namespaces: [ml-team-a]}
  standard: {enforce: restricted:v1.24, warn: baseline}
  defaults: {securityContext: Restricted}
---
apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: without-defaults}
spec:
  match: {namespaces: [ml-team-a]}
  standard: {enforce: baseline, audit: restricted:v1.30}
---
";

const IDENTITY: &str = "
apiVersion: podgate.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: trainers}
spec:
  match:
    namespaces: [ml-team-a]
    podSelector: {matchLabels: {app: trainer}}
    sourceServiceAccounts: [default]
  identity: {provider: azure, serviceAccountName: trainer-wi}
---
";

/// Policies, and the same once more to foretell what their reviewer says.
struct Gate {
    reviewer: Reviewer,
    policies: PolicySet,
    gives_identity: bool,
}

impl Gate {
    fn new(text: &str) -> Self {
        // The older layout leaves what is there as it is.
        let settings = AzureSettings { layout: TokenLayout::V15, ..AzureSettings::of_tenant("t") };
        let mut providers = Providers::default();
        providers.add(Azure::new(settings).expect("settings"));
        let reviewer = Reviewer::new(policies(text), snapshot()).with_providers(Arc::new(providers));
        Self { reviewer, policies: policies(text), gives_identity: text.contains(IDENTITY) }
    }
}

static GATES: LazyLock<[Gate; 3]> = LazyLock::new(|| {
    [BUILT_IN.to_owned(), format!("{TWO_MORE}{BUILT_IN}"), format!("{IDENTITY}{BUILT_IN}")]
        .map(|text| Gate::new(&text))
});
static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(snapshot);
static RESTRICTED: LazyLock<Standard> = LazyLock::new(|| "restricted".parse().expect("a standard"));

pub fn check(text: &[u8]) {
    // What is no single JSON value could end the review around it.
    let Ok(pod) = serde_json::from_slice::<Json>(text) else { return };
    if changes_when_rewritten(text) {
        return;
    }
    // The proxy is privileged: whoever asks for it asks for what is refused.
    let asks_for_proxy =
        pod["metadata"]["annotations"]["azure.workload.identity/inject-proxy-sidecar"].is_string();
    if asks_for_proxy {
        return;
    }
    for gate in GATES.iter() {
        check_gate(gate, text, &pod);
    }
}

fn check_gate(gate: &Gate, text: &[u8], pod: &Json) {
    let [before, mutated] =
        [Webhook::Validate, Webhook::Mutate].map(|webhook| ask(&gate.reviewer, webhook, text));
    if mutated["allowed"] == false {
        let is_refused = before["allowed"] == false || asks_for_identity(gate, pod);
        assert!(is_refused, "only the mutating webhook refuses it: {mutated}");
        return;
    }
    let mut after = pod.clone();
    let patch = patch_of(&mutated);
    if let Some(patch) = &patch {
        let is_changed = before["allowed"] == false || asks_for_identity(gate, pod);
        assert!(is_changed, "a good pod is changed: {patch}");
        json_patch::patch(&mut after, patch).unwrap_or_else(|error| panic!("{error}: {patch} on {pod}"));
        only_adds("", pod, &after, asks_for_identity(gate, pod));
    }
    let after_text = serde_json::to_vec(&after).expect("a value has a text");
    let again = ask(&gate.reviewer, Webhook::Mutate, &after_text);
    assert_eq!((&again["allowed"], patch_of(&again)), (&Json::Bool(true), None), "a second time: {after}");

    let validated = ask(&gate.reviewer, Webhook::Validate, &after_text);
    assert!(!(is_plainly_forbidden(pod) && validated["allowed"] == true), "repaired into what is forbidden");
    assert_eq!(validated["allowed"] == true, foretells(gate, text), "{}", validated["status"]);
    assert!(findings(&after_text).is_subset(&findings(text)), "the patch {patch:?} makes it worse");
}

/// The response to a review of a new pod.
fn ask(reviewer: &Reviewer, webhook: Webhook, pod: &[u8]) -> Json {
    let before = format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"u","kind":{{"group":"","version":"v1","kind":"Pod"}},"resource":{{"group":"","version":"v1","resource":"pods"}},"namespace":"{NAMESPACE}","operation":"CREATE","object":"#
    );
    let body = [before.as_bytes(), pod, b"}}"].concat();
    let answer = answer(reviewer, webhook, &body).expect("the uid comes first");
    let mut review: Json = serde_json::from_slice(&answer.body).expect("an answer is JSON");
    review["response"].take()
}

fn patch_of(response: &Json) -> Option<Patch> {
    let patch = BASE64.decode(response.get("patch")?.as_str()?).expect("base64");
    let patch: Patch = serde_json::from_slice(&patch).expect("a JSON Patch");
    assert!(!patch.0.is_empty(), "an empty patch");
    Some(patch)
}

/// Whether a pod may be given an identity.
fn asks_for_identity(gate: &Gate, pod: &Json) -> bool {
    gate.gives_identity || pod["metadata"]["labels"]["azure.workload.identity/use"] == "true"
}

/// Asserts that nothing is gone, and nothing is changed but the service account and what was injected for another; `null` is
/// absent. With an identity lists may be longer.
fn only_adds(path: &str, before: &Json, after: &Json, has_identity: bool) {
    match (before, after) {
        (Json::Object(before), Json::Object(after)) => {
            for (key, value) in before {
                let found = after.get(key).unwrap_or_else(|| panic!("{path}.{key} is gone"));
                only_adds(&format!("{path}.{key}"), value, found, has_identity);
            }
        }
        (Json::Array(before), Json::Array(after)) => {
            assert!(before.len() == after.len() || has_identity && before.len() < after.len(), "{path}");
            before
                .iter()
                .zip(after)
                .for_each(|(before, after)| only_adds(&format!("{path}[]"), before, after, has_identity));
        }
        (Json::Null, _) => {}
        _ if has_identity && path.ends_with(".env[].value") => {}
        _ if [".spec.serviceAccountName", ".spec.serviceAccount"].contains(&path) => {}
        (before, after) => assert_eq!(before, after, "{path}"),
    }
}

/// Whether a pod should be let in once what is absent is filled in.
fn foretells(gate: &Gate, text: &[u8]) -> bool {
    let mut reader = Reader::new(text).expect("it was read");
    let pod = Pod::read(&mut reader).expect("it was read");
    let policies = gate.policies.security_for(NAMESPACE, SNAPSHOT.labels(NAMESPACE));
    let fills_in_defaults = pod.metadata.annotation(Metadata::MIRROR).is_none();
    let verdict = evaluate(policies, &pod, Context { fills_in_defaults, ..Context::CREATE });
    !verdict.is_denied_with_defaults()
}

/// What the strictest level finds wrong with a pod, and where.
fn findings(text: &[u8]) -> BTreeSet<(&'static str, String)> {
    let mut reader = Reader::new(text).expect("it was read");
    let pod = Pod::read(&mut reader).expect("it was read");
    by_standard(&RESTRICTED, &pod)
        .iter()
        .flat_map(|of_control| of_control.kept().iter().map(|finding| (of_control.control.id, finding)))
        .map(|(id, finding)| (id, finding.whole_path().to_string()))
        .collect()
}
