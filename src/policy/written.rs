//! The shapes of policy files as they are written: what `serde` reads and the JSON Schemas are made from.
//!
//! Only shapes: what a value means, and whether it makes sense, is decided by `security` and `identity`.

use std::collections::BTreeMap;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::controls::{CONTROLS, Origin};
use crate::policy::actions::{Mode, Relaxation};
use crate::policy::schema;
use crate::policy::selector::Selector;
use crate::policy::written_exception::WrittenException;
use crate::policy::written_exemption::WrittenExemption;

/// A policy, as written in a file.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Object<Spec> {
    /// `podgate.dev/v1alpha1`.
    #[serde(rename = "apiVersion")]
    _api_version: String,
    /// The kind of policy.
    #[serde(rename = "kind")]
    _kind: String,
    pub(super) metadata: ObjectMeta,
    pub(super) spec: Spec,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ObjectMeta {
    /// The policy's name: printed in refusals, a label of metrics.
    #[schemars(length(min = 1))]
    pub(super) name: String,
    #[serde(default, rename = "labels")]
    _labels: BTreeMap<String, String>,
    #[serde(default, rename = "annotations")]
    _annotations: BTreeMap<String, String>,
}

/// What pods may do, in which namespaces, and how strictly this is enforced.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SecuritySpec {
    /// Whom to ask: printed in refusals and warnings.
    pub(super) contact: Option<String>,
    /// A page that explains the policy: a URL, printed in refusals and warnings with their code as its fragment.
    pub(super) help: Option<String>,
    /// The namespaces in which the policy holds.
    pub(super) r#match: NamespaceMatch,
    /// How strictly it is enforced.
    #[serde(default)]
    pub(super) mode: Mode,
    /// What is done about an object whose pods would be refused: a Deployment, a RayJob.
    #[serde(default)]
    pub(super) templates: Templates,
    /// The Pod Security Standard for each action; an omitted action is not taken.
    #[serde(default)]
    pub(super) standard: Standards,
    /// The extended controls, beyond the standard; an omitted one is off.
    #[serde(default)]
    #[schemars(schema_with = "controls_schema")]
    pub(super) controls: BTreeMap<String, ExtendedControl>,
    /// What is filled in where a pod leaves it out.
    #[serde(default)]
    pub(super) defaults: Defaults,
    /// Who is not judged at all.
    #[serde(default)]
    pub(super) exemptions: Vec<WrittenExemption>,
    /// Permissions to break controls of this policy.
    #[serde(default)]
    pub(super) exceptions: Vec<WrittenException>,
}

/// What is done about an object whose pods would be refused.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
pub(super) enum Templates {
    /// Whoever applies it is warned.
    #[default]
    Warn,
    /// It is refused, if the policy refuses its pods.
    Enforce,
}

#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Standards {
    /// Pods that do not meet it are refused.
    #[schemars(extend("format" = schema::STANDARD_FORMAT))]
    pub(super) enforce: Option<String>,
    /// Pods that do not meet it cause a warning.
    #[schemars(extend("format" = schema::STANDARD_FORMAT))]
    pub(super) warn: Option<String>,
    /// Pods that do not meet it are noted in the API server's audit log.
    #[schemars(extend("format" = schema::STANDARD_FORMAT))]
    pub(super) audit: Option<String>,
    /// Single controls of the standard that are enforced less strictly, for a rollout.
    #[schemars(schema_with = "except_schema")]
    pub(super) except: BTreeMap<String, Relaxation>,
}

/// What a policy says of an extended control: what all of them have in common, and the control's own parameters.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExtendedControl {
    #[serde(default)]
    pub(super) mode: Option<Mode>,
    #[serde(default)]
    pub(super) message: Option<String>,
    #[serde(flatten)]
    pub(super) parameters: Map<String, Value>,
}

fn except_schema(generator: &mut SchemaGenerator) -> Schema {
    let of_standard = CONTROLS.iter().filter(|control| control.level().is_some());
    let properties: Map<String, Value> = of_standard
        .map(|control| (control.id.to_owned(), generator.subschema_for::<Relaxation>().to_value()))
        .collect();
    json_schema!({ "type": "object", "properties": properties, "additionalProperties": false, "default": {} })
}

fn controls_schema(generator: &mut SchemaGenerator) -> Schema {
    let mut properties = Map::new();
    for control in CONTROLS {
        if let Origin::Extended { parameters, .. } = &control.origin {
            let mut schema = (parameters.schema)(generator);
            add_common(&mut schema, generator);
            properties.insert(control.id.to_owned(), schema.to_value());
        }
    }
    json_schema!({ "type": "object", "properties": properties, "additionalProperties": false, "default": {} })
}

/// Adds what every extended control has beside its own parameters.
fn add_common(schema: &mut Schema, generator: &mut SchemaGenerator) {
    let common = [
        (
            "mode",
            "How strictly this control is enforced: as the policy or laxer.",
            generator.subschema_for::<Mode>(),
        ),
        (
            "message",
            "What users should do about it, shown in place of podgate's own advice: one line.",
            json_schema!({ "type": "string", "minLength": 1 }),
        ),
    ];
    let properties = schema.ensure_object().entry("properties").or_insert_with(|| Value::Object(Map::new()));
    for (name, description, mut of_value) in common {
        of_value.insert("description".to_owned(), description.into());
        if let Value::Object(properties) = properties {
            properties.insert(name.to_owned(), of_value.to_value());
        }
    }
}

#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Defaults {
    /// Whether security contexts are filled in.
    pub(super) security_context: SecurityContextDefaults,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
pub(super) enum SecurityContextDefaults {
    /// What is absent, and would get the pod refused, is filled in as the standard requires.
    Restricted,
    /// Nothing is filled in.
    #[default]
    Off,
}

/// The namespaces in which a policy holds: one of the two.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct NamespaceMatch {
    /// By name.
    pub(super) namespaces: Option<Vec<String>>,
    /// By the labels of the Namespace object.
    pub(super) namespace_selector: Option<Selector>,
}
