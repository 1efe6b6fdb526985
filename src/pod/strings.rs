//! A list of strings that mostly has one item.

use std::borrow::Cow;
use std::mem;
use std::ops::Deref;

/// A list of strings that mostly has one item, such as `drop: [ALL]`: that one costs no allocation. (A `SmallVec` would
/// tie a pod to one lifetime, so that it could not be looked at together with what lives shorter than its text.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strings<'a>(Items<'a>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Items<'a> {
    One([Cow<'a, str>; 1]),
    Any(Vec<Cow<'a, str>>),
}

impl<'a> Strings<'a> {
    pub(super) fn push(&mut self, string: Cow<'a, str>) {
        self.0 = match mem::replace(&mut self.0, Items::Any(Vec::new())) {
            Items::Any(items) if items.is_empty() => Items::One([string]),
            Items::One([first]) => Items::Any(vec![first, string]),
            Items::Any(mut items) => {
                items.push(string);
                Items::Any(items)
            }
        };
    }
}

impl Default for Strings<'_> {
    fn default() -> Self {
        Self(Items::Any(Vec::new()))
    }
}

impl<'a> Deref for Strings<'a> {
    type Target = [Cow<'a, str>];

    fn deref(&self) -> &Self::Target {
        match &self.0 {
            Items::One(one) => one,
            Items::Any(items) => items,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_kept_in_order() {
        let mut strings = Strings::default();
        assert!(strings.is_empty());
        for (index, text) in ["a", "b", "c"].into_iter().enumerate() {
            strings.push(text.into());
            assert_eq!(strings.len(), index + 1);
        }
        assert_eq!(*strings, ["a", "b", "c"]);
    }
}
