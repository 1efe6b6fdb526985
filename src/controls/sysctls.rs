//! `sysctls` (baseline): only sysctls that stay within the pod's own namespaces.

use crate::controls::{Cel, Control, Doc, FoundValue, Level, Origin, Revision, Violation, text};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject};
use crate::pod::Pod;

pub(super) static CONTROL: Control = Control {
    id: "sysctls",
    number: 12,
    values: &[FoundValue::Text],
    origin: Origin::Standard {
        level: Level::Baseline,
        revisions: &[
            Revision { since: 0, check },
            Revision { since: 27, check: check_from_1_27 },
            Revision { since: 29, check: check_from_1_29 },
            Revision { since: 32, check: check_from_1_32 },
            Revision { since: 37, check: check_from_1_37 },
        ],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "Sysctls",
        rule: "Sysctls can turn off security mechanisms or affect every pod of a node. Only those that are \
               namespaced and isolated from other pods may be set: kernel.shm_rmid_forced, \
               net.ipv4.ip_local_port_range, net.ipv4.ip_unprivileged_port_start, net.ipv4.ping_group_range, \
               net.ipv4.tcp_syncookies, and the ones that later versions added. Names are exact, with dots.",
        history: "v1.27 adds net.ipv4.ip_local_reserved_ports; v1.29 net.ipv4.tcp_fin_timeout, \
                  net.ipv4.tcp_keepalive_intvl, net.ipv4.tcp_keepalive_probes and net.ipv4.tcp_keepalive_time; v1.32 \
                  net.ipv4.tcp_rmem and net.ipv4.tcp_wmem; v1.37 net.ipv4.tcp_notsent_lowat and \
                  net.ipv4.tcp_slow_start_after_idle.",
        fields: &["spec.securityContext.sysctls[*].name"],
        fix: "Remove the sysctl, or have it set on the nodes.",
        example: "securityContext:\n  sysctls:\n  - name: net.ipv4.ip_unprivileged_port_start\n    value: \"0\"\n",
        cel: Cel::Whole,
    },
};

/// The allowed sysctls, with the version that added each; oldest first, so that each version's
/// list is a prefix of this one.
const ALLOWED: [&str; 14] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    // v1.27
    "net.ipv4.ip_local_reserved_ports",
    // v1.29
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    // v1.32
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    // v1.37
    "net.ipv4.tcp_slow_start_after_idle",
    "net.ipv4.tcp_notsent_lowat",
];

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    find(5, pod, sink);
}

fn check_from_1_27<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    find(6, pod, sink);
}

fn check_from_1_29<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    find(10, pod, sink);
}

fn check_from_1_32<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    find(12, pod, sink);
}

fn check_from_1_37<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    find(14, pod, sink);
}

/// Finds the sysctls that are not among the first `count` of [`ALLOWED`].
fn find<'p>(count: usize, pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    let is_allowed = |name: &str| ALLOWED.iter().take(count).any(|allowed| *allowed == name);
    find_forbidden(|name| (!is_allowed(name)).then_some(ON_THE_NODES), pod, sink);
}

/// What else helps than to remove a sysctl.
pub(super) const ON_THE_NODES: &str = "or have it set on the nodes";

/// Finds the sysctls for which there is help, as none is needed for those that are allowed.
pub(super) fn find_forbidden<'p>(
    help: impl Fn(&str) -> Option<&'static str>,
    pod: &'p Pod<'_>,
    sink: &mut Sink<'_, 'p>,
) {
    for (index, name) in pod.spec.security.sysctls.iter().enumerate() {
        let Some(help) = help(name) else { continue };
        // A sysctl without a name is none: the whole item has to go.
        let item = FieldPath::from("securityContext.sysctls").index(index);
        let fix = Fix::remove_at(Subject::Pod, item.clone());
        sink(Finding::new(Subject::Pod, item.fields("name"), Found::Text(name), fix).help(help));
    }
}

/// Names in the order of the list, repeats and all, without quotes.
pub(super) fn violation(findings: &[Finding<'_>]) -> Violation {
    let names: Vec<&str> = text::found_texts(findings).collect();
    Violation { reason: "forbidden sysctls", detail: names.join(", ") }
}
