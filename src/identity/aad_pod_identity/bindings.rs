//! The identities and bindings of a cluster, and which of them a pod has.

use std::collections::BTreeMap;

use crate::identity::aad_pod_identity::objects::{AzureIdentity, AzureIdentityBinding, ObjectName};

/// The identities and bindings of a cluster.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct PodIdentities {
    identities: BTreeMap<ObjectName, AzureIdentity>,
    /// By selector: the names of the bindings that have it, with the name of the identity of each.
    bindings: BTreeMap<Box<str>, BTreeMap<ObjectName, Box<str>>>,
}

/// An identity that a binding gives to a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundIdentity<'i> {
    /// The binding.
    pub binding: &'i ObjectName,
    /// The name of the identity, in the namespace of the binding.
    pub identity_name: &'i str,
    /// The identity, if there is one of that name.
    pub identity: Option<&'i AzureIdentity>,
}

impl PodIdentities {
    /// Adds an identity, or replaces the one of its name.
    pub fn add_identity(&mut self, identity: AzureIdentity) {
        self.identities.insert(identity.name.clone(), identity);
    }

    /// Adds a binding, or replaces the one of its name and selector.
    pub fn add_binding(&mut self, binding: AzureIdentityBinding) {
        let AzureIdentityBinding { name, azure_identity, selector } = binding;
        self.bindings.entry(selector).or_default().insert(name, azure_identity);
    }

    /// Adds what others hold.
    pub fn take_from(&mut self, other: &Self) {
        self.identities
            .extend(other.identities.iter().map(|(name, identity)| (name.clone(), identity.clone())));
        for (selector, bindings) in &other.bindings {
            let known = self.bindings.entry(selector.clone()).or_default();
            known.extend(bindings.iter().map(|(name, identity)| (name.clone(), identity.clone())));
        }
    }

    /// Whether there is no binding, so that no pod has an identity.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// What the bindings give to a pod of this namespace whose label says `selector`, in the order of their names. Case
    /// counts.
    pub fn bound_to<'i>(
        &'i self,
        selector: &str,
        namespace: &str,
    ) -> impl Iterator<Item = BoundIdentity<'i>> {
        let bindings = self.bindings.get(selector).filter(|_| !selector.is_empty());
        let bound = bindings.into_iter().flatten().map(|(binding, identity_name)| {
            let name = ObjectName { namespace: binding.namespace.clone(), name: identity_name.clone() };
            BoundIdentity { binding, identity_name, identity: self.identities.get(&name) }
        });
        bound.filter(move |bound| {
            let is_elsewhere = *bound.binding.namespace != *namespace;
            !(is_elsewhere && bound.identity.is_some_and(|identity| identity.is_namespaced))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ObjectName {
        let (namespace, name) = text.split_once('/').unwrap();
        ObjectName { namespace: namespace.into(), name: name.into() }
    }

    #[test]
    fn bindings_of_any_namespace_count_unless_their_identity_is_namespaced() {
        let mut known = PodIdentities::default();
        for (identity, is_namespaced) in [("a/one", false), ("b/two", true)] {
            known.add_identity(AzureIdentity {
                name: name(identity),
                is_namespaced,
                ..AzureIdentity::default()
            });
        }
        for (binding, azure_identity, selector) in [
            ("b/z", "two", "ml"),
            ("a/x", "one", "ml"),
            ("a/y", "gone", "ml"),
            ("a/v", "two", "ml"),
            ("a/w", "one", "other"),
            ("a/u", "one", ""),
        ] {
            let (azure_identity, selector) = (azure_identity.into(), selector.into());
            known.add_binding(AzureIdentityBinding { name: name(binding), azure_identity, selector });
        }
        let bound = |selector: &str, namespace: &str| -> Vec<String> {
            let bound = known.bound_to(selector, namespace);
            bound.map(|bound| format!("{} {}", bound.binding, bound.identity.is_some())).collect()
        };
        assert_eq!(bound("ml", "a"), ["a/v false", "a/x true", "a/y false"]);
        assert_eq!(bound("ml", "b"), ["a/v false", "a/x true", "a/y false", "b/z true"]);
        assert_eq!([bound("ML", "a").len(), bound("", "a").len(), bound("other", "c").len()], [0, 0, 1]);
    }
}
