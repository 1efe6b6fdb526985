//! `tolerations` (extended): a pod tolerates no taints that are reserved, and only those that the policy lists.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::controls::pattern::Pattern;
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation, text,
};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject};
use crate::pod::{Changes, Toleration, can_match_label_key, is_label_value};

pub(super) static CONTROL: Control = Control {
    id: "tolerations",
    number: 59,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<Tolerations>(),
        depends_on: Changes::TOLERATIONS,
    },
    violation,
    doc: Doc {
        title: "Tolerations",
        rule: "Every toleration must be one that `allowed` lists, if there is such a list, and must tolerate no taint that \
               `reserved` lists. One without a key tolerates the taints of every key, and one without an effect those of \
               every effect: `allowed` must say as much, and `reserved` is always touched. `*` in a key stands for any text. \
               The tolerations that the API server and the DaemonSet controller add by themselves, such as \
               `node.kubernetes.io/not-ready` with the effect `NoExecute`, are let pass, unless `reserved` has their key \
               without a `*`. Those of other plugins, as ExtendedResourceToleration adds them for `nvidia.com/gpu`, have \
               to be allowed. An update that adds a toleration is judged, too.",
        history: "Enabled where a policy sets `controls.tolerations`.",
        fields: &["spec.tolerations"],
        fix: "Remove the toleration, or name the key and effect of a taint that the policy allows.",
        example: "tolerations:\n- key: nvidia.com/gpu\n  operator: Exists\n  effect: NoSchedule\n",
        cel: Cel::Whole,
    },
};

/// What the API server adds to every pod, to pods with requests, and what the DaemonSet controller adds to its own.
const ADDED_BY_KUBERNETES: [(&str, Effect); 7] = [
    ("node.kubernetes.io/not-ready", Effect::NoExecute),
    ("node.kubernetes.io/unreachable", Effect::NoExecute),
    ("node.kubernetes.io/memory-pressure", Effect::NoSchedule),
    ("node.kubernetes.io/disk-pressure", Effect::NoSchedule),
    ("node.kubernetes.io/pid-pressure", Effect::NoSchedule),
    ("node.kubernetes.io/unschedulable", Effect::NoSchedule),
    ("node.kubernetes.io/network-unavailable", Effect::NoSchedule),
];

/// The parameters of `controls.tolerations`: at least one of the lists.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Tolerations {
    /// The tolerations that a pod may have; empty for none but those that Kubernetes adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    allowed: Option<Vec<AllowedToleration>>,
    /// The taints that no pod may tolerate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    reserved: Vec<ReservedTaint>,
}

/// A toleration that a pod may have.
#[derive(Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AllowedToleration {
    /// A pattern of its key: `nvidia.com/*`; `*` also allows one without a key.
    key: Pattern,
    /// The one value that it may have; without it any, and the operator `Exists`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// The one effect that it may have; without it any, and none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    effect: Option<Effect>,
}

/// A taint that no pod may tolerate.
#[derive(Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReservedTaint {
    /// A pattern of its key: `dedicated.example.com/*`.
    key: Pattern,
    /// Its effect; without it every effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    effect: Option<Effect>,
}

/// What a taint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
enum Effect {
    /// New pods go elsewhere.
    NoSchedule,
    /// New pods go elsewhere if they can.
    PreferNoSchedule,
    /// New pods go elsewhere, and those that are there are evicted.
    NoExecute,
}

/// What is found of tolerations that cannot be read.
const UNREADABLE: Found<'_> = Found::UNREADABLE;

