//! The names of the members that an object of some kind has.

/// The names of the members that are read of an object.
#[derive(Debug)]
pub struct Names<'n> {
    names: &'n [&'n str],
    /// A bit for each, by its length and first letter: mostly this is enough to see that a name is none of them.
    filter: u64,
}

impl<'n> Names<'n> {
    /// No names, of which every name may be one.
    pub(super) const ANY: Self = Self { names: &[], filter: u64::MAX };

    /// No names, which no name is one of.
    pub(super) const NONE: Names<'static> = Names { names: &[], filter: 0 };

    /// These names.
    #[must_use]
    pub const fn new(names: &'n [&'n str]) -> Self {
        let mut filter = 0;
        let mut rest = names;
        while let [name, others @ ..] = rest {
            filter |= filter_bit(name.as_bytes());
            rest = others;
        }
        Self { names, filter }
    }

    /// Whether a name, or one that differs from it in case only, may be among them.
    #[inline(always)]
    pub(super) fn may_have(&self, name: &[u8]) -> bool {
        self.filter & filter_bit(name) != 0
    }

    /// The one that differs from `name` in case only.
    #[must_use]
    pub fn other_case_of(&self, name: &str) -> Option<&'n str> {
        self.names.iter().find(|known| known.eq_ignore_ascii_case(name)).copied()
    }
}

/// A bit of 64, the same for names that differ in case only: in ASCII, that is one bit of a letter.
#[inline]
const fn filter_bit(name: &[u8]) -> u64 {
    match name {
        [first, ..] => 1 << ((name.len() as u64 * 7 + (*first | 0x20) as u64) % 64),
        [] => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_name_in_every_case() {
        const NAMES: [&str; 5] = ["hostPID", "hostIPC", "name", "", "x-y"];
        const KNOWN: Names<'_> = Names::new(&NAMES);
        for name in NAMES {
            for other in [name.to_owned(), name.to_uppercase(), name.to_lowercase()] {
                assert_eq!(KNOWN.other_case_of(&other), Some(name), "{other}");
                assert!(KNOWN.may_have(other.as_bytes()), "{other}");
            }
        }
        for name in ["hostP1D", "hostPIDs", "n", "names", "X_Y"] {
            assert_eq!(KNOWN.other_case_of(name), None, "{name}");
        }
    }
}
