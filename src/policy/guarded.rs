//! The labels of namespaces that policies select by or that grant something, the annotations that controls go by, and which
//! of them are not guarded.
//!
//! Anyone who may edit a Namespace may edit its labels and annotations. A policy that depends on an unguarded one can be
//! evaded by changing it, creating the pod, and changing it back. A key that is guarded is guarded as both.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::pod::is_label_key;
use crate::policy::labels::NAME_LABEL;
use crate::policy::{Action, PolicyKind, PolicySet, Scope};

/// The labels that are guarded by default, as the manifests have it: the one that policies select by, and the one
/// that lets ResourceClaims of a namespace have `adminAccess`, which is access to devices that others use.
pub const GUARDED_LABELS: &str = "podgate.dev/policy,resource.kubernetes.io/admin-access";

/// The keys of labels and annotations that only trusted people can change on a Namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardedLabels(BTreeSet<String>);

/// An unguarded label that decides whether a policy holds in a namespace, or an annotation that decides what it allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnguardedLabel {
    /// The kind of the policy and its name, as `SecurityPolicy ml-restricted`.
    pub policy: String,
    /// The key of the label.
    pub key: String,
    /// Whether it is that of an annotation.
    pub is_annotation: bool,
}

impl GuardedLabels {
    /// Whether only trusted people can change a label. The API server sets the label of the name itself.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        key == NAME_LABEL || self.0.contains(key)
    }
}

impl FromIterator<String> for GuardedLabels {
    fn from_iter<I: IntoIterator<Item = String>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

/// Reads keys separated by commas; an empty text has none.
impl FromStr for GuardedLabels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let keys = text.split(',').map(str::trim).filter(|key| !key.is_empty());
        keys.map(|key| {
            if is_label_key(key) {
                Ok(key.to_owned())
            } else {
                Err(format!("no label can have the key {key:?}"))
            }
        })
        .collect()
    }
}

impl fmt::Display for GuardedLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.0.iter().map(String::as_str).collect();
        f.write_str(&keys.join(","))
    }
}

impl PolicySet {
    /// The labels that decide where policies hold, and the annotations that decide what they allow, that are not guarded: each
    /// key once a policy, labels in the order of the policies, and then annotations.
    #[must_use]
    pub fn unguarded_labels(&self, guarded: &GuardedLabels) -> Vec<UnguardedLabel> {
        let security =
            self.security.iter().map(|policy| (PolicyKind::SecurityPolicy, &*policy.name, &policy.scope));
        let identity =
            self.identity.iter().map(|policy| (PolicyKind::IdentityPolicy, &*policy.name, &policy.scope));
        let mut unguarded = Vec::new();
        for (kind, name, scope) in security.chain(identity) {
            let Scope::Labels(selector) = scope else { continue };
            for key in selector.keys().into_iter().filter(|key| !guarded.has(key)) {
                let policy = format!("{} {name}", kind.name());
                unguarded.push(UnguardedLabel { policy, key: key.to_owned(), is_annotation: false });
            }
        }
        unguarded.extend(self.unguarded_annotations(guarded));
        if self.pod_security.is_some() {
            let keys = Action::ALL.iter().flat_map(|action| action.labels());
            unguarded.extend(keys.filter(|key| !guarded.has(key)).map(|key| UnguardedLabel {
                policy: "PodSecurityConfiguration".to_owned(),
                key: key.to_owned(),
                is_annotation: false,
            }));
        }
        unguarded
    }

