//! The path of a field as people write it, `spec.containers[0].image` or `metadata.labels[a.b/c]`, taken apart.

use crate::path::{Path, Step};

/// The steps of a field; `None` if it is none, or the whole object.
pub(super) fn steps(text: &str) -> Option<Path<'_>> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (key, behind) = inside.split_once(']')?;
            steps.push(key.parse().map_or(Step::from(key), Step::Index));
            rest = behind;
        } else {
            let begins = if steps.is_empty() { rest } else { rest.strip_prefix('.')? };
            let end = begins.find(['.', '[']).unwrap_or(begins.len());
            let (key, behind) = begins.split_at(end);
            steps.push(Step::from(key));
            rest = behind;
        }
    }
    let is_whole = steps.iter().all(|step| step.as_key().is_none_or(|key| !key.is_empty()));
    (is_whole && !steps.is_empty()).then(|| steps.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_as_it_is_printed() {
        for text in [
            "spec",
            "spec.hostPID",
            "spec.containers[0].securityContext.capabilities.drop[12]",
            "metadata.labels[azure.workload.identity/use]",
            "spec.containers[1]",
        ] {
            assert_eq!(steps(text).map(|path| path.to_string()).as_deref(), Some(text));
        }
        let pointer = steps("metadata.labels[a.b/c].d[0]").map(|path| path.json_pointer());
        assert_eq!(pointer.as_deref(), Some("/metadata/labels/a.b~1c/d/0"));
        for text in ["", ".spec", "spec.", "spec..a", "spec[0", "spec[]", "spec]a[", "spec[0]a"] {
            assert_eq!(steps(text).filter(|path| path.to_string() == text), None, "{text}");
        }
    }
}
