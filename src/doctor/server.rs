//! The API server: its version, and its clock beside ours.

use std::time::{Duration, SystemTime};

use crate::doctor::diagnosis::Diagnosis;
use crate::doctor::health_check::HealthCheck;
use crate::doctor::installation::Installation;

/// The minor version that has all that the manifests use: `ValidatingAdmissionPolicy` and `matchConditions` are
/// stable from it on.
const OLDEST_MINOR: u32 = 30;

/// More than a slow answer explains.
const SKEW: Duration = Duration::from_secs(60);

pub(super) fn check(installation: &Installation, findings: &mut Vec<Diagnosis>) {
    const OBJECT: &str = "the API server";
    let Ok(server) = &installation.server else { return };
    if minor(&server.version).is_some_and(|minor| minor < OLDEST_MINOR) {
        findings.push(
            Diagnosis::error(HealthCheck::KubernetesVersion, OBJECT)
                .field("gitVersion")
                .because(format!(
                    "{}, and podgate needs v1.{OLDEST_MINOR} or newer: matchConditions and \
                     ValidatingAdmissionPolicies are not heeded by this one, or only as a beta",
                    server.version
                ))
                .fix("kubectl version # and have the control plane upgraded"),
        );
    }
    let Some(time) = server.time else { return };
    let skew = apart(time, installation.now);
    if skew > SKEW {
        let direction = if time > installation.now { "ahead of" } else { "behind" };
        findings.push(
            Diagnosis::warning(HealthCheck::Clock, OBJECT)
                .field("Date")
                .because(format!(
                    "its clock is {} s {direction} the one here: certificates are judged by the API server's, and the \
                     dates in this report by the one here",
                    skew.as_secs()
                ))
                .fix("timedatectl set-ntp true # on whichever is wrong"),
        );
    }
}

fn apart(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).or_else(|_| other.duration_since(one)).unwrap_or_default()
}

/// The minor version in `v1.37.1` and the like; `None` for one of another make.
fn minor(version: &str) -> Option<u32> {
    let minor = version.strip_prefix("v1.")?;
    let digits = minor.find(|character: char| !character.is_ascii_digit()).unwrap_or(minor.len());
    minor.get(..digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_versions() {
        for (version, expected) in [
            ("v1.37.1", Some(37)),
            ("v1.29.4-gke.1", Some(29)),
            ("v1.30+", Some(30)),
            ("v2.0.0", None),
            ("", None),
            ("v1.", None),
        ] {
            assert_eq!(minor(version), expected, "{version}");
        }
    }
}
