//! Keys of labels and annotations that are reserved to some writers: what the two controls of them have in common.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::controls::pattern::{Pattern, any_matches};
use crate::controls::{CheckedPod, ParameterError, Violation, names, text};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject};
use crate::json;
use crate::pod::Metadata;

/// Most reserved keys of a pod before an update that are remembered. Schedulers write a handful; what is beyond counts as new.
const MOST_REMEMBERED: usize = 1000;

/// Reserved keys, as a policy gives them.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct ReservedKeys {
    /// Patterns of the keys: `hami.io/*`.
    #[schemars(length(min = 1))]
    keys: Vec<Pattern>,
    /// The names of the users who may set, change and remove them, as the API server knows them:
    /// `system:serviceaccount:hami:scheduler`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    writers: Vec<String>,
}

/// Labels or annotations.
pub(super) struct Map {
    /// Its name in the metadata.
    pub(super) name: &'static str,
    /// Calls back with each of its entries.
    pub(super) for_each: ForEach,
    /// Whether a value may be printed.
    pub(super) shows_values: bool,
}

/// A label or annotation.
pub(super) struct Entry<'p> {
    pub(super) key: Cow<'p, str>,
    /// Its value, or the JSON text of it.
    pub(super) value: &'p str,
}

/// Calls back with each entry of a map.
type ForEach = for<'p> fn(&'p Metadata<'p>, &mut dyn FnMut(Entry<'p>)) -> json::Result<()>;

impl ReservedKeys {
    /// Reports the reserved keys of a new pod; of an update those that it adds, changes and removes. Nothing if the
    /// requester is a writer.
    pub(super) fn check<'p>(
        &'p self,
        map: &'static Map,
        CheckedPod { pod, origin }: CheckedPod<'p>,
        sink: &mut Sink<'_, 'p>,
    ) {
        if self.writers.iter().any(|writer| origin.is_requested_by(writer)) {
            return;
        }
        let mut before: BTreeMap<Cow<'p, str>, &'p str> = BTreeMap::new();
        let was_read = origin.old.map_or(Ok(()), |old| {
            (map.for_each)(&old.metadata, &mut |Entry { key, value }| {
                if before.len() < MOST_REMEMBERED && any_matches(&self.keys, &key) {
                    before.insert(key, value);
                }
            })
        });
        let is_read = (map.for_each)(&pod.metadata, &mut |entry| {
            if any_matches(&self.keys, &entry.key) {
                match before.remove(&entry.key) {
                    Some(same) if same == entry.value => {}
                    Some(_) => sink(map.finding(&entry, true, Fix::one_of(&[AS_BEFORE]))),
                    None => sink(map.finding(&entry, true, Fix::remove())),
                }
            }
        });
        for (key, value) in before {
            sink(map.finding(&Entry { key, value }, false, Fix::one_of(&[AS_BEFORE])));
        }
        if was_read.and(is_read).is_err() {
            sink(Finding::new(Subject::Metadata, map.name, UNREADABLE, Fix::remove()));
        }
    }

    pub(super) fn faults(&self) -> Vec<ParameterError> {
        let mut faults = names::key_pattern_faults("keys", self.keys.iter().map(Pattern::as_str));
        faults.extend(names::user_faults("writers", &self.writers));
        faults
    }
}

/// What a reserved key has to have after an update.
const AS_BEFORE: &str = "the value that it had";

/// What is found of keys that are written with escapes, as no API server writes one.
const UNREADABLE: Found<'_> = Found::UNREADABLE;

impl Map {
    fn finding<'p>(&'static self, entry: &Entry<'p>, is_set: bool, fix: Fix<'p>) -> Finding<'p> {
        let path = FieldPath::from(self.name);
        let found = match is_set {
            true if self.shows_values => Found::Text(entry.value),
            true => Found::Hidden,
            false => Found::Absent,
        };
        match entry.key {
            Cow::Borrowed(key) => Finding::new(Subject::Metadata, path.key(key), found, fix),
            Cow::Owned(_) => Finding::new(Subject::Metadata, path, UNREADABLE, Fix::remove()),
        }
    }
}

/// The findings in words: `pod must not set labels "a", "b"`.
pub(super) fn violation(map: &Map, reason: &'static str, findings: &[Finding<'_>]) -> Violation {
    let keys = |is_meant: fn(Found<'_>) -> bool| {
        let meant = findings.iter().filter(move |finding| is_meant(finding.found));
        text::quoted(meant.map(|finding| finding.path.last_key().unwrap_or("not readable")))
    };
    let set = keys(|found| found != Found::Absent);
    let removed = keys(|found| found == Found::Absent);
    let parts = [("set", set), ("remove", removed)].into_iter().filter(|(_, keys)| !keys.is_empty());
    let parts: Vec<String> =
        parts.map(|(verb, keys)| format!("{verb} reserved {} {keys}", map.name)).collect();
    Violation { reason, detail: format!("pod must not {}", parts.join(" and ")) }
}
