//! `injection: Delegate` beside azure-workload-identity's own webhook: podgate sets the account and the label, and that
//! webhook injects the token. It has to be called after podgate; what comes of the other order is written down here, too.

use serde_json::json;

use crate::azure_webhook::{
    CalledFirst, POD, POD_VOLUME, SideBySide, assert_assigned, assert_injected_once, containers, identity,
    labelled_trainer, tokens, trainer, variables, volume_of_a_replica,
};
use crate::gate::Parts;

/// The client id of another identity.
const OTHER: &str = "0b0b0b0b-1111-4222-8333-444444444444";

fn side_by_side(first: CalledFirst) -> Option<SideBySide> {
    SideBySide::start(first, Parts { identity: &identity("Delegate"), ..Parts::default() })
}

/// Podgate is called again, as the pod was changed after it, and has nothing to add: so the other is not.
#[test]
fn what_podgate_asks_for_is_injected_once() {
    let Some(both) = side_by_side(CalledFirst::Podgate) else { return };
    let pod = both.stored(&trainer());
    assert_injected_once(&pod, POD_VOLUME);
    assert_eq!(both.calls(POD), [(0, "podgate", true), (0, "azure", true), (1, "podgate", false)]);
}

#[test]
fn a_pod_that_is_submitted_once_more_stays_as_it_is() {
    let Some(both) = side_by_side(CalledFirst::Podgate) else { return };
    let pod = both.stored(&trainer());
    let again = both.stored_again(&pod);
    assert_injected_once(&again, POD_VOLUME);
    assert_eq!(again["spec"], pod["spec"]);
    assert_eq!(both.calls(POD), [(0, "podgate", false), (0, "azure", true), (1, "podgate", false)]);
}

#[test]
fn pods_of_a_deployment_are_injected_once() {
    let Some(both) = side_by_side(CalledFirst::Podgate) else { return };
    for pod in &both.pods_of_a_deployment() {
        assert_injected_once(pod, &volume_of_a_replica(pod));
    }
}

/// A webhook whose selector does not match in the first round is never called later, whatever is changed by then. `doctor`
/// reports this order as `mutating-order`, and the pod is refused rather than left without its token.
#[test]
fn called_before_podgate_it_misses_the_label_and_injects_nothing() {
    let Some(both) = side_by_side(CalledFirst::Azure) else { return };
    let ended = both.gate.create_with(&trainer(), &[]);
    assert!(!ended.is_success, "{ended:?}");
    for fragment in ["IdentityPolicy \"trainers\"", "no volume with a token for Azure", "Try again"] {
        assert!(ended.errors.contains(fragment), "{ended:?}");
    }
}

/// A pod that has the label already is injected for the account that it has then, and once more for the one that it gets:
/// what was missing is added.
#[test]
fn called_before_podgate_it_is_called_again_for_a_pod_with_the_label() {
    let Some(both) = side_by_side(CalledFirst::Azure) else { return };
    let pod = both.stored(&labelled_trainer());
    assert_injected_once(&pod, POD_VOLUME);
    let calls = [(0, "azure", true), (0, "podgate", true), (1, "azure", true), (1, "podgate", false)];
    assert_eq!(both.calls(POD), calls);
}

/// But what is there already stays: the token is that of the account of the policy, and the client id is not.
#[test]
fn called_before_podgate_it_leaves_the_client_of_another_account() {
    let Some(both) = side_by_side(CalledFirst::Azure) else { return };
    both.annotate_default(OTHER);
    let pod = both.stored(&labelled_trainer());
    assert_assigned(&pod);
    assert_eq!(tokens(&pod).len(), 1);
    for container in containers(&pod) {
        let clients: Vec<_> =
            variables(container).into_iter().filter(|(name, _)| *name == "AZURE_CLIENT_ID").collect();
        assert_eq!(clients, [("AZURE_CLIENT_ID", OTHER)], "{container:#}");
    }
}

#[test]
fn called_after_podgate_it_goes_by_the_account_of_the_policy() {
    let Some(both) = side_by_side(CalledFirst::Podgate) else { return };
    both.annotate_default(OTHER);
    assert_injected_once(&both.stored(&labelled_trainer()), POD_VOLUME);
}

/// A pod that chose its account keeps it, and is injected for that one.
#[test]
fn a_pod_of_another_account_is_injected_for_its_own() {
    let Some(both) = side_by_side(CalledFirst::Podgate) else { return };
    both.account("mine", &json!({ "azure.workload.identity/client-id": OTHER }));
    let mut pod = labelled_trainer();
    pod["spec"]["serviceAccountName"] = "mine".into();
    let pod = both.stored(&pod);
    assert_eq!(pod["spec"]["serviceAccountName"], "mine");
    assert_eq!(tokens(&pod).len(), 1);
    for container in containers(&pod) {
        assert!(variables(container).contains(&("AZURE_CLIENT_ID", OTHER)), "{container:#}");
    }
}

/// The proxy redirects traffic as a privileged init container.
#[test]
fn its_proxy_is_refused_where_the_restricted_standard_holds() {
    let Some(both) = side_by_side(CalledFirst::Podgate) else { return };
    let mut pod = trainer();
    pod["metadata"]["annotations"] = json!({ "azure.workload.identity/inject-proxy-sidecar": "true" });
    let refused = both.gate.create(&pod).failed();
    let text = "init container \"azwi-proxy-init\": securityContext.privileged is true";
    assert!(refused.contains(text), "{refused}");
}

/// Where it is only warned of, the proxy's containers get what all others get. The plugin for service accounts adds
/// mounts to them, so both webhooks are called again.
#[test]
fn its_proxy_is_injected_once_where_it_may_be() {
    let warning = podgate::policy::BUILT_IN.replace("mode: Enforce", "mode: Warn");
    let parts = Parts { policy: &warning, identity: &identity("Delegate"), ..Parts::default() };
    let Some(both) = SideBySide::start(CalledFirst::Podgate, parts) else { return };
    let mut pod = trainer();
    pod["metadata"]["annotations"] = json!({ "azure.workload.identity/inject-proxy-sidecar": "true" });
    let pod = both.stored(&pod);
    let names: Vec<_> = containers(&pod).map(|container| container["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["azwi-proxy", "first", "sidecar", "azwi-proxy-init", "trainer"]);
    assert_injected_once(&pod, POD_VOLUME);
    let images: Vec<_> = containers(&pod).map(|container| container["image"].as_str().unwrap()).collect();
    let registry = "mcr.microsoft.com/oss/azure/workload-identity";
    assert_eq!(images[0], format!("{registry}/proxy:v1.6.0"));
    assert_eq!(images[3], format!("{registry}/proxy-init:v1.6.0"));
    let calls = [(0, "podgate", true), (0, "azure", true), (1, "podgate", false), (1, "azure", true)];
    assert_eq!(both.calls(POD), calls);
}
