//! What is imported, what the files do not say, and why nothing is made of them.

use std::fmt;

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

/// Why nothing was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportFault {
    /// Something in a file, or in what was made of it.
    InFile(PolicyError),
    /// Something that the options lack, and what to do.
    Lacking(String),
}

impl fmt::Display for ImportFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InFile(error) => error.fmt(f),
            Self::Lacking(message) => f.write_str(message),
        }
    }
}
