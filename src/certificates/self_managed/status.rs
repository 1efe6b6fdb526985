//! The state and the events of a self-managed certificate, for logs, metrics and readiness.
//!
//! Nothing is logged or counted here: the caller does that. An event is reported once, the status when it has changed,
//! and a problem that lasts is reported once.

use std::fmt;
use std::time::SystemTime;

use crate::certificates::self_managed::read_secret::SecretError;
use crate::certificates::self_managed::rotation::SecretChange;
use crate::certificates::self_managed::store::StoreError;

/// Receives events and changes of the status.
pub trait RotationObserver: Send + Sync + 'static {
    /// Something has happened.
    fn event(&self, event: &RotationEvent);
    /// Something in the status is new.
    fn status(&self, status: &RotationStatus);
}

/// Where a rotation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RotationPhase {
    /// Nothing has been read yet.
    #[default]
    Unknown,
    /// There is no CA that could sign.
    Unissued,
    /// There is one CA, and everything is issued by it.
    Steady,
    /// The next CA exists and is being published.
    Introducing,
    /// The next CA signs, and the one before it is still trusted.
    Retiring,
}

impl RotationPhase {
    /// Every phase, in order.
    pub const ALL: [Self; 5] =
        [Self::Unknown, Self::Unissued, Self::Steady, Self::Introducing, Self::Retiring];

    /// As the label of a metric.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Unissued => "unissued",
            Self::Steady => "steady",
            Self::Introducing => "introducing",
            Self::Retiring => "retiring",
        }
    }
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationStatus {
    /// Where a rotation stands.
    pub phase: RotationPhase,
    /// Whether this replica does the work.
    pub leads: bool,
    /// Whether API servers accept what this replica serves: what readiness depends on.
    pub servable: Result<(), Unready>,
    /// When what is served expires.
    pub leaf_expires: Option<SystemTime>,
    /// When the CA that signs expires.
    pub authority_expires: Option<SystemTime>,
    /// The webhook entries whose bundle differs from what the Secret says.
    pub out_of_sync: Vec<String>,
    /// What is wrong now.
    pub problem: Option<RotationProblem>,
}

impl Default for RotationStatus {
    fn default() -> Self {
        Self {
            phase: RotationPhase::Unknown,
            leads: false,
            servable: Err(Unready::NothingServed),
            leaf_expires: None,
            authority_expires: None,
            out_of_sync: Vec::new(),
            problem: None,
        }
    }
}

/// Why a replica is not ready.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// It has no certificate.
    #[error("a certificate that the published caBundle vouches for")]
    NothingServed,
    /// There is no webhook entry.
    #[error("a webhook configuration that leads to this Service")]
    NoWebhooks,
    /// A bundle does not verify the certificate.
    #[error("the caBundle of {0} to vouch for the certificate")]
    NotTrusted(String),
    /// The certificate has expired.
    #[error("a certificate that has not expired")]
    Expired,
}

/// An operation on the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOperation {
    /// Reading the Secret.
    Read,
    /// Writing the Secret.
    Write,
    /// Reading the webhook configurations.
    Bundles,
    /// Writing the webhook configurations.
    Publish,
    /// Acquiring or renewing the Lease.
    Lead,
}

impl fmt::Display for StoreOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "reading the Secret of the certificate",
            Self::Write => "writing the Secret of the certificate",
            Self::Bundles => "reading the webhook configurations",
            Self::Publish => "writing the caBundle of the webhook configurations",
            Self::Lead => "acquiring the Lease",
        })
    }
}

