//! `privilegeEscalation` (extended): no process gains more privileges than its parent, and podgate may see to it.

use serde::{Deserialize, Serialize};

use crate::controls::windows::OTHER_POLICY;
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, Parameters, allow_privilege_escalation,
};
use crate::finding::{Finding, Found, Sink};
use crate::pod::Changes;

pub(super) static CONTROL: Control = Control {
    id: "privilegeEscalation",
    number: 42,
    values: &[FoundValue::Bool(true)],
    origin: Origin::Extended {
        parameters: Parameters::of::<PrivilegeEscalation>(),
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation: allow_privilege_escalation::violation,
    doc: Doc {
        title: "Privilege escalation, by itself",
        rule: "Every container must set `allowPrivilegeEscalation: false`, so that no process gains privileges that \
               its parent does not have, through set-user-id files such as sudo. It is the standard's \
               `allowPrivilegeEscalation`, for policies that want this rule without the rest of the restricted \
               level. With `explicit: Allowed` a container that says `true` is let in, and only one that says nothing is \
               not. Windows has no such field, so this control refuses pods with `os.name: windows`.",
        history: "Enabled where a policy sets `controls.privilegeEscalation`.",
        fields: &[
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.allowPrivilegeEscalation",
        ],
        fix: "Set `securityContext.allowPrivilegeEscalation: false` on every container; `fillIn: true` does so \
              where it is absent. The API server does not take it beside `privileged: true` or the capability \
              CAP_SYS_ADMIN in this spelling: these have to go first.",
        example: "containers:\n- name: trainer\n  securityContext:\n    allowPrivilegeEscalation: false\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.privilegeEscalation`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PrivilegeEscalation {
    /// Whether `false` is filled in where a container says nothing.
    #[serde(default)]
    fill_in: bool,
    /// Whether a container may say `true`.
    #[serde(default)]
    explicit: Explicit,
}

/// Whether a container may ask for privilege escalation.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
enum Explicit {
    /// It may, if it says so.
    Allowed,
    /// It may not.
    #[default]
    Forbidden,
}

impl Check for PrivilegeEscalation {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        let is_allowed = self.explicit == Explicit::Allowed;
        let mut unasked = |finding: Finding<'p>| {
            if !(is_allowed && finding.found == Found::Bool(true)) {
                sink(finding);
            }
        };
        allow_privilege_escalation::find(pod, &mut unasked, self.fill_in, &OTHER_POLICY);
    }
}
