//! What policies of every kind have: a name, and where they hold.

use jiff::civil::Date;

use crate::path::Path;
use crate::policy::Scope;
use crate::policy::document::{DocumentReader, path};
use crate::policy::labels::minimal_labels;
use crate::policy::selector::{Selector, is_namespace};
use crate::policy::written::NamespaceMatch;
use crate::text::not_ascii;

impl DocumentReader<'_> {
    pub(super) fn check_name(&mut self, name: &str, others: &[String]) {
        if !is_name(name) {
            self.fault(
                &path("metadata.name"),
                format!(
                    "must be a name of at most 63 lower-case letters, digits, - and .{}",
                    not_ascii(name)
                ),
            );
        }
        if others.iter().any(|other| other == name) {
            let message = format!("another policy is named \"{name}\"; give this one another name");
            self.fault(&path("metadata.name"), message);
        }
    }

    pub(super) fn scope(&mut self, namespace_match: NamespaceMatch) -> Option<Scope> {
        let scope = match (namespace_match.namespaces, namespace_match.namespace_selector) {
            (Some(names), None) => {
                if names.is_empty() {
                    self.fault(&path("spec.match.namespaces"), "the list is empty: it matches no namespace");
                }
                self.check_namespaces(&names);
                Scope::Names(names)
            }
            (None, Some(selector)) => {
                let advice = "it would match every namespace; name a label";
                self.check_selector(&selector, &path("spec.match.namespaceSelector"), advice);
                Scope::Labels(selector)
            }
            (given, _) => {
                let how_many = if given.is_some() { "only one of" } else { "one of" };
                let message = format!("needs {how_many} namespaces and namespaceSelector");
                self.fault(&path("spec.match"), message);
                return None;
            }
        };
        self.check_reserved(&scope);
        Some(scope)
    }

    fn check_namespaces(&mut self, names: &[String]) {
        for (index, name) in names.iter().enumerate().filter(|(_, name)| !is_namespace(name)) {
            let message = format!(
                "no namespace can be named {name:?}{}; for a pattern use namespaceSelector",
                not_ascii(name)
            );
            self.fault(&path("spec.match.namespaces").index(index), message);
        }
    }

    pub(super) fn check_selector(&mut self, selector: &Selector, at: &Path<'_>, advice: &str) {
        if selector.is_empty() {
            self.fault(at, format!("the selector is empty: {advice}"));
        }
        if let Some(text) = selector.impossible_label() {
            self.fault(at, format!("no label can have {text:?}{} as key or value", not_ascii(text)));
        }
        for (index, expression) in selector.match_expressions.iter().enumerate() {
            if let Some(message) = expression.fault() {
                self.fault(&at.clone().key("matchExpressions").index(index), message);
            }
        }
    }

    /// Refuses a scope that reaches a reserved namespace, as that namespace is at the least.
    fn check_reserved(&mut self, scope: &Scope) {
        let reserved = self.policies.set.reserved.clone();
        match scope {
            Scope::Names(names) => {
                for (index, name) in names.iter().enumerate().filter(|(_, name)| reserved.contains(name)) {
                    let message = format!("no policy may reach the namespace {name}");
                    self.fault(&path("spec.match.namespaces").index(index), message);
                }
            }
            Scope::Labels(selector) if !selector.is_empty() => {
                let is_reached = |namespace: &&String| {
                    let labels = minimal_labels(namespace);
                    selector.matches(|key| labels.get(key))
                };
                let reached: Vec<String> = reserved.iter().filter(is_reached).cloned().collect();
                if !reached.is_empty() {
                    let message = format!(
                        "no policy may reach {}, as this does: ask for a label that they lack",
                        reached.join(", ")
                    );
                    self.fault(&path("spec.match.namespaceSelector"), message);
                }
            }
            Scope::Labels(_) => {}
        }
    }
}

/// A day, as in `2027-03-31`.
#[must_use]
pub fn day(text: &str) -> Option<Date> {
    // Else `2027-03-31T12:00` would be one as well.
    text.parse().ok().filter(|_| text.len() == "2027-03-31".len())
}

/// A name as Kubernetes takes it for most objects, and short enough for a message.
pub(super) fn is_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let ends_well = |name: &str| !name.starts_with(['-', '.']) && !name.ends_with(['-', '.']);
    !name.is_empty() && name.len() <= 63 && name.bytes().all(is_inner) && ends_well(name)
}

/// Whether a text can be a kind: `ReplicaSet`.
pub(super) fn is_kind(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.len() <= 63
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
