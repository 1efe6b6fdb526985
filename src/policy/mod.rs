//! What an operator has asked for: policies, read from files into types that cannot be wrong.
//!
//! Every SecurityPolicy that matches a namespace applies, so that adding one never loosens another.
//! No policy reaches the reserved namespaces (the cluster's own and podgate's): one that would is
//! refused when it is read, and they are left out of every match besides.

mod configuration;
mod file;
mod guarded;
mod object;
mod pod_security;
mod schema;
mod selector;
mod snapshot;
mod written;

use std::sync::Arc;

use crate::controls::{Settings, Standard};

pub use file::{Fault, Kind, Policies, read_file};
pub use guarded::{GUARDED_LABELS, GuardedLabels, UnguardedLabel};
pub use pod_security::{Action, LabelFault, LevelVersion, Levels, PodSecurity, joined};
pub use schema::json_schema;
pub use selector::{Selector, is_namespace};
pub use snapshot::{Labels, Snapshot, complete};

/// The policy that holds when no file is given.
pub const BUILT_IN: &str = include_str!("../../policies/ml-restricted.yaml");

/// The namespaces of the cluster itself, which no policy reaches.
pub const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// Every policy that is in force. Immutable.
#[derive(Debug, Default)]
pub struct PolicySet {
    /// What pods may do.
    pub security: Vec<SecurityPolicy>,
    /// Which identities pods get.
    pub identity: Vec<IdentityPolicy>,
    /// Kubernetes' own configuration, in place of SecurityPolicies: every verdict is then Kubernetes' own.
    pub pod_security: Option<PodSecurity>,
    /// The namespaces that no policy reaches.
    pub reserved: Vec<String>,
}

/// What pods may do, where, and how strictly.
#[derive(Debug)]
pub struct SecurityPolicy {
    /// `metadata.name`.
    pub name: Arc<str>,
    /// Whom to ask for an exception.
    pub contact: Option<String>,
    /// Where it holds.
    pub scope: Scope,
    /// The standard that its refusals (or, in a laxer mode, its warnings) go by.
    pub enforce: Option<Standard>,
    /// What it judges by, each thing once.
    pub rules: Vec<Rule>,
    /// Whether what is absent and safe is filled in for a pod that would be refused for it.
    pub repairs: bool,
}

/// Something that a pod is judged by, and what comes of a breach.
#[derive(Debug)]
pub struct Rule {
    /// By what.
    pub basis: Basis,
    /// What comes of a breach.
    pub actions: Actions,
}

/// What a rule judges by.
#[derive(Debug)]
pub enum Basis {
    /// A level and version of the Pod Security Standards.
    Standard(Standard),
    /// The controls beyond the standard.
    Controls(Settings),
}

/// What comes of a breach. More than one may be on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Actions {
    /// The pod is refused.
    pub deny: bool,
    /// Whoever made the request is warned.
    pub warn: bool,
    /// The API server's audit log gets a note.
    pub audit: bool,
}

/// How strictly a policy is enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
pub enum Mode {
    /// Each action does what it says.
    #[default]
    Enforce,
    /// What would be refused is warned of.
    Warn,
    /// What would be refused or warned of is noted in the audit log.
    Audit,
}

impl Mode {
    /// What is left of the actions in this mode.
    #[must_use]
    pub fn soften(self, actions: Actions) -> Actions {
        let Actions { deny, warn, audit } = actions;
        match self {
            Self::Enforce => actions,
            Self::Warn => Actions { deny: false, warn: deny || warn, audit },
            Self::Audit => Actions { deny: false, warn: false, audit: deny || warn || audit },
        }
    }
}

/// Which identity pods get, and where.
#[derive(Debug)]
pub struct IdentityPolicy {
    /// `metadata.name`.
    pub name: String,
    /// Where it holds.
    pub scope: Scope,
    /// Which pods it is for; `None` for all.
    pub pods: Option<Selector>,
    /// The service accounts that it takes pods from.
    pub source_service_accounts: Vec<String>,
    /// The service account that pods get.
    pub service_account_name: String,
}

/// Where a policy holds.
#[derive(Debug)]
pub enum Scope {
    /// In the namespaces of these names.
    Names(Vec<String>),
    /// In the namespaces whose labels match.
    Labels(Selector),
    /// Everywhere, the reserved namespaces included: for judging by one standard without any policy.
    Everywhere,
}

