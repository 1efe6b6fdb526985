//! Which service account gives a pod of AAD Pod Identity the same identity as a workload identity.
//!
//! It is the only one of the pod's namespace that is annotated with the client id of the pod's identity. Where none or
//! several are, nobody but the owner of the pod can say: nothing is changed. A pod that has chosen an account of its own
//! keeps it.

use crate::identity::aad_pod_identity::bindings::{BoundIdentity, PodIdentities};
use crate::identity::aad_pod_identity::objects::{AzureIdentity, ObjectName};
use crate::identity::azure_keys::CLIENT_ID;
use crate::identity::client_id::{ALL_ZERO, is_guid};
use crate::identity::service_account::ServiceAccount;

/// The service account of a pod that has chosen none.
const DEFAULT_ACCOUNT: &str = "default";
/// Most names that are kept to be told.
const MOST_TOLD: usize = 3;

/// What matters of a pod of AAD Pod Identity.
#[derive(Debug, Clone, Copy)]
pub struct LegacyPod<'p> {
    /// Its namespace.
    pub namespace: &'p str,
    /// What its label says.
    pub selector: &'p str,
    /// The service account that it has.
    pub service_account: &'p str,
}

/// The service account that gives a pod the identity that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MigrationTarget<'i> {
    /// The binding that gives it its identity.
    pub binding: &'i ObjectName,
    /// Its identity.
    pub identity: &'i AzureIdentity,
    /// The name of the service account.
    pub account: &'i str,
}

