//! `hostPortRanges` (extended): only the ports of the node that the policy lists.

use serde::{Deserialize, Serialize};

use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation,
    host_ports, lists, text,
};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject};
use crate::pod::{Changes, Container, ContainerRef, Pod};

pub(super) static CONTROL: Control = Control {
    id: "hostPortRanges",
    number: 33,
    values: &[FoundValue::Integer],
    origin: Origin::Extended {
        parameters: Parameters::of::<HostPortRanges>(),
        // Ports are immutable, but a new ephemeral container brings its own.
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation,
    doc: Doc {
        title: "Ranges of host ports",
        rule: "A container may use only the ports of the node that are in a range of the policy; 0 is none. On the \
               host's network (`hostNetwork: true`) a `containerPort` without a `hostPort` is one, since the API \
               server makes it one.",
        history: "Enabled where a policy sets `controls.hostPortRanges`. The baseline and restricted levels allow \
                  no host port at all, unless `standard.except` relaxes `hostPorts`.",
        fields: &[
            "spec.{containers,initContainers,ephemeralContainers}[*].ports[*].{hostPort,containerPort}",
        ],
        fix: "Remove `hostPort` and reach the pod through a Service, or use a port that the policy lists.",
        example: "containers:\n- name: server\n  ports:\n  - containerPort: 8080\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.hostPortRanges`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HostPortRanges {
    /// The ports of the node that may be used; empty for none.
    allowed: Vec<PortRange>,
}

/// Ports from the least to the greatest, both included.
#[derive(Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PortRange {
    /// The least.
    min: i64,
    /// The greatest.
    max: i64,
}

/// The ports that there are.
const PORTS: PortRange = PortRange { min: 1, max: 65_535 };

/// What is found of ports that are none, which the API server would not take either.
const UNREADABLE: Found<'_> = Found::UNREADABLE;

impl Check for HostPortRanges {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        for (at, container) in pod.containers() {
            host_ports::find(pod, at, container, |port| self.fix_of(port), sink);
            if pod.spec.host_network {
                self.find_container_ports(pod, at, container, sink);
            }
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        let mut faults = lists::faults("allowed", &self.allowed, PortRange::fault);
        for (index, range) in self.allowed.iter().enumerate() {
            let mut before = self.allowed.iter().take(index);
            let overlaps = |before: &PortRange| {
                before.fault().is_none() && range.fault().is_none() && before.overlaps(range)
            };
            if let Some(other) = before.position(overlaps) {
                let path = FieldPath::from("allowed").index(index);
                faults.push(ParameterError::at(
                    path,
                    format!("overlaps allowed[{other}]: make one range of the two"),
                ));
            }
        }
        faults
    }
}

impl HostPortRanges {
    /// Finds what the API server makes a host port of.
    fn find_container_ports<'p>(
        &self,
        pod: &Pod<'_>,
        at: ContainerRef<'p>,
        container: &'p Container<'_>,
        sink: &mut Sink<'_, 'p>,
    ) {
        let subject = Subject::Container(at);
        let read = container.for_each_port_without_host_port(|index, port| {
            if let Some(fix) = self.fix_of(port).filter(|_| port != 0) {
                let path = FieldPath::from("ports").index(index).fields("containerPort");
                let finding = Finding::new(subject, path, Found::Integer(port.into()), fix);
                sink(finding.help(host_ports::help(pod)));
            }
        });
        if read.is_err() {
            let fix = Fix::one_of(&["a list of ports as Kubernetes reads it"]);
            sink(Finding::new(subject, "ports", UNREADABLE, fix));
        }
    }

    /// What to do about a port of the node; nothing if it may be used.
    fn fix_of(&self, port: i32) -> Option<Fix<'static>> {
        let is_allowed = self.allowed.iter().any(|range| (range.min..=range.max).contains(&i64::from(port)));
        let fix = self.allowed.first().map(|range| Fix::Range { least: range.min, most: range.max });
        (!is_allowed).then(|| fix.unwrap_or(Fix::remove()))
    }
}

impl PortRange {
    fn fault(&self) -> Option<String> {
        let Self { min, max } = self;
        if min > max {
            return Some(format!("min {min} is above max {max}: exchange them"));
        }
        let is_of_ports = PORTS.min <= *min && *max <= PORTS.max;
        (!is_of_ports).then(|| format!("ports are from {} to {}", PORTS.min, PORTS.max))
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.min <= other.max && other.min <= self.max
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let (unreadable, ports): (Vec<Finding<'_>>, Vec<Finding<'_>>) =
        findings.iter().cloned().partition(|finding| finding.found == UNREADABLE);
    let mut parts = Vec::new();
    if !ports.is_empty() {
        parts.push(format!("{}, which the policy does not list", host_ports::used(&ports)));
    }
    if !unreadable.is_empty() {
        let containers = text::containers(&text::container_names(&unreadable));
        parts.push(format!("the ports of {containers} cannot be read"));
    }
    Violation { reason: "hostPort not allowed", detail: parts.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Reader;

    #[test]
    fn ports_that_cannot_be_read_are_not_passed_over() {
        let text =
            r#"{"spec":{"hostNetwork":true,"containers":[{"name":"c","ports":[{"containerPort":"80"}]}]}}"#;
        let pod = Pod::read(&mut Reader::over(text)).expect("a pod");
        let mut found = Vec::new();
        let all = HostPortRanges { allowed: vec![PORTS] };
        all.check(CheckedPod::new(&pod), &mut |finding| found.push(finding));
        assert_eq!(violation(&found).detail, "the ports of container \"c\" cannot be read");
    }
}
