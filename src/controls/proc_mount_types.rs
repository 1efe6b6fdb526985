//! `procMountTypes` (extended): only the mount types of `/proc` that the policy lists.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, lists, proc_mount,
};
use crate::finding::Sink;
use crate::pod::Changes;

pub(super) static CONTROL: Control = Control {
    id: "procMountTypes",
    number: 44,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<ProcMountTypes>(),
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation: proc_mount::violation,
    doc: Doc {
        title: "/proc mount types of the policy",
        rule: "The mount type of `/proc` must be absent, or one that the policy lists. Runtimes mask the parts of \
               `/proc` that reveal information about the node or allow changes to it; `Unmasked` shows them, and \
               the API server takes it only of a pod in a user namespace (`hostUsers: false`).",
        history: "Enabled where a policy sets `controls.procMountTypes`. The baseline level allows `Unmasked` from \
                  v1.35 to pods in a user namespace, and restricted never.",
        fields: &["spec.{containers,initContainers,ephemeralContainers}[*].securityContext.procMount"],
        fix: "Remove `procMount`.",
        example: "containers:\n- name: trainer\n  securityContext:\n    procMount: Default\n",
        cel: Cel::Whole,
    },
};

/// The type that every container has that says nothing.
const DEFAULT: &str = "Default";

/// The parameters of `controls.procMountTypes`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProcMountTypes {
    /// The allowed types, `Default` among them.
    #[serde(default = "only_default")]
    #[schemars(with = "Vec<ProcMountType>", length(min = 1))]
    allowed: Vec<String>,
}

fn only_default() -> Vec<String> {
    vec![DEFAULT.to_owned()]
}

/// A mount type of `/proc`, for the schema.
struct ProcMountType;

impl schemars::JsonSchema for ProcMountType {
    fn schema_name() -> Cow<'static, str> {
        "ProcMountType".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "enum": [DEFAULT, "Unmasked"] })
    }
}

impl Check for ProcMountTypes {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        proc_mount::find_set(|kind| self.allowed.iter().any(|allowed| allowed == kind), pod, sink);
    }

    fn faults(&self) -> Vec<ParameterError> {
        let mut faults = lists::repeated("allowed", &self.allowed);
        if !self.allowed.iter().any(|allowed| allowed == DEFAULT) {
            let message = "refuses Default, which every ordinary container has: list it as well";
            faults.push(ParameterError::at("allowed".into(), message));
        }
        faults
    }
}
