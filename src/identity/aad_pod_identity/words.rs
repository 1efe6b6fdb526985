//! Why a pod is not migrated, in warnings for its author.

use crate::identity::aad_pod_identity::objects::AzureIdentity;
use crate::identity::aad_pod_identity::target::{LegacyPod, MigrationBlocker};
use crate::text::printable;

/// Longest warning, in characters: kubectl shows no more of one.
const LONGEST_WARNING: usize = 120;
/// Fewest characters of a name that are shown, whatever else is.
const SHORTEST_NAME: usize = 8;

/// A part of a warning.
#[derive(Debug, Clone, Copy)]
enum Part<'t> {
    /// Our own words.
    Words(&'t str),
    /// A name of others, which is cut where the warning would be too long.
    Name(&'t str),
}

/// A warning of at most 120 characters: our own words and names of others by turns. Where it would be longer, the names are
/// cut, the longest first.
#[must_use]
pub fn warning_line(words_and_names: &[&str]) -> String {
    let parts = words_and_names.iter().enumerate().map(|(index, text)| match index % 2 {
        0 => Part::Words(text),
        _ => Part::Name(text),
    });
    let written = |longest: usize| -> String {
        let texts = parts.clone().map(|part| match part {
            Part::Words(words) => words.to_owned(),
            Part::Name(name) => printable(name, longest).to_string(),
        });
        texts.collect()
    };
    let mut longest = LONGEST_WARNING;
    let mut text = written(longest);
    while text.len() > LONGEST_WARNING && longest > SHORTEST_NAME {
        longest -= 1;
        text = written(longest);
    }
    text.truncate(LONGEST_WARNING);
    text
}

impl MigrationBlocker<'_> {
    /// Why the pod is not migrated, and what to do.
    #[must_use]
    pub fn warnings(&self, pod: LegacyPod<'_>) -> Vec<String> {
        let LegacyPod { namespace, selector, service_account } = pod;
        let label = "podgate: aadpodidbinding ";
        match self {
            Self::NoBinding => vec![warning_line(&[
                label,
                selector,
                ": no AzureIdentityBinding has this selector: not migrated",
            ])],
            Self::NoIdentity(bound) => vec![warning_line(&[
                label,
                selector,
                ": there is no AzureIdentity ",
                bound.identity_name,
                ", as its binding says",
            ])],
            Self::SeveralIdentities(names) => {
                let names = names.iter().map(|name| name.name.as_ref()).collect::<Vec<_>>().join(", ");
                vec![warning_line(&[label, selector, " is bound to several identities: ", &names])]
            }
            Self::HasSecret(identity) => {
                let of_type = format!(" is of type {}, with a secret: not migrated", identity.identity_type);
                vec![warning_line(&[label, selector, ": AzureIdentity ", &identity.name.name, &of_type])]
            }
            Self::NoClientId(identity) => vec![warning_line(&[
                label,
                selector,
                ": AzureIdentity ",
                &identity.name.name,
                " has no clientID: not migrated",
            ])],
            Self::BadClientId(identity) => vec![warning_line(&[
                label,
                selector,
                ": not migrated: AzureIdentity ",
                &identity.name.name,
                " has the clientID ",
                &identity.client_id,
            ])],
            Self::NoAccount(identity) => no_account(identity, pod),
            Self::SeveralAccounts(identity, accounts) => vec![warning_line(&[
                label,
                selector,
                " (",
                &identity.name.name,
                "): several accounts have its client id: ",
                &accounts.join(", "),
            ])],
            Self::OtherAccount(_) => vec![warning_line(&[
                label,
                selector,
                ": not migrated: needs a credential for system:serviceaccount:",
                namespace,
                ":",
                service_account,
            ])],
        }
    }
}

/// That no service account has the client id, in one line with all that has to be known, and what to do in another.
fn no_account(identity: &AzureIdentity, pod: LegacyPod<'_>) -> Vec<String> {
    let (name, client_id) = (&identity.name.name, &identity.client_id);
    let found = [
        "podgate: ",
        pod.selector,
        " (",
        name,
        "): no account has ",
        client_id,
        ": system:serviceaccount:",
        pod.namespace,
        ":*",
    ];
    let advice = [
        "podgate: not migrated: annotate one account in ",
        pod.namespace,
        " with azure.workload.identity/client-id",
    ];
    vec![warning_line(&found), warning_line(&advice)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_give_way_and_words_do_not() {
        assert_eq!(warning_line(&["podgate: ", "a", " b"]), "podgate: a b");
        let long = "n".repeat(300);
        for parts in
            [&["podgate: ", long.as_str(), " is not ", "short"][..], &["podgate: ", &long, ", ", &long]]
        {
            let text = warning_line(parts);
            assert!((LONGEST_WARNING - 2..=LONGEST_WARNING).contains(&text.len()), "{text}");
        }
        assert!(warning_line(&["podgate: ", &long, " is not ", "short"]).ends_with("... is not short"));
        let other_script = "ж".repeat(100);
        assert!(warning_line(&["podgate: ", &other_script, " stays"]).ends_with(" stays"));
    }
}
