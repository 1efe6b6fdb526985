//! The request of an AdmissionReview: what we read of it, in one pass over the bytes.
//!
//! The uid is kept from the moment that it is read, so that a review that breaks off or is wrong
//! further on is still refused by an answer with its uid. An HTTP error in its place would let the
//! object in wherever `failurePolicy` is `Ignore`.

use std::borrow::Cow;

use crate::admission::object_type::ObjectType;
use crate::admission::subresource::is_ignored;
use crate::json::{ErrorKind, JsonError, Reader, Result, members};
use crate::pod::Metadata;
use crate::workload::{Workload, WorkloadObject};

/// Longest uid that is echoed. The API server's are UUIDs of 36 bytes.
const LONGEST_UID: usize = 256;

/// The envelope of a review, as far as it could be read.
#[derive(Debug, Default)]
pub(super) struct Envelope<'b> {
    pub(super) api_version: Cow<'b, str>,
    pub(super) kind: Cow<'b, str>,
    pub(super) request: Request<'b>,
}

/// `request`; a string that is absent is empty.
#[derive(Debug, Default)]
pub(super) struct Request<'b> {
    pub(super) uid: Cow<'b, str>,
    pub(super) kind: Cow<'b, str>,
    /// The API group of the kind.
    pub(super) kind_group: Cow<'b, str>,
    /// Its version.
    pub(super) kind_version: Cow<'b, str>,
    /// The API group of the resource.
    pub(super) group: Cow<'b, str>,
    pub(super) resource: Cow<'b, str>,
    pub(super) subresource: Cow<'b, str>,
    /// `subResource`, which is the same unless the parts of the request contradict each other.
    pub(super) plain_subresource: Cow<'b, str>,
    /// What was asked for, before it was converted to what the webhook's rules name; empty from an old API server.
    pub(super) requested_kind_group: Cow<'b, str>,
    pub(super) requested_kind: Cow<'b, str>,
    pub(super) requested_group: Cow<'b, str>,
    pub(super) requested_resource: Cow<'b, str>,
    /// The subresource as the request named it, and nothing else: what Kubernetes' own admission looks at.
    pub(super) requested_subresource: Cow<'b, str>,
    pub(super) username: Cow<'b, str>,
    /// The groups of the user, as JSON text: exemptions ask for them, and few controls. Empty when absent.
    pub(super) groups: &'b str,
    pub(super) name: Cow<'b, str>,
    pub(super) namespace: Cow<'b, str>,
    pub(super) operation: Cow<'b, str>,
    pub(super) is_dry_run: bool,
    pub(super) object: ObjectField<'b>,
    pub(super) old_object: ObjectField<'b>,
}

/// An object of a request.
#[derive(Debug, Default)]
pub(super) enum ObjectField<'b> {
    /// Absent, or `null`.
    #[default]
    Absent,
    /// There, but not of a kind or in a request that needs it.
    Unread,
    /// Read.
    Read(Box<WorkloadObject<'b>>),
    /// An object without pods: only what identifies it is read.
    Named(Box<NamedObject<'b>>),
    /// JSON, but not what its kind demands. Only Kubernetes' own admission may still allow it.
    Faulty(JsonError),
    /// Not read yet: it came before its kind was known.
    Deferred {
        /// Its text.
        text: &'b str,
        /// The byte of the review at which it begins.
        offset: usize,
    },
}

/// What identifies an object without pods.
#[derive(Debug, Default)]
pub(super) struct NamedObject<'b> {
    pub(super) api_version: Cow<'b, str>,
    pub(super) kind: Cow<'b, str>,
    pub(super) metadata: Metadata<'b>,
    /// Its text, if it may be a custom resource.
    pub(super) text: &'b str,
}

/// How a review is read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadMode {
    /// As a gate: a field whose name has the wrong case is refused.
    Gate,
    /// As Kubernetes reads it.
    #[default]
    Plain,
    /// As Kubernetes' own admission does: objects of kinds without pods too, and what is wrong with an object
    /// is reported only if it is looked at.
    PodSecurity,
}

impl<'b> Envelope<'b> {
    /// Reads the envelope. What could be read is left in `self` also when it fails.
    pub(super) fn read(&mut self, mut reader: Reader<'b>, mode: ReadMode) -> Result<()> {
        if mode == ReadMode::Gate {
            reader = reader.refusing_misspelt_case();
        }
        let read = self.read_review(&mut reader, mode).and_then(|()| reader.end());
        if let Err(error) = &read {
            // Of two uids, either may be the one that is waited for.
            let is_at_uid = error.is_at(&["request"]) || error.is_at(&["request", "uid"]);
            if error.kind() == ErrorKind::Repeated && is_at_uid {
                self.request.uid = Cow::default();
            }
        }
        read.and_then(|()| self.request.read_deferred(mode))
    }

