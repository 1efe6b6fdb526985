//! What may be wrong around the webhooks: policies and namespaces, the replicas, and the way to them.

use podgate::doctor::{DiagnosisSeverity, HealthCheck, Installation, PolicySource};
use serde_json::json;

use super::super::world::{DEPLOYMENT, MUTATING, VALIDATING, World, account, namespaces};
use super::{Break, Patch, Remove, With, gone, set};
use crate::policies::policies;

/// Puts a switch there that ends then.
fn switch(installation: &mut Installation, until: &str) {
    let text = format!("{{policies: '*', until: {until}, reason: INC-7, owner: oncall}}");
    let object = json!({ "metadata": { "name": "podgate-switch" }, "data": { "switch": text } });
    installation.switch = Ok(Some(serde_json::from_value(object).unwrap()));
}

pub(super) fn reach() -> Vec<(HealthCheck, DiagnosisSeverity, &'static str, Break)> {
    use DiagnosisSeverity::{Error, Info, Warning};
    vec![
        (HealthCheck::Policies, Error, "does not start without it", Remove("ConfigMap")),
        (
            HealthCheck::Policies,
            Error,
            "holds no .yaml",
            Patch("ConfigMap", set("/data", json!({ "notes.txt": "" }))),
        ),
        (
            HealthCheck::Policies,
            Error,
            "bad.yaml:1:1: ",
            Patch("ConfigMap", set("/data/bad.yaml", "kind: Nothing".into())),
        ),
        (
            HealthCheck::Switch,
            Warning,
            "in force until 2026-11-26T12:00:00Z, by oncall (INC-7): the policies * refuse",
            With(|installation| switch(installation, "2026-11-26T12:00:00Z")),
        ),
        (
            HealthCheck::Switch,
            Info,
            "has ended at 2026-11-25T11:00:00Z",
            With(|installation| switch(installation, "2026-11-25T11:00:00Z")),
        ),
        (
            HealthCheck::Switch,
            Error,
            "at most 7 days ahead",
            With(|installation| switch(installation, "2026-12-25T11:00:00Z")),
        ),
        (
            HealthCheck::Switch,
            Error,
            ":1:24: until: expected a time, as",
            With(|installation| switch(installation, "soon")),
        ),
        (
            HealthCheck::SwitchRights,
            Warning,
            "may not get, list and watch the ConfigMap podgate-switch",
            With(|installation| installation.rights.watches_switch = Ok(false)),
        ),
        (
            HealthCheck::SelectorTooFar,
            Error,
            "matches kube-system, kube-public, kube-node-lease, podgate-system: ",
            Patch(VALIDATING, gone("/webhooks/0/namespaceSelector")),
        ),
        (
            HealthCheck::SelectorTooFar,
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
            HealthCheck::SelectorTooFar,
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
            HealthCheck::SelectorMatchesNothing,
            Warning,
            "podgate is never asked",
            With(|installation| {
                installation.namespaces =
                    Ok(namespaces(&[("default", None), ("kube-system", Some("ml-restricted"))]));
            }),
        ),
        (
            HealthCheck::NamespaceNotReached,
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
            HealthCheck::NamespaceNotReached,
            Error,
            "does not match ml-a, where a policy holds: pods there are not repaired",
            Patch(MUTATING, set("/webhooks/0/namespaceSelector/matchLabels", json!({ "team": "x" }))),
        ),
        (
            HealthCheck::NamespaceNotReached,
            Error,
            "does not match default, where",
            With(|installation| {
                installation.policies = PolicySource::Given(policies(
                    "{apiVersion: pod-security.admission.config.k8s.io/v1, kind: PodSecurityConfiguration}",
                ));
            }),
        ),
        (
            HealthCheck::NamespaceWithoutPolicy,
            Warning,
            "matches ml-b, where no policy holds",
            With(|installation| {
                installation.namespaces.as_mut().unwrap().extend(namespaces(&[("ml-b", Some("typo"))]));
            }),
        ),
        (
            HealthCheck::NamespaceEnforced,
            Info,
            "ml-a, where Kubernetes' own admission enforces a Pod Security Standard: it refuses a pod",
            With(|installation| enforce(installation, "ml-a", "restricted")),
        ),
        (
            HealthCheck::NamespaceEnforced,
            Info,
            // What is no level counts as restricted.
            "ml-a, where Kubernetes' own admission enforces",
            With(|installation| enforce(installation, "ml-a", "strict")),
        ),
        (
            HealthCheck::AksSelectors,
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

/// Has a namespace enforce a level by Kubernetes' own label.
pub(in super::super) fn enforce(installation: &mut Installation, name: &str, level: &str) {
    let namespaces = installation.namespaces.as_mut().unwrap();
    let (_, labels) = namespaces.iter_mut().find(|(known, _)| known == name).unwrap();
    labels.insert("pod-security.kubernetes.io/enforce".into(), level.into());
}

pub(super) fn identities() -> Vec<(HealthCheck, DiagnosisSeverity, &'static str, Break)> {
    use DiagnosisSeverity::{Error, Info, Warning};
    vec![
        (
            HealthCheck::IdentityAccount,
            Error,
            "the IdentityPolicy trainers gives it to pods: they are refused",
            With(|installation| {
                installation.policies = PolicySource::Given(policies(IDENTITY));
                installation.service_accounts = Ok(Vec::new());
            }),
        ),
        (
            HealthCheck::IdentityClient,
            Warning,
            "it lacks the annotation azure.workload.identity/client-id",
            With(|installation| {
                installation.policies = PolicySource::Given(policies(IDENTITY));
                installation.service_accounts = Ok(vec![account("ml-a", None)]);
            }),
        ),
        (
            HealthCheck::IdentityClient,
            Warning,
            "with \"5f3c\", which is no GUID",
            With(|installation| {
                installation.policies = PolicySource::Given(policies(IDENTITY));
                installation.service_accounts = Ok(vec![account("ml-a", Some("5f3c"))]);
            }),
        ),
        (
            HealthCheck::IdentitySubject,
            Info,
            "system:serviceaccount:ml-a:trainer: the federated credential",
            With(|installation| installation.policies = PolicySource::Given(policies(IDENTITY))),
        ),
        (
            HealthCheck::IdentityCrowded,
            Warning,
            "21 service accounts stand for it, and Azure takes 20",
            With(|installation| {
                let of =
                    |number| account(&format!("ml-{number}"), Some("0a0a0a0a-1111-4222-8333-444444444444"));
                installation.service_accounts = Ok((0..21).map(of).collect());
            }),
        ),
        (
            HealthCheck::IdentityRights,
            Info,
            "may not list RoleBindings",
            With(|installation| {
                let asking = IDENTITY.replace("spec:", "spec:\n  automountToken: OffUnlessUsed");
                installation.policies = PolicySource::Given(policies(&asking));
                installation.rights.lists_bindings = Ok(false);
            }),
        ),
        (
            HealthCheck::IdentityRights,
            Info,
            "may not list AzureIdentities and AzureIdentityBindings",
            With(|installation| {
                let moving = IDENTITY.replace("spec:", "spec:\n  migration: {aadPodIdentity: DryRun}");
                installation.policies = PolicySource::Given(policies(&moving));
                installation.rights.lists_pod_identities = Ok(false);
            }),
        ),
        (
            HealthCheck::ExceptionRights,
            Warning,
            "may not create SubjectAccessReviews: no exception with grantedBy: rbac holds",
            With(|installation| {
                installation.policies = PolicySource::Given(policies(&excepting("2999-12-31")));
                installation.rights.reviews_access = Ok(false);
            }),
        ),
        (
            HealthCheck::ExceptionEnds,
            Warning,
            "ended on 2020-01-31",
            With(|installation| {
                installation.policies = PolicySource::Given(policies(&excepting("2020-01-31")))
            }),
        ),
        (
            HealthCheck::IdentityRights,
            Info,
            "may not create SubjectAccessReviews",
            With(|installation| {
                installation.policies = PolicySource::Given(policies(IDENTITY));
                installation.rights.reviews_access = Ok(false);
            }),
        ),
        (
            HealthCheck::IdentityWebhook,
            Warning,
            "nobody puts the token in",
            With(|installation| {
                installation.policies = PolicySource::Given(policies(IDENTITY));
                installation.mutating_names = Ok(vec!["00-podgate".into()]);
            }),
        ),
        (
            HealthCheck::IdentityWebhook,
            Info,
            "none begins with azure-wi-webhook",
            With(|installation| {
                let delegated = IDENTITY.replace("provider: azure", "provider: azure, injection: Delegate");
                installation.policies = PolicySource::Given(policies(&delegated));
                installation.mutating_names = Ok(vec!["00-podgate".into()]);
                turn_azure_on(installation);
            }),
        ),
        (HealthCheck::IdentityInjectors, Warning, "is there, and podgate injects, too", With(turn_azure_on)),
        (
            HealthCheck::MutatingPolicy,
            Info,
            "changes pods before every webhook",
            With(|installation| {
                installation.policies = PolicySource::Given(policies(IDENTITY));
                let policy = json!({
                    "metadata": {"name": "sidecars"},
                    "spec": {
                        "matchConstraints": {"resourceRules": [{"apiGroups": [""], "resources": ["pods"]}]},
                        "reinvocationPolicy": "Never",
                    },
                });
                installation.mutating_policies = Ok(vec![serde_json::from_value(policy).unwrap()]);
            }),
        ),
    ]
}

fn turn_azure_on(installation: &mut Installation) {
    let mut world = World::good();
    let told = "--azure-tenant-id=t";
    world.patch(DEPLOYMENT, &set("/spec/template/spec/containers/0/args/-", told.into()));
    installation.deployment = Ok(world.one(DEPLOYMENT, "podgate"));
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

pub(super) fn replicas() -> Vec<(HealthCheck, DiagnosisSeverity, &'static str, Break)> {
    use DiagnosisSeverity::{Error, Warning};
    vec![
        (HealthCheck::DeploymentMissing, Error, "nobody answers", Remove(DEPLOYMENT)),
        (
            HealthCheck::ReplicasNotReady,
            Warning,
            "1 of 2 are ready",
            Patch(DEPLOYMENT, set("/status/readyReplicas", 1.into())),
        ),
        (HealthCheck::ReplicasNotReady, Error, "0 of 2 are ready", Patch(DEPLOYMENT, gone("/status"))),
        (
            HealthCheck::ReplicasFew,
            Warning,
            "1: while it is replaced",
            Patch(DEPLOYMENT, set("/spec/replicas", 1.into())),
        ),
        (
            HealthCheck::ReplicasTogether,
            Warning,
            "all 2 replicas are on the node node-a",
            Patch("Pod podgate-2", set("/spec/nodeName", "node-a".into())),
        ),
        (
            HealthCheck::ImagesDiffer,
            Warning,
            "example.com/podgate:0.1.0, example.com/podgate:0.2.0",
            Patch("Pod podgate-2", set("/spec/containers/0/image", "example.com/podgate:0.2.0".into())),
        ),
        (
            HealthCheck::DisruptionBudget,
            Warning,
            "none selects podgate's pods",
            Remove("PodDisruptionBudget"),
        ),
        (
            HealthCheck::DisruptionBudget,
            Warning,
            "none selects podgate's pods",
            Patch("PodDisruptionBudget", set("/spec/selector/matchLabels", json!({ "app": "other" }))),
        ),
        (
            HealthCheck::DisruptionBudget,
            Warning,
            "0 with 2 replicas: no node",
            Patch("PodDisruptionBudget", set("/spec/maxUnavailable", 0.into())),
        ),
        (
            HealthCheck::DisruptionBudget,
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
        (HealthCheck::ServiceMissing, Error, "cannot find podgate", Remove("Service")),
        (
            HealthCheck::ServiceSelector,
            Error,
            "app=other is not a label",
            Patch("Service", set("/spec/selector", json!({ "app": "other" }))),
        ),
        (HealthCheck::ServiceSelector, Error, "it selects no pod", Patch("Service", gone("/spec/selector"))),
        (
            HealthCheck::ServicePort,
            Error,
            "has no port 443",
            Patch("Service", set("/spec/ports/0/port", 8443.into())),
        ),
        (
            HealthCheck::ServicePort,
            Error,
            "https is not a port of the Deployment's container",
            Patch("Service", set("/spec/ports/0/targetPort", "https".into())),
        ),
        (
            HealthCheck::ServicePort,
            Error,
            "443 is not a port of the Deployment's container",
            Patch("Service", gone("/spec/ports/0/targetPort")),
        ),
        (HealthCheck::EndpointsMissing, Error, "leads to no replica that is ready", Remove("EndpointSlice")),
        (
            HealthCheck::EndpointsMissing,
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

/// A policy with an exception that RBAC grants until this day.
fn excepting(expires: &str) -> String {
    format!(
        "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: ml-restricted}}\nspec:\n  \
         match: {{namespaceSelector: {{matchLabels: {{podgate.dev/policy: ml-restricted}}}}}}\n  \
         standard: {{enforce: restricted:latest}}\n  exceptions:\n  - {{name: memlock, controls: [capabilities_restricted], \
         values: [IPC_LOCK], grantedBy: rbac, reason: RDMA, owner: ml-platform, expires: {expires}}}\n"
    )
}
