//! `hostUsers` (extended): every pod runs in a user namespace of its own.

use serde::{Deserialize, Serialize};

use crate::controls::windows::{NOT_ON_WINDOWS, OTHER_POLICY};
use crate::controls::{Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, Parameters, Violation};
use crate::finding::{Finding, Fix, Found, Sink, Subject, Value};
use crate::pod::{Changes, Pod};

pub(super) static CONTROL: Control = Control {
    id: "hostUsers",
    number: 34,
    values: &[FoundValue::Bool(true)],
    origin: Origin::Extended {
        parameters: Parameters::of::<HostUsers>(),
        // Immutable.
        depends_on: Changes::NONE,
    },
    violation,
    doc: Doc {
        title: "User namespaces",
        rule: "Pods must set `hostUsers: false`, so that each runs in a user namespace of its own: root in its \
               containers is nobody on the node, even after an escape. Such a pod can share no other namespace of \
               the node, has no raw block devices, and its volumes must support id-mapped mounts, which NFS does \
               not; GPU drivers may not either. Windows has no user namespaces, so this control refuses pods with \
               `os.name: windows`.",
        history: "Enabled where a policy sets `controls.hostUsers`. Nodes support it from Kubernetes v1.33 by \
                  default.",
        fields: &["spec.hostUsers"],
        fix: "Set `hostUsers: false`, and remove `hostNetwork`, `hostPID` and `hostIPC`; `fillIn: true` sets it \
              where it is absent and nothing in the pod contradicts it.",
        example: "hostUsers: false\ncontainers:\n- name: trainer\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.hostUsers`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HostUsers {
    /// Whether `false` is filled in where a pod says nothing.
    #[serde(default)]
    fill_in: bool,
}

impl Check for HostUsers {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        if pod.has_user_namespace() {
            return;
        }
        let found = pod.spec.host_users.map_or(Found::Absent, Found::Bool);
        let (fix, help) = if pod.is_windows() {
            (OTHER_POLICY, NOT_ON_WINDOWS)
        } else {
            let help = contradiction(pod);
            let is_safe = self.fill_in && pod.spec.host_users.is_none() && help.is_empty();
            (Fix::fill_in(Value::Bool(false), is_safe), help)
        };
        sink(Finding::new(Subject::Pod, "hostUsers", found, fix).help(help));
    }
}

/// What has to go before the API server or the kubelet takes a pod in a user namespace.
fn contradiction(pod: &Pod<'_>) -> &'static str {
    let spec = &pod.spec;
    if spec.host_network || spec.host_pid || spec.host_ipc {
        "and remove hostNetwork, hostPID and hostIPC, which it excludes"
    } else if pod.containers().any(|(_, container)| container.may_have_volume_devices) {
        "and mount volumes in place of volumeDevices, which it excludes"
    } else {
        ""
    }
}

fn violation(_: &[Finding<'_>]) -> Violation {
    Violation { reason: "hostUsers != false", detail: "pod must set hostUsers=false".to_owned() }
}
