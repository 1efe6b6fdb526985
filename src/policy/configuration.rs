//! A document of the kind PodSecurityConfiguration → the defaults and exemptions in it, or every fault.
//!
//! The shape is that of <https://kubernetes.io/docs/tasks/configure-pod-container/enforce-standards-admission-controller/>,
//! the same in each of its three versions.

use std::collections::{BTreeSet, HashSet};

use serde::Deserialize;
use serde_json::Value;

use crate::controls::StandardError;
use crate::path::Path;
use crate::pod::is_dns_subdomain;
use crate::policy::document::{DocumentReader, path};
use crate::policy::pod_security::{Action, Exemptions, LevelVersion, Levels, PodSecurityConfiguration};
use crate::policy::schema;
use crate::policy::selector::is_namespace;
use crate::text::not_ascii;

/// The API group of a PodSecurityConfiguration.
pub(super) const GROUP: &str = "pod-security.admission.config.k8s.io";
/// The versions in which it has been published: one shape.
const API_VERSIONS: [&str; 3] = [
    "pod-security.admission.config.k8s.io/v1",
    "pod-security.admission.config.k8s.io/v1beta1",
    "pod-security.admission.config.k8s.io/v1alpha1",
];
pub(super) const KIND: &str = "PodSecurityConfiguration";

/// The levels that hold where a Namespace has no labels for them, and who is exempt.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Configuration {
    /// `pod-security.admission.config.k8s.io/v1`, or an older version.
    #[serde(rename = "apiVersion")]
    _api_version: String,
    /// `PodSecurityConfiguration`.
    #[serde(rename = "kind")]
    _kind: String,
    /// What holds where a Namespace has no label.
    #[serde(default)]
    defaults: LevelDefaults,
    /// Who is not judged.
    #[serde(default)]
    exemptions: ExemptNames,
}

#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct LevelDefaults {
    /// The level that pods are refused by.
    enforce: String,
    /// Its version.
    enforce_version: String,
    /// The level that is noted in the audit log.
    audit: String,
    /// Its version.
    audit_version: String,
    /// The level that is warned of.
    warn: String,
    /// Its version.
    warn_version: String,
}

#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct ExemptNames {
    /// Users.
    usernames: Vec<String>,
    /// Namespaces.
    namespaces: Vec<String>,
    /// Runtime classes.
    runtime_classes: Vec<String>,
}

/// Whether a document means to be a PodSecurityConfiguration.
pub(super) fn is_meant(object: &Value) -> bool {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let group = text("apiVersion").split_once('/').map_or("", |(group, _)| group);
    text("kind") == KIND || group == GROUP
}

impl DocumentReader<'_> {
    /// Reads a document that means to be a PodSecurityConfiguration.
    pub(super) fn pod_security(&mut self, mut object: Value) {
        for (key, words) in [("apiVersion", &API_VERSIONS[..]), ("kind", &[KIND])] {
            self.check_word(key, object.get(key), words);
        }
        without_nulls(&mut object);
        for mismatch in schema::check(&schema::of::<Configuration>(), &mut object) {
            self.mismatch(mismatch);
        }
        let Some(Configuration { defaults, exemptions, .. }) = self.decode(object) else { return };
        let defaults = self.defaults(&defaults);
        let exemptions = self.exemptions(exemptions);
        if self.policies.set.pod_security.is_some() {
            let message = "a second PodSecurityConfiguration: there is one answer to a pod, so give only one";
            self.fault(&path("kind"), message);
        }
        self.policies.set.pod_security = Some(PodSecurityConfiguration::new(defaults, exemptions));
    }

    fn defaults(&mut self, written: &LevelDefaults) -> Levels {
        let mut levels = Levels::default();
        let LevelDefaults { enforce, enforce_version, audit, audit_version, warn, warn_version } = written;
        for (action, target, level, version) in [
            (Action::Enforce, &mut levels.enforce, enforce, enforce_version),
            (Action::Audit, &mut levels.audit, audit, audit_version),
            (Action::Warn, &mut levels.warn, warn, warn_version),
        ] {
            // As in Kubernetes, an empty string means the default.
            let LevelVersion { level: to_level, version: to_version } = target;
            if !level.is_empty() {
                self.set(to_level, level, &format!("defaults.{}", action.name()));
            }
            if !version.is_empty() {
                self.set(to_version, version, &format!("defaults.{}-version", action.name()));
            }
        }
        levels
    }

    fn set<T: std::str::FromStr<Err = StandardError>>(&mut self, target: &mut T, text: &str, at: &str) {
        match text.parse() {
            Ok(value) => *target = value,
            Err(error) => self.fault(&path(at), error.to_string()),
        }
    }

    fn exemptions(&mut self, names: ExemptNames) -> Exemptions {
        let ExemptNames { usernames, namespaces, runtime_classes } = names;
        Exemptions {
            usernames: self.names("usernames", usernames, "the name of a user", |name| !name.is_empty()),
            namespaces: self.names(
                "namespaces",
                namespaces,
                "a name that a namespace can have",
                is_namespace,
            ),
            runtime_classes: self.names(
                "runtimeClasses",
                runtime_classes,
                "a name that a runtime class can have",
                is_dns_subdomain,
            ),
        }
    }

    fn names(
        &mut self,
        list: &str,
        names: Vec<String>,
        what: &str,
        is_possible: impl Fn(&str) -> bool,
    ) -> HashSet<String> {
        let mut seen = BTreeSet::new();
        for (index, name) in names.iter().enumerate() {
            let at = Path::from_keys(["exemptions", list]).index(index);
            if !is_possible(name) {
                self.fault(&at, format!("expected {what}, found {name:?}{}", not_ascii(name)));
            } else if !seen.insert(name) {
                self.fault(&at, format!("{name:?} stands in the list already; take one out"));
            }
        }
        names.into_iter().collect()
    }
}

/// Removes every known member that is `null`, which Kubernetes reads as absent. Unknown members stay, so that they are
/// reported.
fn without_nulls(value: &mut Value) {
    const KNOWN: [&[&str]; 3] = [
        &["apiVersion", "kind", "defaults", "exemptions"],
        &["enforce", "enforce-version", "audit", "audit-version", "warn", "warn-version"],
        &["usernames", "namespaces", "runtimeClasses"],
    ];
    let clean = |value: Option<&mut Value>, known: &[&str]| {
        if let Some(Value::Object(members)) = value {
            members.retain(|key, member| !member.is_null() || !known.contains(&key.as_str()));
        }
    };
    let [of_all, of_defaults, of_exemptions] = KNOWN;
    clean(value.get_mut("defaults"), of_defaults);
    clean(value.get_mut("exemptions"), of_exemptions);
    clean(Some(value), of_all);
}
