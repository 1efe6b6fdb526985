//! Policies: what operators ask for, read from files into types that cannot hold an invalid policy.
//!
//! Every SecurityPolicy that matches a namespace applies, so that adding one never loosens another.
//! No policy reaches the reserved namespaces (the cluster's own and podgate's): one that would is
//! refused when it is read, and they are left out of every match besides.

mod actions;
mod azure_ml;
mod azure_ml_object;
mod bindings;
mod built_in;
mod carried_over;
mod common;
mod configuration;
mod contradictions;
mod document;
mod error;
mod exception;
mod exceptions;
mod exemption;
mod file;
mod file_name;
mod foreign;
mod grants;
mod guarded;
mod help_url;
mod identity;
mod identity_policy;
mod index;
mod kind;
mod labels;
mod lookup;
mod migration;
mod namespaces;
mod new_mounts;
mod no_pod;
mod object;
mod overlap;
mod own_defaults;
mod placed;
mod pod_security;
mod policies;
mod rule;
pub(crate) mod schema;
mod scope;
mod security;
mod selector;
mod shared;
mod snapshot;
mod switch;
mod written;
mod written_exception;
mod written_exemption;
mod written_identity;
mod written_migration;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::controls::Standard;
use crate::pod::Changes;

pub use actions::{Actions, Mode, Relaxation};
pub use azure_ml::{AzureMachineLearning, AzureMlCompute, AzureMlExemption};
pub use bindings::{
    Binding, BindingKind, Bindings, CLUSTER_ROLE, IDENTITY_GROUP, RoleRule, UNKNOWN_NAMESPACE, USE_IDENTITY,
};
pub use built_in::BUILT_IN;
pub use common::day;
pub use error::PolicyError;
pub use exception::{EXCEPTION_GROUP, EXCEPTION_RESOURCE, Exception, Standing, USE_EXCEPTION};
pub use exemption::{ExemptBy, PolicyExemptions};
pub use file::{read_document, read_file};
pub use file_name::is_policy_file;
pub use guarded::{GUARDED_LABELS, GuardedLabels, UnguardedLabel};
pub use help_url::help_with_code;
pub use identity_policy::{
    Assignment, AutomountToken, DefaultAccount, IdentityMode, IdentityPolicy, Injector, OnMissing,
    ReservedAccount,
};
pub use index::{IndexedNamespace, NamespacePolicies, PolicyIndex};
pub use kind::{KIND_TABLE, POLICY_TEST, PolicyKind, is_of_policy, is_policy_test, is_table};
pub use labels::{Labels, PackedLabels, complete};
pub use lookup::{AccountState, Answers, Lookup, LookupAnswer, LookupError, MOST_LOOKUPS, PodsQuery};
pub use migration::{Migration, MigrationMode};
pub use namespaces::NamespaceMetadata;
pub use pod_security::{Action, LabelFault, LevelVersion, Levels, PodSecurityConfiguration, joined};
pub use policies::{ExceptionPlaces, Policies};
pub use rule::{ActiveControl, Rule, RuleSource};
pub use scope::Scope;
pub use selector::{Selector, is_namespace};
pub use snapshot::Snapshot;
pub use switch::{LONGEST_SWITCH, PolicySwitch, SWITCH_CONFIG_MAP, SWITCH_KEY, SwitchState};

pub(crate) use file::yaml_fault;
pub(crate) use kind::API_VERSION;
pub(crate) use placed::PlacedFaults;
#[cfg(test)]
pub(crate) use selector::MATCHES;

/// The namespaces of the cluster itself, which no policy reaches.
pub const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// Every policy that is in force. Immutable.
#[derive(Debug, Default)]
pub struct PolicySet {
    /// What pods may do.
    pub security: Vec<SecurityPolicy>,
    /// Which identities pods get.
    pub identity: Vec<IdentityPolicy>,
    /// Whose pods identities leave alone.
    pub azure_ml: Vec<AzureMachineLearning>,
    /// Kubernetes' own configuration, in place of SecurityPolicies: every verdict is then Kubernetes' own.
    pub pod_security: Option<PodSecurityConfiguration>,
    /// The one standard that everything is judged by, exactly as Kubernetes would, in place of policies. It holds
    /// everywhere, the reserved namespaces included.
    pub standard: Option<Standard>,
    /// The namespaces that no policy reaches.
    pub reserved: Vec<String>,
}

/// What pods may do, where, and how strictly.
#[derive(Debug)]
pub struct SecurityPolicy {
    /// `metadata.name`.
    pub name: Arc<str>,
    /// Whom to ask.
    pub contact: Option<String>,
    /// The page that explains it: a URL to which the code of a refusal is added.
    pub help: Option<String>,
    /// Where it comes from.
    pub origin: PolicyOrigin,
    /// Where it holds.
    pub scope: Scope,
    /// The standard that its refusals (or, in a laxer mode, its warnings) go by.
    pub enforce: Option<Standard>,
    /// What it judges by, each thing once.
    pub rules: Vec<Rule>,
    /// What may break its controls, which have them as well.
    pub exceptions: Vec<Arc<Exception>>,
    /// Whether an object is refused whose pods would be.
    pub refuses_templates: bool,
    /// Who is not judged by it.
    pub exemptions: Arc<PolicyExemptions>,
    /// What a switch says that turns it to Audit for a while, in ASCII and bounded; `None` where none does, or it changes nothing.
    pub switch: Option<Arc<str>>,
}

