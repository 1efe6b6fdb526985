//! What a policy can say of seccomp and of AppArmor profiles alike: their types, those of the node by name, and whether
//! every container needs one.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::controls::pattern::{Pattern, any_matches};
use crate::controls::seccomp_profile_baseline::forbidden_annotations;
use crate::controls::security_contexts::{POD_NOT_ALLOWED, in_security_contexts, newcomers};
use crate::controls::windows::{NO_PROFILE, NOT_ON_WINDOWS, OTHER_POLICY};
use crate::controls::{ParameterError, lists, text};
use crate::finding::{Choices, Finding, Fix, Found, Sink, Subject, Value};
use crate::pod::{ContainerKind, ContainerRef, Pod, PodSecurityContext, Profile, SecurityContext};

/// A kind of profile: where a pod says it.
pub(super) struct ProfileField {
    /// The profile.
    pub(super) whole: &'static str,
    /// Its type.
    pub(super) kind: &'static str,
    /// Its name on the node.
    pub(super) localhost: &'static str,
    /// The pod's own.
    pub(super) of_pod: for<'p, 'a> fn(&'p PodSecurityContext<'a>) -> Option<&'p Profile<'a>>,
    /// A container's own.
    pub(super) of_container: for<'p, 'a> fn(&'p SecurityContext<'a>) -> Option<&'p Profile<'a>>,
}

/// What another place than the fields says of a container's profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// Nothing.
    Nothing,
    /// A profile, which counts.
    Profile,
    /// A profile that counts for nothing, and another one than the policy fills in: a person has to choose.
    Contradiction,
}

const RUNTIME_DEFAULT: &str = "RuntimeDefault";
const LOCALHOST: &str = "Localhost";
const UNCONFINED: &str = "Unconfined";

/// The parameters of `controls.seccompProfiles` and of `controls.appArmorProfiles`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AllowedProfiles {
    /// The types that may be set; empty for none.
    #[schemars(with = "Vec<ProfileType>")]
    allowed: Vec<String>,
    /// The profiles of type `Localhost` that may be set, `*` standing for any characters; any without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    localhost: Option<Vec<Pattern>>,
    /// Whether every container needs a profile, its own or the pod's. It does where there is a `default`.
    #[serde(default)]
    required: bool,
    /// The type that is filled in where a container has none. `Localhost` takes the one profile in `localhost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ProfileType>")]
    default: Option<String>,
    /// The profile that a `default` of type `Localhost` fills in; without it the one in `localhost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    default_localhost: Option<String>,
    /// Whether the pod itself needs a profile, even where each of its containers has one.
    #[serde(default)]
    pod_required: bool,
}

/// A type of profile, for the schema.
struct ProfileType;

impl schemars::JsonSchema for ProfileType {
    fn schema_name() -> Cow<'static, str> {
        "ProfileType".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "enum": [RUNTIME_DEFAULT, LOCALHOST, UNCONFINED] })
    }
}

