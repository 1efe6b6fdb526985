//! Serving and inference.

use crate::workload::adapters;
use crate::workload::kind::{Carries, Kind, TemplatePattern};
use crate::workload::table::rows::{
    adapter, container, containers, old, part_of_container, patch, pod, preset, row, spec, templates,
};

/// Those rows.
pub(super) static KINDS: &[Kind] = &[
    row("orchestration.aibrix.ai", "RayClusterFleet", adapter(adapters::RAY_CLUSTER_FLEET)),
    row("orchestration.aibrix.ai", "RayClusterReplicaSet", adapter(adapters::RAY_CLUSTER_FLEET)),
    row("orchestration.aibrix.ai", "StormService", templates(&[pod("spec.template.spec.roles[].template")])),
    row("orchestration.aibrix.ai", "RoleSet", templates(&[pod("spec.roles[].template")])),
    row("orchestration.aibrix.ai", "PodSet", templates(&[pod("spec.template")])),
    row("orchestration.aibrix.ai", "KVCache", adapter(adapters::KV_CACHE)),
    row("serving.kserve.io", "ServingRuntime", templates(RUNTIME)),
    row("serving.kserve.io", "ClusterServingRuntime", templates(RUNTIME)),
    row("serving.kserve.io", "InferenceService", adapter(adapters::INFERENCE_SERVICE)),
    old("serving.kserve.io", &["v1alpha2"], "InferenceService", adapter(adapters::OLD_INFERENCE_SERVICE)),
    row("serving.kserve.io", "LLMInferenceService", adapter(adapters::LLM_INFERENCE_SERVICE)),
    row("serving.kserve.io", "LLMInferenceServiceConfig", templates(LLM_CONFIG)),
    row("serving.kserve.io", "ClusterStorageContainer", templates(&[container("spec.container")])),
    row("serving.kserve.io", "InferenceGraph", Carries::Opaque),
    row("serving.kserve.io", "TrainedModel", Carries::Nothing),
    row("serving.kserve.io", "LocalModelCache", Carries::Nothing),
    row("serving.kubeflow.org", "ServingRuntime", templates(RUNTIME)),
    row("serving.kubeflow.org", "InferenceService", adapter(adapters::INFERENCE_SERVICE)),
    old("serving.kubeflow.org", &["v1alpha2"], "InferenceService", adapter(adapters::OLD_INFERENCE_SERVICE)),
    row("mlops.seldon.io", "ServerConfig", templates(&[spec("spec.podSpec")])),
    row("mlops.seldon.io", "SeldonConfig", templates(&[spec("spec.components[].podSpec")])),
    row("mlops.seldon.io", "SeldonRuntime", templates(&[patch("spec.overrides[].podSpec")])),
    row("mlops.seldon.io", "Model", Carries::Nothing),
    row("mlops.seldon.io", "Pipeline", Carries::Nothing),
    row("mlops.seldon.io", "Experiment", Carries::Nothing),
    row("mlops.seldon.io", "Server", adapter(adapters::SELDON_SERVER)),
    row("grove.io", "PodCliqueSet", templates(&[spec("spec.template.cliques[].spec.podSpec")])),
    row("grove.io", "PodGangSet", templates(&[spec("spec.template.cliques[].spec.podSpec")])),
    row("grove.io", "PodClique", templates(&[spec("spec.podSpec")])),
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
    row("kaito.sh", "RAGEngine", Carries::Nothing),
    row("kaito.sh", "MultiRoleInference", Carries::Nothing),
    row("ome.io", "BenchmarkJob", templates(&[patch("spec.podOverride")])),
    row("ome.io", "InferenceService", adapter(adapters::OME_INFERENCE_SERVICE)),
    row("ome.io", "ServingRuntime", adapter(adapters::OME_SERVING_RUNTIME)),
    row("ome.io", "ClusterServingRuntime", adapter(adapters::OME_SERVING_RUNTIME)),
    row("nvidia.com", "ClusterPolicy", Carries::Opaque),
    row("nvidia.com", "NVIDIADriver", Carries::Opaque),
    row("nvidia.com", "GPUCluster", Carries::Opaque),
    row("nvidia.com", "DynamoGraphDeployment", adapter(adapters::DYNAMO_GRAPH)),
    row("nvidia.com", "DynamoComponentDeployment", adapter(adapters::DYNAMO_COMPONENT)),
    row("kubeai.org", "Model", Carries::Nothing),
    row("production-stack.vllm.ai", "VLLMRouter", Carries::Nothing),
    row("production-stack.vllm.ai", "CacheServer", Carries::Nothing),
    row("production-stack.vllm.ai", "LoraAdapter", Carries::Nothing),
    row("production-stack.vllm.ai", "VLLMRuntime", adapter(adapters::VLLM_RUNTIME)),
    row("inference.networking.k8s.io", "InferencePool", Carries::Nothing),
    row("inference.networking.x-k8s.io", "InferencePool", Carries::Nothing),
    row("inference.sagemaker.aws.amazon.com", "JumpStartModel", Carries::Nothing),
    row(
        "inference.sagemaker.aws.amazon.com",
        "InferenceEndpointConfig",
        templates(&[part_of_container("spec.worker"), containers("spec.kubernetes")]),
    ),
    row("machinelearning.seldon.io", "SeldonDeployment", adapter(adapters::SELDON_DEPLOYMENT)),
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
    row("llm-d.ai", "ModelService", adapter(adapters::MODEL_SERVICE)),
];

/// A serving runtime of KServe: no field for the pod's own security context.
const RUNTIME: &[TemplatePattern] = &[containers("spec"), containers("spec.workerSpec")];

/// The configurations of an LLMInferenceService.
const LLM_CONFIG: &[TemplatePattern] = &[
    spec("spec.template"),
    spec("spec.worker"),
    spec("spec.prefill.template"),
    spec("spec.prefill.worker"),
    spec("spec.router.scheduler.template"),
    spec("spec.router.scheduler.tokenizer.template"),
];
