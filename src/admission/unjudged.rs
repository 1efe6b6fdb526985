//! The warning for the author of a pod where no policy holds: nothing is checked, and which label may have been meant.
//!
//! A value close to one of a policy is most likely a typo, and then only that one is named. Otherwise some of the
//! possible values are; the rest is in the log, for the operator.

use std::collections::BTreeSet;

use crate::policy::{PackedLabels, PolicySet};
use crate::text::{Printable, cut_as_json};

/// Longest warning, in bytes: kubectl shows it on one line.
const LONGEST: usize = 120;

/// Most values that are named.
const MOST_VALUES: usize = 3;

/// The warnings.
pub(super) fn warnings(policies: &PolicySet, namespace: &str, labels: Option<&PackedLabels>) -> Vec<String> {
    let namespace = Printable(namespace);
    let mut warnings =
        vec![format!("podgate: no policy holds in namespace \"{namespace}\": nothing checked")];
    warnings.extend(nearest(policies, labels).or_else(|| known(policies, labels)));
    warnings.into_iter().map(|warning| cut_as_json(warning, LONGEST)).collect()
}

/// The value that a label of the namespace was most likely meant to have.
fn nearest(policies: &PolicySet, labels: Option<&PackedLabels>) -> Option<String> {
    let given = |key: &str| labels.and_then(|labels| labels.get(key));
    let distance =
        |value: &str, known: &str| strsim::damerau_levenshtein(&value.to_lowercase(), &known.to_lowercase());
    let slips = policies.selecting_labels().filter_map(|(key, known)| {
        let value = given(key)?;
        Some((distance(value, known), key, value, known))
    });
    let (_, key, value, known) = slips
        .filter(|(distance, _, value, known)| *distance <= known.len().div_ceil(3) && value != known)
        .min_by_key(|(distance, ..)| *distance)?;
    let (key, known) = (Printable(key), Printable(known));
    let whole = format!("podgate: its label {key}={} is not known: did you mean {known}?", Printable(value));
    Some(if whole.len() <= LONGEST {
        whole
    } else {
        format!("podgate: its label {key}: did you mean {known}?")
    })
}

/// The values that a label can have: that of a key that the namespace has, or else of the first.
fn known(policies: &PolicySet, labels: Option<&PackedLabels>) -> Option<String> {
    let has = |key: &str| labels.is_some_and(|labels| labels.contains_key(key));
    let all: BTreeSet<(&str, &str)> = policies.selecting_labels().collect();
    let (key, _) = *all.iter().find(|(key, _)| has(key)).or_else(|| all.first())?;
    let values: Vec<String> =
        all.iter().filter(|(of, _)| *of == key).map(|(_, value)| Printable(value).to_string()).collect();
    let more = if values.len() > MOST_VALUES { ", ..." } else { "" };
    let named: Vec<&str> = values.iter().take(MOST_VALUES).map(String::as_str).collect();
    Some(format!("podgate: policies are for its label {}={}{more}", Printable(key), named.join(" or ")))
}
