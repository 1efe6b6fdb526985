//! `seLinuxLabels` (extended): only the SELinux types, users, roles and levels that the policy lists, and all of them for
//! every container if it says so.

use serde::{Deserialize, Serialize};

use crate::controls::se_linux_options::{ROLE, TYPE, USER};
use crate::controls::security_contexts::POD_NOT_ALLOWED;
use crate::controls::windows::{NOT_ON_WINDOWS, OTHER_POLICY};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation, lists,
    text,
};
use crate::finding::{Choices, FieldPath, Finding, Fix, Found, Sink, Subject, Value};
use crate::pod::{Changes, Container, ContainerKind, ContainerRef, Pod, SeLinuxOptions};

pub(super) static CONTROL: Control = Control {
    id: "seLinuxLabels",
    number: 55,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<SeLinuxLabels>(),
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation,
    doc: Doc {
        title: "SELinux labels of the policy",
        rule: "Each part of an SELinux label that the pod or a container sets must be in the policy's list of such \
               parts; where the policy has no list of them, any may be set, and with an empty one none. The order \
               of a level's categories does not matter. With `required: true` every container must have each part \
               of which there is a list, and with a `default` each part of that: in its own `seLinuxOptions` or, if \
               it has none at all, in the pod's; with `wholeDefault: true` nothing is filled in beside other parts, and what is filled in is the pod's. Windows has no SELinux, so what is required refuses pods with \
               `os.name: windows`.",
        history: "Enabled where a policy sets `controls.seLinuxLabels`. The baseline and restricted levels have a \
                  list of types of their own and allow no user and no role, unless `standard.except` relaxes \
                  `seLinuxOptions`.",
        fields: &[
            "spec.securityContext.seLinuxOptions.{type,user,role,level}",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.seLinuxOptions.{type,user,role,level}",
        ],
        fix: "Set the part to one that the policy lists, or remove it where none is required; a `default` is filled \
              in where it is absent.",
        example: "securityContext:\n  seLinuxOptions:\n    level: s0:c123,c456\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.seLinuxLabels`: at least one list.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SeLinuxLabels {
    /// The types that may be set: `container_t`; any without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    types: Option<Vec<String>>,
    /// The users that may be set; any without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    users: Option<Vec<String>>,
    /// The roles that may be set; any without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<String>>,
    /// The levels that may be set: `s0:c123,c456`; any without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    levels: Option<Vec<String>>,
    /// Whether every container needs each part of which the policy lists any.
    #[serde(default)]
    required: bool,
    /// What is filled in where a container lacks it.
    #[serde(default)]
    default: LabelDefaults,
    /// Whether it is filled in only where neither the container nor the pod has any `seLinuxOptions`, and then for the pod, so
    /// that whatever its containers share has the same label.
    #[serde(default)]
    whole_default: bool,
}

/// Parts of an SELinux label.
#[derive(Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LabelDefaults {
    /// The type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r#type: Option<String>,
    /// The user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// The role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// The level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    level: Option<String>,
}

const LEVEL: &str = "securityContext.seLinuxOptions.level";

/// What a policy says of one part of a label.
struct Part<'p> {
    /// The field of a pod or container.
    field: &'static str,
    /// The parameter that lists what is allowed.
    parameter: &'static str,
    allowed: Option<&'p [String]>,
    default: Option<&'p str>,
    of: for<'o> fn(&'o SeLinuxOptions<'_>) -> &'o str,
    is_same: fn(&str, &str) -> bool,
}

