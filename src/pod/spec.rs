//! A pod or pod template, and its spec.

use std::borrow::Cow;

use crate::json::{Reader, Result, members};
use crate::pod::container::{Container, ContainerKind};
use crate::pod::container_ref::ContainerRef;
use crate::pod::limits::{MAX_CONTAINERS, MAX_ITEMS};
use crate::pod::metadata::Metadata;
use crate::pod::security::PodSecurityContext;
use crate::pod::volume::Volume;

/// Room for the containers of a usual pod: a sidecar or two beside each worker.
const USUAL_CONTAINERS: usize = 16;
/// Room for its volumes.
const USUAL_VOLUMES: usize = 16;

/// The label of a node that names its operating system.
const NODE_OS: &str = "kubernetes.io/os";

/// A pod, or the template of one.
#[derive(Debug, Default)]
pub struct Pod<'a> {
    /// `metadata`: of a template, the template's own.
    pub metadata: Metadata<'a>,
    /// `spec`.
    pub spec: Spec<'a>,
    /// Whether there is a `metadata`, which a patch must know.
    pub has_metadata: bool,
    /// Whether there is a `spec`, likewise.
    pub has_spec: bool,
}

/// The spec of a pod.
#[derive(Debug, Default)]
pub struct Spec<'a> {
    /// `hostNetwork`.
    pub host_network: bool,
    /// `hostPID`.
    pub host_pid: bool,
    /// `hostIPC`.
    pub host_ipc: bool,
    /// `hostUsers`.
    pub host_users: Option<bool>,
    /// `os.name`; empty when absent.
    pub os_name: Cow<'a, str>,
    /// `nodeSelector["kubernetes.io/os"]`; empty when absent.
    pub node_os: Cow<'a, str>,
    /// `serviceAccountName`; empty when absent.
    pub service_account_name: Cow<'a, str>,
    /// `serviceAccount`, its deprecated alias; empty when absent.
    pub service_account: Cow<'a, str>,
    /// `automountServiceAccountToken`.
    pub automount_token: Option<bool>,
    /// `imagePullSecrets`, as JSON text that is read when the service account changes; empty when absent.
    pub image_pull_secrets: &'a str,
    /// `runtimeClassName`; empty when absent.
    pub runtime_class_name: Cow<'a, str>,
    /// `securityContext`.
    pub security: PodSecurityContext<'a>,
    /// `tolerations`, as JSON text; empty when absent.
    pub tolerations: &'a str,
    /// `nodeName`; empty when absent.
    pub node_name: Cow<'a, str>,
    /// `nodeSelector`, as JSON text; empty when absent.
    pub node_selector: &'a str,
    /// `affinity`, as JSON text; empty when absent.
    pub affinity: &'a str,
    /// `schedulerName`; empty when absent.
    pub scheduler_name: Cow<'a, str>,
    /// `priorityClassName`; empty when absent.
    pub priority_class_name: Cow<'a, str>,
    /// `resources` of the pod as a whole, as JSON text; empty when absent.
    pub resources: &'a str,
    /// `volumes`.
    pub volumes: Vec<Volume<'a>>,
    /// `initContainers`, sidecars among them.
    pub init_containers: Vec<Container<'a>>,
    /// `containers`.
    pub containers: Vec<Container<'a>>,
    /// `ephemeralContainers`.
    pub ephemeral_containers: Vec<Container<'a>>,
}

