//! Who is asked: a gate of one policy and of several, and drop-in mode, each webhook, each kind of object.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use podgate::admission::{Reviewer, Webhook};
use podgate::policy::{BUILT_IN, Policies, PolicySet, Snapshot, read_file};

pub(crate) const NAMESPACE: &str = "ml-team-a";

/// The object of a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A pod that is created.
    Pod,
    /// One of which an image is changed: the object and the old one.
    Update,
    Deployment,
    CronJob,
}

pub(crate) struct Judge {
    pub(crate) name: String,
    pub(crate) reviewer: Reviewer,
    pub(crate) webhook: Webhook,
    pub(crate) kind: Kind,
    pub(crate) is_gate: bool,
}

/// How many policies one namespace has whose judges see most: each of four rules.
const POLICIES: usize = 8;

/// Several policies of one namespace, each with its own contact and with other versions of the standards.
fn several() -> String {
    let policy = |number: usize| {
        format!(
            "apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {{name: policy-{number}}}
spec:
  contact: team {number}
  match: {{namespaceSelector: {{matchLabels: {{podgate.dev/policy: ml-restricted}}}}}}
  mode: Enforce
  standard: {{enforce: 'restricted:v1.{}', warn: 'restricted:v1.{}', audit: 'baseline:v1.{}'}}
  controls: {{volumeTypes: {{allowed: [configMap]}}}}
  defaults: {{securityContext: Restricted}}
",
            25 + number,
            26 + number,
            27 + number
        )
    };
    (0..POLICIES).map(policy).collect::<Vec<_>>().join("---\n")
}

/// Policies that fill in all that controls can: the second finds what the first has filled in.
const FILLING_IN: &str = "apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: filling-in}
spec:
  match: {namespaceSelector: {matchLabels: {podgate.dev/policy: ml-restricted}}}
  standard: {enforce: restricted}
  controls:
    readOnlyRootFilesystem: {fillIn: true, tmpSizeLimit: 1Gi}
    automountServiceAccountToken: {fillIn: true}
  defaults: {securityContext: Restricted}
---
apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: finding-it}
spec:
  match: {namespaceSelector: {matchLabels: {podgate.dev/policy: ml-restricted}}}
  controls:
    readOnlyRootFilesystem: {fillIn: true}
    automountServiceAccountToken: {}
";

/// Upstream's own configuration, which judges by the labels of a namespace.
const DROP_IN: &str = "apiVersion: pod-security.admission.config.k8s.io/v1
kind: PodSecurityConfiguration
defaults: {enforce: baseline, enforce-version: latest, audit: restricted, audit-version: latest, warn: restricted, warn-version: v1.30}
";

pub(crate) static JUDGES: LazyLock<Vec<Judge>> = LazyLock::new(|| {
    let all = [Kind::Pod, Kind::Update, Kind::Deployment, Kind::CronJob];
    let mut judges = Vec::new();
    let several = several();
    for (name, policy, is_gate) in [
        ("gate", BUILT_IN, true),
        ("drop-in", DROP_IN, false),
        ("several policies", &several, true),
        ("filling in", FILLING_IN, true),
    ] {
        let reviewer = Reviewer::new(policies(policy), snapshot());
        for (webhook, kinds) in [(Webhook::Validate, &all[..]), (Webhook::Mutate, &all[..1])] {
            for kind in kinds {
                let name = format!("{name} {webhook:?} {kind:?}");
                judges.push(Judge { name, reviewer: reviewer.clone(), webhook, kind: *kind, is_gate });
            }
        }
    }
    judges
});

fn policies(text: &str) -> PolicySet {
    let mut policies = Policies::new(vec!["podgate-system".into()]);
    read_file("policies", text, &mut policies);
    policies.finish().unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn snapshot() -> Snapshot {
    let mut namespaces = Snapshot::default();
    let labels = BTreeMap::from([("podgate.dev/policy".to_owned(), "ml-restricted".to_owned())]);
    namespaces.insert(NAMESPACE, labels);
    namespaces
}
