//! Whether a PodDefault selects a pod by its labels.

use crate::workload::placeholder::has_placeholder;
use crate::workload::references::Referent;
use crate::workload::unresolved::UnresolvedReason;
use crate::yaml::Node;

/// Whether a selector is for a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    Yes,
    No,
    /// Something of it, or of the pod's labels, is not known.
    Unknown(UnresolvedReason),
}

/// The labels of a pod.
#[derive(Debug)]
pub(super) struct Labels<'p> {
    /// Those of the pod, and of the object that gives it its own.
    sources: Vec<&'p Node>,
}

impl<'p> Labels<'p> {
    pub(super) fn of(pod: &'p Node, giving: Option<&'p Node>) -> Self {
        let labels = |object: &'p Node| {
            // Where the metadata is no object, it may be a placeholder that has any label.
            let metadata = object.get("metadata")?;
            if metadata.is_object() { metadata.get("labels") } else { Some(metadata) }
        };
        Self { sources: [Some(pod), giving].into_iter().flatten().filter_map(labels).collect() }
    }

    /// Whether a label is there and its value is one that is meant.
    fn has(&self, key: &str, is_meant: impl Fn(&str) -> bool) -> Match {
        let mut found = Match::No;
        for labels in &self.sources {
            if !labels.is_object() {
                found = Match::Unknown(reason_of(labels));
            } else if let Some(value) = labels.get(key) {
                return match value.as_text().filter(|text| !has_placeholder(text)) {
                    Some(text) if is_meant(text) => Match::Yes,
                    Some(_) => Match::No,
                    None if is_empty_text(value) => if_meant(is_meant("")),
                    None => Match::Unknown(reason_of(value)),
                };
            }
        }
        found
    }
}

fn if_meant(is_meant: bool) -> Match {
    if is_meant { Match::Yes } else { Match::No }
}

fn is_empty_text(node: &Node) -> bool {
    node.value == crate::yaml::Value::String(String::new())
}

/// Why a value is not known.
fn reason_of(node: &Node) -> UnresolvedReason {
    let is_placeholder = node.as_text().is_some_and(has_placeholder);
    if is_placeholder { UnresolvedReason::Placeholder } else { UnresolvedReason::WrongType }
}

impl Match {
    /// Both of them.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unknown(reason), _) | (_, Self::Unknown(reason)) => Self::Unknown(reason),
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown(reason) => Self::Unknown(reason),
        }
    }
}

/// Whether a PodDefault selects a pod. An empty selector is for all of them.
pub(super) fn matches(referent: &Referent, labels: &Labels<'_>) -> Match {
    let Some(spec) = referent.node.get("spec") else { return Match::Yes };
    if !spec.is_object() {
        return Match::Unknown(reason_of(spec));
    }
    let Some(selector) = spec.get("selector") else { return Match::Yes };
    if !selector.is_object() {
        return Match::Unknown(reason_of(selector));
    }
    let wanted = selector.get("matchLabels").map_or(Match::Yes, |wanted| by_labels(wanted, labels));
    let expressions = selector.get("matchExpressions");
    wanted.and(expressions.map_or(Match::Yes, |expressions| by_expressions(expressions, labels)))
}

fn by_labels(wanted: &Node, labels: &Labels<'_>) -> Match {
    if !wanted.is_object() {
        return Match::Unknown(reason_of(wanted));
    }
    let of_entry = |entry: &crate::yaml::Entry| {
        let value = entry.value.as_text().unwrap_or_default();
        if has_placeholder(value) || value.is_empty() && !is_empty_text(&entry.value) {
            return labels.has(&entry.key, |_| true).and(Match::Unknown(reason_of(&entry.value)));
        }
        labels.has(&entry.key, |label| label == value)
    };
    wanted.entries().iter().map(of_entry).fold(Match::Yes, Match::and)
}

fn by_expressions(expressions: &Node, labels: &Labels<'_>) -> Match {
    if !expressions.is_list() {
        return Match::Unknown(reason_of(expressions));
    }
    expressions
        .items()
        .iter()
        .map(|expression| by_expression(expression, labels))
        .fold(Match::Yes, Match::and)
}

fn by_expression(expression: &Node, labels: &Labels<'_>) -> Match {
    let (key, values) = (expression.text_of("key"), expression.items_at("values"));
    let unknown = [Some(expression), expression.get("key"), expression.get("operator")];
    let unknown =
        unknown.into_iter().flatten().chain(values).find(|part| part.as_text().is_some_and(has_placeholder));
    if let Some(unknown) = unknown {
        return Match::Unknown(reason_of(unknown));
    }
    let is_one = |label: &str| values.iter().any(|value| value.as_text().unwrap_or_default() == label);
    match expression.text_of("operator") {
        "In" if !values.is_empty() => labels.has(key, is_one),
        "NotIn" if !values.is_empty() => labels.has(key, is_one).not(),
        "Exists" => labels.has(key, |_| true),
        "DoesNotExist" => labels.has(key, |_| true).not(),
        _ => Match::Unknown(UnresolvedReason::WrongType),
    }
}
