//! One document of a policy file → a policy, or every fault in it.
//!
//! First the schema: what it does not let pass is reported and taken out. Then what is left is decoded, and
//! judged for sense, so that all faults are told in one go.

use serde::Deserialize;
use serde_json::Value;

use crate::controls::{Control, Settings, Standard};
use crate::policy::configuration;
use crate::policy::file::{API_VERSION, Fault, Kind, Policies, fault_at};
use crate::policy::schema::{self, At, Mismatch, PathStep, describe, either, suggestion};
use crate::policy::selector::{Selector, is_namespace};
use crate::policy::snapshot::minimal_labels;
use crate::policy::written::{
    IdentityMatch, IdentitySpec, NamespaceMatch, Object, SecurityContextDefaults, SecuritySpec, Standards,
};
use crate::policy::{Actions, Basis, IdentityPolicy, Mode, Rule, Scope, SecurityPolicy};
use crate::yaml;

/// Reads one document of a file.
pub(super) struct ObjectReader<'r> {
    file: &'r str,
    document: &'r yaml::Document,
    pub(super) policies: &'r mut Policies,
    faults: Vec<Fault>,
    /// What the schema did not let pass: what else is wrong there may only come of that.
    mismatched: Vec<Vec<PathStep>>,
}

impl<'r> ObjectReader<'r> {
    pub(super) fn new(file: &'r str, document: &'r yaml::Document, policies: &'r mut Policies) -> Self {
        Self { file, document, policies, faults: Vec::new(), mismatched: Vec::new() }
    }

    pub(super) fn read(mut self) {
        self.add();
        self.faults.sort_by_key(|fault| (fault.line, fault.column));
        self.policies.faults.append(&mut self.faults);
    }

    fn add(&mut self) {
        let mut object: Value = match serde_json::from_slice(&self.document.root.to_json()) {
            Ok(object) => object,
            Err(error) => return self.fault(&[], error.to_string()),
        };
        if configuration::is_meant(&object) {
            return self.pod_security(object);
        }
        let Some(kind) = self.kind(&mut object) else { return };
        for mismatch in schema::check(&kind.schema(), &mut object) {
            self.mismatch(mismatch);
        }
        match kind {
            Kind::SecurityPolicy => {
                if let Some(object) = self.decode(object) {
                    self.security(object);
                    self.check_not_mixed();
                }
            }
            Kind::IdentityPolicy => {
                if let Some(object) = self.decode(object) {
                    self.identity(object);
                }
            }
        }
    }

    /// The kind of the object, if it is one of ours.
    fn kind(&mut self, object: &mut Value) -> Option<Kind> {
        let Value::Object(members) = object else {
            self.fault(&[], format!("expected a policy, found {}", describe(object)));
            return None;
        };
        let kind =
            Kind::ALL.into_iter().find(|kind| members.get("kind").is_some_and(|found| found == kind.name()));
        let names = kind.map_or(Kind::ALL.map(Kind::name).to_vec(), |kind| vec![kind.name()]);
        for (key, words) in [("apiVersion", vec![API_VERSION]), ("kind", names)] {
            match members.get(key) {
                None => self.fault(&[], format!("the key \"{key}\" is missing, expected {}", either(&words))),
                Some(found) if words.iter().all(|word| found != word) => {
                    let nearest = suggestion(found.as_str().unwrap_or_default(), words.iter().copied());
                    let message = format!("expected {}, found {}{nearest}", either(&words), describe(found));
                    self.fault(&path(key), message);
                }
                Some(_) => {}
            }
        }
        members.insert("apiVersion".to_owned(), API_VERSION.into());
        members.insert("kind".to_owned(), kind?.name().into());
        kind
    }

    /// Decodes what the schema has let pass.
    pub(super) fn decode<T: for<'de> Deserialize<'de>>(&mut self, object: Value) -> Option<T> {
        match serde_json::from_value(object) {
            Ok(object) => Some(object),
            Err(error) => {
                self.fault(&[], error.to_string());
                None
            }
        }
    }

