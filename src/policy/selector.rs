//! Label selectors, as Kubernetes has them.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::pod::{is_label_key, is_label_value};
use crate::policy::labels::{Labels, PackedLabels};

/// A label selector, as written in a policy. All of its terms must match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Selector {
    /// Labels and the values that they must have.
    #[schemars(with = "Labels")]
    pub match_labels: PackedLabels,
    /// Further conditions.
    pub match_expressions: Vec<Expression>,
}

/// A condition on one label.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expression {
    /// The label.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// What it is compared with.
    #[serde(default)]
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
pub enum Operator {
    /// It has one of the values.
    In,
    /// It has none of them, or is absent.
    NotIn,
    /// It exists.
    Exists,
    /// It is absent.
    DoesNotExist,
}

#[cfg(test)]
thread_local! {
    /// How often this thread has compared labels with a selector.
    pub(crate) static MATCHES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Selector {
    /// Whether it names no condition, so that everything would match.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// Whether whatever has these labels also has those that the other asks for, as far as the two are written alike.
    pub(super) fn implies(&self, other: &Self) -> bool {
        other.match_labels.iter().all(|(key, value)| self.match_labels.get(key) == Some(value))
            && other.match_expressions.iter().all(|expression| self.match_expressions.contains(expression))
    }

    /// The labels that it looks at, each once.
    pub(super) fn keys(&self) -> BTreeSet<&str> {
        let of_expressions = self.match_expressions.iter().map(|expression| expression.key.as_str());
        self.match_labels.keys().chain(of_expressions).collect()
    }

    /// A key or value in it that no label can have.
    pub(super) fn impossible_label(&self) -> Option<&str> {
        let of_expressions = self.match_expressions.iter();
        let keys = of_expressions.clone().map(|expression| &expression.key).map(String::as_str);
        let values = of_expressions.flat_map(|expression| &expression.values).map(String::as_str);
        (self.match_labels.keys().chain(keys))
            .find(|key| !is_label_key(key))
            .or_else(|| self.match_labels.values().chain(values).find(|value| !is_label_value(value)))
    }

    /// The values that it asks of labels; one of several is enough.
    pub(super) fn wanted_values(&self) -> impl Iterator<Item = (&str, &str)> {
        let listed = self.match_expressions.iter().filter(|expression| expression.operator == Operator::In);
        let of_lists = listed.flat_map(|expression| {
            expression.values.iter().map(|value| (expression.key.as_str(), value.as_str()))
        });
        self.match_labels.iter().chain(of_lists)
    }

    /// Whether the labels that `label` looks up match.
    pub fn matches<'l>(&self, label: impl Fn(&str) -> Option<&'l str>) -> bool {
        #[cfg(test)]
        MATCHES.set(MATCHES.get() + 1);
        self.match_labels.iter().all(|(key, value)| label(key) == Some(value))
            && self.match_expressions.iter().all(|expression| expression.matches(label(&expression.key)))
    }
}

impl Expression {
    fn matches(&self, label: Option<&str>) -> bool {
        let is_listed = || label.is_some_and(|label| self.values.iter().any(|value| value == label));
        match self.operator {
            Operator::In => is_listed(),
            Operator::NotIn => !is_listed(),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
        }
    }

    /// What is wrong with it, as the API server would say.
    pub(super) fn fault(&self) -> Option<&'static str> {
        match (self.operator, self.values.is_empty()) {
            (Operator::In | Operator::NotIn, true) => Some("In and NotIn need at least one of values"),
            (Operator::Exists | Operator::DoesNotExist, false) => {
                Some("Exists and DoesNotExist take no values")
            }
            (Operator::In | Operator::NotIn, false) | (Operator::Exists | Operator::DoesNotExist, true) => {
                None
            }
        }
    }
}

/// Whether a namespace can have this name: at most 63 lower-case letters, digits and dashes.
#[must_use]
pub fn is_namespace(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len())
        && name.bytes().all(is_inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_compare_as_kubernetes_does() {
        let expression = |operator, values: &[&str]| Expression {
            key: "k".into(),
            operator,
            values: values.iter().map(ToString::to_string).collect(),
        };
        for (operator, values, with_a, with_b, absent) in [
            (Operator::In, &["a"][..], true, false, false),
            (Operator::NotIn, &["a"], false, true, true),
            (Operator::Exists, &[], true, true, false),
            (Operator::DoesNotExist, &[], false, false, true),
        ] {
            let expression = expression(operator, values);
            let results = [Some("a"), Some("b"), None].map(|label| expression.matches(label));
            assert_eq!(results, [with_a, with_b, absent], "{operator:?}");
            assert_eq!(expression.fault(), None);
        }
        assert!(expression(Operator::In, &[]).fault().is_some());
        assert!(expression(Operator::Exists, &["a"]).fault().is_some());
    }
}
