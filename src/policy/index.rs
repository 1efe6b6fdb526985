//! Which policies hold in each namespace: worked out when policies or namespaces change, not for every review.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::policy::{
    IdentityPolicy, Match, NamespaceMetadata, PackedLabels, PolicySet, SecurityPolicy, Snapshot,
};

/// Policies, and which of them hold in each known namespace. Immutable.
#[derive(Debug)]
pub struct PolicyIndex {
    policies: Arc<PolicySet>,
    namespaces: HashSet<IndexedNamespace>,
}

/// A known namespace, found by its name.
#[derive(Debug)]
pub struct IndexedNamespace {
    metadata: Arc<NamespaceMetadata>,
    /// Shared by all namespaces in which the same policies hold: most have no others.
    policies: Arc<NamespacePolicies>,
}

/// The policies that hold in one namespace: their places in the set, in its order.
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
pub struct NamespacePolicies {
    security: SmallVec<[usize; 2]>,
    identity: SmallVec<[usize; 2]>,
    /// Whether an identity policy holds, or may as far as the labels are known.
    may_give_identity: bool,
    /// Whether one that is enforced does, or may.
    may_enforce_identity: bool,
    /// Whether one that is enforced refuses pods for their service account, or may.
    may_refuse_account: bool,
    /// Whether no policy holds although one was meant to.
    is_unjudged: bool,
    /// Whether what holds depends on the labels of the namespace.
    depends_on_labels: bool,
    /// Whether a policy that holds goes by annotations of the namespace.
    reads_annotations: bool,
    /// Whether anybody is exempt from a security policy that holds.
    has_exemptions: bool,
}

impl PolicyIndex {
    /// Resolves the policies for each namespace of a snapshot.
    #[must_use]
    pub fn new(policies: PolicySet, snapshot: &Snapshot) -> Self {
        let empty = Self { policies: Arc::new(policies), namespaces: HashSet::new() };
        empty.with_snapshot(snapshot)
    }

    /// The same policies in a changed cluster. Only namespaces that changed are resolved again.
    #[must_use]
    pub fn with_snapshot(&self, snapshot: &Snapshot) -> Self {
        let mut shared: HashSet<Arc<NamespacePolicies>> = HashSet::new();
        let entry = |metadata: &Arc<NamespaceMetadata>| {
            let policies = match self.namespaces.get(metadata.name()) {
                Some(known) if Arc::ptr_eq(&known.metadata, metadata) => Arc::clone(&known.policies),
                Some(_) | None => Arc::new(self.policies.resolve(metadata.name(), Some(&metadata.labels))),
            };
            let policies = match shared.get(&policies) {
                Some(same) => Arc::clone(same),
                None => {
                    shared.insert(Arc::clone(&policies));
                    policies
                }
            };
            IndexedNamespace { metadata: Arc::clone(metadata), policies }
        };
        let namespaces = snapshot.namespaces().map(entry).collect();
        Self { policies: Arc::clone(&self.policies), namespaces }
    }

    /// Every policy.
    #[must_use]
    pub fn policies(&self) -> &PolicySet {
        &self.policies
    }

    /// A namespace, if it is known.
    #[must_use]
    pub fn get(&self, namespace: &str) -> Option<&IndexedNamespace> {
        self.namespaces.get(namespace)
    }
}

impl IndexedNamespace {
    /// Its labels.
    #[must_use]
    pub fn labels(&self) -> &PackedLabels {
        &self.metadata.labels
    }

    /// All that is kept of it.
    #[must_use]
    pub fn metadata(&self) -> &NamespaceMetadata {
        &self.metadata
    }

    /// Whether it has to be read again before anything is said of its pods: no policy holds, but one might if the labels have
    /// changed, or a policy goes by annotations, which a new namespace gets only after it was made.
    #[must_use]
    pub fn may_be_outdated(&self) -> bool {
        let lacks_annotations = self.policies.reads_annotations && !self.metadata.has_annotations();
        self.policies.needs_current_labels() || lacks_annotations
    }

    /// The policies that hold in it.
    #[must_use]
    pub fn policies(&self) -> &NamespacePolicies {
        &self.policies
    }
}

impl PartialEq for IndexedNamespace {
    fn eq(&self, other: &Self) -> bool {
        self.metadata.name() == other.metadata.name()
    }
}

impl Eq for IndexedNamespace {}

impl Hash for IndexedNamespace {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.metadata.name().hash(state);
    }
}

impl Borrow<str> for IndexedNamespace {
    fn borrow(&self) -> &str {
        self.metadata.name()
    }
}

