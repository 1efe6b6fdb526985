//! What a self-managed certificate says of itself, for logs, metrics and readiness.
//!
//! Nothing here is logged or counted: whoever runs it does that. An event is told once, a state when it has
//! changed, and a fault that lasts is told once.

use std::fmt;
use std::time::SystemTime;

use super::super::rotation::Change;
use super::super::stored::Fault;
use super::store::StoreError;

/// Is told what happens.
pub trait Observer: Send + Sync + 'static {
    /// Something has happened.
    fn event(&self, event: &Event);
    /// Something in the status is new.
    fn status(&self, status: &Status);
}

/// Where a rotation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Nothing has been read yet.
    #[default]
    Unknown,
    /// There is no CA that could sign.
    Unissued,
    /// One CA, and everything is of it.
    Steady,
    /// The next CA is there and is being published.
    Introducing,
    /// The next CA is in force, and what it follows is still trusted.
    Retiring,
}

impl Phase {
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
pub struct Status {
    /// Where a rotation stands.
    pub phase: Phase,
    /// Whether this replica does the work.
    pub leads: bool,
    /// Whether API servers accept what this replica serves: what readiness hangs on.
    pub servable: Result<(), Unready>,
    /// When what is served expires.
    pub leaf_expires: Option<SystemTime>,
    /// When the CA that signs expires.
    pub authority_expires: Option<SystemTime>,
    /// The webhook entries whose bundle is not what the Secret says; none when all is in order.
    pub out_of_sync: Vec<String>,
    /// What is wrong now.
    pub problem: Option<Problem>,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            phase: Phase::Unknown,
            leads: false,
            servable: Err(Unready::NothingServed),
            leaf_expires: None,
            authority_expires: None,
            out_of_sync: Vec::new(),
            problem: None,
        }
    }
}

/// Why a replica must not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// It has no certificate.
    #[error("a certificate that the published caBundle vouches for")]
    NothingServed,
    /// There is no webhook entry.
    #[error("a webhook configuration that leads to this Service")]
    NoWebhooks,
    /// A bundle does not fit.
    #[error("the caBundle of {0} to vouch for the certificate")]
    NotTrusted(String),
    /// Its time is over.
    #[error("a certificate that has not expired")]
    Expired,
}

/// What the driver was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
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

impl fmt::Display for Doing {
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

/// What is wrong. What is served stays in force whatever it is, and it is tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The API server did not do something.
    #[error("{doing}: {error}")]
    Store {
        /// What.
        doing: Doing,
        /// Why not.
        error: StoreError,
    },
    /// A call took longer than anybody waits.
    #[error("the API server did not answer in time")]
    Late,
    /// The Secret holds something that is not ours or is broken.
    #[error("the Secret of the certificate: {}; what is wrong is made anew", list(.0))]
    Secret(Vec<Fault>),
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

impl Problem {
    /// As the label of a metric.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Store { doing: Doing::Read, .. } => "read",
            Self::Store { doing: Doing::Write, .. } => "write",
            Self::Store { doing: Doing::Bundles, .. } => "bundles",
            Self::Store { doing: Doing::Publish, .. } => "publish",
            Self::Store { doing: Doing::Lead, .. } => "lead",
            Self::Late => "late",
            Self::Secret(_) => "secret",
            Self::ClockBehind(_) => "clock",
            Self::Issue(_) => "issue",
            Self::NoWebhooks => "no-webhooks",
        }
    }
}

fn list(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The Secret was changed by this replica.
    Changed(Change),
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
    /// Something is wrong, or something else than before.
    Problem(Problem),
    /// Nothing is wrong any more.
    Recovered,
}

impl Event {
    /// As the label of a metric.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Changed(Change::Adopt { .. }) => "adopted",
            Self::Changed(Change::CreateNext) => "created",
            Self::Changed(Change::Promote) => "promoted",
            Self::Changed(Change::SignLeaf) => "issued",
            Self::Changed(Change::DropOld) => "forgotten",
            Self::Changed(Change::Mend) => "mended",
            Self::Published { .. } => "published",
            Self::Serving { .. } => "serving",
            Self::Problem(_) => "problem",
            Self::Recovered => "recovered",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(Change::Adopt { authorities, demote, .. }) => {
                write!(f, "CAs that the Secret had lost are kept as old ones: {}", authorities.len())?;
                if *demote { f.write_str("; its own was never published and begins anew") } else { Ok(()) }
            }
            Self::Changed(Change::CreateNext) => {
                f.write_str("the next CA is made: published next, in force later")
            }
            Self::Changed(Change::Promote) => {
                f.write_str("the next CA is in force, and a certificate of it issued")
            }
            Self::Changed(Change::SignLeaf) => f.write_str("a certificate is issued"),
            Self::Changed(Change::DropOld) => f.write_str("the old CA is forgotten"),
            Self::Changed(Change::Mend) => f.write_str("the Secret is mended"),
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
