//! The kinds that no pattern describes: one file for each operator, which says how that makes pods of what is written.

mod app_wrapper;
mod kserve;
mod kserve_runtime;
mod ray;
mod trainer;

pub(super) use app_wrapper::APP_WRAPPER;
pub(super) use kserve::{INFERENCE_SERVICE, OLD_INFERENCE_SERVICE};
pub(super) use ray::{RAY_CLUSTER, RAY_CLUSTER_FLEET, RAY_CRON_JOB, RAY_JOB, RAY_SERVICE};
pub(super) use trainer::{OPTIMIZATION_JOB, TRAIN_JOB};
