//! What is wrong with an installation, and what mends it: checks over what was read of it, and nothing else.
//!
//! Nothing is fetched here and nothing is changed. What could not be read is part of an [`Installation`], and is
//! reported like any other fault, so that no check is passed over in silence. Certificates come as plain dates and
//! answers, since reading them is another module's.

mod certificates;
mod check;
mod entry;
mod finding;
mod guards;
mod identity;
mod installation;
mod labels;
mod policies;
mod reach;
mod replicas;
mod report;
mod rotation;
mod server;
mod service;
mod unread;
mod webhooks;

pub use check::Check;
pub use finding::{Finding, Severity};
pub use installation::{
    Authority, Bundle, Certificate, Found, Guard, Installation, Listed, Names, Policies, Secret, Served,
    Server, ServiceAccount,
};
pub use replicas::{has_certificate_files, mounted_secret};
pub use report::{Report, write_json, write_text};

/// Looks at everything.
#[must_use]
pub fn examine(installation: &Installation) -> Report {
    let mut findings = Vec::new();
    unread::check(installation, &mut findings);
    server::check(installation, &mut findings);
    let policies = policies::check(installation, &mut findings);
    webhooks::check(installation, &policies::Asked::by(policies.as_ref()), &mut findings);
    certificates::check(installation, &mut findings);
    reach::check(installation, policies.as_ref(), &mut findings);
    identity::check(installation, policies.as_ref(), &mut findings);
    replicas::check(installation, &mut findings);
    service::check(installation, &mut findings);
    rotation::check(installation, &mut findings);
    guards::check(installation, &mut findings);
    labels::check(installation, policies.as_ref(), &mut findings);
    Report::new(findings)
}