impl<'a> Pod<'a> {
    /// Reads a pod, a pod template, or any object of their shape.
    ///
    /// # Errors
    /// When the text is not JSON, or a field is of the wrong type.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self> {
        let mut pod = Self::default();
        members!(reader, {
            "metadata" => pod.read_metadata(reader)?,
            "spec" => pod.read_spec(reader)?,
        })?;
        Ok(pod)
    }

    /// Reads its `metadata`.
    ///
    /// # Errors
    /// As [`Pod::read`].
    pub fn read_metadata(&mut self, reader: &mut Reader<'a>) -> Result<()> {
        self.has_metadata = self.metadata.read(reader)?;
        Ok(())
    }

    /// Reads its `spec`.
    ///
    /// # Errors
    /// As [`Pod::read`].
    pub fn read_spec(&mut self, reader: &mut Reader<'a>) -> Result<()> {
        self.has_spec = self.spec.read(reader)?;
        Ok(())
    }

    /// The one walk over the containers: init, regular, ephemeral, each in the order of the list.
    pub fn containers(&self) -> impl Iterator<Item = (ContainerRef<'_>, &Container<'a>)> {
        let spec = &self.spec;
        of_kind(ContainerKind::Init, &spec.init_containers)
            .chain(of_kind(ContainerKind::Regular, &spec.containers))
            .chain(of_kind(ContainerKind::Ephemeral, &spec.ephemeral_containers))
    }

    /// Whether the pod says that it runs on Windows, where several Linux fields must not be set.
    #[must_use]
    pub fn is_windows(&self) -> bool {
        self.spec.os_name == "windows"
    }

    /// Whether the pod is meant for a Windows node: it says so itself, or it selects such nodes.
    #[must_use]
    pub fn is_for_windows(&self) -> bool {
        self.is_windows() || self.spec.node_os == "windows"
    }

    /// Whether it represents a static pod of a node, which only the node can change.
    #[must_use]
    pub fn is_mirror(&self) -> bool {
        self.metadata.annotation(Metadata::MIRROR).is_some()
    }

    /// Whether the pod runs in a user namespace of its own, so that its root is not the node's.
    #[must_use]
    pub fn has_user_namespace(&self) -> bool {
        self.spec.host_users == Some(false)
    }

    /// The service account that the pod runs as. The deprecated alias counts only where the name is absent.
    #[must_use]
    pub fn service_account(&self) -> &str {
        [&self.spec.service_account_name, &self.spec.service_account]
            .into_iter()
            .find(|name| !name.is_empty())
            .map_or("default", AsRef::as_ref)
    }

    /// The container at a place.
    #[must_use]
    pub fn container(&self, at: ContainerRef<'_>) -> Option<&Container<'a>> {
        let list = match at.kind {
            ContainerKind::Init => &self.spec.init_containers,
            ContainerKind::Regular => &self.spec.containers,
            ContainerKind::Ephemeral => &self.spec.ephemeral_containers,
        };
        list.get(at.index)
    }

    /// The user that a container says it runs as, by itself or through the pod; the image's own where neither does.
    #[must_use]
    pub fn user_of(&self, container: &Container<'_>) -> Option<i64> {
        let own = container.security.as_ref().and_then(|security| security.run_as_user);
        own.or(self.spec.security.run_as_user)
    }

    /// The user of a Windows container, by itself or through the pod; empty where neither names one.
    #[must_use]
    pub fn windows_user_of<'c>(&'c self, container: &'c Container<'_>) -> &'c str {
        let own = container.security.as_ref().map(|security| security.windows_user.as_ref());
        own.filter(|user| !user.is_empty()).unwrap_or(&self.spec.security.windows_user)
    }

    /// Fills in what the API server fills in before any webhook sees the pod, as far as a verdict depends on it: a volume
    /// without a source is an `emptyDir`. For manifests, never for reviews.
    pub fn apply_server_defaults(&mut self) {
        for volume in &mut self.spec.volumes {
            volume.apply_server_default();
        }
    }
}

fn of_kind<'p, 'a>(
    kind: ContainerKind,
    containers: &'p [Container<'a>],
) -> impl Iterator<Item = (ContainerRef<'p>, &'p Container<'a>)> {
    containers.iter().enumerate().map(move |(index, container)| {
        (ContainerRef { kind, index, name: container.name.as_ref() }, container)
    })
}

impl<'a> Spec<'a> {
    fn read(&mut self, reader: &mut Reader<'a>) -> Result<bool> {
        members!(reader, {
            "volumes" => reader.array(|reader, index| {
                if index == 0 {
                    self.volumes.reserve(USUAL_VOLUMES);
                }
                reader.keep(index, MAX_ITEMS, "volumes")?;
                self.volumes.push(Volume::read(reader)?);
                Ok(())
            })?,
            "initContainers" => read_containers(reader, &mut self.init_containers)?,
            "containers" => read_containers(reader, &mut self.containers)?,
            "ephemeralContainers" => read_containers(reader, &mut self.ephemeral_containers)?,
            "securityContext" => self.security.read(reader)?,
            "hostNetwork" => self.host_network = reader.boolean()?.unwrap_or_default(),
            "hostPID" => self.host_pid = reader.boolean()?.unwrap_or_default(),
            "hostIPC" => self.host_ipc = reader.boolean()?.unwrap_or_default(),
            "hostUsers" => self.host_users = reader.boolean()?,
            "os" => members!(reader, { "name" => self.os_name = reader.string()? }).map(drop)?,
            "nodeSelector" => self.read_node_selector(reader)?,
            "affinity" => self.affinity = reader.skip()?,
            "nodeName" => self.node_name = reader.string()?,
            "schedulerName" => self.scheduler_name = reader.string()?,
            "priorityClassName" => self.priority_class_name = reader.string()?,
            "resources" => self.resources = reader.skip()?,
            "runtimeClassName" => self.runtime_class_name = reader.string()?,
            "serviceAccountName" => self.service_account_name = reader.string()?,
            "serviceAccount" => self.service_account = reader.string()?,
            "automountServiceAccountToken" => self.automount_token = reader.boolean()?,
            "imagePullSecrets" => self.image_pull_secrets = reader.skip()?,
            "tolerations" => self.tolerations = reader.skip()?,
        })
    }
}

