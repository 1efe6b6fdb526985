//! A container of a pod.

use std::borrow::Cow;

use crate::json::{Reader, Result, members};
use crate::pod::limits::MAX_ITEMS;
use crate::pod::security::SecurityContext;
use crate::pod::volume_mount::VolumeMounts;

/// Which list a container stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContainerKind {
    /// `initContainers`.
    Init,
    /// `containers`.
    Regular,
    /// `ephemeralContainers`.
    Ephemeral,
}

impl ContainerKind {
    /// The name of the list in a pod's spec.
    #[must_use]
    pub fn list(self) -> &'static str {
        match self {
            Self::Init => "initContainers",
            Self::Regular => "containers",
            Self::Ephemeral => "ephemeralContainers",
        }
    }
}

/// A container, init container or ephemeral container.
#[derive(Debug, Default)]
pub struct Container<'a> {
    /// Whether it is `null`, so that a patch cannot add anything to it.
    pub is_null: bool,
    /// `name`.
    pub name: Cow<'a, str>,
    /// `image`; empty when absent.
    pub image: Cow<'a, str>,
    /// `env`, as JSON text that is read when an identity is given; empty when absent.
    env: &'a str,
    /// Whether its `restartPolicy` is `Always`: an init container with it is a sidecar.
    pub is_sidecar: bool,
    /// `resources`, as JSON text; empty when absent.
    pub resources: &'a str,
    /// Whether it may use a volume as a raw block device.
    pub may_have_volume_devices: bool,
    /// `volumeMounts`.
    pub volume_mounts: VolumeMounts<'a>,
    /// `securityContext`.
    pub security: Option<SecurityContext<'a>>,
    /// All of it, as JSON text: what hardly any rule looks into is looked up there, since there may be many containers.
    text: &'a str,
    /// The host ports among `ports`: those that are not 0.
    pub host_ports: Vec<HostPort>,
    /// The hosts of probes and lifecycle handlers: those that are not empty.
    pub probe_hosts: Vec<ProbeHost<'a>>,
}

/// An environment variable of a container.
#[derive(Default)]
pub struct Variable<'a> {
    /// `name`.
    pub name: Cow<'a, str>,
    /// `value`: perhaps a secret.
    pub value: Cow<'a, str>,
    /// Whether it has a `valueFrom`.
    pub is_from_elsewhere: bool,
}

/// A port of the node that a container asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct HostPort {
    /// The place in `ports`.
    pub index: usize,
    /// `hostPort`, never 0.
    pub port: i32,
}

/// A host that a probe or lifecycle handler connects to.
#[derive(Debug, PartialEq, Eq)]
pub struct ProbeHost<'a> {
    /// The field, from the container: `livenessProbe.httpGet.host`.
    pub field: &'static str,
    /// The host, never empty.
    pub host: Cow<'a, str>,
}

impl<'a> Container<'a> {
    /// Reads it in place: it is large, and there may be many.
    pub(super) fn read(&mut self, reader: &mut Reader<'a>) -> Result<()> {
        let container = self;
        let start = reader.offset();
        let is_set = members!(reader, {
            "name" => container.name = reader.string()?,
            "image" => container.image = reader.string()?,
            "ports" => container.read_ports(reader)?,
            "volumeMounts" => container.volume_mounts = VolumeMounts::of(reader.skip_list()?),
            "env" => container.env = reader.skip()?,
            "envFrom" => reader.skip_list().map(drop)?,
            "restartPolicy" => container.is_sidecar = reader.string()? == "Always",
            "resources" => container.resources = reader.skip()?,
            "volumeDevices" => {
                container.may_have_volume_devices = !matches!(reader.skip()?, "null" | "[]");
            },
            "securityContext" => container.security = SecurityContext::read(reader)?,
            "livenessProbe" => container.read_handler(reader, "livenessProbe.httpGet.host", "livenessProbe.tcpSocket.host")?,
            "readinessProbe" => container.read_handler(reader, "readinessProbe.httpGet.host", "readinessProbe.tcpSocket.host")?,
            "startupProbe" => container.read_handler(reader, "startupProbe.httpGet.host", "startupProbe.tcpSocket.host")?,
            "lifecycle" => members!(reader, {
                "postStart" => container.read_handler(reader, "lifecycle.postStart.httpGet.host", "lifecycle.postStart.tcpSocket.host")?,
                "preStop" => container.read_handler(reader, "lifecycle.preStop.httpGet.host", "lifecycle.preStop.tcpSocket.host")?,
            })
            .map(drop)?,
        })?;
        container.is_null = !is_set;
        container.text = reader.text_since(start);
        Ok(())
    }