    fn unguarded_annotations(&self, guarded: &GuardedLabels) -> impl Iterator<Item = UnguardedLabel> {
        self.security.iter().flat_map(|policy| {
            let keys: BTreeSet<_> = policy.namespace_annotations().filter(|key| !guarded.has(key)).collect();
            keys.into_iter().map(|key| UnguardedLabel {
                policy: format!("{} {}", PolicyKind::SecurityPolicy.name(), policy.name),
                key: key.to_owned(),
                is_annotation: true,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::{Policies, read_file};

    use super::*;

    const POLICIES: &str = "
apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: by-two}
spec:
  match:
    namespaceSelector:
      matchLabels: {podgate.dev/policy: a, tier: gold}
      matchExpressions:
        - {key: environment, operator: NotIn, values: [sandbox]}
        - {key: tier, operator: Exists}
        - {key: kubernetes.io/metadata.name, operator: NotIn, values: [x]}
  standard: {enforce: baseline}
---
apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: by-name}
spec: {match: {namespaces: [team-a]}, standard: {enforce: baseline}}
---
apiVersion: podgate.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: trainers}
spec:
  match:
    namespaceSelector: {matchExpressions: [{key: team, operator: Exists}, {key: legacy, operator: DoesNotExist}]}
    podSelector: {matchLabels: {app: trainer}}
  identity: {provider: azure, serviceAccountName: trainer}
";

    fn read(text: &str) -> PolicySet {
        let mut policies = Policies::new(vec!["kube-system".into()]);
        read_file("policies.yaml", text, &mut policies);
        policies.finish().unwrap()
    }

    fn unguarded(policies: &PolicySet, guarded: &str) -> Vec<String> {
        let unguarded = policies.unguarded_labels(&guarded.parse().unwrap());
        let named = |UnguardedLabel { policy, key, is_annotation }| {
            format!("{policy}: {key}{}", if is_annotation { " (annotation)" } else { "" })
        };
        unguarded.into_iter().map(named).collect()
    }

    #[test]
    fn annotations_that_say_which_ids_are_allowed_have_to_be_guarded() {
        let policy = |controls: &str| {
            read(&format!(
                "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: p}}\nspec:\n  match: {{namespaces: \
                 [a]}}\n  controls: {controls}\n"
            ))
        };
        let users = policy("{runAsUserRanges: {fromNamespace: true}}");
        let (of_users, of_groups) =
            ("openshift.io/sa.scc.uid-range", "openshift.io/sa.scc.supplemental-groups");
        assert_eq!(unguarded(&users, GUARDED_LABELS), [format!("SecurityPolicy p: {of_users} (annotation)")]);
        assert_eq!(unguarded(&users, of_users), [""; 0]);
        let all = policy("{runAsUserRanges: {fromNamespace: true}, fsGroupRanges: {fromNamespace: true}}");
        assert_eq!(
            unguarded(&all, ""),
            [of_groups, of_users].map(|key| format!("SecurityPolicy p: {key} (annotation)"))
        );
        assert_eq!(unguarded(&all, of_users), [format!("SecurityPolicy p: {of_groups} (annotation)")]);
        let own = policy("{runAsUserRanges: {ranges: [{min: 1, max: 2}]}}");
        assert_eq!(unguarded(&own, ""), [""; 0]);
    }

    #[test]
    fn each_key_that_is_not_guarded_is_told_once_a_policy() {
        let policies = read(POLICIES);
        assert_eq!(
            unguarded(&policies, GUARDED_LABELS),
            [
                "SecurityPolicy by-two: environment",
                "SecurityPolicy by-two: tier",
                "IdentityPolicy trainers: legacy",
                "IdentityPolicy trainers: team"
            ]
        );
        assert_eq!(unguarded(&policies, "podgate.dev/policy, tier,environment,team,legacy"), [""; 0]);
        assert_eq!(
            unguarded(&policies, "tier,environment,team,legacy"),
            ["SecurityPolicy by-two: podgate.dev/policy"]
        );
        assert_eq!(unguarded(&policies, "").len(), 5);
    }

    #[test]
    fn kubernetes_own_labels_decide_in_drop_in_mode() {
        let policies =
            read("{apiVersion: pod-security.admission.config.k8s.io/v1, kind: PodSecurityConfiguration}");
        let found = unguarded(&policies, "pod-security.kubernetes.io/warn,pod-security.kubernetes.io/audit");
        let expected = ["enforce", "enforce-version", "audit-version", "warn-version"]
            .map(|label| format!("PodSecurityConfiguration: pod-security.kubernetes.io/{label}"));
        assert_eq!(found, expected);
    }

    #[test]
    fn keys_are_read_strictly() {
        for (text, expected) in [("a b", "\"a b\""), ("a,-b", "\"-b\""), ("A.com/x/y", "\"A.com/x/y\"")] {
            let error = text.parse::<GuardedLabels>().unwrap_err();
            assert_eq!(error, format!("no label can have the key {expected}"));
        }
        assert_eq!("b,a, a,".parse::<GuardedLabels>().unwrap().to_string(), "a,b");
        assert_eq!("".parse::<GuardedLabels>().unwrap().to_string(), "");
    }
}
