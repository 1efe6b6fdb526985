//! `readOnlyRootFilesystem` (extended): no container can write to its root filesystem.

use serde::{Deserialize, Serialize};

use crate::controls::windows::{NOT_ON_WINDOWS, OTHER_POLICY};
use crate::controls::{Cel, Check, CheckedPod, Control, Doc, Origin, Parameters, Violation, text};
use crate::finding::{Finding, Fix, Found, Sink, Subject, Value};
use crate::pod::Changes;

pub(super) static CONTROL: Control = Control {
    id: "readOnlyRootFilesystem",
    number: 20,
    origin: Origin::Extended {
        parameters: Parameters::of::<ReadOnlyRootFilesystem>(),
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation,
    doc: Doc {
        title: "Read-only root filesystem",
        rule: "Every container must set `readOnlyRootFilesystem: true`, so that an attacker inside it can neither \
               change its programs nor leave others there.",
        history: "Enabled where a policy sets `controls.readOnlyRootFilesystem`.",
        fields: &[
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.readOnlyRootFilesystem",
        ],
        fix: "Set `readOnlyRootFilesystem: true`, and mount an `emptyDir` wherever the program writes: `/tmp`, caches, \
              checkpoints.",
        example: "containers:\n- name: server\n  securityContext:\n    readOnlyRootFilesystem: true\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.readOnlyRootFilesystem`: none but those of every control.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReadOnlyRootFilesystem {}

impl Check for ReadOnlyRootFilesystem {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        for (at, container) in pod.containers() {
            let is_read_only =
                container.security.as_ref().and_then(|security| security.read_only_root_filesystem);
            if is_read_only == Some(true) {
                continue;
            }
            let found = is_read_only.map_or(Found::Absent, Found::Bool);
            let (fix, help) = if pod.is_windows() {
                (OTHER_POLICY, NOT_ON_WINDOWS)
            } else {
                (Fix::set(Value::Bool(true)), "mount an emptyDir wherever the program writes")
            };
            let subject = Subject::Container(at);
            sink(Finding::new(subject, "securityContext.readOnlyRootFilesystem", found, fix).help(help));
        }
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation {
        reason: "writable root filesystem",
        detail: format!(
            "{} must set securityContext.readOnlyRootFilesystem=true",
            text::containers(&text::container_names(findings))
        ),
    }
}
