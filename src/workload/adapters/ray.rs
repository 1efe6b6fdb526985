//! Ray (KubeRay): a head, groups of workers, for a job its submitter; and the autoscaler, a container that the operator adds
//! to the head pod with what `autoscalerOptions` says of it.

use crate::path::Path;
use crate::workload::kind::{Adapter, Object};
use crate::workload::object::give_image;
use crate::workload::template::{Part, Shape, Template};
use crate::workload::unresolved::UnresolvedReason;
use crate::yaml::{Node, Value};

/// The kind of clusters.
const CLUSTER: (&str, &str) = ("ray.io", "RayCluster");
/// The label of a selector that names a cluster. KubeRay looks at no other.
const SELECTOR: &str = "ray.io/cluster";

/// A cluster at `spec`.
pub(in crate::workload) const RAY_CLUSTER: Adapter = Adapter {
    find: |object| cluster(object, "spec"),
    places: &[
        ("spec.headGroupSpec.template", Shape::PodTemplate),
        ("spec.workerGroupSpecs[].template", Shape::PodTemplate),
        ("spec.autoscalerOptions", Shape::Container),
        ("spec.historyServerOptions.collectorOptions", Shape::Opaque),
    ],
};

/// A cluster at `spec.rayClusterSpec`, unless one is selected, and a submitter.
pub(in crate::workload) const RAY_JOB: Adapter = Adapter {
    find: |object| job(object, "spec"),
    places: &[
        ("spec.rayClusterSpec.headGroupSpec.template", Shape::PodTemplate),
        ("spec.rayClusterSpec.workerGroupSpecs[].template", Shape::PodTemplate),
        ("spec.rayClusterSpec.autoscalerOptions", Shape::Container),
        ("spec.rayClusterSpec.historyServerOptions.collectorOptions", Shape::Opaque),
        ("spec.submitterPodTemplate", Shape::PodTemplate),
        ("spec.clusterSelector", Shape::Reference),
    ],
};

/// A RayJob at `spec.jobTemplate`.
pub(in crate::workload) const RAY_CRON_JOB: Adapter = Adapter {
    find: |object| job(object, "spec.jobTemplate"),
    places: &[
        ("spec.jobTemplate.rayClusterSpec.headGroupSpec.template", Shape::PodTemplate),
        ("spec.jobTemplate.rayClusterSpec.workerGroupSpecs[].template", Shape::PodTemplate),
        ("spec.jobTemplate.rayClusterSpec.autoscalerOptions", Shape::Container),
        ("spec.jobTemplate.rayClusterSpec.historyServerOptions.collectorOptions", Shape::Opaque),
        ("spec.jobTemplate.submitterPodTemplate", Shape::PodTemplate),
        ("spec.jobTemplate.clusterSelector", Shape::Reference),
    ],
};

/// A cluster at `spec.rayClusterConfig`.
pub(in crate::workload) const RAY_SERVICE: Adapter = Adapter {
    find: |object| cluster(object, "spec.rayClusterConfig"),
    places: &[
        ("spec.rayClusterConfig.headGroupSpec.template", Shape::PodTemplate),
        ("spec.rayClusterConfig.workerGroupSpecs[].template", Shape::PodTemplate),
        ("spec.rayClusterConfig.autoscalerOptions", Shape::Container),
        ("spec.rayClusterConfig.historyServerOptions.collectorOptions", Shape::Opaque),
    ],
};

/// A cluster at `spec.template.spec`: of aibrix, which makes RayClusters of it.
pub(in crate::workload) const RAY_CLUSTER_FLEET: Adapter = Adapter {
    find: |object| cluster(object, "spec.template.spec"),
    places: &[
        ("spec.template.spec.headGroupSpec.template", Shape::PodTemplate),
        ("spec.template.spec.workerGroupSpecs[].template", Shape::PodTemplate),
        ("spec.template.spec.autoscalerOptions", Shape::Container),
        ("spec.template.spec.historyServerOptions.collectorOptions", Shape::Opaque),
    ],
};

fn job<'d>(object: &Object<'d>, base: &'static str) -> Vec<Template<'d>> {
    let mut found = Vec::new();
    if let Some(selector) = object.get(base).and_then(|job| job.get("clusterSelector")) {
        let path = Path::from_dotted(base).key("clusterSelector");
        found.extend(object.pods_of(&path, CLUSTER, selector.text_of(SELECTOR)));
    }
    let of_cluster = match base {
        "spec" => "spec.rayClusterSpec",
        _ => "spec.jobTemplate.rayClusterSpec",
    };
    found.extend(cluster(object, of_cluster));
    found.extend(object.pod_templates(&format!("{base}.submitterPodTemplate")));
    found
}

fn cluster<'d>(object: &Object<'d>, base: &'static str) -> Vec<Template<'d>> {
    let mut found = object.pod_templates(&format!("{base}.headGroupSpec.template"));
    found.extend(object.pod_templates(&format!("{base}.workerGroupSpecs[].template")));
    found.extend(autoscaler(object, base));
    found.extend(collector(object, base));
    found
}

/// The collector of the history server, a container in each pod: its image and resources are written, and nothing of its
/// security can be.
fn collector<'d>(object: &Object<'d>, base: &'static str) -> Option<Template<'d>> {
    object.get(base)?.get_in(&["historyServerOptions", "collectorOptions"])?;
    let path = Path::from_dotted(base).key("historyServerOptions").key("collectorOptions");
    let text =
        "KubeRay makes the container of the collector, and nothing of its security can be written here";
    let unresolved = object.unresolved(&path, UnresolvedReason::Fragment, text);
    Some(Template::unjudged(path, Shape::Opaque, unresolved))
}

/// The autoscaler runs under the pod level of the head; without `enableInTreeAutoscaling` there is none.
fn autoscaler<'d>(object: &Object<'d>, base: &'static str) -> Option<Template<'d>> {
    let cluster = object.get(base)?;
    let (options, is_enabled) = (cluster.get("autoscalerOptions")?, cluster.get("enableInTreeAutoscaling")?);
    let path = Path::from_dotted(base).key("autoscalerOptions");
    if is_enabled.value == Value::Bool(false) {
        return None;
    }
    if is_enabled.value != Value::Bool(true) {
        return Some(object.unreadable(path, is_enabled, Shape::Container, "true or false"));
    }
    if !options.is_object() {
        return Some(object.unreadable(path, options, Shape::Container, "an object"));
    }
    let mut container = options.clone();
    give_image(&mut container);
    let mut spec = Node::object(options.span, [("containers", Node::list(options.span, vec![container]))]);
    let head = cluster.get_in(&["headGroupSpec", "template", "spec"]);
    for key in ["securityContext", "hostUsers", "os"] {
        if let Some(value) = head.and_then(|head| head.get(key)) {
            spec.set(key, value.clone());
        }
    }
    Some(object.merged(path, Shape::Container, Part::Whole, spec))
}
