//! What a verdict may depend on that the snapshot does not hold, and the answers to it.
//!
//! Judging does no I/O. It names a [`Lookup`], the caller resolves it, and the review is judged again with the answer.
//! Without a cluster the same lookup is the text of what stays unresolved.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;

use crate::identity::ServiceAccount;
use crate::identity::aad_pod_identity::PodIdentities;
use crate::policy::namespaces::NamespaceMetadata;
use crate::policy::pod_security::LevelVersion;
use crate::text::{Printable, PrintableKey};

/// Most lookups for one review: a Namespace, a service account, whether it is bound, whether it may use an identity, which
/// exceptions it may use, and the pods of a namespace or the bindings of AAD Pod Identity, each once.
pub const MOST_LOOKUPS: usize = 7;

/// Something that a verdict depends on and that the snapshot does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// A Namespace: [`LookupAnswer::Namespace`].
    Namespace(String),
    /// A service account: [`LookupAnswer::ServiceAccount`].
    ServiceAccount {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Whether any binding names a service account: [`LookupAnswer::Bound`].
    Bound {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Whether a service account may use an identity that AKS has bound to the cluster: [`LookupAnswer::IdentityRight`].
    IdentityRight {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The client id of the identity.
        client_id: String,
    },
    /// Which exceptions RBAC lets a service account use: [`LookupAnswer::Grants`].
    Grants {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The names of the exceptions: those that matter, so that there are few.
        exceptions: Vec<Arc<str>>,
    },
    /// The identities of AAD Pod Identity and their bindings, of all namespaces: [`LookupAnswer::PodIdentities`].
    PodIdentities,
    /// Which pods of a namespace a new level would refuse: [`LookupAnswer::PodsIn`].
    PodsIn(PodsQuery),
}

/// A question about the pods of a namespace. It holds all that they are judged by, so that they can be judged page by
/// page where they are read, and need not be kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PodsQuery {
    /// The namespace.
    pub namespace: String,
    /// The level and version that its pods are held against.
    pub level: LevelVersion,
    /// Runtime classes whose pods are not judged.
    pub exempt_runtime_classes: BTreeSet<String>,
}

/// What a lookup found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupAnswer {
    /// What is kept of the Namespace; `None` if there is no such Namespace.
    Namespace(Option<NamespaceMetadata>),
    /// The service account; `None` if there is none of that name.
    ServiceAccount(Option<ServiceAccount>),
    /// Whether any binding names it; `None` where that cannot be told, as when podgate may not list bindings.
    Bound(Option<bool>),
    /// Whether it may use the identity; `None` where that cannot be told, as when podgate may not ask.
    IdentityRight(Option<bool>),
    /// Those of the exceptions that it may use.
    Grants(Vec<Arc<str>>),
    /// The identities and bindings: none where AAD Pod Identity is not installed.
    PodIdentities(Arc<PodIdentities>),
    /// The warnings for the user who changes the level.
    PodsIn(Vec<String>),
}

/// What is known of a service account.
#[derive(Debug, Clone, Copy)]
pub enum AccountState<'k> {
    /// All that a provider looks at.
    Known(&'k ServiceAccount),
    /// There is none.
    Absent,
    /// Nothing: no service accounts are known at all, as when files name none.
    Untold,
}

/// Why a lookup failed. The sender of the review sees these words, so they say no more: what the API server said, and
/// where it is, is for the log of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// Nobody can be asked.
    #[error("there is no cluster to ask")]
    NoCluster,
    /// It took too long.
    #[error("the API server did not answer in time")]
    TimedOut,
    /// It failed.
    #[error("the API server could not tell")]
    Failed,
    /// Nobody says which Roles and RoleBindings there are.
    #[error("its Roles and RoleBindings are not known")]
    NoBindings,
    /// podgate lacks the right to ask.
    #[error(
        "podgate may not ask: whoever administers the cluster can grant it to create subjectaccessreviews"
    )]
    MayNotAsk,
    /// Not asked: too many requests were made already.
    #[error("too many look-ups at once")]
    Limited,
}

/// What is told beside a review: which day it is, and the answers that were collected for it. Those are at most
/// [`MOST_LOOKUPS`], so they are searched and not hashed.
#[derive(Debug, Default, Clone)]
pub struct Answers {
    today: Option<Date>,
    found: Vec<(Lookup, Result<LookupAnswer, LookupError>)>,
}

