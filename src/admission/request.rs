//! The request of an AdmissionReview: what we read of it, in one pass over the bytes.
//!
//! The uid is kept from the moment that it is read, so that a review that breaks off or is wrong
//! further on is still refused by an answer with its uid. An HTTP error in its place would let the
//! object in wherever `failurePolicy` is `Ignore`.

use std::borrow::Cow;

use crate::admission::dispatch::is_ignored;
use crate::json::{ErrorKind, Reader, Result, members};
use crate::workload::{Object, Workload};

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
    pub(super) group: Cow<'b, str>,
    pub(super) resource: Cow<'b, str>,
    pub(super) subresource: Cow<'b, str>,
    pub(super) name: Cow<'b, str>,
    pub(super) namespace: Cow<'b, str>,
    pub(super) operation: Cow<'b, str>,
    pub(super) is_dry_run: bool,
    pub(super) object: Part<'b>,
    pub(super) old_object: Part<'b>,
}

/// An object of a request.
#[derive(Debug, Default)]
pub(super) enum Part<'b> {
    /// Absent, or `null`.
    #[default]
    Absent,
    /// There, but not of a kind or in a request that needs it.
    Unread,
    /// Read.
    Read(Box<Object<'b>>),
    /// Not read yet: it came before what says how to read it.
    Deferred {
        /// Its text.
        text: &'b str,
        /// The byte of the review at which it begins.
        offset: usize,
    },
}

impl<'b> Envelope<'b> {
    /// Reads the envelope. What could be read is left in `self` also when it fails.
    pub(super) fn read(&mut self, mut reader: Reader<'b>, is_strict: bool) -> Result<()> {
        if is_strict {
            reader = reader.refusing_misspelt_case();
        }
        let read = self.read_review(&mut reader).and_then(|()| reader.end());
        if let Err(error) = &read {
            // Of two uids, nobody knows which one is waited for.
            let is_at_uid = error.is_at(&["request"]) || error.is_at(&["request", "uid"]);
            if error.kind() == ErrorKind::Repeated && is_at_uid {
                self.request.uid = Cow::default();
            }
        }
        read.and_then(|()| self.request.read_deferred(is_strict))
    }

    fn read_review(&mut self, reader: &mut Reader<'b>) -> Result<()> {
        members!(reader, {
            "apiVersion" => self.api_version = reader.string()?,
            "kind" => self.kind = reader.string()?,
            "request" => self.request.read(reader)?,
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
    fn read(&mut self, reader: &mut Reader<'b>) -> Result<()> {
        let mut plain_subresource = Cow::default();
        members!(reader, {
            "uid" => self.uid = reader.string()?,
            "kind" => members!(reader, { "kind" => self.kind = reader.string()? }).map(drop)?,
            "resource" => members!(reader, {
                "group" => self.group = reader.string()?,
                "resource" => self.resource = reader.string()?,
            })
            .map(drop)?,
            "subResource" => plain_subresource = reader.string()?,
            // The subresource as the request named it; the plain one may be of a converted request.
            "requestSubResource" => self.subresource = reader.string()?,
            "name" => self.name = reader.string()?,
            "namespace" => self.namespace = reader.string()?,
            "operation" => self.operation = reader.string()?,
            "dryRun" => self.is_dry_run = reader.boolean()?.unwrap_or_default(),
            "object" => self.object = self.read_part(reader, true)?,
            "oldObject" => self.old_object = self.read_part(reader, self.operation == "UPDATE")?,
        })?;
        if self.subresource.is_empty() {
            self.subresource = plain_subresource;
        }
        Ok(())
    }

    /// Reads an object if it is known by now how, and whether it is wanted.
    fn read_part(&self, reader: &mut Reader<'b>, is_wanted: bool) -> Result<Part<'b>> {
        if reader.null()? {
            return Ok(Part::Absent);
        }
        if self.resource.is_empty() || self.operation.is_empty() {
            let text = reader.skip()?;
            return Ok(Part::Deferred { text, offset: reader.offset() - text.len() });
        }
        match self.workload().filter(|_| is_wanted) {
            Some(workload) => read_object(workload, reader),
            None => reader.skip().map(|_| Part::Unread),
        }
    }

    /// The kind that the request is for, if it is one that carries pods and its subresource carries
    /// the whole object.
    pub(super) fn workload(&self) -> Option<&'static Workload> {
        Workload::of_resource(&self.group, &self.resource)
            .filter(|workload| !is_ignored(workload, &self.subresource))
    }

    fn read_deferred(&mut self, is_strict: bool) -> Result<()> {
        let is_update = self.operation == "UPDATE";
        let workload = self.workload();
        let parts = [(&mut self.object, "object", true), (&mut self.old_object, "oldObject", is_update)];
        for (part, name, is_wanted) in parts {
            let Part::Deferred { text, offset } = *part else { continue };
            let mut reader = Reader::over(text);
            if is_strict {
                reader = reader.refusing_misspelt_case();
            }
            *part = match workload.filter(|_| is_wanted) {
                Some(workload) => read_object(workload, &mut reader)
                    .map_err(|error| error.within(&["request", name], offset))?,
                None => Part::Unread,
            };
        }
        Ok(())
    }
}

fn read_object<'b>(workload: &Workload, reader: &mut Reader<'b>) -> Result<Part<'b>> {
    Ok(match workload.read(reader)? {
        Some(object) => Part::Read(Box::new(object)),
        None => Part::Absent,
    })
}
