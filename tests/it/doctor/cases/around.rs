//! What may be wrong around the webhooks: policies and namespaces, the replicas, and the way to them.

use podgate::doctor::{Check, Policies, Severity};
use podgate::policy::{self, PolicySet, read_file};
use serde_json::json;

use super::super::world::{DEPLOYMENT, MUTATING, VALIDATING, namespaces};
use super::{Break, Patch, Remove, With, gone, set};

pub(super) fn reach() -> Vec<(Check, Severity, &'static str, Break)> {
    use Severity::{Error, Info, Warning};
    vec![
        (Check::Policies, Error, "does not start without it", Remove("ConfigMap")),
        (
            Check::Policies,
            Error,
            "holds no .yaml",
            Patch("ConfigMap", set("/data", json!({ "notes.txt": "" }))),
        ),
        (
            Check::Policies,
            Error,
            "bad.yaml:1:1: ",
            Patch("ConfigMap", set("/data/bad.yaml", "kind: Nothing".into())),
        ),
        (
            Check::SelectorTooFar,
            Error,
            "matches kube-system, kube-public, kube-node-lease, podgate-system: ",
            Patch(VALIDATING, gone("/webhooks/0/namespaceSelector")),
        ),
        (
            Check::SelectorTooFar,
            Error,
            "matches podgate-system: while podgate is down nothing starts there, and that includes podgate",
            Patch(
                VALIDATING,
                set(
                    "/webhooks/0/namespaceSelector/matchExpressions",
                    json!([
                        { "key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system", "kube-public", "kube-node-lease"] },
                    ]),
                ),
            ),
        ),
        (
            Check::SelectorTooFar,
            Error,
            "matches kube-system: while",
            With(|installation| {
                let webhooks =
                    installation.validating.as_mut().unwrap().as_mut().unwrap().webhooks.as_mut().unwrap();
                let selector = webhooks[0].namespace_selector.as_mut().unwrap();
                selector.match_expressions.as_mut().unwrap().truncate(1);
                let namespaces = installation.namespaces.as_mut().unwrap();
                namespaces[1].1.insert("podgate.dev/policy".into(), "ml-restricted".into());
            }),
        ),
        (
            Check::SelectorMatchesNothing,
            Warning,
            "podgate is never asked",
            With(|installation| {
                installation.namespaces =
                    Ok(namespaces(&[("default", None), ("kube-system", Some("ml-restricted"))]));
            }),
        ),
        (
            Check::NamespaceNotReached,
            Error,
            "does not match ml-a, where a policy holds: pods there are not judged",
            Patch(
                VALIDATING,
                set(
                    "/webhooks/0/namespaceSelector/matchExpressions/-",
                    json!({ "key": "team", "operator": "Exists" }),
                ),
            ),
        ),
        (
            Check::NamespaceNotReached,
            Error,
            "does not match ml-a, where a policy holds: pods there are not repaired",
            Patch(MUTATING, set("/webhooks/0/namespaceSelector/matchLabels", json!({ "team": "x" }))),
        ),
        (
            Check::NamespaceNotReached,
            Error,
            "does not match default, where",
            With(|installation| {
                installation.policies = Policies::Given(policies(
                    "{apiVersion: pod-security.admission.config.k8s.io/v1, kind: PodSecurityConfiguration}",
                ));
            }),
        ),
        (
            Check::NamespaceWithoutPolicy,
            Warning,
            "matches ml-b, where no policy holds",
            With(|installation| {
                installation.namespaces.as_mut().unwrap().extend(namespaces(&[("ml-b", Some("typo"))]));
            }),
        ),
        (
            Check::AksSelectors,
            Info,
            "(control-plane, kubernetes.azure.com/managedby)",
            Patch(
                VALIDATING,
                json!([
                    { "op": "add", "path": "/webhooks/0/namespaceSelector/matchExpressions/-",
                      "value": { "key": "control-plane", "operator": "NotIn", "values": ["true"] } },
                    { "op": "add", "path": "/webhooks/0/namespaceSelector/matchExpressions/-",
                      "value": { "key": "kubernetes.azure.com/managedby", "operator": "NotIn", "values": ["aks"] } },
                ]),
            ),
        ),
    ]
}

