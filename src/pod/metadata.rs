//! The metadata of a pod.

use std::borrow::Cow;

use crate::json::{Reader, Result, members};
use crate::pod::limits::MAX_ITEMS;

/// Annotations that a control or an identity reads start with one of these; the others are not kept.
const KEPT_ANNOTATIONS: [&str; 6] = [
    "container.apparmor.security.beta.kubernetes.io/",
    "container.seccomp.security.alpha.kubernetes.io/",
    "seccomp.security.alpha.kubernetes.io/",
    Metadata::MIRROR,
    "azure.workload.identity/",
    "podgate.dev/",
];

/// Room for the labels of a usual pod.
const USUAL_LABELS: usize = 16;

/// Labels or annotations, in the order of the text.
type StringMap<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// `metadata` of a pod or template; an absent name is empty.
#[derive(Debug, Default)]
pub struct Metadata<'a> {
    /// `name`.
    pub name: Cow<'a, str>,
    /// `generateName`.
    pub generate_name: Cow<'a, str>,
    /// `namespace`.
    pub namespace: Cow<'a, str>,
    /// `labels`; `None` when absent, which a patch must know.
    pub labels: Option<StringMap<'a>>,
    /// Those of `annotations` that a control or an identity reads the value of.
    pub annotations: StringMap<'a>,
    /// All of `annotations`, as JSON text; empty when absent.
    pub annotation_text: &'a str,
    /// The controlling one of `ownerReferences`.
    pub owner: Option<Owner<'a>>,
}

/// The controller that made an object.
#[derive(Debug, Default, Clone)]
pub struct Owner<'a> {
    /// `apiVersion`.
    pub api_version: Cow<'a, str>,
    /// `kind`.
    pub kind: Cow<'a, str>,
    /// `name`.
    pub name: Cow<'a, str>,
    /// `uid`.
    pub uid: Cow<'a, str>,
}

impl<'a> Metadata<'a> {
    /// The annotation of a mirror pod, which shows a static pod of a node and cannot be changed.
    pub const MIRROR: &'static str = "kubernetes.io/config.mirror";

    /// The value of a label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        find(self.labels.as_deref().unwrap_or_default(), key)
    }

    /// The value of an annotation that a control reads.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        find(&self.annotations, key)
    }

    /// Whether it was set, not `null`.
    pub(crate) fn read(&mut self, reader: &mut Reader<'a>) -> Result<bool> {
        members!(reader, {
            "name" => self.name = reader.string()?,
            "generateName" => self.generate_name = reader.string()?,
            "namespace" => self.namespace = reader.string()?,
            "labels" => self.labels = read_labels(reader)?,
            "annotations" => self.read_annotations(reader)?,
            "ownerReferences" => reader.array(|reader, _| {
                if let Some(owner) = read_controller(reader)? {
                    self.owner.get_or_insert(owner);
                }
                Ok(())
            })?,
        })
    }
}

impl<'a> Metadata<'a> {
    fn read_annotations(&mut self, reader: &mut Reader<'a>) -> Result<()> {
        let start = reader.offset();
        reader.object(|reader, key| {
            // Others may be long, and a copy of what was applied last mostly is: nothing but escapes.
            if !KEPT_ANNOTATIONS.iter().any(|prefix| key.starts_with(prefix)) {
                return reader.skip_string();
            }
            let value = reader.string()?;
            reader.keep(self.annotations.len(), MAX_ITEMS, "annotations of AppArmor and seccomp")?;
            self.annotations.push((key.clone(), value));
            Ok(())
        })?;
        self.annotation_text = reader.text_since(start);
        Ok(())
    }

    /// Calls back with the key of each annotation, whether or not its value is kept, and with the value as JSON text.
    ///
    /// # Errors
    /// None that reading the metadata did not find.
    pub fn for_each_annotation(&self, mut each: impl FnMut(Cow<'a, str>, &'a str)) -> Result<()> {
        if self.annotation_text.is_empty() {
            return Ok(());
        }
        Reader::over_part(self.annotation_text)
            .object(|reader, key| {
                each(key.clone(), reader.skip()?);
                Ok(())
            })
            .map(drop)
    }

    /// Whether labels or annotations differ from those of another object, or are written in another way.
    pub(super) fn differs_in_labels_or_annotations(&self, other: &Self) -> bool {
        self.labels != other.labels || self.annotation_text != other.annotation_text
    }
}

fn find<'m>(map: &'m [(Cow<'_, str>, Cow<'_, str>)], key: &str) -> Option<&'m str> {
    map.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_ref())
}

fn read_labels<'a>(reader: &mut Reader<'a>) -> Result<Option<StringMap<'a>>> {
    let mut labels = Vec::with_capacity(USUAL_LABELS);
    let is_set = reader.object(|reader, key| {
        reader.keep(labels.len(), MAX_ITEMS, "labels")?;
        labels.push((key.clone(), reader.string()?));
        Ok(())
    })?;
    Ok(is_set.then_some(labels))
}

/// Reads an owner reference, and returns it if it is the controlling one.
fn read_controller<'a>(reader: &mut Reader<'a>) -> Result<Option<Owner<'a>>> {
    let mut owner = Owner::default();
    let mut is_controller = false;
    members!(reader, {
        "apiVersion" => owner.api_version = reader.string()?,
        "kind" => owner.kind = reader.string()?,
        "name" => owner.name = reader.string()?,
        "uid" => owner.uid = reader.string()?,
        "controller" => is_controller = reader.boolean()?.unwrap_or_default(),
    })?;
    Ok(is_controller.then_some(owner))
}
