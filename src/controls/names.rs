//! Lists of names and patterns in the parameters of controls: what may be wrong with one, and the fix that offers it.

use std::collections::HashSet;

use crate::controls::ParameterError;
use crate::finding::{Choices, FieldPath, Fix, Value};
use crate::pod::{can_match_label_key, is_dns_subdomain, stands_for};

/// The fix that sets a field to one of these names; that removes it if there are none.
pub(super) fn use_one_of(names: &[String]) -> Fix<'_> {
    match names {
        [] => Fix::remove(),
        [name] if !name.contains('*') => Fix::set(Value::Text(name)),
        names => Fix::OneOf(Choices::OfPolicy(names)),
    }
}

/// The faults of a list of exact names: what is empty, is a pattern, or comes twice.
pub(super) fn faults(list: &'static str, names: &[String]) -> Vec<ParameterError> {
    each(list, names.iter().map(String::as_str), fault_of_name)
}

fn fault_of_name(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("must not be empty: leave it out"),
        name if name.contains('*') => Some("is a name, and no pattern: list each by itself"),
        name if name.trim() != name || name.chars().any(char::is_control) => {
            Some("has white space around it, or control characters in it: take them out")
        }
        _ => None,
    }
}

const NO_OBJECT: &str =
    "no object of the cluster has it as its name: names are of lower-case letters, digits, - and .";

/// The faults of a list of exact names of objects: those of [`faults`], and what no object can be named.
pub(super) fn object_faults(list: &'static str, names: &[String]) -> Vec<ParameterError> {
    let fault = |name: &str| fault_of_name(name).or((!is_dns_subdomain(name)).then_some(NO_OBJECT));
    each(list, names.iter().map(String::as_str), fault)
}

/// The faults of a list of patterns of names of objects: what is empty, stands for no name, or comes twice.
pub(super) fn object_pattern_faults<'n>(
    list: &'static str,
    patterns: impl IntoIterator<Item = &'n str>,
) -> Vec<ParameterError> {
    each(list, patterns, |pattern| match pattern {
        "" => Some("must not be empty: leave it out"),
        pattern => (!stands_for(pattern, is_dns_subdomain)).then_some(NO_OBJECT),
    })
}

/// The faults of a list of users: what is no name, and what only looks like one.
pub(super) fn user_faults(list: &'static str, users: &[String]) -> Vec<ParameterError> {
    each(list, users.iter().map(String::as_str), |user| fault_of_name(user).or_else(|| fault_of_user(user)))
}

const ACCOUNT: &str = "is no user: a service account is system:serviceaccount:NAMESPACE:NAME";

fn fault_of_user(user: &str) -> Option<&'static str> {
    const GROUPS: [&str; 4] =
        ["system:masters", "system:nodes", "system:authenticated", "system:unauthenticated"];
    let is_name = |text: &str| is_dns_subdomain(text);
    let is_account = |account: &str| {
        account.split_once(':').is_some_and(|(namespace, name)| is_name(namespace) && is_name(name))
    };
    match user.strip_prefix("system:serviceaccount:") {
        Some(account) => (!is_account(account)).then_some(ACCOUNT),
        None if GROUPS.contains(&user) || user.starts_with("system:serviceaccounts") => Some(
            "is a group, and what is asked for are users: name each, as system:serviceaccount:NAMESPACE:NAME",
        ),
        None => {
            let is_pair =
                user.split_once('/').is_some_and(|(namespace, name)| is_name(namespace) && is_name(name));
            is_pair.then_some(ACCOUNT)
        }
    }
}

/// The faults of a list of patterns of keys: what no key can match, or comes twice.
pub(super) fn key_pattern_faults<'n>(
    list: &'static str,
    patterns: impl IntoIterator<Item = &'n str>,
) -> Vec<ParameterError> {
    each(list, patterns, |pattern| {
        let is_possible = can_match_label_key(pattern);
        (!is_possible).then_some("no key matches it: a key is a name, or a domain, `/` and a name")
    })
}

/// A fault for each item that has one, and for each that comes twice.
fn each<'n>(
    list: &'static str,
    items: impl IntoIterator<Item = &'n str>,
    fault: impl Fn(&str) -> Option<&'static str>,
) -> Vec<ParameterError> {
    let mut known = HashSet::new();
    let mut faults = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let is_new = known.insert(item);
        let twice = (!is_new).then_some("is listed twice: keep one of the two");
        if let Some(fault) = fault(item).or(twice) {
            faults.push(ParameterError::at(FieldPath::from(list).index(index), fault));
        }
    }
    faults
}