/// Where a policy comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyOrigin {
    /// It judges as the policy that is compiled in: `podgate lint` needs no file for it.
    BuiltIn,
    /// A file.
    File,
    /// It is one standard alone.
    Standard,
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

impl SecurityPolicy {
    /// The annotations of Namespaces that its controls go by, once for each control.
    pub fn namespace_annotations(&self) -> impl Iterator<Item = &'static str> {
        self.controls().flat_map(ActiveControl::namespace_annotations).copied()
    }

    /// What it turns on, rule by rule.
    pub fn controls(&self) -> impl Iterator<Item = &ActiveControl> {
        self.rules.iter().flat_map(Rule::controls)
    }

    /// Whether what is absent and safe is filled in for a pod that would be refused for it.
    #[must_use]
    pub fn fills_in_defaults(&self) -> bool {
        self.controls().any(ActiveControl::is_filling_in)
    }
}

impl PolicySet {
    /// A set that judges by one standard alone, everywhere.
    #[must_use]
    pub fn of_standard(standard: &Standard) -> Self {
        let policy = SecurityPolicy {
            name: standard.text().into(),
            contact: None,
            help: None,
            origin: PolicyOrigin::Standard,
            scope: Scope::Labels(Selector::default()),
            enforce: Some(standard.clone()),
            rules: vec![Rule::of_standard(
                standard.clone(),
                Actions::ALL,
                (Mode::Enforce, false),
                &BTreeMap::new(),
            )],
            exceptions: Vec::new(),
            refuses_templates: false,
            exemptions: Arc::default(),
            switch: None,
        };
        Self { security: vec![policy], standard: Some(standard.clone()), ..Self::default() }
    }

    /// The changes of an existing pod that can make it violate any control of any policy, or of the standard.
    #[must_use]
    pub fn depends_on(&self) -> Changes {
        let controls = self.security.iter().flat_map(SecurityPolicy::controls);
        controls.fold(Changes::OF_STANDARD, |changes, active| changes | active.control.depends_on())
    }

    /// Whether it is a gate, and reads more strictly than Kubernetes. With one standard alone, or by Kubernetes' own
    /// labels, objects are read exactly as Kubernetes reads them.
    #[must_use]
    pub fn is_gate(&self) -> bool {
        self.pod_security.is_none() && self.standard.is_none()
    }

    /// Whether no policy reaches a namespace.
    #[must_use]
    pub fn is_reserved(&self, namespace: &str) -> bool {
        self.reserved.iter().any(|reserved| reserved == namespace)
    }

    /// Whether RBAC has to grant the use of any exception.
    #[must_use]
    pub fn has_granted_exceptions(&self) -> bool {
        let mut exceptions = self.security.iter().flat_map(|policy| &policy.exceptions);
        exceptions.any(|exception| exception.is_granted_by_rbac)
    }

    /// Whether any policy selects namespaces by their labels.
    #[must_use]
    pub fn selects_by_labels(&self) -> bool {
        let of_security = self.security.iter().map(|policy| &policy.scope);
        let mut scopes = of_security.chain(self.identity.iter().map(|policy| &policy.scope));
        self.standard.is_none() && scopes.any(|scope| matches!(scope, Scope::Labels(_)))
    }

    /// Whether what holds in a namespace depends on its labels.
    #[must_use]
    pub fn needs_labels(&self, namespace: &str) -> bool {
        !namespace.is_empty() && !self.is_reserved(namespace) && self.selects_by_labels()
    }

    /// Whether verdicts on pods of a namespace depend on its Namespace: on its labels, or on annotations.
    #[must_use]
    pub fn needs_namespace(&self, namespace: &str) -> bool {
        let reads = || self.security.iter().any(|policy| policy.namespace_annotations().next().is_some());
        self.needs_labels(namespace) || !namespace.is_empty() && !self.is_reserved(namespace) && reads()
    }

    /// The labels that policies select namespaces by, with the values that they ask for.
    pub fn selecting_labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let of_security = self.security.iter().map(|policy| &policy.scope);
        let scopes = of_security.chain(self.identity.iter().map(|policy| &policy.scope));
        scopes
            .flat_map(|scope| match scope {
                Scope::Labels(selector) => Some(selector.wanted_values()),
                Scope::Names(_) => None,
            })
            .flatten()
    }

    /// Whether identities leave a pod of this namespace and service account, created by this user, alone.
    #[must_use]
    pub fn azure_ml_exemption(
        &self,
        namespace: &str,
        service_account: &str,
        creator: &str,
    ) -> Option<AzureMlExemption> {
        self.azure_ml.iter().find_map(|registered| registered.exemption(namespace, service_account, creator))
    }

    fn matches(&self, scope: &Scope, namespace: &str, labels: Option<&PackedLabels>) -> Match {
        let known = |is_match| if is_match { Match::Yes } else { Match::No };
        match scope {
            _ if self.standard.is_some() => Match::Yes,
            _ if namespace.is_empty() => Match::Unknown,
            _ if self.is_reserved(namespace) => Match::No,
            Scope::Names(names) => known(names.iter().any(|name| name == namespace)),
            Scope::Labels(selector) => match labels {
                Some(labels) => known(selector.matches(|key| labels.get(key))),
                None => Match::Unknown,
            },
        }
    }
}
