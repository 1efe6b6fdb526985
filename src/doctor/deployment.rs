//! What podgate's Deployment says of how podgate is run.

use crate::doctor::own_pods::{OwnContainer, OwnDeployment, OwnPodSpec};
use crate::policy::Labels;

/// The flag that names the file of the certificate.
const CERTIFICATE: PodgateSetting = PodgateSetting { flag: "--tls-cert", variable: "PODGATE_TLS_CERT" };

/// The flag that names the labels that podgate considers guarded.
pub(super) const GUARDED: PodgateSetting =
    PodgateSetting { flag: "--guarded-labels", variable: "PODGATE_GUARDED_LABELS" };

/// The flag that has podgate inject what Azure needs.
pub(super) const AZURE_TENANT: PodgateSetting =
    PodgateSetting { flag: "--azure-tenant-id", variable: "PODGATE_AZURE_TENANT_ID" };

/// A flag of podgate's, and the environment variable in its place.
pub(super) struct PodgateSetting {
    flag: &'static str,
    pub(super) variable: &'static str,
}

/// The labels of the pods that it makes.
pub(super) fn pod_labels(deployment: &OwnDeployment) -> Labels {
    let metadata = deployment.spec.template.metadata.as_ref();
    metadata.and_then(|metadata| metadata.labels.clone()).unwrap_or_default()
}

/// What its pods are selected by, as `key=value,…`.
#[must_use]
pub fn selector_text(deployment: &OwnDeployment) -> String {
    let labels = deployment.spec.selector.match_labels.as_ref();
    let terms: Vec<String> =
        labels.into_iter().flatten().map(|(key, value)| format!("{key}={value}")).collect();
    terms.join(",")
}

/// podgate's container of a pod: the one of the name, or the first.
pub(super) fn container(spec: &OwnPodSpec) -> Option<&OwnContainer> {
    spec.containers.iter().find(|container| container.name == "podgate").or_else(|| spec.containers.first())
}

/// Whether a Deployment of podgate takes its certificate from files, and so does not manage it by itself.
#[must_use]
pub fn has_certificate_files(deployment: &OwnDeployment) -> bool {
    certificate_file(deployment).is_some()
}

fn pod_spec(deployment: &OwnDeployment) -> Option<&OwnPodSpec> {
    deployment.spec.template.spec.as_ref()
}

fn certificate_file(deployment: &OwnDeployment) -> Option<&str> {
    CERTIFICATE.of(deployment)
}

impl PodgateSetting {
    /// Whether a Deployment of podgate sets it, be it from a ConfigMap or Secret.
    pub(super) fn is_set(&self, deployment: &OwnDeployment) -> bool {
        let variables = pod_spec(deployment).and_then(container).and_then(|container| container.env.as_ref());
        let is_from_elsewhere = variables
            .into_iter()
            .flatten()
            .any(|variable| variable.name == self.variable && variable.value.is_none());
        is_from_elsewhere || self.of(deployment).is_some_and(|value| !value.is_empty())
    }

    /// What a Deployment of podgate sets it to; `None` where it is not set.
    pub(super) fn of<'d>(&self, deployment: &'d OwnDeployment) -> Option<&'d str> {
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
pub fn mounted_secret(deployment: &OwnDeployment) -> Option<&str> {
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
