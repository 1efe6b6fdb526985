//! Where a policy holds.

use crate::policy::selector::Selector;

/// Where a policy holds.
#[derive(Debug)]
pub enum Scope {
    /// In the namespaces of these names.
    Names(Vec<String>),
    /// In the namespaces whose labels match.
    Labels(Selector),
}