impl AllowedProfiles {
    /// Finds the profiles that are set and not allowed, and the containers that lack one.
    ///
    /// A container without a profile inherits the pod's. `elsewhere` tells what another place than the fields says of a
    /// container.
    pub(super) fn find<'p>(
        &'p self,
        field: &ProfileField,
        pod: &'p Pod<'_>,
        mut elsewhere: impl FnMut(&str) -> Elsewhere,
        sink: &mut Sink<'_, 'p>,
    ) {
        for (subject, profile) in in_security_contexts(pod, field.of_pod, field.of_container) {
            if !self.has_type(&profile.kind) {
                sink(self.wrong_type(field, pod, subject, profile));
            } else if !self.allows(&profile.kind, profile.localhost()) {
                let found = if profile.localhost().is_empty() {
                    Found::Absent
                } else {
                    Found::Text(profile.localhost())
                };
                let (fix, help) = self.listed_profile();
                sink(Finding::new(subject, field.localhost, found, fix).help(help));
            }
        }
        let of_pod = (field.of_pod)(&pod.spec.security);
        if of_pod.is_some_and(|profile| !self.allows(&profile.kind, profile.localhost())) {
            self.find_newly_inherited(field, pod, sink);
        }
        if self.pod_required && of_pod.is_none() {
            let fix =
                if pod.is_windows() { OTHER_POLICY } else { Fix::OneOf(Choices::OfPolicy(&self.allowed)) };
            sink(Finding::new(Subject::Pod, field.kind, Found::Absent, fix));
        }
        if !self.is_needed() || of_pod.is_some() {
            return;
        }
        for (at, container) in pod.containers() {
            let has_own = container.security.as_ref().and_then(field.of_container).is_some();
            if has_own {
                continue;
            }
            match elsewhere(at.name) {
                Elsewhere::Profile => {}
                Elsewhere::Nothing => self.lacks(field, pod, (at, true), sink),
                Elsewhere::Contradiction => self.lacks(field, pod, (at, false), sink),
            }
        }
    }

    /// Finds the containers that come later and take over the pod's profile, which is not allowed.
    fn find_newly_inherited<'p>(&'p self, field: &ProfileField, pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
        for (at, _) in newcomers(pod)
            .filter(|(_, container)| container.security.as_ref().and_then(field.of_container).is_none())
        {
            let can_choose = !self.allowed.is_empty() && !pod.is_windows();
            let fix = if can_choose { Fix::OneOf(Choices::OfPolicy(&self.allowed)) } else { OTHER_POLICY };
            let finding = Finding::new(Subject::Container(at), field.kind, Found::Absent, fix);
            sink(finding.help(POD_NOT_ALLOWED));
        }
    }

    /// Whether a profile may be set. A path that leads out of the directory of profiles is never one that is listed.
    pub(super) fn allows(&self, kind: &str, localhost: &str) -> bool {
        let is_listed = |listed: &Vec<Pattern>| any_matches(listed, localhost) && !leads_out(localhost);
        self.has_type(kind) && (kind != LOCALHOST || self.localhost.as_ref().is_none_or(is_listed))
    }

    /// Whether a profile may be set that an annotation names, as `runtime/default` or `localhost/NAME`.
    pub(super) fn allows_annotation(&self, value: &str) -> bool {
        match value.strip_prefix("localhost/") {
            Some(name) => self.allows(LOCALHOST, name),
            None if value == "runtime/default" => self.allows(RUNTIME_DEFAULT, ""),
            None => value == "unconfined" && self.allows(UNCONFINED, ""),
        }
    }

    /// Whether an annotation names another profile than the one that is filled in.
    pub(super) fn contradicts_default(&self, value: &str) -> bool {
        match self.default.as_deref() {
            Some(LOCALHOST) => value.strip_prefix("localhost/") != self.filled_in_profile(),
            Some(UNCONFINED) => value != "unconfined",
            Some(_) => value != "runtime/default",
            None => false,
        }
    }

    /// What is wrong with the parameters.
    pub(super) fn faults(&self) -> Vec<ParameterError> {
        let Self { allowed, localhost, required, default, default_localhost, pod_required } = self;
        let mut faults = lists::repeated("allowed", allowed);
        let mut fault = |field: &'static str, message: &str| {
            faults.push(ParameterError::at(field.into(), message));
        };
        match localhost {
            Some(_) if !self.has_type(LOCALHOST) => {
                fault("localhost", "lists profiles of a type that is not allowed: add Localhost to allowed");
            }
            Some(profiles) if profiles.is_empty() => {
                fault("localhost", "allows no profile: leave Localhost out of allowed");
            }
            Some(_) | None => {}
        }
        if (*required || *pod_required) && allowed.is_empty() {
            fault("allowed", "allows no type, and one is required: no pod could pass");
        }
        match default.as_deref() {
            Some(kind) if !self.has_type(kind) => {
                fault("default", "is not among the allowed ones: add it there")
            }
            Some(LOCALHOST) if self.filled_in_profile().is_none() => {
                fault("default", "needs one profile in localhost, without *, that is filled in");
            }
            Some(_) | None => {}
        }
        match default_localhost.as_deref() {
            Some(_) if default.as_deref() != Some(LOCALHOST) => {
                fault(
                    "defaultLocalhost",
                    "is filled in with default: Localhost alone: add that, or remove this",
                );
            }
            Some(profile) if !self.allows(LOCALHOST, profile) => {
                fault("defaultLocalhost", "is not among those in localhost: add it there");
            }
            Some(_) | None => {}
        }
        let localhost = localhost.as_deref().unwrap_or_default();
        faults.extend(lists::repeated("localhost", localhost));
        faults.extend(lists::faults("localhost", localhost, |pattern| {
            let name = pattern.as_str();
            let fault = if leads_out(name) {
                "leads out of the directory of profiles, where no pod may go: write its path below that directory"
            } else if name.trim() != name || name.chars().any(char::is_control) {
                "has white space around it, or control characters in it: take them out"
            } else {
                return None;
            };
            Some(fault.to_owned())
        }));
        faults
    }

    /// The patterns of profiles of the node.
    pub(super) fn localhost(&self) -> &[Pattern] {
        self.localhost.as_deref().unwrap_or_default()
    }

    /// Whether every container needs a profile.
    fn is_needed(&self) -> bool {
        self.required || self.default.is_some()
    }

    fn has_type(&self, kind: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed == kind)
    }

    /// The profile of the node, if the policy names exactly one.
    fn only_profile(&self) -> Option<&str> {
        match self.localhost.as_deref() {
            Some([only]) => Some(only.as_str()).filter(|name| !name.contains('*')),
            Some(_) | None => None,
        }
    }

    /// The profile of the node that is filled in.
    fn filled_in_profile(&self) -> Option<&str> {
        self.default_localhost.as_deref().or_else(|| self.only_profile())
    }

    fn wrong_type<'p>(
        &'p self,
        field: &ProfileField,
        pod: &Pod<'_>,
        subject: Subject<'p>,
        profile: &'p Profile<'_>,
    ) -> Finding<'p> {
        let whole = || Fix::remove_at(subject, field.whole);
        let (fix, help) = if pod.is_windows() && self.is_needed() {
            (OTHER_POLICY, NOT_ON_WINDOWS)
        } else if pod.is_windows() {
            (whole(), NO_PROFILE)
        } else if self.allowed.is_empty() {
            (whole(), "the whole profile")
        } else if self.has_type(LOCALHOST) {
            (Fix::OneOf(Choices::OfPolicy(&self.allowed)), "Localhost needs a localhostProfile")
        } else {
            (Fix::OneOf(Choices::OfPolicy(&self.allowed)), "")
        };
        Finding::new(subject, field.kind, Found::Text(&profile.kind), fix).help(help)
    }

    /// A profile of the node that may be set.
    fn listed_profile(&self) -> (Fix<'_>, &'static str) {
        match self.only_profile() {
            Some(only) => (Fix::set(Value::Text(only)), ""),
            None => (Fix::one_of(&["a profile of the node that the policy lists"]), ""),
        }
    }

    /// Reports that a container has no profile, for each field of the one that is filled in unless it may not be.
    fn lacks<'p>(
        &'p self,
        field: &ProfileField,
        pod: &Pod<'_>,
        (at, may_fill_in): (ContainerRef<'p>, bool),
        sink: &mut Sink<'_, 'p>,
    ) {
        let mut report = |path: &'static str, fix, help| {
            sink(Finding::new(Subject::Container(at), path, Found::Absent, fix).help(help));
        };
        let is_safe = may_fill_in && at.kind != ContainerKind::Ephemeral;
        let fill_in = |value| Fix::fill_in(Value::Text(value), is_safe);
        match self.default.as_deref() {
            _ if pod.is_windows() => report(field.kind, OTHER_POLICY, NOT_ON_WINDOWS),
            None => report(field.kind, Fix::OneOf(Choices::OfPolicy(&self.allowed)), ""),
            Some(kind) => {
                report(field.kind, fill_in(kind), "");
                if let Some(profile) = self.filled_in_profile().filter(|_| kind == LOCALHOST) {
                    report(field.localhost, fill_in(profile), "");
                }
            }
        }
    }
}

