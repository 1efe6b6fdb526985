//! Our side: what `podgate import psp` makes of policies, and what becomes of a pod at its two webhooks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use podgate::admission::{Reviewer, Webhook};
use podgate::evaluate::Severity;
use podgate::lint::{Objects, read_objects};
use podgate::policy::{Answers, Bindings, LookupError, NamespaceMetadata};
use podgate::psp::{ImportOptions, ImportSource, Imported, Report, import};
use serde_json::{Value as Json, json};

use crate::NAMESPACE;
use crate::policies::policies;

/// The policies that were made of a PodSecurityPolicy, in force.
pub(crate) struct Ours {
    pub(crate) reviewer: Reviewer,
    pub(crate) report: Report,
    /// As text, to be shown.
    pub(crate) policies: String,
    /// Who may use which of its exceptions.
    grants: Bindings,
}

/// What becomes of a pod.
pub(crate) struct Outcome {
    /// As `/mutate` leaves it.
    pub(crate) pod: Json,
    /// The controls by which `/validate` refuses it; none where it is admitted.
    pub(crate) refused_by: BTreeSet<&'static str>,
    /// The text of the refusal.
    pub(crate) text: String,
    /// Whether it came to ephemeral containers, and this is about them.
    pub(crate) is_later: bool,
    /// Whether exceptions let anything be.
    pub(crate) is_excepted: bool,
}

impl Ours {
    /// Imports objects for the one namespace that there is here.
    pub(crate) fn import(objects: &[Json]) -> Result<Self, Vec<String>> {
        let text = objects.iter().map(Json::to_string).collect::<Vec<_>>().join("\n---\n");
        let options = ImportOptions {
            namespaces: vec![NAMESPACE.to_owned()],
            owner: Some("platform@example.com".to_owned()),
            expires: "2999-12-31".to_owned(),
            ..ImportOptions::default()
        };
        let imported = import(&[ImportSource { name: "psp.yaml", text: &text }], &options);
        let Imported { policies: text, report } =
            imported.map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let mut objects = Objects::default();
        let unread = read_objects("grants.yaml", &grants_of(&text), &mut objects);
        assert!(unread.is_empty(), "{unread:?}\n{text}");
        let mut snapshot = objects.snapshot;
        let grants = snapshot.bindings_mut().clone();
        snapshot.insert_namespace(NAMESPACE, NamespaceMetadata::new(BTreeMap::new(), []));
        Ok(Self { reviewer: Reviewer::new(policies(&text), snapshot), report, policies: text, grants })
    }

    /// Whether a policy was made of this PodSecurityPolicy, and not exceptions.
    pub(crate) fn is_of(&self, psp: &str) -> bool {
        self.policies.contains(&format!("# From the PodSecurityPolicy {psp}, by podgate import psp."))
    }

    /// Whether all became one policy, and not several that all hold.
    pub(crate) fn is_one(&self) -> bool {
        self.policies.matches("# From the PodSecurityPolicy ").count() == 1
    }

    /// Whether RBAC grants the account of a pod any exceptions.
    pub(crate) fn has_exceptions_for(&self, pod: &Json) -> bool {
        let account = pod["spec"]["serviceAccountName"].as_str().unwrap();
        let names = self.policies.lines().filter_map(|line| line.strip_prefix("    - name: "));
        let names: Vec<Arc<str>> = names.map(Into::into).collect();
        let granted = self.grants.granted(NAMESPACE, account, &names);
        granted.is_none_or(|granted| !granted.is_empty())
    }

    /// Sends a new pod through both webhooks and then, as an update of their own, its ephemeral containers.
    pub(crate) fn judge(&self, pod: &Json) -> Outcome {
        let mut whole = pod.clone();
        set_defaults(&mut whole);
        let later = whole["spec"].as_object_mut().unwrap().remove("ephemeralContainers");
        let made = self.send(whole, None);
        let (Some(later), true) = (later, made.refused_by.is_empty()) else { return made };
        let mut new = made.pod.clone();
        new["spec"]["ephemeralContainers"] = later;
        self.send(new, Some(&made.pod))
    }