impl Answers {
    /// No answers, on this day in UTC. By default nobody knows which day it is, and then no exception holds.
    #[must_use]
    pub fn on(today: Date) -> Self {
        Self { today: Some(today), found: Vec::new() }
    }

    /// The day on which the review is judged.
    #[must_use]
    pub fn today(&self) -> Option<Date> {
        self.today
    }

    /// Whether nothing was looked up, as for nearly every review.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether nothing more is looked up for this review.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.found.len() >= MOST_LOOKUPS
    }

    /// The result of a lookup; `None` if it was not made.
    #[must_use]
    pub fn get(&self, lookup: &Lookup) -> Option<Result<&LookupAnswer, LookupError>> {
        let (_, found) = self.found.iter().find(|(asked, _)| asked == lookup)?;
        Some(found.as_ref().map_err(|error| *error))
    }

    /// Keeps the result of a lookup.
    pub fn insert(&mut self, lookup: Lookup, found: Result<LookupAnswer, LookupError>) {
        self.found.retain(|(asked, _)| *asked != lookup);
        self.found.push((lookup, found));
    }
}

impl<const N: usize> From<[(Lookup, Result<LookupAnswer, LookupError>); N]> for Answers {
    fn from(found: [(Lookup, Result<LookupAnswer, LookupError>); N]) -> Self {
        Self { today: None, found: found.into() }
    }
}

/// What is missing, as it stands behind `unresolved: needs`.
impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace(name) => write!(f, "Namespace {}", Printable(name)),
            Self::ServiceAccount { namespace, name } => {
                write!(f, "ServiceAccount {}/{}", Printable(namespace), PrintableKey(name))
            }
            Self::Bound { namespace, name } => {
                write!(f, "the bindings of ServiceAccount {}/{}", Printable(namespace), PrintableKey(name))
            }
            Self::IdentityRight { namespace, name, .. } => {
                write!(f, "the rights of ServiceAccount {}/{}", Printable(namespace), PrintableKey(name))
            }
            Self::Grants { namespace, name, .. } => {
                write!(
                    f,
                    "the Roles and RoleBindings of ServiceAccount {}/{}",
                    Printable(namespace),
                    PrintableKey(name)
                )
            }
            Self::PodIdentities => f.write_str("the AzureIdentities and their bindings"),
            Self::PodsIn(query) => write!(f, "the pods in namespace {}", Printable(&query.namespace)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> Lookup {
        Lookup::ServiceAccount { namespace: "team".to_owned(), name: name.to_owned() }
    }

    #[test]
    fn a_lookup_says_what_is_missing() {
        let pods = PodsQuery {
            namespace: "team".to_owned(),
            level: LevelVersion::PRIVILEGED,
            exempt_runtime_classes: BTreeSet::new(),
        };
        for (lookup, text) in [
            (Lookup::Namespace("team".to_owned()), "Namespace team"),
            (account("trainer"), "ServiceAccount team/trainer"),
            (Lookup::PodsIn(pods), "the pods in namespace team"),
            (Lookup::Namespace("a\nb".to_owned()), "Namespace a\\u{a}b"),
        ] {
            assert_eq!(format!("unresolved: needs {lookup}"), format!("unresolved: needs {text}"));
        }
    }

    #[test]
    fn answers_are_kept_by_what_was_asked() {
        let mut answers = Answers::default();
        assert!(answers.is_empty() && answers.get(&account("a")).is_none());
        answers.insert(account("a"), Ok(LookupAnswer::ServiceAccount(Some(ServiceAccount::default()))));
        answers.insert(account("b"), Err(LookupError::Failed));
        assert_eq!(
            answers.get(&account("a")),
            Some(Ok(&LookupAnswer::ServiceAccount(Some(ServiceAccount::default()))))
        );
        assert_eq!(answers.get(&account("b")), Some(Err(LookupError::Failed)));
        assert!(answers.get(&Lookup::Namespace("a".to_owned())).is_none() && !answers.is_full());
        answers.insert(account("a"), Ok(LookupAnswer::ServiceAccount(None)));
        assert_eq!(answers.get(&account("a")), Some(Ok(&LookupAnswer::ServiceAccount(None))));
        for name in ["c", "d", "e", "f", "g"] {
            assert!(!answers.is_full());
            answers.insert(account(name), Err(LookupError::NoCluster));
        }
        assert!(answers.is_full());
    }
}
