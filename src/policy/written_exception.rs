//! Exceptions as they are written in a SecurityPolicy: only their shape.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use crate::controls::CONTROLS;
use crate::controls::pattern::Pattern;
use crate::policy::selector::Selector;

/// A named, owned, ending permission to break controls of this policy in one narrow way.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenException {
    /// Its name: unique over all policies, printed in answers and logs, a label of metrics, and what RBAC grants the use of.
    #[schemars(length(min = 1))]
    pub(super) name: String,
    /// The controls that may be broken, which this policy has.
    #[schemars(length(min = 1), schema_with = "control_ids")]
    pub(super) controls: Vec<String>,
    /// The containers that it is about; without it all of the pod. A name, and mostly an image, is chosen by whoever writes the
    /// pod: it makes an exception narrow, and is no boundary.
    #[serde(default)]
    pub(super) containers: Option<WrittenContainers>,
    /// The values that may be there; without it any, and none. Text may have `*` for any characters; numbers may be ranges,
    /// `"1000-2000"`.
    #[serde(default)]
    #[schemars(schema_with = "values_schema")]
    pub(super) values: Option<Vec<Value>>,
    /// What must be true of the pod besides.
    #[serde(default)]
    pub(super) when: WrittenCondition,
    /// Whether it holds for ephemeral containers as well, as of `kubectl debug`.
    #[serde(default)]
    pub(super) ephemeral_containers: bool,
    /// Who else must agree: with `rbac` it only holds for service accounts that may `use` the object of its name among
    /// `securityexceptions.podgate.dev` in the pod's namespace.
    #[serde(default)]
    pub(super) granted_by: Option<GrantedBy>,
    /// Why it is given.
    #[schemars(length(min = 1))]
    pub(super) reason: String,
    /// Whom to ask about it.
    #[schemars(length(min = 1))]
    pub(super) owner: String,
    /// The last day on which it holds, in UTC: `2027-03-31`.
    #[schemars(extend("format" = "date"))]
    pub(super) expires: String,
}

/// The containers that an exception is about: by both, where both are given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenContainers {
    /// Patterns of names.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub(super) names: Vec<Pattern>,
    /// Patterns of images, as pods write them: `registry.example.com/nccl*`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub(super) images: Vec<Pattern>,
}

/// What must be true of a pod, all of it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct WrittenCondition {
    /// Patterns of resources of which the container (or, of what is not about one, any container) requests some: `rdma/*`.
    #[schemars(length(min = 1))]
    pub(super) requests: Vec<Pattern>,
    /// The names of the service accounts that it is for.
    #[schemars(length(min = 1))]
    pub(super) service_accounts: Vec<String>,
    /// Labels of the pod, which whoever writes it chooses.
    pub(super) pod_selector: Option<Selector>,
    /// The kinds of the controllers that make the pods: `Job`.
    #[schemars(length(min = 1))]
    pub(super) owner_kinds: Vec<String>,
}

/// Who else must agree to an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum GrantedBy {
    /// RBAC, by the verb `use`.
    Rbac,
}

fn control_ids(_: &mut SchemaGenerator) -> Schema {
    let ids: Vec<&str> = CONTROLS.iter().map(|control| control.id).collect();
    json_schema!({ "type": "array", "minItems": 1, "items": { "type": "string", "enum": ids } })
}

fn values_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["array", "null"],
        "minItems": 1,
        "items": { "type": ["string", "integer", "boolean"], "minLength": 1 },
    })
}
