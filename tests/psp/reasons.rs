//! Why the two sides differ where they may: each difference that the report names must be the one that it means.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::effective::Effective;
use crate::ours::{Ours, Outcome};
use crate::pod::{LISTS, SECCOMP_OF_CONTAINER, SECCOMP_OF_POD};
use crate::{Answer, name_of};

/// A pod, and what both sides say of it.
pub(crate) struct Case<'c> {
    pub(crate) psp: &'c Json,
    pub(crate) ours: &'c Ours,
    pub(crate) pod: &'c Json,
    pub(crate) answer: &'c Answer,
    pub(crate) outcome: &'c Outcome,
}

impl Case<'_> {
    fn is_reported(&self, control: &str) -> bool {
        self.ours.report.says_stricter(name_of(self.psp), control)
    }

    /// Why a control refuses what the plugin admits; none if nobody was told.
    pub(crate) fn stricter(&self, control: &str) -> Option<&'static str> {
        if !self.is_reported(control) {
            return None;
        }
        let spec = &self.psp["spec"];
        if self.outcome.is_later {
            return Some("an ephemeral container is judged, and not filled in");
        }
        if self.pod["spec"]["os"]["name"] == "windows" {
            return Some("Windows has no such field");
        }
        if spec["allowedProcMountTypes"] == serde_json::json!(["Unmasked"]) {
            return Some("a policy for pods with Unmasked alone admits none");
        }
        match control {
            "capabilities" => {
                let is_odd = |name: &str| ["ALL", "net_admin", "CAP_SYS_TIME"].contains(&name);
                let is_it =
                    self.any_container(|security| texts(&security["capabilities"]["add"]).any(is_odd));
                is_it.then_some("a capability that Linux does not have under that name")
            }
            "hostPaths" => {
                let is_odd = |path: &str| !path.starts_with('/') || path.contains("..");
                let paths = items(&self.pod["spec"]["volumes"])
                    .filter_map(|volume| volume["hostPath"]["path"].as_str());
                let has_nested = items(&spec["allowedHostPaths"]).count() > 1;
                if paths.clone().any(is_odd) {
                    Some("a path that is not absolute")
                } else {
                    has_nested.then_some("of prefixes that cover each other the longest counts")
                }
            }
            "privilegeEscalation" => {
                let is_root = |security: &Json| {
                    security["privileged"] == true && security["allowPrivilegeEscalation"].is_null()
                };
                self.any_container(is_root).then_some("false is not filled in beside privileged")
            }
            "runAsUserRanges" => {
                let made = &self.answer.mutated;
                let is_root = any_container(made, |security| security["runAsUser"] == 0);
                is_root.then_some("root is not filled in")
            }
            "seccompProfiles" => {
                let is_old = |key: &str| key == SECCOMP_OF_POD || key.starts_with(SECCOMP_OF_CONTAINER);
                let annotations = self.pod["metadata"]["annotations"].as_object();
                if annotations.is_some_and(|all| all.keys().any(|key| is_old(key))) {
                    return Some("the old annotation of seccomp counts for nothing");
                }
                let is_literal = self.pod.to_string().contains(r#""localhostProfile":"*""#);
                is_literal.then_some("a profile that would be a pattern here")
            }
            "volumeTypes" => {
                let is_projected =
                    items(&self.pod["spec"]["volumes"]).any(|volume| volume["projected"].is_object());
                is_projected.then_some("a token like that of the API server, under another name")
            }
            _ => None,
        }
    }

    /// Why a value is filled in in another way; none if nobody was told.
    pub(crate) fn filled_in(
        &self,
        field: &str,
        theirs: Option<&Json>,
        ours: Option<&Json>,
    ) -> Option<&'static str> {
        let set = |value: Option<&Json>| -> BTreeSet<String> {
            value.map(|value| texts(value).map(ToOwned::to_owned).collect()).unwrap_or_default()
        };
        let (control, reason) = match field {
            "runAsUser" if theirs == Some(&0.into()) && ours.and_then(Json::as_i64) > Some(0) => {
                ("runAsUserRanges", "an id above root's is filled in")
            }
            "capabilities.add" if set(theirs).difference(&set(ours)).all(|name| name == "SYS_ADMIN") => {
                ("capabilities", "SYS_ADMIN is not filled in")
            }
            "capabilities.drop" => {
                let upper = |names: BTreeSet<String>| -> BTreeSet<String> {
                    names.into_iter().map(|name| name.to_uppercase()).collect()
                };
                if !upper(set(ours)).is_superset(&upper(set(theirs))) {
                    return None;
                }
                ("capabilities", "what is dropped is dropped by its right name")
            }
            _ => return None,
        };
        self.ours.report.says_other_value(name_of(self.psp), control).then_some(reason)
    }

    /// Why we admit what the plugin refuses, if it is the one thing that is meant: a policy that says nothing of seccomp lets
    /// nobody set a profile, not even the one that the restricted level asks for.
    pub(crate) fn laxer(&self) -> Option<&'static str> {
        let annotations = &self.psp["metadata"]["annotations"];
        let is_silent = annotations["seccomp.security.alpha.kubernetes.io/allowedProfileNames"].is_null();
        let is_about_it = |error: &String| error.ends_with(": seccomp may not be set");
        let mut fields = vec![&self.pod["spec"]["securityContext"]["seccompProfile"]["type"]];
        for list in LISTS {
            let containers = items(&self.pod["spec"][list]);
            fields
                .extend(containers.map(|container| &container["securityContext"]["seccompProfile"]["type"]));
        }
        let is_default = |field: &&Json| field.is_null() || **field == "RuntimeDefault";
        let old = self.pod["metadata"]["annotations"].as_object().into_iter().flatten();
        let mut old = old.filter(|(key, _)| *key == SECCOMP_OF_POD || key.starts_with(SECCOMP_OF_CONTAINER));
        let is_meant = is_silent
            && !self.answer.errors.is_empty()
            && self.answer.errors.iter().all(is_about_it)
            && fields.iter().all(is_default)
            && old.all(|(_, profile)| *profile == "runtime/default" || *profile == "docker/default");
        is_meant.then_some("RuntimeDefault, where the policy says nothing of seccomp")
    }

    /// Whether the API server does not take what the plugin wrote into a pod for Windows, where it means nothing.
    pub(crate) fn is_spoilt_for_windows(&self) -> bool {
        let faults = ["allowPrivilegeEscalation", "capabilities"];
        let is_about_it = |fault: &String| {
            let field = fault.strip_suffix(": cannot be set for a windows pod");
            field.is_some_and(|field| faults.iter().any(|name| field.ends_with(name)))
        };
        self.answer.allowed && self.answer.invalid.iter().all(is_about_it)
    }

    fn any_container(&self, is_it: impl Fn(&Json) -> bool) -> bool {
        any_container(self.pod, is_it)
    }
}

/// Whether it is true of the security context of any container.
fn any_container(pod: &Json, is_it: impl Fn(&Json) -> bool) -> bool {
    let containers = LISTS.iter().flat_map(|list| items(&pod["spec"][list]));
    containers.into_iter().any(|container| is_it(&container["securityContext"]))
}

fn items(list: &Json) -> impl Iterator<Item = &Json> + Clone {
    list.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

fn texts(list: &Json) -> impl Iterator<Item = &str> {
    items(list).filter_map(Json::as_str)
}

/// Where two pods differ: the field, and the values of both.
pub(crate) fn differences<'e>(
    theirs: &'e Effective,
    ours: &'e Effective,
) -> Vec<(&'e str, Option<&'e Json>, Option<&'e Json>)> {
    let places: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    let both = places.into_iter().map(|place| (place, theirs.get(place), ours.get(place)));
    both.filter(|(_, theirs, ours)| theirs != ours)
        .map(|(place, theirs, ours)| {
            (place.split_once('.').map_or(place.as_str(), |(_, field)| field), theirs, ours)
        })
        .collect()
}