    /// A member, as JSON text; empty when absent, and a text that nothing can be read from if it cannot be told.
    fn member(&self, name: &str) -> &'a str {
        let mut found = "";
        if self.text.is_empty() {
            return found;
        }
        let read = Reader::over_part(self.text).object(|reader, key| {
            let text = reader.skip()?;
            if key == name {
                found = text;
            }
            Ok(())
        });
        if read.is_ok() { found } else { "unreadable" }
    }

    /// `envFrom`, as JSON text; empty when absent.
    #[must_use]
    pub fn env_from(&self) -> &'a str {
        self.member("envFrom")
    }

    /// Whether `env` is set, not `null`.
    #[must_use]
    pub fn has_env(&self) -> bool {
        !matches!(self.env, "" | "null")
    }

    /// Whether `env` may hold a variable whose name has this text in it, or is no list, at little cost: where neither can be, it
    /// need not be read.
    #[must_use]
    pub fn may_have_variable(&self, text: &str) -> bool {
        let is_list = !self.has_env() || self.env.starts_with('[');
        !is_list || self.env.contains(text) || memchr::memchr(b'\\', self.env.as_bytes()).is_some()
    }

    /// Calls back with each variable of `env` and its index. Its value is for comparing alone, and never to be shown.
    ///
    /// # Errors
    /// When `env` is not a list of variables, or a field of one differs from its name in case only.
    pub fn for_each_variable(&self, mut each: impl FnMut(usize, Variable<'a>)) -> Result<()> {
        if self.env.is_empty() {
            return Ok(());
        }
        Reader::over_part(self.env).refusing_misspelt_case().array(|reader, index| {
            let mut variable = Variable::default();
            members!(reader, {
                "name" => variable.name = reader.string()?,
                "value" => variable.value = reader.string()?,
                "valueFrom" => variable.is_from_elsewhere = reader.object(|reader, _| reader.skip().map(drop))?,
            })?;
            each(index, variable);
            Ok(())
        })
    }

    /// Calls back with the index of each port without a `hostPort`, and its `containerPort`, which is what the API server gives
    /// it on the host's network.
    ///
    /// # Errors
    /// When a port is none of 32 bits, or a field of one differs from its name in case only.
    pub fn for_each_port_without_host_port(&self, mut each: impl FnMut(usize, i32)) -> Result<()> {
        let ports = self.member("ports");
        if ports.is_empty() {
            return Ok(());
        }
        Reader::over_part(ports).refusing_misspelt_case().array(|reader, index| {
            let (mut host_port, mut container_port) = (0, 0);
            members!(reader, {
                "hostPort" => host_port = reader.integer32()?.unwrap_or_default(),
                "containerPort" => container_port = reader.integer32()?.unwrap_or_default(),
            })?;
            if host_port == 0 {
                each(index, container_port);
            }
            Ok(())
        })
    }

    fn read_ports(&mut self, reader: &mut Reader<'a>) -> Result<()> {
        reader.array(|reader, index| {
            let mut port = 0;
            members!(reader, { "hostPort" => port = reader.integer32()?.unwrap_or_default() })?;
            if port != 0 {
                reader.keep(self.host_ports.len(), MAX_ITEMS, "host ports of one container")?;
                self.host_ports.push(HostPort { index, port });
            }
            Ok(())
        })
    }

    /// Reads a probe or a lifecycle handler; the two names say where its hosts stand.
    fn read_handler(
        &mut self,
        reader: &mut Reader<'a>,
        http_host: &'static str,
        tcp_host: &'static str,
    ) -> Result<()> {
        members!(reader, {
            "httpGet" => members!(reader, { "host" => self.read_host(http_host, reader)? }).map(drop)?,
            "tcpSocket" => members!(reader, { "host" => self.read_host(tcp_host, reader)? }).map(drop)?,
        })
        .map(drop)
    }

    fn read_host(&mut self, field: &'static str, reader: &mut Reader<'a>) -> Result<()> {
        let host = reader.string()?;
        if !host.is_empty() {
            reader.keep(self.probe_hosts.len(), MAX_ITEMS, "hosts of probes in one container")?;
            self.probe_hosts.push(ProbeHost { field, host });
        }
        Ok(())
    }
}
