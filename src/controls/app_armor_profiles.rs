//! `appArmorProfiles` (extended): only the AppArmor profiles that the policy lists, and one for every container if it says
//! so.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::controls::app_armor_profile::{self, ANNOTATION};
use crate::controls::profiles::{self, AllowedProfiles, Elsewhere, ProfileField};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation,
};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject};
use crate::pod::{Changes, Pod};

pub(super) static CONTROL: Control = Control {
    id: "appArmorProfiles",
    number: 22,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<AppArmorProfiles>(),
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation,
    doc: Doc {
        title: "AppArmor profiles of the policy",
        rule: "An AppArmor profile that the pod or a container sets must have a type that the policy lists and, \
               with type `Localhost`, a name that matches one of its patterns. With `required: true` or a `default` \
               every container must have one, its own or the pod's: without, nodes with AppArmor apply the \
               runtime's. The old annotations are judged in the same way, whether or not they name a container; one \
               that names a container counts as its profile. Windows has no such profiles, so a required one \
               refuses pods with `os.name: windows`.",
        history: "Enabled where a policy sets `controls.appArmorProfiles`.",
        fields: &[
            "spec.securityContext.appArmorProfile.{type,localhostProfile}",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.appArmorProfile.{type,localhostProfile}",
            "metadata.annotations[container.apparmor.security.beta.kubernetes.io/*]",
        ],
        fix: "Remove the profile, or set its type to one that the policy lists; a `default` is filled in where a \
              container has none. `RuntimeDefault` and `Localhost` are only taken by nodes with AppArmor. Remove \
              the annotations.",
        example: "securityContext:\n  appArmorProfile:\n    type: RuntimeDefault\n",
        cel: Cel::Whole,
    },
};

const FIELD: ProfileField = ProfileField {
    whole: "securityContext.appArmorProfile",
    kind: app_armor_profile::FIELD,
    localhost: "securityContext.appArmorProfile.localhostProfile",
    of_pod: |of_pod| of_pod.app_armor_profile.as_ref(),
    of_container: |own| own.app_armor_profile.as_ref(),
};

#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
struct AppArmorProfiles(AllowedProfiles);

impl Check for AppArmorProfiles {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        // The API server takes no field that contradicts an annotation: one that is there must not be covered.
        let mut named: Option<SmallVec<[&str; 8]>> = None;
        let all = || {
            let all = annotations(pod).filter_map(|(key, _)| key.strip_prefix(ANNOTATION));
            let mut all: SmallVec<[&str; 8]> = all.collect();
            all.sort_unstable();
            all
        };
        let elsewhere = |name: &str| match named.get_or_insert_with(all).binary_search(&name) {
            Ok(_) => Elsewhere::Profile,
            Err(_) => Elsewhere::Nothing,
        };
        self.0.find(&FIELD, pod, elsewhere, sink);
        for (key, value) in annotations(pod) {
            if !self.0.allows_annotation(value) {
                let path = FieldPath::from("annotations").key(key);
                sink(Finding::new(Subject::Metadata, path, Found::Text(value), Fix::remove()));
            }
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        self.0.faults()
    }
}

/// The annotations that give a profile.
fn annotations<'p>(pod: &'p Pod<'_>) -> impl Iterator<Item = (&'p str, &'p str)> {
    let all = pod.metadata.annotations.iter().map(|(key, value)| (key.as_ref(), value.as_ref()));
    all.filter(|(key, value)| key.starts_with(ANNOTATION) && !value.is_empty())
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation { reason: "AppArmor profile", detail: profiles::detail(&FIELD, findings) }
}
