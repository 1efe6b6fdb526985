//! A pod of AAD Pod Identity → the service account that gives it the same identity, and its labels.
//!
//! Where nobody can say which account that is, nothing is changed, and warnings say why: the pod goes on with the identity that
//! it has.

use crate::finding::{Edit, EditOp, FieldPath, Subject, Value};
use crate::identity::aad_pod_identity::{
    AZUREML_SERVICE_LABEL, LEGACY_LABEL, LegacyPod, MigrationTarget, PodIdentities, migration_target,
    warning_line,
};
use crate::identity::{AZURE_LABEL, ServiceAccount};
use crate::mutate::identity::change::IdentityError;
use crate::pod::Pod;
use crate::policy::{IdentityPolicy, LookupError, MigrationMode};

/// What a migration depends on besides the pod.
#[derive(Debug)]
pub struct LegacyObjects<'k> {
    /// The identities and bindings of the cluster.
    pub identities: &'k PodIdentities,
    /// The service accounts of the pod's namespace, by name.
    pub accounts: Vec<(&'k str, &'k ServiceAccount)>,
}

/// What becomes of a pod.
#[derive(Debug, Default)]
pub(super) struct Migrated<'p> {
    /// The service account that it gets, or has got already, and the policy that gives it.
    pub(super) account: Option<MigratedAccount<'p>>,
    /// What is changed besides.
    pub(super) edits: Vec<Edit<'p>>,
    pub(super) warnings: Vec<String>,
}

/// A service account in place of a binding.
#[derive(Debug, Clone, Copy)]
pub(super) struct MigratedAccount<'p> {
    pub(super) policy: &'p IdentityPolicy,
    pub(super) name: &'p str,
    pub(super) account: &'p ServiceAccount,
}

/// What the policies make of a pod. One that another policy gives an account to, `is_assigned`, keeps that.
pub(super) fn migrate<'p, E>(
    (pod, namespace): (&'p Pod<'_>, &str),
    policies: impl Iterator<Item = &'p IdentityPolicy> + Clone,
    is_assigned: bool,
    objects: impl FnOnce() -> Result<Result<LegacyObjects<'p>, LookupError>, E>,
) -> Result<Result<Migrated<'p>, IdentityError>, E> {
    let policies = policies.filter(|policy| policy.migration.is_on() && policy.selects(pod));
    let mut migrated = Migrated::default();
    let by_rule = selector_by_rule(pod, policies.clone());
    if let Some(selector) = by_rule {
        migrated.edits.push(label(EditOp::Set(Value::Text(selector))));
    }
    let written = pod.metadata.label(LEGACY_LABEL).filter(|selector| !selector.is_empty());
    let migrating = policies
        .filter(|policy| policy.migration.mode != MigrationMode::Off)
        .max_by_key(|policy| (policy.priority, policy.migration.mode == MigrationMode::Enforce));
    let (Some(selector), Some(policy), false) = (written.or(by_rule), migrating, is_assigned) else {
        return Ok(Ok(migrated));
    };
    // A pod whose label says that it wants none has none.
    if let Some(value) = pod.metadata.label(AZURE_LABEL).filter(|value| *value != "true") {
        if value != "false" {
            let label = format!(" is not migrated: its label {AZURE_LABEL} is \"");
            let told = ["podgate: aadpodidbinding ", selector, &label, value, "\""];
            migrated.warnings.push(warning_line(&told));
        }
        return Ok(Ok(migrated));
    }
    let legacy = LegacyPod { namespace, selector, service_account: pod.service_account() };
    let objects = match objects()? {
        Ok(objects) => objects,
        Err(reason) => {
            return Ok(unknown(policy, selector, reason).map(|warning| {
                migrated.warnings.push(warning);
                migrated
            }));
        }
    };
    match migration_target(legacy, objects.identities, objects.accounts.iter().copied()) {
        Ok(target) => give(&target, legacy, (pod, policy, &objects), &mut migrated),
        Err(blocker) => migrated.warnings.extend(blocker.warnings(legacy)),
    }
    Ok(Ok(migrated))
}

/// The selector that a rule gives a service of AzureML which has none.
fn selector_by_rule<'p>(
    pod: &Pod<'_>,
    mut policies: impl Iterator<Item = &'p IdentityPolicy>,
) -> Option<&'p str> {
    let is_service = pod.metadata.label(AZUREML_SERVICE_LABEL) == Some("true");
    if !is_service || pod.metadata.label(LEGACY_LABEL).is_some() {
        return None;
    }
    policies.find_map(|policy| policy.migration.azure_ml_selector.as_deref())
}

/// Gives a pod its service account, or says that it would get it.
fn give<'p>(
    target: &MigrationTarget<'p>,
    legacy: LegacyPod<'_>,
    (pod, policy, objects): (&'p Pod<'_>, &'p IdentityPolicy, &LegacyObjects<'p>),
    migrated: &mut Migrated<'p>,
) {
    let name = target.account;
    let Some((_, account)) = objects.accounts.iter().find(|(account, _)| *account == name) else { return };
    let is_done = legacy.service_account == name && pod.metadata.label(AZURE_LABEL).is_some();
    let removes = policy.migration.removes_legacy_label;
    let is_enforced = policy.migration.mode == MigrationMode::Enforce;
    if !is_done {
        let verb = if is_enforced && policy.is_enforced() { "is" } else { "would be" };
        let moved = format!(" {verb} migrated to workload identity as ");
        let label = "podgate: aadpodidbinding ";
        migrated.warnings.push(warning_line(&[label, legacy.selector, &moved, name]));
    }
    if !is_enforced {
        if !is_done {
            let own = legacy.service_account;
            let also = if removes { ", and remove label aadpodidbinding" } else { "" };
            let account = ["podgate: would set serviceAccountName ", own, " -> ", name];
            let labels = format!("podgate: would add label {AZURE_LABEL}: \"true\"{also}");
            migrated.warnings.extend([warning_line(&account), labels]);
        }
        return;
    }
    migrated.account = Some(MigratedAccount { policy, name, account });
    if removes {
        migrated.edits.clear();
        if pod.metadata.label(LEGACY_LABEL).is_some() {
            migrated.edits.push(label(EditOp::Remove));
        }
    }
}

/// What follows where the bindings of the cluster cannot be read.
fn unknown(policy: &IdentityPolicy, selector: &str, reason: LookupError) -> Result<String, IdentityError> {
    if policy.migration.mode == MigrationMode::Enforce {
        let message = format!(
            "IdentityPolicy \"{}\" migrates this pod from AAD Pod Identity, and the AzureIdentityBindings cannot be read \
             ({reason}); try again",
            policy.name
        );
        return Err(IdentityError::new(500, message, "the AzureIdentityBindings cannot be read"));
    }
    let reason = reason.to_string();
    Ok(warning_line(&["podgate: aadpodidbinding ", selector, ": the bindings cannot be read: ", &reason]))
}

fn label(op: EditOp<'_>) -> Edit<'_> {
    Edit::new(Subject::Metadata, FieldPath::from("labels").key(LEGACY_LABEL), op)
}
