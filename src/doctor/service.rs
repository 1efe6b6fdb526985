//! The way from the API server to the replicas: the Service, its port, its endpoints.

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::doctor::deployment::{container, pod_labels};
use crate::doctor::diagnosis::Diagnosis;
use crate::doctor::health_check::HealthCheck;
use crate::doctor::installation::{Installation, REINSTALL};
use crate::doctor::webhook_entry::entries;

/// The port of a webhook that names none.
const PORT: i32 = 443;

pub(super) fn check(installation: &Installation, findings: &mut Vec<Diagnosis>) {
    let names = &installation.names;
    let error = |check| Diagnosis::error(check, names.own("Service", &names.service)).fix(REINSTALL);
    let service = match &installation.service {
        Err(_) => return,
        Ok(None) => {
            let found = "not there: API servers cannot find podgate";
            return findings.push(error(HealthCheck::ServiceMissing).because(found));
        }
        Ok(Some(service)) => service,
    };
    if let Some(found) = selector_fault(installation, service) {
        findings.push(error(HealthCheck::ServiceSelector).field("spec.selector").because(found));
    }
    for port in called_ports(installation) {
        if let Some((field, found)) = port_fault(installation, service, port) {
            findings.push(error(HealthCheck::ServicePort).field(field).because(found));
        }
    }
    if installation.endpoints.is_ok() && ready_endpoints(installation) == 0 {
        let describe =
            format!("describe endpointslices --selector kubernetes.io/service-name={}", names.service);
        findings.push(
            error(HealthCheck::EndpointsMissing)
                .because("leads to no replica that is ready: every call fails")
                .fix(names.kubectl(&describe)),
        );
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
