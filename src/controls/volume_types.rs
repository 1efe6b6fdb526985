//! `volumeTypes` (beyond the standard): only the types of volume that the policy lists.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::controls::{Control, Doc, Finding, Kind, Sink, Violation, restricted_volumes};
use crate::pod::{Pod, Source};

pub(super) static CONTROL: Control = Control {
    id: "volumeTypes",
    number: 19,
    kind: Kind::Beyond,
    violation,
    doc: Doc {
        title: "Volume types of the policy",
        rule: "Every volume must be of a type that the policy lists, and of no other type beside it. The restricted level \
               also allows types that some clusters do not want, as `csi` with a driver of the pod's choice.",
        history: "Beyond the standard: on where a policy sets `controls.volumeTypes`, at every version.",
        fields: &["spec.volumes[*]"],
        mend: "Use a type that the policy lists, most often a `persistentVolumeClaim`.",
        example: "volumes:\n- name: datasets\n  persistentVolumeClaim:\n    claimName: datasets\n",
    },
};

/// The settings of `controls.volumeTypes`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeTypes {
    /// The types that pass, as their fields in a volume are named: `persistentVolumeClaim`.
    #[serde(deserialize_with = "known_types")]
    #[schemars(with = "BTreeSet<VolumeType>", length(min = 1))]
    allowed: Vec<&'static str>,
}

/// A name of a volume source, for the schema.
struct VolumeType;

impl schemars::JsonSchema for VolumeType {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "VolumeType".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<&str> = Source::all().map(Source::name).collect();
        schemars::json_schema!({ "type": "string", "enum": names })
    }
}

fn known_types<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<&'static str>, D::Error> {
    let names = BTreeSet::<String>::deserialize(deserializer)?;
    names
        .iter()
        .map(|name| {
            Source::named(name)
                .map(Source::name)
                .ok_or_else(|| serde::de::Error::custom(format!("no such volume type \"{name}\"")))
        })
        .collect()
}

impl VolumeTypes {
    pub(super) fn check<'p>(&'p self, pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
        for (index, volume) in pod.spec.volumes.iter().enumerate() {
            let unlisted = volume.sources().find(|source| !self.allowed.contains(&source.name()));
            if unlisted.is_some() || volume.has_unknown_source() || volume.sources().next().is_none() {
                sink(restricted_volumes::finding(&CONTROL, index, volume, unlisted, &self.allowed));
            }
        }
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation {
        reason: "volume types",
        detail: restricted_volumes::detail(findings, "volume type", " that the policy does not list"),
    }
}
