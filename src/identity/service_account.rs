//! A service account, as far as the identity of its pods depends on it.

use crate::identity::azure_keys;

/// With this annotation, `"true"`, pods of the account may only use the secrets that it lists.
pub const ENFORCE_MOUNTABLE_SECRETS: &str = "kubernetes.io/enforce-mountable-secrets";

/// Most annotations, labels, and names of secrets that are kept of one: who may write a service account may write many.
const MOST_KEPT: usize = 64;
/// Longest value of an annotation or label that is kept, in bytes; a longer one is cut and so no longer valid.
const LONGEST_VALUE: usize = 1024;

/// Most bytes of annotations, and of labels, that are kept of one, in all: every replica keeps those of every account.
const MOST_BYTES: usize = 8 * 1024;

/// Whether a provider looks at an annotation or label of a service account with this key: rightly, or because people write it
/// in place of the right one. A line for each provider.
static KEYS: [fn(&str) -> bool; 1] = [azure_keys::names_key];

/// A service account. Of its annotations and labels only those are kept that some provider looks at: their number and
/// length are their writer's choice.
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
pub struct ServiceAccount {
    annotations: Vec<(Box<str>, Box<str>)>,
    labels: Vec<(Box<str>, Box<str>)>,
    /// `automountServiceAccountToken`.
    pub automount_token: Option<bool>,
    /// The names of `imagePullSecrets`.
    pub image_pull_secrets: Vec<Box<str>>,
    /// The names of `secrets`, if its pods may use no others.
    pub mountable_secrets: Option<Vec<Box<str>>>,
}

impl ServiceAccount {
    /// A service account with these annotations and labels.
    #[must_use]
    pub fn new<'m>(
        annotations: impl IntoIterator<Item = (&'m str, &'m str)>,
        labels: impl IntoIterator<Item = (&'m str, &'m str)>,
    ) -> Self {
        let mut account = Self::default();
        for (key, value) in annotations {
            if key == ENFORCE_MOUNTABLE_SECRETS && value == "true" {
                account.mountable_secrets = Some(Vec::new());
            }
            keep(&mut account.annotations, key, value);
        }
        for (key, value) in labels {
            keep(&mut account.labels, key, value);
        }
        account
    }

    /// Adds the names of `secrets`, which only count where its pods may use no others.
    #[must_use]
    pub fn with_secrets<'m>(mut self, names: impl IntoIterator<Item = &'m str>) -> Self {
        if let Some(mountable) = &mut self.mountable_secrets {
            mountable.extend(names.into_iter().take(MOST_KEPT).map(Into::into));
        }
        self
    }

    /// Adds the names of `imagePullSecrets`.
    #[must_use]
    pub fn with_pull_secrets<'m>(mut self, names: impl IntoIterator<Item = &'m str>) -> Self {
        self.image_pull_secrets.extend(names.into_iter().take(MOST_KEPT).map(Into::into));
        self
    }

    /// The same with this `automountServiceAccountToken`.
    #[must_use]
    pub fn with_automount(self, automount_token: Option<bool>) -> Self {
        Self { automount_token, ..self }
    }

    /// The value of an annotation that a provider looks at.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// The annotations that a provider looks at.
    pub fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.annotations.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// The labels that a provider looks at: an annotation that was written as a label by mistake.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }
}

fn keep(kept: &mut Vec<(Box<str>, Box<str>)>, key: &str, value: &str) {
    if !KEYS.iter().any(|names| names(key)) || kept.len() >= MOST_KEPT {
        return;
    }
    let is_end = |end: &usize| value.is_char_boundary(*end);
    let end = (0..=LONGEST_VALUE.min(value.len())).rev().find(is_end).unwrap_or_default();
    let value = value.get(..end).unwrap_or_default();
    let bytes: usize = kept.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes + key.len() + value.len() <= MOST_BYTES {
        kept.push((key.into(), value.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_provider_looks_at_is_kept() {
        let annotations =
            [("azure.workload.identity/client-id", "a"), ("kubectl.kubernetes.io/last-applied", "secret")];
        let account =
            ServiceAccount::new(annotations, [("team", "x"), ("azure.workload.identity/use", "true")])
                .with_secrets(["s1"])
                .with_pull_secrets(["p1"])
                .with_automount(Some(false));
        assert_eq!(account.annotation("azure.workload.identity/client-id"), Some("a"));
        assert_eq!((account.annotations().count(), account.labels().count()), (1, 1));
        assert_eq!((account.mountable_secrets.as_ref(), account.automount_token), (None, Some(false)));
        let enforced = ServiceAccount::new([(ENFORCE_MOUNTABLE_SECRETS, "true")], []).with_secrets(["s1"]);
        assert_eq!(enforced.mountable_secrets, Some(vec!["s1".into()]));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let many: Vec<String> = (0..100).map(|number| format!("azure.workload.identity/{number}")).collect();
        let long = "ä".repeat(LONGEST_VALUE);
        let account = ServiceAccount::new(many.iter().map(|key| (key.as_str(), long.as_str())), []);
        assert_eq!(account.annotations().count(), MOST_BYTES / LONGEST_VALUE - 1);
        assert!(account.annotations().all(|(_, value)| value.len() == LONGEST_VALUE));
        let short = ServiceAccount::new(many.iter().map(|key| (key.as_str(), "")), []);
        assert_eq!(short.annotations().count(), MOST_KEPT);
    }
}
