//! A volume of a pod, and which sources it names.

use std::borrow::Cow;
use std::iter;

use crate::json::{Names, Reader, Result, members};
use crate::pod::projected_token::is_token_projection;

/// Makes the list of names, and the function from a name to its place in it, which every key of a volume goes through.
macro_rules! sources {
    ($($place:literal $name:literal,)+) => {
        const SOURCES: [&str; 30] = [$($name),+];
        const KNOWN: &Names<'_> = &Names::new(&SOURCES);

        fn place(name: &str) -> Option<u8> {
            match name {
                $($name => Some($place),)+
                _ => None,
            }
        }
    };
}

// Every volume source that Kubernetes has, in the order in which the standard looks for them: the nine that
// restricted allows, then the others.
sources! {
    0 "configMap",
    1 "csi",
    2 "downwardAPI",
    3 "emptyDir",
    4 "ephemeral",
    5 "image",
    6 "persistentVolumeClaim",
    7 "projected",
    8 "secret",
    9 "hostPath",
    10 "gcePersistentDisk",
    11 "awsElasticBlockStore",
    12 "gitRepo",
    13 "nfs",
    14 "iscsi",
    15 "glusterfs",
    16 "rbd",
    17 "flexVolume",
    18 "cinder",
    19 "cephfs",
    20 "flocker",
    21 "fc",
    22 "azureFile",
    23 "vsphereVolume",
    24 "quobyte",
    25 "azureDisk",
    26 "photonPersistentDisk",
    27 "portworxVolume",
    28 "scaleIO",
    29 "storageos",
}

/// How many of [`SOURCES`] restricted allows.
const RESTRICTED_SOURCES: usize = 9;

/// What the name of the API server's own token volume begins with.
const API_SERVER_TOKEN: &str = "kube-api-access-";

/// A kind of volume source, as its field is named. The standard's order is the order of `Ord`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VolumeSource(u8);

impl VolumeSource {
    /// `hostPath`.
    pub const HOST_PATH: Self = Self(9);
    /// `emptyDir`.
    pub const EMPTY_DIR: Self = Self(3);
    /// `projected`.
    pub const PROJECTED: Self = Self(7);
    /// `csi`.
    pub const CSI: Self = Self(1);
    /// `image`.
    pub const IMAGE: Self = Self(5);
    /// `flexVolume`.
    pub const FLEX_VOLUME: Self = Self(17);

    /// Every source, in the standard's order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0u8..).take(SOURCES.len()).map(Self)
    }

    /// The source whose field is `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        place(name).map(Self)
    }

    /// The name of its field: `persistentVolumeClaim`.
    #[must_use]
    pub fn name(self) -> &'static str {
        SOURCES.get(usize::from(self.0)).copied().unwrap_or("unknown")
    }

    /// Whether the restricted level allows it.
    #[must_use]
    pub fn is_restricted_safe(self) -> bool {
        usize::from(self.0) < RESTRICTED_SOURCES
    }
}

/// A volume: its name, and the sources that are set. Kubernetes allows one; before validation there
/// may be any number.
#[derive(Debug, Default)]
pub struct Volume<'a> {
    /// `name`.
    pub name: Cow<'a, str>,
    /// A bit for each of [`SOURCES`].
    sources: u32,
    /// Whether an unknown field is set: perhaps a source of a later Kubernetes.
    has_unknown: bool,
    /// `hostPath.path`; empty when absent.
    pub host_path: Cow<'a, str>,
    /// `projected`, as JSON text that is read when a rule or an identity asks; empty when absent.
    pub projected: &'a str,
    /// All of it, as JSON text: few rules look into a source, so it is read when one does.
    text: &'a str,
}

