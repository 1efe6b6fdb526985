//! The kinds that no pattern describes: one file for each operator, which says how that makes pods of what is written.

mod app_wrapper;
mod argo_events;
mod argo_pod;
mod argo_rollouts;
mod argo_workflows;
mod katib;
mod kserve;
mod kserve_runtime;
mod kubeflow_notebooks;
mod ray;
mod tekton;
mod tekton_pod;
mod trainer;

pub(super) use app_wrapper::APP_WRAPPER;
pub(super) use argo_events::{EVENT_SOURCE, SENSOR};
pub(super) use argo_rollouts::ROLLOUT;
pub(super) use argo_workflows::{CRON_WORKFLOW, SCHEDULED_WORKFLOW, WORKFLOW, WORKFLOW_TASK_SET};
pub(super) use katib::EXPERIMENT;
pub(super) use kserve::{INFERENCE_SERVICE, OLD_INFERENCE_SERVICE};
pub(super) use kubeflow_notebooks::{POD_DEFAULT, WORKSPACE, WORKSPACE_KIND};
pub(super) use ray::{RAY_CLUSTER, RAY_CLUSTER_FLEET, RAY_CRON_JOB, RAY_JOB, RAY_SERVICE};
pub(super) use tekton::{PIPELINE, PIPELINE_RUN, TASK, TASK_RUN};
pub(super) use trainer::{OPTIMIZATION_JOB, TRAIN_JOB};
