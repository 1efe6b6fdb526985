//! The volume mounts of a container.

use std::borrow::Cow;

use crate::json::{Reader, Result, members};

/// `volumeMounts` of a container, kept as JSON text: few rules look into them, so they are read when one does.
#[derive(Debug, Default, Clone, Copy)]
pub struct VolumeMounts<'a>(&'a str);

/// A volume mount.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct VolumeMount<'a> {
    /// `name`: that of the volume.
    pub name: Cow<'a, str>,
    /// `mountPath`.
    pub mount_path: Cow<'a, str>,
    /// `readOnly`.
    pub is_read_only: Option<bool>,
    /// `recursiveReadOnly`; empty when absent.
    pub recursive_read_only: Cow<'a, str>,
    /// Whether a part of the volume is mounted: by `subPath` or `subPathExpr`.
    pub is_of_a_part: bool,
    /// `subPath`; empty when absent.
    pub sub_path: Cow<'a, str>,
    /// Whether `subPathExpr` says which part it is.
    pub has_sub_path_expr: bool,
}

impl<'a> VolumeMounts<'a> {
    pub(super) const fn of(text: &'a str) -> Self {
        Self(text)
    }

    /// The JSON text; empty when absent.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.0
    }

    /// Whether they are set, not `null`.
    #[must_use]
    pub fn are_set(self) -> bool {
        !matches!(self.0, "" | "null")
    }

    /// Whether one may have this text in it, or they are no list, at little cost: where neither can be, they need not be read.
    #[must_use]
    pub fn may_have(self, text: &str) -> bool {
        let is_list = !self.are_set() || self.0.starts_with('[');
        !is_list || self.0.contains(text) || memchr::memchr(b'\\', self.0.as_bytes()).is_some()
    }

    /// Calls back with each mount and its index.
    ///
    /// # Errors
    /// When they are not a list of mounts, or a name differs from one that is read in case only.
    pub fn for_each(self, mut each: impl FnMut(usize, VolumeMount<'a>)) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        Reader::over_part(self.0).refusing_misspelt_case().array(|reader, index| {
            let mut mount = VolumeMount::default();
            members!(reader, {
                "name" => mount.name = reader.string()?,
                "mountPath" => mount.mount_path = reader.string()?,
                "readOnly" => mount.is_read_only = reader.boolean()?,
                "recursiveReadOnly" => mount.recursive_read_only = reader.string()?,
                "subPath" => mount.sub_path = reader.string()?,
                "subPathExpr" => mount.has_sub_path_expr = !reader.string()?.is_empty(),
            })?;
            mount.is_of_a_part = mount.has_sub_path_expr || !mount.sub_path.is_empty();
            each(index, mount);
            Ok(())
        })
    }
}
