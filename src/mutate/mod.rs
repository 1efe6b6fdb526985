//! Defaults and identity → a JSON Patch.
//!
//! The patch only adds what is absent, with exceptions that an IdentityPolicy asks for: the service account fields, the pull
//! secrets that the API server copied from the old account, and its token volume, which a control may have taken out, too. It
//! replaces no other array and no object, so a field that we do not know survives (a `null` has none, and is replaced). It is made from the pod exactly as received, so it applies to
//! that pod.

mod identity;
mod patch;
mod patch_text;
mod patch_tree;
mod place;
mod pointer;

use crate::evaluate::{Defaults, root_image_warning};
use crate::finding::{Edit, Subject};
use crate::pod::Pod;

pub use identity::{
    AccountFacts, AccountRefusal, BrokenPromise, Conflict, ForetoldAccounts, IdentityChange, IdentityError,
    IdentityOutcome, IdentityRequest, LegacyObjects, PromisedPod, account_refusal, account_warnings,
};
pub use patch_text::{PatchError, PatchText};

use patch::patch_of;

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
    identity: IdentityChange<'p>,
) -> Result<Mutation, PatchError> {
    if pod.is_mirror() {
        return Ok(Mutation::default());
    }
    let IdentityChange { edits, refused: mut warnings, warnings: others, .. } = identity;
    let patch = patch_of(pod, text, |add| {
        // What one container gets besides, such as a volume, may be what another one gets: that of the identity too.
        let mut of_pod: Vec<Edit<'_>> = Vec::new();
        defaults.edits(pod, &mut |edit| {
            if edit.subject == Subject::Pod {
                of_pod.push(edit.clone());
            }
            add(edit);
        });
        edits.into_iter().filter(|edit| !of_pod.contains(edit)).for_each(add);
    })?;
    warnings.extend(others);
    warnings.extend(root_image_warning(pod, defaults, false));
    Ok(Mutation { patch, warnings })
}
