//! Kubeconfig files: clusters, users and contexts, read as kubectl reads YAML, and merged as kubectl merges them.
//!
//! The client library has a reader of its own for them, with a second reader of YAML. Here is what a message needs as
//! well: the field and its line. No message shows what a field holds, since that may be a token.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cluster::section::{FieldError, Section};
use crate::yaml;

/// Why a kubeconfig cannot be used. Nothing of its content is in the text but names.
#[derive(Debug, thiserror::Error)]
pub(super) enum KubeconfigError {
    #[error("{file}: {error}")]
    Unread { file: String, error: io::Error },
    #[error("it is not the YAML of a kubeconfig: {0}")]
    Field(#[from] FieldError),
    #[error("it is not the YAML of a kubeconfig: line {0} cannot be read")]
    Yaml(usize),
    #[error("kind and apiVersion: it is no Config of version v1")]
    OtherKind,
    #[error("current-context is not set; choose one with kubectl config use-context")]
    NoContext,
    #[error("current-context names {0:?}, which is not in contexts")]
    CurrentContext(String),
    #[error("it has no context {0:?}: kubectl config get-contexts lists them")]
    NamedContext(String),
    #[error("the context names the cluster {0:?}, which is not in clusters")]
    Cluster(String),
    #[error("the cluster of the context has no server")]
    NoServer,
    #[error("{field}: {problem}")]
    Value { field: &'static str, problem: String },
}

impl KubeconfigError {
    pub(super) fn value(field: &'static str, problem: &(impl ToString + ?Sized)) -> Self {
        Self::Value { field, problem: problem.to_string() }
    }
}

/// What one file says, or several together.
#[derive(Default)]
pub(super) struct Kubeconfig {
    pub(super) current_context: Option<String>,
    contexts: Vec<Named<ContextEntry>>,
    clusters: Vec<Named<ClusterEntry>>,
    users: Vec<Named<UserEntry>>,
}

struct Named<T> {
    name: String,
    entry: T,
}

/// A cluster with a user.
struct ContextEntry {
    cluster: String,
    user: Option<String>,
}

/// How an API server is reached.
#[derive(Clone)]
pub(super) struct ClusterEntry {
    pub(super) server: Option<String>,
    pub(super) is_insecure: bool,
    pub(super) authorities: DataOrFile,
    pub(super) tls_server_name: Option<String>,
    pub(super) proxy_url: Option<String>,
    /// The extension for credential plugins, in JSON.
    pub(super) plugin_config: Option<Vec<u8>>,
}

/// Who calls.
#[derive(Clone, Default)]
pub(super) struct UserEntry {
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) token: Option<String>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) certificate: DataOrFile,
    pub(super) key: DataOrFile,
    pub(super) impersonated: Impersonation,
    pub(super) provider: Option<AuthProvider>,
    pub(super) plugin: Option<PluginEntry>,
}

/// For whom to call.
#[derive(Clone, Default)]
pub(super) struct Impersonation {
    pub(super) user: Option<String>,
    pub(super) uid: Option<String>,
    pub(super) groups: Vec<String>,
    pub(super) extra: Vec<(String, Vec<String>)>,
}

/// What kubectl once had built in for some clouds.
#[derive(Clone)]
pub(super) struct AuthProvider {
    pub(super) name: String,
    pub(super) id_token: Option<String>,
}

/// A program that gives credentials.
#[derive(Clone)]
pub(super) struct PluginEntry {
    pub(super) api_version: Option<String>,
    pub(super) command: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) is_never_interactive: bool,
    pub(super) wants_cluster: bool,
}

/// Something in the file itself, in base64, or in another file. The former counts where there is both.
#[derive(Clone, Default)]
pub(super) struct DataOrFile {
    data: Option<String>,
    file: Option<PathBuf>,
}

impl DataOrFile {
    /// What it is; `None` where nothing is named.
    pub(super) fn load(&self, field: &'static str) -> Result<Option<Vec<u8>>, KubeconfigError> {
        if let Some(data) = &self.data {
            let packed: String = data.chars().filter(|char| !char.is_ascii_whitespace()).collect();
            let decoded = STANDARD.decode(packed);
            return decoded.map(Some).map_err(|_| KubeconfigError::value(field, "the data is not base64"));
        }
        let Some(file) = &self.file else { return Ok(None) };
        let read = fs::read(file).map(Some);
        read.map_err(|error| KubeconfigError::value(field, &format!("{}: {error}", file.display())))
    }
}

