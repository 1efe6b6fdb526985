//! `volumeTypes` (extended): only the types of volume that the policy lists.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, Parameters, Violation, restricted_volumes,
};
use crate::finding::{Choices, FieldPath, Finding, Fix, Sink, Subject};
use crate::pod::{Changes, VolumeSource};

pub(super) static CONTROL: Control = Control {
    id: "volumeTypes",
    number: 19,
    values: &[FoundValue::VolumeSource],
    origin: Origin::Extended {
        parameters: Parameters::of::<VolumeTypes>(),
        // The volumes of a pod are immutable, but a new ephemeral container can mount one of them.
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation,
    doc: Doc {
        title: "Volume types of the policy",
        rule: "Every volume must have a type that the policy lists, and no other type as well. The restricted \
               level also allows types that some clusters do not want, such as `csi` with a driver of the pod's \
               choice. The volume with the pod's own token, which the API server adds to it (`kube-api-access-...`), is \
               always allowed, so `projected` need not be listed for it; with `apiServerToken: Listed` it is allowed \
               where `projected` or `secret` is listed, as a PodSecurityPolicy had it.",
        history: "Beyond the standard: enabled where a policy sets `controls.volumeTypes`, at every version.",
        fields: &["spec.volumes[*]"],
        fix: "Use a type that the policy lists, most often a `persistentVolumeClaim`.",
        example: "volumes:\n- name: datasets\n  persistentVolumeClaim:\n    claimName: datasets\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.volumeTypes`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VolumeTypes {
    /// The allowed types, named like the fields of a volume: `persistentVolumeClaim`; empty for none.
    #[serde(deserialize_with = "sorted_set")]
    #[schemars(with = "BTreeSet<VolumeType>")]
    allowed: Vec<String>,
    /// Whether the volume with the pod's own token is always allowed, or only where `projected` or `secret` is listed.
    #[serde(default)]
    api_server_token: TokenVolume,
}

/// When the volume with the pod's own token is allowed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
enum TokenVolume {
    /// Whatever is listed.
    #[default]
    Allowed,
    /// Where one of the types is that it stands for.
    Listed,
}

/// The types of which a PodSecurityPolicy took the token's volume to be.
const OF_TOKEN: [&str; 2] = ["projected", "secret"];

/// A name of a volume source, for the schema.
struct VolumeType;

impl schemars::JsonSchema for VolumeType {
    fn schema_name() -> Cow<'static, str> {
        "VolumeType".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<&str> = VolumeSource::all().map(VolumeSource::name).collect();
        schemars::json_schema!({ "type": "string", "enum": names })
    }
}

fn sorted_set<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    BTreeSet::deserialize(deserializer).map(BTreeSet::into_iter).map(Iterator::collect)
}

impl Check for VolumeTypes {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        let allowed = Choices::OfPolicy(&self.allowed);
        let has_token = match self.api_server_token {
            TokenVolume::Allowed => true,
            TokenVolume::Listed => OF_TOKEN.iter().any(|name| allowed.contains(name)),
        };
        for (index, volume) in pod.spec.volumes.iter().enumerate() {
            let unlisted = volume.sources().find(|source| !allowed.contains(source.name()));
            let is_listed =
                unlisted.is_none() && !volume.has_unknown_source() && volume.sources().next().is_some();
            // Nobody wrote the token's volume into the pod. Looking into it costs, so only one that is not listed is asked.
            let is_allowed = is_listed || has_token && volume.is_api_server_token();
            if !is_allowed {
                let fix = if self.allowed.is_empty() {
                    Fix::remove_at(Subject::Volume(index, &volume.name), FieldPath::default())
                } else {
                    Fix::OneOf(allowed)
                };
                sink(restricted_volumes::finding(index, volume, unlisted, fix));
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
