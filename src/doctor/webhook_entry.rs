//! The entries of the two webhook configurations, in one type.

use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MutatingWebhook, RuleWithOperations, ValidatingWebhook, WebhookClientConfig,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::doctor::diagnosis::Diagnosis;
use crate::doctor::health_check::HealthCheck;
use crate::doctor::installation::Installation;
use crate::policy::{Labels, Selector};

/// What the two kinds of webhook have in common.
pub(super) struct WebhookEntry<'i> {
    pub(super) is_mutating: bool,
    pub(super) configuration: &'i str,
    pub(super) index: usize,
    pub(super) name: &'i str,
    pub(super) client: &'i WebhookClientConfig,
    pub(super) namespaces: Option<&'i LabelSelector>,
    pub(super) objects: Option<&'i LabelSelector>,
    pub(super) rules: &'i [RuleWithOperations],
    pub(super) conditions: &'i [MatchCondition],
    pub(super) failure_policy: Option<&'i str>,
    pub(super) match_policy: Option<&'i str>,
    pub(super) side_effects: &'i str,
    pub(super) timeout: Option<i32>,
    /// Of mutating webhooks alone.
    pub(super) reinvocation: Option<&'i str>,
}

impl<'i> WebhookEntry<'i> {
    /// Whether it changes pods of some labels alone, wherever they are: it stands in for no other.
    pub(super) fn is_for_labelled_pods(&self) -> bool {
        self.is_mutating && self.is_selective()
    }

    /// Whether it is only called for objects with some labels.
    pub(super) fn is_selective(&self) -> bool {
        self.objects.is_some_and(|selector| *selector != LabelSelector::default())
    }

    fn validating(configuration: &'i str, (index, webhook): (usize, &'i ValidatingWebhook)) -> Self {
        Self {
            is_mutating: false,
            configuration,
            index,
            name: &webhook.name,
            client: &webhook.client_config,
            namespaces: webhook.namespace_selector.as_ref(),
            objects: webhook.object_selector.as_ref(),
            rules: webhook.rules.as_deref().unwrap_or_default(),
            conditions: webhook.match_conditions.as_deref().unwrap_or_default(),
            failure_policy: webhook.failure_policy.as_deref(),
            match_policy: webhook.match_policy.as_deref(),
            side_effects: &webhook.side_effects,
            timeout: webhook.timeout_seconds,
            reinvocation: None,
        }
    }

    fn mutating(configuration: &'i str, (index, webhook): (usize, &'i MutatingWebhook)) -> Self {
        Self {
            is_mutating: true,
            configuration,
            index,
            name: &webhook.name,
            client: &webhook.client_config,
            namespaces: webhook.namespace_selector.as_ref(),
            objects: webhook.object_selector.as_ref(),
            rules: webhook.rules.as_deref().unwrap_or_default(),
            conditions: webhook.match_conditions.as_deref().unwrap_or_default(),
            failure_policy: webhook.failure_policy.as_deref(),
            match_policy: webhook.match_policy.as_deref(),
            side_effects: &webhook.side_effects,
            timeout: webhook.timeout_seconds,
            reinvocation: Some(webhook.reinvocation_policy.as_deref().unwrap_or("Never")),
        }
    }

    /// Its configuration, as reports name it.
    pub(super) fn object(&self) -> String {
        format!("{} {}", kind(self.is_mutating), self.configuration)
    }

    /// A field of it, as reports name it.
    fn field(&self, field: &str) -> String {
        format!("webhooks[{}].{field}", self.name)
    }

    /// An error in a field of it.
    pub(super) fn error(&self, check: HealthCheck, field: &str) -> Diagnosis {
        Diagnosis::error(check, self.object()).field(self.field(field))
    }

    /// A warning about a field of it.
    pub(super) fn warning(&self, check: HealthCheck, field: &str) -> Diagnosis {
        Diagnosis::warning(check, self.object()).field(self.field(field))
    }

    /// A note on a field of it.
    pub(super) fn info(&self, check: HealthCheck, field: &str) -> Diagnosis {
        Diagnosis::info(check, self.object()).field(self.field(field))
    }

    /// The command that sets a field of it; `value` is JSON.
    pub(super) fn patch(&self, field: &str, value: &str) -> String {
        format!(
            "kubectl patch {} {} --type=json --patch='[{{\"op\": \"add\", \"path\": \"/webhooks/{}/{field}\", \
             \"value\": {value}}}]'",
            kind(self.is_mutating).to_ascii_lowercase(),
            self.configuration,
            self.index
        )
    }

    /// Whether it is called for an operation on a resource (`pods`, `pods/resize`) of the core group.
    pub(super) fn is_called_for(&self, resource: &str, operation: &str) -> bool {
        self.rules.iter().any(|rule| {
            let is_of =
                |list: &Option<Vec<String>>, one: &str| names(list, |given| given == "*" || given == one);
            is_of(&rule.api_groups, "")
                && is_of(&rule.api_versions, "v1")
                && is_of(&rule.operations, operation)
                && names(&rule.resources, |given| covers(given, resource))
                && !is_other_scope(rule, resource)
        })
    }
}

