//! What is wrong with an annotation, in words: where it stands, what it says, and what it may say.

use crate::identity::provider::InjectionError;
use crate::text::printable;

/// Longest value of an annotation in a message.
const LONGEST_VALUE: usize = 64;

/// A refusal of something that the pod, or its service account, says.
pub(super) fn refused(message: String) -> InjectionError {
    InjectionError { code: 400, message }
}

/// A refusal of the value of an annotation.
pub(super) fn bad_annotation(key: &str, holder: &str, value: &str, legal: &str) -> InjectionError {
    refused(format!(
        "the annotation {key} of the {holder} is \"{}\", but must be {legal}",
        printable(value, LONGEST_VALUE)
    ))
}
