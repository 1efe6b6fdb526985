//! A credential plugin: a program that a kubeconfig names under `exec`, and that prints a token or a certificate.
//!
//! Its output is shown nowhere, since credentials are in it.

use std::io;
use std::process::{Command, ExitStatus, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::cluster::kubeconfig::{ClusterEntry, KubeconfigError, PluginEntry};
use crate::cluster::section::{FieldError, Section};
use crate::yaml;

/// Why a program gives no credentials.
#[derive(Debug, thiserror::Error)]
pub(super) enum PluginError {
    #[error("the program cannot be run: {0}")]
    Unstarted(io::Error),
    #[error("{program} failed with {status}")]
    Failed { program: String, status: ExitStatus },
    #[error("the program gave no ExecCredential with a status")]
    NoCredential,
    #[error("the program gave no ExecCredential: {0}")]
    Field(#[from] FieldError),
    #[error("the program gave an expirationTimestamp that is no time")]
    NoTime,
    #[error("the program gave no token with an expirationTimestamp, as it had before")]
    NoToken,
    #[error("provideClusterInfo: {0}")]
    Cluster(Box<KubeconfigError>),
}

/// A program, and what it is told.
pub(super) struct CredentialPlugin {
    entry: PluginEntry,
    /// An ExecCredential with what it may want to know.
    info: String,
}

/// What a program gave.
pub(super) struct PluginCredentials {
    pub(super) token: Option<String>,
    pub(super) expires: Option<Timestamp>,
    /// A certificate and its key in PEM.
    pub(super) identity: Option<(String, String)>,
}

impl CredentialPlugin {
    pub(super) fn new(entry: &PluginEntry, cluster: &ClusterEntry) -> Result<Self, PluginError> {
        let mut spec = Map::new();
        spec.insert("interactive".to_owned(), json!(!entry.is_never_interactive));
        if entry.wants_cluster {
            let info = cluster_info(cluster).map_err(|error| PluginError::Cluster(Box::new(error)))?;
            spec.insert("cluster".to_owned(), info);
        }
        let info = json!({"apiVersion": entry.api_version, "kind": "ExecCredential", "spec": spec});
        Ok(Self { entry: entry.clone(), info: info.to_string() })
    }

    /// Runs it, and waits for its end.
    pub(super) fn run(&self) -> Result<PluginCredentials, PluginError> {
        let mut command = Command::new(&self.entry.command);
        command
            .args(&self.entry.arguments)
            .envs(self.entry.environment.iter().map(|(name, value)| (name, value)))
            .env("KUBERNETES_EXEC_INFO", &self.info);
        if self.entry.is_never_interactive {
            command.stdin(Stdio::null());
        } else {
            // It may ask whoever runs this, and say what to do.
            command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
        }
        let output = command.output().map_err(PluginError::Unstarted)?;
        if !output.status.success() {
            let program = self.entry.command.display().to_string();
            return Err(PluginError::Failed { program, status: output.status });
        }
        read(&output.stdout)
    }
}

/// Reads an ExecCredential. Some programs print it as YAML, which the Go client reads, too.
fn read(output: &[u8]) -> Result<PluginCredentials, PluginError> {
    let text = std::str::from_utf8(output).map_err(|_| PluginError::NoCredential)?;
    let mut documents = yaml::read(text).into_iter();
    let (Some(Ok(document)), None) = (documents.next(), documents.next()) else {
        return Err(PluginError::NoCredential);
    };
    let status = Section::root(&document.root).section("status")?.ok_or(PluginError::NoCredential)?;
    let expires = status.text("expirationTimestamp")?;
    let expires = expires.map(|time| time.parse().map_err(|_| PluginError::NoTime)).transpose()?;
    let identity = status.text("clientCertificateData")?.zip(status.text("clientKeyData")?);
    Ok(PluginCredentials { token: status.text("token")?, expires, identity })
}

/// The cluster of the context, as `spec.cluster` has it.
fn cluster_info(cluster: &ClusterEntry) -> Result<Value, KubeconfigError> {
    let mut info = Map::new();
    let mut put = |name: &str, value: Value| info.insert(name.to_owned(), value);
    let ClusterEntry { server, is_insecure, authorities, tls_server_name, proxy_url, plugin_config } =
        cluster;
    if let Some(server) = server {
        put("server", json!(server));
    }
    if *is_insecure {
        put("insecure-skip-tls-verify", json!(true));
    }
    if let Some(pem) = authorities.load("certificate-authority, of the cluster of the context")? {
        put("certificate-authority-data", json!(STANDARD.encode(pem)));
    }
    if let Some(name) = tls_server_name {
        put("tls-server-name", json!(name));
    }
    if let Some(url) = proxy_url {
        put("proxy-url", json!(url));
    }
    if let Some(config) = plugin_config {
        put("config", serde_json::from_slice(config).unwrap_or(Value::Null));
    }
    Ok(Value::Object(info))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exec_credential_in_json_and_in_yaml() {
        let json = br#"{"kind": "ExecCredential", "status": {"token": "t"}}"#;
        let found = read(json).unwrap();
        assert_eq!((found.token.as_deref(), found.expires), (Some("t"), None));
        let yaml = "kind: ExecCredential\nstatus:\n  token: t\n  expirationTimestamp: \"2030-01-01T00:00:00Z\"\n\
                    \x20 clientCertificateData: c\n  clientKeyData: k\n";
        let found = read(yaml.as_bytes()).unwrap();
        assert_eq!(found.expires.unwrap().to_string(), "2030-01-01T00:00:00Z");
        assert_eq!(found.identity.unwrap(), ("c".to_owned(), "k".to_owned()));
    }

    #[test]
    fn what_is_no_exec_credential_is_not_shown() {
        for (output, expected) in [
            (&b"a-secret: ["[..], "the program gave no ExecCredential with a status"),
            (b"{}\n---\n{}", "the program gave no ExecCredential with a status"),
            (b"\xff", "the program gave no ExecCredential with a status"),
            (b"a-secret", "the program gave no ExecCredential: line 1: it is not a mapping"),
            (b"status: {token: 7}", "the program gave no ExecCredential: line 1: status.token is not text"),
            (
                b"status: {expirationTimestamp: a-secret}",
                "the program gave an expirationTimestamp that is no time",
            ),
        ] {
            assert_eq!(read(output).err().unwrap().to_string(), expected);
        }
    }
}
