//! Which exceptions the Roles and RoleBindings of files let a service account use, as the API server would tell.

use std::sync::Arc;

use crate::controls::MissingRole;
use crate::policy::bindings::{
    Binding, BindingName, Bindings, CLUSTER_ADMIN, CLUSTER_ROLE, EVERY, RoleRule, UNKNOWN_NAMESPACE,
};
use crate::policy::exception::{EXCEPTION_GROUP, EXCEPTION_RESOURCE, USE_EXCEPTION};

impl Bindings {
    /// Adds the rules of a Role, or of a ClusterRole, whose namespace is empty, as far as they are about exceptions.
    pub fn add_exceptions<'r>(
        &mut self,
        (namespace, name): (&str, &str),
        rules: impl IntoIterator<Item = RoleRule<'r>>,
    ) {
        let exceptions = rules.into_iter().flat_map(exceptions_of).collect();
        self.exceptions.insert((namespace.into(), name.into()), exceptions);
    }

    /// Those of these exceptions that a service account may use in its namespace; `None` where that cannot be told, as when a
    /// binding is to a role that is not known.
    #[must_use]
    pub fn granted(&self, namespace: &str, account: &str, exceptions: &[Arc<str>]) -> Option<Vec<Arc<str>>> {
        let mut granted = Vec::new();
        for exception in exceptions {
            if self.may_use_exception(namespace, account, exception)? {
                granted.push(Arc::clone(exception));
            }
        }
        Some(granted)
    }

    /// Whether a service account may use an exception in its namespace; `None` where that cannot be told.
    #[must_use]
    pub fn may_use_exception(&self, namespace: &str, account: &str, exception: &str) -> Option<bool> {
        let mut is_certain = self.knows_bindings();
        for ((of, _), binding) in self.bindings_of(namespace, account) {
            match self.grants(of, binding, exception) {
                Some(true) if of.as_ref() != UNKNOWN_NAMESPACE => return Some(true),
                Some(false) => {}
                Some(true) | None => is_certain = false,
            }
        }
        is_certain.then_some(false)
    }

    /// The first role that a binding of a service account names and that is not known.
    pub(super) fn missing_role(&self, namespace: &str, account: &str) -> Option<MissingRole<'_>> {
        let unknown = |((of, _), binding): &(&BindingName, &Arc<Binding>)| {
            // Of a binding whose namespace is not known it is that which is missing.
            of.as_ref() != UNKNOWN_NAMESPACE
                && binding.cluster_role.as_deref() != Some(CLUSTER_ADMIN)
                && self.exceptions_of(of, binding).is_none()
        };
        let ((of, name), binding) = self.bindings_of(namespace, account).find(unknown)?;
        let (kind, role) = match (&binding.cluster_role, &binding.role) {
            (Some(role), _) => (CLUSTER_ROLE, role.as_ref()),
            (None, role) => ("Role", role.as_deref().unwrap_or_default()),
        };
        Some(MissingRole { namespace: of, binding: name, kind, role })
    }

    /// The bindings that may hold for a service account in its namespace.
    fn bindings_of<'b>(
        &'b self,
        namespace: &str,
        account: &str,
    ) -> impl Iterator<Item = (&'b BindingName, &'b Arc<Binding>)> {
        let may_hold = move |of: &str| of.is_empty() || of == namespace || of == UNKNOWN_NAMESPACE;
        self.bindings
            .iter()
            .filter(move |((of, _), binding)| may_hold(of) && binding.names(namespace, account))
    }

    /// Whether any binding lets any service account use an exception; `None` where that cannot be told.
    #[must_use]
    pub fn grants_to_anybody(&self, exception: &str) -> Option<bool> {
        let mut is_certain = self.knows_bindings();
        for ((of, _), binding) in &self.bindings {
            match self.grants(of, binding, exception) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => is_certain = false,
            }
        }
        is_certain.then_some(false)
    }

    /// Whether the role of a binding in this namespace lets whoever has it use an exception; `None` where the role is not known.
    fn grants(&self, namespace: &str, binding: &Binding, exception: &str) -> Option<bool> {
        let is_it = |name: &str| [EVERY, exception].contains(&name);
        match self.exceptions_of(namespace, binding) {
            Some(names) => Some(names.iter().any(|name| is_it(name))),
            None => (binding.cluster_role.as_deref() == Some(CLUSTER_ADMIN)).then_some(true),
        }
    }

    /// The exceptions of the role of a binding in this namespace; `None` where the role is not known.
    fn exceptions_of(&self, namespace: &str, binding: &Binding) -> Option<&Vec<Box<str>>> {
        let role = match (&binding.cluster_role, &binding.role) {
            (Some(name), _) => ("".into(), name.as_ref().into()),
            (None, Some(name)) => (namespace.into(), name.as_ref().into()),
            (None, None) => return None,
        };
        self.exceptions.get(&role)
    }
}

