//! Whom the RoleBindings and ClusterRoleBindings of a cluster name: whether a service account uses its API token for
//! anything, and whether it may use an identity that AKS has bound to the cluster.
//!
//! Of a binding the service accounts are kept that it names, and of a role which identities it lets them use. What the
//! role allows besides does not matter: an account that somebody has granted anything needs its token.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The kind of a role without a namespace.
pub const CLUSTER_ROLE: &str = "ClusterRole";

/// All service accounts of the cluster.
const ALL_ACCOUNTS: &str = "system:serviceaccounts";
/// What the user name of a service account begins with; its namespace, a colon and its name follow.
const ACCOUNT_PREFIX: &str = "system:serviceaccount:";
/// Whoever has logged in.
const AUTHENTICATED: &str = "system:authenticated";

/// Every cluster grants this role to all service accounts: it says nothing about one of them.
const ISSUER_DISCOVERY: &str = "system:service-account-issuer-discovery";
/// Every cluster has this role, and it allows everything.
pub(super) const CLUSTER_ADMIN: &str = "cluster-admin";

/// The group of the resources that stand for identities which AKS has bound to a cluster; a resource is a client id.
pub const IDENTITY_GROUP: &str = "cid.wi.aks.azure.com";
/// The verb that lets a service account use one.
pub const USE_IDENTITY: &str = "use-managed-identity";
/// Everything, in a rule.
pub(super) const EVERY: &str = "*";

/// The namespace of a Role or RoleBinding of a file that names none, where nobody knows which it will be: no namespace has this name.
pub const UNKNOWN_NAMESPACE: &str = "?";

/// Whom a binding names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Subject {
    Account {
        namespace: Box<str>,
        name: Box<str>,
    },
    /// Every service account of a namespace.
    Namespace(Box<str>),
    /// Every service account.
    Accounts,
    /// Whoever has logged in. Every cluster lets them ask what its API is and what they may do, so that this says nothing
    /// about the use of a token.
    Authenticated,
}

/// A RoleBinding or ClusterRoleBinding: the service accounts that it names.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Binding {
    subjects: Vec<Subject>,
    pub(super) cluster_role: Option<Arc<str>>,
    /// The Role of its own namespace, where that is kept.
    pub(super) role: Option<Arc<str>>,
}

impl Binding {
    /// One that names nobody yet, to a ClusterRole or else to a Role.
    #[must_use]
    pub fn to_role(cluster_role: Option<&str>) -> Self {
        Self { subjects: Vec::new(), cluster_role: cluster_role.map(Into::into), role: None }
    }

    /// One that names nobody yet, to a Role of its namespace, of which it matters what it allows.
    #[must_use]
    pub fn to_own_role(role: &str) -> Self {
        Self { subjects: Vec::new(), cluster_role: None, role: Some(role.into()) }
    }

    /// Adds a subject, as the binding has it. Users and groups of which no service account is one are left out.
    pub fn add(&mut self, kind: &str, name: &str, namespace: Option<&str>) {
        let is_discovery = self.cluster_role.as_deref() == Some(ISSUER_DISCOVERY);
        let account =
            |namespace: &str, name: &str| Subject::Account { namespace: namespace.into(), name: name.into() };
        let subject = match kind {
            "ServiceAccount" => namespace.map(|namespace| account(namespace, name)),
            "User" => name
                .strip_prefix(ACCOUNT_PREFIX)
                .and_then(|rest| rest.split_once(':'))
                .map(|(namespace, name)| account(namespace, name)),
            "Group" if name == AUTHENTICATED => Some(Subject::Authenticated),
            "Group" if name == ALL_ACCOUNTS => (!is_discovery).then_some(Subject::Accounts),
            "Group" => name
                .strip_prefix(ALL_ACCOUNTS)
                .and_then(|rest| rest.strip_prefix(':'))
                .map(|namespace| Subject::Namespace(namespace.into())),
            _ => None,
        };
        self.subjects.extend(subject);
    }

