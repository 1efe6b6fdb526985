//! Errors of calls to the API server: the reason, the text, and what to do.
//!
//! The texts are those of Kubernetes' own Go client where possible, because operators know them. They are for the log
//! alone: they name the API server, which whoever sends reviews need not know. None contains a body or a credential.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use kube::Error;
use kube::core::Status;
use kube::runtime::watcher;

use crate::cluster::credentials::CredentialsError;

/// A kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No connection, or it broke.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The API server's certificate is not trusted, or TLS failed in another way.
    Tls,
    /// It does not know who we are: 401, or no credentials could be had.
    Unauthorized,
    /// We may not: 403.
    Forbidden,
    /// There is no such object: 404.
    NotFound,
    /// Somebody else was faster: 409, or a patch whose test failed.
    Conflict,
    /// What we go on from is no longer kept: 410.
    Expired,
    /// We ask too much: 429.
    TooManyRequests,
    /// It failed: 5xx.
    Server,
    /// It refused for another reason: any other code.
    Refused,
    /// What came back could not be read.
    InvalidResponse,
    /// It was not asked: it had been asked too much.
    RateLimited,
}

impl Reason {
    /// Every kind, for those who keep a counter of each.
    pub const ALL: [Self; 13] = [
        Self::Unreachable,
        Self::Timeout,
        Self::Tls,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::Expired,
        Self::TooManyRequests,
        Self::Server,
        Self::Refused,
        Self::InvalidResponse,
        Self::RateLimited,
    ];

    /// As the label of a metric.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::Expired => "expired",
            Self::TooManyRequests => "too-many-requests",
            Self::Server => "server-error",
            Self::Refused => "refused",
            Self::InvalidResponse => "garbled",
            Self::RateLimited => "rate-limited",
        }
    }

    fn of_code(code: u16) -> Self {
        match code {
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            409 => Self::Conflict,
            410 => Self::Expired,
            429 => Self::TooManyRequests,
            0 => Self::InvalidResponse,
            500.. => Self::Server,
            _ => Self::Refused,
        }
    }
}

/// A call that failed. Its text is what the Go client would say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The kind.
    pub reason: Reason,
    /// How long the API server asks us to wait.
    pub retry_after: Option<Duration>,
    message: Arc<str>,
    /// What we wanted: `verbs resource`.
    wanted: Arc<str>,
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}

/// A call, for the text of its error.
#[derive(Debug, Clone)]
pub(super) struct ApiCall {
    /// What the Go client calls the method: `Get`, `Put`, ...
    pub(super) method: &'static str,
    /// The whole URL.
    pub(super) url: String,
    /// What we want, as RBAC has it: `get namespaces`.
    pub(super) wanted: String,
}

impl ApiError {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> String {
        let wanted = &self.wanted;
        match self.reason {
            Reason::Unreachable | Reason::Timeout => {
                "it is tried again; see that the API server runs, and that a NetworkPolicy or firewall lets \
                 podgate reach it"
                    .to_owned()
            }
            Reason::Tls => {
                "see that the certificate authority of the kubeconfig (or the pod's ca.crt) is the API \
                            server's"
                    .to_owned()
            }
            Reason::Unauthorized => {
                "see that the token or client certificate is valid and not expired".to_owned()
            }
            Reason::Forbidden => format!(
                "grant podgate's ServiceAccount the right to {wanted}: apply the ClusterRole, the Role and their \
                 bindings as shipped"
            ),
            Reason::NotFound => "apply the manifests as shipped".to_owned(),
            Reason::Conflict | Reason::Expired => "it is read anew and tried again".to_owned(),
            Reason::TooManyRequests | Reason::Server => {
                format!(
                    "it is tried again; if it lasts, see the API server's log for why it does not {wanted}"
                )
            }
            Reason::Refused | Reason::InvalidResponse => {
                "see that the address is that of a Kubernetes API server, and not of something before it"
                    .to_owned()
            }
            Reason::RateLimited => "the next review asks again; if it lasts, see in the lines about reviews who sends \
                                    them, and let API servers alone reach podgate (NetworkPolicy, --client-ca)"
                .to_owned(),
        }
    }

    /// An error that we detected ourselves.
    pub(super) fn new(reason: Reason, call: &ApiCall, message: impl Into<Arc<str>>) -> Self {
        Self { reason, retry_after: None, message: message.into(), wanted: call.wanted.as_str().into() }
    }

    /// No answer in time.
    pub(super) fn timed_out(call: &ApiCall) -> Self {
        Self::new(Reason::Timeout, call, call.go("context deadline exceeded"))
    }

    /// A call that is not made, because the budget is spent.
    pub(super) fn rate_limited(call: &ApiCall) -> Self {
        Self::new(Reason::RateLimited, call, call.go("not asked: too many look-ups at once"))
    }

