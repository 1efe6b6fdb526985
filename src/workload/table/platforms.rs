//! What is not of machine learning, and is used beside it.

use crate::workload::adapters;
use crate::workload::kind::{Carries, Kind};
use crate::workload::table::rows::{adapter, containers, object, pod, pod_patch, row, spec, templates};

/// Those rows.
pub(super) static KINDS: &[Kind] = &[
    row("agents.x-k8s.io", "Sandbox", templates(&[pod("spec.podTemplate")])),
    row("extensions.agents.x-k8s.io", "SandboxClaim", adapter(adapters::SANDBOX_CLAIM)),
    row("extensions.agents.x-k8s.io", "SandboxWarmPool", adapter(adapters::SANDBOX_WARM_POOL)),
    row("extensions.agents.x-k8s.io", "SandboxTemplate", templates(&[pod("spec.podTemplate")])),
    row("keda.sh", "ScaledJob", templates(&[pod("spec.jobTargetRef.template")])),
    row("apps.kruise.io", "CloneSet", templates(&[pod("spec.template")])),
    row("apps.kruise.io", "StatefulSet", templates(&[pod("spec.template")])),
    row("apps.kruise.io", "DaemonSet", templates(&[pod("spec.template")])),
    row("apps.kruise.io", "BroadcastJob", templates(&[pod("spec.template")])),
    row(
        "apps.kruise.io",
        "AdvancedCronJob",
        templates(&[
            pod("spec.template.jobTemplate.spec.template"),
            pod("spec.template.broadcastJobTemplate.spec.template"),
        ]),
    ),
    row("apps.kruise.io", "SidecarSet", templates(&[containers("spec")])),
    row("apps.kruise.io", "WorkloadSpread", templates(&[pod_patch("spec.subsets[].patch")])),
    row("apps.kruise.io", "UnitedDeployment", adapter(adapters::UNITED_DEPLOYMENT)),
    row("apps.kruise.io", "EphemeralJob", templates(&[containers("spec.template")])),
    row(
        "actions.github.com",
        "AutoscalingRunnerSet",
        templates(&[pod("spec.template"), pod("spec.listenerTemplate")]),
    ),
    row("actions.github.com", "EphemeralRunnerSet", templates(&[pod("spec.ephemeralRunnerSpec")])),
    row("actions.github.com", "EphemeralRunner", templates(&[pod("spec")])),
    row("sources.knative.dev", "ContainerSource", templates(&[pod("spec.template")])),
    row("sinks.knative.dev", "JobSink", templates(&[object("spec.job")])),
    row(
        "operators.coreos.com",
        "ClusterServiceVersion",
        templates(&[pod("spec.install.spec.deployments[].spec.template")]),
    ),
    row("serving.knative.dev", "Route", Carries::Nothing),
    row("serving.knative.dev", "Service", templates(&[pod("spec.template")])),
    row("serving.knative.dev", "Configuration", templates(&[pod("spec.template")])),
    row("serving.knative.dev", "Revision", templates(&[spec("spec")])),
];
