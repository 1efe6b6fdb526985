//! The Deployment, its pods and their disruption budget.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::finding::listed;
use super::installation::REINSTALL;
use super::reach::selects;
use super::{Check, Finding, Installation, Severity};
use crate::policy::Labels;

/// What names the file of the certificate.
const CERTIFICATE: Setting = Setting { flag: "--tls-cert", variable: "PODGATE_TLS_CERT" };

/// What names the labels that podgate takes to be guarded.
pub(super) const GUARDED: Setting = Setting { flag: "--guarded-labels", variable: "PODGATE_GUARDED_LABELS" };

/// A flag of podgate's, and the environment variable in its place.
pub(super) struct Setting {
    flag: &'static str,
    pub(super) variable: &'static str,
}

pub(super) fn check(installation: &Installation, findings: &mut Vec<Finding>) {
    let names = &installation.names;
    let mut report = |check, severity, field: &str, found: String, mend: String| {
        let object = names.own("Deployment", &names.deployment);
        findings.push(Finding { check, severity, object, field: field.to_owned(), found, mend });
    };
    let deployment = match &installation.deployment {
        Err(_) => return,
        Ok(None) => {
            let found = "not there: nobody answers the webhooks".to_owned();
            return report(Check::DeploymentMissing, Severity::Error, "", found, REINSTALL.to_owned());
        }
        Ok(Some(deployment)) => deployment,
    };
    let wanted = replicas(deployment);
    let ready = deployment.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default();
    if ready < wanted {
        let severity = if ready == 0 { Severity::Error } else { Severity::Warning };
        let found = format!("{ready} of {wanted} are ready");
        let pods = names.kubectl(&format!("describe pods --selector {}", selector_text(deployment)));
        report(Check::ReplicasNotReady, severity, "status.readyReplicas", found, pods);
    }
    if wanted < 2 {
        let found =
            format!("{wanted}: while it is replaced or its node is down, nobody answers the webhooks");
        let scale = names.kubectl(&format!("scale deployment/{} --replicas=2", names.deployment));
        report(Check::ReplicasFew, Severity::Warning, "spec.replicas", found, scale);
    }
    if let Ok(pods) = &installation.pods {
        // Those that are on their way out say nothing of how it will be.
        let pods: Vec<&Pod> = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect();
        together(&pods, &mut report, &names.restart());
        images(
            &pods,
            &mut report,
            &names.kubectl(&format!("rollout status deployment/{}", names.deployment)),
        );
    }
    if let Ok(budgets) = &installation.budgets {
        budget(installation, deployment, budgets, findings);
    }
}

/// How many replicas are asked for.
fn replicas(deployment: &Deployment) -> i32 {
    deployment.spec.replicas.unwrap_or(1)
}

/// The labels of the pods that it makes.
pub(super) fn pod_labels(deployment: &Deployment) -> Labels {
    let metadata = deployment.spec.template.metadata.as_ref();
    metadata.and_then(|metadata| metadata.labels.clone()).unwrap_or_default()
}

/// What its pods are selected by, for kubectl.
fn selector_text(deployment: &Deployment) -> String {
    let labels = deployment.spec.selector.match_labels.as_ref();
    let terms: Vec<String> =
        labels.into_iter().flatten().map(|(key, value)| format!("{key}={value}")).collect();
    terms.join(",")
}

type Report<'r> = dyn FnMut(Check, Severity, &str, String, String) + 'r;

fn together(pods: &[&Pod], report: &mut Report<'_>, restart: &str) {
    let nodes: Vec<&str> =
        pods.iter().filter_map(|pod| pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref())).collect();
    let Some(first) = nodes.first() else { return };
    if nodes.len() > 1 && nodes.iter().all(|node| node == first) {
        let found = format!("all {} replicas are on the node {first}, and are gone when it is", nodes.len());
        let mend = format!("{restart} # once there is room on another node");
        report(Check::ReplicasTogether, Severity::Warning, "spec.template", found, mend);
    }
}