/// Whether the path of a profile leads out of the directory of profiles.
fn leads_out(profile: &str) -> bool {
    profile.split('/').any(|name| name == "..")
}

/// What is wrong with the profiles of a pod: `pod must not set securityContext.seccompProfile.type to "Unconfined"`.
pub(super) fn detail(field: &ProfileField, findings: &[Finding<'_>]) -> String {
    let of = |path: &str, is_set: bool| -> Vec<Finding<'_>> {
        let is_meant =
            |finding: &&Finding<'_>| finding.path.is(path) && (finding.found != Found::Absent) == is_set;
        findings.iter().filter(is_meant).cloned().collect()
    };
    let mut parts = Vec::new();
    for path in [field.kind, field.localhost] {
        let set = of(path, true);
        if !set.is_empty() {
            parts.push(format!(
                "{} must not set {path} to {}",
                text::setters(&set).join(" and "),
                text::quoted(text::sorted_set(text::found_texts(&set)))
            ));
        }
    }
    let untyped = of(field.kind, false);
    if !untyped.is_empty() {
        let containers = text::containers(&text::container_names(&untyped));
        parts.push(format!("pod or {containers} must set {}", field.kind));
    }
    let is_typed = |finding: &Finding<'_>| !untyped.iter().any(|other| other.subject == finding.subject);
    let unnamed: Vec<Finding<'_>> = of(field.localhost, false).into_iter().filter(is_typed).collect();
    if !unnamed.is_empty() {
        parts.push(format!("{} must set {}", text::setters(&unnamed).join(" and "), field.localhost));
    }
    parts.extend(forbidden_annotations(findings));
    parts.join("; ")
}
