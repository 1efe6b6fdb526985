//! Training, tuning, batch and gang scheduling.

use crate::workload::adapters;
use crate::workload::kind::{Carries, Kind};
use crate::workload::table::rows::{adapter, container, object, old, pod, row, templates};

/// Those rows.
pub(super) static KINDS: &[Kind] = &[
    row("kubeflow.org", "PyTorchJob", templates(&[pod("spec.pytorchReplicaSpecs.*.template")])),
    row("kubeflow.org", "TFJob", templates(&[pod("spec.tfReplicaSpecs.*.template")])),
    row("kubeflow.org", "XGBoostJob", templates(&[pod("spec.xgbReplicaSpecs.*.template")])),
    row("kubeflow.org", "PaddleJob", templates(&[pod("spec.paddleReplicaSpecs.*.template")])),
    row("kubeflow.org", "JAXJob", templates(&[pod("spec.jaxReplicaSpecs.*.template")])),
    row("kubeflow.org", "MXJob", templates(&[pod("spec.mxReplicaSpecs.*.template")])),
    // v1alpha1 has one template for launcher and workers.
    row("kubeflow.org", "MPIJob", templates(&[pod("spec.mpiReplicaSpecs.*.template"), pod("spec.template")])),
    old("kubeflow.org", &["v2alpha1"], "TrainJob", adapter(adapters::TRAIN_JOB)),
    old(
        "kubeflow.org",
        &["v2alpha1"],
        "TrainingRuntime",
        templates(&[pod("spec.template.spec.replicatedJobs[].template.spec.template")]),
    ),
    old(
        "kubeflow.org",
        &["v2alpha1"],
        "ClusterTrainingRuntime",
        templates(&[pod("spec.template.spec.replicatedJobs[].template.spec.template")]),
    ),
    row("kubeflow.org", "Experiment", adapter(adapters::EXPERIMENT)),
    row("kubeflow.org", "Trial", templates(&[object("spec.runSpec")])),
    row("kubeflow.org", "Suggestion", Carries::Opaque),
    row("trainer.kubeflow.org", "TrainJob", adapter(adapters::TRAIN_JOB)),
    row("trainer.kubeflow.org", "OptimizationJob", adapter(adapters::OPTIMIZATION_JOB)),
    row(
        "trainer.kubeflow.org",
        "TrainingRuntime",
        templates(&[pod("spec.template.spec.replicatedJobs[].template.spec.template")]),
    ),
    row(
        "trainer.kubeflow.org",
        "ClusterTrainingRuntime",
        templates(&[pod("spec.template.spec.replicatedJobs[].template.spec.template")]),
    ),
    row("jobset.x-k8s.io", "JobSet", templates(&[pod("spec.replicatedJobs[].template.spec.template")])),
    row(
        "batch.x-k8s.io",
        "JobSet",
        templates(&[
            pod("spec.jobs[].template.spec.template"),
            pod("spec.replicatedJobs[].template.spec.template"),
        ]),
    ),
    row(
        "leaderworkerset.x-k8s.io",
        "LeaderWorkerSet",
        templates(&[
            pod("spec.leaderWorkerTemplate.leaderTemplate"),
            pod("spec.leaderWorkerTemplate.workerTemplate"),
        ]),
    ),
    row(
        "disaggregatedset.x-k8s.io",
        "DisaggregatedSet",
        templates(&[
            pod("spec.roles[].spec.leaderWorkerTemplate.leaderTemplate"),
            pod("spec.roles[].spec.leaderWorkerTemplate.workerTemplate"),
        ]),
    ),
    row("batch.volcano.sh", "Job", templates(&[pod("spec.tasks[].template")])),
    row("batch.volcano.sh", "CronJob", templates(&[pod("spec.jobTemplate.spec.tasks[].template")])),
    row("flow.volcano.sh", "JobTemplate", templates(&[pod("spec.tasks[].template")])),
    row("flow.volcano.sh", "JobFlow", adapter(adapters::JOB_FLOW)),
    row(
        "training.volcano.sh",
        "HyperJob",
        templates(&[pod("spec.replicatedJobs[].templateSpec.tasks[].template")]),
    ),
    row("kueue.x-k8s.io", "Workload", templates(&[pod("spec.podSets[].template")])),
    row("kueue.x-k8s.io", "ClusterQueue", Carries::Nothing),
    row("kueue.x-k8s.io", "LocalQueue", Carries::Nothing),
    row("workload.codeflare.dev", "AppWrapper", adapter(adapters::APP_WRAPPER)),
    old(
        "workload.codeflare.dev",
        &["v1beta1"],
        "AppWrapper",
        templates(&[object("spec.resources.GenericItems[].generictemplate")]),
    ),
    row("elastic.iml.github.io", "ElasticJob", templates(&[pod("spec.replicaSpecs.*.template")])),
    row(
        "kai.alibabacloud.com",
        "TrainingJob",
        templates(&[
            pod("spec.etReplicaSpecs.launcher.template"),
            pod("spec.etReplicaSpecs.worker.template"),
        ]),
    ),
    row("apps.kubedl.io", "Cron", templates(&[object("spec.template.workload")])),
    row("sagemaker.amazonaws.com", "HyperPodPyTorchJob", templates(&[pod("spec.replicaSpecs[].template")])),
    row("ray.io", "RayCluster", adapter(adapters::RAY_CLUSTER)),
    row("ray.io", "RayJob", adapter(adapters::RAY_JOB)),
    row("ray.io", "RayService", adapter(adapters::RAY_SERVICE)),
    row("ray.io", "RayCronJob", adapter(adapters::RAY_CRON_JOB)),
    row("amlarc.azureml.com", "InstanceType", Carries::Nothing),
    row("amlarc.azureml.com", "InstanceTypeList", Carries::Nothing),
    row("amlarc.azureml.com", "QuotaOverride", Carries::Nothing),
    row("scheduling.volcano.sh", "PodGroup", Carries::Nothing),
    row("scheduling.volcano.sh", "Queue", Carries::Nothing),
    row("config.kubeflow.org", "KatibConfig", templates(&[container("runtime.suggestions[]")])),
];
