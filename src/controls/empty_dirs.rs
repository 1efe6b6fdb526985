//! `emptyDirs` (extended): `emptyDir` volumes have a size, and are not in memory where the policy says so.

use serde::{Deserialize, Serialize};

use crate::controls::quantity::{Bound, Quantity};
use crate::controls::written::written;
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation, text,
};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject, Value};
use crate::json::{Reader, Result, members};
use crate::pod::{Changes, Volume, VolumeSource};

pub(super) static CONTROL: Control = Control {
    id: "emptyDirs",
    number: 26,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<EmptyDirs>(),
        // The volumes of a pod are immutable.
        depends_on: Changes::NONE,
    },
    violation,
    doc: Doc {
        title: "Size and medium of emptyDir",
        rule: "An `emptyDir` takes the disk of its node or, with a `medium`, its memory. A policy can require a `sizeLimit`, \
               bound it (then it is required, too), and forbid every medium but the disk. `maxMemorySize` bounds volumes \
               in memory, in place of `maxSize`. A `sizeLimit` of 0 is none. A volume without any source is an `emptyDir`.",
        history: "Enabled where a policy sets `controls.emptyDirs`.",
        fields: &["spec.volumes[*].emptyDir"],
        fix: "Set a `sizeLimit` within the bound; remove `medium` where memory is not allowed. Shared memory for a data loader or \
              for NCCL is a volume with `medium: Memory` at `/dev/shm`; its size counts as memory of the container.",
        example: "volumes:\n- name: scratch\n  emptyDir:\n    sizeLimit: 10Gi\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.emptyDirs`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EmptyDirs {
    /// Whether each must have a `sizeLimit`, whatever it is.
    #[serde(default)]
    size_limit_required: bool,
    /// The largest `sizeLimit`: `100Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_size: Option<Bound>,
    /// Whether they may be in memory.
    #[serde(default)]
    memory: Memory,
    /// The largest `sizeLimit` of those in memory: `16Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_memory_size: Option<Bound>,
}

/// Whether volumes may be in memory.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(inline)]
enum Memory {
    #[default]
    Allowed,
    Forbidden,
}

/// What an `emptyDir` says, as JSON text; empty where it says nothing.
#[derive(Default)]
pub(super) struct EmptyDir<'p> {
    pub(super) medium: &'p str,
    pub(super) size_limit: &'p str,
}

impl Check for EmptyDirs {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        for (index, volume) in pod.spec.volumes.iter().enumerate() {
            if !volume.has(VolumeSource::EMPTY_DIR) {
                continue;
            }
            let subject = Subject::Volume(index, &volume.name);
            match EmptyDir::of(volume) {
                Ok(empty_dir) => self.check_one(subject, &empty_dir, sink),
                Err(_) => {
                    let fix = Fix::one_of(&["an emptyDir as Kubernetes reads it"]);
                    sink(Finding::new(subject, "emptyDir", Found::UNREADABLE, fix));
                }
            }
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        let mut faults = Vec::new();
        for (name, bound) in [("maxSize", &self.max_size), ("maxMemorySize", &self.max_memory_size)] {
            let Some(bound) = bound else { continue };
            let zero = (bound.quantity() == Quantity::ZERO)
                .then(|| "allows no size at all: a limit of 0 is none; write more than 0".to_owned());
            faults
                .extend(bound.fault().or(zero).map(|fault| ParameterError::at(FieldPath::from(name), fault)));
        }
        if self.memory == Memory::Forbidden && self.max_memory_size.is_some() {
            let fault = "bounds what memory: Forbidden does not allow: remove one of the two";
            faults.push(ParameterError::at(FieldPath::from("maxMemorySize"), fault));
        }
        let has_bounds = self.max_size.is_some() || self.max_memory_size.is_some();
        if !self.size_limit_required && self.memory == Memory::Allowed && !has_bounds {
            let fault =
                "forbids nothing: write sizeLimitRequired: true, maxSize, maxMemorySize or memory: Forbidden";
            faults.push(ParameterError::at(FieldPath::default(), fault));
        }
        faults
    }
}

impl EmptyDirs {
    fn check_one<'p>(&'p self, subject: Subject<'p>, empty_dir: &EmptyDir<'p>, sink: &mut Sink<'_, 'p>) {
        // Huge pages are memory, too, and so is whatever a later Kubernetes may have.
        let is_in_memory = !empty_dir.medium.is_empty();
        if is_in_memory && self.memory == Memory::Forbidden {
            sink(Finding::new(subject, "emptyDir.medium", Found::Text(empty_dir.medium), Fix::remove()));
        }
        let of_memory = self.max_memory_size.as_ref().filter(|_| is_in_memory);
        let bound = of_memory.or(self.max_size.as_ref());
        if bound.is_none() && !self.size_limit_required {
            return;
        }
        let limit = Quantity::parse(empty_dir.size_limit).filter(|limit| *limit > Quantity::ZERO);
        if limit.is_none_or(|limit| bound.is_some_and(|bound| limit > bound.quantity())) {
            let text = empty_dir.size_limit;
            let found = if text.is_empty() { Found::Absent } else { Found::Text(text) };
            let (fix, help) = match bound {
                Some(bound) => (Fix::set(Value::Text(bound.text())), "or less"),
                None => (Fix::one_of(&["the size that it needs, such as 1Gi"]), ""),
            };
            sink(Finding::new(subject, "emptyDir.sizeLimit", found, fix).help(help));
        }
    }
}

impl<'p> EmptyDir<'p> {
    /// What a volume says of it.
    ///
    /// # Errors
    /// When it is no such object, or a field differs from one that is read in case only.
    pub(super) fn of(volume: &'p Volume<'p>) -> Result<Self> {
        let mut own = Self::default();
        let text = volume.source(VolumeSource::EMPTY_DIR)?;
        if !text.is_empty() {
            let reader = &mut Reader::over_part(text).refusing_misspelt_case();
            members!(reader, {
                "medium" => own.medium = written(reader.skip()?),
                "sizeLimit" => own.size_limit = written(reader.skip()?),
            })?;
        }
        Ok(own)
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let mut volumes = text::volume_names(findings);
    volumes.dedup();
    let plural = text::plural("volume", volumes.len());
    let fields: Vec<String> = findings.iter().map(|finding| finding.path.to_string()).collect();
    let fields = text::sorted_set(fields.iter().map(String::as_str)).join(", ");
    Violation {
        reason: "emptyDir out of bounds",
        detail: format!("{plural} {} must keep to the policy's bounds of {fields}", text::quoted(volumes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::Pod;

    /// The API server makes an `emptyDir` of it, so the linter has to judge it as one.
    #[test]
    fn a_volume_without_a_source_has_no_limit() {
        let text = r#"{"spec":{"volumes":[{"name":"v"}]}}"#;
        let mut pod = Pod::read(&mut Reader::over(text)).expect("a pod");
        pod.apply_server_defaults();
        let check: EmptyDirs = serde_json::from_str(r#"{"sizeLimitRequired":true}"#).expect("parameters");
        let mut found = Vec::new();
        check.check(CheckedPod::new(&pod), &mut |finding| found.push(finding.whole_path().to_string()));
        assert_eq!(found, ["spec.volumes[0].emptyDir.sizeLimit"]);
    }
}