pub(super) fn identities() -> Vec<(Check, Severity, &'static str, Break)> {
    use Severity::{Error, Info, Warning};
    vec![
        (
            Check::IdentityAccount,
            Error,
            "the IdentityPolicy trainers gives it to pods: they are refused",
            With(|installation| {
                installation.policies = Policies::Given(policies(IDENTITY));
                installation.service_accounts = Ok(Vec::new());
            }),
        ),
        (
            Check::IdentityClient,
            Warning,
            "no AZURE_CLIENT_ID",
            With(|installation| {
                installation.policies = Policies::Given(policies(IDENTITY));
                installation.service_accounts.as_mut().unwrap()[0].annotations.clear();
            }),
        ),
        (
            Check::IdentityWebhook,
            Info,
            "none begins with azure-wi-webhook",
            With(|installation| {
                installation.policies = Policies::Given(policies(IDENTITY));
                installation.mutating_names = Ok(vec!["00-podgate".into()]);
            }),
        ),
    ]
}

/// Gives pods of one namespace an identity.
pub(in super::super) const IDENTITY: &str = "
apiVersion: podgate.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: trainers}
spec:
  match: {namespaces: [ml-a]}
  identity: {provider: azure, serviceAccountName: trainer}
";

pub(super) fn policies(text: &str) -> PolicySet {
    let mut policies = policy::Policies::new(vec!["kube-system".into(), "podgate-system".into()]);
    read_file("policy.yaml", text, &mut policies);
    policies.finish().unwrap()
}

pub(super) fn replicas() -> Vec<(Check, Severity, &'static str, Break)> {
    use Severity::{Error, Warning};
    vec![
        (Check::DeploymentMissing, Error, "nobody answers", Remove(DEPLOYMENT)),
        (
            Check::ReplicasNotReady,
            Warning,
            "1 of 2 are ready",
            Patch(DEPLOYMENT, set("/status/readyReplicas", 1.into())),
        ),
        (Check::ReplicasNotReady, Error, "0 of 2 are ready", Patch(DEPLOYMENT, gone("/status"))),
        (
            Check::ReplicasFew,
            Warning,
            "1: while it is replaced",
            Patch(DEPLOYMENT, set("/spec/replicas", 1.into())),
        ),
        (
            Check::ReplicasTogether,
            Warning,
            "all 2 replicas are on the node node-a",
            Patch("Pod podgate-2", set("/spec/nodeName", "node-a".into())),
        ),
        (
            Check::ImagesDiffer,
            Warning,
            "example.com/podgate:0.1.0, example.com/podgate:0.2.0",
            Patch("Pod podgate-2", set("/spec/containers/0/image", "example.com/podgate:0.2.0".into())),
        ),
        (Check::DisruptionBudget, Warning, "none selects podgate's pods", Remove("PodDisruptionBudget")),
        (
            Check::DisruptionBudget,
            Warning,
            "none selects podgate's pods",
            Patch("PodDisruptionBudget", set("/spec/selector/matchLabels", json!({ "app": "other" }))),
        ),
        (
            Check::DisruptionBudget,
            Warning,
            "0 with 2 replicas: no node",
            Patch("PodDisruptionBudget", set("/spec/maxUnavailable", 0.into())),
        ),
        (
            Check::DisruptionBudget,
            Warning,
            "2 with 2 replicas: no node",
            Patch(
                "PodDisruptionBudget",
                json!([
                    { "op": "remove", "path": "/spec/maxUnavailable" },
                    { "op": "add", "path": "/spec/minAvailable", "value": 2 },
                ]),
            ),
        ),
        (Check::ServiceMissing, Error, "cannot find podgate", Remove("Service")),
        (
            Check::ServiceSelector,
            Error,
            "app=other is not a label",
            Patch("Service", set("/spec/selector", json!({ "app": "other" }))),
        ),
        (Check::ServiceSelector, Error, "it selects no pod", Patch("Service", gone("/spec/selector"))),
        (
            Check::ServicePort,
            Error,
            "has no port 443",
            Patch("Service", set("/spec/ports/0/port", 8443.into())),
        ),
        (
            Check::ServicePort,
            Error,
            "https is not a port of the Deployment's container",
            Patch("Service", set("/spec/ports/0/targetPort", "https".into())),
        ),
        (
            Check::ServicePort,
            Error,
            "443 is not a port of the Deployment's container",
            Patch("Service", gone("/spec/ports/0/targetPort")),
        ),
        (Check::EndpointsMissing, Error, "leads to no replica that is ready", Remove("EndpointSlice")),
        (
            Check::EndpointsMissing,
            Error,
            "leads to no replica that is ready",
            Patch(
                "EndpointSlice",
                set(
                    "/endpoints",
                    json!([
                        { "addresses": ["10.0.0.1"], "conditions": { "ready": false } },
                    ]),
                ),
            ),
        ),
    ]
}
