//! How long the parts of an answer may be. What is cut is measured as it is sent: JSON writes some bytes as six.

use crate::text::json_length;

/// Longest answer, in bytes. The API server reads it whole, and keeps what is in it in its logs.
pub(super) const LONGEST_ANSWER: usize = 256 * 1024;
/// Longest audit annotation of a gate, in bytes: what people look for stands at its beginning, and the refusal says it all.
pub(super) const LONGEST_NOTE: usize = 1024;
/// Longest text in the words of Kubernetes' own admission, in bytes. An answer has two of them at most.
pub(super) const LONGEST_TEXT: usize = 110 * 1024;
/// Longest name in an answer, in bytes: the longest that Kubernetes takes.
pub(super) const LONGEST_NAME: usize = 253;
/// Longest path in an answer, in bytes: the key of an annotation has 317 at the most.
pub(super) const LONGEST_FIELD: usize = 512;
/// Longest message of a cause, in bytes.
pub(super) const LONGEST_CAUSE: usize = 1024;
/// Longest warnings about the pods of a namespace, in bytes. The API server passes on 4,096 characters.
pub(super) const LONGEST_WARNINGS: usize = 64 * 1024;

/// As many warnings as are sent in so many bytes, and how many more there are.
pub(super) fn cut_list(mut warnings: Vec<String>, longest: usize) -> Vec<String> {
    let mut length = 0;
    let fits = |warning: &&String| {
        length += json_length(warning);
        length <= longest
    };
    let count = warnings.iter().take_while(fits).count();
    let more = warnings.len() - count;
    if more > 0 {
        warnings.truncate(count);
        warnings.push(format!("and {more} more warnings"));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_cut_with_a_count() {
        let list = |count: usize| vec!["ab".to_owned(); count];
        assert_eq!(cut_list(list(3), 6), list(3));
        assert_eq!(cut_list(list(5), 7), ["ab", "ab", "ab", "and 2 more warnings"]);
    }
}
