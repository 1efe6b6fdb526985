//! Why the API server did not do what it was asked: told apart as far as somebody would act otherwise.

use std::time::Duration;

use kube::core::Status;
use kube::runtime::watcher;

/// Why the API server did not do what it was asked. The texts are its own, and hold no object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Somebody else was faster. (409)
    #[error("changed by another: {0}")]
    Conflict(String),
    /// It does not exist. (404)
    #[error("not found: {0}")]
    NotFound(String),
    /// The role does not allow it. (401, 403)
    #[error("not allowed: {0}: check the roles of podgate's service account")]
    Forbidden(String),
    /// Later, please. (429)
    #[error("too busy: {0}")]
    TooManyRequests(String),
    /// It refuses the object as it is. (400, 422)
    #[error("refused: {0}")]
    Invalid(String),
    /// It fails. (500 and above)
    #[error("it fails: {0}")]
    Server(String),
    /// It says nothing, or something else than an API server would.
    #[error("no answer: {0}")]
    Unreachable(String),
}

impl Fault {
    /// Its kind, as the label of a metric.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "conflict",
            Self::NotFound(_) => "not-found",
            Self::Forbidden(_) => "forbidden",
            Self::TooManyRequests(_) => "too-many-requests",
            Self::Invalid(_) => "invalid",
            Self::Server(_) => "server",
            Self::Unreachable(_) => "unreachable",
        }
    }

    /// Whoever waited has waited long enough.
    pub(super) fn late(after: Duration) -> Self {
        Self::Unreachable(format!("none within {after:?}"))
    }
}

impl From<&Status> for Fault {
    fn from(status: &Status) -> Self {
        let message = status.message.clone();
        match status.code {
            401 | 403 => Self::Forbidden(message),
            404 => Self::NotFound(message),
            409 => Self::Conflict(message),
            429 => Self::TooManyRequests(message),
            400..500 => Self::Invalid(message),
            _ => Self::Server(message),
        }
    }
}

impl From<&kube::Error> for Fault {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "every other is an answer that we did not get or understand"
    )]
    fn from(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => status.as_ref().into(),
            other => Self::Unreachable(chain(other)),
        }
    }
}

impl From<kube::Error> for Fault {
    fn from(error: kube::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&watcher::Error> for Fault {
    fn from(error: &watcher::Error) -> Self {
        match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => error.into(),
            watcher::Error::WatchError(status) => status.as_ref().into(),
            watcher::Error::NoResourceVersion => Self::Unreachable(error.to_string()),
        }
    }
}

/// The innermost cause: the outer ones say that there is one.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart_by_their_code() {
        for (code, reason) in [
            (400, "invalid"),
            (401, "forbidden"),
            (403, "forbidden"),
            (404, "not-found"),
            (409, "conflict"),
            (410, "invalid"),
            (422, "invalid"),
            (429, "too-many-requests"),
            (500, "server"),
            (503, "server"),
        ] {
            let status = Status::failure("as it says", "Reason").with_code(code);
            let fault = Fault::from(&kube::Error::Api(status.boxed()));
            assert_eq!(fault.reason(), reason, "{code}");
            assert!(fault.to_string().contains("as it says"), "{fault}");
        }
    }
}
