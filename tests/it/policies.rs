//! Policies as tests write them, where an installation reserves the usual namespaces.

use podgate::policy::{Policies, PolicySet, SYSTEM_NAMESPACES, read_file};

/// The policies of files of these names and texts, or all that is wrong with them.
pub(crate) fn read(files: &[(&str, &str)]) -> Result<PolicySet, Vec<String>> {
    let reserved = SYSTEM_NAMESPACES.iter().chain(&["podgate-system"]).map(ToString::to_string);
    let mut policies = Policies::new(reserved.collect());
    for (name, text) in files {
        read_file(name, text, &mut policies);
    }
    policies.finish().map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// The policies of a text that is in order.
#[track_caller]
pub(crate) fn policies(text: &str) -> PolicySet {
    read(&[("policies", text)]).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"))
}
