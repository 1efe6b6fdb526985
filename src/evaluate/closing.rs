//! The end of a refusal, and the last of some warnings: how to try again, where it is explained, and whom to ask.

use std::collections::BTreeSet;

use crate::evaluate::message::LONGEST_WARNING;
use crate::policy::{PolicyOrigin, SecurityPolicy, help_with_code};
use crate::text::cut;

/// Most pages, and most contacts, that are named.
const MOST: usize = 3;

/// The policies that something is said about, each once, in their order.
pub(super) fn distinct<'p>(policies: impl Iterator<Item = &'p SecurityPolicy>) -> Vec<&'p SecurityPolicy> {
    let mut distinct: Vec<&SecurityPolicy> = Vec::new();
    for policy in policies {
        if !distinct.iter().any(|known| std::ptr::eq(*known, policy)) {
            distinct.push(policy);
        }
    }
    distinct
}

/// The command that judges a manifest by the same policies.
pub(super) fn lint_command(policies: &[&SecurityPolicy]) -> String {
    match policies {
        [policy] if policy.origin == PolicyOrigin::BuiltIn => "podgate lint FILE".to_owned(),
        [policy] if policy.origin == PolicyOrigin::Standard => {
            format!("podgate lint --standard {} FILE", policy.name)
        }
        [policy] => {
            format!("podgate lint --policy POLICY-FILE FILE   (the policy file of \"{}\")", policy.name)
        }
        policies => {
            let files = "--policy POLICY-FILE ".repeat(policies.len().min(MOST));
            format!("podgate lint {files}FILE   (a policy file each)")
        }
    }
}

/// Where a code is explained: the pages of the policies, or else podgate itself.
pub(super) fn explanations(policies: &[&SecurityPolicy], code: &str) -> Vec<String> {
    let pages = helps(policies).into_iter().take(MOST).map(|url| help_with_code(url, code));
    let pages: Vec<String> = pages.collect();
    if pages.is_empty() { vec![format!("podgate explain {code}")] } else { pages }
}

/// Whom to ask.
pub(super) fn contacts<'p>(policies: &[&'p SecurityPolicy]) -> Vec<&'p str> {
    let contacts: BTreeSet<&str> = policies.iter().filter_map(|policy| policy.contact.as_deref()).collect();
    contacts.into_iter().take(MOST).collect()
}

fn helps<'p>(policies: &[&'p SecurityPolicy]) -> BTreeSet<&'p str> {
    policies.iter().filter_map(|policy| policy.help.as_deref()).collect()
}

/// The warning that says where to read on and whom to ask: one, or one for each where they are too long for one. None
/// where no policy names either. Of several policies the first that names something is taken.
pub(super) fn closing_warnings(policies: &[&SecurityPolicy], code: &str) -> Vec<String> {
    let page = policies.iter().find_map(|policy| policy.help.as_deref()).map(|url| {
        let page = help_with_code(url, code);
        let fits = page.len() + "podgate: Why and how:  ".len() <= LONGEST_WARNING;
        format!("Why and how:  {}", if fits { page } else { format!("podgate explain {code}") })
    });
    let contact = policies.iter().find_map(|policy| policy.contact.as_deref());
    let contact = contact.map(|contact| format!("Questions?  ask {contact}"));
    let parts: Vec<String> = page.into_iter().chain(contact).collect();
    let whole = format!("podgate: {}", parts.join("  "));
    match parts.as_slice() {
        [] => Vec::new(),
        _ if whole.len() <= LONGEST_WARNING => vec![whole],
        parts => parts.iter().map(|part| cut(format!("podgate: {part}"), LONGEST_WARNING)).collect(),
    }
}
