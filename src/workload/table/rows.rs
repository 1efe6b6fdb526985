//! What rows of the table are made with.

use crate::workload::kind::{Adapter, Carries, Kind, TemplatePattern};
use crate::workload::template::{Part, Shape};

pub(super) const fn row(group: &'static str, kind: &'static str, carries: Carries) -> Kind {
    Kind { group, versions: &[], kind, carries }
}

pub(super) const fn old(
    group: &'static str,
    versions: &'static [&'static str],
    kind: &'static str,
    carries: Carries,
) -> Kind {
    Kind { group, versions, kind, carries }
}

pub(super) const fn templates(patterns: &'static [TemplatePattern]) -> Carries {
    Carries::Templates(patterns)
}

pub(super) const fn adapter(adapter: Adapter) -> Carries {
    Carries::Adapter(adapter)
}

/// A PodTemplateSpec.
pub(super) const fn pod(pattern: &'static str) -> TemplatePattern {
    TemplatePattern { pattern, shape: Shape::PodTemplate, part: Part::Whole }
}

/// A PodSpec.
pub(super) const fn spec(pattern: &'static str) -> TemplatePattern {
    TemplatePattern { pattern, shape: Shape::PodSpec, part: Part::Whole }
}

/// Some fields of a PodSpec, without its security context.
pub(super) const fn containers(pattern: &'static str) -> TemplatePattern {
    TemplatePattern { pattern, shape: Shape::PartialPodSpec, part: Part::WithoutPodLevel }
}

/// Something that is merged into a PodSpec that is elsewhere.
pub(super) const fn patch(pattern: &'static str) -> TemplatePattern {
    TemplatePattern { pattern, shape: Shape::Patch, part: Part::Overlay }
}

/// A PodTemplateSpec that is merged into another.
pub(super) const fn pod_patch(pattern: &'static str) -> TemplatePattern {
    TemplatePattern { pattern, shape: Shape::PodTemplate, part: Part::Overlay }
}

/// A container of pods that are elsewhere.
pub(super) const fn container(pattern: &'static str) -> TemplatePattern {
    TemplatePattern { pattern, shape: Shape::Container, part: Part::WithoutPodLevel }
}

/// What is written of a container that its operator makes.
pub(super) const fn part_of_container(pattern: &'static str) -> TemplatePattern {
    TemplatePattern { pattern, shape: Shape::Container, part: Part::Overlay }
}

/// The name of what its operator makes the pod of.
pub(super) const fn preset(pattern: &'static str) -> TemplatePattern {
    TemplatePattern { pattern, shape: Shape::Reference, part: Part::Overlay }
}

/// An object of any kind.
pub(super) const fn object(pattern: &'static str) -> TemplatePattern {
    TemplatePattern { pattern, shape: Shape::Object, part: Part::Whole }
}