impl<'a> Spec<'a> {
    fn read_node_selector(&mut self, reader: &mut Reader<'a>) -> Result<()> {
        let start = reader.offset();
        reader.object(|reader, key| {
            if key == NODE_OS {
                self.node_os = reader.string()?;
            } else {
                reader.skip()?;
            }
            Ok(())
        })?;
        self.node_selector = reader.text_since(start);
        Ok(())
    }
}

fn read_containers<'a>(reader: &mut Reader<'a>, containers: &mut Vec<Container<'a>>) -> Result<()> {
    reader.array(|reader, index| {
        if index == 0 {
            containers.reserve(USUAL_CONTAINERS);
        }
        if index == MAX_CONTAINERS {
            return Err(reader.limit(format!("more than {MAX_CONTAINERS} containers of one kind")));
        }
        containers.push(Container::default());
        containers.last_mut().map_or(Ok(()), |container| container.read(reader))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> std::result::Result<Pod<'_>, String> {
        Pod::read(&mut Reader::over(text).refusing_misspelt_case()).map_err(|error| error.to_string())
    }

    #[test]
    fn null_is_absent_everywhere() {
        let pod = read(
            r#"{"metadata":null,"spec":{"containers":null,"initContainers":[null],"hostNetwork":null,
                "hostUsers":null,"os":null,"securityContext":null,"volumes":null,"serviceAccountName":null}}"#,
        )
        .expect("null is absent");
        assert_eq!(pod.containers().count(), 1);
        assert!(!pod.spec.host_network && pod.spec.host_users.is_none() && !pod.is_windows());
        assert_eq!(pod.service_account(), "default");
        assert!(read("null").is_ok());
    }

    #[test]
    fn a_wrong_type_names_its_field() {
        for (text, expected) in [
            (
                r#"{"spec":{"containers":[{"securityContext":{"runAsUser":"0"}}]}}"#,
                "spec.containers[0].securityContext.runAsUser: expected a whole number, found a string",
            ),
            (
                r#"{"spec":{"hostNetwork":"true"}}"#,
                "spec.hostNetwork: expected true or false, found a string",
            ),
            (r#"{"spec":{"containers":"x"}}"#, "spec.containers: expected an array, found a string"),
            (r#"{"spec":[]}"#, "spec: expected an object, found an array"),
            (
                r#"{"spec":{"containers":[{"ports":[{"hostPort":4294967296}]}]}}"#,
                "spec.containers[0].ports[0].hostPort: expected a whole number of 32 bits",
            ),
            (r#"{"spec":{"hostpid":true}}"#, "spec.hostpid: unknown field, did you mean hostPID?"),
        ] {
            let error = read(text).expect_err(text);
            assert_eq!(error.split(" (byte").next(), Some(expected));
        }
    }

    #[test]
    fn the_walk_goes_init_regular_ephemeral() {
        let pod = read(
            r#"{"spec":{"ephemeralContainers":[{"name":"e"}],"containers":[{"name":"a"},{"name":"b"}],
                "initContainers":[{"name":"i"}]}}"#,
        )
        .expect("a pod");
        let names: Vec<_> = pod.containers().map(|(at, _)| (at.kind, at.index, at.name)).collect();
        assert_eq!(
            names,
            [
                (ContainerKind::Init, 0, "i"),
                (ContainerKind::Regular, 0, "a"),
                (ContainerKind::Regular, 1, "b"),
                (ContainerKind::Ephemeral, 0, "e"),
            ]
        );
    }

    #[test]
    fn too_many_containers_are_refused_not_read() {
        let text = format!(r#"{{"spec":{{"containers":[{}{{}}]}}}}"#, "{},".repeat(MAX_CONTAINERS));
        assert!(read(&text).expect_err("501").contains("more than 500 containers"));
    }
}
