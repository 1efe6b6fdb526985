//! The annotations of a Namespace that controls read, as they are written.

use crate::text::prefix;

/// The annotations of a Namespace that controls read, as they are written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct NamespaceAnnotations {
    /// [`UID_RANGE`](Self::UID_RANGE).
    pub uid_range: Option<Box<str>>,
    /// [`SUPPLEMENTAL_GROUPS`](Self::SUPPLEMENTAL_GROUPS).
    pub supplemental_groups: Option<Box<str>>,
}

impl NamespaceAnnotations {
    /// The annotation with the ids of users that the pods of a namespace may run as.
    pub const UID_RANGE: &'static str = "openshift.io/sa.scc.uid-range";
    /// The annotation with the ids of groups that they may have.
    pub const SUPPLEMENTAL_GROUPS: &'static str = "openshift.io/sa.scc.supplemental-groups";
    /// Those of a Namespace that has none of them.
    pub const NONE: &'static Self = &Self { uid_range: None, supplemental_groups: None };

    /// The longest value that can be legal, in bytes: some twelve blocks of ids. Of one that is longer no more is kept than
    /// shows that it is, since whoever may annotate a Namespace may write a quarter of a mebibyte.
    pub const LONGEST: usize = 256;

    /// Those among the annotations of a Namespace; `None` where it has none of them.
    pub fn among<'k>(annotations: impl IntoIterator<Item = (&'k str, &'k str)>) -> Option<Box<Self>> {
        let mut found: Option<Box<Self>> = None;
        for (key, value) in annotations {
            if ![Self::UID_RANGE, Self::SUPPLEMENTAL_GROUPS].contains(&key) {
                continue;
            }
            let found = found.get_or_insert_default();
            let place =
                if key == Self::UID_RANGE { &mut found.uid_range } else { &mut found.supplemental_groups };
            *place = Some(kept(value).into());
        }
        found
    }
}

/// As much of a value as shows what it is, or that it is too long.
fn kept(value: &str) -> &str {
    // One character more than is legal, whatever its length.
    prefix(value, NamespaceAnnotations::LONGEST + char::MAX.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_reads_is_not_kept() {
        let among = |pairs: &[(&str, &str)]| NamespaceAnnotations::among(pairs.iter().copied());
        assert_eq!(among(&[]), None);
        assert_eq!(among(&[("note", "x"), ("openshift.io/sa.scc.mcs", "s0:c1,c2")]), None);
        let both = among(&[
            ("a", "b"),
            ("openshift.io/sa.scc.uid-range", "1/2"),
            ("openshift.io/sa.scc.supplemental-groups", ""),
        ]);
        let both = both.expect("both");
        assert_eq!((both.uid_range.as_deref(), both.supplemental_groups.as_deref()), (Some("1/2"), Some("")));
    }

    #[test]
    fn a_long_value_is_cut_and_stays_too_long() {
        for value in ["1".repeat(1 << 18), "é".repeat(1000), "1".repeat(257)] {
            let found = NamespaceAnnotations::among([(NamespaceAnnotations::UID_RANGE, value.as_str())]);
            let kept = found.and_then(|found| found.uid_range).expect("a part of it").len();
            assert!((257..=260).contains(&kept), "{kept}");
        }
    }
}