    fn security(&mut self, object: Object<SecuritySpec>) {
        let Object { metadata, spec, .. } = object;
        let names: Vec<String> =
            self.policies.set.security.iter().map(|policy| policy.name.to_string()).collect();
        self.check_name(&metadata.name, &names);
        if !spec.exceptions.is_empty() {
            self.fault(&path("spec.exceptions"), "exceptions cannot be given in this version; remove them");
        }
        if spec.contact.as_deref().is_some_and(|contact| !is_one_line(contact)) {
            self.fault(&path("spec.contact"), "must be one line of at most 200 ASCII characters");
        }
        let scope = self.scope(spec.r#match);
        let (enforce, rules) = rules(&spec.standard, spec.controls, spec.mode);
        if rules.is_empty() && self.faults.is_empty() {
            self.fault(&path("spec"), "judges nothing: give it a standard or controls");
        }
        let repairs = spec.mode == Mode::Enforce
            && spec.defaults.security_context == SecurityContextDefaults::Restricted;
        let Some(scope) = scope else { return };
        self.policies.set.security.push(SecurityPolicy {
            name: metadata.name.into(),
            contact: spec.contact,
            scope,
            enforce,
            rules,
            repairs,
        });
    }

    fn identity(&mut self, object: Object<IdentitySpec>) {
        let Object { metadata, spec, .. } = object;
        let names: Vec<String> =
            self.policies.set.identity.iter().map(|policy| policy.name.clone()).collect();
        self.check_name(&metadata.name, &names);
        let IdentityMatch { namespaces, namespace_selector, pod_selector, source_service_accounts } =
            spec.r#match;
        let scope = self.scope(NamespaceMatch { namespaces, namespace_selector });
        if let Some(selector) = &pod_selector {
            self.check_selector(selector, "spec.match.podSelector", "leave it out to mean every pod");
        }
        if !is_name(&spec.identity.service_account_name) {
            let message = "must be a name of lower-case letters, digits, - and .";
            self.fault(&path("spec.identity.serviceAccountName"), message);
        }
        self.check_chain(&spec.identity.service_account_name, &source_service_accounts);
        let Some(scope) = scope else { return };
        self.policies.set.identity.push(IdentityPolicy {
            name: metadata.name,
            scope,
            pods: pod_selector,
            source_service_accounts,
            service_account_name: spec.identity.service_account_name,
        });
    }

    /// Refuses a service account that another policy would take pods on from: a pod that is mutated twice
    /// must come out as if it were mutated once.
    fn check_chain(&mut self, target: &str, sources: &[String]) {
        let leads_on = |policy: &&IdentityPolicy| {
            let from_here = policy.source_service_accounts.iter().any(|source| source == target);
            let to_here = sources.contains(&policy.service_account_name);
            (from_here || to_here) && policy.service_account_name != target
        };
        if let Some(other) = self.policies.set.identity.iter().find(leads_on) {
            let message = format!(
                "this policy and \"{}\" lead from service account to service account: name the last one in both",
                other.name
            );
            self.fault(&path("spec.identity.serviceAccountName"), message);
        }
    }

    fn check_name(&mut self, name: &str, others: &[String]) {
        if !is_name(name) {
            self.fault(
                &path("metadata.name"),
                "must be a name of at most 63 lower-case letters, digits, - and .",
            );
        }
        if others.iter().any(|other| other == name) {
            let message = format!("another policy is named \"{name}\"; give this one another name");
            self.fault(&path("metadata.name"), message);
        }
    }

    fn scope(&mut self, namespace_match: NamespaceMatch) -> Option<Scope> {
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
                self.check_selector(&selector, "spec.match.namespaceSelector", advice);
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
            let mut at = path("spec.match.namespaces");
            at.push(PathStep::Index(index));
            let message = format!("no namespace can be named {name:?}; for a pattern use namespaceSelector");
            self.fault(&at, message);
        }
    }

    fn check_selector(&mut self, selector: &Selector, at: &str, advice: &str) {
        if selector.is_empty() {
            self.fault(&path(at), format!("the selector is empty: {advice}"));
        }
        if let Some(text) = selector.impossible_label() {
            self.fault(&path(at), format!("no label can have {text:?} as key or value"));
        }
        for (index, expression) in selector.match_expressions.iter().enumerate() {
            if let Some(message) = expression.fault() {
                let mut at = path(&format!("{at}.matchExpressions"));
                at.push(PathStep::Index(index));
                self.fault(&at, message);
            }
        }
    }