impl Kubeconfig {
    /// Reads files. What an earlier one names, or an earlier document, counts; nothing is mixed from two of a name.
    pub(super) fn read(files: &[PathBuf]) -> Result<Self, KubeconfigError> {
        let mut all = Self::default();
        for file in files {
            let unread = |error| KubeconfigError::Unread { file: file.display().to_string(), error };
            let text = fs::read_to_string(file).map_err(unread)?;
            for document in yaml::read(text.trim_start_matches('\u{feff}')) {
                let document = document.map_err(|error| KubeconfigError::Yaml(error.line))?;
                all.add(&Section::root(&document.root), file.parent().unwrap_or(Path::new("")))?;
            }
        }
        Ok(all)
    }

    fn add(&mut self, root: &Section<'_>, folder: &Path) -> Result<(), KubeconfigError> {
        let kind = (root.text("kind")?, root.text("apiVersion")?);
        if kind.0.is_some_and(|kind| kind != "Config") || kind.1.is_some_and(|version| version != "v1") {
            return Err(KubeconfigError::OtherKind);
        }
        add_named(&mut self.contexts, root, ["contexts", "context"], context)?;
        add_named(&mut self.clusters, root, ["clusters", "cluster"], |entry| cluster(entry, folder))?;
        add_named(&mut self.users, root, ["users", "user"], |entry| user(entry, folder))?;
        if self.current_context.is_none() {
            self.current_context = root.text("current-context")?;
        }
        Ok(())
    }

    /// The cluster and the user of the context of that name, or of the current one.
    pub(super) fn select(&self, context: Option<&str>) -> Result<(ClusterEntry, UserEntry), KubeconfigError> {
        let name = context.or(self.current_context.as_deref()).ok_or(KubeconfigError::NoContext)?;
        let found = find(&self.contexts, name).ok_or_else(|| match context {
            Some(name) => KubeconfigError::NamedContext(name.to_owned()),
            None => KubeconfigError::CurrentContext(name.to_owned()),
        })?;
        let cluster = find(&self.clusters, &found.cluster);
        let cluster = cluster.ok_or_else(|| KubeconfigError::Cluster(found.cluster.clone()))?;
        // As for kubectl, a user who is not there is nobody in particular.
        let user = found.user.as_ref().and_then(|user| find(&self.users, user));
        Ok((cluster.clone(), user.cloned().unwrap_or_default()))
    }
}

fn find<'n, T>(named: &'n [Named<T>], name: &str) -> Option<&'n T> {
    named.iter().find(|named| named.name == name).map(|named| &named.entry)
}

