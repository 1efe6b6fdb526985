//! What may be wrong with the webhooks themselves.

use podgate::doctor::{DiagnosisSeverity, HealthCheck};
use serde_json::json;

use super::super::world::{MUTATING, VALIDATING};
use super::{Break, Patch, Remove, With, gone, set};

pub(super) fn cases() -> Vec<(HealthCheck, DiagnosisSeverity, &'static str, Break)> {
    use DiagnosisSeverity::{Error, Info, Warning};
    vec![
        (HealthCheck::ConfigurationMissing, Error, "no pod is judged", Remove(VALIDATING)),
        (HealthCheck::ConfigurationMissing, Error, "no pod is repaired", Remove(MUTATING)),
        (
            HealthCheck::WebhookTarget,
            Error,
            "leads to the Service podgate-system/other",
            Patch(VALIDATING, set("/webhooks/0/clientConfig/service/name", "other".into())),
        ),
        (
            HealthCheck::WebhookTarget,
            Error,
            "the path /validate, and podgate answers at /mutate",
            Patch(MUTATING, set("/webhooks/0/clientConfig/service/path", "/validate".into())),
        ),
        (
            HealthCheck::WebhookTarget,
            Error,
            "leads to the URL https://10.0.0.9/validate",
            Patch(
                VALIDATING,
                set(
                    "/webhooks/0/clientConfig",
                    json!({ "url": "https://10.0.0.9/validate", "caBundle": "cGVt" }),
                ),
            ),
        ),
        (
            HealthCheck::RulesIncomplete,
            Error,
            "no rule for UPDATE of pods:",
            Patch(VALIDATING, set("/webhooks/0/rules/0/operations", json!(["CREATE"]))),
        ),
        (
            HealthCheck::RulesIncomplete,
            Error,
            "no rule for UPDATE of pods/ephemeralcontainers",
            Patch(VALIDATING, gone("/webhooks/0/rules/1")),
        ),
        (
            HealthCheck::RulesIncomplete,
            Error,
            "no rule for CREATE of pods",
            Patch(MUTATING, set("/webhooks/0/rules/0/scope", "Cluster".into())),
        ),
        (
            HealthCheck::RulesIncomplete,
            Error,
            "no rule for CREATE of pods",
            Patch(VALIDATING, set("/webhooks", json!([]))),
        ),
        (
            HealthCheck::RulesRefused,
            Error,
            "services of the core group",
            Patch(VALIDATING, set("/webhooks/0/rules/0/resources/-", "services".into())),
        ),
        (
            HealthCheck::RulesRefused,
            Error,
            "* of the core group",
            Patch(VALIDATING, set("/webhooks/0/rules/0/resources/-", "*".into())),
        ),
        (
            HealthCheck::RulesRefused,
            Error,
            "jobs of example.com",
            Patch(VALIDATING, set("/webhooks/1/rules/2/apiGroups/-", "example.com".into())),
        ),
        (
            HealthCheck::FailurePolicy,
            Warning,
            "every pod is admitted unjudged",
            Patch(VALIDATING, set("/webhooks/0/failurePolicy", "Ignore".into())),
        ),
        (
            HealthCheck::FailurePolicy,
            Info,
            "nothing is repaired",
            Patch(MUTATING, set("/webhooks/0/failurePolicy", "Ignore".into())),
        ),
        (
            HealthCheck::ObjectSelector,
            Error,
            "decides whether it is judged",
            Patch(VALIDATING, set("/webhooks/0/objectSelector", json!({ "matchLabels": { "judge": "me" } }))),
        ),
        (
            HealthCheck::MatchPolicy,
            Warning,
            "Exact: requests by another version",
            Patch(VALIDATING, set("/webhooks/0/matchPolicy", "Exact".into())),
        ),
        (
            HealthCheck::SideEffects,
            Warning,
            "NoneOnDryRun: podgate has no side effects",
            Patch(MUTATING, set("/webhooks/0/sideEffects", "NoneOnDryRun".into())),
        ),
        (
            HealthCheck::Timeout,
            Warning,
            "11: whoever creates a pod waits",
            Patch(VALIDATING, set("/webhooks/0/timeoutSeconds", 11.into())),
        ),
        (
            HealthCheck::ReinvocationPolicy,
            Warning,
            "Never: containers that later webhooks add",
            Patch(MUTATING, set("/webhooks/0/reinvocationPolicy", "Never".into())),
        ),
        (
            HealthCheck::ReinvocationPolicy,
            Warning,
            "Never: ",
            Patch(MUTATING, gone("/webhooks/0/reinvocationPolicy")),
        ),
        (
            HealthCheck::MutatingOrder,
            Error,
            "comes after admission-webhook-mutating-webhook-configuration",
            With(|installation| {
                installation.names.mutating = "podgate".into();
                let names = ["admission-webhook-mutating-webhook-configuration", "podgate"];
                installation.mutating_names = Ok(names.map(ToOwned::to_owned).into());
            }),
        ),
    ]
}
