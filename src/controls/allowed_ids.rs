//! Which ids of users or groups are allowed to one pod, and what is advised where it has others.

use crate::controls::id_blocks::{IdBlocks, UnreadableBlocks};
use crate::controls::id_range::IdRange;
use crate::controls::id_ranges::{IdDefault, IdKind, IdRules};
use crate::controls::windows::NOT_ON_WINDOWS;
use crate::controls::{CheckedPod, PodOrigin};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject, Value};
use crate::pod::ContainerKind;

/// What is found of a namespace of which nothing is known.
pub(super) const NOT_KNOWN: &str = "not known";
/// What an annotation has to look like.
const LEGAL: Fix<'static> = Fix::one_of(&[
    "blocks like 1000650000/10000 or 1000650000-1000659999, with commas between, and ids of at most 2147483647",
]);

/// The ids that are allowed to one pod.
#[derive(Debug, Clone, Copy)]
pub(super) struct AllowedIds<'p> {
    rules: IdRules<'p>,
    of_namespace: Option<IdBlocks<'p>>,
    checked: CheckedPod<'p>,
}

impl<'p> AllowedIds<'p> {
    /// The ids that are allowed to a pod. If its namespace does not say which, that is a finding, and there are none.
    pub(super) fn of(rules: IdRules<'p>, checked: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) -> Option<Self> {
        let of_namespace = of_namespace(rules, checked.origin, sink).ok()?;
        Some(Self { rules, of_namespace, checked })
    }

    /// Whether an id has to be set.
    pub(super) fn are_required(&self) -> bool {
        self.rules.required
    }

    /// Whether an id is among them.
    pub(super) fn have(&self, id: i64) -> bool {
        self.ranges().any(|range| range.has(id))
    }

    /// A finding of a field that is not set: the value for it is filled in if the policy says so, and is advised otherwise.
    pub(super) fn absent(
        &self,
        subject: Subject<'p>,
        path: &'p str,
        value: impl Fn(i64) -> Value<'p>,
    ) -> Finding<'p> {
        let is_ephemeral = subject.container().is_some_and(|at| at.kind == ContainerKind::Ephemeral);
        let id = self.filled_in().filter(|_| !is_ephemeral && !self.checked.pod.is_windows());
        match id {
            Some(id) => Finding::new(subject, path, Found::Absent, Fix::fill_in(value(id), true)),
            None => self.with_advice(subject, path, Found::Absent),
        }
    }

    /// A finding of a field that a person has to set to one of them.
    pub(super) fn with_advice(
        &self,
        subject: Subject<'p>,
        path: impl Into<FieldPath<'p>>,
        found: Found<'p>,
    ) -> Finding<'p> {
        let (fix, help) = self.advice();
        Finding::new(subject, path, found, fix).help(help)
    }

    fn advice(&self) -> (Fix<'p>, &'static str) {
        if self.checked.pod.is_windows() {
            return (Fix::one_of(&["a policy without this control"]), NOT_ON_WINDOWS);
        }
        // Root is allowed where a range has it, and advised only where nothing else is allowed.
        let least = self.rules.kind.lowest_default();
        let advised = self.ranges().find_map(|range| range.at_least(least)).or_else(|| self.ranges().next());
        let Some(IdRange { min, max }) = advised else { return (Fix::remove(), "") };
        let is_one = min == max;
        let fix = if is_one { Fix::set(Value::Integer(min)) } else { Fix::Range { least: min, most: max } };
        let has_others = self.ranges().nth(1).is_some();
        (fix, if has_others { "or one from another range that is allowed" } else { "" })
    }

    /// The lowest of the first range.
    pub(super) fn first(&self) -> Option<i64> {
        self.ranges().next().map(|range| range.min)
    }

    /// The id that is filled in; `None` where none is.
    fn filled_in(&self) -> Option<i64> {
        let least = self.rules.kind.lowest_default();
        let mut ranges = self.ranges().filter_map(|range| range.at_least(least));
        match self.rules.default? {
            IdDefault::Lowest => ranges.next().map(|range| range.min),
            IdDefault::PerServiceAccount => {
                let CheckedPod { pod, origin } = self.checked;
                let sizes = self.ranges().filter_map(|range| range.at_least(least)).map(IdRange::size);
                let mut at = hash_of(origin.namespace, pod.service_account()).checked_rem(sizes.sum())?;
                for range in ranges {
                    match at.checked_sub(range.size()) {
                        Some(left) => at = left,
                        None => return range.min.checked_add_unsigned(at),
                    }
                }
                None
            }
        }
    }

    /// The ranges of the policy, and then those of the namespace.
    fn ranges(&self) -> impl Iterator<Item = IdRange> + use<'p> {
        let is_file_group = self.rules.kind == IdKind::FileGroup;
        let blocks = self.of_namespace.into_iter().flat_map(IdBlocks::iter);
        let of_namespace = blocks.take(if is_file_group { 1 } else { usize::MAX });
        let of_namespace = of_namespace
            .map(move |IdRange { min, max }| IdRange { min, max: if is_file_group { min } else { max } });
        self.rules.ranges.iter().copied().chain(of_namespace)
    }
}

