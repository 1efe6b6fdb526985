//! The way from the API server to the replicas: the Service, its port, its endpoints.

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::entry::entries;
use super::installation::REINSTALL;
use super::replicas::{container, pod_labels};
use super::{Check, Finding, Installation, Severity};

/// The port of a webhook that names none.
const PORT: i32 = 443;

pub(super) fn check(installation: &Installation, findings: &mut Vec<Finding>) {
    let names = &installation.names;
    let mut report = |check, field: &str, found: String, mend: String| {
        let (severity, object) = (Severity::Error, names.own("Service", &names.service));
        findings.push(Finding { check, severity, object, field: field.to_owned(), found, mend });
    };
    let service = match &installation.service {
        Err(_) => return,
        Ok(None) => {
            let found = "not there: API servers cannot find podgate".to_owned();
            return report(Check::ServiceMissing, "", found, REINSTALL.to_owned());
        }
        Ok(Some(service)) => service,
    };
    if let Some(found) = selector_fault(installation, service) {
        report(Check::ServiceSelector, "spec.selector", found, REINSTALL.to_owned());
    }
    for port in called_ports(installation) {
        if let Some((field, found)) = port_fault(installation, service, port) {
            report(Check::ServicePort, field, found, REINSTALL.to_owned());
        }
    }
    if installation.endpoints.is_ok() && ready_endpoints(installation) == 0 {
        let found = "leads to no replica that is ready: every call fails".to_owned();
        let mend = names.kubectl(&format!(
            "describe endpointslices --selector kubernetes.io/service-name={}",
            names.service
        ));
        report(Check::EndpointsMissing, "", found, mend);
    }
}

/// How many ready endpoints the Service has, as far as it is known.
pub(super) fn ready_endpoints(installation: &Installation) -> usize {
    let slices = installation.endpoints.as_deref().unwrap_or_default();
    let endpoints = slices.iter().flat_map(|slice| slice.endpoints.iter().flatten());
    // What says nothing of it is taken to be ready, as the API has it.
    endpoints
        .filter(|endpoint| {
            endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true)
        })
        .count()
}

fn selector_fault(installation: &Installation, service: &Service) -> Option<String> {
    let Ok(Some(deployment)) = &installation.deployment else { return None };
    let labels = pod_labels(deployment);
    let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    let Some(selector) = selector.filter(|selector| !selector.is_empty()) else {
        return Some("empty: it selects no pod".to_owned());
    };
    let (key, value) = selector.iter().find(|(key, value)| labels.get(*key) != Some(value))?;
    Some(format!("{key}={value} is not a label of the Deployment's pods: it selects none of them"))
}

/// The ports that the webhooks call, each once.
fn called_ports(installation: &Installation) -> Vec<i32> {
    let mut ports: Vec<i32> = entries(installation)
        .iter()
        .filter_map(|entry| entry.client.service.as_ref())
        .map(|service| service.port.unwrap_or(PORT))
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn port_fault(installation: &Installation, service: &Service, wanted: i32) -> Option<(&'static str, String)> {
    let mut ports = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
    let Some(port) = ports.find(|port| port.port == wanted) else {
        return Some(("spec.ports", format!("has no port {wanted}, which the webhooks call")));
    };
    let Ok(Some(deployment)) = &installation.deployment else { return None };
    let spec = deployment.spec.template.spec.as_ref()?;
    let known = container(spec)?.ports.as_deref().unwrap_or_default();
    let (is_known, target) = match target(port) {
        IntOrString::Int(number) => {
            (known.iter().any(|port| port.container_port == number), number.to_string())
        }
        IntOrString::String(name) => (known.iter().any(|port| port.name.as_ref() == Some(&name)), name),
    };
    (!is_known).then(|| {
        ("spec.ports[*].targetPort", format!("{target} is not a port of the Deployment's container"))
    })
}

fn target(port: &ServicePort) -> IntOrString {
    port.target_port.clone().unwrap_or(IntOrString::Int(port.port))
}