    pub(super) fn names(&self, namespace: &str, account: &str) -> bool {
        self.subjects.iter().any(|subject| match subject {
            Subject::Account { namespace: of, name } => (of.as_ref(), name.as_ref()) == (namespace, account),
            Subject::Namespace(of) => of.as_ref() == namespace,
            Subject::Accounts | Subject::Authenticated => true,
        })
    }
}

/// Which of the two kinds a binding is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BindingKind {
    /// A RoleBinding.
    Role,
    /// A ClusterRoleBinding.
    ClusterRole,
}

/// The name of a binding: its namespace, which is empty for a ClusterRoleBinding, and its own.
pub(super) type BindingName = (Box<str>, Box<str>);

/// The exceptions that each role lets whoever has it use, by the role's namespace (empty for a ClusterRole) and name.
type ExceptionsOfRoles = HashMap<(Box<str>, Box<str>), Vec<Box<str>>>;

/// All bindings that are known.
#[derive(Debug, Default, Clone)]
pub struct Bindings {
    pub(super) bindings: BTreeMap<BindingName, Arc<Binding>>,
    /// How many bindings name each.
    counts: HashMap<Subject, u32>,
    /// The client ids that a ClusterRole lets whoever has it use.
    identities: HashMap<Box<str>, Vec<Box<str>>>,
    pub(super) exceptions: ExceptionsOfRoles,
    knows_roles: bool,
    knows_cluster_roles: bool,
}

impl Bindings {
    /// Adds a binding, or replaces what was known of it. `namespace` is empty for a ClusterRoleBinding.
    pub fn insert(&mut self, namespace: &str, name: &str, binding: Binding) {
        self.remove(namespace, name);
        if binding.subjects.is_empty() {
            return;
        }
        for subject in &binding.subjects {
            *self.counts.entry(subject.clone()).or_default() += 1;
        }
        self.bindings.insert((namespace.into(), name.into()), Arc::new(binding));
    }

    /// Adds what others say, or replaces what was known of them.
    pub fn take_from(&mut self, other: &Self) {
        for ((namespace, name), binding) in &other.bindings {
            self.insert(namespace, name, Binding::clone(binding));
        }
        let identities = other.identities.iter().map(|(role, ids)| (role.clone(), ids.clone()));
        self.identities.extend(identities);
        self.exceptions.extend(other.exceptions.iter().map(|(role, names)| (role.clone(), names.clone())));
        self.knows_roles |= other.knows_roles;
        self.knows_cluster_roles |= other.knows_cluster_roles;
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
            && self.identities.is_empty()
            && self.exceptions.is_empty()
            && !self.knows_roles
            && !self.knows_cluster_roles
    }

