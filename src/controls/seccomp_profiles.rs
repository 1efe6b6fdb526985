//! `seccompProfiles` (extended): only the seccomp profiles that the policy lists, and one for every container if it says so.

use serde::{Deserialize, Serialize};

use crate::controls::profiles::{self, AllowedProfiles, ProfileField};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation,
    seccomp_profile_baseline,
};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject};
use crate::pod::Changes;

pub(super) static CONTROL: Control = Control {
    id: "seccompProfiles",
    number: 56,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<SeccompProfiles>(),
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation,
    doc: Doc {
        title: "Seccomp profiles of the policy",
        rule: "A seccomp profile that the pod or a container sets must have a type that the policy lists and, with \
               type `Localhost`, a name that matches one of its patterns. With `required: true` or a `default` \
               every container must have one, its own or the pod's: without, the kubelet turns seccomp off unless \
               it is told otherwise. The old annotations are judged where they are set, and count for nothing else, \
               as kubelets ignore them. Windows has no such profiles, so a required one refuses pods with `os.name: \
               windows`.",
        history: "Enabled where a policy sets `controls.seccompProfiles`.",
        fields: &[
            "spec.securityContext.seccompProfile.{type,localhostProfile}",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.seccompProfile.{type,localhostProfile}",
            "metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]",
            "metadata.annotations[container.seccomp.security.alpha.kubernetes.io/*]",
        ],
        fix: "Set `securityContext.seccompProfile.type` to a type that the policy lists, most often \
              `RuntimeDefault`; a `default` is filled in where a container has none. Remove the annotations.",
        example: "securityContext:\n  seccompProfile:\n    type: RuntimeDefault\n",
        cel: Cel::Whole,
    },
};

const FIELD: ProfileField = ProfileField {
    whole: "securityContext.seccompProfile",
    kind: seccomp_profile_baseline::FIELD,
    localhost: "securityContext.seccompProfile.localhostProfile",
    of_pod: |of_pod| of_pod.seccomp_profile.as_ref(),
    of_container: |own| own.seccomp_profile.as_ref(),
};

#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
struct SeccompProfiles(AllowedProfiles);

impl Check for SeccompProfiles {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        self.0.find(&FIELD, pod, |_| false, sink);
        for (key, value) in seccomp_profile_baseline::annotations(pod) {
            // An old name of the runtime's own.
            let profile = if value == "docker/default" { "runtime/default" } else { value };
            if !self.0.allows_annotation(profile) {
                let path = FieldPath::from("annotations").key(key);
                sink(Finding::new(Subject::Metadata, path, Found::Text(value), Fix::remove()));
            }
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        self.0.faults()
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation { reason: "seccompProfile", detail: profiles::detail(&FIELD, findings) }
}
