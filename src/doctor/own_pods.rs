//! podgate's own Deployment and its pods, of which a few fields are looked at.
//!
//! The types of `k8s_openapi` read every field of a pod, and that code is a twentieth of the program.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::{Metadata, NamespaceResourceScope, Resource};
use serde::Deserialize;

/// The Deployment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OwnDeployment {
    pub(super) metadata: ObjectMeta,
    pub(super) spec: OwnDeploymentSpec,
    pub(super) status: Option<OwnDeploymentStatus>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct OwnDeploymentSpec {
    pub(super) replicas: Option<i32>,
    pub(super) selector: LabelSelector,
    pub(super) template: OwnTemplate,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct OwnTemplate {
    pub(super) metadata: Option<ObjectMeta>,
    pub(super) spec: Option<OwnPodSpec>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OwnDeploymentStatus {
    pub(super) ready_replicas: Option<i32>,
}

/// A pod of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OwnPod {
    pub(super) metadata: ObjectMeta,
    pub(super) spec: Option<OwnPodSpec>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OwnPodSpec {
    pub(super) node_name: Option<String>,
    pub(super) containers: Vec<OwnContainer>,
    pub(super) volumes: Option<Vec<OwnVolume>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OwnContainer {
    pub(super) name: String,
    pub(super) image: Option<String>,
    pub(super) args: Option<Vec<String>>,
    pub(super) env: Option<Vec<OwnVariable>>,
    pub(super) ports: Option<Vec<OwnPort>>,
    pub(super) volume_mounts: Option<Vec<OwnMount>>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct OwnVariable {
    pub(super) name: String,
    pub(super) value: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OwnPort {
    pub(super) name: Option<String>,
    pub(super) container_port: i32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OwnMount {
    pub(super) name: String,
    pub(super) mount_path: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct OwnVolume {
    pub(super) name: String,
    pub(super) secret: Option<OwnSecretVolume>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OwnSecretVolume {
    pub(super) secret_name: Option<String>,
}

impl Resource for OwnDeployment {
    const API_VERSION: &'static str = "apps/v1";
    const GROUP: &'static str = "apps";
    const KIND: &'static str = "Deployment";
    const VERSION: &'static str = "v1";
    const URL_PATH_SEGMENT: &'static str = "deployments";
    type Scope = NamespaceResourceScope;
}

impl Metadata for OwnDeployment {
    type Ty = ObjectMeta;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl Resource for OwnPod {
    const API_VERSION: &'static str = "v1";
    const GROUP: &'static str = "";
    const KIND: &'static str = "Pod";
    const VERSION: &'static str = "v1";
    const URL_PATH_SEGMENT: &'static str = "pods";
    type Scope = NamespaceResourceScope;
}

impl Metadata for OwnPod {
    type Ty = ObjectMeta;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