    /// Takes out a binding that is gone.
    pub fn remove(&mut self, namespace: &str, name: &str) {
        let Some(binding) = self.bindings.remove(&(namespace.into(), name.into())) else { return };
        for subject in &binding.subjects {
            if let Some(count) = self.counts.get_mut(subject) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.counts.remove(subject);
                }
            }
        }
    }

    /// All bindings of a kind are known: those that are not kept, by namespace and name, are gone.
    pub fn retain(&mut self, kind: BindingKind, is_kept: impl Fn(&str, &str) -> bool) {
        let of_kind = |namespace: &str| namespace.is_empty() == (kind == BindingKind::ClusterRole);
        let gone: Vec<BindingName> = self
            .bindings
            .keys()
            .filter(|(namespace, name)| of_kind(namespace) && !is_kept(namespace, name))
            .cloned()
            .collect();
        for (namespace, name) in gone {
            self.remove(&namespace, &name);
        }
        self.set_known(kind);
    }

    /// All bindings of a kind are known.
    pub fn set_known(&mut self, kind: BindingKind) {
        match kind {
            BindingKind::Role => self.knows_roles = true,
            BindingKind::ClusterRole => self.knows_cluster_roles = true,
        }
    }

    /// Adds the rules of a ClusterRole, as far as they are about identities.
    pub fn add_cluster_role<'r>(&mut self, name: &str, rules: impl IntoIterator<Item = RoleRule<'r>>) {
        let ids = rules.into_iter().flat_map(RoleRule::identities).map(|id| id.to_ascii_lowercase().into());
        self.identities.insert(name.into(), ids.collect());
    }

    /// Whether any binding names a service account, alone or with all of its namespace or of the cluster; `None` where
    /// bindings are not known.
    #[must_use]
    pub fn name_account(&self, namespace: &str, name: &str) -> Option<bool> {
        let account = Subject::Account { namespace: namespace.into(), name: name.into() };
        let is_named = [account, Subject::Namespace(namespace.into()), Subject::Accounts]
            .iter()
            .any(|subject| self.counts.contains_key(subject));
        (is_named || self.knows_bindings()).then_some(is_named)
    }

    /// Whether all bindings are known.
    pub(super) fn knows_bindings(&self) -> bool {
        self.knows_roles && self.knows_cluster_roles
    }

    /// Whether a service account may use the identity of a client id that AKS has bound to the cluster; `None` where that
    /// cannot be told, as when a binding is to a role that is not known. RoleBindings do not count: the resource has no
    /// namespace.
    #[must_use]
    pub fn may_use_identity(&self, namespace: &str, account: &str, client_id: &str) -> Option<bool> {
        let client_id = client_id.to_ascii_lowercase();
        let mut is_certain = self.knows_cluster_roles;
        for ((of, _), binding) in &self.bindings {
            let Some(role) = binding.cluster_role.as_deref().filter(|_| of.is_empty()) else { continue };
            if !binding.names(namespace, account) {
                continue;
            }
            match self.identities.get(role) {
                _ if role == CLUSTER_ADMIN => return Some(true),
                Some(ids) if ids.iter().any(|id| [EVERY, client_id.as_str()].contains(&id.as_ref())) => {
                    return Some(true);
                }
                Some(_) => {}
                None => is_certain = false,
            }
        }
        is_certain.then_some(false)
    }
}

/// A rule of a role.
#[derive(Debug, Clone, Default)]
pub struct RoleRule<'r> {
    /// `apiGroups`.
    pub groups: Vec<&'r str>,
    /// `resources`.
    pub resources: Vec<&'r str>,
    /// `verbs`.
    pub verbs: Vec<&'r str>,
    /// `resourceNames`: without any it is for a resource as a whole.
    pub names: Vec<&'r str>,
}

