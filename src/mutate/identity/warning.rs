//! The one form of the warnings about identities.

use crate::text::cut;

/// Longest warning: kubectl prints each on a line.
pub(super) const LONGEST_WARNING: usize = 120;
/// Longest name of a policy in a warning that has more to say.
const LONGEST_POLICY: usize = 32;

/// `podgate: ` and the text, as much of it as there is room for.
pub(super) fn warning(text: &str) -> String {
    cut(format!("podgate: {text}"), LONGEST_WARNING)
}

/// What a trial would refuse.
pub(super) fn would_be_denied(brief: &str) -> String {
    warning(&format!("would be denied: {brief}"))
}

/// The name of a policy, short enough that the rest of a warning is seen.
pub(super) fn policy_name(name: &str) -> String {
    cut(name, LONGEST_POLICY)
}