    fn read_review(&mut self, reader: &mut Reader<'b>, mode: ReadMode) -> Result<()> {
        members!(reader, {
            "apiVersion" => self.api_version = reader.string()?,
            "kind" => self.kind = reader.string()?,
            "request" => self.request.read(reader, mode)?,
        })
        .map(drop)
    }

    /// The uid, if there is one that can be echoed.
    pub(super) fn uid(&self) -> Option<&Cow<'b, str>> {
        let uid = &self.request.uid;
        let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && !b"\"\\".contains(&byte);
        (!uid.is_empty() && uid.len() <= LONGEST_UID && uid.bytes().all(is_plain)).then_some(uid)
    }
}

impl<'b> Request<'b> {
    fn read(&mut self, reader: &mut Reader<'b>, mode: ReadMode) -> Result<()> {
        members!(reader, {
            "uid" => self.uid = reader.string()?,
            "kind" => members!(reader, {
                "group" => self.kind_group = reader.string()?,
                "version" => self.kind_version = reader.string()?,
                "kind" => self.kind = reader.string()?,
            })
            .map(drop)?,
            "resource" => members!(reader, {
                "group" => self.group = reader.string()?,
                "resource" => self.resource = reader.string()?,
            })
            .map(drop)?,
            "subResource" => {
                self.plain_subresource = reader.string()?;
                if self.requested_subresource.is_empty() {
                    self.subresource = self.plain_subresource.clone();
                }
            },
            // The subresource as the request named it; the plain one may be of a converted request.
            "requestSubResource" => {
                self.requested_subresource = reader.string()?;
                if !self.requested_subresource.is_empty() {
                    self.subresource = self.requested_subresource.clone();
                }
            },
            "requestKind" => members!(reader, {
                "group" => self.requested_kind_group = reader.string()?,
                "kind" => self.requested_kind = reader.string()?,
            })
            .map(drop)?,
            "requestResource" => members!(reader, {
                "group" => self.requested_group = reader.string()?,
                "resource" => self.requested_resource = reader.string()?,
            })
            .map(drop)?,
            "name" => self.name = reader.string()?,
            "namespace" => self.namespace = reader.string()?,
            "userInfo" => members!(reader, {
                "username" => self.username = reader.string()?,
                "groups" => self.groups = reader.skip()?,
            })
            .map(drop)?,
            "operation" => self.operation = reader.string()?,
            "dryRun" => self.is_dry_run = reader.boolean()?.unwrap_or_default(),
            "object" => self.object = self.read_part(reader, mode, true)?,
            "oldObject" => self.old_object = self.read_part(reader, mode, self.operation == "UPDATE")?,
        })?;
        Ok(())
    }