    /// Refuses a scope that reaches a reserved namespace, as that namespace is at the least.
    fn check_reserved(&mut self, scope: &Scope) {
        let reserved = self.policies.set.reserved.clone();
        match scope {
            Scope::Names(names) => {
                for (index, name) in names.iter().enumerate().filter(|(_, name)| reserved.contains(name)) {
                    let mut at = path("spec.match.namespaces");
                    at.push(PathStep::Index(index));
                    self.fault(&at, format!("no policy may reach the namespace {name}"));
                }
            }
            Scope::Labels(selector) if !selector.is_empty() => {
                let is_reached = |namespace: &&String| {
                    let labels = minimal_labels(namespace);
                    selector.matches(|key| labels.get(key).map(String::as_str))
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
            Scope::Labels(_) | Scope::Everywhere => {}
        }
    }

    /// Reports what the schema does not let pass.
    pub(super) fn mismatch(&mut self, Mismatch { path, at, message }: Mismatch) {
        let (parent, last) = path.split_at(path.len().saturating_sub(1));
        let (shown, place) = match (at, last) {
            (At::Value, _) | (_, []) => (path.as_slice(), self.place(&path)),
            (At::Parent, _) => (parent, self.place(parent)),
            (At::Key, [step, ..]) => (path.as_slice(), self.place_of_key(parent, step)),
        };
        let message = match shown {
            [PathStep::Key(spec), PathStep::Key(controls), PathStep::Key(id)]
                if (spec.as_str(), controls.as_str()) == ("spec", "controls") && is_of_standard(id) =>
            {
                format!("{id} is a rule of the standard: spec.standard turns it on")
            }
            _ => message,
        };
        self.faults.push(fault_at(self.file, place.line, place.column, prefix(shown) + &message));
        self.mismatched.push(path);
    }

    /// Reports a fault, unless it may only come of one that the schema found in the same place.
    pub(super) fn fault(&mut self, path: &[PathStep], message: impl Into<String>) {
        if self.mismatched.iter().any(|other| other.starts_with(path) || path.starts_with(other)) {
            return;
        }
        let at = self.place(path);
        let message = format!("{}{}", prefix(path), message.into());
        self.faults.push(fault_at(self.file, at.line, at.column, message));
    }

    fn place(&self, path: &[PathStep]) -> yaml::Span {
        self.document.root.locate(&yaml_steps(path)).span
    }

    fn place_of_key(&self, parent: &[PathStep], step: &PathStep) -> yaml::Span {
        let parent = self.document.root.locate(&yaml_steps(parent));
        match (&parent.node.value, step) {
            (yaml::Value::Mapping(entries), PathStep::Key(key)) => {
                entries.iter().find(|entry| entry.key == *key).map_or(parent.span, |entry| entry.key_span)
            }
            _ => parent.span,
        }
    }
}

fn yaml_steps(path: &[PathStep]) -> Vec<yaml::Step<'_>> {
    path.iter()
        .map(|step| match step {
            PathStep::Key(key) => yaml::Step::Key(key),
            PathStep::Index(index) => yaml::Step::Index(*index),
        })
        .collect()
}

fn is_of_standard(id: &str) -> bool {
    Control::named(id).is_some_and(|control| control.level().is_some())
}

/// What the policy judges by: each standard once, with all the actions it is given for.
fn rules(standards: &Standards, controls: Settings, mode: Mode) -> (Option<Standard>, Vec<Rule>) {
    let read = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<Standard>().ok());
    let enforce = read(&standards.enforce);
    let mut rules: Vec<Rule> = Vec::new();
    for (standard, actions) in [
        (enforce.clone(), Actions { deny: true, ..Actions::default() }),
        (read(&standards.warn), Actions { warn: true, ..Actions::default() }),
        (read(&standards.audit), Actions { audit: true, ..Actions::default() }),
    ] {
        let Some(standard) = standard else { continue };
        let same =
            rules.iter_mut().find(|rule| matches!(&rule.basis, Basis::Standard(of) if *of == standard));
        match same {
            Some(rule) => rule.actions = rule.actions.and(actions),
            None => rules.push(Rule { basis: Basis::Standard(standard), actions }),
        }
    }
    if controls != Settings::default() {
        let actions = Actions { deny: true, warn: true, audit: true };
        rules.push(Rule { basis: Basis::Controls(controls), actions });
    }
    for rule in &mut rules {
        rule.actions = mode.soften(rule.actions);
    }
    (enforce, rules)
}

impl Actions {
    fn and(self, other: Self) -> Self {
        Self {
            deny: self.deny || other.deny,
            warn: self.warn || other.warn,
            audit: self.audit || other.audit,
        }
    }
}

pub(super) fn path(dotted: &str) -> Vec<PathStep> {
    dotted.split('.').map(|key| PathStep::Key(key.to_owned())).collect()
}

/// The path before a message: `spec.match: `.
fn prefix(path: &[PathStep]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            PathStep::Key(key) if text.is_empty() => text.push_str(key),
            PathStep::Key(key) => text.push_str(&format!(".{key}")),
            PathStep::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    if !text.is_empty() {
        text.push_str(": ");
    }
    text
}

/// A name as Kubernetes takes it for most objects, and short enough for a message.
fn is_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let ends_well = |name: &str| !name.starts_with(['-', '.']) && !name.ends_with(['-', '.']);
    !name.is_empty() && name.len() <= 63 && name.bytes().all(is_inner) && ends_well(name)
}

fn is_one_line(text: &str) -> bool {
    text.len() <= 200 && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}
