//! The kinds of object that a policy file holds.

use serde_json::Value;

use crate::policy::azure_ml_object::AzureMlSpec;
use crate::policy::configuration;
use crate::policy::schema;
use crate::policy::written::{Object, SecuritySpec};
use crate::policy::written_identity::IdentitySpec;

/// The version of their API.
pub(crate) const API_VERSION: &str = "podgate.dev/v1alpha1";

/// The group of their API.
pub(super) const GROUP: &str = "podgate.dev";
/// The kind of their API that is no policy: a platform's own kinds with pods, which `--kinds` names.
pub const KIND_TABLE: &str = "KindTable";
/// The kind of their API that says what is expected of policies, which `podgate policy test` compares with what they do.
pub const POLICY_TEST: &str = "PolicyTest";
/// How many letters of the group may be wrong.
const MISSPELT_LETTERS: usize = 2;

/// Whether an object is meant as a policy: its group is podgate's, or nearly; or it has one of our kinds and no group. A
/// table of kinds is none, and neither is a test of policies.
#[must_use]
pub fn is_of_policy(api_version: &str, kind: &str) -> bool {
    let is_named = |name: &str| kind.eq_ignore_ascii_case(name);
    let Some((group, _)) = api_version.split_once('/') else {
        return PolicyKind::ALL.map(PolicyKind::name).into_iter().any(is_named)
            || is_named(configuration::KIND);
    };
    if is_table(api_version, kind) || is_policy_test(api_version, kind) {
        return false;
    }
    let is_near = group.len().abs_diff(GROUP.len()) <= MISSPELT_LETTERS
        && strsim::damerau_levenshtein(&group.to_lowercase(), GROUP) <= MISSPELT_LETTERS;
    is_near || group == configuration::GROUP
}

/// Whether an object is meant as a table of kinds.
#[must_use]
pub fn is_table(api_version: &str, kind: &str) -> bool {
    kind == KIND_TABLE && is_of_group(api_version)
}

/// Whether an object is meant as a test of policies.
#[must_use]
pub fn is_policy_test(api_version: &str, kind: &str) -> bool {
    kind == POLICY_TEST && is_of_group(api_version)
}

fn is_of_group(api_version: &str) -> bool {
    api_version.split_once('/').is_some_and(|(group, _)| group == GROUP)
}

/// The kinds of object that a policy file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// What pods may do: [`SecurityPolicy`](crate::policy::SecurityPolicy).
    SecurityPolicy,
    /// Which identity they get: [`IdentityPolicy`](crate::policy::IdentityPolicy).
    IdentityPolicy,
    /// Whose pods identities leave alone: [`AzureMachineLearning`](crate::policy::AzureMachineLearning).
    AzureMachineLearning,
}

impl PolicyKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::SecurityPolicy, Self::IdentityPolicy, Self::AzureMachineLearning];

    /// Its name, as in `kind`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SecurityPolicy => "SecurityPolicy",
            Self::IdentityPolicy => "IdentityPolicy",
            Self::AzureMachineLearning => "AzureMachineLearning",
        }
    }

    /// The JSON Schema of its files, for editors.
    #[must_use]
    pub fn json_schema(self) -> Value {
        match self {
            Self::SecurityPolicy => schema::of::<Object<SecuritySpec>>(),
            Self::IdentityPolicy => schema::of::<Object<IdentitySpec>>(),
            Self::AzureMachineLearning => schema::of::<Object<AzureMlSpec>>(),
        }
    }
}