    fn send(&self, mut pod: Json, old: Option<&Json>) -> Outcome {
        let (.., mutated) = self.answer(Webhook::Mutate, &pod, old);
        if let Some(patch) = mutated["patch"].as_str() {
            let patch: json_patch::Patch = serde_json::from_slice(&BASE64.decode(patch).unwrap()).unwrap();
            json_patch::patch(&mut pod, &patch).unwrap_or_else(|error| panic!("{error}: {pod}"));
        }
        let (refused_by, is_excepted, response) = self.answer(Webhook::Validate, &pod, old);
        let text = response["status"]["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(refused_by.is_empty(), response["allowed"] == true, "{text}\n{pod}");
        Outcome { pod, refused_by, text, is_later: old.is_some(), is_excepted }
    }

    fn answer(
        &self,
        webhook: Webhook,
        pod: &Json,
        old: Option<&Json>,
    ) -> (BTreeSet<&'static str>, bool, Json) {
        let review = review(pod, old);
        let nothing = |_: &_| Err(LookupError::NoCluster);
        let answer = self
            .reviewer
            .answer(webhook, review.as_bytes(), Answers::on(jiff::civil::date(2026, 11, 29)), nothing)
            .unwrap();
        assert_eq!(answer.decision.error, "", "{pod}");
        let refused = answer.decision.findings.iter().filter(|(_, severity)| *severity == Severity::Deny);
        let refused_by = refused.map(|(control, _)| *control).collect();
        let body: Json = serde_json::from_slice(&answer.body).unwrap();
        (refused_by, !answer.decision.exceptions.is_empty(), body["response"].clone())
    }
}

/// A review, put together as text: a copy of the pod in it would take longer than all the rest.
fn review(pod: &Json, old: Option<&Json>) -> String {
    let (operation, sub_resource) =
        if old.is_some() { ("UPDATE", "ephemeralcontainers") } else { ("CREATE", "") };
    let old = old.map_or_else(|| "null".to_owned(), Json::to_string);
    format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"u","operation":"{operation}",
        "namespace":"{NAMESPACE}","name":"p","kind":{{"group":"","version":"v1","kind":"Pod"}},
        "resource":{{"group":"","version":"v1","resource":"pods"}},"subResource":"{sub_resource}",
        "userInfo":{{"username":"someone"}},"object":{pod},"oldObject":{old},"dryRun":false}}}}"#
    )
}

/// The Roles and bindings that the policies have beside them, as comments.
fn grants_of(policies: &str) -> String {
    let mut is_object = false;
    let mut objects = String::new();
    for line in policies.lines() {
        let Some(line) = line.strip_prefix("# ") else {
            is_object = false;
            continue;
        };
        let is_yaml =
            line.starts_with([' ', '-']) || line.split(' ').next().is_some_and(|word| word.ends_with(':'));
        is_object = line == "---" || is_object && is_yaml;
        if is_object {
            objects.push_str(line);
            objects.push('\n');
        }
    }
    objects
}

/// What the API server fills in before any webhook sees the pod, as far as it matters to a policy.
fn set_defaults(pod: &mut Json) {
    for volume in pod["spec"]["volumes"].as_array_mut().into_iter().flatten().filter_map(Json::as_object_mut)
    {
        if volume.len() == 1 {
            volume.insert("emptyDir".into(), json!({}));
        }
    }
    if pod["spec"]["hostNetwork"] != true {
        return;
    }
    for list in ["initContainers", "containers"] {
        for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
            for port in container["ports"].as_array_mut().into_iter().flatten() {
                if port["hostPort"].is_null() {
                    port["hostPort"] = port["containerPort"].clone();
                }
            }
        }
    }
}
