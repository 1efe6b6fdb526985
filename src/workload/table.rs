//! The table of custom resources that carry pods. `docs/kinds.md` is made from it.
//!
//! What operators make of their kinds was read in the schemas of their CustomResourceDefinitions, in their samples and,
//! where it says so, in their source, as of mid-2026.

use crate::workload::adapters;
use crate::workload::kind::{Adapter, Carries, Kind, Kinds, TemplatePattern};
use crate::workload::template::{Part, Shape};

const fn row(group: &'static str, kind: &'static str, carries: Carries) -> Kind {
    Kind { group, versions: &[], kind, carries }
}

const fn old(
    group: &'static str,
    versions: &'static [&'static str],
    kind: &'static str,
    carries: Carries,
) -> Kind {
    Kind { group, versions, kind, carries }
}

const fn templates(patterns: &'static [TemplatePattern]) -> Carries {
    Carries::Templates(patterns)
}

const fn adapter(adapter: Adapter) -> Carries {
    Carries::Adapter(adapter)
}

/// A PodTemplateSpec.
const fn pod(pattern: &'static str) -> TemplatePattern {
    TemplatePattern { pattern, shape: Shape::PodTemplate, part: Part::Whole }
}

/// A PodSpec.
const fn spec(pattern: &'static str) -> TemplatePattern {
    TemplatePattern { pattern, shape: Shape::PodSpec, part: Part::Whole }
}

/// Some fields of a PodSpec, without its security context.
const fn containers(pattern: &'static str) -> TemplatePattern {
    TemplatePattern { pattern, shape: Shape::PartialPodSpec, part: Part::WithoutPodLevel }
}

/// Something that is merged into a PodSpec that is elsewhere.
const fn patch(pattern: &'static str) -> TemplatePattern {
    TemplatePattern { pattern, shape: Shape::Patch, part: Part::Overlay }
}

/// A PodTemplateSpec that is merged into another.
const fn pod_patch(pattern: &'static str) -> TemplatePattern {
    TemplatePattern { pattern, shape: Shape::PodTemplate, part: Part::Overlay }
}

/// A PodSpec to which others of the same name are merged.
const fn overlay(pattern: &'static str) -> TemplatePattern {
    TemplatePattern { pattern, shape: Shape::PodSpec, part: Part::Overlay }
}

/// A container of pods that are elsewhere.
const fn container(pattern: &'static str) -> TemplatePattern {
    TemplatePattern { pattern, shape: Shape::Container, part: Part::WithoutPodLevel }
}

/// What is written of a container that its operator makes.
const fn part_of_container(pattern: &'static str) -> TemplatePattern {
    TemplatePattern { pattern, shape: Shape::Container, part: Part::Overlay }
}

/// The name of what its operator makes the pod of.
const fn preset(pattern: &'static str) -> TemplatePattern {
    TemplatePattern { pattern, shape: Shape::Reference, part: Part::Overlay }
}

/// An object of any kind.
const fn object(pattern: &'static str) -> TemplatePattern {
    TemplatePattern { pattern, shape: Shape::Object, part: Part::Whole }
}

impl Kinds {
    /// The kinds of the table, and these, which go first.
    #[must_use]
    pub fn with(added: Vec<Kind>) -> Self {
        Self { table: KINDS, added }
    }
}

impl Default for Kinds {
    fn default() -> Self {
        Self::with(Vec::new())
    }
}

