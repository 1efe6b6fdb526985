//! Policy files: YAML as it is written → policies, or every fault with its line and column.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::controls::{Control, Settings, Standard};
use crate::policy::namespaces::Namespaces;
use crate::policy::schema::{self, At, Mismatch, PathStep, describe, either, suggestion};
use crate::policy::selector::Selector;
use crate::policy::{Actions, Basis, IdentityPolicy, Mode, PolicySet, Rule, Scope, SecurityPolicy};
use crate::yaml;

const API_VERSION: &str = "podgate.dev/v1alpha1";

/// The kinds of object that a policy file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// See [`SecurityPolicy`].
    SecurityPolicy,
    /// See [`IdentityPolicy`].
    IdentityPolicy,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::SecurityPolicy, Self::IdentityPolicy];

    /// Its name, as in `kind`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SecurityPolicy => "SecurityPolicy",
            Self::IdentityPolicy => "IdentityPolicy",
        }
    }

    pub(super) fn schema(self) -> Value {
        match self {
            Self::SecurityPolicy => schema::of::<Object<SecuritySpec>>(),
            Self::IdentityPolicy => schema::of::<Object<IdentitySpec>>(),
        }
    }
}

/// A fault in a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

/// Policies as files are read, one after the other.
#[derive(Debug)]
pub struct Policies {
    set: PolicySet,
    faults: Vec<Fault>,
}

impl Policies {
    /// No policy yet. None may reach the `reserved` namespaces.
    #[must_use]
    pub fn new(reserved: Vec<String>) -> Self {
        Self { set: PolicySet { reserved, ..PolicySet::default() }, faults: Vec::new() }
    }

    /// The policies, once all files are read.
    ///
    /// # Errors
    /// Every fault of every file.
    pub fn finish(self) -> Result<PolicySet, Vec<Fault>> {
        if self.faults.is_empty() { Ok(self.set) } else { Err(self.faults) }
    }
}

/// Reads one file, `text`, which errors call `file`.
pub fn read_file(file: &str, text: &str, policies: &mut Policies) {
    let documents = yaml::read(text);
    if documents.is_empty() {
        policies.faults.push(fault_at(file, 1, 1, "holds no policy"));
    }
    for document in documents {
        match document {
            Ok(document) => ObjectReader::new(file, &document, policies).read(),
            Err(fault) => policies.faults.push(fault_at(file, fault.line, fault.column, fault.message)),
        }
    }
}

fn fault_at(file: &str, line: usize, column: usize, message: impl Into<String>) -> Fault {
    Fault { file: file.to_owned(), line, column, message: message.into() }
}

/// An object as it is written.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Object<Spec> {
    /// `podgate.dev/v1alpha1`.
    #[serde(rename = "apiVersion")]
    _api_version: String,
    /// The kind of policy.
    #[serde(rename = "kind")]
    _kind: String,
    metadata: ObjectMeta,
    spec: Spec,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ObjectMeta {
    /// The policy's name: printed in refusals, a label of metrics.
    #[schemars(length(min = 1))]
    name: String,
    #[serde(default, rename = "labels")]
    _labels: BTreeMap<String, String>,
    #[serde(default, rename = "annotations")]
    _annotations: BTreeMap<String, String>,
}

/// What pods may do, in which namespaces, and how strictly this is enforced.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SecuritySpec {
    /// Whom to ask for an exception: printed in refusals.
    contact: Option<String>,
    /// The namespaces in which the policy holds.
    r#match: NamespaceMatch,
    /// How strictly it is enforced.
    #[serde(default)]
    mode: Mode,
    /// The Pod Security Standard for each action; an action left out is not taken.
    #[serde(default)]
    standard: Standards,
    /// The rules beyond the standard; one left out is off.
    #[serde(default)]
    controls: Settings,
    /// What is filled in where a pod is silent.
    #[serde(default)]
    defaults: Defaults,
    /// Permissions to break a control. None can be given yet.
    #[serde(default)]
    exceptions: Vec<Value>,
}

