//! Flink: always two pods, of the job manager and of the task managers. Each has its own template merged over the common one; the
//! operator puts its image into the container `flink-main-container`, and adds that where it is not written.

use crate::path::Path;
use crate::workload::kind::{Adapter, Object};
use crate::workload::merge::merge_typed;
use crate::workload::object::give_image;
use crate::workload::pattern::{Match, matches};
use crate::workload::template::{Shape, Template};
use crate::workload::unresolved::UnresolvedReason;
use crate::yaml::{Node, Value};

/// What Flink runs in.
const MAIN: &str = "flink-main-container";

/// A deployment at `spec`.
pub(in crate::workload) const FLINK_DEPLOYMENT: Adapter = Adapter {
    find: |object| deployment(object, "spec"),
    places: &[
        ("spec.jobManager.podTemplate", Shape::PodTemplate),
        ("spec.taskManager.podTemplate", Shape::PodTemplate),
    ],
};

/// A deployment at `spec.template.spec`.
pub(in crate::workload) const FLINK_BLUE_GREEN_DEPLOYMENT: Adapter = Adapter {
    find: |object| deployment(object, "spec.template.spec"),
    places: &[
        ("spec.template.spec.jobManager.podTemplate", Shape::PodTemplate),
        ("spec.template.spec.taskManager.podTemplate", Shape::PodTemplate),
    ],
};

fn deployment<'d>(object: &Object<'d>, base: &'static str) -> Vec<Template<'d>> {
    ["jobManager", "taskManager"].into_iter().map(|role| pod(object, base, role)).collect()
}

fn pod<'d>(object: &Object<'d>, base: &'static str, role: &'static str) -> Template<'d> {
    let path = Path::from_dotted(base).key(role).key("podTemplate");
    let mut written: Option<Node> = None;
    let mut unresolved = Vec::new();
    for pattern in [format!("{base}.podTemplate"), format!("{base}.{role}.podTemplate")] {
        match matches(object.node, &pattern).pop() {
            Some(Match::Value(_, node)) if matches!(node.value, Value::Mapping(_)) => match &mut written {
                Some(common) => merge_typed(common, node),
                None => written = Some(node.clone()),
            },
            Some(Match::Value(at, node) | Match::Unreadable(at, node)) => {
                unresolved.extend(object.unknown_part(&at, node));
            }
            None => {}
        }
    }
    let main = written.as_mut().and_then(main_container);
    match main {
        Some(container) => give_image(container),
        None => {
            let text = format!("the operator adds the container {MAIN}, which is not written");
            unresolved.push(object.unresolved(&path, UnresolvedReason::Fragment, text));
        }
    }
    object.as_far_as_written(path, Shape::PodTemplate, written, unresolved)
}

fn main_container(pod: &mut Node) -> Option<&mut Node> {
    let containers = pod.locate_mut(&["spec".into(), "containers".into()])?;
    let Value::Sequence(items) = &mut containers.value else { return None };
    items.iter_mut().find(|item| item.text_of("name") == MAIN)
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::{found, pods};

    fn deployment(spec: &str) -> String {
        format!("{{apiVersion: flink.apache.org/v1beta1, kind: FlinkDeployment, spec: {spec}}}")
    }

    #[test]
    fn there_are_always_two_pods() {
        let main = "{spec: {containers: [{name: flink-main-container}]}}";
        for (spec, reasons) in [
            (format!("{{podTemplate: {main}}}"), ["", ""]),
            (format!("{{taskManager: {{podTemplate: {main}}}}}"), [" fragment", ""]),
            ("{ingress: {template: '{{name}}.example'}}".to_owned(), [" fragment", " fragment"]),
            ("{podTemplate: '${X}'}".to_owned(), [" placeholder,fragment,fragment"; 2]),
            ("'${X}'".to_owned(), [" placeholder,fragment,placeholder,fragment,fragment"; 2]),
        ] {
            let expected = [
                format!("spec.jobManager.podTemplate podTemplate{}", reasons[0]),
                format!("spec.taskManager.podTemplate podTemplate{}", reasons[1]),
            ];
            assert_eq!(found(&deployment(&spec)), expected, "{spec}");
        }
        let blue_green = "{apiVersion: flink.apache.org/v1beta1, kind: FlinkBlueGreenDeployment, spec: {template: {spec: {}}}}";
        assert!(found(blue_green)[0].starts_with("spec.template.spec.jobManager.podTemplate"));
    }

    #[test]
    fn each_is_merged_over_the_common_one() {
        let text = deployment(
            "{podTemplate: {spec: {containers: [{name: flink-main-container, a: 1}]}}, jobManager: {podTemplate: {spec: \
             {containers: [{name: flink-main-container, b: 2}, {name: c}]}}}}",
        );
        let main = r#""name":"flink-main-container","a":1"#;
        assert_eq!(
            pods(&text),
            [
                format!(
                    r#"{{"spec":{{"containers":[{{{main},"b":2,"image":"${{image}}"}},{{"name":"c"}}]}}}}"#
                ),
                format!(r#"{{"spec":{{"containers":[{{{main},"image":"${{image}}"}}]}}}}"#),
            ]
        );
    }
}
