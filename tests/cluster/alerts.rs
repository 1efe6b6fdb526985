//! The API server's own counters that alerts and pages use: it has them, with the labels that the rules ask for.
//!
//! podgate is installed here and does not run, so that every call of it fails.

use serde_json::json;

use crate::control_plane::ControlPlane;
use crate::gate::{LABEL, good_pod};
use crate::installation::manifests;
use crate::own_rights::{MUTATING, VALIDATING, set};
use crate::wait::eventually;

/// The labels of each series of a metric.
fn series(cluster: &ControlPlane, metric: &str) -> Vec<String> {
    let metrics = cluster.kubectl(&["get", "--raw=/metrics"]).succeeded();
    let labels = metrics.lines().filter_map(|line| line.strip_prefix(metric)?.strip_prefix('{'));
    labels.map(|line| line.split('}').next().unwrap().to_owned()).collect()
}

#[test]
fn the_api_server_counts_what_podgate_does_not_answer() {
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    cluster.kubectl(&["apply", "--kustomize", &manifests("base")]).succeeded();
    let namespace = cluster.namespace(&[LABEL]);
    let create = |name: &str| cluster.create(&good_pod(name), &["--namespace", &namespace]);
    eventually("a pod that is refused", || {
        let ended = create("closed");
        if ended.errors.contains("failed calling webhook") { Ok(()) } else { Err(format!("{ended:?}")) }
    });
    let refused = series(&cluster, "apiserver_admission_webhook_rejection_count");
    let is_ours = |labels: &&String| {
        labels.contains("name=\"pods.podgate.dev\"")
            && labels.contains("error_type=\"calling_webhook_error\"")
    };
    assert!(refused.iter().any(|labels| is_ours(&labels)), "{refused:?}");
    assert_eq!(series(&cluster, "apiserver_admission_webhook_fail_open_count"), [""; 0]);

    let ignore = set("/webhooks/0/failurePolicy", json!("Ignore")).to_string();
    for object in [VALIDATING, MUTATING] {
        cluster.kubectl(&["patch", object, "--type=json", "--patch", &ignore]).succeeded();
    }
    eventually("a pod that is let through", || {
        let ended = create("open");
        if ended.is_success { Ok(()) } else { Err(ended.errors) }
    });
    // The series appears with its first count: the rule cannot wait for it to grow.
    let open = series(&cluster, "apiserver_admission_webhook_fail_open_count");
    assert!(open.iter().any(|labels| labels.contains("name=\"pods.podgate.dev\"")), "{open:?}");
}
