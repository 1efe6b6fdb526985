//! Which kinds carry pods, and where: one table for the webhook and the linter.
//!
//! Everything is keyed on group *and* kind (or resource): `Job` is also Volcano's, and `Service` is
//! also Knative's.

use std::borrow::Cow;

use crate::json::{Names, Reader, Result, members};
use crate::path::Path;
use crate::pod::{Controller, Metadata, Pod};

/// A kind that carries a pod or a pod template.
#[derive(Debug, PartialEq, Eq)]
pub struct Workload {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The group and versions, as in `apiVersion`, that a manifest may name it by.
    api_versions: &'static [&'static str],
    /// `kind`.
    pub kind: &'static str,
    /// The resource, as in a URL or a webhook's rules.
    pub resource: &'static str,
    /// The keys from the object to what has the shape of a pod (`metadata` and `spec`).
    pub(super) template: &'static [&'static str],
}

const APPS: &[&str] = &["apps/v1", "apps/v1beta2", "apps/v1beta1", "extensions/v1beta1"];
const BATCH: &[&str] = &["batch/v1", "batch/v1beta1", "batch/v2alpha1"];
const CORE: &[&str] = &["v1"];
const IN_SPEC: &[&str] = &["spec", "template"];

/// Every kind that is known to carry pods.
pub static WORKLOADS: [Workload; 9] = [
    workload("", CORE, "Pod", "pods", &[]),
    workload("", CORE, "PodTemplate", "podtemplates", &["template"]),
    workload("", CORE, "ReplicationController", "replicationcontrollers", IN_SPEC),
    workload("apps", APPS, "Deployment", "deployments", IN_SPEC),
    workload("apps", APPS, "ReplicaSet", "replicasets", IN_SPEC),
    workload("apps", APPS, "StatefulSet", "statefulsets", IN_SPEC),
    workload("apps", APPS, "DaemonSet", "daemonsets", IN_SPEC),
    workload("batch", BATCH, "Job", "jobs", IN_SPEC),
    workload("batch", BATCH, "CronJob", "cronjobs", &["spec", "jobTemplate", "spec", "template"]),
];

const fn workload(
    group: &'static str,
    api_versions: &'static [&'static str],
    kind: &'static str,
    resource: &'static str,
    template: &'static [&'static str],
) -> Workload {
    Workload { group, api_versions, kind, resource, template }
}

/// An object that carries a pod, as far as we read it.
#[derive(Debug, Default)]
pub struct WorkloadObject<'a> {
    /// `apiVersion`; empty when absent.
    pub api_version: Cow<'a, str>,
    /// `kind`; empty when absent.
    pub kind: Cow<'a, str>,
    /// Its JSON text.
    pub text: &'a str,
    /// The pod or template; `None` if the object has none.
    pub pod: Option<Pod<'a>>,
    /// The JSON text of a template; empty if the object is a pod or has none.
    pub template_text: &'a str,
    /// `metadata` of an object that is not itself a pod.
    outer: Metadata<'a>,
    is_pod: bool,
}

impl Workload {
    /// The workload of an API group and resource.
    #[must_use]
    pub fn of_resource(group: &str, resource: &str) -> Option<&'static Self> {
        WORKLOADS.iter().find(|workload| workload.resource == resource && workload.group == group)
    }

    /// The workload of an `apiVersion` and `kind`.
    #[must_use]
    pub fn of_kind(api_version: &str, kind: &str) -> Option<&'static Self> {
        WORKLOADS.iter().find(|workload| workload.kind == kind && workload.has_version(api_version))
    }

    /// The versions that are known of a kind which a manifest names by another version of its group.
    #[must_use]
    pub fn of_other_version(api_version: &str, kind: &str) -> Option<&'static [&'static str]> {
        let group = |api_version: &str| api_version.split_once('/').map_or("", |(group, _)| group).to_owned();
        let is_meant = |workload: &&Self| {
            workload.kind == kind
                && workload.api_versions.iter().any(|known| group(known) == group(api_version))
                && !workload.api_versions.contains(&api_version)
        };
        WORKLOADS.iter().find(is_meant).map(|workload| workload.api_versions)
    }

    /// The groups and versions, as in `apiVersion`, that a manifest may name it by, the newest first.
    #[must_use]
    pub fn api_versions(&self) -> &'static [&'static str] {
        self.api_versions
    }

    /// The newest version, as in `apiVersion`.
    #[must_use]
    pub fn newest_version(&self) -> &'static str {
        self.api_versions.first().copied().unwrap_or_default()
    }

    /// Whether a manifest may name it by this `apiVersion`.
    #[must_use]
    pub fn has_version(&self, api_version: &str) -> bool {
        self.api_versions.contains(&api_version)
    }

    /// The paths of what the API server demands of a whole object in this version, besides its pod. Where one is absent, the
    /// object is a fragment: a patch of kustomize.
    #[must_use]
    pub fn required(&self, api_version: &str) -> &'static [&'static str] {
        match (self.kind, api_version) {
            ("CronJob", _) => &["spec.schedule"],
            // Older versions take the labels of the template.
            (_, "apps/v1" | "apps/v1beta2") => &["spec.selector"],
            _ => &[],
        }
    }

    /// The controller that makes its pods: a Deployment leaves that to a ReplicaSet. Those of a PodTemplate nobody makes.
    #[must_use]
    pub fn controller(&self) -> Controller {
        match self.kind {
            "Pod" => Controller::Written,
            "PodTemplate" => Controller::Unknown,
            "Deployment" => Controller::OfKind("ReplicaSet"),
            "CronJob" => Controller::OfKind("Job"),
            kind => Controller::OfKind(kind),
        }
    }

    /// Whether it is the pod itself, not something that makes pods.
    #[must_use]
    pub fn is_pod(&self) -> bool {
        self.template.is_empty()
    }

    /// The path from the object to what has the shape of a pod.
    #[must_use]
    pub fn template_steps(&self) -> Path<'static> {
        Path::from_keys(self.template.iter().copied())
    }

    /// Reads an object of this kind; `None` for `null`.
    ///
    /// # Errors
    /// When the text is not JSON, or a field that we read is of the wrong type.
    pub fn read<'a>(&self, reader: &mut Reader<'a>) -> Result<Option<WorkloadObject<'a>>> {
        let mut object = WorkloadObject { is_pod: self.is_pod(), ..WorkloadObject::default() };
        let start = reader.offset();
        let is_set = if self.is_pod() {
            object.read_pod(reader)?
        } else {
            object.read_outer(reader, self.template)?
        };
        object.text = reader.text_since(start);
        if let Some(pod) = &mut object.pod {
            pod.set_controller(self.controller());
        }
        Ok(is_set.then_some(object))
    }
}

