//! What breaks an installation, and what the doctor then says: the API server, rotation and guards here, the rest
//! below.

#![expect(clippy::too_many_lines, reason = "tables of cases")]

mod around;
mod certificates;
mod webhooks;

use std::time::Duration;

use podgate::doctor::{Diagnosis, DiagnosisSeverity, HealthCheck, Installation, examine};
use serde_json::{Value as Json, json};

use super::world::{DEPLOYMENT, VALIDATING, World, now};
use crate::policies::policies;

/// A change to a good installation.
pub(super) enum Break {
    /// To the object of a kind, as a JSON Patch.
    Patch(&'static str, Json),
    /// An object is gone.
    Remove(&'static str),
    /// Something that no object says.
    With(fn(&mut Installation)),
}

pub(super) use Break::{Patch, Remove, With};
pub(super) use around::{IDENTITY, enforce};

/// `replace`, or `add` where there is nothing yet.
pub(super) fn set(path: &str, value: Json) -> Json {
    let mut patch = json!([{ "op": "add", "path": path }]);
    patch[0]["value"] = value;
    patch
}

pub(super) fn gone(path: &str) -> Json {
    json!([{ "op": "remove", "path": path }])
}

pub(super) fn broken(change: &Break) -> Vec<Diagnosis> {
    let mut world = World::good();
    match change {
        Patch(which, patch) => world.patch(which, patch),
        Remove(which) => world.remove(which),
        With(after) => world.after = *after,
    }
    examine(&world.installation()).findings
}

const GUARD: &str = "ValidatingAdmissionPolicy podgate-policy-label";

/// By a label of the manifests, and by one that they do not guard.
pub(super) const BY_ENVIRONMENT: &str = "
apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: but-sandboxes}
spec:
  match:
    namespaceSelector:
      matchLabels: {podgate.dev/policy: ml-restricted}
      matchExpressions: [{key: environment, operator: NotIn, values: [sandbox]}]
  standard: {enforce: baseline}
";

/// A policy that judges updates of labels.
pub(super) const RESERVES_LABELS: &str = "apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: ml-restricted}
spec:
  match: {namespaceSelector: {matchLabels: {podgate.dev/policy: ml-restricted}}}
  standard: {enforce: restricted}
  controls: {reservedLabels: {keys: [kueue.x-k8s.io/managed]}}
";

/// The condition of the component that asks about them.
const SPEC_OR_METADATA: &str = r#"request.operation != "UPDATE" || object.spec != oldObject.spec || object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({}) || object.metadata.?annotations.orValue({}) != oldObject.metadata.?annotations.orValue({})"#;

/// Every check with what sets it off, and words of what is then found.
pub(super) fn cases() -> Vec<(HealthCheck, DiagnosisSeverity, &'static str, Break)> {
    use DiagnosisSeverity::{Error, Info, Warning};
    let mut cases = webhooks::cases();
    cases.extend(certificates::cases());
    cases.extend(around::reach());
    cases.extend(around::replicas());
    cases.extend(around::identities());
    cases.extend([
        (
            HealthCheck::NotRead,
            Warning,
            "nothing is known of it: not allowed: secrets",
            With(|installation| {
                installation.secret = Err("not allowed: secrets is forbidden".into());
            }),
        ),
        (
            HealthCheck::NotRead,
            Warning,
            "too busy",
            With(|installation| installation.namespaces = Err("too busy".into())),
        ),
        (
            HealthCheck::KubernetesVersion,
            Error,
            "v1.29.4, and podgate needs v1.30",
            With(|installation| {
                installation.server.as_mut().unwrap().version = "v1.29.4".into();
            }),
        ),
        (
            HealthCheck::Clock,
            Warning,
            "61 s behind the one here",
            With(|installation| {
                installation.server.as_mut().unwrap().time = Some(now() - Duration::from_secs(61));
            }),
        ),
        (
            HealthCheck::Clock,
            Warning,
            "61 s ahead of the one here",
            With(|installation| {
                installation.server.as_mut().unwrap().time = Some(now() + Duration::from_secs(61));
            }),
        ),
        (HealthCheck::LeaseMissing, Error, "nobody rotates", Remove("Lease")),
        (HealthCheck::LeaseStale, Warning, "no replica holds it", Patch("Lease", gone("/spec/holderIdentity"))),
        (
            HealthCheck::LeaseStale,
            Warning,
            "renewed last at 2026-11-25T11:58:59Z by podgate-1",
            Patch("Lease", set("/spec/renewTime", "2026-11-25T11:58:59.000000Z".into())),
        ),
        (HealthCheck::LeaseStale, Warning, "renewed never", Patch("Lease", gone("/spec/renewTime"))),
        (
            HealthCheck::GuardMissing,
            Warning,
            "can switch podgate off",
            Remove("ValidatingAdmissionPolicy podgate-policy-label"),
        ),
        (
            HealthCheck::GuardUnbound,
            Warning,
            "it refuses nothing",
            Remove("ValidatingAdmissionPolicyBinding podgate-policy-label"),
        ),
        (
            HealthCheck::GuardUnbound,
            Warning,
            "it refuses nothing",
            Patch(
                "ValidatingAdmissionPolicyBinding podgate-installation",
                set("/spec/validationActions", json!(["Warn", "Audit"])),
            ),
        ),
        (
            HealthCheck::GuardUnbound,
            Warning,
            "Ignore: what it cannot judge",
            Patch(
                "ValidatingAdmissionPolicy podgate-policy-label",
                set("/spec/failurePolicy", "Ignore".into()),
            ),
        ),
        (
            HealthCheck::GuardLabels,
            Warning,
            "guards team, and podgate is told that podgate.dev/policy,resource.kubernetes.io/admin-access is guarded",
            Patch(GUARD, set("/spec/variables/0/expression", "'team'.split(',')".into())),
        ),
        (
            HealthCheck::GuardLabels,
            Warning,
            "does not say which labels it guards",
            Patch(GUARD, gone("/spec/variables/0")),
        ),
        (
            HealthCheck::GuardLabels,
            Warning,
            "guards podgate.dev/policy,resource.kubernetes.io/admin-access, and podgate is told that podgate.dev/policy,team is guarded",
            Patch(
                DEPLOYMENT,
                set("/spec/template/spec/containers/0/args/-", "--guarded-labels=team,podgate.dev/policy".into()),
            ),
        ),
        (
            HealthCheck::LabelUnguarded,
            Warning,
            "depends on the label environment, which is not guarded: whoever may edit a Namespace can set it, make any",
            Patch("ConfigMap", set("/data/sandbox.yaml", BY_ENVIRONMENT.into())),
        ),
        (
            HealthCheck::LabelUnguarded,
            Warning,
            "depends on the label environment",
            // What the guard guards counts, and not what podgate is told.
            With(|installation| {
                installation.policies =
                    podgate::doctor::PolicySource::Given(policies(BY_ENVIRONMENT));
                let mut world = World::good();
                let told = "--guarded-labels=environment";
                world.patch(DEPLOYMENT, &set("/spec/template/spec/containers/0/args/-", told.into()));
                installation.deployment = Ok(world.one(DEPLOYMENT, "podgate"));
            }),
        ),
        (
            HealthCheck::LabelUnguarded,
            Warning,
            "depends on the label pod-security.kubernetes.io/enforce-version",
            With(|installation| {
                installation.policies = podgate::doctor::PolicySource::Given(policies(
                    "{apiVersion: pod-security.admission.config.k8s.io/v1, kind: PodSecurityConfiguration}",
                ));
            }),
        ),
        (
            HealthCheck::LabelUnguarded,
            Warning,
            "depends on the label cloud.example.com/system, which is not guarded: whoever may edit a Namespace can set \
             it, and podgate is not asked",
            Patch(
                VALIDATING,
                set(
                    "/webhooks/0/namespaceSelector/matchExpressions/-",
                    json!({ "key": "cloud.example.com/system", "operator": "DoesNotExist" }),
                ),
            ),
        ),
        (
            HealthCheck::MetadataUpdates,
            Error,
            "leaves out updates of labels and annotations, which a policy judges",
            Patch("ConfigMap", set("/data/ml-restricted.yaml", RESERVES_LABELS.into())),
        ),
        (
            HealthCheck::MetadataUpdates,
            Info,
            "asks about updates of labels and annotations, which no policy judges",
            Patch(VALIDATING, set("/webhooks/0/matchConditions/0/expression", SPEC_OR_METADATA.into())),
        ),
        (
            HealthCheck::MatchCondition,
            Info,
            "not one of podgate's own",
            Patch(
                VALIDATING,
                set(
                    "/webhooks/0/matchConditions/-",
                    json!({ "name": "mine", "expression": "request.userInfo.username != 'me'" }),
                ),
            ),
        ),
    ]);
    cases
}
