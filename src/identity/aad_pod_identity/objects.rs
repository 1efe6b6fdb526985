//! An AzureIdentity and an AzureIdentityBinding, as far as the identity of a pod depends on them.
//!
//! Upstream's controllers are written in Go, which takes the names of fields in any case, and early manifests have `ClientID`
//! and `Selector`. So has `spec` here. What an AzureIdentity says of its secret is not kept.

use std::fmt;

use crate::json::{Reader, Result, members};
use crate::text::{PrintableKey, prefix};

/// With this annotation, `namespaced`, an identity is only for pods of its own namespace.
const BEHAVIOR: &str = "aadpodidentity.k8s.io/Behavior";
/// Longest name or id that is kept, in bytes: longer ones are cut, and so match nothing.
const LONGEST_KEPT: usize = 512;

/// The two kinds of AAD Pod Identity that say which identity a pod has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodIdentityKind {
    /// AzureIdentity.
    Identity,
    /// AzureIdentityBinding.
    Binding,
}

impl PodIdentityKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Identity, Self::Binding];
    /// Their API group.
    pub const GROUP: &'static str = "aadpodidentity.k8s.io";
    /// Their `apiVersion`.
    pub const API_VERSION: &'static str = "aadpodidentity.k8s.io/v1";

    /// `kind`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "AzureIdentity",
            Self::Binding => "AzureIdentityBinding",
        }
    }

    /// The name of the resource.
    #[must_use]
    pub fn resource(self) -> &'static str {
        match self {
            Self::Identity => "azureidentities",
            Self::Binding => "azureidentitybindings",
        }
    }

    /// The kind of an object, if it is one of the two.
    #[must_use]
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| api_version == Self::API_VERSION && kind == one.name())
    }
}

/// The name of an object and of its namespace.
#[derive(Debug, Default, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    /// `metadata.namespace`.
    pub namespace: Box<str>,
    /// `metadata.name`.
    pub name: Box<str>,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", PrintableKey(&self.namespace), PrintableKey(&self.name))
    }
}

/// An identity in Azure.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct AzureIdentity {
    /// Its name.
    pub name: ObjectName,
    /// `spec.type`: 0 for a managed identity; 1 and 2 have a secret.
    pub identity_type: i64,
    /// `spec.clientID`; empty when absent.
    pub client_id: Box<str>,
    /// Whether it is only for pods of its own namespace.
    pub is_namespaced: bool,
}

/// Which pods have an identity.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct AzureIdentityBinding {
    /// Its name.
    pub name: ObjectName,
    /// `spec.azureIdentity`: the name of the identity, in the same namespace.
    pub azure_identity: Box<str>,
    /// `spec.selector`: what the label of the pods says.
    pub selector: Box<str>,
}

impl AzureIdentity {
    /// Reads one, of `default_namespace` if it names none.
    ///
    /// # Errors
    /// When the text is not JSON, a field is of the wrong type, or it has no name.
    pub fn read(mut reader: Reader<'_>, default_namespace: &str) -> Result<Self> {
        let reader = &mut reader;
        let mut identity = Self::default();
        members!(reader, {
            "metadata" => identity.is_namespaced = read_metadata(reader, &mut identity.name)?,
            "spec" => reader.object(|reader, key| {
                match key.to_ascii_lowercase().as_str() {
                    "type" => identity.identity_type = reader.integer()?.unwrap_or_default(),
                    "clientid" => identity.client_id = kept(&reader.string()?),
                    _ => drop(reader.skip()?),
                }
                Ok(())
            }).map(drop)?,
        })?;
        identity.name.complete(reader, default_namespace)?;
        Ok(identity)
    }
}

impl AzureIdentityBinding {
    /// What its annotations say is of no effect.
    fn read_metadata(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        read_metadata(reader, &mut self.name).map(|_| ())
    }

    /// Reads one, of `default_namespace` if it names none.
    ///
    /// # Errors
    /// As [`AzureIdentity::read`].
    pub fn read(mut reader: Reader<'_>, default_namespace: &str) -> Result<Self> {
        let reader = &mut reader;
        let mut binding = Self::default();
        members!(reader, {
            "metadata" => binding.read_metadata(reader)?,
            "spec" => reader.object(|reader, key| {
                match key.to_ascii_lowercase().as_str() {
                    "azureidentity" => binding.azure_identity = kept(&reader.string()?),
                    "selector" => binding.selector = kept(&reader.string()?),
                    _ => drop(reader.skip()?),
                }
                Ok(())
            }).map(drop)?,
        })?;
        binding.name.complete(reader, default_namespace)?;
        Ok(binding)
    }
}

