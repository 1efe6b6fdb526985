//! A range of ids of users or groups.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The largest id of a user or group that the API server takes.
pub(super) const LARGEST_ID: i64 = i32::MAX as i64;

/// Ids from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct IdRange {
    /// The lowest.
    pub(super) min: i64,
    /// The highest.
    pub(super) max: i64,
}

impl IdRange {
    pub(super) fn has(self, id: i64) -> bool {
        (self.min..=self.max).contains(&id)
    }

    /// How many ids it has.
    pub(super) fn size(self) -> u64 {
        self.max.checked_sub(self.min).and_then(|more| u64::try_from(more).ok()).map_or(0, |more| more + 1)
    }

    /// The part of it that is not below this id; `None` where nothing is left.
    pub(super) fn at_least(self, least: i64) -> Option<Self> {
        let min = self.min.max(least);
        (min <= self.max).then_some(Self { min, ..self })
    }

    /// Whether any id is in both.
    pub(super) fn overlaps(self, other: Self) -> bool {
        self.min <= other.max && other.min <= self.max
    }
}
