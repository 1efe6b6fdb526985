//! The kinds that no pattern describes: one file for each operator, which says how that makes pods of what is written.

mod app_wrapper;

pub(super) use app_wrapper::APP_WRAPPER;