/// The blocks of a namespace, if it is asked for them. What is wrong with it is a finding.
fn of_namespace<'p>(
    rules: IdRules<'p>,
    origin: PodOrigin<'p>,
    sink: &mut Sink<'_, 'p>,
) -> Result<Option<IdBlocks<'p>>, UnreadableBlocks> {
    if !rules.from_namespace {
        return Ok(None);
    }
    let subject = Subject::Namespace(origin.namespace);
    let Some(annotations) = origin.annotations else {
        let fix = Fix::one_of(&["a namespace that podgate can read"]);
        let finding = Finding::new(subject, FieldPath::default(), Found::Text(NOT_KNOWN), fix);
        sink(finding.help("its annotations say which ids are allowed"));
        return Err(UnreadableBlocks);
    };
    let (key, value) = rules.kind.annotation(annotations);
    value.ok_or(UnreadableBlocks).and_then(IdBlocks::read).map(Some).inspect_err(|_| {
        let found = value.map_or(Found::Absent, Found::Text);
        sink(Finding::new(subject, FieldPath::from("annotations").key(key), found, LEGAL));
    })
}

/// FNV-1a, of 64 bits, of `NAMESPACE/NAME`. It must never change: files of pods that are gone belong to the ids that it
/// gave them. It hides nothing, and two accounts may come to the same id.
fn hash_of(namespace: &str, account: &str) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let bytes = namespace.bytes().chain([b'/']).chain(account.bytes());
    bytes.fold(BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::NamespaceAnnotations;
    use crate::json::Reader;
    use crate::pod::Pod;

    const USERS: Option<&str> = Some("1000650000/10000");
    const GROUPS: Option<&str> = Some("5-9,20/2");

    /// What the rules allow to a pod of this account in the namespace `team-a`, which has these annotations.
    fn allowed(
        rules: IdRules<'_>,
        (account, uid_range, supplemental_groups): (&str, Option<&str>, Option<&str>),
        show: impl FnOnce(AllowedIds<'_>) -> String,
    ) -> String {
        let text = format!(r#"{{"spec":{{"serviceAccountName":"{account}","containers":[]}}}}"#);
        let pod = Pod::read(&mut Reader::over(&text)).expect("a pod");
        let annotations = NamespaceAnnotations {
            uid_range: uid_range.map(Into::into),
            supplemental_groups: supplemental_groups.map(Into::into),
        };
        let origin =
            PodOrigin { namespace: "team-a", annotations: Some(&annotations), ..PodOrigin::default() };
        let mut found = String::new();
        let sink = &mut |finding: Finding<'_>| {
            let Finding { subject, path, found: value, .. } = finding;
            found = format!("{subject:?} {path}: {value}");
        };
        match AllowedIds::of(rules, CheckedPod { pod: &pod, origin }, sink) {
            Some(allowed) => show(allowed),
            None => found,
        }
    }

    fn rules(kind: IdKind, default: IdDefault) -> IdRules<'static> {
        IdRules { kind, ranges: &[], from_namespace: true, required: true, default: Some(default) }
    }

    fn ranges(allowed: AllowedIds<'_>) -> String {
        let ranges = allowed.ranges().map(|IdRange { min, max }| format!("{min}-{max}"));
        ranges.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_kind_of_id_has_its_annotation() {
        const USER: &str = r#"Namespace("team-a") annotations[openshift.io/sa.scc.uid-range]: "#;
        const GROUP: &str = r#"Namespace("team-a") annotations[openshift.io/sa.scc.supplemental-groups]: "#;
        for (kind, users, groups, expected) in [
            (IdKind::User, USERS, GROUPS, "1000650000-1000659999".to_owned()),
            (IdKind::User, None, GROUPS, format!("{USER}not set")),
            (IdKind::User, Some(""), GROUPS, format!("{USER}\"\"")),
            (IdKind::User, Some("1000/0"), GROUPS, format!("{USER}1000/0")),
            (IdKind::Group, USERS, GROUPS, "5-9 20-21".to_owned()),
            (IdKind::Group, USERS, None, "1000650000-1000659999".to_owned()),
            (IdKind::Group, USERS, Some(""), format!("{GROUP}\"\"")),
            (IdKind::Group, Some("x"), None, format!("{USER}x")),
            (IdKind::Group, None, None, format!("{GROUP}not set")),
            (IdKind::FileGroup, USERS, GROUPS, "5-5".to_owned()),
            (IdKind::FileGroup, USERS, None, "1000650000-1000650000".to_owned()),
            (IdKind::FileGroup, None, Some("5/1,6"), format!("{GROUP}5/1,6")),
        ] {
            let found = allowed(rules(kind, IdDefault::Lowest), ("default", users, groups), ranges);
            assert_eq!(found, expected, "{kind:?} {users:?} {groups:?}");
        }
    }

    #[test]
    fn the_policys_ranges_come_before_those_of_the_namespace() {
        let own = [IdRange { min: 0, max: 0 }, IdRange { min: 3, max: 4 }];
        let both = IdRules { ranges: &own, ..rules(IdKind::User, IdDefault::Lowest) };
        assert_eq!(allowed(both, ("default", USERS, None), ranges), "0-0 3-4 1000650000-1000659999");
        let alone = IdRules { from_namespace: false, ..both };
        assert_eq!(allowed(alone, ("default", Some("x"), None), ranges), "0-0 3-4");
        let filled_in = |allowed: AllowedIds<'_>| format!("{:?}", allowed.filled_in());
        assert_eq!(allowed(both, ("default", USERS, None), filled_in), "Some(3)", "root is never filled in");
        let groups = IdRules { kind: IdKind::Group, ..both };
        assert_eq!(allowed(groups, ("default", USERS, None), filled_in), "Some(0)");
    }

    #[test]
    fn an_account_keeps_its_id() {
        let filled_in = |allowed: AllowedIds<'_>| {
            let id = allowed.filled_in().expect("an id");
            assert!(allowed.have(id), "{id}");
            id.to_string()
        };
        let of = |kind, account: &str, users: Option<&str>| {
            allowed(rules(kind, IdDefault::PerServiceAccount), (account, users, None), filled_in)
        };
        assert_eq!(of(IdKind::User, "", USERS), "1000657260");
        assert_eq!(of(IdKind::User, "default", USERS), "1000657260");
        assert_eq!(of(IdKind::User, "trainer", USERS), "1000659784");
        for size in 1..20 {
            let blocks = format!("0-0,100/{size},7/3");
            for account in ["a", "b", "c", "d", "e", "f", "g", "h"] {
                assert_ne!(of(IdKind::User, account, Some(&blocks)), "0");
                of(IdKind::Group, account, Some(&blocks));
            }
        }
        let root =
            allowed(rules(IdKind::User, IdDefault::PerServiceAccount), ("a", Some("0/1"), None), |allowed| {
                format!("{:?}", allowed.filled_in())
            });
        assert_eq!(root, "None");
    }

    /// Reckoned apart from this code.
    #[test]
    fn the_hash_never_changes() {
        for (namespace, account, hash) in [
            ("", "", 0xaf63_a24c_8601_89fe_u64),
            ("team-a", "default", 0x2199_f484_a7c0_b60c),
            ("team-a", "trainer", 0x69f6_46b1_db98_e128),
        ] {
            assert_eq!(hash_of(namespace, account), hash, "{namespace}/{account}");
        }
    }
}