impl Check for SeLinuxLabels {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        let of_pod = pod.spec.security.se_linux_options.as_deref();
        if let Some(options) = of_pod {
            self.find(pod, Subject::Pod, options, sink);
        } else if self.whole_default && pod.containers().any(|(at, container)| inherits(at, container)) {
            self.find_missing(pod, Subject::Pod, sink);
        }
        for (at, container) in pod.containers() {
            let own = container.security.as_ref().and_then(|own| own.se_linux_options.as_deref());
            match (own, of_pod) {
                (Some(own), _) => self.find(pod, Subject::Container(at), own, sink),
                (None, Some(of_pod)) if at.kind == ContainerKind::Ephemeral => {
                    self.find_newly_inherited(pod, at, of_pod, sink);
                }
                // What the pod says holds for it, and is found there.
                (None, Some(_)) => {}
                // It is found that the pod lacks it.
                (None, None) if self.whole_default && inherits(at, container) => {}
                (None, None) => self.find_missing(pod, Subject::Container(at), sink),
            }
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        let parts = self.parts();
        let mut faults = Vec::new();
        if parts.iter().all(|part| part.allowed.is_none() && part.default.is_none()) {
            let message = "needs a list: types, users, roles or levels";
            faults.push(ParameterError::at(FieldPath::default(), message));
        }
        if self.required && !parts.iter().any(|part| self.needs(part)) {
            let message = "no list names anything that could be required: remove it";
            faults.push(ParameterError::at("required".into(), message));
        }
        for part in parts {
            let Part { parameter, allowed, default, .. } = part;
            let allowed = allowed.unwrap_or_default();
            faults.extend(lists::repeated(parameter, allowed));
            faults.extend(lists::faults(parameter, allowed, |value| {
                let is_plain = |character: char| !character.is_whitespace() && !character.is_control();
                let fault = match value.as_str() {
                    "" => "must not be empty: what is absent needs no entry",
                    value if value.contains('*') => {
                        "is no pattern: list each by itself, or leave the list out to allow any"
                    }
                    value if !value.chars().all(is_plain) => {
                        "has white space in it, as no label has: take it out"
                    }
                    _ => return None,
                };
                Some(fault.to_owned())
            }));
            if let Some(value) = default.filter(|value| value.is_empty() || !part.allows(value)) {
                let path = FieldPath::from("default").fields(part.name());
                let message = format!("\"{value}\" is not in {parameter}: add it there, or fill in another");
                faults.push(ParameterError::at(path, message));
            }
        }
        faults
    }
}

impl SeLinuxLabels {
    /// Finds the parts of a label that are not allowed, or lacking.
    fn find<'p>(
        &'p self,
        pod: &Pod<'_>,
        subject: Subject<'p>,
        options: &'p SeLinuxOptions<'_>,
        sink: &mut Sink<'_, 'p>,
    ) {
        for part in self.parts() {
            match (part.of)(options) {
                "" if self.needs(&part) => {
                    let part = Part { default: part.default.filter(|_| !self.whole_default), ..part };
                    sink(part.lacking(pod, subject));
                }
                "" => {}
                value if part.allows(value) => {}
                value => sink(part.not_allowed(pod, subject, value, self.needs(&part))),
            }
        }
    }

    /// Finds the parts that a container lacks for which nothing says any, or that the pod lacks for such containers.
    fn find_missing<'p>(&'p self, pod: &Pod<'_>, subject: Subject<'p>, sink: &mut Sink<'_, 'p>) {
        for part in self.parts().iter().filter(|part| self.needs(part)) {
            sink(part.lacking(pod, subject));
        }
    }

    /// Finds the parts of the pod's label that a container which comes later must not take over.
    fn find_newly_inherited<'p>(
        &'p self,
        pod: &Pod<'_>,
        at: ContainerRef<'p>,
        of_pod: &'p SeLinuxOptions<'_>,
        sink: &mut Sink<'_, 'p>,
    ) {
        for part in self.parts() {
            let value = (part.of)(of_pod);
            if value.is_empty() && self.needs(&part) {
                sink(part.lacking(pod, Subject::Container(at)));
            } else if !value.is_empty() && !part.allows(value) {
                let fix = match part.allowed.unwrap_or_default() {
                    [] => Fix::one_of(&["seLinuxOptions: {}"]),
                    allowed => Fix::OneOf(Choices::OfPolicy(allowed)),
                };
                let finding = Finding::new(Subject::Container(at), part.field, Found::Absent, fix);
                sink(finding.help(POD_NOT_ALLOWED));
            }
        }
    }

    fn parts(&self) -> [Part<'_>; 4] {
        let Self { types, users, roles, levels, default, .. } = self;
        let exactly = |one: &str, other: &str| one == other;
        [
            Part {
                field: TYPE,
                parameter: "types",
                allowed: types.as_deref(),
                default: default.r#type.as_deref(),
                of: |options| &options.kind,
                is_same: exactly,
            },
            Part {
                field: USER,
                parameter: "users",
                allowed: users.as_deref(),
                default: default.user.as_deref(),
                of: |options| &options.user,
                is_same: exactly,
            },
            Part {
                field: ROLE,
                parameter: "roles",
                allowed: roles.as_deref(),
                default: default.role.as_deref(),
                of: |options| &options.role,
                is_same: exactly,
            },
            Part {
                field: LEVEL,
                parameter: "levels",
                allowed: levels.as_deref(),
                default: default.level.as_deref(),
                of: |options| &options.level,
                is_same: is_same_level,
            },
        ]
    }

    /// Whether every container needs this part.
    fn needs(&self, part: &Part<'_>) -> bool {
        part.default.is_some() || (self.required && part.allowed.is_some_and(|allowed| !allowed.is_empty()))
    }
}

