//! `nodeName` (extended): the scheduler chooses the node.

use serde::{Deserialize, Serialize};

use crate::controls::{Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, Parameters, Violation};
use crate::finding::{Finding, Fix, Found, Sink, Subject};
use crate::pod::{Changes, Pod};

pub(super) static CONTROL: Control = Control {
    id: "nodeName",
    number: 38,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<NodeName>(),
        // It cannot be changed: the scheduler sets it through the subresource pods/binding.
        depends_on: Changes::NONE,
    },
    violation,
    doc: Doc {
        title: "Node chosen by the scheduler",
        rule: "A pod must not set `nodeName`. One that does is not scheduled: it starts on that node past taints, queues, \
               quotas of schedulers, and scheduling gates. Pods of a DaemonSet do not set it. The mirror pods with which a \
               kubelet shows the static pods of its node do, and are let pass where that node itself makes the request; the \
               annotation of mirror pods alone, which anyone can set, is not enough.",
        history: "Enabled where a policy sets `controls.nodeName`.",
        fields: &["spec.nodeName"],
        fix: "Remove `nodeName`, and leave the choice to the scheduler; a `nodeSelector` or a node affinity narrows it.",
        example: "nodeSelector:\n  node.kubernetes.io/instance-type: Standard_NC24ads_A100_v4\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.nodeName`: none but those of every control.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NodeName {}

impl Check for NodeName {
    fn check<'p>(&'p self, CheckedPod { pod, origin }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        let node = pod.spec.node_name.as_ref();
        if node.is_empty() || is_shown_by_its_node(pod, origin.requester) {
            return;
        }
        let help = "the scheduler sets it; a nodeSelector narrows its choice";
        sink(Finding::new(Subject::Pod, "nodeName", Found::Text(node), Fix::remove()).help(help));
    }
}

/// Whether a kubelet shows a static pod of its own node: the API server lets a node make no other pods than these.
fn is_shown_by_its_node(pod: &Pod<'_>, requester: &str) -> bool {
    const NODES: &str = "system:node:";
    pod.is_mirror() && requester.strip_prefix(NODES) == Some(pod.spec.node_name.as_ref())
}

fn violation(_: &[Finding<'_>]) -> Violation {
    Violation { reason: "node name", detail: "pod must not set spec.nodeName".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::PodOrigin;
    use crate::json::Reader;

    #[test]
    fn only_the_node_itself_shows_its_static_pods() {
        let mirror =
            r#"{"metadata":{"annotations":{"kubernetes.io/config.mirror":"x"}},"spec":{"nodeName":"n1"}}"#;
        for (text, requester, expected) in [
            (mirror, "system:node:n1", 0),
            (mirror, "system:node:n2", 1),
            (mirror, "system:node:", 1),
            (mirror, "jane", 1),
            (mirror, "", 1),
            (r#"{"spec":{"nodeName":"n1"}}"#, "system:node:n1", 1),
            (r#"{"spec":{"nodeName":""}}"#, "jane", 0),
        ] {
            let pod = Pod::read(&mut Reader::over(text)).expect("a pod");
            let origin = PodOrigin { requester, ..PodOrigin::default() };
            let mut count = 0;
            NodeName {}.check(CheckedPod { pod: &pod, origin }, &mut |_| count += 1);
            assert_eq!(count, expected, "{requester}: {text}");
        }
    }
}
