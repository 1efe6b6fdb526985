//! Types have names of their own: whoever reads `Fault` should not have to look which of six it is.

use std::collections::BTreeMap;

use super::source::SOURCE;

/// Fewer types of a hundred, without tests, may share their name with another struct, enum or trait.
const MOST_SHARED: usize = 15;

/// The files that define a type of each name.
fn types() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut types: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for file in SOURCE.values() {
        for name in &file.types {
            types.entry(name.as_str()).or_default().push(file.name.as_str());
        }
    }
    types
}

/// How the types are called.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) types: usize,
    pub(super) distinct: usize,
    /// The types whose name another type has, too.
    pub(super) shared: usize,
    /// The types whose name is one word.
    pub(super) of_one_word: usize,
}

impl Names {
    pub(super) fn count() -> Self {
        let types = types();
        let count = |is_counted: &dyn Fn(&str, usize) -> bool| {
            types
                .iter()
                .map(|(name, files)| if is_counted(name, files.len()) { files.len() } else { 0 })
                .sum()
        };
        Self {
            types: count(&|_, _| true),
            distinct: types.len(),
            shared: count(&|_, files| files > 1),
            of_one_word: count(&|name, _| name.chars().filter(char::is_ascii_uppercase).count() == 1),
        }
    }
}

#[test]
fn few_types_share_their_name() {
    let Names { types: all, shared, .. } = Names::count();
    let mut list = String::new();
    for (name, files) in types().iter().filter(|(_, files)| files.len() > 1) {
        list += &format!("{name}: {}\n", files.join(", "));
    }
    eprintln!("{shared} of {all} types share their name with another:\n{list}");
    assert!(
        shared * 100 < all * MOST_SHARED,
        "{shared} of {all} types share their name with another, and they must be fewer than {MOST_SHARED} %:\n{list}"
    );
}