impl<'r> RoleRule<'r> {
    /// The client ids that it lets somebody use; `*` for every one.
    fn identities(self) -> impl Iterator<Item = &'r str> {
        let has = |list: &[&str], wanted: &str| list.iter().any(|item| [EVERY, wanted].contains(item));
        let is_meant =
            has(&self.groups, IDENTITY_GROUP) && has(&self.verbs, USE_IDENTITY) && self.names.is_empty();
        self.resources.into_iter().filter(move |_| is_meant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(role: Option<&str>, subjects: &[(&str, &str, Option<&str>)]) -> Binding {
        let mut binding = Binding::to_role(role);
        for (kind, name, namespace) in subjects {
            binding.add(kind, name, *namespace);
        }
        binding
    }

    fn known() -> Bindings {
        let mut bindings = Bindings::default();
        bindings.set_known(BindingKind::Role);
        bindings.set_known(BindingKind::ClusterRole);
        bindings
    }

    #[test]
    fn who_names_an_account() {
        for (subject, role, expected) in [
            (("ServiceAccount", "trainer", Some("team")), None, true),
            (("ServiceAccount", "trainer", Some("other")), None, false),
            (("ServiceAccount", "trainer", None), None, false),
            (("ServiceAccount", "other", Some("team")), None, false),
            (("User", "system:serviceaccount:team:trainer", None), None, true),
            (("User", "trainer", None), None, false),
            (("Group", "system:serviceaccounts:team", None), None, true),
            (("Group", "system:serviceaccounts:other", None), None, false),
            (("Group", "system:serviceaccounts", None), Some("view"), true),
            (("Group", "system:serviceaccounts", None), Some(ISSUER_DISCOVERY), false),
            (("Group", "system:authenticated", None), Some("view"), false),
            (("Group", "system:unauthenticated", None), Some("view"), false),
            (("Robot", "trainer", Some("team")), None, false),
        ] {
            let mut bindings = known();
            bindings.insert("team", "b", binding(role, &[subject]));
            assert_eq!(bindings.name_account("team", "trainer"), Some(expected), "{subject:?} {role:?}");
        }
    }

    #[test]
    fn bindings_come_and_go() {
        let one = || binding(None, &[("ServiceAccount", "trainer", Some("team"))]);
        let mut bindings = Bindings::default();
        assert_eq!(bindings.name_account("team", "trainer"), None, "nothing is known");
        bindings.insert("team", "a", one());
        assert_eq!(bindings.name_account("team", "trainer"), Some(true), "that is known already");
        assert_eq!(bindings.name_account("team", "other"), None);
        bindings.retain(BindingKind::ClusterRole, |_, _| false);
        bindings.insert("", "a", one());
        bindings.retain(BindingKind::Role, |_, _| false);
        assert_eq!(bindings.name_account("team", "trainer"), Some(true), "by the ClusterRoleBinding");
        assert_eq!(bindings.name_account("team", "other"), Some(false));
        bindings.insert("", "a", one());
        bindings.remove("", "a");
        bindings.remove("", "a");
        assert_eq!(bindings.name_account("team", "trainer"), Some(false));
        bindings.insert("team", "a", one());
        bindings.insert("team", "a", Binding::default());
        assert!(bindings.counts.is_empty() && bindings.bindings.is_empty());
    }

    #[test]
    fn who_may_use_an_identity() {
        const ID: &str = "0a0a0a0a-1111-4222-8333-444444444444";
        let trainer = ("ServiceAccount", "trainer", Some("team"));
        let everybody = ("Group", AUTHENTICATED, None);
        let rule = |group, id, verb| RoleRule {
            groups: vec![group],
            resources: vec![id],
            verbs: vec![verb],
            names: Vec::new(),
        };
        let right = rule(IDENTITY_GROUP, ID, USE_IDENTITY);
        let upper = ID.to_ascii_uppercase();
        for (namespace, subject, role, rules, expected) in [
            ("", trainer, "use", Some(right.clone()), Some(true)),
            ("", everybody, "use", Some(right.clone()), Some(true)),
            ("", trainer, "use", Some(rule(IDENTITY_GROUP, &upper, USE_IDENTITY)), Some(true)),
            ("", trainer, "use", Some(rule("*", "*", "*")), Some(true)),
            ("", trainer, CLUSTER_ADMIN, None, Some(true)),
            ("", trainer, "use", Some(rule(IDENTITY_GROUP, "other", USE_IDENTITY)), Some(false)),
            ("", trainer, "use", Some(rule("", ID, USE_IDENTITY)), Some(false)),
            ("", trainer, "use", Some(rule(IDENTITY_GROUP, ID, "get")), Some(false)),
            ("", trainer, "use", Some(RoleRule { names: vec!["x"], ..right.clone() }), Some(false)),
            ("", ("ServiceAccount", "other", Some("team")), "use", Some(right.clone()), Some(false)),
            ("team", trainer, "use", Some(right.clone()), Some(false)),
            ("", trainer, "elsewhere", None, None),
        ] {
            let mut bindings = known();
            if let Some(rule) = rules.clone() {
                bindings.add_cluster_role(role, [rule]);
            }
            bindings.insert(namespace, "b", binding(Some(role), &[subject]));
            let found = bindings.may_use_identity("team", "trainer", ID);
            assert_eq!(found, expected, "{namespace} {subject:?} {role} {rules:?}");
        }
        assert_eq!(Bindings::default().may_use_identity("team", "trainer", ID), None);
    }
}