/// What is wrong. The certificate in use stays in use, and the operation is tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RotationProblem {
    /// An operation failed.
    #[error("{operation}: {error}")]
    Store {
        /// Which.
        operation: StoreOperation,
        /// Why not.
        error: StoreError,
    },
    /// A look took too long.
    #[error("the API server did not answer in time")]
    TimedOut,
    /// The Secret holds something that is broken or not ours.
    #[error("the Secret of the certificate: {}; what is wrong is made anew", list(.0))]
    Secret(Vec<SecretError>),
    /// A clock is wrong.
    #[error(
        "the Secret holds a certificate that begins {}, later than this machine's clock shows: set the clock right, \
         or delete the Secret if the clock that made it was wrong", humantime::format_rfc3339_seconds(*.0)
    )]
    ClockBehind(SystemTime),
    /// A certificate cannot be issued or served.
    #[error("{0}")]
    Issue(String),
    /// There is nothing to publish to.
    #[error(
        "no webhook of the configurations leads to this Service: install them, or correct --service, --own-namespace or the names of the configurations"
    )]
    NoWebhooks,
}

impl RotationProblem {
    /// As the label of a metric.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Store { operation: StoreOperation::Read, .. } => "read",
            Self::Store { operation: StoreOperation::Write, .. } => "write",
            Self::Store { operation: StoreOperation::Bundles, .. } => "bundles",
            Self::Store { operation: StoreOperation::Publish, .. } => "publish",
            Self::Store { operation: StoreOperation::Lead, .. } => "lead",
            Self::TimedOut => "late",
            Self::Secret(_) => "secret",
            Self::ClockBehind(_) => "clock",
            Self::Issue(_) => "issue",
            Self::NoWebhooks => "no-webhooks",
        }
    }
}

fn list(errors: &[SecretError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RotationEvent {
    /// The Secret was changed by this replica.
    Changed(SecretChange),
    /// The bundle was written by this replica.
    Published {
        /// How many CAs are in it.
        authorities: usize,
        /// Entries that held something else.
        webhooks: Vec<String>,
    },
    /// A leaf is served from now on.
    Serving {
        /// When it expires.
        expires: SystemTime,
    },
    /// Something new is wrong.
    Problem(RotationProblem),
    /// Nothing is wrong any longer.
    Recovered,
}

impl RotationEvent {
    /// As the label of a metric.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Changed(SecretChange::Adopt { .. }) => "adopted",
            Self::Changed(SecretChange::CreateNext) => "created",
            Self::Changed(SecretChange::Promote) => "promoted",
            Self::Changed(SecretChange::SignLeaf) => "issued",
            Self::Changed(SecretChange::DropOld) => "forgotten",
            Self::Changed(SecretChange::Repair) => "mended",
            Self::Published { .. } => "published",
            Self::Serving { .. } => "serving",
            Self::Problem(_) => "problem",
            Self::Recovered => "recovered",
        }
    }
}

impl fmt::Display for RotationEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(SecretChange::Adopt { authorities, demote, .. }) => {
                write!(f, "CAs that the Secret had lost are kept as old ones: {}", authorities.len())?;
                if *demote { f.write_str("; its own was never published and begins anew") } else { Ok(()) }
            }
            Self::Changed(SecretChange::CreateNext) => {
                f.write_str("the next CA is made: published next, in force later")
            }
            Self::Changed(SecretChange::Promote) => {
                f.write_str("the next CA is in force, and a certificate of it issued")
            }
            Self::Changed(SecretChange::SignLeaf) => f.write_str("a certificate is issued"),
            Self::Changed(SecretChange::DropOld) => f.write_str("the old CA is forgotten"),
            Self::Changed(SecretChange::Repair) => f.write_str("the Secret is repaired"),
            Self::Published { authorities, webhooks } => {
                write!(f, "a caBundle of {authorities} CAs is published to {}", webhooks.join(", "))
            }
            Self::Serving { expires } => {
                write!(
                    f,
                    "a certificate is served that expires {}",
                    humantime::format_rfc3339_seconds(*expires)
                )
            }
            Self::Problem(problem) => problem.fmt(f),
            Self::Recovered => f.write_str("nothing is wrong with the certificate any more"),
        }
    }
}
