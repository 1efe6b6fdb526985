//! What is wrong with an installation, and the fix for each: checks over what was read of it, and nothing else.
//!
//! Nothing is fetched here and nothing is changed. What could not be read is part of an [`Installation`], and is
//! reported like any other fault, so that no check is silently skipped. Certificates come as plain dates and
//! answers, since reading them is another module's task.

mod certificates;
mod deployment;
mod diagnosis;
mod exceptions;
mod guards;
mod health_check;
mod identity;
mod injectors;
mod installation;
mod labels;
mod own_pods;
mod policies;
mod reach;
mod replicas;
mod report;
mod rotation;
mod server;
mod service;
mod switch;
mod unread;
mod webhook_entry;
mod webhooks;

pub use deployment::{has_certificate_files, mounted_secret, selector_text};
pub use diagnosis::{Diagnosis, DiagnosisSeverity};
pub use health_check::HealthCheck;
pub use installation::{
    ApiServer, BundleState, CaDates, CertificateDates, Guard, Installation, InstallationNames, ListRead,
    NamedAccount, ObjectRead, OptionalRights, PolicySource, TlsProbe,
};
pub use own_pods::{OwnDeployment, OwnPod};
pub use report::{DoctorReport, write_json, write_text};

/// Runs every check.
#[must_use]
pub fn examine(installation: &Installation) -> DoctorReport {
    let mut findings = Vec::new();
    unread::check(installation, &mut findings);
    server::check(installation, &mut findings);
    let policies = policies::check(installation, &mut findings);
    switch::check(installation, policies.as_ref(), &mut findings);
    webhooks::check(installation, &policies::PolicyDemands::by(policies.as_ref()), &mut findings);
    certificates::check(installation, &mut findings);
    reach::check(installation, policies.as_ref(), &mut findings);
    identity::check(installation, policies.as_ref(), &mut findings);
    exceptions::check(installation, policies.as_ref(), &mut findings);
    injectors::check(installation, policies.as_ref(), &mut findings);
    replicas::check(installation, &mut findings);
    service::check(installation, &mut findings);
    rotation::check(installation, &mut findings);
    guards::check(installation, &mut findings);
    labels::check(installation, policies.as_ref(), &mut findings);
    DoctorReport::new(findings)
}