impl<'a> WorkloadObject<'a> {
    /// The object's own metadata.
    #[must_use]
    pub fn metadata(&self) -> &Metadata<'a> {
        match &self.pod {
            Some(pod) if self.is_pod => &pod.metadata,
            _ => &self.outer,
        }
    }

    fn read_pod(&mut self, reader: &mut Reader<'a>) -> Result<bool> {
        let mut pod = Pod::default();
        let is_set = members!(reader, {
            "apiVersion" => self.api_version = reader.string()?,
            "kind" => self.kind = reader.string()?,
            "metadata" => pod.read_metadata(reader)?,
            "spec" => pod.read_spec(reader)?,
        })?;
        self.pod = Some(pod);
        Ok(is_set)
    }

    fn read_outer(&mut self, reader: &mut Reader<'a>, template: &[&str]) -> Result<bool> {
        let Some((first, rest)) = template.split_first() else {
            return Ok(false);
        };
        reader.object(|reader, key| {
            match key.as_ref() {
                "apiVersion" => self.api_version = reader.string()?,
                "kind" => self.kind = reader.string()?,
                "metadata" => drop(self.outer.read(reader)?),
                key if key == *first => (self.pod, self.template_text) = descend(reader, rest)?,
                key => reader.skip_unknown(key, &Names::new(&[first]))?,
            }
            Ok(())
        })
    }
}

/// Reads what has the shape of a pod at the end of the path, and its text; `None` where the path ends before.
fn descend<'a>(reader: &mut Reader<'a>, path: &[&str]) -> Result<(Option<Pod<'a>>, &'a str)> {
    let Some((first, rest)) = path.split_first() else {
        if reader.null()? {
            return Ok((None, ""));
        }
        let start = reader.offset();
        let pod = Pod::read(reader)?;
        return Ok((Some(pod), reader.text_since(start)));
    };
    let mut found = (None, "");
    reader.object(|reader, key| {
        if key == first {
            found = descend(reader, rest)?;
            Ok(())
        } else {
            reader.skip_unknown(key, &Names::new(&[first]))
        }
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &str, text: &'static str) -> WorkloadObject<'static> {
        let workload = WORKLOADS.iter().find(|workload| workload.kind == kind).expect(kind);
        workload.read(&mut Reader::over(text)).expect(text).expect("not null")
    }

    #[test]
    fn the_template_is_found_where_the_table_says() {
        for (kind, text) in [
            ("Pod", r#"{"metadata":{"name":"o"},"spec":{"containers":[{"name":"c"}]}}"#),
            ("PodTemplate", r#"{"metadata":{"name":"o"},"template":{"spec":{"containers":[{"name":"c"}]}}}"#),
            (
                "Deployment",
                r#"{"metadata":{"name":"o"},"spec":{"template":{"spec":{"containers":[{"name":"c"}]}}}}"#,
            ),
            (
                "CronJob",
                r#"{"metadata":{"name":"o"},"spec":{"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"name":"c"}]}}}}}}"#,
            ),
        ] {
            let object = read(kind, text);
            assert_eq!(object.metadata().name, "o", "{kind}");
            let pod = object.pod.expect(kind);
            assert_eq!(pod.containers().next().map(|(at, _)| at.name), Some("c"), "{kind}");
        }
    }

    #[test]
    fn an_object_without_a_template_has_no_pod() {
        for text in [r#"{"spec":{"template":null}}"#, r#"{"spec":null}"#, "{}"] {
            assert!(read("ReplicationController", text).pod.is_none(), "{text}");
        }
    }

    #[test]
    fn groups_tell_kinds_apart() {
        assert!(Workload::of_kind("batch/v1", "Job").is_some());
        assert!(Workload::of_kind("batch.volcano.sh/v1alpha1", "Job").is_none());
        assert!(Workload::of_resource("apps", "deployments").is_some());
        assert!(Workload::of_resource("", "deployments").is_none());
    }
}
