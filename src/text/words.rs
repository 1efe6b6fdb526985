//! Counts and lists in words.

use std::fmt;

use crate::text::escape::Printable;

/// A noun, with an s unless there is exactly one: `container`, `containers`.
#[must_use]
pub fn plural(noun: &str, count: usize) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}

/// A number of things: `1 container`, `3 containers`.
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {}", plural(noun, count))
}

/// A name of others in a message of ours: `"train\u{a}er"`.
#[must_use]
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", Printable(name))
}

/// Words to choose from: `a, b or c`.
#[must_use]
pub fn either(words: &[&str]) -> String {
    match words {
        [words @ .., last] if !words.is_empty() => format!("{} or {last}", words.join(", ")),
        words => words.concat(),
    }
}

/// The word that is nearest to one that was found, in whatever case: the first of those that differ least. `None` if a third
/// of its letters would have to change, or more.
pub fn nearest<'w>(found: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let found = found.to_lowercase();
    let most = |word: &str| word.len().div_ceil(3);
    // A text that is much longer is not compared: that would take its length times the word's.
    let length = found.chars().count();
    let comparable = words.into_iter().filter(|word| length.abs_diff(word.len()) <= most(word));
    let compared = comparable.map(|word| (strsim::damerau_levenshtein(&found, &word.to_lowercase()), word));
    compared
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, word)| *distance <= most(word))
        .map(|(_, word)| word)
}

/// Items one after the other: `a,b,c`. Nothing is allocated.
pub fn joined<I>(items: I, separator: &str) -> Joined<'_, I>
where
    I: Iterator<Item: fmt::Display> + Clone,
{
    Joined { items, separator }
}

/// See [`joined`].
#[derive(Debug, Clone)]
pub struct Joined<'s, I> {
    items: I,
    separator: &'s str,
}

impl<I> fmt::Display for Joined<'_, I>
where
    I: Iterator<Item: fmt::Display> + Clone,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.items.clone().enumerate() {
            if index > 0 {
                f.write_str(self.separator)?;
            }
            write!(f, "{item}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_all_else_is_many() {
        for (count, expected) in [(0, "0 notes"), (1, "1 note"), (2, "2 notes")] {
            assert_eq!(counted(count, "note"), expected);
        }
        assert_eq!((plural("volume", 1).as_str(), plural("volume", 0).as_str()), ("volume", "volumes"));
    }

    #[test]
    fn the_nearest_word_is_one_that_was_meant() {
        let words = ["Pod", "Deployment", "DaemonSet"];
        for (found, expected) in [
            ("pod", Some("Pod")),
            ("Pods", Some("Pod")),
            ("Deploymnet", Some("Deployment")),
            ("daemonset", Some("DaemonSet")),
            ("Node", None),
            ("", None),
            ("Service", None),
        ] {
            assert_eq!(nearest(found, words), expected, "{found}");
        }
        assert_eq!(nearest(&"Pod".repeat(1 << 20), words), None);
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn lists_are_put_into_words() {
        for (words, joint, choice) in [
            (&[][..], "", ""),
            (&["a"], "a", "a"),
            (&["a", "b"], "a, b", "a or b"),
            (&["a", "b", "c"], "a, b, c", "a, b or c"),
        ] {
            assert_eq!(
                (joined(words.iter(), ", ").to_string().as_str(), either(words).as_str()),
                (joint, choice)
            );
        }
        assert_eq!(quoted("a\n"), "\"a\\u{a}\"");
    }
}
