//! What breaks an installation, and what the doctor then says: the API server, rotation and guards here, the rest
//! below.

#![expect(clippy::too_many_lines, reason = "tables of cases")]

mod around;
mod certificates;
mod webhooks;

use std::time::Duration;

use podgate::doctor::{Check, Finding, Installation, Severity, examine};
use serde_json::{Value as Json, json};

use super::world::{VALIDATING, World, now};

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
pub(super) use around::IDENTITY;

/// `replace`, or `add` where there is nothing yet.
pub(super) fn set(path: &str, value: Json) -> Json {
    let mut patch = json!([{ "op": "add", "path": path }]);
    patch[0]["value"] = value;
    patch
}

pub(super) fn gone(path: &str) -> Json {
    json!([{ "op": "remove", "path": path }])
}

pub(super) fn broken(change: &Break) -> Vec<Finding> {
    let mut world = World::good();
    match change {
        Patch(which, patch) => world.patch(which, patch),
        Remove(which) => world.remove(which),
        With(after) => world.after = *after,
    }
    examine(&world.installation()).findings
}

/// Every check with what sets it off, and words of what is then found.
pub(super) fn cases() -> Vec<(Check, Severity, &'static str, Break)> {
    use Severity::{Error, Info, Warning};
    let mut cases = webhooks::cases();
    cases.extend(certificates::cases());
    cases.extend(around::reach());
    cases.extend(around::replicas());
    cases.extend(around::identities());
    cases.extend([
        (
            Check::NotRead,
            Warning,
            "nothing is known of it: not allowed: secrets",
            With(|installation| {
                installation.secret = Err("not allowed: secrets is forbidden".into());
            }),
        ),
        (
            Check::NotRead,
            Warning,
            "too busy",
            With(|installation| installation.namespaces = Err("too busy".into())),
        ),
        (
            Check::KubernetesVersion,
            Error,
            "v1.29.4, and podgate needs v1.30",
            With(|installation| {
                installation.server.as_mut().unwrap().version = "v1.29.4".into();
            }),
        ),
        (
            Check::Clock,
            Warning,
            "61 s behind the one here",
            With(|installation| {
                installation.server.as_mut().unwrap().time = Some(now() - Duration::from_secs(61));
            }),
        ),
        (
            Check::Clock,
            Warning,
            "61 s ahead of the one here",
            With(|installation| {
                installation.server.as_mut().unwrap().time = Some(now() + Duration::from_secs(61));
            }),
        ),
        (Check::LeaseMissing, Error, "nobody rotates", Remove("Lease")),
        (Check::LeaseStale, Warning, "no replica holds it", Patch("Lease", gone("/spec/holderIdentity"))),
        (
            Check::LeaseStale,
            Warning,
            "renewed last at 2026-11-25T11:58:59Z by podgate-1",
            Patch("Lease", set("/spec/renewTime", "2026-11-25T11:58:59.000000Z".into())),
        ),
        (Check::LeaseStale, Warning, "renewed never", Patch("Lease", gone("/spec/renewTime"))),
        (
            Check::GuardMissing,
            Warning,
            "can switch podgate off",
            Remove("ValidatingAdmissionPolicy podgate-policy-label"),
        ),
        (
            Check::GuardUnbound,
            Warning,
            "it refuses nothing",
            Remove("ValidatingAdmissionPolicyBinding podgate-policy-label"),
        ),
        (
            Check::GuardUnbound,
            Warning,
            "it refuses nothing",
            Patch(
                "ValidatingAdmissionPolicyBinding podgate-installation",
                set("/spec/validationActions", json!(["Warn", "Audit"])),
            ),
        ),
        (
            Check::GuardUnbound,
            Warning,
            "Ignore: what it cannot judge",
            Patch(
                "ValidatingAdmissionPolicy podgate-policy-label",
                set("/spec/failurePolicy", "Ignore".into()),
            ),
        ),
        (
            Check::MatchCondition,
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
