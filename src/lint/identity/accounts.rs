//! The service accounts among the manifests that pods act as: what is wrong with them, where they are written; and those that
//! are too many for one identity.

use std::collections::BTreeSet;

use crate::identity::{
    AZURE_CLIENT_ID, MOST_SUBJECTS, ProviderName, check_account, crowded_identities, federated_subject,
};
use crate::lint::account_of_run::AccountOfRun;
use crate::lint::report::IdentityNote;
use crate::policy::Snapshot;
use crate::text::{Printable, PrintableKey, printable};

/// Longest client id that is shown: a GUID and a little more.
const LONGEST_ID: usize = 40;

/// What is wrong with the service accounts that are used, by namespace and name.
pub(in crate::lint) fn account_notes(
    accounts: &[&AccountOfRun],
    used: &BTreeSet<(&str, &str)>,
) -> Vec<IdentityNote> {
    let is_used = |account: &&&AccountOfRun| used.contains(&(account.namespace.as_str(), &*account.name));
    let noted = accounts.iter().filter(is_used).flat_map(|of_run| {
        let faults = check_account(ProviderName::Azure, &of_run.account).into_iter();
        faults.map(|fault| {
            let (namespace, name) = (Printable(&of_run.namespace), PrintableKey(&of_run.name));
            let separator = if of_run.namespace.is_empty() { "" } else { "/" };
            let message = format!(
                "ServiceAccount {namespace}{separator}{name} {}: {}. Its subject for the federated credential is {}",
                fault.what,
                fault.fix,
                subject(&of_run.namespace, &of_run.name)
            );
            note_at(of_run, message)
        })
    });
    noted.collect()
}

/// The subject of an account, whose namespace may not be known.
fn subject(namespace: &str, name: &str) -> String {
    let namespace = if namespace.is_empty() { super::SOME_NAMESPACE } else { namespace };
    federated_subject(&Printable(namespace).to_string(), &PrintableKey(name).to_string())
}

/// A note for each identity that more service accounts are to act as than Azure takes federated credentials for.
pub(in crate::lint) fn crowd_notes(accounts: &[&AccountOfRun], known: &Snapshot) -> Vec<IdentityNote> {
    let crowds = crowded_identities(known.service_accounts()).into_iter();
    crowds
        .map(|crowd| {
            let message = format!(
                "{} service accounts act as the client id {}, and Azure takes {MOST_SUBJECTS} federated credentials for one \
                 identity: divide them among several, or use an identity binding of AKS, which needs one credential for all. \
                 The subjects begin with {}",
                crowd.subjects.len(),
                printable(&crowd.client_id, LONGEST_ID),
                crowd.subjects.first().map_or("", String::as_str),
            );
            let is_of_crowd = |account: &&&AccountOfRun| {
                let id = account.account.annotation(AZURE_CLIENT_ID);
                id.is_some_and(|id| id.eq_ignore_ascii_case(&crowd.client_id))
            };
            match accounts.iter().find(is_of_crowd) {
                Some(account) => note_at(account, message),
                None => IdentityNote { file: String::new(), line: None, column: None, message },
            }
        })
        .collect()
}

fn note_at(account: &AccountOfRun, message: String) -> IdentityNote {
    let AccountOfRun { file, line, column, .. } = account;
    IdentityNote { file: file.clone(), line: Some(*line), column: Some(*column), message }
}
