//! What a provider of identities is, and all of them.

use std::fmt::Debug;

use crate::finding::Edit;
use crate::identity::service_account::ServiceAccount;
use crate::pod::Pod;

/// A pod that is to be given an identity.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'p, 'b> {
    /// The pod, as it was received.
    pub pod: &'p Pod<'b>,
    /// Its namespace: that of the request.
    pub namespace: &'p str,
    /// The name of the service account that it will run as.
    pub account_name: &'p str,
    /// That service account.
    pub account: &'p ServiceAccount,
    /// Whether a policy gives it in place of another: what was injected for that one is of no use.
    pub is_new_account: bool,
    /// The level of the Pod Security Standards that its namespace enforces, as the label says, if that is known.
    pub enforced_level: Option<&'p str>,
}

/// Gives pods the identity of their service account in a cloud.
pub trait Provider: Debug + Send + Sync {
    /// The label that asks for it, with its value.
    fn label(&self) -> (&'static str, &'static str);

    /// The changes that give a pod its identity; none if it has it already.
    ///
    /// # Errors
    /// When the pod, or its service account, says something that cannot be, or that the API server would refuse after the
    /// changes.
    fn inject<'p>(&self, recipient: Recipient<'p, '_>) -> Result<Injection<'p>, InjectionError>;

    /// The client id of the identity that the pod is bound to, if it may use that only by a right of its own in the cluster.
    fn bound_client_id<'a>(&self, pod: &Pod<'_>, account: &'a ServiceAccount) -> Option<&'a str>;

    /// What the author of a pod should know that does not ask for an identity, but nearly: at most 120 characters.
    fn near_miss(&self, pod: &Pod<'_>) -> Option<String>;
}

/// The providers that are on, in the order in which they change a pod.
#[derive(Debug, Default)]
pub struct Providers(Vec<Box<dyn Provider>>);

impl Providers {
    /// Turns one on.
    pub fn add(&mut self, provider: impl Provider + 'static) {
        self.0.push(Box::new(provider));
    }

    /// Those that are on.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Provider> {
        self.0.iter().map(AsRef::as_ref)
    }
}

/// What a provider changes in a pod.
#[derive(Debug, Default)]
pub struct Injection<'p> {
    /// The changes.
    pub edits: Vec<Edit<'p>>,
    /// What the pod's author should know, each at most 120 characters.
    pub warnings: Vec<String>,
}

/// Why a pod is given no identity and is refused.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct InjectionError {
    /// The HTTP code of the refusal.
    pub code: u16,
    /// What is wrong and what to do.
    pub message: String,
}