/// Whether a rule is for the other half of all resources.
fn is_other_scope(rule: &RuleWithOperations, resource: &str) -> bool {
    let other = if resource == "namespaces" { "Namespaced" } else { "Cluster" };
    rule.scope.as_deref() == Some(other)
}

/// Whether a selector of the API matches labels. One that cannot be understood matches none.
pub(super) fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    let selector = serde_json::to_value(selector).and_then(serde_json::from_value::<Selector>);
    selector.is_ok_and(|selector| selector.matches(|key| labels.get(key).map(String::as_str)))
}

/// Its kind, as the API server spells it.
pub(super) fn kind(is_mutating: bool) -> &'static str {
    if is_mutating { "MutatingWebhookConfiguration" } else { "ValidatingWebhookConfiguration" }
}

fn names(list: &Option<Vec<String>>, is_meant: impl Fn(&str) -> bool) -> bool {
    list.iter().flatten().any(|given| is_meant(given))
}

/// Whether a resource of a rule covers one of requests: `*`, `pods`, `pods/*`, `*/resize`, `*/*`.
fn covers(given: &str, resource: &str) -> bool {
    let ((given, given_sub), (resource, sub)) = (parts(given), parts(resource));
    (given == "*" || given == resource) && (given_sub == "*" || given_sub == sub)
}

/// A resource and its subresource, which may be empty.
fn parts(resource: &str) -> (&str, &str) {
    resource.split_once('/').unwrap_or((resource, ""))
}

/// Every entry of both configurations.
pub(super) fn entries(installation: &Installation) -> Vec<WebhookEntry<'_>> {
    let names = &installation.names;
    let mut entries = Vec::new();
    if let Ok(Some(configuration)) = &installation.validating {
        let webhooks = configuration.webhooks.iter().flatten().enumerate();
        entries.extend(webhooks.map(|webhook| WebhookEntry::validating(&names.validating, webhook)));
    }
    if let Ok(Some(configuration)) = &installation.mutating {
        let webhooks = configuration.webhooks.iter().flatten().enumerate();
        entries.extend(webhooks.map(|webhook| WebhookEntry::mutating(&names.mutating, webhook)));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_cover_what_the_api_server_says() {
        for (given, resource, expected) in [
            ("pods", "pods", true),
            ("pods", "pods/resize", false),
            ("*", "pods", true),
            ("*", "pods/resize", false),
            ("pods/*", "pods", true),
            ("pods/*", "pods/resize", true),
            ("jobs/*", "pods/resize", false),
            ("*/resize", "pods/resize", true),
            ("*/resize", "pods", false),
            ("*/*", "pods", true),
            ("*/*", "pods/resize", true),
            ("pods/resize", "pods/ephemeralcontainers", false),
        ] {
            assert_eq!(covers(given, resource), expected, "{given} {resource}");
        }
    }
}
