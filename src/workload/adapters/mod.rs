//! The kinds that no pattern describes: one file for each operator, which says how that makes pods of what is written.

mod app_wrapper;
mod dynamo;
mod flink;
mod kruise;
mod kserve;
mod kv_cache;
mod model_service;
mod nim;
mod ome;
mod ray;
mod role_based_group;
mod seldon;
mod spark;
mod trainer;
mod vllm_runtime;

pub(super) use app_wrapper::APP_WRAPPER;
pub(super) use dynamo::{DYNAMO_COMPONENT, DYNAMO_GRAPH};
pub(super) use flink::{FLINK_BLUE_GREEN_DEPLOYMENT, FLINK_DEPLOYMENT};
pub(super) use kruise::UNITED_DEPLOYMENT;
pub(super) use kserve::{INFERENCE_SERVICE, OLD_INFERENCE_SERVICE};
pub(super) use kv_cache::KV_CACHE;
pub(super) use model_service::MODEL_SERVICE;
pub(super) use nim::{NIM, NIM_PIPELINE};
pub(super) use ome::{OME_INFERENCE_SERVICE, OME_SERVING_RUNTIME};
pub(super) use ray::{RAY_CLUSTER, RAY_CLUSTER_FLEET, RAY_CRON_JOB, RAY_JOB, RAY_SERVICE};
pub(super) use role_based_group::{ROLE_BASED_GROUP, ROLE_BASED_GROUP_SET};
pub(super) use seldon::{SELDON_DEPLOYMENT, SELDON_SERVER};
pub(super) use spark::{SCHEDULED_SPARK_APPLICATION, SPARK_APPLICATION};
pub(super) use trainer::{OPTIMIZATION_JOB, TRAIN_JOB};
pub(super) use vllm_runtime::VLLM_RUNTIME;
