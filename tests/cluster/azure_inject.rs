//! `injection: Inject` beside azure-workload-identity's own webhook: whoever of the two is called first, and however
//! often, a pod has one token, every part of the identity once, and nobody is called without end.

use serde_json::json;

use crate::azure_webhook::{
    CLIENT, CalledFirst, POD, POD_VOLUME, SideBySide, TENANT, assert_injected_once, containers, identity,
    labelled_trainer, tokens, trainer, variables, volume_of_a_replica,
};
use crate::gate::Parts;

/// The client id of another identity.
const OTHER: &str = "0b0b0b0b-1111-4222-8333-444444444444";

/// podgate injects, too, as the release of the other does.
const FLAGS: [&str; 4] = ["--azure-tenant-id", TENANT, "--azure-layout", "v16"];

fn side_by_side(first: CalledFirst) -> Option<SideBySide> {
    let parts = Parts { identity: &identity("Inject"), flags: &FLAGS, ..Parts::default() };
    SideBySide::start(first, parts)
}

/// What podgate has injected is what the other would inject. It counts as a change all the same, so podgate is called
/// again, and that is the end of it.
#[test]
fn podgate_first_the_other_finds_all_of_it() {
    let Some(both) = side_by_side(CalledFirst::Podgate) else { return };
    assert_injected_once(&both.stored(&trainer()), POD_VOLUME);
    assert_eq!(both.calls(POD), [(0, "podgate", true), (0, "azure", true), (1, "podgate", false)]);
}

/// The other misses the label, as in `Delegate`; podgate needs nobody.
#[test]
fn podgate_last_injects_what_the_other_misses() {
    let Some(both) = side_by_side(CalledFirst::Azure) else { return };
    assert_injected_once(&both.stored(&trainer()), POD_VOLUME);
    assert_eq!(both.calls(POD), [(0, "podgate", true)]);
}

/// The other injects for the account that the pod has at first, podgate completes that for the account of the policy, and
/// there is nothing left to do when both are called again.
#[test]
fn podgate_last_completes_what_the_other_began() {
    let Some(both) = side_by_side(CalledFirst::Azure) else { return };
    assert_injected_once(&both.stored(&labelled_trainer()), POD_VOLUME);
    let calls = [(0, "azure", true), (0, "podgate", true), (1, "azure", true), (1, "podgate", false)];
    assert_eq!(both.calls(POD), calls);
}

/// The client id of the account that the pod had at first must not stand beside a token of the policy's account: the pod
/// has the right one, or is refused.
#[test]
fn podgate_last_never_leaves_the_client_of_another_account() {
    let Some(both) = side_by_side(CalledFirst::Azure) else { return };
    both.annotate_default(OTHER);
    let ended = both.gate.create_with(&labelled_trainer(), &["--output=json"]);
    if ended.is_success {
        assert_injected_once(&serde_json::from_str(&ended.output).unwrap(), POD_VOLUME);
    } else {
        assert!(ended.errors.contains("AZURE_CLIENT_ID"), "{ended:?}");
    }
}

#[test]
fn in_both_orders_a_pod_that_is_submitted_once_more_stays_as_it_is() {
    for first in [CalledFirst::Podgate, CalledFirst::Azure] {
        let Some(both) = side_by_side(first) else { return };
        let pod = both.stored(&trainer());
        let again = both.stored_again(&pod);
        assert_injected_once(&again, POD_VOLUME);
        assert_eq!(again["spec"], pod["spec"]);
        let calls = both.calls(POD);
        assert!(calls.iter().all(|(_, whose, changed)| *whose == "azure" || !changed), "{calls:?}");
    }
}

#[test]
fn in_both_orders_pods_of_a_deployment_are_injected_once() {
    for first in [CalledFirst::Podgate, CalledFirst::Azure] {
        let Some(both) = side_by_side(first) else { return };
        for pod in &both.pods_of_a_deployment() {
            assert_injected_once(pod, &volume_of_a_replica(pod));
        }
    }
}

/// Where podgate injects as older releases of the other did, there are two tokens. Every container is told of the first,
/// and has the mounts of both.
#[test]
fn the_other_layout_beside_it_is_admitted() {
    let flags = ["--azure-tenant-id", TENANT, "--azure-layout", "v15"];
    let parts = Parts { identity: &identity("Inject"), flags: &flags, ..Parts::default() };
    let Some(both) = SideBySide::start(CalledFirst::Podgate, parts) else { return };
    let pod = both.stored(&trainer());
    let names: Vec<_> = tokens(&pod).into_iter().map(|volume| volume["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["azure-identity-token", POD_VOLUME]);
    for container in containers(&pod) {
        let file = ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/secrets/azure/tokens/azure-identity-token");
        let variables = variables(container);
        assert!(variables.len() == 4 && variables.contains(&file), "{variables:?}");
        let mounts = container["volumeMounts"].as_array().unwrap();
        let mounted = names.iter().filter(|name| mounts.iter().any(|mount| mount["name"] == **name));
        assert_eq!(mounted.count(), 2, "{container:#}");
    }
}

/// The other adds its proxy after podgate has been called, or before: whoever is called for it then, it is each twice at
/// most.
#[test]
fn in_both_orders_containers_that_are_added_later_are_injected_once() {
    let warning = podgate::policy::BUILT_IN.replace("mode: Enforce", "mode: Warn");
    for first in [CalledFirst::Podgate, CalledFirst::Azure] {
        let parts =
            Parts { policy: &warning, identity: &identity("Inject"), flags: &FLAGS, ..Parts::default() };
        let Some(both) = SideBySide::start(first, parts) else { return };
        let mut pod = labelled_trainer();
        pod["metadata"]["annotations"] = json!({ "azure.workload.identity/inject-proxy-sidecar": "true" });
        let pod = both.stored(&pod);
        assert_eq!(containers(&pod).count(), 5, "{pod:#}");
        assert_injected_once(&pod, POD_VOLUME);
        let calls = both.calls(POD);
        assert!(calls.len() <= 4 && calls.iter().all(|(round, ..)| *round <= 1), "{calls:?}");
    }
}

/// A variable that the user has set is the user's, to both.
#[test]
fn in_both_orders_what_the_user_set_stays() {
    for first in [CalledFirst::Podgate, CalledFirst::Azure] {
        let Some(both) = side_by_side(first) else { return };
        let mut pod = trainer();
        pod["spec"]["containers"][0]["env"] =
            json!([{ "name": "AZURE_AUTHORITY_HOST", "value": "https://mine/" }]);
        let pod = both.stored(&pod);
        let variables = variables(&pod["spec"]["containers"][0]);
        assert_eq!(variables.len(), 4, "{variables:?}");
        assert_eq!(variables[..2], [("AZURE_AUTHORITY_HOST", "https://mine/"), ("AZURE_CLIENT_ID", CLIENT)]);
    }
}
