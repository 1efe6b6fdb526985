//! What a container sets that keeps a default from being filled in beside it.

use std::ops::BitOr;

/// A set of values that contradict a default: with them the API server would refuse the pod, or the kubelet not start it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Obstacles(u8);

impl Obstacles {
    /// None.
    pub const NONE: Self = Self(0);
    /// `privileged: true`.
    pub const PRIVILEGED: Self = Self(1);
    /// The capability CAP_SYS_ADMIN, in this spelling.
    pub const SYS_ADMIN: Self = Self(1 << 1);
    /// `runAsUser: 0`, of the container or of the pod.
    pub const ROOT_USER: Self = Self(1 << 2);

    /// Whether all the `others` are among them.
    #[must_use]
    pub const fn contain(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

impl BitOr for Obstacles {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Whether a capability is the one that the API server takes no `allowPrivilegeEscalation: false` beside: it looks for this
/// spelling alone (`ValidateSecurityContext`), and takes `SYS_ADMIN`.
#[must_use]
pub fn is_sys_admin(capability: &str) -> bool {
    capability == "CAP_SYS_ADMIN"
}
