//! Lists of names and patterns in the parameters of controls: what may be wrong with one, and the fix that offers it.

use std::collections::HashSet;

use crate::controls::ParameterError;
use crate::finding::{Choices, FieldPath, Fix, Value};
use crate::pod::can_match_label_key;

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
    let fault = |name: &str| match name {
        "" => Some("must not be empty: leave it out"),
        name if name.contains('*') => Some("is a name, and no pattern: list each by itself"),
        name if name.trim() != name || name.chars().any(char::is_control) => {
            Some("has white space around it, or control characters in it: take them out")
        }
        _ => None,
    };
    each(list, names.iter().map(String::as_str), fault)
}

/// The faults of a list of patterns: what is empty, no part of what is matched, or comes twice.
pub(super) fn pattern_faults<'n>(
    list: &'static str,
    patterns: impl IntoIterator<Item = &'n str>,
) -> Vec<ParameterError> {
    each(list, patterns, |pattern| pattern.is_empty().then_some("must not be empty: leave it out"))
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
