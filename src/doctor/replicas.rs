//! The Deployment, its pods and their disruption budget.

use std::collections::BTreeSet;

use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::doctor::deployment::{container, pod_labels, selector_text};
use crate::doctor::diagnosis::{Diagnosis, listed};
use crate::doctor::health_check::HealthCheck;
use crate::doctor::installation::{Installation, InstallationNames, REINSTALL};
use crate::doctor::own_pods::{OwnDeployment, OwnPod};
use crate::doctor::webhook_entry::selects;

pub(super) fn check(installation: &Installation, findings: &mut Vec<Diagnosis>) {
    let names = &installation.names;
    let deployment = match &installation.deployment {
        Err(_) => return,
        Ok(None) => {
            let missing = Diagnosis::error(HealthCheck::DeploymentMissing, object(names));
            return findings.push(missing.because("not there: nobody answers the webhooks").fix(REINSTALL));
        }
        Ok(Some(deployment)) => deployment,
    };
    count(names, deployment, findings);
    if let Ok(pods) = &installation.pods {
        // Those that are being deleted say nothing of how it will be.
        let pods: Vec<&OwnPod> =
            pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect();
        together(names, &pods, findings);
        images(names, &pods, findings);
    }
    if let Ok(budgets) = &installation.budgets {
        budget(names, deployment, budgets, findings);
    }
}

/// The Deployment, as reports name it.
fn object(names: &InstallationNames) -> String {
    names.own("Deployment", &names.deployment)
}

fn count(names: &InstallationNames, deployment: &OwnDeployment, findings: &mut Vec<Diagnosis>) {
    let wanted = replicas(deployment);
    let ready = deployment.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default();
    if ready < wanted {
        let level = if ready == 0 { Diagnosis::error } else { Diagnosis::warning };
        findings.push(
            level(HealthCheck::ReplicasNotReady, object(names))
                .field("status.readyReplicas")
                .because(format!("{ready} of {wanted} are ready"))
                .fix(names.kubectl(&format!("describe pods --selector {}", selector_text(deployment)))),
        );
    }
    if wanted < 2 {
        findings.push(
            Diagnosis::warning(HealthCheck::ReplicasFew, object(names))
                .field("spec.replicas")
                .because(format!(
                    "{wanted}: while it is replaced or its node is down, nobody answers the webhooks"
                ))
                .fix(names.kubectl(&format!("scale deployment/{} --replicas=2", names.deployment))),
        );
    }
}

/// How many replicas are asked for.
fn replicas(deployment: &OwnDeployment) -> i32 {
    deployment.spec.replicas.unwrap_or(1)
}

fn together(names: &InstallationNames, pods: &[&OwnPod], findings: &mut Vec<Diagnosis>) {
    let nodes: Vec<&str> =
        pods.iter().filter_map(|pod| pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref())).collect();
    let Some(first) = nodes.first() else { return };
    if nodes.len() > 1 && nodes.iter().all(|node| node == first) {
        let found = format!("all {} replicas are on the node {first}, and are gone when it is", nodes.len());
        findings.push(
            Diagnosis::warning(HealthCheck::ReplicasTogether, object(names))
                .field("spec.template")
                .because(found)
                .fix(format!("{} # once there is room on another node", names.restart())),
        );
    }
}

fn images(names: &InstallationNames, pods: &[&OwnPod], findings: &mut Vec<Diagnosis>) {
    let containers = pods.iter().filter_map(|pod| pod.spec.as_ref()).filter_map(container);
    let images: BTreeSet<&str> = containers.filter_map(|container| container.image.as_deref()).collect();
    if images.len() > 1 {
        let images: Vec<&str> = images.into_iter().collect();
        let found = format!(
            "replicas run different images, and may answer differently: {}. A rollout is under way, or stuck",
            listed(&images)
        );
        findings.push(
            Diagnosis::warning(HealthCheck::ImagesDiffer, object(names))
                .field("spec.template")
                .because(found)
                .fix(names.kubectl(&format!("rollout status deployment/{}", names.deployment))),
        );
    }
}

fn budget(
    names: &InstallationNames,
    deployment: &OwnDeployment,
    budgets: &[PodDisruptionBudget],
    findings: &mut Vec<Diagnosis>,
) {
    let warning = |name: &str| {
        Diagnosis::warning(HealthCheck::DisruptionBudget, names.own("PodDisruptionBudget", name))
    };
    let labels = pod_labels(deployment);
    let wanted = replicas(deployment);
    let selector = |budget: &&PodDisruptionBudget| {
        let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        selector.is_some_and(|selector| selects(selector, &labels))
    };
    let of_ours: Vec<&PodDisruptionBudget> = budgets.iter().filter(selector).collect();
    if of_ours.is_empty() {
        let found = "none selects podgate's pods: all replicas may be drained at once";
        findings.push(warning(&names.deployment).because(found).fix(REINSTALL));
    }
    for budget in of_ours {
        let Some((field, value)) = blocks(budget, wanted) else { continue };
        let name = budget.metadata.name.as_deref().unwrap_or_default();
        let patch = format!(
            "patch poddisruptionbudget/{name} --type=merge --patch='{{\"spec\": {{\"minAvailable\": null, \
             \"maxUnavailable\": 1}}}}'"
        );
        findings.push(
            warning(name)
                .field(format!("spec.{field}"))
                .because(format!("{value} with {wanted} replicas: no node that runs one can be drained"))
                .fix(names.kubectl(&patch)),
        );
    }
}

/// The field and value of a budget that lets no replica go.
fn blocks(budget: &PodDisruptionBudget, wanted: i32) -> Option<(&'static str, String)> {
    let spec = budget.spec.as_ref()?;
    match (&spec.max_unavailable, &spec.min_available) {
        (Some(IntOrString::Int(0)), _) => Some(("maxUnavailable", "0".to_owned())),
        (Some(IntOrString::String(text)), _) if text == "0%" => Some(("maxUnavailable", text.clone())),
        (None, Some(IntOrString::Int(least))) if *least >= wanted => {
            Some(("minAvailable", least.to_string()))
        }
        (None, Some(IntOrString::String(text))) if text == "100%" => Some(("minAvailable", text.clone())),
        (Some(_), _) | (None, Some(_) | None) => None,
    }
}
