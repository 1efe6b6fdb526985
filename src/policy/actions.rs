//! What follows from a violation, and how a policy or a single control makes it laxer.

use serde::Deserialize;

/// What follows from a violation. More than one may be on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Actions {
    /// The pod is refused.
    pub deny: bool,
    /// The user who made the request is warned.
    pub warn: bool,
    /// The API server's audit log gets a note.
    pub audit: bool,
}

/// How strictly something is enforced, from strict to lax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, schemars::JsonSchema)]
pub enum Mode {
    /// Each action does what it says.
    #[default]
    Enforce,
    /// What would be refused causes a warning.
    Warn,
    /// What would be refused or warned about is noted in the audit log.
    Audit,
}

/// What a single control of the standard is relaxed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
pub enum Relaxation {
    /// What would be refused causes a warning.
    Warn,
    /// What would be refused or warned about is noted in the audit log.
    Audit,
    /// The control is not checked at all.
    Off,
}

impl Mode {
    /// What is left of the actions in this mode.
    #[must_use]
    pub fn downgrade(self, actions: Actions) -> Actions {
        let Actions { deny, warn, audit } = actions;
        match self {
            Self::Enforce => actions,
            Self::Warn => Actions { deny: false, warn: deny || warn, audit },
            Self::Audit => Actions { deny: false, warn: false, audit: deny || warn || audit },
        }
    }
}

impl Relaxation {
    /// The mode that it stands for; `None` for [`Off`](Self::Off).
    #[must_use]
    pub fn mode(self) -> Option<Mode> {
        match self {
            Self::Warn => Some(Mode::Warn),
            Self::Audit => Some(Mode::Audit),
            Self::Off => None,
        }
    }
}

impl Actions {
    /// Every action.
    pub const ALL: Self = Self { deny: true, warn: true, audit: true };

    /// Those of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            deny: self.deny || other.deny,
            warn: self.warn || other.warn,
            audit: self.audit || other.audit,
        }
    }
}
