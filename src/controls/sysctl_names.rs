//! `sysctlNames` (extended): only the sysctls that the policy lists, and none that it forbids.

use serde::{Deserialize, Serialize};

use crate::controls::pattern::{Pattern, any_matches};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, lists, sysctls,
};
use crate::finding::{FieldPath, Sink};
use crate::pod::{Changes, stands_for};

pub(super) static CONTROL: Control = Control {
    id: "sysctlNames",
    number: 58,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<SysctlNames>(),
        // Immutable.
        depends_on: Changes::NONE,
    },
    violation: sysctls::violation,
    doc: Doc {
        title: "Sysctls of the policy",
        rule: "A sysctl must match a pattern in `allowed`, if the policy has that list, and none in `forbidden`. \
               Nothing is allowed beside the list: it has to name the sysctls that Kubernetes calls safe as well. A \
               name that is written with slashes, as `kernel/shmmax`, is refused whatever it is: patterns are of \
               names with dots.",
        history: "Enabled where a policy sets `controls.sysctlNames`. The baseline and restricted levels have a \
                  list of their own, unless `standard.except` relaxes `sysctls`.",
        fields: &["spec.securityContext.sysctls[*].name"],
        fix: "Remove the sysctl, or have it set on the nodes.",
        example: "securityContext:\n  sysctls:\n  - name: net.ipv4.ip_unprivileged_port_start\n    value: \"0\"\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.sysctlNames`: at least one of the two lists.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SysctlNames {
    /// The sysctls that may be set, `*` standing for any characters: `net.ipv4.tcp_*`. Empty for none; without it any that is
    /// not forbidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    allowed: Option<Vec<Pattern>>,
    /// Those that may not, whatever is allowed: `kernel.*`.
    #[serde(default)]
    forbidden: Vec<Pattern>,
}

impl Check for SysctlNames {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        sysctls::find_forbidden(|name| self.help(name), pod, sink);
    }

    fn faults(&self) -> Vec<ParameterError> {
        let allowed = self.allowed.as_deref().unwrap_or_default();
        let mut faults = Vec::new();
        if self.allowed.is_none() && self.forbidden.is_empty() {
            faults.push(ParameterError::at(FieldPath::default(), "needs allowed or forbidden"));
        }
        for (field, patterns) in [("allowed", allowed), ("forbidden", &self.forbidden)] {
            faults.extend(lists::repeated(field, patterns));
            faults.extend(lists::faults(field, patterns, |pattern| {
                let has_slash = pattern.as_str().contains('/');
                let slash = has_slash.then_some("write it with dots: kernel.shmmax");
                let name = || {
                    let is_possible = stands_for(pattern.as_str(), is_sysctl);
                    (!is_possible)
                        .then_some("no sysctl is called so: write it in lower case, as net.ipv4.tcp_rmem")
                };
                slash.or_else(name).map(str::to_owned)
            }));
        }
        // A pattern is a text as well, and where another one stands for that, it stands for all that the pattern does.
        faults.extend(lists::faults("allowed", allowed, |pattern| {
            let is_forbidden = any_matches(&self.forbidden, pattern.as_str());
            is_forbidden.then(|| "is forbidden as a whole: leave it out of one of the two lists".to_owned())
        }));
        faults
    }
}

/// Whether the API server takes a name with dots: lower-case letters and digits, with `-` and `_` between them in each part.
fn is_sysctl(name: &str) -> bool {
    let is_end =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_part = |part: &str| {
        let bytes = part.as_bytes();
        let are_plain = bytes.iter().all(|byte| is_end(Some(byte)) || b"-_".contains(byte));
        are_plain && is_end(bytes.first()) && is_end(bytes.last())
    };
    name.len() <= 253 && name.split('.').all(is_part)
}

impl SysctlNames {
    /// What to do about a sysctl besides removing it; nothing if it may be set.
    fn help(&self, name: &str) -> Option<&'static str> {
        // What begins with a slash between its parts is another spelling of a name with dots, as the kubelet reads it.
        if name.find(['.', '/']).is_some_and(|at| name.get(at..).is_some_and(|rest| rest.starts_with('/'))) {
            return Some("or write it with dots, as the policy does");
        }
        let is_listed = self.allowed.as_ref().is_none_or(|allowed| any_matches(allowed, name));
        let is_allowed = is_listed && !any_matches(&self.forbidden, name);
        (!is_allowed).then_some(sysctls::ON_THE_NODES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_judged_however_it_is_written() {
        let patterns = |texts: &[&str]| texts.iter().map(|text| Pattern::from(*text)).collect::<Vec<_>>();
        let all_but = SysctlNames { allowed: None, forbidden: patterns(&["kernel.*"]) };
        let some = SysctlNames {
            allowed: Some(patterns(&["net.*", "kernel.shm*"])),
            forbidden: patterns(&["net.core.*"]),
        };
        for (name, by_all_but, by_some) in [
            ("kernel.shmmax", false, true),
            ("kernel/shmmax", false, false),
            ("kernel.msgmax", false, false),
            ("net.ipv4.tcp_rmem", true, true),
            ("net.ipv4.conf.eth0/1.forwarding", true, true),
            ("net/ipv4/tcp_rmem", false, false),
            ("net.core.somaxconn", true, false),
            ("", true, false),
        ] {
            let found = (all_but.help(name).is_none(), some.help(name).is_none());
            assert_eq!(found, (by_all_but, by_some), "{name}");
        }
    }
}
