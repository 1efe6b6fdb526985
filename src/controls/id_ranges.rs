//! What a policy says of the ids of users or groups: ranges of its own, and those that annotations of a namespace have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::controls::id_range::{IdRange, LARGEST_ID};
use crate::controls::{NamespaceAnnotations, ParameterError};
use crate::finding::FieldPath;

/// Which id is filled in where a pod names none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum IdDefault {
    /// The lowest of the first range.
    Lowest,
    /// One that depends on the names of namespace and service account alone.
    PerServiceAccount,
}

/// The parameters that the controls of ids have in common.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct IdRanges {
    /// The ids that are allowed, in ranges as `{min: 1000, max: 1999}`; both ends are included.
    #[serde(default)]
    ranges: Vec<IdRange>,
    /// Whether the ids are allowed, too, that the annotation of the pod's namespace has. By default `false`.
    #[serde(default)]
    from_namespace: bool,
    /// Whether an id has to be set. By default `true`; with `false` only one that is set is judged.
    #[serde(default = "yes")]
    required: bool,
    /// What is filled in where none is set: `Lowest` of the first range, or `PerServiceAccount`, an id that stays the same for
    /// a service account. By default nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<IdDefault>,
}

pub(super) fn yes() -> bool {
    true
}

/// Whose ids they are, which decides where a namespace has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdKind {
    /// Users'.
    User,
    /// Groups'.
    Group,
    /// Those of the group of files: of a namespace's, the first alone, as OpenShift has it.
    FileGroup,
}

/// Parameters as a check looks at them.
#[derive(Debug, Clone, Copy)]
pub(super) struct IdRules<'c> {
    pub(super) kind: IdKind,
    pub(super) ranges: &'c [IdRange],
    pub(super) from_namespace: bool,
    pub(super) required: bool,
    pub(super) default: Option<IdDefault>,
}

impl IdKind {
    /// The annotations that may say which ids a namespace has.
    fn annotations(self) -> &'static [&'static str] {
        match self {
            Self::User => &[NamespaceAnnotations::UID_RANGE],
            Self::Group | Self::FileGroup => {
                &[NamespaceAnnotations::SUPPLEMENTAL_GROUPS, NamespaceAnnotations::UID_RANGE]
            }
        }
    }

    /// The annotation that counts, and what it says: where there is none of groups, that of users, as OpenShift has it.
    pub(super) fn annotation(self, of: &NamespaceAnnotations) -> (&'static str, Option<&str>) {
        let users = (NamespaceAnnotations::UID_RANGE, of.uid_range.as_deref());
        let groups = (NamespaceAnnotations::SUPPLEMENTAL_GROUPS, of.supplemental_groups.as_deref());
        match self {
            Self::User => users,
            Self::Group | Self::FileGroup if groups.1.is_none() && users.1.is_some() => users,
            Self::Group | Self::FileGroup => groups,
        }
    }

    /// The lowest id that is filled in: never root's, which is for a person to ask for.
    pub(super) fn lowest_default(self) -> i64 {
        match self {
            Self::User => 1,
            Self::Group | Self::FileGroup => 0,
        }
    }
}

impl IdRanges {
    pub(super) fn rules(&self, kind: IdKind) -> IdRules<'_> {
        let Self { ref ranges, from_namespace, required, default } = *self;
        IdRules { kind, ranges, from_namespace, required, default }
    }
}

impl IdRules<'_> {
    /// The annotations that they go by.
    pub(super) fn annotations(self) -> &'static [&'static str] {
        if self.from_namespace { self.kind.annotations() } else { &[] }
    }

    /// What is wrong with them.
    pub(super) fn faults(self) -> Vec<ParameterError> {
        let mut faults: Vec<ParameterError> =
            (0..self.ranges.len()).filter_map(|index| self.fault_of_range(index)).collect();
        if self.ranges.is_empty() && !self.from_namespace && self.required {
            let fault = "no pod could pass: give at least one range, or fromNamespace: true";
            faults.push(ParameterError::at(FieldPath::from("ranges"), fault));
        } else {
            faults.extend(self.fault_of_default());
        }
        faults
    }

    fn fault_of_range(self, index: usize) -> Option<ParameterError> {
        let (before, range) = (self.ranges.get(..index)?, *self.ranges.get(index)?);
        let IdRange { min, max } = range;
        let is_legal =
            |range: &IdRange| [range.min, range.max].iter().all(|id| (0..=LARGEST_ID).contains(id));
        let fault = if !is_legal(&range) {
            format!("ids are numbers from 0 to {LARGEST_ID}")
        } else if min > max {
            format!("holds no id: write {{min: {max}, max: {min}}}")
        } else {
            let other = before.iter().find(|other| is_legal(other) && other.overlaps(range))?;
            format!("overlaps with the range from {} to {}: make them one", other.min, other.max)
        };
        Some(ParameterError::at(FieldPath::from("ranges").index(index), fault))
    }

    fn fault_of_default(self) -> Option<ParameterError> {
        self.default?;
        let is_filled_in = |range: &IdRange| range.at_least(self.kind.lowest_default()).is_some();
        let fault = if !self.required {
            "only what is required is filled in: remove this, or required: false"
        } else if !self.from_namespace && !self.ranges.iter().any(is_filled_in) {
            "root is never filled in: add a range with other ids, or remove this"
        } else {
            return None;
        };
        Some(ParameterError::at(FieldPath::from("default"), fault))
    }
}
