//! The AdmissionReview v1 protocol: the bytes of a request in, the bytes of the answer out.
//!
//! Whenever a uid can be read the answer is a review, a refusal included: an HTTP error would be
//! subject to `failurePolicy`, a refusal is not.

mod answer;
mod answer_json;
mod bounds;
mod cluster_view;
mod decision;
mod dispatch;
mod envelope;
mod error;
mod exemption;
mod existing_pods;
mod grants;
mod identity;
mod mutation;
mod object_type;
mod outcome;
mod pod_security;
mod refuse;
mod reply;
mod request;
mod reviewer;
mod subresource;
mod template_warnings;
mod templates;
mod unjudged;

pub use decision::{Counted, CountedResource, Decision, Operation, Outcome, Webhook};
pub use existing_pods::ExistingPods;
pub use refuse::refuse;
pub use reply::{Answer, Reply, Unanswerable};
pub use reviewer::Reviewer;
