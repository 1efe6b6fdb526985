//! Who calls the API server: the headers that say so, from a password, a token, a file with one, or a program that gives
//! one. A client certificate is part of the TLS connection instead.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use k8s_openapi::jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::cluster::kubeconfig::{ClusterEntry, Impersonation, UserEntry};
use crate::cluster::plugin::{CredentialPlugin, PluginCredentials, PluginError};

/// How long the token of a file is used before the file is read again: kubelets renew those of service accounts.
const FILE_AGE: Duration = Duration::from_secs(50);

/// How long before it expires the token of a program is renewed.
const RENEWED_BEFORE: Duration = Duration::from_secs(60);

/// Why no credentials can be had. It shows none.
#[derive(Debug, thiserror::Error)]
pub(super) enum CredentialsError {
    #[error("tokenFile: {file}: {error}")]
    File { file: String, error: io::Error },
    #[error("{0}: it cannot be part of a header")]
    Unsendable(&'static str),
    #[error("exec: {0}")]
    Plugin(#[from] PluginError),
    #[error("auth-provider: oidc without an id-token")]
    NoIdToken,
    #[error(
        "auth-provider: {0:?} is not supported, as it no longer is by kubectl: use the program for exec that its cloud has"
    )]
    Provider(String),
}

/// Who calls.
pub(super) struct Credentials {
    authorization: Authorization,
    impersonation: HeaderMap,
}

enum Authorization {
    None,
    Fixed(HeaderValue),
    File(Mutex<FileToken>),
    Plugin(Mutex<PluginToken>),
}

struct FileToken {
    file: PathBuf,
    header: HeaderValue,
    read: Instant,
}

struct PluginToken {
    plugin: Arc<CredentialPlugin>,
    header: HeaderValue,
    expires: Timestamp,
}

/// What a user of a kubeconfig calls with.
pub(super) struct Caller {
    pub(super) credentials: Credentials,
    /// A certificate and a key in PEM that a program gave.
    pub(super) identity: Option<(String, String)>,
}

impl Credentials {
    /// Those of the service account whose token is in a file.
    pub(super) fn of_file(file: &Path) -> Result<Self, CredentialsError> {
        let token = FileToken { file: file.to_owned(), header: read_token(file)?, read: Instant::now() };
        Ok(Self { authorization: Authorization::File(Mutex::new(token)), impersonation: HeaderMap::new() })
    }

    /// Adds to the headers of a call who makes it. What has expired is renewed first.
    pub(super) async fn sign(&self, headers: &mut HeaderMap) -> Result<(), CredentialsError> {
        for (name, value) in &self.impersonation {
            headers.append(name, value.clone());
        }
        let authorization = match &self.authorization {
            Authorization::None => return Ok(()),
            Authorization::Fixed(header) => header.clone(),
            Authorization::File(token) => token.lock().await.current(),
            Authorization::Plugin(token) => token.lock().await.current().await?,
        };
        headers.insert(AUTHORIZATION, authorization);
        Ok(())
    }
}

impl Caller {
    /// The user of a context. A program that gives the credentials is run now.
    pub(super) async fn of_user(user: &UserEntry, cluster: &ClusterEntry) -> Result<Self, CredentialsError> {
        let impersonation = impersonation(&user.impersonated)?;
        let (authorization, identity) = authorization(user, cluster).await?;
        Ok(Self { credentials: Credentials { authorization, impersonation }, identity })
    }
}

type Found = (Authorization, Option<(String, String)>);

