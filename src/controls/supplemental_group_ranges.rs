//! `supplementalGroupRanges` (extended): the further groups of a pod are of the policy's ranges, or its namespace's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::controls::allowed_ids::AllowedIds;
use crate::controls::container_ids;
use crate::controls::id_range::IdRange;
use crate::controls::id_ranges::{IdDefault, IdKind, IdRules, yes};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation,
};
use crate::finding::{EditOp, FieldPath, Finding, Fix, Found, Sink, Subject, Value};
use crate::pod::{Changes, Pod};

pub(super) static CONTROL: Control = Control {
    id: "supplementalGroupRanges",
    number: 57,
    values: &[FoundValue::Integer, FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<SupplementalGroupRanges>(),
        // They are immutable.
        depends_on: Changes::NONE,
    },
    violation,
    doc: Doc {
        title: "Ranges of further groups",
        rule: "Each of the pod's `supplementalGroups` must be in a range that the policy lists or, with `fromNamespace: true`, in \
               a block of the annotation `openshift.io/sa.scc.supplemental-groups` of the pod's namespace or, where that is \
               missing, of `openshift.io/sa.scc.uid-range`. Where they are required, as with `MustRunAs` of a \
               PodSecurityPolicy, an empty list is refused, too. How blocks are written, what `required` and `default` do, and \
               what `PerServiceAccount` is and is not, is said of [`runAsUserRanges`](#runasuserranges); but a group may be \
               filled in as 0 where the ranges have it. `policies: [Strict]` keeps the groups out that the image gives its \
               user; the pod then has to say `supplementalGroupsPolicy: Strict`, since the API server takes `Merge` where it \
               says nothing.",
        history: "Enabled where a policy sets `controls.supplementalGroupRanges`.",
        fields: &[
            "metadata.namespace",
            "spec.securityContext.supplementalGroups",
            "spec.securityContext.supplementalGroupsPolicy",
        ],
        fix: "Set `supplementalGroups` to numbers of the ranges, and `supplementalGroupsPolicy` to a policy that is allowed. If \
              the message is about the namespace, whoever runs the cluster has to set its annotation.",
        example: "securityContext:\n  supplementalGroups: [1000]\n  supplementalGroupsPolicy: Strict\n",
        cel: Cel::Partly("a default that depends on the service account"),
    },
};

const GROUPS: &str = "securityContext.supplementalGroups";
const POLICY: &str = "securityContext.supplementalGroupsPolicy";

/// The parameters of `controls.supplementalGroupRanges`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SupplementalGroupRanges {
    /// The groups that are allowed, in ranges as `{min: 1000, max: 1999}`; both ends are included.
    #[serde(default)]
    ranges: Vec<IdRange>,
    /// Whether the groups are allowed, too, that the annotation of the pod's namespace has. By default `false`.
    #[serde(default)]
    from_namespace: bool,
    /// Whether a group has to be set. By default `true`; with `false` only those that are set are judged.
    #[serde(default = "yes")]
    required: bool,
    /// What is filled in where none is set: `Lowest` of the first range, or `PerServiceAccount`, a group that stays the same
    /// for a service account. By default nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<IdDefault>,
    /// The values that `supplementalGroupsPolicy` may have. By default both, `Merge` and `Strict`.
    #[serde(default = "all_policies")]
    #[schemars(length(min = 1))]
    policies: Vec<GroupsPolicy>,
}

/// A value of `supplementalGroupsPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
enum GroupsPolicy {
    /// The groups that the image gives its user are added.
    Merge,
    /// They are not.
    Strict,
}

impl GroupsPolicy {
    fn name(self) -> &'static str {
        match self {
            Self::Merge => "Merge",
            Self::Strict => "Strict",
        }
    }
}

fn all_policies() -> Vec<GroupsPolicy> {
    vec![GroupsPolicy::Merge, GroupsPolicy::Strict]
}

impl SupplementalGroupRanges {
    fn rules(&self) -> IdRules<'_> {
        let Self { ref ranges, from_namespace, required, default, .. } = *self;
        IdRules { kind: IdKind::Group, ranges, from_namespace, required, default }
    }

    fn check_policy<'p>(&self, pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
        let found = pod.spec.security.supplemental_groups_policy.as_ref();
        // The API server takes an absent one for that.
        let policy = if found.is_empty() { GroupsPolicy::Merge.name() } else { found };
        if self.policies.iter().any(|allowed| allowed.name() == policy) {
            return;
        }
        let found = if found.is_empty() { Found::Absent } else { Found::Text(found) };
        let allowed = self.policies.first().map_or("", |allowed| allowed.name());
        sink(Finding::new(Subject::Pod, POLICY, found, Fix::set(Value::Text(allowed))));
    }
}

impl Check for SupplementalGroupRanges {
    fn check<'p>(&'p self, checked: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        self.check_policy(checked.pod, sink);
        let Some(allowed) = AllowedIds::of(self.rules(), checked, sink) else { return };
        let groups = &checked.pod.spec.security.supplemental_groups;
        for (index, id) in groups.iter().flatten().enumerate().filter(|(_, id)| !allowed.have(**id)) {
            let path = FieldPath::from(GROUPS).index(index);
            sink(allowed.with_advice(Subject::Pod, path, Found::Integer(*id)));
        }
        match groups.as_deref() {
            None if allowed.are_required() => {
                sink(with_list(&allowed, allowed.absent(Subject::Pod, GROUPS, list_of)));
            }
            Some([]) if allowed.are_required() => {
                sink(with_list(&allowed, allowed.with_advice(Subject::Pod, GROUPS, Found::List(&[]))));
            }
            None | Some(_) => {}
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        let mut faults = self.rules().faults();
        let is_twice = |(at, policy): &(usize, &GroupsPolicy)| {
            self.policies.iter().take(*at).any(|other| other == *policy)
        };
        let twice = self.policies.iter().enumerate().filter(is_twice);
        faults.extend(twice.map(|(index, _)| {
            ParameterError::at(FieldPath::from("policies").index(index), "stands in the list already")
        }));
        faults
    }

    fn namespace_annotations(&self) -> &'static [&'static str] {
        self.rules().annotations()
    }
}

/// The same finding, with the advice to set a list where it is to set a number.
fn with_list<'p>(allowed: &AllowedIds<'p>, finding: Finding<'p>) -> Finding<'p> {
    let is_of_number =
        matches!(finding.fix, Fix::Range { .. } | Fix::Edit { op: EditOp::Set(Value::Integer(_)), .. });
    let id = allowed.first().filter(|_| is_of_number);
    Finding { fix: id.map_or(finding.fix, |id| Fix::set(list_of(id))), ..finding }
}

/// The list of one group.
fn list_of<'v>(id: i64) -> Value<'v> {
    Value::Json(format!("[{id}]").into())
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let (of_policy, of_groups): (Vec<Finding<'_>>, Vec<Finding<'_>>) =
        findings.iter().cloned().partition(|finding| finding.path.is(POLICY));
    let mut parts = Vec::new();
    if let [finding, ..] = of_policy.as_slice() {
        let found = finding.found;
        let is_set = found != Found::Absent;
        parts.push(if is_set {
            format!("pod must not set {POLICY}={found}")
        } else {
            format!("pod must set {POLICY}")
        });
    }
    if !of_groups.is_empty() {
        parts.push(container_ids::violation("", GROUPS, &of_groups).detail);
    }
    Violation { reason: "supplementalGroups not allowed", detail: parts.join("; ") }
}