/// Every row.
static KINDS: &[Kind] = &[
    // Training, batch, gang scheduling.
    row("kubeflow.org", "PyTorchJob", templates(&[pod("spec.pytorchReplicaSpecs.*.template")])),
    row("kubeflow.org", "TFJob", templates(&[pod("spec.tfReplicaSpecs.*.template")])),
    row("kubeflow.org", "XGBoostJob", templates(&[pod("spec.xgbReplicaSpecs.*.template")])),
    row("kubeflow.org", "PaddleJob", templates(&[pod("spec.paddleReplicaSpecs.*.template")])),
    row("kubeflow.org", "JAXJob", templates(&[pod("spec.jaxReplicaSpecs.*.template")])),
    row("kubeflow.org", "MXJob", templates(&[pod("spec.mxReplicaSpecs.*.template")])),
    // v1alpha1 has one template for launcher and workers.
    row("kubeflow.org", "MPIJob", templates(&[pod("spec.mpiReplicaSpecs.*.template"), pod("spec.template")])),
    row("trainer.kubeflow.org", "TrainJob", adapter(adapters::TRAIN_JOB)),
    row("trainer.kubeflow.org", "OptimizationJob", adapter(adapters::OPTIMIZATION_JOB)),
    old("kubeflow.org", &["v2alpha1"], "TrainJob", adapter(adapters::TRAIN_JOB)),
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
    row("flow.volcano.sh", "JobFlow", templates(&[pod_patch("spec.flows[].patch.jobSpec.tasks[].template")])),
    row(
        "training.volcano.sh",
        "HyperJob",
        templates(&[pod("spec.replicatedJobs[].templateSpec.tasks[].template")]),
    ),
    row("kueue.x-k8s.io", "Workload", templates(&[pod("spec.podSets[].template")])),
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
    // Ray, serving and inference.
    row("ray.io", "RayCluster", adapter(adapters::RAY_CLUSTER)),
    row("ray.io", "RayJob", adapter(adapters::RAY_JOB)),
    row("ray.io", "RayService", adapter(adapters::RAY_SERVICE)),
    row("ray.io", "RayCronJob", adapter(adapters::RAY_CRON_JOB)),
    row("orchestration.aibrix.ai", "RayClusterFleet", adapter(adapters::RAY_CLUSTER_FLEET)),
    row("orchestration.aibrix.ai", "RayClusterReplicaSet", adapter(adapters::RAY_CLUSTER_FLEET)),
    row("serving.kserve.io", "ServingRuntime", templates(RUNTIME)),
    row("serving.kserve.io", "ClusterServingRuntime", templates(RUNTIME)),
    row("serving.kubeflow.org", "ServingRuntime", templates(RUNTIME)),
    row("serving.kserve.io", "InferenceService", adapter(adapters::INFERENCE_SERVICE)),
    old("serving.kserve.io", &["v1alpha2"], "InferenceService", adapter(adapters::OLD_INFERENCE_SERVICE)),
    row("serving.kubeflow.org", "InferenceService", adapter(adapters::INFERENCE_SERVICE)),
    old("serving.kubeflow.org", &["v1alpha2"], "InferenceService", adapter(adapters::OLD_INFERENCE_SERVICE)),
    row("serving.kserve.io", "LLMInferenceService", templates(LLM)),
    row("serving.kserve.io", "LLMInferenceServiceConfig", templates(LLM_CONFIG)),
    row("serving.kserve.io", "ClusterStorageContainer", templates(&[container("spec.container")])),
    row("serving.kserve.io", "InferenceGraph", Carries::Opaque),
    row("mlops.seldon.io", "ServerConfig", templates(&[spec("spec.podSpec")])),
    row("mlops.seldon.io", "SeldonConfig", templates(&[spec("spec.components[].podSpec")])),
    row("mlops.seldon.io", "SeldonRuntime", templates(&[patch("spec.overrides[].podSpec")])),
    row("grove.io", "PodCliqueSet", templates(&[spec("spec.template.cliques[].spec.podSpec")])),
    row("grove.io", "PodGangSet", templates(&[spec("spec.template.cliques[].spec.podSpec")])),
    row("grove.io", "PodClique", templates(&[spec("spec.podSpec")])),
    row("orchestration.aibrix.ai", "StormService", templates(&[pod("spec.template.spec.roles[].template")])),
    row("orchestration.aibrix.ai", "RoleSet", templates(&[pod("spec.roles[].template")])),
    row("orchestration.aibrix.ai", "PodSet", templates(&[pod("spec.template")])),
    row(
        "workload.serving.volcano.sh",
        "ModelServing",
        templates(&[pod("spec.template.roles[].entryTemplate"), pod("spec.template.roles[].workerTemplate")]),
    ),
    row("workload.serving.volcano.sh", "ModelBooster", Carries::Opaque),
    row(
        "kaito.sh",
        "Workspace",
        templates(&[pod("inference.template"), preset("inference.preset"), preset("tuning.preset")]),
    ),
    row(
        "kaito.sh",
        "InferenceSet",
        templates(&[pod("spec.template.inference.template"), preset("spec.template.inference.preset")]),
    ),
    row("ome.io", "BenchmarkJob", templates(&[patch("spec.podOverride")])),
    // Notebooks, pipelines, data.
    row("kubeflow.org", "Notebook", templates(&[spec("spec.template.spec")])),
    row("kubeflow.org", "PVCViewer", templates(&[spec("spec.podSpec")])),
    row("kubeflow.org", "Viewer", templates(&[pod("spec.podTemplateSpec")])),
    row(
        "sparkoperator.k8s.io",
        "SparkConnect",
        templates(&[pod("spec.server.template"), pod("spec.executor.template")]),
    ),
    row(
        "spark.apache.org",
        "SparkApplication",
        templates(&[pod("spec.driverSpec.podTemplateSpec"), pod("spec.executorSpec.podTemplateSpec")]),
    ),
    row(
        "spark.apache.org",
        "SparkCluster",
        templates(&[
            pod("spec.masterSpec.statefulSetSpec.template"),
            pod("spec.workerSpec.statefulSetSpec.template"),
        ]),
    ),
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
    row("agents.x-k8s.io", "Sandbox", templates(&[pod("spec.podTemplate")])),
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
    row("nvidia.com", "ClusterPolicy", Carries::Opaque),
    row("nvidia.com", "NVIDIADriver", Carries::Opaque),
    row("nvidia.com", "GPUCluster", Carries::Opaque),
    // Known to make no pods, or to be made into something else first.
    row("flyte.lyft.com", "FlyteWorkflow", Carries::Nothing),
    row("kubeai.org", "Model", Carries::Nothing),
    row("kaito.sh", "RAGEngine", Carries::Nothing),
    row("kaito.sh", "MultiRoleInference", Carries::Nothing),
    row("production-stack.vllm.ai", "VLLMRouter", Carries::Nothing),
    row("production-stack.vllm.ai", "CacheServer", Carries::Nothing),
    row("production-stack.vllm.ai", "LoraAdapter", Carries::Nothing),
    row("mlops.seldon.io", "Model", Carries::Nothing),
    row("mlops.seldon.io", "Pipeline", Carries::Nothing),
    row("mlops.seldon.io", "Experiment", Carries::Nothing),
    row("serving.kserve.io", "TrainedModel", Carries::Nothing),
    row("serving.kserve.io", "LocalModelCache", Carries::Nothing),
    row("amlarc.azureml.com", "InstanceType", Carries::Nothing),
    row("amlarc.azureml.com", "InstanceTypeList", Carries::Nothing),
    row("amlarc.azureml.com", "QuotaOverride", Carries::Nothing),
    row("kubeflow.org", "Profile", Carries::Nothing),
    row("tensorboard.kubeflow.org", "Tensorboard", Carries::Nothing),
    row("scheduling.volcano.sh", "PodGroup", Carries::Nothing),
    row("scheduling.volcano.sh", "Queue", Carries::Nothing),
    row("kueue.x-k8s.io", "ClusterQueue", Carries::Nothing),
    row("kueue.x-k8s.io", "LocalQueue", Carries::Nothing),
    row("inference.networking.k8s.io", "InferencePool", Carries::Nothing),
    row("inference.networking.x-k8s.io", "InferencePool", Carries::Nothing),
    row("serving.knative.dev", "Route", Carries::Nothing),
    row("inference.sagemaker.aws.amazon.com", "JumpStartModel", Carries::Nothing),
    // Argo, Tekton, Katib, Kubeflow Pipelines and Notebooks.
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
    row("kubeflow.org", "Experiment", adapter(adapters::EXPERIMENT)),
    row("kubeflow.org", "Trial", templates(&[object("spec.runSpec")])),
    row("kubeflow.org", "Suggestion", Carries::Opaque),
    row("config.kubeflow.org", "KatibConfig", templates(&[container("runtime.suggestions[]")])),
    row("kubeflow.org", "ScheduledWorkflow", adapter(adapters::SCHEDULED_WORKFLOW)),
    row("pipelines.kubeflow.org", "PipelineVersion", templates(&[EXECUTOR])),
    row("pipelines.kubeflow.org", "Pipeline", Carries::Nothing),
    row("kubeflow.org", "WorkspaceKind", adapter(adapters::WORKSPACE_KIND)),
    row("kubeflow.org", "Workspace", adapter(adapters::WORKSPACE)),
    row("kubeflow.org", "PodDefault", adapter(adapters::POD_DEFAULT)),
    // Spark, Flink, Dynamo, OME, Seldon, RoleBasedGroup, NIM, aibrix KVCache, Kruise, Knative.
    row("sparkoperator.k8s.io", "SparkApplication", adapter(adapters::SPARK_APPLICATION)),
    row("sparkoperator.k8s.io", "ScheduledSparkApplication", adapter(adapters::SCHEDULED_SPARK_APPLICATION)),
    row("flink.apache.org", "FlinkDeployment", adapter(adapters::FLINK_DEPLOYMENT)),
    row("flink.apache.org", "FlinkBlueGreenDeployment", adapter(adapters::FLINK_BLUE_GREEN_DEPLOYMENT)),
    row("flink.apache.org", "FlinkSessionJob", Carries::Nothing),
    row("flink.apache.org", "FlinkStateSnapshot", Carries::Nothing),
    row("nvidia.com", "DynamoGraphDeployment", adapter(adapters::DYNAMO_GRAPH)),
    row("nvidia.com", "DynamoComponentDeployment", adapter(adapters::DYNAMO_COMPONENT)),
    row("ome.io", "InferenceService", adapter(adapters::OME_INFERENCE_SERVICE)),
    row("ome.io", "ServingRuntime", adapter(adapters::OME_SERVING_RUNTIME)),
    row("ome.io", "ClusterServingRuntime", adapter(adapters::OME_SERVING_RUNTIME)),
    row("machinelearning.seldon.io", "SeldonDeployment", adapter(adapters::SELDON_DEPLOYMENT)),
    row("mlops.seldon.io", "Server", adapter(adapters::SELDON_SERVER)),
    row("workloads.x-k8s.io", "RoleBasedGroup", adapter(adapters::ROLE_BASED_GROUP)),
    row("workloads.x-k8s.io", "RoleBasedGroupSet", adapter(adapters::ROLE_BASED_GROUP_SET)),
    row(
        "workloads.x-k8s.io",
        "RoleBasedGroupWarmup",
        templates(&[
            containers("spec.targetNodes.customizedAction"),
            containers("spec.targetRoleBasedGroup.roles.*.customizedAction"),
        ]),
    ),
    row("workloads.x-k8s.io", "ClusterEngineRuntimeProfile", templates(&[containers("spec")])),
    row("workloads.x-k8s.io", "Instance", templates(&[pod("spec.components[].template")])),
    row(
        "workloads.x-k8s.io",
        "InstanceSet",
        templates(&[pod("spec.instanceTemplate.components[].template")]),
    ),
    row("workloads.x-k8s.io", "RoleInstance", templates(&[pod("spec.components[].template")])),
    // Its schema leaves open what is in it.
    row(
        "workloads.x-k8s.io",
        "RoleInstanceSet",
        templates(&[
            pod("spec.roleInstanceTemplate.components[].template"),
            pod("spec.roleInstanceTemplate.spec.components[].template"),
        ]),
    ),
    row("workloads.x-k8s.io", "RoleBasedGroupScalingAdapter", Carries::Nothing),
    row("apps.nvidia.com", "NIMService", adapter(adapters::NIM)),
    row("apps.nvidia.com", "NIMCache", adapter(adapters::NIM)),
    row("apps.nvidia.com", "NIMBuild", adapter(adapters::NIM)),
    row("apps.nvidia.com", "NIMPipeline", adapter(adapters::NIM_PIPELINE)),
    row("apps.nvidia.com", "NemoCustomizer", adapter(adapters::NIM)),
    row("apps.nvidia.com", "NemoDatastore", adapter(adapters::NIM)),
    row("apps.nvidia.com", "NemoEntitystore", adapter(adapters::NIM)),
    row("apps.nvidia.com", "NemoEvaluator", adapter(adapters::NIM)),
    row("apps.nvidia.com", "NemoGuardrail", adapter(adapters::NIM)),
    row("apps.nvidia.com", "NemoGuardrails", adapter(adapters::NIM)),
    row("production-stack.vllm.ai", "VLLMRuntime", adapter(adapters::VLLM_RUNTIME)),
    row("llm-d.ai", "ModelService", adapter(adapters::MODEL_SERVICE)),
    row(
        "inference.sagemaker.aws.amazon.com",
        "InferenceEndpointConfig",
        templates(&[part_of_container("spec.worker"), containers("spec.kubernetes")]),
    ),
    row("orchestration.aibrix.ai", "KVCache", adapter(adapters::KV_CACHE)),
    row("apps.kruise.io", "UnitedDeployment", adapter(adapters::UNITED_DEPLOYMENT)),
    row("apps.kruise.io", "EphemeralJob", templates(&[containers("spec.template")])),
    row("serving.knative.dev", "Service", templates(&[pod("spec.template")])),
    row("serving.knative.dev", "Configuration", templates(&[pod("spec.template")])),
    row("serving.knative.dev", "Revision", templates(&[spec("spec")])),
];

