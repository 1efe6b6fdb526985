//! Federated credentials: the subject that Azure has to trust for a service account, and how many an identity may have.

use std::collections::BTreeMap;

use crate::identity::azure_keys::CLIENT_ID;
use crate::identity::service_account::ServiceAccount;

/// Most federated credentials that Azure takes for one identity. Each is for one subject of one cluster.
pub const MOST_SUBJECTS: usize = 20;

/// The subject of a service account's tokens, which a federated credential has to name to the letter.
#[must_use]
pub fn federated_subject(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

/// An identity that more service accounts stand for than it can have federated credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrowdedIdentity {
    /// Its client id, in lower case.
    pub client_id: String,
    /// The subjects of the service accounts, sorted.
    pub subjects: Vec<String>,
}

/// The identities that more service accounts stand for than Azure takes federated credentials for, by client id. Those of
/// other clusters come on top, and are not known here. An identity binding of AKS needs one credential for all.
pub fn crowded_identities<'s>(
    accounts: impl IntoIterator<Item = (&'s str, &'s str, &'s ServiceAccount)>,
) -> Vec<CrowdedIdentity> {
    let mut by_client: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (namespace, name, account) in accounts {
        let client = account.annotation(CLIENT_ID).map(str::to_ascii_lowercase);
        let Some(client_id) = client.filter(|id| !id.is_empty()) else { continue };
        by_client.entry(client_id).or_default().push(federated_subject(namespace, name));
    }
    let crowded = by_client.into_iter().filter(|(_, subjects)| subjects.len() > MOST_SUBJECTS);
    crowded
        .map(|(client_id, mut subjects)| {
            subjects.sort_unstable();
            CrowdedIdentity { client_id, subjects }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_has_room_for_so_many_service_accounts() {
        let account = |id| ServiceAccount::new([(CLIENT_ID, id)], []);
        let (upper, lower, empty) = (account("0A"), account("0a"), account(""));
        let crowd = |count: usize| -> Vec<(String, &ServiceAccount)> {
            let of = |number: usize| if number.is_multiple_of(2) { &upper } else { &lower };
            (0..count).map(|number| (format!("n{number:02}"), of(number))).collect()
        };
        let crowded = |accounts: &[(String, &ServiceAccount)]| {
            crowded_identities(
                accounts.iter().map(|(namespace, account)| (namespace.as_str(), "a", *account)),
            )
        };
        assert_eq!(crowded(&crowd(20)), []);
        assert_eq!(crowded(&vec![("n".to_owned(), &empty); 30]), []);
        let found = crowded(&crowd(21));
        let [identity] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((identity.client_id.as_str(), identity.subjects.len()), ("0a", 21));
        assert_eq!(identity.subjects[0], "system:serviceaccount:n00:a");
    }
}