#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Standards {
    /// Pods that do not meet it are refused.
    #[schemars(extend("format" = schema::STANDARD_FORMAT))]
    enforce: Option<String>,
    /// Whoever makes a pod that does not meet it is warned.
    #[schemars(extend("format" = schema::STANDARD_FORMAT))]
    warn: Option<String>,
    /// Pods that do not meet it are noted in the API server's audit log.
    #[schemars(extend("format" = schema::STANDARD_FORMAT))]
    audit: Option<String>,
}

#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Defaults {
    /// Whether security contexts are filled in.
    security_context: SecurityContextDefaults,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
enum SecurityContextDefaults {
    /// What is absent, and would be refused for it, is filled in as the standard asks.
    Restricted,
    /// Nothing is.
    #[default]
    Off,
}

/// The namespaces in which a policy holds: one of the two.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct NamespaceMatch {
    /// By name.
    namespaces: Option<Vec<String>>,
    /// By the labels of the Namespace object.
    namespace_selector: Option<Selector>,
}

/// Which identity a pod gets, in which namespaces.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IdentitySpec {
    /// The pods that it is for.
    r#match: IdentityMatch,
    /// The identity that they get.
    identity: Identity,
}

/// The pods that an identity is for: the namespaces by one of the first two.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IdentityMatch {
    /// By name of the namespace.
    namespaces: Option<Vec<String>>,
    /// By the labels of the Namespace object.
    namespace_selector: Option<Selector>,
    /// By the labels of the pod; left out, all pods.
    pod_selector: Option<Selector>,
    /// By the service account that the pod has; left out, `default` alone.
    #[serde(default = "default_sources")]
    #[schemars(length(min = 1))]
    source_service_accounts: Vec<String>,
}

fn default_sources() -> Vec<String> {
    vec!["default".to_owned()]
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Identity {
    /// Whose identity it is.
    #[serde(rename = "provider")]
    _provider: Provider,
    /// The service account, in the pod's own namespace.
    #[schemars(length(min = 1))]
    service_account_name: String,
    /// Who puts the token into the pod.
    #[serde(default, rename = "injection")]
    _injection: Injection,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Provider {
    /// Azure workload identity.
    Azure,
}

#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
enum Injection {
    /// Azure workload identity's own webhook does, told so by the pod's label.
    #[default]
    Delegate,
}

/// Reads one document of a file.
struct ObjectReader<'r> {
    file: &'r str,
    document: &'r yaml::Document,
    policies: &'r mut Policies,
    faults: Vec<Fault>,
    /// What the schema did not let pass: what else is wrong there may only come of that.
    mismatched: Vec<Vec<PathStep>>,
}

impl<'r> ObjectReader<'r> {
    fn new(file: &'r str, document: &'r yaml::Document, policies: &'r mut Policies) -> Self {
        Self { file, document, policies, faults: Vec::new(), mismatched: Vec::new() }
    }

    fn read(mut self) {
        self.add();
        self.faults.sort_by_key(|fault| (fault.line, fault.column));
        self.policies.faults.append(&mut self.faults);
    }

    fn add(&mut self) {
        let mut object: Value = match serde_json::from_slice(&self.document.root.to_json()) {
            Ok(object) => object,
            Err(error) => return self.fault(&[], error.to_string()),
        };
        let Some(kind) = self.kind(&mut object) else { return };
        for mismatch in schema::check(&kind.schema(), &mut object) {
            self.mismatch(mismatch);
        }
        match kind {
            Kind::SecurityPolicy => {
                if let Some(object) = self.decode(object) {
                    self.security(object);
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
    fn decode<Spec: for<'de> Deserialize<'de>>(&mut self, object: Value) -> Option<Object<Spec>> {
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
        let Some(scope) = scope else { return };
        self.policies.set.identity.push(IdentityPolicy {
            name: metadata.name,
            scope,
            pods: pod_selector,
            source_service_accounts,
            service_account_name: spec.identity.service_account_name,
        });
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

    fn check_selector(&mut self, selector: &Selector, at: &str, advice: &str) {
        if selector.is_empty() {
            self.fault(&path(at), format!("the selector is empty: {advice}"));
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
                    let labels = Namespaces::minimal_labels(namespace);
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
    fn mismatch(&mut self, Mismatch { path, at, message }: Mismatch) {
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
    fn fault(&mut self, path: &[PathStep], message: impl Into<String>) {
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

fn path(dotted: &str) -> Vec<PathStep> {
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