impl<'p> Part<'p> {
    /// Its name in a label.
    fn name(&self) -> &'static str {
        self.field.rsplit_once('.').map_or(self.field, |(_, name)| name)
    }

    fn allows(&self, value: &str) -> bool {
        self.allowed.is_none_or(|allowed| allowed.iter().any(|allowed| (self.is_same)(allowed, value)))
    }

    fn not_allowed(
        &self,
        pod: &Pod<'_>,
        subject: Subject<'p>,
        value: &'p str,
        is_needed: bool,
    ) -> Finding<'p> {
        let allowed = self.allowed.unwrap_or_default();
        let (fix, help) = match (pod.is_windows(), allowed.is_empty()) {
            (true, _) if is_needed => (OTHER_POLICY, NOT_ON_WINDOWS),
            (true, _) | (false, true) => (Fix::remove(), ""),
            (false, false) => (Fix::OneOf(Choices::OfPolicy(allowed)), ""),
        };
        Finding::new(subject, self.field, Found::Text(value), fix).help(help)
    }

    fn lacking(&self, pod: &Pod<'_>, subject: Subject<'p>) -> Finding<'p> {
        let is_ephemeral = subject.container().is_some_and(|at| at.kind == ContainerKind::Ephemeral);
        let (fix, help) = match self.default {
            _ if pod.is_windows() => (OTHER_POLICY, NOT_ON_WINDOWS),
            Some(default) => (Fix::fill_in(Value::Text(default), !is_ephemeral), ""),
            None => (Fix::OneOf(Choices::OfPolicy(self.allowed.unwrap_or_default())), ""),
        };
        Finding::new(subject, self.field, Found::Absent, fix).help(help)
    }
}

/// Whether a container takes over what is filled in for the pod: one that comes later does not, as the pod stays as it is.
fn inherits(at: ContainerRef<'_>, container: &Container<'_>) -> bool {
    let has_own = container.security.as_ref().is_some_and(|own| own.se_linux_options.is_some());
    at.kind != ContainerKind::Ephemeral && !has_own
}

/// Whether two levels are the same: `s0:c1,c2` is `s0:c2,c1`.
fn is_same_level(one: &str, other: &str) -> bool {
    let (Some((sensitivity, categories)), Some((other_sensitivity, others))) =
        (one.split_once(':'), other.split_once(':'))
    else {
        return one == other;
    };
    one == other || sensitivity == other_sensitivity && has_same_items(categories, others)
}

/// Whether two lists have the same items, each as often, in whatever order. One of them is a policy's, so that no pod makes it long.
fn has_same_items(one: &str, other: &str) -> bool {
    let count = |list: &str, item: &str| list.split(',').filter(|own| *own == item).count();
    one.split(',').count() == other.split(',').count()
        && one.split(',').all(|item| count(one, item) == count(other, item))
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let mut parts = Vec::new();
    for field in [TYPE, USER, ROLE, LEVEL] {
        let of = |is_set: bool| -> Vec<Finding<'_>> {
            let is_meant =
                |finding: &&Finding<'_>| finding.path.is(field) && (finding.found != Found::Absent) == is_set;
            findings.iter().filter(is_meant).cloned().collect()
        };
        let (set, lacking) = (of(true), of(false));
        if !set.is_empty() {
            parts.push(format!(
                "{} must not set {field} to {}",
                text::setters(&set).join(" and "),
                text::quoted(text::sorted_set(text::found_texts(&set)))
            ));
        }
        if !lacking.is_empty() {
            parts.push(format!("{} must set {field}", text::setters(&lacking).join(" and ")));
        }
    }
    Violation { reason: "SELinux label", detail: parts.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_have_no_order() {
        for (one, other, is_same) in [
            ("s0", "s0", true),
            ("s0:c1,c2", "s0:c2,c1", true),
            ("s0:c1,c2", "s0:c1", false),
            ("s0:c1,c1", "s0:c1,c2", false),
            ("s0:c1,c1", "s0:c1", false),
            ("s0:", "s0", false),
            ("s0:c1", "s1:c1", false),
            ("s0", "s0:c1", false),
            ("s0-s0:c1", "s0", false),
            ("", "s0", false),
        ] {
            assert_eq!(
                (is_same_level(one, other), is_same_level(other, one)),
                (is_same, is_same),
                "{one} {other}"
            );
        }
    }
}
