//! How shapes and parts are called, and what they mean.

use crate::workload::{Part, Shape};

/// Every shape, in the order of the page.
pub(super) const SHAPES: [Shape; 9] = [
    Shape::PodTemplate,
    Shape::PodSpec,
    Shape::ExtendedPodSpec,
    Shape::PartialPodSpec,
    Shape::Container,
    Shape::Patch,
    Shape::Reference,
    Shape::Object,
    Shape::Opaque,
];

/// Every part, likewise.
pub(super) const PARTS: [Part; 3] = [Part::Whole, Part::WithoutPodLevel, Part::Overlay];

/// The name of a shape, as in JSON.
pub(super) fn shape_name(shape: Shape) -> &'static str {
    match shape {
        Shape::PodTemplate => "podTemplate",
        Shape::PodSpec => "podSpec",
        Shape::ExtendedPodSpec => "extendedPodSpec",
        Shape::PartialPodSpec => "partialPodSpec",
        Shape::Container => "container",
        Shape::Patch => "patch",
        Shape::Reference => "reference",
        Shape::Object => "object",
        Shape::Opaque => "opaque",
    }
}

/// What a shape is.
pub(super) fn shape_meaning(shape: Shape) -> &'static str {
    match shape {
        Shape::PodTemplate => "a PodTemplateSpec: `metadata` and `spec`",
        Shape::PodSpec => "a PodSpec",
        Shape::ExtendedPodSpec => "the fields of a PodSpec beside others, and further containers",
        Shape::PartialPodSpec => "some fields of a PodSpec",
        Shape::Container => "one container, or nearly",
        Shape::Patch => "something that is merged into a pod that is elsewhere",
        Shape::Reference => "the name of another object that has the pod",
        Shape::Object => "an object of any kind, or a text that holds one",
        Shape::Opaque => "nothing: the operator makes the pod",
    }
}

/// The name of what follows where a field is absent, as in JSON.
pub(super) fn part_name(part: Part) -> &'static str {
    match part {
        Part::Whole => "whole",
        Part::WithoutPodLevel => "withoutPodLevel",
        Part::Overlay => "overlay",
    }
}

/// What follows where a field is absent.
pub(super) fn part_meaning(part: Part) -> &'static str {
    match part {
        Part::Whole => "the pod is all there, and nobody adds a field that is absent: it is missing",
        Part::WithoutPodLevel => {
            "all containers are there, and the pod's own security context is elsewhere: what it may hold and is absent is \
             unresolved; what only a container can have, and is absent, is missing"
        }
        Part::Overlay => "any field that is absent may be elsewhere: it is unresolved",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_called_as_in_reports() {
        for shape in SHAPES {
            assert_eq!(serde_json::to_value(shape).unwrap(), shape_name(shape));
        }
    }
}
