//! A kind that is known already, beside the schema of its CustomResourceDefinition.

use crate::kinds::discover::schema::SchemaFindings;
use crate::workload::{Carries, Kind, Shape};

/// Where the row of a kind and a schema differ: one sentence for each place.
pub(super) fn differences(row: &Kind, found: &SchemaFindings) -> Vec<String> {
    let specs: Vec<String> = found.specs().collect();
    let mut differences: Vec<String> = specs
        .iter()
        .filter(|spec| !is_covered(row, spec))
        .map(|spec| format!("the schema has a pod at {spec}, where podgate does not look"))
        .collect();
    let is_adapter = matches!(row.carries, Carries::Adapter(_));
    let of_row = row.places().filter(|_| !is_adapter).filter_map(|(path, shape)| spec_of(path, shape));
    let is_told = |path: &str| !found.is_cut && !found.hidden.iter().any(|hidden| is_within(path, hidden));
    differences.extend(
        of_row
            .filter(|path| is_told(path) && !specs.contains(path))
            .map(|path| format!("podgate looks for a pod at {path}, where the schema has none")),
    );
    differences
}

/// Whether podgate looks for the PodSpec at a path, or takes what it is in for something else.
fn is_covered(row: &Kind, path: &str) -> bool {
    let is_adapter = matches!(row.carries, Carries::Adapter(_));
    row.places().any(|(place, shape)| match spec_of(place, shape) {
        Some(spec) if !is_adapter => spec == path,
        _ => is_within(path, place),
    })
}

/// The path of the PodSpec of a place, if there is one.
fn spec_of(path: &str, shape: Shape) -> Option<String> {
    match shape {
        Shape::PodTemplate => Some(format!("{path}.spec")),
        Shape::PodSpec | Shape::PartialPodSpec => Some(path.to_owned()),
        Shape::ExtendedPodSpec
        | Shape::Container
        | Shape::Patch
        | Shape::Reference
        | Shape::Object
        | Shape::Opaque => None,
    }
}

/// Whether a path is this one or leads on from it. From the root all do.
fn is_within(path: &str, outer: &str) -> bool {
    let rest = path.strip_prefix(outer);
    outer.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
