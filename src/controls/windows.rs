//! What is advised for a pod that says `os.name: windows`: the API server takes no field there that only Linux has.

use crate::finding::Fix;

/// In place of a field that such a pod cannot set, where an old version of the standard asks for it.
pub(super) const NEWER_STANDARD: Fix<'static> = Fix::one_of(&["a policy of restricted:v1.25 or later"]);
/// Why such a field cannot be set.
pub(super) const NOT_ON_WINDOWS: &str = "the API server takes no such field of a Windows pod";
/// Beside the removal of a profile.
pub(super) const NO_PROFILE: &str = "the whole profile: Windows has none";
/// In place of a field that such a pod cannot set, where a control beyond the standard asks for it.
pub(super) const OTHER_POLICY: Fix<'static> = Fix::one_of(&["a policy without this control"]);