impl Check for Tolerations {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        let read = pod.spec.for_each_toleration(|toleration| {
            if !self.let_pass(&toleration) {
                let path = FieldPath::from("tolerations").index(toleration.index);
                sink(Finding::new(Subject::Pod, path, Found::Text(toleration.text), Fix::remove()));
            }
        });
        if read.is_err() {
            let fix = Fix::one_of(&["a list of tolerations as Kubernetes reads it"]);
            sink(Finding::new(Subject::Pod, "tolerations", UNREADABLE, fix));
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        let mut faults = Vec::new();
        if self.allowed.is_none() && self.reserved.is_empty() {
            let fault =
                "must have `allowed` or `reserved`: `allowed: []` lets pods have no tolerations of their own";
            faults.push(ParameterError::at(FieldPath::default(), fault));
        }
        let mut known = HashSet::new();
        for (index, allowed) in self.allowed.iter().flatten().enumerate() {
            let at = FieldPath::from("allowed").index(index);
            faults.extend(key_fault(&at, &allowed.key));
            if allowed.value.as_deref().is_some_and(|value| !is_label_value(value)) {
                let fault =
                    "is no value of a taint: at most 63 letters, digits, `-`, `_` and `.`; it is no pattern";
                faults.push(ParameterError::at(at.clone().fields("value"), fault));
            }
            if self.reserved.iter().any(|reserved| reserved.has_all_of(allowed)) {
                let fault = "allows nothing that is not reserved: take it out of one of the two lists";
                faults.push(ParameterError::at(at.clone(), fault));
            }
            faults.extend((!known.insert(allowed)).then(|| listed_twice(at)));
        }
        let mut known = HashSet::new();
        for (index, reserved) in self.reserved.iter().enumerate() {
            let at = FieldPath::from("reserved").index(index);
            faults.extend(key_fault(&at, &reserved.key));
            faults.extend((!known.insert(reserved)).then(|| listed_twice(at)));
        }
        faults
    }
}

fn key_fault(at: &FieldPath<'static>, key: &Pattern) -> Option<ParameterError> {
    let fault = "no taint has such a key: it is a name, or a domain, `/` and a name";
    (!can_match_label_key(key.as_str())).then(|| ParameterError::at(at.clone().fields("key"), fault))
}

fn listed_twice(at: FieldPath<'static>) -> ParameterError {
    ParameterError::at(at, "is listed twice: keep one of the two")
}

impl Tolerations {
    fn let_pass(&self, toleration: &Toleration<'_>) -> bool {
        let is_added = is_added_by_kubernetes(toleration);
        let is_reserved = self.reserved.iter().any(|reserved| {
            // Kubernetes' own are meant only where they are named.
            reserved.is_tolerated_by(toleration) && (!is_added || reserved.key.as_str() == toleration.key)
        });
        let is_allowed = || match &self.allowed {
            None => true,
            Some(allowed) => is_added || allowed.iter().any(|allowed| allowed.covers(toleration)),
        };
        !is_reserved && is_allowed()
    }
}

fn is_added_by_kubernetes(toleration: &Toleration<'_>) -> bool {
    toleration.operator == "Exists"
        && ADDED_BY_KUBERNETES
            .iter()
            .any(|(key, effect)| toleration.key == *key && toleration.effect == effect.name())
}

impl AllowedToleration {
    /// Whether a toleration tolerates no more than this one.
    fn covers(&self, toleration: &Toleration<'_>) -> bool {
        let is_equal = ["", "Equal"].contains(&toleration.operator.as_ref());
        self.key.matches(&toleration.key)
            && self.value.as_ref().is_none_or(|value| is_equal && toleration.value == *value)
            && self.effect.is_none_or(|effect| toleration.effect == effect.name())
    }
}

impl ReservedTaint {
    /// Whether a toleration tolerates any taint of this kind. Its value may be any.
    fn is_tolerated_by(&self, toleration: &Toleration<'_>) -> bool {
        let effect = toleration.effect.as_ref();
        (toleration.key.is_empty() || self.key.matches(&toleration.key))
            && (effect.is_empty() || self.effect.is_none_or(|own| own.name() == effect))
    }

    /// Whether every toleration that is `allowed` tolerates taints of this kind.
    fn has_all_of(&self, allowed: &AllowedToleration) -> bool {
        self.key.matches(allowed.key.as_str()) && self.effect.is_none_or(|own| allowed.effect == Some(own))
    }
}