    /// Reads an object if it is known by now how, and whether it is wanted.
    fn read_part(&self, reader: &mut Reader<'b>, mode: ReadMode, is_wanted: bool) -> Result<ObjectField<'b>> {
        if reader.null()? {
            return Ok(ObjectField::Absent);
        }
        let has_type = mode != ReadMode::PodSecurity || !self.kind.is_empty();
        if self.resource.is_empty() || self.operation.is_empty() || !has_type {
            let text = reader.skip()?;
            return Ok(ObjectField::Deferred { text, offset: reader.offset() - text.len() });
        }
        if is_wanted { self.read_object(reader, mode) } else { reader.skip().map(|_| ObjectField::Unread) }
    }

    /// Reads an object as far as it is looked at in this mode.
    fn read_object(&self, reader: &mut Reader<'b>, mode: ReadMode) -> Result<ObjectField<'b>> {
        match (self.workload(), mode) {
            (_, ReadMode::PodSecurity) => self.read_by_type(reader),
            (Some(workload), ReadMode::Gate | ReadMode::Plain) => read_workload(workload, reader),
            (None, ReadMode::Gate | ReadMode::Plain) => read_names(reader),
        }
    }

    /// Reads an object by its own type. Mostly that is the one its request says, so it is tried first.
    fn read_by_type(&self, reader: &mut Reader<'b>) -> Result<ObjectField<'b>> {
        let start = reader.offset();
        let expected = self.object_type().workload();
        let part = attempt(expected, reader)?;
        let text = reader.text_since(start);
        let mut named = NamedObject::default();
        if matches!(part, ObjectField::Faulty(_)) {
            // It may be of another type, and no fault in that.
            let _ = named.read_type(&mut Reader::over(text));
        }
        let own = part.own_type().or_else(|| ObjectType::new(&named.api_version, &named.kind));
        let workload = own.and_then(|own| own.or(self.object_type()).workload());
        if workload == expected { Ok(part) } else { attempt(workload, &mut Reader::over(text)) }
    }

    /// Calls back with each group of the user who made the request.
    ///
    /// # Errors
    /// What they are, if they are no list of strings.
    pub(super) fn for_each_group(&self, mut each: impl FnMut(&str)) -> Result<()> {
        if self.groups.is_empty() {
            return Ok(());
        }
        Reader::over_part(self.groups).array(|reader, _| {
            each(&reader.string()?);
            Ok(())
        })
    }

    /// The type that the request says its objects are of.
    pub(super) fn object_type(&self) -> ObjectType<'_> {
        ObjectType { group: &self.kind_group, version: &self.kind_version, kind: &self.kind }
    }

    /// The kind that the request is for, if it is one that carries pods and its subresource carries
    /// the whole object.
    pub(super) fn workload(&self) -> Option<&'static Workload> {
        Workload::of_resource(&self.group, &self.resource)
            .filter(|workload| !is_ignored(workload, &self.subresource))
    }

    fn read_deferred(&mut self, mode: ReadMode) -> Result<()> {
        let object = self.deferred(&self.object, "object", mode, true)?;
        let old_object = self.deferred(&self.old_object, "oldObject", mode, self.operation == "UPDATE")?;
        self.object = object.unwrap_or_else(|| std::mem::take(&mut self.object));
        self.old_object = old_object.unwrap_or_else(|| std::mem::take(&mut self.old_object));
        Ok(())
    }

    /// Reads a part that came before its kind was known; `None` if there is none.
    fn deferred(
        &self,
        part: &ObjectField<'b>,
        name: &str,
        mode: ReadMode,
        is_wanted: bool,
    ) -> Result<Option<ObjectField<'b>>> {
        let ObjectField::Deferred { text, offset } = *part else { return Ok(None) };
        if !is_wanted {
            return Ok(Some(ObjectField::Unread));
        }
        let mut reader = Reader::over(text);
        if mode == ReadMode::Gate {
            reader = reader.refusing_misspelt_case();
        }
        self.read_object(&mut reader, mode)
            .map(Some)
            .map_err(|error| error.within(&["request", name], offset))
    }
}

impl<'b> NamedObject<'b> {
    fn read_type(&mut self, reader: &mut Reader<'b>) -> Result<bool> {
        members!(reader, {
            "apiVersion" => self.api_version = reader.string()?,
            "kind" => self.kind = reader.string()?,
        })
    }
}

impl ObjectField<'_> {
    /// The type that an object says it is of, as far as it was read.
    pub(super) fn own_type(&self) -> Option<ObjectType<'_>> {
        match self {
            Self::Read(object) => ObjectType::new(&object.api_version, &object.kind),
            Self::Named(named) => ObjectType::new(&named.api_version, &named.kind),
            Self::Absent | Self::Unread | Self::Faulty(_) | Self::Deferred { .. } => None,
        }
    }
}

/// Reads an object as one that carries pods, or else what names it.
fn attempt<'b>(workload: Option<&Workload>, reader: &mut Reader<'b>) -> Result<ObjectField<'b>> {
    let read = reader.attempt(|reader| match workload {
        Some(workload) => read_workload(workload, reader),
        None => read_named(reader),
    })?;
    Ok(read.unwrap_or_else(ObjectField::Faulty))
}

fn read_workload<'b>(workload: &Workload, reader: &mut Reader<'b>) -> Result<ObjectField<'b>> {
    Ok(match workload.read(reader)? {
        Some(object) => ObjectField::Read(Box::new(object)),
        None => ObjectField::Absent,
    })
}

/// Reads what an object without pods says that it is, and which.
fn read_names<'b>(reader: &mut Reader<'b>) -> Result<ObjectField<'b>> {
    let mut named = NamedObject::default();
    let start = reader.offset();
    members!(reader, {
        "apiVersion" => named.api_version = reader.string()?,
        "kind" => named.kind = reader.string()?,
        "metadata" => members!(reader, {
            "name" => named.metadata.name = reader.string()?,
            "namespace" => named.metadata.namespace = reader.string()?,
        })
        .map(drop)?,
    })?;
    named.text = reader.text_since(start);
    Ok(ObjectField::Named(Box::new(named)))
}

fn read_named<'b>(reader: &mut Reader<'b>) -> Result<ObjectField<'b>> {
    let mut named = NamedObject::default();
    members!(reader, {
        "apiVersion" => named.api_version = reader.string()?,
        "kind" => named.kind = reader.string()?,
        "metadata" => named.metadata.read(reader).map(drop)?,
    })?;
    Ok(ObjectField::Named(Box::new(named)))
}
