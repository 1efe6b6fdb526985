//! The names of the fields that Kubernetes has, asked of the types of `k8s_openapi`: they name them to whatever they are
//! read from.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use k8s_openapi::api::apps::v1::{
    DaemonSetSpec, Deployment, DeploymentSpec, ReplicaSetSpec, StatefulSetSpec,
};
use k8s_openapi::api::batch::v1::{CronJobSpec, JobSpec, JobTemplateSpec};
use k8s_openapi::api::core::v1::{
    AppArmorProfile, Capabilities, Container, EphemeralContainer, Pod, PodSecurityContext, PodSpec,
    PodTemplate, ReplicationControllerSpec, SELinuxOptions, SeccompProfile, SecurityContext,
    WindowsSecurityContextOptions,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

/// A kind of place in an object with pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// On the way from an object to its template.
    Outer,
    /// A pod or a template of one.
    Pod,
    /// `metadata` of either.
    Metadata,
    /// `spec` of a pod.
    PodSpec,
    /// `securityContext` of a pod.
    PodSecurity,
    /// Of any of the three kinds.
    Container,
    /// `securityContext` of a container.
    Security,
    /// `capabilities`, a profile or other options of a security context.
    Options,
}

static OUTER: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    union(&[
        names::<Deployment>(),
        names::<PodTemplate>(),
        names::<DeploymentSpec>(),
        names::<ReplicaSetSpec>(),
        names::<StatefulSetSpec>(),
        names::<DaemonSetSpec>(),
        names::<ReplicationControllerSpec>(),
        names::<JobSpec>(),
        names::<CronJobSpec>(),
        names::<JobTemplateSpec>(),
    ])
});
static POD: LazyLock<BTreeSet<&str>> = LazyLock::new(|| union(&[names::<Pod>()]));
static METADATA: LazyLock<BTreeSet<&str>> = LazyLock::new(|| union(&[names::<ObjectMeta>()]));
static POD_SPEC: LazyLock<BTreeSet<&str>> = LazyLock::new(|| union(&[names::<PodSpec>()]));
static POD_SECURITY: LazyLock<BTreeSet<&str>> = LazyLock::new(|| union(&[names::<PodSecurityContext>()]));
static CONTAINER: LazyLock<BTreeSet<&str>> =
    LazyLock::new(|| union(&[names::<Container>(), names::<EphemeralContainer>()]));
static SECURITY: LazyLock<BTreeSet<&str>> = LazyLock::new(|| union(&[names::<SecurityContext>()]));
static OPTIONS: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    union(&[
        names::<Capabilities>(),
        names::<SeccompProfile>(),
        names::<AppArmorProfile>(),
        names::<SELinuxOptions>(),
        names::<WindowsSecurityContextOptions>(),
    ])
});

impl Level {
    /// Whether Kubernetes has a field of this name there, in some kind of object.
    pub(super) fn has(self, name: &str) -> bool {
        let names = match self {
            Self::Outer => &OUTER,
            Self::Pod => &POD,
            Self::Metadata => &METADATA,
            Self::PodSpec => &POD_SPEC,
            Self::PodSecurity => &POD_SECURITY,
            Self::Container => &CONTAINER,
            Self::Security => &SECURITY,
            Self::Options => &OPTIONS,
        };
        names.contains(name)
    }
}

fn union(lists: &[&'static [&'static str]]) -> BTreeSet<&'static str> {
    lists.iter().flat_map(|names| names.iter().copied()).collect()
}

/// The fields of a type.
fn names<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    T::deserialize(FieldProbe).err().map_or(&[], |found| found.0)
}

/// Stands for an object, and answers with the names that it is asked for.
struct FieldProbe;

impl<'de> Deserializer<'de> for FieldProbe {
    type Error = FieldNames;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, FieldNames> {
        Err(FieldNames(&[]))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, FieldNames> {
        Err(FieldNames(names))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The names that a type asked for. It is an error only because that ends the reading.
#[derive(Debug)]
struct FieldNames(&'static [&'static str]);

impl fmt::Display for FieldNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for FieldNames {}

impl de::Error for FieldNames {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }
}