/// Why a pod is not given a service account in place of its binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MigrationBlocker<'i> {
    /// No binding has its selector.
    NoBinding,
    /// The identity of its binding does not exist.
    NoIdentity(BoundIdentity<'i>),
    /// It has several identities, of different client ids: the names of the first ones.
    SeveralIdentities(Vec<&'i ObjectName>),
    /// The identity has a secret: its type is not 0.
    HasSecret(&'i AzureIdentity),
    /// The identity names no client id.
    NoClientId(&'i AzureIdentity),
    /// The identity names a client id that nobody has: it is no GUID, or all zeros.
    BadClientId(&'i AzureIdentity),
    /// No service account of the namespace has the client id.
    NoAccount(&'i AzureIdentity),
    /// Several have: the names of the first ones.
    SeveralAccounts(&'i AzureIdentity, Vec<&'i str>),
    /// The pod has another service account, which it has chosen.
    OtherAccount(&'i AzureIdentity),
}

/// The service account that gives a pod the identity that it has; `accounts` are those of its namespace, by name.
///
/// # Errors
/// Why there is none, or why it is not given.
pub fn migration_target<'i>(
    pod: LegacyPod<'_>,
    known: &'i PodIdentities,
    accounts: impl Iterator<Item = (&'i str, &'i ServiceAccount)>,
) -> Result<MigrationTarget<'i>, MigrationBlocker<'i>> {
    let (binding, identity) = bound_identity(pod, known)?;
    if identity.identity_type != 0 {
        return Err(MigrationBlocker::HasSecret(identity));
    }
    if identity.client_id.is_empty() {
        return Err(MigrationBlocker::NoClientId(identity));
    }
    // Accounts that nobody has set up share the zeros of a template.
    if !is_guid(&identity.client_id) || *identity.client_id == *ALL_ZERO {
        return Err(MigrationBlocker::BadClientId(identity));
    }
    let has_client_id = |account: &ServiceAccount| {
        account.annotation(CLIENT_ID).is_some_and(|id| id.eq_ignore_ascii_case(&identity.client_id))
    };
    let found: Vec<&str> =
        accounts.filter(|(_, account)| has_client_id(account)).map(|(name, _)| name).collect();
    let is_free = pod.service_account == DEFAULT_ACCOUNT || found.contains(&pod.service_account);
    match found.as_slice() {
        _ if !is_free => Err(MigrationBlocker::OtherAccount(identity)),
        [] => Err(MigrationBlocker::NoAccount(identity)),
        [account] => Ok(MigrationTarget { binding, identity, account }),
        several => {
            let told = several.iter().copied().take(MOST_TOLD).collect();
            Err(MigrationBlocker::SeveralAccounts(identity, told))
        }
    }
}

/// The identity that a pod has, if it is one.
fn bound_identity<'i>(
    pod: LegacyPod<'_>,
    known: &'i PodIdentities,
) -> Result<(&'i ObjectName, &'i AzureIdentity), MigrationBlocker<'i>> {
    let mut missing = None;
    let mut found: Option<(&ObjectName, &AzureIdentity)> = None;
    let mut others: Vec<&ObjectName> = Vec::new();
    for bound in known.bound_to(pod.selector, pod.namespace) {
        match (bound.identity, found) {
            (None, _) => missing = missing.or(Some(bound)),
            (Some(identity), None) => found = Some((bound.binding, identity)),
            (Some(identity), Some((_, first))) if !is_same(first, identity) => others.push(&identity.name),
            (Some(_), Some(_)) => {}
        }
    }
    match (found, missing) {
        (Some((_, first)), _) if !others.is_empty() => {
            let told = [&first.name].into_iter().chain(others).take(MOST_TOLD).collect();
            Err(MigrationBlocker::SeveralIdentities(told))
        }
        (Some(found), _) => Ok(found),
        (None, Some(missing)) => Err(MigrationBlocker::NoIdentity(missing)),
        (None, None) => Err(MigrationBlocker::NoBinding),
    }
}

/// Whether two AzureIdentities stand for one in Azure.
fn is_same(one: &AzureIdentity, other: &AzureIdentity) -> bool {
    one.identity_type == other.identity_type && one.client_id.eq_ignore_ascii_case(&other.client_id)
}

impl MigrationBlocker<'_> {
    /// A word for it, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoBinding => "noBinding",
            Self::NoIdentity(_) => "noIdentity",
            Self::SeveralIdentities(_) => "severalIdentities",
            Self::HasSecret(_) => "hasSecret",
            Self::NoClientId(_) => "noClientId",
            Self::BadClientId(_) => "badClientId",
            Self::NoAccount(_) => "noAccount",
            Self::SeveralAccounts(..) => "severalAccounts",
            Self::OtherAccount(_) => "otherAccount",
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::identity::aad_pod_identity::objects::AzureIdentityBinding;

    use super::*;

    const A: &str = "0a0a0a0a-1111-4222-8333-444444444444";

    fn name(text: &str) -> ObjectName {
        let (namespace, name) = text.split_once('/').unwrap();
        ObjectName { namespace: namespace.into(), name: name.into() }
    }

    fn identity(text: &str, identity_type: i64, client_id: &str) -> AzureIdentity {
        AzureIdentity {
            name: name(text),
            identity_type,
            client_id: client_id.into(),
            ..AzureIdentity::default()
        }
    }

    fn known(identities: &[AzureIdentity], bindings: &[(&str, &str)]) -> PodIdentities {
        let mut known = PodIdentities::default();
        identities.iter().for_each(|identity| known.add_identity(identity.clone()));
        for (binding, azure_identity) in bindings {
            let azure_identity = (*azure_identity).into();
            let binding = AzureIdentityBinding { name: name(binding), azure_identity, selector: "ml".into() };
            known.add_binding(binding);
        }
        known
    }

    /// The account, or the code of what prevents it, and all warnings.
    fn target(
        known: &PodIdentities,
        service_account: &str,
        accounts: &[(&str, &str)],
    ) -> (String, Vec<String>) {
        let annotated: Vec<(&str, ServiceAccount)> =
            accounts.iter().map(|(name, id)| (*name, ServiceAccount::new([(CLIENT_ID, *id)], []))).collect();
        let pod = LegacyPod { namespace: "team", selector: "ml", service_account };
        match migration_target(pod, known, annotated.iter().map(|(name, account)| (*name, account))) {
            Ok(target) => (target.account.to_owned(), Vec::new()),
            Err(blocker) => (blocker.code().to_owned(), blocker.warnings(pod)),
        }
    }

    #[test]
    fn the_only_account_with_the_client_id_is_the_target() {
        let one = known(&[identity("shared/ml-id", 0, &A.to_uppercase())], &[("shared/b", "ml-id")]);
        for (service_account, accounts, expected) in [
            ("default", &[("x", "other"), ("trainer", A)][..], "trainer"),
            ("trainer", &[("trainer", A)], "trainer"),
            ("default", &[("default", A)], "default"),
            ("default", &[], "noAccount"),
            ("default", &[("a", A), ("b", A)], "severalAccounts"),
            ("batch", &[("trainer", A)], "otherAccount"),
            ("batch", &[], "otherAccount"),
            ("b", &[("a", A), ("b", A)], "severalAccounts"),
        ] {
            assert_eq!(target(&one, service_account, accounts).0, expected, "{service_account} {accounts:?}");
        }
    }

    #[test]
    fn identities_that_cannot_be_migrated() {
        let accounts = [("trainer", A), ("zero", ALL_ZERO), ("named", "trainer")];
        for (identities, bindings, expected) in [
            (vec![], &[][..], "noBinding"),
            (vec![], &[("team/b", "gone")], "noIdentity"),
            (vec![identity("team/i", 1, A)], &[("team/b", "i")], "hasSecret"),
            (vec![identity("team/i", 0, "")], &[("team/b", "i")], "noClientId"),
            (vec![identity("team/i", 0, "trainer")], &[("team/b", "i")], "badClientId"),
            (vec![identity("team/i", 0, &format!(" {A}"))], &[("team/b", "i")], "badClientId"),
            (vec![identity("team/i", 0, ALL_ZERO)], &[("team/b", "i")], "badClientId"),
            (
                vec![identity("team/i", 0, A), identity("team/j", 0, "b")],
                &[("team/b", "i"), ("team/c", "j")],
                "severalIdentities",
            ),
            (
                vec![identity("team/i", 0, A), identity("team/j", 0, A)],
                &[("team/b", "i"), ("team/c", "j")],
                "trainer",
            ),
            (vec![identity("team/i", 0, A)], &[("team/a", "gone"), ("team/b", "i")], "trainer"),
        ] {
            assert_eq!(
                target(&known(&identities, bindings), "default", &accounts).0,
                expected,
                "{bindings:?}"
            );
        }
    }

    #[test]
    fn warnings_name_everything_and_are_short() {
        let one = || known(&[identity("team/ml-id", 0, A)], &[("team/ml-bind", "ml-id")]);
        let secret = known(&[identity("team/ml-id", 2, A)], &[("team/ml-bind", "ml-id")]);
        let zero = known(&[identity("team/ml-id", 0, ALL_ZERO)], &[("team/ml-bind", "ml-id")]);
        let long = "x".repeat(63);
        let many = known(
            &[identity(&format!("team/{long}"), 0, A), identity("team/other", 0, "b")],
            &[("team/a", &long), ("team/b", "other")],
        );
        for (known, service_account, accounts, fragments) in [
            (
                PodIdentities::default(),
                "default",
                &[][..],
                &["aadpodidbinding ml", "no AzureIdentityBinding"][..],
            ),
            (one(), "default", &[], &["ml", "ml-id", A, "system:serviceaccount:team:"]),
            (one(), "default", &[("a", A), ("b", A)], &["ml", "ml-id", "a, b"]),
            (one(), "batch-runner", &[], &["ml", "system:serviceaccount:team:batch-runner"]),
            (secret, "default", &[], &["ml-id", "type 2"]),
            (zero, "default", &[], &["ml-id", "clientID", ALL_ZERO, "not migrated"]),
            (many, "default", &[], &["aadpodidbinding ml", "..."]),
        ] {
            let (_, warnings) = target(&known, service_account, accounts);
            let first = &warnings[0];
            assert!(fragments.iter().all(|fragment| first.contains(fragment)), "{first}");
            for warning in &warnings {
                assert!(warning.starts_with("podgate: ") && warning.len() <= 120, "{warning}");
            }
        }
    }
}
