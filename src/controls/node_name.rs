//! `nodeName` (extended): the scheduler chooses the node.

use serde::{Deserialize, Serialize};

use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, Parameters, PodOrigin, Violation,
};
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
               kubelet shows the static pods of its node do, and are let pass where that node itself makes the request, by \
               its name and in the group `system:nodes`; the annotation of mirror pods alone, which anyone can set, is not \
               enough.",
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
        if node.is_empty() || is_shown_by_its_node(pod, origin) {
            return;
        }
        let help = "the scheduler sets it; a nodeSelector narrows its choice";
        sink(Finding::new(Subject::Pod, "nodeName", Found::Text(node), Fix::remove()).help(help));
    }
}

/// Whether a kubelet shows a static pod of its own node: the API server lets a node make no other pods than these. A node is
/// one by its name and its group, for the API server's own authorizer as well.
fn is_shown_by_its_node(pod: &Pod<'_>, origin: PodOrigin<'_>) -> bool {
    pod.is_mirror()
        && origin.requester.strip_prefix("system:node:") == Some(pod.spec.node_name.as_ref())
        && origin.groups.any(|group| group == "system:nodes")
}

fn violation(_: &[Finding<'_>]) -> Violation {
    Violation { reason: "node name", detail: "pod must not set spec.nodeName".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::Groups;
    use crate::json::Reader;

    #[test]
    fn only_the_node_itself_shows_its_static_pods() {
        let mirror =
            r#"{"metadata":{"annotations":{"kubernetes.io/config.mirror":"x"}},"spec":{"nodeName":"n1"}}"#;
        let nodes = r#"["system:nodes","system:authenticated"]"#;
        for (text, requester, groups, expected) in [
            (mirror, "system:node:n1", nodes, 0),
            (mirror, "system:node:n1", r#"["system:authenticated","system:nodes:x"]"#, 1),
            (mirror, "system:node:n1", "", 1),
            (mirror, "system:node:n2", nodes, 1),
            (mirror, "system:node:", nodes, 1),
            (mirror, "jane", nodes, 1),
            (mirror, "", "", 1),
            (r#"{"spec":{"nodeName":"n1"}}"#, "system:node:n1", nodes, 1),
            (r#"{"spec":{"nodeName":""}}"#, "jane", "", 0),
        ] {
            let pod = Pod::read(&mut Reader::over(text)).expect("a pod");
            let origin = PodOrigin { requester, groups: Groups::of(groups), ..PodOrigin::default() };
            let mut count = 0;
            NodeName {}.check(CheckedPod { pod: &pod, origin }, &mut |_| count += 1);
            assert_eq!(count, expected, "{requester} {groups}: {text}");
        }
    }
}