async fn authorization(user: &UserEntry, cluster: &ClusterEntry) -> Result<Found, CredentialsError> {
    if let Some(provider) = &user.provider {
        // What kubectl does beyond this, renewing the token, it does in the kubeconfig.
        if provider.name != "oidc" {
            return Err(CredentialsError::Provider(provider.name.clone()));
        }
        let token = provider.id_token.as_ref().ok_or(CredentialsError::NoIdToken)?;
        return Ok((Authorization::Fixed(bearer(token, "auth-provider")?), None));
    }
    if let (Some(name), Some(password)) = (&user.username, &user.password) {
        let basic = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
        return Ok((Authorization::Fixed(secret(&basic, "password")?), None));
    }
    if let Some(token) = &user.token {
        return Ok((Authorization::Fixed(bearer(token, "token")?), None));
    }
    if let Some(file) = &user.token_file {
        return Ok((Credentials::of_file(file)?.authorization, None));
    }
    let Some(plugin) = &user.plugin else { return Ok((Authorization::None, None)) };
    let plugin = Arc::new(CredentialPlugin::new(plugin, cluster)?);
    let PluginCredentials { token, expires, identity } = run(&plugin).await?;
    let authorization = match (token, expires) {
        (None, _) => Authorization::None,
        (Some(token), None) => Authorization::Fixed(bearer(&token, "exec")?),
        (Some(token), Some(expires)) => {
            let header = bearer(&token, "exec")?;
            Authorization::Plugin(Mutex::new(PluginToken { plugin, header, expires }))
        }
    };
    Ok((authorization, identity))
}

impl FileToken {
    /// The token, read again now and then. The last one stays while the file cannot be read.
    fn current(&mut self) -> HeaderValue {
        if self.read.elapsed() >= FILE_AGE {
            if let Ok(header) = read_token(&self.file) {
                self.header = header;
            }
            self.read = Instant::now();
        }
        self.header.clone()
    }
}

impl PluginToken {
    async fn current(&mut self) -> Result<HeaderValue, CredentialsError> {
        if Timestamp::now() + RENEWED_BEFORE >= self.expires {
            let new = run(&self.plugin).await?;
            let (Some(token), Some(expires)) = (new.token, new.expires) else {
                return Err(PluginError::NoToken.into());
            };
            (self.header, self.expires) = (bearer(&token, "exec")?, expires);
        }
        Ok(self.header.clone())
    }
}

/// Runs a program that may take its time, and ask.
async fn run(plugin: &Arc<CredentialPlugin>) -> Result<PluginCredentials, CredentialsError> {
    let plugin = Arc::clone(plugin);
    let ended = spawn_blocking(move || plugin.run()).await;
    Ok(ended.unwrap_or(Err(PluginError::NoCredential))?)
}

fn read_token(file: &Path) -> Result<HeaderValue, CredentialsError> {
    let read = fs::read_to_string(file);
    let token = read.map_err(|error| CredentialsError::File { file: file.display().to_string(), error })?;
    bearer(token.trim(), "tokenFile")
}

fn bearer(token: &str, field: &'static str) -> Result<HeaderValue, CredentialsError> {
    secret(&format!("Bearer {token}"), field)
}

fn secret(text: &str, field: &'static str) -> Result<HeaderValue, CredentialsError> {
    let mut value = value(text, field)?;
    value.set_sensitive(true);
    Ok(value)
}

fn value(text: &str, field: &'static str) -> Result<HeaderValue, CredentialsError> {
    HeaderValue::from_str(text).map_err(|_| CredentialsError::Unsendable(field))
}

/// What the name of a header may hold, as the Go client escapes it.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'*')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

fn impersonation(wanted: &Impersonation) -> Result<HeaderMap, CredentialsError> {
    let mut headers = HeaderMap::new();
    if let Some(user) = &wanted.user {
        headers.insert("impersonate-user", value(user, "as")?);
    }
    if let Some(uid) = &wanted.uid {
        headers.insert("impersonate-uid", value(uid, "as-uid")?);
    }
    for group in &wanted.groups {
        headers.append("impersonate-group", value(group, "as-groups")?);
    }
    for (key, values) in &wanted.extra {
        let name = format!("impersonate-extra-{}", utf8_percent_encode(key, ESCAPED));
        let name = HeaderName::from_bytes(name.as_bytes());
        let name = name.map_err(|_| CredentialsError::Unsendable("as-user-extra"))?;
        for text in values {
            headers.append(name.clone(), value(text, "as-user-extra")?);
        }
    }
    Ok(headers)
}
