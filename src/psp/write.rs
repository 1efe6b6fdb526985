//! Policies as text: YAML with comments, and the Roles that grant their exceptions as a comment that is ready to be applied.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::psp::draft::Draft;
use crate::psp::flow::{flow, member};
use crate::psp::grants::Holder;
use crate::psp::input::ImportOptions;
use crate::psp::places::Namespaces;
use crate::psp::plan::{LaxerPsp, PlannedPolicy};
use crate::psp::report::Outcome;
use crate::text::cut;

/// Longest name of a policy or an exception.
const LONGEST_NAME: usize = 63;
/// Longest name of a PodSecurityPolicy in a reason.
const LONGEST_PSP: usize = 160;
/// Longest line of a comment.
const WIDTH: usize = 120;

/// Writes the policies one after the other, each of them and of its exceptions under a name of its own.
#[derive(Debug, Default)]
pub(super) struct PolicyWriter {
    pub(super) text: String,
    policy_names: BTreeSet<String>,
    exception_names: BTreeSet<String>,
    /// A Role of the same name would take the place of another one.
    role_names: BTreeSet<String>,
}

/// A policy that is to be written.
#[derive(Clone, Copy)]
pub(super) struct ToWrite<'w> {
    pub(super) drafts: &'w [Draft],
    pub(super) namespaces: &'w Namespaces,
    pub(super) options: &'w ImportOptions,
}

impl PolicyWriter {
    pub(super) fn policy(&mut self, of: ToWrite<'_>, planned: &PlannedPolicy) {
        let Some(draft) = of.drafts.get(planned.psp) else { return };
        if !self.text.is_empty() {
            self.text.push_str("---\n");
        }
        self.prose(&format!("From the PodSecurityPolicy {}, by podgate import psp.", draft.psp));
        if let Some(why) = &draft.admits_none {
            self.prose(&format!("No pod can meet it ({why}): root is demanded and refused."));
        }
        let name = unused(&draft.psp, &mut self.policy_names);
        let scope = match of.namespaces {
            Namespaces::Named(names) => json!({ "namespaces": names }),
            Namespaces::Labelled(key, value) => {
                json!({ "namespaceSelector": { "matchLabels": { key.as_str(): value } } })
            }
        };
        self.text.push_str("apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata:\n");
        self.text.push_str(&member("name", &json!(name), 2));
        self.text.push_str("spec:\n");
        self.text.push_str(&member("match", &scope, 2));
        self.controls(draft);
        if !planned.laxer.is_empty() {
            self.text.push_str("  exceptions:\n");
        }
        let mut granted = Vec::new();
        for laxer in &planned.laxer {
            granted.push((laxer, self.exceptions(of, laxer)));
        }
        for (laxer, names) in granted {
            self.roles(of, laxer, &names);
        }
    }

    fn controls(&mut self, draft: &Draft) {
        self.text.push_str("  controls:\n");
        for control in &draft.controls {
            let is_about = |field: &&str| {
                control.fields.contains(field)
                    && draft
                        .notes
                        .iter()
                        .any(|note| note.field == **field && note.controls.contains(&control.id))
            };
            let fields: Vec<&str> = control.fields.iter().copied().filter(|field| is_about(field)).collect();
            if !fields.is_empty() {
                self.comment("    ", &format!("from {}", fields.join(", ")));
            }
            for note in draft.notes.iter().filter(|note| note.controls.contains(&control.id)) {
                if note.outcome != Outcome::CarriedOver {
                    self.comment("    ", &format!("{}: {}", note.outcome.name(), note.text));
                }
            }
            self.text.push_str(&member(control.id, &control.parameters, 4));
        }
    }

    /// The exceptions of a laxer PodSecurityPolicy; their names.
    fn exceptions(&mut self, ToWrite { drafts, options, .. }: ToWrite<'_>, laxer: &LaxerPsp) -> Vec<String> {
        let psp = drafts.get(laxer.psp).map_or("", |draft| draft.psp.as_str());
        let mut names = Vec::new();
        self.comment(
            "    ",
            &format!("What the PodSecurityPolicy {psp} allowed beyond: for accounts that may use these."),
        );
        let whole = (!laxer.whole.is_empty()).then(|| (format!("psp-{psp}"), laxer.whole.clone(), None));
        let valued = laxer
            .valued
            .iter()
            .map(|(control, values)| (format!("psp-{psp}-{}", kebab(control)), vec![*control], Some(values)));
        for (wanted, controls, values) in whole.into_iter().chain(valued) {
            let name = unused(&wanted, &mut self.exception_names);
            self.text.push_str(&format!("    - name: {}\n", flow(&json!(name))));
            self.text.push_str(&member("controls", &json!(controls), 6));
            if let Some(values) = values {
                self.text.push_str(&member("values", &json!(values), 6));
            }
            for (key, value) in [
                ("grantedBy", "rbac"),
                ("reason", &*format!("imported from PSP {}", cut(psp.to_owned(), LONGEST_PSP))),
                ("owner", options.owner.as_deref().unwrap_or_default()),
            ] {
                self.text.push_str(&member(key, &json!(value), 6));
            }
            self.text.push_str(&format!("      expires: {}\n", options.expires));
            names.push(name);
        }
        names
    }