/// The Jobs that an analysis of Argo Rollouts measures with.
const ANALYSIS: &[TemplatePattern] = &[pod("spec.metrics[].provider.job.spec.template")];

/// The container of a step, in the form that Kubeflow Pipelines compiles pipelines to: nothing of its security is written.
const EXECUTOR: TemplatePattern = TemplatePattern {
    pattern: "spec.pipelineSpec.deploymentSpec.executors.*.container",
    shape: Shape::Container,
    part: Part::Overlay,
};

/// A serving runtime of KServe: no field for the pod's own security context.
const RUNTIME: &[TemplatePattern] = &[containers("spec"), containers("spec.workerSpec")];

/// Overlays on configurations.
const LLM: &[TemplatePattern] = &[
    overlay("spec.template"),
    overlay("spec.worker"),
    overlay("spec.prefill.template"),
    overlay("spec.prefill.worker"),
    overlay("spec.router.scheduler.template"),
    overlay("spec.router.scheduler.tokenizer.template"),
];
/// Those configurations.
const LLM_CONFIG: &[TemplatePattern] = &[
    spec("spec.template"),
    spec("spec.worker"),
    spec("spec.prefill.template"),
    spec("spec.prefill.worker"),
    spec("spec.router.scheduler.template"),
    spec("spec.router.scheduler.tokenizer.template"),
];