/// The names of the exceptions that a rule lets somebody use; `*` for every one.
fn exceptions_of(rule: RoleRule<'_>) -> Vec<Box<str>> {
    let has = |list: &[&str], wanted: &str| list.iter().any(|item| [EVERY, wanted].contains(item));
    let RoleRule { groups, resources, verbs, names } = rule;
    let is_meant =
        has(&groups, EXCEPTION_GROUP) && has(&resources, EXCEPTION_RESOURCE) && has(&verbs, USE_EXCEPTION);
    match (is_meant, names.is_empty()) {
        (false, _) => Vec::new(),
        (true, true) => vec![EVERY.into()],
        // Among names RBAC knows no `*`: it would be an exception that is called so.
        (true, false) => names.into_iter().filter(|name| *name != EVERY).map(Into::into).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::BindingKind;

    const RIGHT: ([&str; 1], [&str; 1], [&str; 1]) = (["podgate.dev"], ["securityexceptions"], ["use"]);

    fn rule<'r>(
        (groups, resources, verbs): ([&'r str; 1], [&'r str; 1], [&'r str; 1]),
        names: &[&'r str],
    ) -> RoleRule<'r> {
        RoleRule {
            groups: groups.into(),
            resources: resources.into(),
            verbs: verbs.into(),
            names: names.into(),
        }
    }

    fn bound(role: &str, is_cluster_role: bool) -> Binding {
        let mut binding =
            if is_cluster_role { Binding::to_role(Some(role)) } else { Binding::to_own_role(role) };
        binding.add("ServiceAccount", "trainer", Some("team"));
        binding
    }

    fn granted(bindings: &Bindings) -> Option<bool> {
        bindings.granted("team", "trainer", &["rdma".into()]).map(|names| !names.is_empty())
    }

    #[test]
    fn a_binding_to_a_role_of_the_namespace_or_of_the_cluster_grants() {
        // The namespaces of the binding and of the role, whether it is a ClusterRole, its rule, and whether that grants.
        for (of_binding, of_role, is_cluster_role, rule, expected) in [
            ("team", "team", false, rule(RIGHT, &["rdma"]), Some(true)),
            ("team", "", true, rule(RIGHT, &["rdma"]), Some(true)),
            ("", "", true, rule(RIGHT, &["rdma"]), Some(true)),
            ("team", "team", false, rule(RIGHT, &[]), Some(true)),
            ("team", "team", false, rule((["*"], ["*"], ["*"]), &[]), Some(true)),
            ("team", "team", false, rule(RIGHT, &["other"]), Some(false)),
            ("team", "team", false, rule(RIGHT, &["*"]), Some(false)),
            (
                "team",
                "team",
                false,
                rule((["podgate.dev"], ["securityexceptions"], ["get"]), &[]),
                Some(false),
            ),
            ("team", "team", false, rule((["podgate.dev"], ["pods"], ["use"]), &[]), Some(false)),
            ("team", "team", false, rule(([""], ["securityexceptions"], ["use"]), &[]), Some(false)),
            ("other", "other", false, rule(RIGHT, &["rdma"]), Some(false)),
            ("team", "other", false, rule(RIGHT, &["rdma"]), None),
            ("?", "?", false, rule(RIGHT, &["rdma"]), None),
            ("?", "", true, rule(RIGHT, &["rdma"]), None),
            ("?", "?", false, rule(RIGHT, &["other"]), Some(false)),
        ] {
            let mut bindings = Bindings::default();
            bindings.set_known(BindingKind::Role);
            bindings.set_known(BindingKind::ClusterRole);
            bindings.add_exceptions((of_role, "use"), [rule.clone()]);
            bindings.insert(of_binding, "b", bound("use", is_cluster_role));
            assert_eq!(granted(&bindings), expected, "{of_binding} {of_role} {is_cluster_role} {rule:?}");
        }
    }

    #[test]
    fn what_is_not_known_grants_nothing_and_refuses_nothing() {
        assert_eq!(granted(&Bindings::default()), None);
        let mut bindings = Bindings::default();
        bindings.insert("team", "b", bound("cluster-admin", true));
        assert_eq!(granted(&bindings), Some(true), "that role allows everything");
    }
}
