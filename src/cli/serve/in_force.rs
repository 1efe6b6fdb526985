//! What is judged by, in lines of the log: each policy at the start, and what has changed at a reload.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

use crate::cli::sources::{SourceFile, Sources};
use crate::controls::NEWEST_MINOR;
use crate::policy::SYSTEM_NAMESPACES;
use crate::server::LoggedReviews;
use crate::yaml;

/// How many bytes of a digest are logged: enough to tell two versions of a policy apart.
const DIGEST_BYTES: usize = 6;

/// The policies in force, by kind and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PoliciesInForce(BTreeMap<(String, String), PolicyLine>);

/// What a line says of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PolicyLine {
    mode: Option<String>,
    /// The standard for each action, as `enforce=restricted:latest`.
    standard: String,
    /// Of the policy's content: comments and layout of its file do not change it.
    digest: String,
    file: String,
}

impl PoliciesInForce {
    /// Those that the sources hold.
    pub(super) fn of(sources: &Sources) -> Self {
        let mut policies = BTreeMap::new();
        for SourceFile { name: file, text } in sources.policy_files() {
            for document in yaml::read(&text).into_iter().flatten() {
                let Ok(policy) = serde_json::from_slice::<Value>(&document.root.to_json()) else { continue };
                let text =
                    |pointer: &str| policy.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned);
                let Some(kind) = text("/kind") else { continue };
                let line = PolicyLine {
                    mode: mode(&policy),
                    standard: standards(&policy),
                    digest: digest_of(&policy),
                    file: file.clone(),
                };
                policies.insert((kind, text("/metadata/name").unwrap_or_default()), line);
            }
        }
        Self(policies)
    }

    /// Logs what this podgate is, which reviews it logs, and each policy.
    pub(super) fn log_start(&self, namespaces: Option<usize>, logged: LoggedReviews) {
        let (version, kubernetes) = (env!("CARGO_PKG_VERSION"), format!("v1.{NEWEST_MINOR}"));
        let reserved = SYSTEM_NAMESPACES.len() + 1;
        tracing::info!(
            target: POLICIES,
            version,
            newest_kubernetes = kubernetes,
            policies = self.0.len(),
            namespaces,
            reserved,
            log_reviews = logged.name(),
            "starting"
        );
        for (key, line) in &self.0 {
            line.log(key, None, "judging by a policy");
        }
    }

    /// Logs how these policies differ from those before.
    pub(super) fn log_changes(&self, before: &Self) {
        for (key, line) in &self.0 {
            match before.0.get(key) {
                Some(old) if old == line => {}
                Some(old) => line.log(key, Some(&old.digest), "a policy has changed"),
                None => line.log(key, None, "a policy was added"),
            }
        }
        for (key, line) in before.0.iter().filter(|(key, _)| !self.0.contains_key(*key)) {
            line.log(key, None, "a policy was removed");
        }
    }
}

/// The target of these lines, which are never left out: their number is that of the policies.
const POLICIES: &str = "podgate::policies";

impl PolicyLine {
    fn log(&self, (kind, policy): &(String, String), before: Option<&str>, message: &str) {
        let Self { mode, standard, digest, file } = self;
        let standard = Some(standard).filter(|standard| !standard.is_empty());
        tracing::info!(target: POLICIES, policy, kind, mode, standard, digest, before, file, "{message}");
    }
}

/// The mode of a SecurityPolicy.
fn mode(policy: &Value) -> Option<String> {
    let is_security = policy.get("kind").is_some_and(|kind| kind == "SecurityPolicy");
    let written = policy.pointer("/spec/mode").and_then(Value::as_str).unwrap_or("Enforce");
    is_security.then(|| written.to_owned())
}

/// The standards of a SecurityPolicy, or the defaults of a PodSecurityConfiguration.
fn standards(policy: &Value) -> String {
    let levels = policy.pointer("/spec/standard").or_else(|| policy.get("defaults"));
    let text = |key: &str| levels?.get(key)?.as_str();
    let mut standards = String::new();
    for action in ["enforce", "warn", "audit"] {
        let Some(level) = text(action) else { continue };
        let _ = write!(standards, "{}{action}={level}", if standards.is_empty() { "" } else { " " });
        if let Some(version) = text(&format!("{action}-version")) {
            let _ = write!(standards, ":{version}");
        }
    }
    standards
}

/// `sha256:0123456789ab`.
fn digest_of(policy: &Value) -> String {
    let mut text = "sha256:".to_owned();
    for byte in digest(&SHA256, policy.to_string().as_bytes()).as_ref().iter().take(DIGEST_BYTES) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