/// Whether a policy holds in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// The namespace, or its labels, are not known.
    Unknown,
}

impl PolicySet {
    /// A set that judges by one standard alone, everywhere.
    #[must_use]
    pub fn of_standard(standard: &Standard) -> Self {
        let actions = Actions { deny: true, warn: true, audit: true };
        let policy = SecurityPolicy {
            name: standard.text().into(),
            contact: None,
            scope: Scope::Everywhere,
            enforce: Some(standard.clone()),
            rules: vec![Rule { basis: Basis::Standard(standard.clone()), actions }],
            repairs: false,
        };
        Self { security: vec![policy], ..Self::default() }
    }

    /// Whether it is a gate, and reads more strictly than Kubernetes. One standard alone is read by to the
    /// letter, and so are Kubernetes' own labels.
    #[must_use]
    pub fn is_gate(&self) -> bool {
        self.pod_security.is_none()
            && !self.security.iter().any(|policy| matches!(policy.scope, Scope::Everywhere))
    }

    /// The policies that hold for pods in a namespace. One that cannot be told for want of the
    /// namespace's labels holds: to be judged too strictly is the safe way to be wrong.
    pub fn security_for<'s>(
        &'s self,
        namespace: &str,
        labels: Option<&Labels>,
    ) -> impl Iterator<Item = &'s SecurityPolicy> {
        self.security.iter().filter(move |policy| self.matches(&policy.scope, namespace, labels) != Match::No)
    }

    /// The identity policies that hold in a namespace. One that cannot be told does not: an identity
    /// is power, and is not given on a guess.
    pub fn identity_for<'s>(
        &'s self,
        namespace: &str,
        labels: Option<&Labels>,
    ) -> impl Iterator<Item = &'s IdentityPolicy> {
        self.identity
            .iter()
            .filter(move |policy| self.matches(&policy.scope, namespace, labels) == Match::Yes)
    }

    /// Whether no policy reaches a namespace.
    #[must_use]
    pub fn is_reserved(&self, namespace: &str) -> bool {
        self.reserved.iter().any(|reserved| reserved == namespace)
    }

    /// Whether what holds in a namespace hangs on its labels.
    #[must_use]
    pub fn needs_labels(&self, namespace: &str) -> bool {
        let by_label = |scope: &Scope| matches!(scope, Scope::Labels(_));
        let is_any = self.security.iter().any(|policy| by_label(&policy.scope))
            || self.identity.iter().any(|policy| by_label(&policy.scope));
        is_any && !namespace.is_empty() && !self.is_reserved(namespace)
    }

    /// Whether any policy holds in a namespace, or may hold as far as anybody knows its labels.
    #[must_use]
    pub fn may_reach(&self, namespace: &str, labels: Option<&Labels>) -> bool {
        let may_hold = |scope: &Scope| self.matches(scope, namespace, labels) != Match::No;
        self.security.iter().any(|policy| may_hold(&policy.scope))
            || self.identity.iter().any(|policy| may_hold(&policy.scope))
    }

    /// The labels that policies select namespaces by, with the values that they ask for.
    pub fn selecting_labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let of_security = self.security.iter().map(|policy| &policy.scope);
        let scopes = of_security.chain(self.identity.iter().map(|policy| &policy.scope));
        scopes
            .flat_map(|scope| match scope {
                Scope::Labels(selector) => Some(selector.wanted_values()),
                Scope::Names(_) | Scope::Everywhere => None,
            })
            .flatten()
    }

    /// Whether an identity may be meant for pods of a namespace whose labels nobody knows.
    #[must_use]
    pub fn may_give_identity(&self, namespace: &str) -> bool {
        self.identity.iter().any(|policy| self.matches(&policy.scope, namespace, None) != Match::No)
    }

    fn matches(&self, scope: &Scope, namespace: &str, labels: Option<&Labels>) -> Match {
        let known = |is_match| if is_match { Match::Yes } else { Match::No };
        match scope {
            Scope::Everywhere => Match::Yes,
            _ if namespace.is_empty() => Match::Unknown,
            _ if self.is_reserved(namespace) => Match::No,
            Scope::Names(names) => known(names.iter().any(|name| name == namespace)),
            Scope::Labels(selector) => match labels {
                Some(labels) => known(selector.matches(|key| labels.get(key).map(String::as_str))),
                None => Match::Unknown,
            },
        }
    }
}