    /// An error of the client library.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not told apart is a fault of the way there")]
    pub(super) fn of(error: &Error, call: &ApiCall) -> Self {
        match error {
            Error::Api(status) => Self::of_status(status, call),
            Error::SerdeError(error) => Self::new(
                Reason::InvalidResponse,
                call,
                format!("the answer is not what it should be: {}", at(error)),
            ),
            Error::FromUtf8(_) | Error::LinesCodecMaxLineLengthExceeded => {
                Self::new(Reason::InvalidResponse, call, "the answer is not text")
            }
            other => Self::of_transport(other, call),
        }
    }

    /// An error of a watcher.
    pub(super) fn of_watcher(error: &watcher::Error, call: &ApiCall) -> Self {
        match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => Self::of(error, call),
            watcher::Error::WatchError(status) => Self::of_status(status, call),
            watcher::Error::NoResourceVersion => {
                Self::new(Reason::InvalidResponse, call, "the answer has no metadata.resourceVersion")
            }
        }
    }

    /// An answer that lacks what was asked for.
    pub(super) fn without_status(call: &ApiCall) -> Self {
        Self::new(Reason::InvalidResponse, call, "the answer has no status")
    }

    pub(super) fn of_status(status: &Status, call: &ApiCall) -> Self {
        let reason = match (status.code, status.reason.as_str()) {
            (_, "Expired" | "Gone") => Reason::Expired,
            // A proxy before the API server, or another server altogether, says 404 in other words.
            (404, reason) if reason != "NotFound" => Reason::Refused,
            (code, _) => Reason::of_code(code),
        };
        // The client library accepts any JSON as a Status.
        if status.code == 0 && status.message.is_empty() {
            return Self::new(Reason::InvalidResponse, call, "the answer is not what it should be");
        }
        let message = match status.message.trim() {
            "" => format!("the server answered with code {}", status.code),
            // A page of a proxy before the API server.
            message if message.starts_with('<') || message.len() > LONGEST_MESSAGE => {
                format!("the server answered with code {} and no Status", status.code)
            }
            message => message.to_owned(),
        };
        let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
        let retry_after = (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
        Self { retry_after, ..Self::new(reason, call, message) }
    }

    fn of_transport(error: &Error, call: &ApiCall) -> Self {
        let mut last = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            if let Some(error) = inner.downcast_ref::<CredentialsError>() {
                return Self::new(Reason::Unauthorized, call, call.go(&error.to_string()));
            }
            if let Some(error) = tls_error(inner) {
                return Self::new(Reason::Tls, call, call.go(&format!("tls: {error}")));
            }
            if let Some(error) = inner.downcast_ref::<io::Error>()
                && let Some((reason, words)) = of_io(error, call)
            {
                return Self::new(reason, call, call.go(&words));
            }
            last = inner.to_string();
            source = inner.source();
        }
        Self::new(Reason::Unreachable, call, call.go(&last))
    }
}

/// A status whose message is longer is a page, or a list of everything.
const LONGEST_MESSAGE: usize = 2048;

impl ApiCall {
    /// An error as the Go client wraps it.
    pub(super) fn go(&self, error: &str) -> String {
        format!("{} \"{}\": {error}", self.method, self.url)
    }

    /// The host and port of the URL.
    fn peer(&self) -> String {
        let Ok(url) = self.url.parse::<hyper::Uri>() else { return self.url.clone() };
        let default = if url.scheme_str() == Some("http") { 80 } else { 443 };
        format!("{}:{}", url.host().unwrap_or_default(), url.port_u16().unwrap_or(default))
    }
}

/// An error of TLS, which comes wrapped in one of reading, or in several. Of those the source is not what is wrapped, but
/// the source of that.
fn tls_error<'e>(mut error: &'e (dyn StdError + 'static)) -> Option<&'e rustls::Error> {
    while let Some(reading) = error.downcast_ref::<io::Error>() {
        error = reading.get_ref()?;
    }
    error.downcast_ref()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only these have words of their own")]
fn of_io(error: &io::Error, call: &ApiCall) -> Option<(Reason, String)> {
    let dial = |words: &str| format!("dial tcp {}: {words}", call.peer());
    Some(match error.kind() {
        io::ErrorKind::ConnectionRefused => (Reason::Unreachable, dial("connect: connection refused")),
        io::ErrorKind::NetworkUnreachable => (Reason::Unreachable, dial("connect: network is unreachable")),
        io::ErrorKind::HostUnreachable => (Reason::Unreachable, dial("connect: no route to host")),
        io::ErrorKind::ConnectionReset => (Reason::Unreachable, "read: connection reset by peer".to_owned()),
        io::ErrorKind::UnexpectedEof => (Reason::Unreachable, "EOF".to_owned()),
        io::ErrorKind::TimedOut => (Reason::Timeout, dial("i/o timeout")),
        _ => return None,
    })
}

/// The position of the error, without any of the text.
pub(super) fn at(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}