fn images(pods: &[&Pod], report: &mut Report<'_>, watch: &str) {
    let containers = pods.iter().filter_map(|pod| pod.spec.as_ref()).filter_map(container);
    let images: BTreeSet<&str> = containers.filter_map(|container| container.image.as_deref()).collect();
    if images.len() > 1 {
        let images: Vec<&str> = images.into_iter().collect();
        let found = format!(
            "replicas run different images, and may answer differently: {}. A rollout is under way, or stuck",
            listed(&images)
        );
        report(Check::ImagesDiffer, Severity::Warning, "spec.template", found, watch.to_owned());
    }
}

fn budget(
    installation: &Installation,
    deployment: &Deployment,
    budgets: &[PodDisruptionBudget],
    findings: &mut Vec<Finding>,
) {
    let names = &installation.names;
    let labels = pod_labels(deployment);
    let wanted = replicas(deployment);
    let selector = |budget: &&PodDisruptionBudget| {
        let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        selector.is_some_and(|selector| selects(selector, &labels))
    };
    let of_ours: Vec<&PodDisruptionBudget> = budgets.iter().filter(selector).collect();
    if of_ours.is_empty() {
        findings.push(Finding {
            check: Check::DisruptionBudget,
            severity: Severity::Warning,
            object: names.own("PodDisruptionBudget", &names.deployment),
            field: String::new(),
            found: "none selects podgate's pods: all replicas may be drained at once".to_owned(),
            mend: REINSTALL.to_owned(),
        });
    }
    for budget in of_ours {
        let Some((field, value)) = blocks(budget, wanted) else { continue };
        let name = budget.metadata.name.as_deref().unwrap_or_default();
        findings.push(Finding {
            check: Check::DisruptionBudget,
            severity: Severity::Warning,
            object: names.own("PodDisruptionBudget", name),
            field: format!("spec.{field}"),
            found: format!("{value} with {wanted} replicas: no node that runs one can be drained"),
            mend: names.kubectl(&format!(
                "patch poddisruptionbudget/{name} --type=merge --patch='{{\"spec\": {{\"minAvailable\": null, \
                 \"maxUnavailable\": 1}}}}'"
            )),
        });
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

/// podgate's container of a pod: the one of the name, or the first.
pub(super) fn container(spec: &PodSpec) -> Option<&Container> {
    spec.containers.iter().find(|container| container.name == "podgate").or_else(|| spec.containers.first())
}

/// Whether a Deployment of podgate takes its certificate from files, and so does not manage it by itself.
#[must_use]
pub fn has_certificate_files(deployment: &Deployment) -> bool {
    certificate_file(deployment).is_some()
}

fn pod_spec(deployment: &Deployment) -> Option<&PodSpec> {
    deployment.spec.template.spec.as_ref()
}

fn certificate_file(deployment: &Deployment) -> Option<&str> {
    CERTIFICATE.of(deployment)
}

impl Setting {
    /// What a Deployment of podgate sets it to; `None` where it is not set.
    pub(super) fn of<'d>(&self, deployment: &'d Deployment) -> Option<&'d str> {
        let container = pod_spec(deployment).and_then(container)?;
        let variable = container.env.iter().flatten().find(|variable| variable.name == self.variable);
        let arguments = container.args.as_deref().unwrap_or_default();
        let mut flags = arguments.iter().zip(arguments.iter().skip(1).map(Some).chain([None]));
        let flag = flags.find_map(|(flag, next)| match flag.strip_prefix(self.flag)? {
            "" => next.map(String::as_str),
            value => value.strip_prefix('='),
        });
        flag.or_else(|| variable.and_then(|variable| variable.value.as_deref()))
    }
}

/// The Secret that the files of the certificate come from; `None` when podgate manages it by itself, or when they
/// come from elsewhere.
#[must_use]
pub fn mounted_secret(deployment: &Deployment) -> Option<&str> {
    let file = certificate_file(deployment)?;
    let spec = pod_spec(deployment)?;
    let holds = |folder: &str| file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let mount = container(spec)?
        .volume_mounts
        .iter()
        .flatten()
        .find(|mount| holds(mount.mount_path.trim_end_matches('/')))?;
    let volume = spec.volumes.iter().flatten().find(|volume| volume.name == mount.name)?;
    volume.secret.as_ref()?.secret_name.as_deref()
}
