//! `seccompProfiles` (extended): only the seccomp profiles that the policy lists, and one for every container if it says so.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::controls::profiles::{self, AllowedProfiles, Elsewhere, ProfileField};
use crate::controls::seccomp_profile_baseline::CONTAINER_ANNOTATION;
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation, lists,
    seccomp_profile_baseline,
};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject};
use crate::pod::{Changes, Pod};

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
               as kubelets ignore them; but no `default` is filled in where one names another profile. Windows has no such profiles, so a required one refuses pods with `os.name: \
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
        let mut annotated: Option<Annotated<'_>> = None;
        let elsewhere = |name: &str| {
            let annotated = annotated.get_or_insert_with(|| Annotated::of(pod));
            let is_other = annotated.profile(name).is_some_and(|profile| self.0.contradicts_default(profile));
            if is_other { Elsewhere::Contradiction } else { Elsewhere::Nothing }
        };
        self.0.find(&FIELD, pod, elsewhere, sink);
        for (key, value) in seccomp_profile_baseline::annotations(pod) {
            if !self.0.allows_annotation(modern(value)) {
                let path = FieldPath::from("annotations").key(key);
                sink(Finding::new(Subject::Metadata, path, Found::Text(value), Fix::remove()));
            }
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        let mut faults = self.0.faults();
        faults.extend(lists::faults("localhost", self.0.localhost(), |pattern| {
            let is_absolute = pattern.as_str().starts_with('/');
            is_absolute.then(|| {
                "no pod may name an absolute path: write it below the directory of profiles".to_owned()
            })
        }));
        faults
    }
}

/// The profiles that annotations name.
struct Annotated<'p> {
    /// The pod's.
    of_pod: Option<&'p str>,
    /// Those of containers, by name.
    of_containers: SmallVec<[(&'p str, &'p str); 8]>,
}

impl<'p> Annotated<'p> {
    fn of(pod: &'p Pod<'_>) -> Self {
        let mut annotated = Self { of_pod: None, of_containers: SmallVec::new() };
        for (key, value) in seccomp_profile_baseline::annotations(pod) {
            match key.strip_prefix(CONTAINER_ANNOTATION) {
                Some(name) => annotated.of_containers.push((name, modern(value))),
                None => annotated.of_pod = Some(modern(value)),
            }
        }
        annotated.of_containers.sort_unstable();
        annotated
    }

    /// The profile that a container was given: by its own annotation or else by the pod's.
    fn profile(&self, name: &str) -> Option<&'p str> {
        let own = self.of_containers.binary_search_by_key(&name, |(name, _)| name).ok();
        own.and_then(|index| self.of_containers.get(index)).map(|(_, profile)| *profile).or(self.of_pod)
    }
}

/// A profile as annotations have it, by its later name.
fn modern(profile: &str) -> &str {
    if profile == "docker/default" { "runtime/default" } else { profile }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation { reason: "seccompProfile", detail: profiles::detail(&FIELD, findings) }
}