/// Adds the entries of a list whose names are new.
fn add_named<T>(
    named: &mut Vec<Named<T>>,
    root: &Section<'_>,
    [list, member]: [&str; 2],
    read: impl Fn(&Section<'_>) -> Result<T, KubeconfigError>,
) -> Result<(), KubeconfigError> {
    for item in root.list(list)? {
        let name = item.text("name")?.unwrap_or_default();
        let Some(entry) = item.section(member)? else { continue };
        let entry = read(&entry)?;
        if find(named, &name).is_none() {
            named.push(Named { name, entry });
        }
    }
    Ok(())
}

fn context(entry: &Section<'_>) -> Result<ContextEntry, KubeconfigError> {
    Ok(ContextEntry { cluster: entry.text("cluster")?.unwrap_or_default(), user: entry.text("user")? })
}

fn cluster(entry: &Section<'_>, folder: &Path) -> Result<ClusterEntry, KubeconfigError> {
    let mut plugin_config = None;
    for extension in entry.list("extensions")? {
        if extension.text("name")?.as_deref() == Some("client.authentication.k8s.io/exec") {
            plugin_config = extension.json("extension")?;
        }
    }
    Ok(ClusterEntry {
        server: entry.text("server")?,
        is_insecure: entry.flag("insecure-skip-tls-verify")?,
        authorities: data_or_file(entry, "certificate-authority", folder)?,
        tls_server_name: entry.text("tls-server-name")?,
        proxy_url: entry.text("proxy-url")?,
        plugin_config,
    })
}

fn user(entry: &Section<'_>, folder: &Path) -> Result<UserEntry, KubeconfigError> {
    let extra = match entry.section("as-user-extra")? {
        Some(extra) => extra.texts_by_name()?,
        None => Vec::new(),
    };
    let provider = match entry.section("auth-provider")? {
        Some(provider) => {
            let config = provider.section("config")?;
            let id_token = config.map(|config| config.text("id-token")).transpose()?.flatten();
            Some(AuthProvider { name: provider.text("name")?.unwrap_or_default(), id_token })
        }
        None => None,
    };
    Ok(UserEntry {
        username: entry.text("username")?,
        password: entry.text("password")?,
        token: entry.text("token")?,
        token_file: entry.text("tokenFile")?.map(|file| folder.join(file)),
        certificate: data_or_file(entry, "client-certificate", folder)?,
        key: data_or_file(entry, "client-key", folder)?,
        impersonated: Impersonation {
            user: entry.text("as")?,
            uid: entry.text("as-uid")?,
            groups: entry.texts("as-groups")?,
            extra,
        },
        provider,
        plugin: entry.section("exec")?.map(|exec| plugin(&exec, folder)).transpose()?,
    })
}

fn plugin(exec: &Section<'_>, folder: &Path) -> Result<PluginEntry, KubeconfigError> {
    let command = exec.text("command")?.ok_or_else(|| exec.missing("command"))?;
    // One without a slash is looked for in PATH.
    let command = if command.contains('/') { folder.join(command) } else { command.into() };
    let mut environment = Vec::new();
    for variable in exec.list("env")? {
        let name = variable.text("name")?.ok_or_else(|| variable.missing("name"))?;
        environment.push((name, variable.text("value")?.unwrap_or_default()));
    }
    Ok(PluginEntry {
        api_version: exec.text("apiVersion")?,
        command,
        arguments: exec.texts("args")?,
        environment,
        is_never_interactive: exec.text("interactiveMode")?.as_deref() == Some("Never"),
        wants_cluster: exec.flag("provideClusterInfo")?,
    })
}

/// `name`, which is a path from the folder of the kubeconfig, or `name-data`.
fn data_or_file(entry: &Section<'_>, name: &str, folder: &Path) -> Result<DataOrFile, KubeconfigError> {
    let data = entry.text(&format!("{name}-data"))?;
    Ok(DataOrFile { data, file: entry.text(name)?.map(|file| folder.join(file)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "
apiVersion: v1
kind: Config
current-context: a
contexts: [{name: a, context: {cluster: x, user: me}}, {name: b, context: {cluster: z, user: gone}}]
clusters: [{name: x, cluster: {server: \"https://first\", certificate-authority: ca.crt}}]
users: [{name: me, user: {token: first}}]
preferences: {}
";
    const SECOND: &str = "
current-context: b
clusters: [{name: x, cluster: {server: \"https://second\"}}]
users: null
---
clusters: [{name: z, cluster: {server: \"https://z\", insecure-skip-tls-verify: yes}}]
users: [{name: me, user: {token: second}}]
";

    fn files(texts: &[&str]) -> (tempfile::TempDir, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        let path = |(index, text): (usize, &&str)| {
            let file = folder.path().join(index.to_string());
            fs::write(&file, text).unwrap();
            file
        };
        let files = texts.iter().enumerate().map(path).collect();
        (folder, files)
    }

    #[test]
    fn what_comes_first_in_several_files_and_documents_counts() {
        let (folder, files) = files(&[FIRST, SECOND]);
        let kubeconfig = Kubeconfig::read(&files).unwrap();
        let (cluster, user) = kubeconfig.select(None).unwrap();
        assert_eq!(
            (cluster.server.as_deref(), user.token.as_deref()),
            (Some("https://first"), Some("first"))
        );
        assert_eq!(cluster.authorities.file, Some(folder.path().join("ca.crt")));
        let (cluster, user) = kubeconfig.select(Some("b")).unwrap();
        assert_eq!((cluster.server.as_deref(), cluster.is_insecure), (Some("https://z"), true));
        assert!(user.token.is_none(), "a user who is not there is nobody in particular");
        let error = kubeconfig.select(Some("c")).err().unwrap();
        assert_eq!(error.to_string(), "it has no context \"c\": kubectl config get-contexts lists them");
    }

    #[test]
    fn what_is_no_kubeconfig_is_refused_by_its_line() {
        for (text, expected) in [
            ("a: b\na: c", "it is not the YAML of a kubeconfig: line 2 cannot be read"),
            ("[]", "it is not the YAML of a kubeconfig: line 1: it is not a mapping"),
            ("\nclusters: [7]", "it is not the YAML of a kubeconfig: line 2: clusters[0] is not a mapping"),
            (
                "users: [{name: me, user: {exec: {args: []}}}]",
                "it is not the YAML of a kubeconfig: line 1: users[0].user.exec.command is not there",
            ),
            ("kind: Pod\napiVersion: v1", "kind and apiVersion: it is no Config of version v1"),
        ] {
            let (_folder, files) = files(&[text]);
            assert_eq!(Kubeconfig::read(&files).err().unwrap().to_string(), expected);
        }
    }
}
