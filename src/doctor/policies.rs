//! The policies that are in force, as podgate would read them.

use k8s_openapi::api::core::v1::ConfigMap;

use super::installation::{Policies, REINSTALL};
use super::{Check, Finding, Installation, Severity};
use crate::policy::{self, PolicySet, SYSTEM_NAMESPACES, read_file};

/// What a file of policies ends in; others are not read.
const ENDINGS: [&str; 3] = [".yaml", ".yml", ".json"];

/// The policies: those given by hand, or those of the ConfigMap.
pub(super) enum InForce<'i> {
    Given(&'i PolicySet),
    Read(Box<PolicySet>),
}

impl AsRef<PolicySet> for InForce<'_> {
    fn as_ref(&self) -> &PolicySet {
        match self {
            Self::Given(policies) => policies,
            Self::Read(policies) => policies,
        }
    }
}

/// What is asked of the webhooks by some policy, wherever it holds.
pub(super) struct Asked {
    /// To change pods.
    pub(super) changes: bool,
    /// To give them an identity.
    pub(super) identity: bool,
    /// To judge as Kubernetes' own Pod Security does, by the labels of Namespaces.
    pub(super) pod_security: bool,
}

impl Asked {
    /// What is not known is taken to be as podgate is shipped.
    pub(super) fn by(policies: Option<&InForce<'_>>) -> Self {
        let Some(policies) = policies.map(AsRef::as_ref) else {
            return Self { changes: true, identity: false, pod_security: false };
        };
        let identity = !policies.identity.is_empty();
        Self {
            changes: identity || policies.security.iter().any(|policy| policy.repairs),
            identity,
            pod_security: policies.pod_security.is_some(),
        }
    }
}

/// The policies; `None` when they cannot be told.
pub(super) fn check<'i>(installation: &'i Installation, findings: &mut Vec<Finding>) -> Option<InForce<'i>> {
    let found = match &installation.policies {
        Policies::Given(policies) => return Some(InForce::Given(policies)),
        Policies::ConfigMap(found) => found.as_ref().ok()?,
    };
    let names = &installation.names;
    let object = names.own("ConfigMap", &names.config_map);
    let mut report = |found: String, mend: String| {
        let (check, severity) = (Check::Policies, Severity::Error);
        findings.push(Finding {
            check,
            severity,
            object: object.clone(),
            field: "data".to_owned(),
            found,
            mend,
        });
    };
    let Some(config_map) = found else {
        report("not there: podgate does not start without it".to_owned(), REINSTALL.to_owned());
        return None;
    };
    match read(config_map, &names.namespace) {
        Ok(policies) => Some(InForce::Read(Box::new(policies))),
        Err(faults) => {
            for fault in faults {
                let found =
                    format!("{fault}: podgate keeps the policies it had, and does not start with these");
                report(found, names.kubectl(&format!("edit configmap/{}", names.config_map)));
            }
            None
        }
    }
}

fn read(config_map: &ConfigMap, own_namespace: &str) -> Result<PolicySet, Vec<String>> {
    let reserved = SYSTEM_NAMESPACES.iter().copied().chain([own_namespace]).map(ToOwned::to_owned);
    let mut policies = policy::Policies::new(reserved.collect());
    let is_policy =
        |name: &str| ENDINGS.iter().any(|ending| name.ends_with(ending)) && !name.starts_with('.');
    let mut files = 0;
    for (name, text) in config_map.data.iter().flatten().filter(|(name, _)| is_policy(name)) {
        files += 1;
        read_file(name, text, &mut policies);
    }
    if files == 0 {
        return Err(vec!["holds no .yaml, .yml or .json".to_owned()]);
    }
    policies.finish().map_err(|faults| faults.iter().map(ToString::to_string).collect())
}
