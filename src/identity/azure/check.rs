//! Whether a service account is set up for Azure workload identity: azure-workload-identity itself looks at none of this, and
//! the pod gets a token that is good for nothing.

use crate::identity::account_fault::AccountFault;
use crate::identity::azure_keys::{CLIENT_ID, EXPIRATION, TENANT_ID};
use crate::identity::client_id::{ALL_ZERO, is_guid};
use crate::identity::service_account::ServiceAccount;
use crate::text::{PrintableKey, printable};

/// What a service account may say besides its client id.
const OPTIONAL: [&str; 2] = [TENANT_ID, EXPIRATION];
/// How many letters of a key may be wrong for it to be meant as another.
const MISSPELT_LETTERS: usize = 2;
/// Longest value of an annotation that a fault shows: a GUID and a little more.
const LONGEST_VALUE: usize = 40;

/// What keeps a service account from having an identity.
pub(in crate::identity) fn check(account: &ServiceAccount) -> Vec<AccountFault> {
    let mut faults: Vec<AccountFault> = client_id_fault(account).into_iter().collect();
    for key in OPTIONAL.into_iter().filter(|key| account.annotation(key).is_none()) {
        faults.extend(misplaced(account, key));
    }
    faults
}

fn client_id_fault(account: &ServiceAccount) -> Option<AccountFault> {
    let Some(written) = account.annotation(CLIENT_ID) else {
        let missing = || AccountFault {
            what: format!("lacks the annotation {CLIENT_ID}"),
            brief: format!("no annotation {CLIENT_ID}"),
            fix: "set it to the client id of the managed identity, a GUID".to_owned(),
        };
        return Some(misplaced(account, CLIENT_ID).unwrap_or_else(missing));
    };
    let shown = printable(written, LONGEST_VALUE);
    let (what, brief) = match written {
        "" => (format!("has an empty annotation {CLIENT_ID}"), "client-id is empty"),
        ALL_ZERO => (
            format!("has the annotation {CLIENT_ID} with {ALL_ZERO}, which is nobody's"),
            "client-id is all zeros",
        ),
        _ if !is_guid(written) => (
            format!("has the annotation {CLIENT_ID} with \"{shown}\", which is no GUID"),
            "client-id is no GUID",
        ),
        _ => return None,
    };
    let brief = brief.to_owned();
    Some(AccountFault {
        what,
        brief,
        fix: "set it to the client id of the managed identity, a GUID".to_owned(),
    })
}

/// A label in place of an annotation, or a key that is nearly the right one.
fn misplaced(account: &ServiceAccount, key: &str) -> Option<AccountFault> {
    let fix = || format!("make it the annotation {key}");
    if account.labels().any(|(label, _)| label == key) {
        return Some(AccountFault {
            what: format!("has {key} as a label, not as an annotation"),
            brief: format!("{} is a label, not an annotation", short(key)),
            fix: fix(),
        });
    }
    let near = |(written, _): &(&str, &str)| is_near(written, key);
    let found = account.annotations().find(near).map(|(written, _)| ("annotation", written));
    let (kind, written) =
        found.or_else(|| account.labels().find(near).map(|(written, _)| ("label", written)))?;
    Some(AccountFault {
        what: format!("has the {kind} {} in place of {key}", PrintableKey(written)),
        brief: format!("{kind} {} in place of {}", printable(written, LONGEST_VALUE), short(key)),
        fix: fix(),
    })
}

/// A key without what all of them begin with.
fn short(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

/// Whether a key that is not one of ours must have been meant as this one.
fn is_near(written: &str, key: &str) -> bool {
    if written == CLIENT_ID || OPTIONAL.contains(&written) {
        return false;
    }
    let plain = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
    };
    let (written, key) = (plain(written), plain(key));
    // What is too long to be a misspelling is not compared letter by letter.
    written == key
        || (written.len().abs_diff(key.len()) <= MISSPELT_LETTERS
            && strsim::damerau_levenshtein(&written, &key) <= MISSPELT_LETTERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "0a0a0a0a-1111-4222-8333-444444444444";

    fn told(annotations: &[(&str, &str)], labels: &[(&str, &str)]) -> Vec<String> {
        let account = ServiceAccount::new(annotations.iter().copied(), labels.iter().copied());
        check(&account).into_iter().map(|AccountFault { what, .. }| what).collect()
    }

    #[test]
    fn an_account_in_order_has_no_fault() {
        for annotations in [
            &[(CLIENT_ID, A)][..],
            &[(CLIENT_ID, "0A0A0A0A-1111-4222-8333-44444444444F")],
            &[(CLIENT_ID, A), (OPTIONAL[0], ""), (OPTIONAL[1], "7200")],
        ] {
            assert_eq!(told(annotations, &[("azure.workload.identity/use", "true")]), [""; 0]);
        }
    }

    #[test]
    fn a_client_id_that_is_none_is_told() {
        for (value, expected) in [
            ("", "has an empty annotation azure.workload.identity/client-id"),
            (
                "not-a-guid",
                "has the annotation azure.workload.identity/client-id with \"not-a-guid\", which is no GUID",
            ),
            (
                ALL_ZERO,
                "has the annotation azure.workload.identity/client-id with 00000000-0000-0000-0000-000000000000, \
                 which is nobody's",
            ),
        ] {
            assert_eq!(told(&[(CLIENT_ID, value)], &[]), [expected]);
        }
        for value in
            ["0a0a0a0a11114222833344444444444", &format!(" {A}"), &format!("{{{A}}}"), &format!("{A}0")]
        {
            assert!(told(&[(CLIENT_ID, value)], &[])[0].contains("no GUID"), "{value}");
        }
    }

    #[test]
    fn what_is_in_the_wrong_place_or_misspelt_is_named() {
        let lacks = "lacks the annotation azure.workload.identity/client-id";
        for (annotations, labels, expected) in [
            (&[][..], &[][..], lacks.to_owned()),
            (
                &[],
                &[(CLIENT_ID, A)],
                "has azure.workload.identity/client-id as a label, not as an annotation".to_owned(),
            ),
            (
                &[("azure.workload.identity/client_id", A)],
                &[],
                near("annotation", "azure.workload.identity/client_id"),
            ),
            (
                &[("azure.workload.identity/clientId", A)],
                &[],
                near("annotation", "azure.workload.identity/clientId"),
            ),
            (
                &[("azure.workload-identity/client-id", A)],
                &[],
                near("annotation", "azure.workload-identity/client-id"),
            ),
            (
                &[("azure.workload.identity/clientt-id", A)],
                &[],
                near("annotation", "azure.workload.identity/clientt-id"),
            ),
            (
                &[],
                &[("azure.workload.identity/client_id", A)],
                near("label", "azure.workload.identity/client_id"),
            ),
            (&[("azure.workload.identity/tenant-id", A)], &[], lacks.to_owned()),
        ] {
            assert_eq!(told(annotations, labels), [expected]);
        }
        assert_eq!(
            told(&[(CLIENT_ID, A), ("azure.workload.identity/tenantid", A)], &[]),
            [
                "has the annotation azure.workload.identity/tenantid in place of azure.workload.identity/tenant-id"
            ]
        );
    }

    fn near(kind: &str, written: &str) -> String {
        format!("has the {kind} {written} in place of azure.workload.identity/client-id")
    }
}