impl NamespacePolicies {
    /// The security policies, of the set that this was resolved with.
    pub fn security<'s>(&self, set: &'s PolicySet) -> impl Iterator<Item = &'s SecurityPolicy> {
        self.security.iter().filter_map(|at| set.security.get(*at))
    }

    /// The identity policies, of the set that this was resolved with.
    pub fn identity<'s>(&self, set: &'s PolicySet) -> impl Iterator<Item = &'s IdentityPolicy> {
        self.identity.iter().filter_map(|at| set.identity.get(*at))
    }

    /// Whether anybody is exempt from one of the security policies.
    #[must_use]
    pub fn has_exemptions(&self) -> bool {
        self.has_exemptions
    }

    /// The same, without the security policies from which something is exempt.
    #[must_use]
    pub fn without(&self, set: &PolicySet, is_exempt: impl Fn(&SecurityPolicy) -> bool) -> Self {
        let is_left = |at: &usize| set.security.get(*at).is_none_or(|policy| !is_exempt(policy));
        let security = self.security.iter().copied().filter(is_left).collect();
        Self { security, ..self.clone() }
    }

    /// Whether pods of the namespace may be meant to get an identity, as far as its labels are known.
    #[must_use]
    pub fn may_give_identity(&self) -> bool {
        self.may_give_identity
    }

    /// The same, leaving out policies that are only tried out.
    #[must_use]
    pub fn may_enforce_identity(&self) -> bool {
        self.may_enforce_identity
    }

    /// Whether pods of the namespace may be refused for the service account that they run as, as far as its labels are known.
    #[must_use]
    pub fn may_refuse_account(&self) -> bool {
        self.may_refuse_account
    }

    /// Whether no policy holds, or might, although the webhook was called for the namespace, so that one was meant to.
    /// Never true of the reserved namespaces, which are left out on purpose.
    #[must_use]
    pub fn is_unjudged(&self) -> bool {
        self.is_unjudged
    }

    /// Whether no policy holds, but one might if the labels have changed.
    #[must_use]
    pub fn needs_current_labels(&self) -> bool {
        self.is_unjudged && self.depends_on_labels
    }
}

impl PolicySet {
    /// The policies that hold in a namespace with these labels, or in one whose labels are not known (`None`).
    ///
    /// Without labels, a security policy that might hold does: judging too strictly is the safe way to be wrong. An
    /// identity policy does not: an identity is power, and is not given on a guess.
    #[must_use]
    pub fn resolve(&self, namespace: &str, labels: Option<&PackedLabels>) -> NamespacePolicies {
        let mut found = NamespacePolicies::default();
        for (at, policy) in self.security.iter().enumerate() {
            match self.matches(&policy.scope, namespace, labels) {
                Match::Yes | Match::Unknown => {
                    found.security.push(at);
                    found.has_exemptions |= !policy.exemptions.is_empty();
                    found.reads_annotations |= policy.namespace_annotations().next().is_some();
                }
                Match::No => {}
            }
        }
        for (at, policy) in self.identity.iter().enumerate() {
            let matched = self.matches(&policy.scope, namespace, labels);
            found.may_give_identity |= matched != Match::No;
            let may_enforce = matched != Match::No && policy.is_enforced();
            found.may_enforce_identity |= may_enforce;
            found.may_refuse_account |= may_enforce && policy.has_account_rules();
            if matched == Match::Yes {
                found.identity.push(at);
            }
        }
        let is_reached = !found.security.is_empty() || found.may_give_identity;
        found.is_unjudged = !is_reached && !namespace.is_empty() && !self.is_reserved(namespace);
        found.depends_on_labels = self.needs_labels(namespace);
        found
    }

    /// The policies that hold for pods in a namespace: [`resolve`](Self::resolve) for one namespace alone.
    pub fn security_for(
        &self,
        namespace: &str,
        labels: Option<&PackedLabels>,
    ) -> impl Iterator<Item = &SecurityPolicy> {
        let NamespacePolicies { security, .. } = self.resolve(namespace, labels);
        security.into_iter().filter_map(|at| self.security.get(at))
    }

    /// The identity policies of which nobody can tell whether they hold in a namespace, as its labels are not known.
    pub fn identity_perhaps_for(&self, namespace: &str) -> impl Iterator<Item = &IdentityPolicy> {
        let may_hold =
            |policy: &&IdentityPolicy| self.matches(&policy.scope, namespace, None) == Match::Unknown;
        self.identity.iter().filter(may_hold)
    }

