//! What was not read, and so not checked.

use crate::doctor::diagnosis::Diagnosis;
use crate::doctor::health_check::HealthCheck;
use crate::doctor::installation::{Installation, PolicySource};
use crate::policy::SWITCH_CONFIG_MAP;

/// What reads an object, its name in reports, and why that failed.
type Read<'i> = (String, String, Option<&'i str>);

pub(super) fn check(installation: &Installation, findings: &mut Vec<Diagnosis>) {
    let of_cluster = of_cluster(installation).into_iter();
    for (command, object, fault) in of_cluster.chain(of_namespace(installation)) {
        let Some(fault) = fault else { continue };
        findings.push(
            Diagnosis::warning(HealthCheck::NotRead, object)
                .because(format!("not read, so nothing is known of it: {fault}"))
                .fix(format!("kubectl {command} # as somebody who may")),
        );
    }
}

fn of_cluster(installation: &Installation) -> Vec<Read<'_>> {
    let names = &installation.names;
    let mut reads = vec![
        ("get --raw=/version".to_owned(), "the API server's version".to_owned(), fault(&installation.server)),
        (
            format!("get validatingwebhookconfiguration/{}", names.validating),
            format!("ValidatingWebhookConfiguration {}", names.validating),
            fault(&installation.validating),
        ),
        (
            format!("get mutatingwebhookconfiguration/{}", names.mutating),
            format!("MutatingWebhookConfiguration {}", names.mutating),
            fault(&installation.mutating),
        ),
        (
            "get mutatingwebhookconfigurations".to_owned(),
            "every MutatingWebhookConfiguration".to_owned(),
            fault(&installation.mutating_names),
        ),
        ("get namespaces".to_owned(), "the Namespaces".to_owned(), fault(&installation.namespaces)),
        (
            "get serviceaccounts --all-namespaces".to_owned(),
            "the ServiceAccounts".to_owned(),
            fault(&installation.service_accounts),
        ),
        (
            "get mutatingadmissionpolicies".to_owned(),
            "the MutatingAdmissionPolicies".to_owned(),
            fault(&installation.mutating_policies),
        ),
        (
            "get validatingadmissionpolicybindings".to_owned(),
            "the ValidatingAdmissionPolicyBindings".to_owned(),
            fault(&installation.bindings),
        ),
    ];
    for guard in &installation.guards {
        let command = format!("get validatingadmissionpolicy/{}", guard.name);
        let object = format!("ValidatingAdmissionPolicy {}", guard.name);
        reads.push((command, object, fault(&guard.policy)));
    }
    reads
}

fn of_namespace(installation: &Installation) -> Vec<Read<'_>> {
    let names = &installation.names;
    let own = |kind: &str, name: &str| names.own(kind, name);
    let namespaced = format!("--namespace {}", names.namespace);
    let config_map = match &installation.policies {
        PolicySource::ConfigMap(found) => fault(found),
        PolicySource::Given(_) => None,
    };
    let all = |kind: &str| format!("{kind} of {}", names.namespace);
    let mut reads = Vec::new();
    for (resource, object, fault) in [
        ("deployment", own("Deployment", &names.deployment), fault(&installation.deployment)),
        ("pods", all("the Pods"), fault(&installation.pods)),
        ("poddisruptionbudgets", all("the PodDisruptionBudgets"), fault(&installation.budgets)),
        ("service", own("Service", &names.service), fault(&installation.service)),
        ("endpointslices", all("the EndpointSlices"), fault(&installation.endpoints)),
        ("networkpolicies", all("the NetworkPolicies"), fault(&installation.network_policies)),
        ("configmap", own("ConfigMap", &names.config_map), config_map),
        ("configmap", own("ConfigMap", SWITCH_CONFIG_MAP), fault(&installation.switch)),
        ("secret", own("Secret", &names.secret), fault(&installation.secret)),
        ("lease", own("Lease", &names.lease), fault(&installation.lease)),
    ] {
        let name = object.rsplit_once('/').map_or(String::new(), |(_, name)| format!("/{name}"));
        reads.push((format!("{namespaced} get {resource}{name}"), object, fault));
    }
    reads
}

fn fault<T>(read: &Result<T, String>) -> Option<&str> {
    read.as_ref().err().map(String::as_str)
}
