//! `sysctls` (baseline): only sysctls that end at the pod's own namespaces.

use crate::controls::{Control, Doc, Finding, Found, Kind, Level, Remedy, Revision, Sink, Violation, text};
use crate::pod::{Field, Place, Pod};

pub(super) static CONTROL: Control = Control {
    id: "sysctls",
    number: 12,
    kind: Kind::Standard {
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
        rule: "Sysctls can turn security mechanisms off or disturb every pod of a node. Only those that are \
               namespaced and apart from other pods may be set: kernel.shm_rmid_forced, \
               net.ipv4.ip_local_port_range, net.ipv4.ip_unprivileged_port_start, net.ipv4.ping_group_range, \
               net.ipv4.tcp_syncookies, and the ones that later versions added. Names are exact, with dots.",
        history: "v1.27 adds net.ipv4.ip_local_reserved_ports; v1.29 net.ipv4.tcp_fin_timeout, \
                  net.ipv4.tcp_keepalive_intvl, net.ipv4.tcp_keepalive_probes and net.ipv4.tcp_keepalive_time; v1.32 \
                  net.ipv4.tcp_rmem and net.ipv4.tcp_wmem; v1.37 net.ipv4.tcp_notsent_lowat and \
                  net.ipv4.tcp_slow_start_after_idle.",
        fields: &["spec.securityContext.sysctls[*].name"],
        mend: "Remove the sysctl, or have it set on the nodes.",
        example: "securityContext:\n  sysctls:\n  - name: net.ipv4.ip_unprivileged_port_start\n    value: \"0\"\n",
    },
};

/// The sysctls that pass, with the version that brought each; oldest first, so that each version's
/// list is a beginning of this one.
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
    for (index, name) in pod.spec.security.sysctls.iter().enumerate() {
        if ALLOWED.iter().take(count).any(|allowed| allowed == name) {
            continue;
        }
        sink(Finding::new(
            &CONTROL,
            Place::Pod,
            Field::item("securityContext.sysctls", index, "name"),
            Found::Text(name),
            Remedy::Remove,
        ));
    }
}

/// Names in the order of the list, repeats and all, without quotes.
fn violation(findings: &[Finding<'_>]) -> Violation {
    let names: Vec<&str> = text::found_texts(findings).collect();
    Violation { reason: "forbidden sysctls", detail: names.join(", ") }
}