impl Effect {
    fn name(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let fields: Vec<String> = findings.iter().map(|finding| finding.whole_path().to_string()).collect();
    let fields = text::sorted_set(fields.iter().map(String::as_str)).join(", ");
    Violation { reason: "tolerations", detail: format!("pod must not set {fields}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Reader;
    use crate::pod::Pod;

    fn toleration<'t>(key: &'t str, operator: &'t str, value: &'t str, effect: &'t str) -> Toleration<'t> {
        Toleration {
            key: key.into(),
            operator: operator.into(),
            value: value.into(),
            effect: effect.into(),
            ..Toleration::default()
        }
    }

    fn tolerations(parameters: &str) -> Tolerations {
        serde_json::from_str(parameters).expect(parameters)
    }

    #[test]
    fn allowed_tolerations_cover_what_tolerates_no_more() {
        let control = tolerations(
            r#"{"allowed":[{"key":"nvidia.com/*"},{"key":"team","value":"a","effect":"NoSchedule"}]}"#,
        );
        for (given, expected) in [
            (toleration("nvidia.com/gpu", "Exists", "", ""), true),
            (toleration("nvidia.com/gpu", "Equal", "x", "NoExecute"), true),
            (toleration("team", "", "a", "NoSchedule"), true),
            (toleration("team", "Equal", "a", "NoSchedule"), true),
            (toleration("team", "Equal", "b", "NoSchedule"), false),
            (toleration("team", "Exists", "", "NoSchedule"), false),
            (toleration("team", "Gt", "a", "NoSchedule"), false),
            (toleration("team", "Equal", "a", ""), false),
            (toleration("", "Exists", "", ""), false),
            (toleration("", "Exists", "", "NoSchedule"), false),
            (toleration("node.kubernetes.io/not-ready", "Exists", "", "NoExecute"), true),
            (toleration("node.kubernetes.io/not-ready", "Exists", "", ""), false),
            (toleration("node.kubernetes.io/unschedulable", "Exists", "", "NoSchedule"), true),
            (toleration("node.kubernetes.io/unschedulable", "Exists", "", "NoExecute"), false),
            (toleration("node.kubernetes.io/out-of-service", "Exists", "", "NoExecute"), false),
        ] {
            assert_eq!(control.let_pass(&given), expected, "{given:?}");
        }
        let any = tolerations(r#"{"allowed":[{"key":"*"}]}"#);
        assert!(any.let_pass(&toleration("", "Exists", "", "")));
        let of_an_effect = tolerations(r#"{"allowed":[{"key":"*","effect":"NoSchedule"}]}"#);
        assert!(of_an_effect.let_pass(&toleration("", "Exists", "", "NoSchedule")));
        assert!(!of_an_effect.let_pass(&toleration("", "Exists", "", "")));
    }

    #[test]
    fn reserved_taints_are_tolerated_by_what_overlaps_with_them() {
        let control = tolerations(
            r#"{"reserved":[{"key":"dedicated/*","effect":"NoSchedule"},{"key":"node.kubernetes.io/*"},
                {"key":"node.kubernetes.io/unschedulable"}]}"#,
        );
        for (given, expected) in [
            (toleration("dedicated/a", "Equal", "x", "NoSchedule"), false),
            (toleration("dedicated/a", "Exists", "", ""), false),
            (toleration("dedicated/a", "Exists", "", "NoExecute"), true),
            (toleration("nvidia.com/gpu", "Exists", "", ""), true),
            (toleration("", "Exists", "", ""), false),
            (toleration("", "Exists", "", "NoSchedule"), false),
            (toleration("", "Equal", "", "PreferNoSchedule"), false),
            (toleration("node.kubernetes.io/not-ready", "Exists", "", "NoExecute"), true),
            (toleration("node.kubernetes.io/not-ready", "Exists", "", "NoSchedule"), false),
            (toleration("node.kubernetes.io/unschedulable", "Exists", "", "NoSchedule"), false),
        ] {
            assert_eq!(control.let_pass(&given), expected, "{given:?}");
        }
        let of_an_effect = tolerations(r#"{"reserved":[{"key":"a","effect":"NoExecute"}]}"#);
        assert!(of_an_effect.let_pass(&toleration("", "Exists", "", "NoSchedule")));
    }

    #[test]
    fn tolerations_that_cannot_be_read_are_not_passed_over() {
        let control = tolerations(r#"{"allowed":[]}"#);
        let many = format!("[{}{{}}]", r#"{"key":"node.kubernetes.io/not-ready"},"#.repeat(1000));
        for (list, expected) in [
            ("null", &[][..]),
            ("[]", &[]),
            ("[null]", &["spec.tolerations[0]"]),
            ("{}", &["spec.tolerations"]),
            (r#"[{"key":7}]"#, &["spec.tolerations"]),
            (r#"[{"key":"a","key":"b"}]"#, &["spec.tolerations"]),
            (r#"[{"Key":"a"}]"#, &["spec.tolerations"]),
            (&many, &["spec.tolerations"]),
        ] {
            let text = format!(r#"{{"spec":{{"tolerations":{list}}}}}"#);
            let pod = Pod::read(&mut Reader::over(&text)).expect("a pod");
            let mut found = Vec::new();
            control.check(CheckedPod::new(&pod), &mut |finding| found.push(finding.whole_path().to_string()));
            assert_eq!(found.last().into_iter().collect::<Vec<_>>(), expected, "{list:.40}");
        }
    }
}