    /// The Roles that grant exceptions, as comments: take the `# ` from their lines, and they can be applied.
    fn roles(&mut self, ToWrite { drafts, namespaces, .. }: ToWrite<'_>, laxer: &LaxerPsp, names: &[String]) {
        let psp = drafts.get(laxer.psp).map_or("", |draft| draft.psp.as_str());
        let role = unused(&format!("podgate-psp-{psp}"), &mut self.role_names);
        self.prose(&format!(
            "The service accounts that could use the PodSecurityPolicy {psp} keep what it allowed with this Role and RoleBinding, which \
             let them use the exceptions above. No account should hold those of two PodSecurityPolicies of which neither allows all \
             that the other does."
        ));
        if laxer.usable.holders.iter().all(|holder| *holder == Holder::Everybody) {
            self.prose("No binding that was given says who that is: write the name of the service account in place of ACCOUNT.");
        }
        for (namespace, subjects) in subjects(namespaces, laxer) {
            let meta = json!({ "name": role, "namespace": namespace });
            let rule = json!({ "apiGroups": ["podgate.dev"], "resources": ["securityexceptions"], "resourceNames": names, "verbs": ["use"] });
            let of_role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role });
            for (kind, members) in [
                ("Role", vec![("rules", json!([rule]))]),
                ("RoleBinding", vec![("subjects", subjects.clone()), ("roleRef", of_role)]),
            ] {
                self.text.push_str("# ---\n# apiVersion: rbac.authorization.k8s.io/v1\n");
                self.text.push_str(&format!("# kind: {kind}\n# {}", member("metadata", &meta, 0)));
                for (key, value) in members {
                    for line in member(key, &value, 0).lines() {
                        self.text.push_str(&format!("# {line}\n"));
                    }
                }
            }
        }
    }

    /// What is said to people: behind two marks, so that the lines behind one can be taken out to be applied.
    fn prose(&mut self, text: &str) {
        self.marked("##", text);
    }

    /// A comment within a policy.
    fn comment(&mut self, indent: &str, text: &str) {
        self.marked(&format!("{indent}#"), text);
    }

    /// Text behind a mark, in lines that are not too long.
    fn marked(&mut self, mark: &str, text: &str) {
        let mut line = mark.to_owned();
        for word in text.split_ascii_whitespace() {
            if line.len() + word.len() >= WIDTH {
                self.text.push_str(&line);
                self.text.push('\n');
                mark.clone_into(&mut line);
            }
            line.push(' ');
            line.push_str(word);
        }
        self.text.push_str(&line);
        self.text.push('\n');
    }
}

/// Whom the use is granted to, in each namespace.
fn subjects(namespaces: &Namespaces, laxer: &LaxerPsp) -> Vec<(String, Value)> {
    let mut by_namespace: Vec<(String, Vec<Value>)> = Vec::new();
    for holder in &laxer.usable.holders {
        let (namespace, subject) = match holder {
            Holder::Account(namespace, name) => {
                (namespace, json!({ "kind": "ServiceAccount", "name": name, "namespace": namespace }))
            }
            Holder::AllOf(namespace) => {
                let name = format!("system:serviceaccounts:{namespace}");
                (namespace, json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name }))
            }
            Holder::Everybody => continue,
        };
        match by_namespace.iter_mut().find(|(known, _)| known == namespace) {
            Some((_, subjects)) => subjects.push(subject),
            None => by_namespace.push((namespace.clone(), vec![subject])),
        }
    }
    if by_namespace.is_empty() {
        let names = match namespaces {
            Namespaces::Named(names) => names.clone(),
            Namespaces::Labelled(..) => vec!["NAMESPACE".to_owned()],
        };
        let unknown = |namespace: &String| json!({ "kind": "ServiceAccount", "name": "ACCOUNT", "namespace": namespace });
        by_namespace = names.iter().map(|name| (name.clone(), vec![unknown(name)])).collect();
    }
    by_namespace.into_iter().map(|(namespace, subjects)| (namespace, subjects.into())).collect()
}

/// `hostPortRanges` → `host-port-ranges`.
fn kebab(id: &str) -> String {
    let mut name = String::new();
    for character in id.chars() {
        if character.is_ascii_uppercase() && !name.ends_with(|last: char| last.is_ascii_uppercase()) {
            name.push('-');
        }
        name.push(character.to_ascii_lowercase());
    }
    name.replace('_', "-")
}

/// A name that is not taken yet, as near to the wanted one as it can be.
fn unused(wanted: &str, taken: &mut BTreeSet<String>) -> String {
    let cut = |longest: usize| {
        wanted.get(..longest.min(wanted.len())).unwrap_or_default().trim_end_matches(['-', '.'])
    };
    let numbered = (2..).map(|number: usize| {
        let end = format!("-{number}");
        format!("{}{end}", cut(LONGEST_NAME - end.len()))
    });
    let free = [cut(LONGEST_NAME).to_owned()].into_iter().chain(numbered).find(|name| !taken.contains(name));
    let free = free.unwrap_or_default();
    taken.insert(free.clone());
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_their_own() {
        let mut taken = BTreeSet::new();
        let long = "a".repeat(80);
        for (wanted, expected) in [
            ("a", "a".to_owned()),
            ("a", "a-2".to_owned()),
            ("a", "a-3".to_owned()),
            (&long, "a".repeat(63)),
            (&long, format!("{}-2", "a".repeat(61))),
        ] {
            assert_eq!(unused(wanted, &mut taken), expected);
        }
        assert_eq!(kebab("hostPortRanges"), "host-port-ranges");
    }
}