/// Reads `metadata`, and returns whether the object is only for pods of its own namespace.
fn read_metadata(reader: &mut Reader<'_>, object: &mut ObjectName) -> Result<bool> {
    let mut is_namespaced = false;
    members!(reader, {
        "name" => object.name = kept(&reader.string()?),
        "namespace" => object.namespace = kept(&reader.string()?),
        "annotations" => reader.object(|reader, key| {
            if key != BEHAVIOR {
                return reader.skip_string();
            }
            is_namespaced = reader.string()? == "namespaced";
            Ok(())
        }).map(drop)?,
    })?;
    Ok(is_namespaced)
}

fn kept(text: &str) -> Box<str> {
    prefix(text, LONGEST_KEPT).into()
}

impl ObjectName {
    /// Fills in the namespace of an object that names none.
    fn complete(&mut self, reader: &Reader<'_>, default_namespace: &str) -> Result<()> {
        if self.name.is_empty() {
            return Err(reader.typed("metadata.name: not set"));
        }
        if self.namespace.is_empty() {
            self.namespace = default_namespace.into();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(namespace: &str, name: &str) -> ObjectName {
        ObjectName { namespace: namespace.into(), name: name.into() }
    }

    #[test]
    fn identities_are_read_as_go_reads_them() {
        let table = [
            (
                r#"{"metadata":{"name":"ml-id","namespace":"a"},"spec":{"type":0,"clientID":"x","resourceID":"/y"}}"#,
                AzureIdentity { name: name("a", "ml-id"), client_id: "x".into(), ..AzureIdentity::default() },
            ),
            (
                r#"{"metadata":{"name":"old","namespace":null,"annotations":{"aadpodidentity.k8s.io/Behavior":"namespaced","b":"c"}},
                    "spec":{"Type":2,"ClientID":"x","clientPassword":{"name":"secret"}}}"#,
                AzureIdentity {
                    name: name("default", "old"),
                    identity_type: 2,
                    client_id: "x".into(),
                    is_namespaced: true,
                },
            ),
            (
                r#"{"metadata":{"name":"n","annotations":{"aadpodidentity.k8s.io/Behavior":"Namespaced"}}}"#,
                AzureIdentity { name: name("default", "n"), ..AzureIdentity::default() },
            ),
        ];
        for (json, expected) in table {
            assert_eq!(AzureIdentity::read(Reader::over(json), "default").unwrap(), expected, "{json}");
        }
    }

    #[test]
    fn bindings_are_read_as_go_reads_them() {
        for spec in [
            r#"{"azureIdentity":"ml-id","selector":"ml"}"#,
            r#"{"AzureIdentity":"ml-id","Selector":"ml","weight":1}"#,
        ] {
            let json = format!(r#"{{"metadata":{{"name":"b","namespace":"a"}},"spec":{spec}}}"#);
            let binding = AzureIdentityBinding::read(Reader::over(&json), "default").unwrap();
            let expected = AzureIdentityBinding {
                name: name("a", "b"),
                azure_identity: "ml-id".into(),
                selector: "ml".into(),
            };
            assert_eq!(binding, expected, "{spec}");
        }
    }

    #[test]
    fn what_is_none_is_told() {
        for (json, fragment) in [
            ("{}", "metadata.name: not set"),
            (r#"{"metadata":{"name":7}}"#, "metadata.name: expected a string"),
            (r#"{"metadata":{"name":"a"},"spec":{"type":"0"}}"#, "spec.type: expected a whole number"),
            (r#"{"metadata":{"name":"a"},"spec":{"clientID":1}}"#, "spec.clientID: expected a string"),
            (r#"{"metadata":{"name":"a"},"spec":{"clientID":"1","clientID":"2"}}"#, "clientID"),
        ] {
            let error = AzureIdentity::read(Reader::over(json), "default").unwrap_err().to_string();
            assert!(error.contains(fragment), "{error}");
        }
        assert!(AzureIdentityBinding::read(Reader::over(r#"{"spec":{"selector":[]}}"#), "").is_err());
    }
}
