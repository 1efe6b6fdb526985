//! What a cluster holds, looked at pod by pod: which identity each has, which it could have, and what is missing for it.
//!
//! Pods come one after the other and are reported one after the other, so that a cluster of any size takes little memory.
//! Nothing is fetched here and nothing is changed.

mod advice;
mod identity;
mod report;
mod surveyed_pod;

pub use identity::IdentitySurvey;
pub use report::{SurveyFormat, SurveySummary, SurveyWriter};
pub use surveyed_pod::{
    LegacyIdentity, SurveyNote, SurveyState, SurveyTarget, SurveyedPod, WorkloadIdentity,
};
