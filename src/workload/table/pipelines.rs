//! Notebooks, pipelines, and the processing of data.

use crate::workload::adapters;
use crate::workload::kind::{Carries, Kind, TemplatePattern};
use crate::workload::table::rows::{adapter, container, pod, row, spec, templates};
use crate::workload::template::{Part, Shape};

/// Those rows.
pub(super) static KINDS: &[Kind] = &[
    row("kubeflow.org", "Notebook", templates(&[spec("spec.template.spec")])),
    row("kubeflow.org", "PVCViewer", templates(&[spec("spec.podSpec")])),
    row("kubeflow.org", "Viewer", templates(&[pod("spec.podTemplateSpec")])),
    row("kubeflow.org", "Profile", Carries::Nothing),
    row("kubeflow.org", "ScheduledWorkflow", adapter(adapters::SCHEDULED_WORKFLOW)),
    row("kubeflow.org", "WorkspaceKind", adapter(adapters::WORKSPACE_KIND)),
    row("kubeflow.org", "Workspace", adapter(adapters::WORKSPACE)),
    row("kubeflow.org", "PodDefault", adapter(adapters::POD_DEFAULT)),
    row("sparkoperator.k8s.io", "SparkConnect", adapter(adapters::SPARK_CONNECT)),
    row("sparkoperator.k8s.io", "SparkApplication", adapter(adapters::SPARK_APPLICATION)),
    row("sparkoperator.k8s.io", "ScheduledSparkApplication", adapter(adapters::SCHEDULED_SPARK_APPLICATION)),
    row("spark.apache.org", "SparkApplication", adapter(adapters::APACHE_SPARK_APPLICATION)),
    row("spark.apache.org", "SparkCluster", adapter(adapters::APACHE_SPARK_CLUSTER)),
    row(
        "kubernetes.dask.org",
        "DaskCluster",
        templates(&[spec("spec.worker.spec"), spec("spec.scheduler.spec")]),
    ),
    row("kubernetes.dask.org", "DaskWorkerGroup", templates(&[spec("spec.worker.spec")])),
    row(
        "kubernetes.dask.org",
        "DaskJob",
        templates(&[
            spec("spec.job.spec"),
            spec("spec.cluster.spec.worker.spec"),
            spec("spec.cluster.spec.scheduler.spec"),
        ]),
    ),
    row("flyte.lyft.com", "FlyteWorkflow", Carries::Nothing),
    row("tensorboard.kubeflow.org", "Tensorboard", Carries::Nothing),
    row("argoproj.io", "Workflow", adapter(adapters::WORKFLOW)),
    row("argoproj.io", "WorkflowTemplate", adapter(adapters::WORKFLOW)),
    row("argoproj.io", "ClusterWorkflowTemplate", adapter(adapters::WORKFLOW)),
    row("argoproj.io", "CronWorkflow", adapter(adapters::CRON_WORKFLOW)),
    row("argoproj.io", "WorkflowTaskSet", adapter(adapters::WORKFLOW_TASK_SET)),
    row("argoproj.io", "ExecutorPlugin", templates(&[container("spec.sidecar.container")])),
    row("argoproj.io", "Sensor", adapter(adapters::SENSOR)),
    row("argoproj.io", "EventSource", adapter(adapters::EVENT_SOURCE)),
    row("argoproj.io", "Rollout", adapter(adapters::ROLLOUT)),
    row("argoproj.io", "Experiment", templates(&[pod("spec.templates[].template")])),
    row("argoproj.io", "AnalysisTemplate", templates(ANALYSIS)),
    row("argoproj.io", "ClusterAnalysisTemplate", templates(ANALYSIS)),
    row("argoproj.io", "AnalysisRun", templates(ANALYSIS)),
    row("tekton.dev", "Task", adapter(adapters::TASK)),
    row("tekton.dev", "ClusterTask", adapter(adapters::TASK)),
    row("tekton.dev", "TaskRun", adapter(adapters::TASK_RUN)),
    row("tekton.dev", "Pipeline", adapter(adapters::PIPELINE)),
    row("tekton.dev", "PipelineRun", adapter(adapters::PIPELINE_RUN)),
    row("tekton.dev", "StepAction", templates(&[container("spec")])),
    row("pipelines.kubeflow.org", "PipelineVersion", templates(&[EXECUTOR])),
    row("pipelines.kubeflow.org", "Pipeline", Carries::Nothing),
    row("flink.apache.org", "FlinkDeployment", adapter(adapters::FLINK_DEPLOYMENT)),
    row("flink.apache.org", "FlinkBlueGreenDeployment", adapter(adapters::FLINK_BLUE_GREEN_DEPLOYMENT)),
    row("flink.apache.org", "FlinkSessionJob", Carries::Nothing),
    row("flink.apache.org", "FlinkStateSnapshot", Carries::Nothing),
];

/// The Jobs that an analysis of Argo Rollouts measures with.
const ANALYSIS: &[TemplatePattern] = &[pod("spec.metrics[].provider.job.spec.template")];

/// The container of a step, in the form that Kubeflow Pipelines compiles pipelines to: nothing of its security is written.
const EXECUTOR: TemplatePattern = TemplatePattern {
    pattern: "spec.pipelineSpec.deploymentSpec.executors.*.container",
    shape: Shape::Container,
    part: Part::Overlay,
};
