//! What whoever makes a pod sees of a label whose value no policy knows, through a real kube-apiserver.

use crate::gate::{Gate, LABEL, bad_pod};

/// The value is corrected, and wrong again: each pod is judged by the label that the API server has by then.
#[test]
fn a_label_that_no_policy_knows_is_warned_of_and_one_that_is_corrected_holds_at_once() {
    let Some(gate) = Gate::before_new_namespace() else { return };
    let label = |value: &str| {
        let value = format!("{}={value}", LABEL.0);
        gate.cluster.kubectl(&["label", "--overwrite", "namespace", &gate.namespace, &value]).succeeded();
    };
    for round in 0..5 {
        label("ml-restrictd");
        let created = gate.create(&bad_pod(&format!("unjudged-{round}")));
        let namespace = &gate.namespace;
        let warning = format!("Warning: podgate: no policy holds in namespace \"{namespace}\"");
        assert!(created.errors.contains(&warning), "{created:?}");
        assert!(created.errors.contains("did you mean ml-restricted?"), "{created:?}");
        created.succeeded();
        label(LABEL.1);
        let refused = gate.create(&bad_pod(&format!("judged-{round}"))).failed();
        assert!(refused.contains("spec.hostIPC"), "{refused}");
    }
    assert_eq!(gate.podgate.metric("podgate_unjudged_reviews_total"), Some(5.0));
    let logged = |line: &&String| line.contains("no policy holds in a namespace");
    assert_eq!(gate.podgate.log().iter().filter(logged).count(), 1);
}