impl<'a> Volume<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self> {
        let mut volume = Self::default();
        let start = reader.offset();
        reader.object(|reader, key| {
            if key == "name" {
                volume.name = reader.string()?;
                return Ok(());
            }
            let source = VolumeSource::named(key);
            if reader.null()? {
                return Ok(());
            }
            match source {
                Some(source) => {
                    volume.sources |= 1 << source.0;
                    volume.read_source(source, reader)?;
                }
                None => {
                    // A directive of a patch, as `$patch`, is no field of any Kubernetes.
                    volume.has_unknown |= !key.starts_with('$');
                    reader.skip_unknown(key, KNOWN)?;
                }
            }
            Ok(())
        })?;
        volume.text = reader.text_since(start);
        Ok(volume)
    }

    /// What a source holds, as JSON text; empty when it is not set.
    ///
    /// # Errors
    /// None that reading the volume did not find.
    pub fn source(&self, source: VolumeSource) -> Result<&'a str> {
        let mut found = "";
        if self.has(source) && !self.text.is_empty() {
            Reader::over_part(self.text).object(|reader, key| {
                let text = reader.skip()?;
                if key == source.name() {
                    found = text;
                }
                Ok(())
            })?;
        }
        Ok(found)
    }

    fn read_source(&mut self, source: VolumeSource, reader: &mut Reader<'a>) -> Result<()> {
        let is_set = match source {
            VolumeSource::HOST_PATH => members!(reader, { "path" => self.host_path = reader.string()? }),
            VolumeSource::PROJECTED => {
                let start = reader.offset();
                let is_set = reader.object(|reader, _| reader.skip().map(drop));
                self.projected = reader.text_since(start);
                is_set
            }
            _ => reader.object(|reader, _| reader.skip().map(drop)),
        };
        is_set.map(drop)
    }

    /// The sources that are set, in the standard's order.
    pub fn sources(&self) -> impl Iterator<Item = VolumeSource> {
        let mut left = self.sources;
        iter::from_fn(move || {
            let place = left.trailing_zeros();
            left &= left.checked_sub(1)?;
            u8::try_from(place).ok().map(VolumeSource)
        })
    }

    /// Whether this source is set.
    #[must_use]
    pub fn has(&self, source: VolumeSource) -> bool {
        self.sources & (1 << source.0) != 0
    }

    /// Whether a source is set that the restricted level allows.
    #[must_use]
    pub fn has_restricted_safe(&self) -> bool {
        self.sources & ((1 << RESTRICTED_SOURCES) - 1) != 0
    }

    /// Whether a field is set that is no source of any Kubernetes we know.
    #[must_use]
    pub fn has_unknown_source(&self) -> bool {
        self.has_unknown
    }

    /// The type as the standard names it: the first source that is set, or `unknown`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.sources().next().map_or("unknown", VolumeSource::name)
    }

    /// Whether it is the volume that the API server itself adds to a pod, for the pod's own token, and nothing else.
    #[must_use]
    pub fn is_api_server_token(&self) -> bool {
        self.name.starts_with(API_SERVER_TOKEN)
            && self.sources == 1 << VolumeSource::PROJECTED.0
            && !self.has_unknown
            && is_token_projection(self.projected)
    }

    pub(super) fn apply_server_default(&mut self) {
        if self.sources == 0 && !self.has_unknown {
            self.sources = 1 << VolumeSource::EMPTY_DIR.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(text: &str) -> Volume<'_> {
        Volume::read(&mut Reader::over(text)).expect("a volume")
    }

    #[test]
    fn the_named_constants_are_their_names() {
        assert_eq!(VolumeSource::HOST_PATH.name(), "hostPath");
        assert_eq!(VolumeSource::EMPTY_DIR.name(), "emptyDir");
        assert_eq!(VolumeSource::PROJECTED.name(), "projected");
        assert_eq!(VolumeSource::CSI.name(), "csi");
        assert_eq!(VolumeSource::IMAGE.name(), "image");
        assert_eq!(VolumeSource::FLEX_VOLUME.name(), "flexVolume");
        assert_eq!(VolumeSource::all().filter(|source| source.is_restricted_safe()).count(), 9);
        assert!(VolumeSource::all().all(|source| VolumeSource::named(source.name()) == Some(source)));
    }

    #[test]
    fn a_source_is_read_when_it_is_asked_for() {
        let volume = volume(r#"{"csi": {"driver":"d"},"name":"v","image":null}"#);
        for (source, text) in [
            (VolumeSource::CSI, r#"{"driver":"d"}"#),
            (VolumeSource::IMAGE, ""),
            (VolumeSource::EMPTY_DIR, ""),
        ] {
            assert_eq!(volume.source(source).expect("a volume"), text);
        }
    }

    #[test]
    fn only_a_volume_without_any_source_becomes_an_empty_dir() {
        for (text, before, after) in [
            (r#"{"name":"v"}"#, "unknown", "emptyDir"),
            (r#"{"name":"v","nfs":null}"#, "unknown", "emptyDir"),
            (r#"{"name":"v","futureSource":{}}"#, "unknown", "unknown"),
            (r#"{"name":"v","hostPath":{"path":"/"}}"#, "hostPath", "hostPath"),
        ] {
            let mut volume = volume(text);
            assert_eq!(volume.type_name(), before, "{text}");
            volume.apply_server_default();
            assert_eq!(volume.type_name(), after, "{text}");
        }
    }
}