    /// The identity policies that hold in a namespace: [`resolve`](Self::resolve) for one namespace alone.
    pub fn identity_for(
        &self,
        namespace: &str,
        labels: Option<&PackedLabels>,
    ) -> impl Iterator<Item = &IdentityPolicy> {
        let NamespacePolicies { identity, .. } = self.resolve(namespace, labels);
        identity.into_iter().filter_map(|at| self.identity.get(at))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::policy::{Labels, MATCHES, Policies, Scope, complete, read_file};

    use super::*;

    fn policies(text: &str) -> PolicySet {
        let mut policies = Policies::new(vec!["kube-system".to_owned(), "podgate-system".to_owned()]);
        if !text.is_empty() {
            read_file("f", text, &mut policies);
        }
        policies.finish().unwrap()
    }

    fn security(index: usize, scope: &str) -> String {
        format!(
            "---\napiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: s{index}}}\n\
             spec: {{match: {scope}, standard: {{enforce: baseline}}}}\n"
        )
    }

    fn identity(index: usize, scope: &str) -> String {
        format!(
            "---\napiVersion: podgate.dev/v1alpha1\nkind: IdentityPolicy\nmetadata: {{name: i{index}}}\n\
             spec: {{match: {scope}, identity: {{provider: azure, serviceAccountName: target}}}}\n"
        )
    }

    fn by_label(value: &str) -> String {
        format!("{{namespaceSelector: {{matchLabels: {{team: {value}}}}}}}")
    }

    fn labelled(value: &str) -> Labels {
        Labels::from([("team".to_owned(), value.to_owned())])
    }

    /// How many times labels are held against a selector meanwhile.
    fn counted<T>(work: impl FnOnce() -> T) -> (usize, T) {
        let before = MATCHES.get();
        let result = work();
        (MATCHES.get() - before, result)
    }

    #[test]
    fn a_change_of_one_namespace_resolves_that_one_alone() {
        let text: String = (0..50).map(|index| security(index, &by_label("x"))).collect();
        let mut snapshot = Snapshot::live();
        for index in 0..1000 {
            snapshot.insert(&format!("n{index}"), labelled("v"));
        }
        let set = policies(&text);
        let (matches, index) = counted(|| PolicyIndex::new(set, &snapshot));
        assert_eq!(matches, 50 * 1000);
        snapshot.insert("n7", labelled("x"));
        snapshot.insert("new", labelled("x"));
        snapshot.insert("n8", labelled("v"));
        snapshot.remove("n9");
        let (matches, changed) = counted(|| index.with_snapshot(&snapshot));
        assert_eq!(matches, 50 * 2);
        let known = |index: &PolicyIndex, name: &str| {
            let known = index.get(name).unwrap();
            (Arc::clone(&known.metadata), Arc::clone(&known.policies))
        };
        let (before, after) = (known(&index, "n8"), known(&changed, "n8"));
        assert!(Arc::ptr_eq(&before.0, &after.0) && before.1 == after.1);
        for (one, other, is_shared) in [("n8", "n10", true), ("n7", "new", true), ("n7", "n8", false)] {
            let [one, other] = [one, other].map(|name| known(&changed, name).1);
            assert_eq!(Arc::ptr_eq(&one, &other), is_shared);
        }
        assert!(changed.get("n9").is_none() && index.get("n9").is_some());
        let count = |index: &PolicyIndex| {
            index.get("n7").map(|known| known.policies().security(index.policies()).count())
        };
        assert_eq!((count(&index), count(&changed)), (Some(0), Some(50)));
    }

    #[test]
    fn what_is_found_in_the_index_is_not_matched_again() {
        for (policy_count, namespace_count) in [(1, 10), (1, 1000), (100, 10), (100, 1000)] {
            let mut text: String =
                (0..policy_count).map(|index| security(index, &by_label("other"))).collect();
            text.push_str(&security(policy_count, &by_label("x")));
            let mut snapshot = Snapshot::live();
            for index in 0..namespace_count {
                snapshot.insert(&format!("n{index}"), labelled("x"));
            }
            let index = PolicyIndex::new(policies(&text), &snapshot);
            let (matches, found) = counted(|| {
                let known = index.get("n3").unwrap().policies();
                let names: Vec<&str> = known.security(index.policies()).map(|policy| &*policy.name).collect();
                (names, known.is_unjudged(), known.needs_current_labels(), known.may_give_identity())
            });
            assert_eq!(matches, 0);
            assert_eq!(found, (vec![format!("s{policy_count}").as_str()], false, false, false));
        }
    }

    #[test]
    fn one_standard_holds_everywhere() {
        let standard = PolicySet::of_standard(&"baseline:latest".parse().unwrap());
        for (namespace, labels) in [("", None), ("kube-system", None), ("a", Some(labelled("x").into()))] {
            let found = standard.resolve(namespace, labels.as_ref());
            assert_eq!(found.security(&standard).count(), 1, "{namespace}");
            assert!(!found.is_unjudged() && !found.needs_current_labels(), "{namespace}");
        }
    }

    /// Whether a scope holds, said as plainly as can be: `None` when that cannot be told.
    fn holds(scope: &Scope, namespace: &str, labels: Option<&PackedLabels>) -> Option<bool> {
        if namespace.is_empty() {
            return None;
        }
        if ["kube-system", "podgate-system"].contains(&namespace) {
            return Some(false);
        }
        match scope {
            Scope::Names(names) => Some(names.contains(&namespace.to_owned())),
            Scope::Labels(selector) => labels.map(|labels| selector.matches(|key| labels.get(key))),
        }
    }

    fn scope() -> impl Strategy<Value = String> {
        let select =
            |condition: String| format!("{{namespaceSelector: {{matchExpressions: [{condition}]}}}}");
        // One that could match a reserved namespace is refused when it is read.
        let exists = |key: &str| format!("{{key: {key}, operator: Exists}}");
        prop_oneof![
            "[a-c]".prop_map(|name| format!("{{namespaces: [{name}, d]}}")),
            "[xvz]".prop_map(|value| by_label(&value)),
            "[xvz]"
                .prop_map(move |value| select(format!("{{key: team, operator: In, values: [{value}, z]}}"))),
            "[xvz]".prop_map(move |value| select(format!(
                "{}, {{key: team, operator: NotIn, values: [{value}]}}",
                exists("kind")
            ))),
            Just(select(format!("{}, {{key: team, operator: DoesNotExist}}", exists("kind")))),
            Just(select(exists("team"))),
        ]
    }

    /// A namespace, with labels or taken out.
    fn change() -> impl Strategy<Value = (String, Option<Labels>)> {
        let name = prop_oneof!["[a-e]", Just("kube-system".to_owned())];
        let kind = Labels::from([("kind".to_owned(), String::new())]);
        let labels = prop_oneof![
            Just(Labels::new()),
            Just(kind.clone()),
            "[xvz]".prop_map(|value| labelled(&value)),
            "[xvz]".prop_map(move |value| labelled(&value).into_iter().chain(kind.clone()).collect()),
        ];
        (name, proptest::option::weighted(0.8, labels))
    }

    proptest! {
        /// After any changes, in any bursts, the index says of every namespace what each policy says for itself.
        #[test]
        fn the_index_agrees_with_each_policy(
            security_scopes in proptest::collection::vec(scope(), 0..5),
            identity_scopes in proptest::collection::vec(scope(), 0..4),
            bursts in proptest::collection::vec(proptest::collection::vec(change(), 0..4), 1..6),
        ) {
            let mut text: String = security_scopes.iter().enumerate().map(|(at, scope)| security(at, scope)).collect();
            text.extend(identity_scopes.iter().enumerate().map(|(at, scope)| identity(at, scope)));
            let set = policies(&text);
            let mut snapshot = Snapshot::live();
            let mut index = PolicyIndex::new(set, &snapshot);
            for burst in bursts {
                for (name, labels) in burst {
                    match labels {
                        Some(labels) => snapshot.insert(&name, labels),
                        None => snapshot.remove(&name),
                    }
                }
                index = index.with_snapshot(&snapshot);
                for name in ["", "a", "b", "c", "d", "e", "kube-system"] {
                    prop_assert_eq!(index.get(name).map(IndexedNamespace::labels), snapshot.labels(name));
                    check(&index, name, snapshot.labels(name))?;
                    check(&index, name, None)?;
                    check(&index, name, Some(&complete(name, labelled("x")).into()))?;
                }
            }
        }
    }

    fn check(index: &PolicyIndex, name: &str, labels: Option<&PackedLabels>) -> Result<(), TestCaseError> {
        let set = index.policies();
        let indexed = index.get(name).filter(|known| Some(known.labels()) == labels);
        let found = indexed.map_or_else(|| set.resolve(name, labels), |known| known.policies().clone());
        let security: Vec<&str> = set
            .security
            .iter()
            .filter(|policy| holds(&policy.scope, name, labels) != Some(false))
            .map(|policy| &*policy.name)
            .collect();
        let identity: Vec<&str> = set
            .identity
            .iter()
            .filter(|policy| holds(&policy.scope, name, labels) == Some(true))
            .map(|policy| &*policy.name)
            .collect();
        let may_give = set.identity.iter().any(|policy| holds(&policy.scope, name, labels) != Some(false));
        let is_meant = !["", "kube-system", "podgate-system"].contains(&name);
        let is_unjudged = is_meant && security.is_empty() && !may_give;
        let names: Vec<&str> = found.security(set).map(|policy| &*policy.name).collect();
        prop_assert_eq!(&names, &security);
        let names: Vec<&str> = found.identity(set).map(|policy| &*policy.name).collect();
        prop_assert_eq!(&names, &identity);
        prop_assert_eq!(found.may_give_identity(), may_give);
        prop_assert_eq!(found.is_unjudged(), is_unjudged);
        prop_assert_eq!(found.needs_current_labels(), is_unjudged && set.needs_labels(name));
        let names: Vec<&str> = set.security_for(name, labels).map(|policy| &*policy.name).collect();
        prop_assert_eq!(&names, &security);
        Ok(())
    }
}
