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
    /// `resources`, as JSON text; empty when absent.
    pub resources: &'a str,
    /// `volumeMounts`.
    pub volume_mounts: VolumeMounts<'a>,
    /// `securityContext`.
    pub security: Option<SecurityContext<'a>>,
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
        let is_set = members!(reader, {
            "name" => container.name = reader.string()?,
            "image" => container.image = reader.string()?,
            "ports" => container.read_ports(reader)?,
            "volumeMounts" => container.volume_mounts = VolumeMounts::of(reader.skip_list()?),
            "env" => container.env = reader.skip()?,
            "resources" => container.resources = reader.skip()?,
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
        Ok(())
    }

    /// Whether `env` is set, not `null`.
    #[must_use]
    pub fn has_env(&self) -> bool {
        !matches!(self.env, "" | "null")
    }

    /// Whether `env` may hold a variable whose name has this text in it, at little cost: where it cannot, it need not be read.
    #[must_use]
    pub fn may_have_variable(&self, text: &str) -> bool {
        self.env.contains(text) || memchr::memchr(b'\\', self.env.as_bytes()).is_some()
    }

    /// Calls back with each variable of `env` and its index. Its value is for comparing alone, and never to be shown.
    ///
    /// # Errors
    /// When `env` is not a list of variables, or a field of one differs from its name in case only.
    pub fn for_each_variable(&self, mut each: impl FnMut(usize, Variable<'a>)) -> Result<()> {
        if self.env.is_empty() {
            return Ok(());
        }
        Reader::over(self.env).refusing_misspelt_case().array(|reader, index| {
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
