//! Spark where its pods are written as pod templates: Apache's own operator, and SparkConnect. The image of the container that
//! Spark runs in comes from another field of the object.

use std::borrow::Cow;

use crate::workload::kind::{Adapter, Object};
use crate::workload::object::give_image;
use crate::workload::template::{Shape, Template};
use crate::workload::unresolved::UnresolvedReason;
use crate::yaml::{Node, Value};

/// Where a template is, and which of its containers Spark runs in.
struct Role {
    pattern: &'static str,
    container: &'static str,
    /// What happens where no container has that name.
    otherwise: Otherwise,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Otherwise {
    First,
    Added,
}

/// `spark.apache.org` SparkApplication: Spark takes the first container.
pub(in crate::workload) const APACHE_SPARK_APPLICATION: Adapter = Adapter {
    find: |object| {
        pods(
            object,
            &[
                Role::of("spec.driverSpec.podTemplateSpec", "spark-kubernetes-driver", Otherwise::First),
                Role::of("spec.executorSpec.podTemplateSpec", "spark-kubernetes-executor", Otherwise::First),
            ],
        )
    },
    places: &[
        ("spec.driverSpec.podTemplateSpec", Shape::PodTemplate),
        ("spec.executorSpec.podTemplateSpec", Shape::PodTemplate),
    ],
};

/// `spark.apache.org` SparkCluster: the operator adds a container where none has the name, as read in `SparkClusterResourceSpec`.
pub(in crate::workload) const APACHE_SPARK_CLUSTER: Adapter = Adapter {
    find: |object| {
        pods(
            object,
            &[
                Role::of("spec.masterSpec.statefulSetSpec.template", "master", Otherwise::Added),
                Role::of("spec.workerSpec.statefulSetSpec.template", "worker", Otherwise::Added),
            ],
        )
    },
    places: &[
        ("spec.masterSpec.statefulSetSpec.template", Shape::PodTemplate),
        ("spec.workerSpec.statefulSetSpec.template", Shape::PodTemplate),
    ],
};

/// `sparkoperator.k8s.io` SparkConnect: as Spark does, by name or the first.
pub(in crate::workload) const SPARK_CONNECT: Adapter = Adapter {
    find: |object| {
        pods(
            object,
            &[
                Role::of("spec.server.template", "spark-kubernetes-driver", Otherwise::First),
                Role::of("spec.executor.template", "spark-kubernetes-executor", Otherwise::First),
            ],
        )
    },
    places: &[("spec.server.template", Shape::PodTemplate), ("spec.executor.template", Shape::PodTemplate)],
};

impl Role {
    const fn of(pattern: &'static str, container: &'static str, otherwise: Otherwise) -> Self {
        Self { pattern, container, otherwise }
    }
}

fn pods<'d>(object: &Object<'d>, roles: &[Role; 2]) -> Vec<Template<'d>> {
    let of_role = |role: &Role| {
        let found = object.pod_templates(role.pattern).into_iter();
        found.map(|template| with_main(object, template, role)).collect::<Vec<_>>()
    };
    roles.iter().flat_map(of_role).collect()
}

/// A template whose main container has its image; or which says that it has none.
fn with_main<'d>(object: &Object<'d>, mut template: Template<'d>, role: &Role) -> Template<'d> {
    let Some(pod) = &mut template.pod else { return template };
    if !is_main_written(pod, role) {
        if role.otherwise == Otherwise::First {
            return template;
        }
        let text = format!("the operator adds the container {}, which is not written", role.container);
        let lacking = object.unresolved(&template.path, UnresolvedReason::Fragment, text);
        return template.lacking(lacking);
    }
    let Some(containers) = Cow::to_mut(pod).locate_mut(&["spec".into(), "containers".into()]) else {
        return template;
    };
    if let Value::Sequence(items) = &mut containers.value {
        let named = items.iter().position(|item| item.text_of("name") == role.container);
        if let Some(main) = items.get_mut(named.unwrap_or_default()) {
            give_image(main);
        }
    }
    template
}

fn is_main_written(pod: &Node, role: &Role) -> bool {
    let containers = pod.get("spec").map(|spec| spec.items_at("containers")).unwrap_or_default();
    match role.otherwise {
        Otherwise::First => containers.first().is_some_and(Node::is_object),
        Otherwise::Added => containers.iter().any(|item| item.text_of("name") == role.container),
    }
}

#[cfg(test)]
mod tests {
    use crate::workload::object::tests::{found, pods};

    #[test]
    fn the_main_container_has_its_image() {
        for (api, spec, expected, pod) in [
            (
                "spark.apache.org/v1, kind: SparkApplication",
                "{driverSpec: {podTemplateSpec: {spec: {containers: [{name: a}, {name: b}]}}}}",
                "spec.driverSpec.podTemplateSpec podTemplate",
                r#"{"spec":{"containers":[{"name":"a","image":"${image}"},{"name":"b"}]}}"#,
            ),
            (
                "spark.apache.org/v1, kind: SparkApplication",
                "{executorSpec: {podTemplateSpec: {spec: {containers: '${X}'}}}}",
                "spec.executorSpec.podTemplateSpec podTemplate",
                r#"{"spec":{"containers":"${X}"}}"#,
            ),
            (
                "spark.apache.org/v1, kind: SparkCluster",
                "{masterSpec: {statefulSetSpec: {template: {spec: {containers: [{name: a}, {name: master}]}}}}}",
                "spec.masterSpec.statefulSetSpec.template podTemplate",
                r#"{"spec":{"containers":[{"name":"a"},{"name":"master","image":"${image}"}]}}"#,
            ),
            (
                "spark.apache.org/v1, kind: SparkCluster",
                "{workerSpec: {statefulSetSpec: {template: {spec: {containers: [{name: a, image: b}]}}}}}",
                "spec.workerSpec.statefulSetSpec.template podTemplate fragment",
                r#"{"spec":{"containers":[{"name":"a","image":"b"}]}}"#,
            ),
            (
                "sparkoperator.k8s.io/v1alpha1, kind: SparkConnect",
                "{server: {template: {spec: {containers: [{name: a}, {name: spark-kubernetes-driver}]}}}}",
                "spec.server.template podTemplate",
                r#"{"spec":{"containers":[{"name":"a"},{"name":"spark-kubernetes-driver","image":"${image}"}]}}"#,
            ),
            (
                "sparkoperator.k8s.io/v1alpha1, kind: SparkConnect",
                "{executor: {template: '${X}'}}",
                "spec.executor.template podTemplate placeholder",
                "",
            ),
        ] {
            let text = format!("{{apiVersion: {api}, spec: {spec}}}");
            assert_eq!(found(&text), [expected], "{spec}");
            assert_eq!(pods(&text), [pod], "{spec}");
        }
    }
}
