//! The volume with the token: its name, what is in it, and how one that is there already is recognised.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value as Json;

use crate::finding::{Edit, EditOp, FieldPath, Subject, Value};
use crate::identity::azure::annotations::Expiration;
use crate::identity::azure::error::refused;
use crate::identity::azure::settings::{AzureSettings, TokenEndpoint, TokenLayout, TrustedCa};
use crate::identity::azure::variables::json_text;
use crate::identity::provider::InjectionError;
use crate::json::write_string;
use crate::pod::{Metadata, Volume};

/// The name of the volume up to v1.5.1.
const NAME_OF_V15: &str = "azure-identity-token";
/// What its name begins with since v1.6.0. The rest is a digest of the pod's name.
const PREFIX_OF_V16: &str = "azure-workload-identity-reserved-";
/// How many bytes of the digest are in the name, as 30 digits: it has 63 characters, as many as a volume's may have.
const DIGEST_BYTES: usize = 15;

/// Room for the JSON of most volumes.
const USUAL_VOLUME: usize = 512;

/// The volume that a pod is to have.
#[derive(Debug)]
pub(super) struct TokenVolume<'s> {
    layout: TokenLayout,
    name: String,
    audience: &'s str,
    expiration: Expiration,
    /// The source with the CA of the token endpoint, as JSON, behind a comma; empty for none.
    ca: String,
}

/// What a pod has of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FoundVolume<'p> {
    /// Nothing.
    Absent,
    /// The volume, under this name.
    Present(&'p str),
    /// One at this place under this name whose token is another: of another audience, or another lifetime.
    Different(usize, &'p str),
}

impl<'s> TokenVolume<'s> {
    pub(super) fn new(
        settings: &'s AzureSettings,
        endpoint: Option<&'s TokenEndpoint>,
        expiration: Expiration,
        metadata: &Metadata<'_>,
    ) -> Self {
        Self {
            layout: settings.layout,
            name: match settings.layout {
                TokenLayout::V15 => NAME_OF_V15.to_owned(),
                TokenLayout::V16 => name_of(metadata),
            },
            audience: endpoint.map_or(&settings.audience, |endpoint| &endpoint.audience),
            expiration,
            ca: endpoint
                .and_then(|endpoint| source_of(&endpoint.ca))
                .map(|ca| format!(",{ca}"))
                .unwrap_or_default(),
        }
    }

    /// Adds its `projected` to a JSON text.
    fn write_projected(&self, json: &mut String) {
        json.push_str("{\"sources\":[{\"serviceAccountToken\":{\"audience\":");
        write_string(self.audience, json);
        json.push_str(",\"expirationSeconds\":");
        json.push_str(&self.expiration.0.to_string());
        json.push_str(",\"path\":\"");
        json.push_str(self.layout.token_path());
        json.push_str("\"}}");
        json.push_str(&self.ca);
        json.push_str("]}");
    }

    /// What a pod has of it already. One that was made for another name of the pod counts, too: a pod that was stored and is
    /// made again has a name by then.
    ///
    /// # Errors
    /// When the reserved name is that of a volume which holds something else.
    pub(super) fn find<'p>(&self, volumes: &'p [Volume<'_>]) -> Result<FoundVolume<'p>, InjectionError> {
        let of_name = volumes.iter().position(|volume| volume.name == self.name);
        let position = of_name.or_else(|| {
            volumes.iter().position(|volume| {
                self.layout == TokenLayout::V16
                    && volume.name.starts_with(PREFIX_OF_V16)
                    && self.token_in(&read(volume)).is_some()
            })
        });
        let Some((index, volume)) = position.and_then(|index| Some((index, volumes.get(index)?))) else {
            return Ok(FoundVolume::Absent);
        };
        let mut projected = read(volume);
        if self.token_in(&projected).is_none() {
            return Err(refused(format!(
                "the volume {} holds no token for Azure, but its name is reserved for that: give the volume another name",
                self.name
            )));
        }
        // The API server adds it.
        if let Some(projected) = projected.as_object_mut() {
            projected.remove("defaultMode");
        }
        let mut wanted = String::new();
        self.write_projected(&mut wanted);
        let is_same = serde_json::from_str::<Json>(&wanted).is_ok_and(|wanted| wanted == projected);
        // The older webhook takes any volume with a token at its path, and leaves it as it is.
        if is_same || self.layout == TokenLayout::V15 {
            return Ok(FoundVolume::Present(&volume.name));
        }
        Ok(FoundVolume::Different(index, &volume.name))
    }

    /// The source of a `projected` that puts a token where this layout has it.
    fn token_in<'j>(&self, projected: &'j Json) -> Option<&'j Json> {
        let mut sources = projected.get("sources")?.as_array()?.iter();
        sources.find(|source| {
            let path = source.pointer("/serviceAccountToken/path").and_then(Json::as_str);
            path == Some(self.layout.token_path())
        })
    }

    /// The name that the volume has, or will have.
    pub(super) fn name<'f>(&'f self, found: &FoundVolume<'f>) -> &'f str {
        match found {
            FoundVolume::Absent => &self.name,
            FoundVolume::Present(name) | FoundVolume::Different(_, name) => name,
        }
    }

    /// The edit that adds the volume, or that gives the one there its content.
    pub(super) fn edit<'p>(&self, found: &FoundVolume<'_>) -> Edit<'p> {
        let mut json = String::with_capacity(USUAL_VOLUME);
        json.push_str("{\"name\":");
        write_string(self.name(found), &mut json);
        json.push_str(",\"projected\":");
        self.write_projected(&mut json);
        json.push('}');
        match found {
            FoundVolume::Absent | FoundVolume::Present(_) => {
                Edit::new(Subject::Pod, "volumes", EditOp::append(json))
            }
            FoundVolume::Different(index, _) => {
                let path = FieldPath::from("volumes").index(*index);
                Edit::new(Subject::Pod, path, EditOp::Set(Value::Json(json.into())))
            }
        }
    }
}

