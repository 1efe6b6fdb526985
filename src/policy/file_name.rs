//! Which files of a folder or a ConfigMap are read as policies.

use crate::yaml::FILE_EXTENSIONS;

/// Whether a file of this name is read. Names that begin with a dot are not: Kubernetes keeps the parts of a mounted
/// ConfigMap under such.
#[must_use]
pub fn is_policy_file(name: &str) -> bool {
    let has_extension = |(_, extension): (&str, &str)| FILE_EXTENSIONS.contains(&extension);
    !name.starts_with('.') && name.rsplit_once('.').is_some_and(has_extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names() {
        for name in ["a.yaml", "a.b.yml", "a.json"] {
            assert!(is_policy_file(name), "{name}");
        }
        for name in ["", "yaml", ".yaml", ".a.yaml", "a.YAML", "a.yaml~", "..data", "a.txt"] {
            assert!(!is_policy_file(name), "{name}");
        }
    }
}
