//! Defaults and identity → a JSON Patch.
//!
//! The patch only adds what is absent, with two exceptions that an IdentityPolicy asks for: the
//! service account fields. It never replaces an array or an object, so a field that we do not know
//! survives (a `null` has none, and is replaced). It is made from the pod exactly as received, so it applies to
//! that pod.

mod identity;
mod patch;

use crate::evaluate::{DefaultField, Defaults};
use crate::pod::{Container, Metadata, Pod};
use crate::text::counted;

pub use identity::{Conflict, Identity, choose};
pub use patch::{PatchError, PatchText};

use patch::PatchBuilder;

/// What is changed in a pod.
#[derive(Debug, Default)]
pub struct Mutation {
    /// The changes, in order; empty for none.
    pub patch: PatchText,
    /// What the pod's author should know about them, each at most 120 characters.
    pub warnings: Vec<String>,
}

/// The changes for a new pod, which is also given as its JSON text: what is filled in, and an identity.
///
/// A mirror pod gets none: it represents a static pod, which only its node can change.
///
/// # Errors
/// When the patch would be too long. A partial one is never sent.
pub fn mutate<'p>(
    pod: &'p Pod<'_>,
    text: &str,
    defaults: &Defaults<'p>,
    identity: Option<&Identity<'p>>,
) -> Result<Mutation, PatchError> {
    if pod.metadata.annotation(Metadata::MIRROR).is_some() {
        return Ok(Mutation::default());
    }
    let mut builder = PatchBuilder::default();
    let mut warnings = Vec::new();
    defaults.edits(pod).for_each(|edit| builder.add(edit));
    if let Some(identity) = identity {
        identity.edits(pod).into_iter().for_each(|edit| builder.add(edit));
        warnings.extend(identity.warning(pod));
    }
    let without_user =
        pod.containers().filter(|(at, container)| is_non_root_without_user(pod, container, defaults.of(*at)));
    warnings.extend(root_warning(without_user.count()));
    Ok(Mutation { patch: builder.build(text)?, warnings })
}

/// Whether `runAsNonRoot` is filled in for a container that has no user, neither its own nor the pod's.
fn is_non_root_without_user<'d, 'p: 'd>(
    pod: &Pod<'_>,
    container: &Container<'_>,
    mut defaults: impl Iterator<Item = &'d DefaultField<'p>>,
) -> bool {
    defaults.any(|default| default.control.id == "runAsNonRoot") && pod.user_of(container).is_none()
}

/// Filling in `runAsNonRoot` keeps an image that runs as root from starting, so the pod's author is
/// warned.
fn root_warning(containers: usize) -> Option<String> {
    (containers > 0).then(|| {
        format!(
            "runAsNonRoot: true filled in for {}; an image that runs as root needs a runAsUser",
            counted(containers, "container")
        )
    })
}
