//! The policies that are in force, as podgate would read them.

use k8s_openapi::api::core::v1::ConfigMap;

use crate::doctor::diagnosis::Diagnosis;
use crate::doctor::health_check::HealthCheck;
use crate::doctor::installation::{Installation, PolicySource, REINSTALL};
use crate::pod::Changes;
use crate::policy::{self, PolicySet, SYSTEM_NAMESPACES, SecurityPolicy, is_policy_file, read_file};

/// The policies: those given by hand, or those of the ConfigMap.
pub(super) enum PoliciesInForce<'i> {
    Given(&'i PolicySet),
    Read(Box<PolicySet>),
}

impl AsRef<PolicySet> for PoliciesInForce<'_> {
    fn as_ref(&self) -> &PolicySet {
        match self {
            Self::Given(policies) => policies,
            Self::Read(policies) => policies,
        }
    }
}

/// What the policies require of the webhooks.
pub(super) struct PolicyDemands {
    /// That pods are changed.
    pub(super) changes: bool,
    /// That they get an identity.
    pub(super) identity: bool,
    /// That pods are judged as by Kubernetes' own Pod Security, by the labels of Namespaces.
    pub(super) pod_security: bool,
    /// That objects are refused for the pods that they would make.
    pub(super) templates: bool,
    /// That updates of labels or annotations are judged; `None` where policies are not known.
    pub(super) metadata_updates: Option<bool>,
}

impl PolicyDemands {
    /// Where policies are not known, those that podgate ships are assumed.
    pub(super) fn by(policies: Option<&PoliciesInForce<'_>>) -> Self {
        let Some(policies) = policies.map(AsRef::as_ref) else {
            return Self {
                changes: true,
                identity: false,
                pod_security: false,
                templates: false,
                metadata_updates: None,
            };
        };
        let identity = !policies.identity.is_empty();
        Self {
            changes: identity || policies.security.iter().any(SecurityPolicy::fills_in_defaults),
            identity,
            pod_security: policies.pod_security.is_some(),
            templates: policies.security.iter().any(|policy| policy.refuses_templates),
            metadata_updates: Some(policies.depends_on().intersect(Changes::METADATA)),
        }
    }
}

/// The policies; `None` when they cannot be read.
pub(super) fn check<'i>(
    installation: &'i Installation,
    findings: &mut Vec<Diagnosis>,
) -> Option<PoliciesInForce<'i>> {
    let found = match &installation.policies {
        PolicySource::Given(policies) => return Some(PoliciesInForce::Given(policies)),
        PolicySource::ConfigMap(found) => found.as_ref().ok()?,
    };
    let names = &installation.names;
    let error =
        || Diagnosis::error(HealthCheck::Policies, names.own("ConfigMap", &names.config_map)).field("data");
    let Some(config_map) = found else {
        findings.push(error().because("not there: podgate does not start without it").fix(REINSTALL));
        return None;
    };
    match read(config_map, &names.namespace) {
        Ok(policies) => Some(PoliciesInForce::Read(Box::new(policies))),
        Err(faults) => {
            let edit = names.kubectl(&format!("edit configmap/{}", names.config_map));
            findings.extend(faults.into_iter().map(|fault| {
                let found =
                    format!("{fault}: podgate keeps the policies it had, and does not start with these");
                error().because(found).fix(edit.as_str())
            }));
            None
        }
    }
}

fn read(config_map: &ConfigMap, own_namespace: &str) -> Result<PolicySet, Vec<String>> {
    let reserved = SYSTEM_NAMESPACES.iter().copied().chain([own_namespace]).map(ToOwned::to_owned);
    let mut policies = policy::Policies::new(reserved.collect());
    let mut files = 0;
    for (name, text) in config_map.data.iter().flatten().filter(|(name, _)| is_policy_file(name)) {
        files += 1;
        read_file(name, text, &mut policies);
    }
    if files == 0 {
        return Err(vec!["holds no .yaml, .yml or .json".to_owned()]);
    }
    policies.finish().map_err(|faults| faults.iter().map(ToString::to_string).collect())
}
