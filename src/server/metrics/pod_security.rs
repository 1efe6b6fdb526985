//! The counters of Kubernetes' own Pod Security Admission, under its names and with its labels, so that
//! dashboards and alerts made for it go on working.
//!
//! Labels are bounded: a subresource that is not among those of pods is counted as `unknown`.

use std::sync::OnceLock;

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

use crate::admission::{Counted, CountedResource, Decision};
use crate::controls::{Level, NEWEST_MINOR, Version};
use crate::policy::{Action, LevelVersion};
use crate::server::labels;

/// The subresources of pods that are judged.
const SUBRESOURCES: [&str; 3] = ["", "ephemeralcontainers", "resize"];

/// What Pod Security Admission counts.
#[derive(Debug)]
pub(super) struct PodSecurityCounters {
    evaluations: IntCounterVec,
    /// The series of pods and their controllers, found by index: no label is hashed for most reviews. Each is created
    /// when it is first counted.
    usual: Vec<OnceLock<IntCounter>>,
    exemptions: IntCounterVec,
    errors: IntCounterVec,
}

/// An evaluation, with what it is counted by.
struct EvaluationLabels<'l> {
    is_allowed: bool,
    of: LevelVersion,
    action: Action,
    operation: &'l str,
    resource: CountedResource,
    subresource: &'l str,
}

/// Every minor version that has rules, `latest`, and `future`.
const VERSIONS: usize = NEWEST_MINOR as usize + 3;
const LEVELS: usize = Level::ALL.len();
const ACTIONS: usize = Action::ALL.len();
const USUAL: usize = 2 * 2 * 2 * ACTIONS * LEVELS * VERSIONS;

impl EvaluationLabels<'_> {
    /// Its index among the usual ones, if it is one.
    fn index(&self) -> Option<usize> {
        let operation = ["create", "update"].iter().position(|usual| *usual == self.operation)?;
        let version = match self.of.version {
            Version::Minor(minor) => usize::try_from(minor).unwrap_or(usize::MAX).min(VERSIONS - 2),
            Version::Latest => VERSIONS - 1,
        };
        let digits = [
            (operation, 2),
            (self.resource as usize, 2),
            (usize::from(self.is_allowed), 2),
            (self.action as usize, ACTIONS),
            (self.of.level as usize, LEVELS),
            (version, VERSIONS),
        ];
        let index = digits.iter().fold(0, |index, (digit, base)| index * base + digit);
        self.subresource.is_empty().then_some(index)
    }

    fn of(&self, vec: &IntCounterVec) -> IntCounter {
        let decision = if self.is_allowed { "allow" } else { "deny" };
        let version = version(self.of);
        vec.with_label_values(&[
            decision,
            self.of.level.name(),
            &version,
            self.action.name(),
            self.operation,
            name(self.resource),
            self.subresource,
        ])
    }
}

impl PodSecurityCounters {
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let evaluations = counters(
            "pod_security_evaluations_total",
            "[ALPHA] Number of policy evaluations that occurred, not counting ignored or exempt requests.",
            &[
                "decision",
                "policy_level",
                "policy_version",
                "mode",
                "request_operation",
                "resource",
                "subresource",
            ],
        )?;
        let exemptions = counters(
            "pod_security_exemptions_total",
            "[ALPHA] Number of exempt requests, not counting ignored or out of scope requests.",
            &["request_operation", "resource", "subresource"],
        )?;
        let errors = counters(
            "pod_security_errors_total",
            "[ALPHA] Number of errors preventing normal evaluation. Non-fatal errors may result in the latest \
             restricted profile being used for evaluation.",
            &["fatal", "request_operation", "resource", "subresource"],
        )?;
        // Upstream has these from the start.
        for operation in ["create", "update"] {
            evaluations.with_label_values(&[
                "allow",
                "privileged",
                "latest",
                "enforce",
                operation,
                "pod",
                "",
            ]);
            for resource in ["pod", "controller"] {
                exemptions.with_label_values(&[operation, resource, ""]);
            }
        }
        let usual = (0..USUAL).map(|_| OnceLock::new()).collect();
        Ok(Self { evaluations, usual, exemptions, errors })
    }

    /// Registers them, unless they are registered already.
    pub(super) fn register(&self, registry: &Registry) {
        for counter in [&self.evaluations, &self.exemptions, &self.errors] {
            // The only possible error is that they are registered already.
            let _ = registry.register(Box::new(counter.clone()));
        }
    }

    pub(super) fn count(&self, counted: Counted, decision: &Decision<'_>) {
        let operation = labels::operation(decision.operation);
        let subresource = known(&decision.subresource);
        match counted {
            Counted::Evaluation { resource, is_allowed, of, action } => {
                let evaluation =
                    EvaluationLabels { is_allowed, of, action, operation, resource, subresource };
                match evaluation.index().and_then(|index| self.usual.get(index)) {
                    Some(usual) => usual.get_or_init(|| evaluation.of(&self.evaluations)).inc(),
                    None => evaluation.of(&self.evaluations).inc(),
                }
            }
            Counted::Exemption { resource } => {
                self.exemptions.with_label_values(&[operation, name(resource), subresource]).inc();
            }
            Counted::Error { resource, is_fatal } => {
                let fatal = if is_fatal { "true" } else { "false" };
                self.errors.with_label_values(&[fatal, operation, name(resource), subresource]).inc();
            }
        }
    }
}

fn counters(name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    IntCounterVec::new(Opts::new(name, help), labels)
}

fn name(resource: CountedResource) -> &'static str {
    match resource {
        CountedResource::Pod => "pod",
        CountedResource::Controller => "controller",
    }
}

fn known(subresource: &str) -> &'static str {
    SUBRESOURCES.into_iter().find(|known| *known == subresource).unwrap_or("unknown")
}

/// The version as it is counted: what is past the rules of this build is `future`.
fn version(of: LevelVersion) -> String {
    match of.version {
        _ if of.level == Level::Privileged => "latest".to_owned(),
        Version::Minor(minor) if minor > NEWEST_MINOR => "future".to_owned(),
        Version::Minor(_) | Version::Latest => of.version.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_counted_as_upstream_counts_them() {
        let of = |text: &str| {
            let (level, version) = text.split_once(':').unwrap();
            LevelVersion { level: level.parse().unwrap(), version: version.parse().unwrap() }
        };
        for (text, expected) in [
            ("privileged:v1.20", "latest"),
            ("baseline:v1.20", "v1.20"),
            ("restricted:v1.37", "v1.37"),
            ("restricted:v1.38", "future"),
            ("restricted:latest", "latest"),
        ] {
            assert_eq!(version(of(text)), expected, "{text}");
        }
        assert_eq!([known("resize"), known("future")], ["resize", "unknown"]);
    }

    #[test]
    fn every_usual_evaluation_has_its_own_index() {
        let mut places = std::collections::HashSet::new();
        let versions = (0..=NEWEST_MINOR + 1).map(Version::Minor).chain([Version::Latest]);
        for version in versions {
            for level in Level::ALL {
                for (action, is_allowed) in Action::ALL.into_iter().flat_map(|a| [(a, true), (a, false)]) {
                    for (operation, resource) in
                        [("create", CountedResource::Pod), ("update", CountedResource::Controller)]
                    {
                        let of = LevelVersion { level, version };
                        let subresource = "";
                        let evaluation =
                            EvaluationLabels { is_allowed, of, action, operation, resource, subresource };
                        assert!(places.insert(evaluation.index().unwrap()));
                    }
                }
            }
        }
        assert!(places.iter().all(|place| *place < USUAL));
    }
}