/// The `projected` of a volume; null where it has none, or one that cannot be read.
fn read(volume: &Volume<'_>) -> Json {
    serde_json::from_str(volume.projected).unwrap_or_default()
}

/// The name of the volume since v1.6.0, from the name of the pod, or what its name will begin with.
fn name_of(metadata: &Metadata<'_>) -> String {
    let digest = if metadata.name.is_empty() {
        digest(&SHA256, [&metadata.generate_name, " (prefix)"].concat().as_bytes())
    } else {
        digest(&SHA256, metadata.name.as_bytes())
    };
    let mut name = String::with_capacity(PREFIX_OF_V16.len() + 2 * DIGEST_BYTES);
    name.push_str(PREFIX_OF_V16);
    for byte in digest.as_ref().iter().take(DIGEST_BYTES) {
        for digit in [byte >> 4, byte & 0xf] {
            name.push(char::from_digit(digit.into(), 16).unwrap_or_default());
        }
    }
    name
}

/// The source that brings the CA of the token endpoint into the volume, as JSON.
fn source_of(ca: &TrustedCa) -> Option<String> {
    match ca {
        TrustedCa::Unset | TrustedCa::Inline(_) => None,
        TrustedCa::ConfigMap(name) => Some(format!(
            "{{\"configMap\":{{\"name\":{},\"items\":[{{\"key\":\"ca.crt\",\"path\":\"ca-cert/ca.crt\"}}],\
             \"optional\":false}}}}",
            json_text(name)
        )),
        TrustedCa::TrustBundle { signer, selector } => {
            let selector = selector.as_ref().and_then(|selector| serde_json::to_string(selector).ok());
            let selector =
                selector.map(|selector| format!("\"labelSelector\":{selector},")).unwrap_or_default();
            Some(format!(
                "{{\"clusterTrustBundle\":{{\"signerName\":{},{selector}\"optional\":false,\
                 \"path\":\"ca-cert/ca.crt\"}}}}",
                json_text(signer)
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Reader;
    use crate::pod::Pod;

    const TOKEN: &str = r#"{"serviceAccountToken":{"audience":"api://AzureADTokenExchange","expirationSeconds":3600,"path":"token/azure-identity-token"}}"#;

    fn settings(layout: TokenLayout) -> AzureSettings {
        AzureSettings { layout, ..AzureSettings::of_tenant("t") }
    }

    #[test]
    fn the_name_is_a_digest_of_the_pods() {
        for (name, generate_name, expected) in [
            ("train-0", "", "f14835adb20abfc86b9cea3eede2df"),
            ("train-0", "other-", "f14835adb20abfc86b9cea3eede2df"),
            ("", "trainer-7d4b9c6f5-", "f5cd95c3451921f2c7dd1c4e32d6d9"),
            ("pod", "", "425c89ed5bb78a7623fae60fd8a6f6"),
            ("", "infer-6c9d8b7f4d-", "483a7d1d4768c7e48766e0dc3cf71e"),
            ("", "", "7ae265465cf68a19ccd3c91d70dc31"),
        ] {
            let metadata =
                Metadata { name: name.into(), generate_name: generate_name.into(), ..Metadata::default() };
            assert_eq!(name_of(&metadata), format!("{PREFIX_OF_V16}{expected}"));
        }
    }

    #[test]
    fn a_volume_that_is_there_is_recognised_by_its_token() {
        let own = format!("{PREFIX_OF_V16}425c89ed5bb78a7623fae60fd8a6f6");
        let other = format!("{PREFIX_OF_V16}0");
        let projected = |sources: &str| format!(r#""projected":{{"defaultMode":420,"sources":[{sources}]}}"#);
        let longer = TOKEN.replace("3600", "7200");
        for (name, source, layout, expected) in [
            (own.as_str(), projected(TOKEN), TokenLayout::V16, "Present"),
            (&other, projected(TOKEN), TokenLayout::V16, "Present"),
            (&own, projected(&longer), TokenLayout::V16, "Different(0"),
            (&other, projected(&longer), TokenLayout::V16, "Different(0"),
            (&own, projected(&format!("{TOKEN},{{}}")), TokenLayout::V16, "Different(0"),
            (&own, r#""emptyDir":{}"#.to_owned(), TokenLayout::V16, "refused"),
            (&own, projected(""), TokenLayout::V16, "refused"),
            (&other, r#""emptyDir":{}"#.to_owned(), TokenLayout::V16, "Absent"),
            ("mine", projected(TOKEN), TokenLayout::V16, "Absent"),
            ("azure-identity-token", projected(TOKEN), TokenLayout::V15, "refused"),
            ("azure-identity-token", projected(&longer.replace("token/", "")), TokenLayout::V15, "Present"),
            ("azure-identity-token", projected(TOKEN), TokenLayout::V16, "Absent"),
            (&own, projected(TOKEN), TokenLayout::V15, "Absent"),
        ] {
            let text = format!(
                r#"{{"metadata":{{"name":"pod"}},"spec":{{"volumes":[{{"name":"{name}",{source}}}]}}}}"#
            );
            let pod = Pod::read(&mut Reader::over(&text)).expect("a pod");
            let settings = settings(layout);
            let volume = TokenVolume::new(&settings, None, Expiration(3600), &pod.metadata);
            let found = match volume.find(&pod.spec.volumes) {
                Ok(found) => format!("{found:?}"),
                Err(error) => format!("refused: {error}"),
            };
            assert!(found.starts_with(expected), "{text}: {found}");
        }
    }
}
