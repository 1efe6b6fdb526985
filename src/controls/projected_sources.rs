//! `projectedSources` (extended): what `projected` volumes bring into a pod: tokens, certificates, Secrets.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::controls::pattern::{Pattern, any_matches};
use crate::controls::written::written;
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation, text,
};
use crate::finding::{Choices, FieldPath, Finding, Fix, Found, Sink, Subject, Value};
use crate::json::{Reader, Result, members};
use crate::pod::{Changes, Volume, VolumeSource};

pub(super) static CONTROL: Control = Control {
    id: "projectedSources",
    number: 45,
    values: &[FoundValue::Text, FoundValue::Integer],
    origin: Origin::Extended {
        parameters: Parameters::of::<ProjectedSources>(),
        // The volumes of a pod are immutable, but a new ephemeral container can mount one of them.
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation,
    doc: Doc {
        title: "Sources of projected volumes",
        rule: "A `projected` volume may have only sources of the types that the policy lists, or of any type that Kubernetes has \
               if it lists none. A `serviceAccountToken` is a credential: the policy can say for which audiences it may be, and \
               for how long at most; one without `expirationSeconds` is valid for 3600. A token without an audience is for \
               the API server, and matches no pattern but `*`. A `podCertificate` may be of the listed signers, a \
               `clusterTrustBundle` of the listed names and signers. The volume with the pod's own token, which the API \
               server adds to it (`kube-api-access-...`), is always allowed: `automountServiceAccountToken` is about that one.",
        history: "Enabled where a policy sets `controls.projectedSources`.",
        fields: &["spec.volumes[*].projected.sources"],
        fix: "Remove the source, or keep to what the policy lists.",
        example: "volumes:\n- name: cloud-token\n  projected:\n    sources:\n    - serviceAccountToken:\n        audience: \
                  sts.amazonaws.com\n        expirationSeconds: 3600\n        path: token\n",
        cel: Cel::Whole,
    },
};

/// What a projected volume can have.
const TYPES: [&str; 6] =
    ["configMap", "downwardAPI", "secret", "serviceAccountToken", "clusterTrustBundle", "podCertificate"];

/// How long a token is valid that says nothing about it, in seconds.
const DEFAULT_SECONDS: i64 = 3600;
/// The shortest life of a token that the API server takes, in seconds.
const SHORTEST_SECONDS: i64 = 600;

/// The parameters of `controls.projectedSources`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProjectedSources {
    /// The allowed types of sources, named like their fields; without it, all that Kubernetes has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<SourceType>>", length(min = 1))]
    allowed: Option<Vec<String>>,
    /// Which tokens are allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service_account_token: Option<Tokens>,
    /// Which certificates of the pod's own are allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pod_certificate: Option<Certificates>,
    /// Which certificates of authorities are allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster_trust_bundle: Option<TrustBundles>,
}

/// The name of a source, for the schema.
struct SourceType;

impl schemars::JsonSchema for SourceType {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SourceType".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "enum": TYPES })
    }
}

/// The allowed tokens.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Tokens {
    /// The allowed audiences, in which `*` is any text: `sts.amazonaws.com`; without it, any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audiences: Option<Vec<Pattern>>,
    /// The longest life, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_expiration_seconds: Option<i64>,
}

/// The allowed certificates.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Certificates {
    /// The allowed signers, in which `*` is any text: `example.com/mesh`.
    signers: Vec<Pattern>,
}

/// The allowed certificates of authorities.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TrustBundles {
    /// The allowed bundles by name, in which `*` is any text.
    #[serde(default)]
    names: Vec<Pattern>,
    /// The signers whose bundles are allowed, in which `*` is any text.
    #[serde(default)]
    signers: Vec<Pattern>,
}

impl Check for ProjectedSources {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        for (index, volume) in pod.spec.volumes.iter().enumerate() {
            // Nobody wrote the token's volume into the pod.
            if !volume.has(VolumeSource::PROJECTED) || volume.is_api_server_token() {
                continue;
            }
            let subject = Subject::Volume(index, &volume.name);
            let read = self.check_volume((subject, volume), sink);
            if read.is_err() {
                let fix = Fix::one_of(&["a projected volume as Kubernetes reads it"]);
                sink(Finding::new(subject, SOURCES, Found::UNREADABLE, fix));
            }
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        let mut faults = Vec::new();
        let mut add = |path: FieldPath<'static>, fault: &str| faults.push(ParameterError::at(path, fault));
        let given = [
            ("serviceAccountToken", self.service_account_token.is_some()),
            ("podCertificate", self.pod_certificate.is_some()),
            ("clusterTrustBundle", self.cluster_trust_bundle.is_some()),
        ];
        if self.allowed.is_none() && given.iter().all(|(_, is_given)| !is_given) {
            add(FieldPath::default(), "forbids nothing: list the allowed types of sources in allowed");
        }
        let allowed = self.allowed.as_deref();
        for (name, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
            if allowed.is_some_and(|allowed| !allowed.iter().any(|allowed| allowed == name)) {
                add(
                    FieldPath::from(name),
                    "is about sources that `allowed` does not list: add them there, or remove this",
                );
            }
        }
        for (index, name) in allowed.unwrap_or_default().iter().enumerate() {
            if allowed.unwrap_or_default().iter().take(index).any(|other| other == name) {
                add(FieldPath::from("allowed").index(index), "is listed twice: keep one of the two");
            }
        }
        if let Some(tokens) = &self.service_account_token {
            let path = FieldPath::from("serviceAccountToken");
            if tokens.max_expiration_seconds.is_some_and(|most| most < SHORTEST_SECONDS) {
                let fault = "no token lives that short: the API server takes 600 and more";
                add(path.clone().fields("maxExpirationSeconds"), fault);
            }
            if tokens.audiences.as_ref().is_some_and(Vec::is_empty) {
                let fault = "allows no audience: list some, or take serviceAccountToken out of `allowed`";
                add(path.clone().fields("audiences"), fault);
            }
            if tokens.audiences.is_none() && tokens.max_expiration_seconds.is_none() {
                add(path, "says nothing: write audiences or maxExpirationSeconds");
            }
        }
        if self.pod_certificate.as_ref().is_some_and(|certificates| certificates.signers.is_empty()) {
            let fault = "allows no signer: list some, or take podCertificate out of `allowed`";
            add(FieldPath::from("podCertificate.signers"), fault);
        }
        let is_empty = |bundles: &TrustBundles| bundles.names.is_empty() && bundles.signers.is_empty();
        if self.cluster_trust_bundle.as_ref().is_some_and(is_empty) {
            let fault =
                "allows no bundle: list names or signers, or take clusterTrustBundle out of `allowed`";
            add(FieldPath::from("clusterTrustBundle"), fault);
        }
        faults
    }
}

const SOURCES: &str = "projected.sources";

impl ProjectedSources {
    fn check_volume<'p>(
        &'p self,
        (subject, volume): (Subject<'p>, &'p Volume<'p>),
        sink: &mut Sink<'_, 'p>,
    ) -> Result<()> {
        let reader = &mut Reader::over_part(volume.projected).refusing_misspelt_case();
        members!(reader, {
            "sources" => reader.array(|reader, index| {
                let source = At { subject, index };
                reader.object(|reader, key| self.check_source(&source, key, reader, sink)).map(drop)
            })?,
        })
        .map(drop)
    }

    fn check_source<'p>(
        &'p self,
        at: &At<'p>,
        key: &str,
        reader: &mut Reader<'p>,
        sink: &mut Sink<'_, 'p>,
    ) -> Result<()> {
        let name = TYPES.into_iter().find(|name| *name == key);
        if reader.null()? {
            return Ok(());
        }
        let allowed = self.allowed.as_deref();
        let choices = allowed.map_or(Choices::Fixed(&TYPES), Choices::OfPolicy);
        let Some(name) = name.filter(|name| choices.contains(name)) else {
            let found = Found::Text(name.unwrap_or("unknown"));
            sink(at.finding(name.unwrap_or_default(), "", found, Fix::OneOf(choices)));
            return reader.skip().map(drop);
        };
        match (name, &self.service_account_token, &self.pod_certificate, &self.cluster_trust_bundle) {
            ("serviceAccountToken", Some(tokens), ..) => tokens.check(at, reader, sink),
            ("podCertificate", _, Some(certificates), _) => certificates.check(at, reader, sink),
            ("clusterTrustBundle", .., Some(bundles)) => bundles.check(at, reader, sink),
            _ => reader.skip().map(drop),
        }
    }
}

/// A source that is checked.
struct At<'p> {
    subject: Subject<'p>,
    index: usize,
}

impl<'p> At<'p> {
    fn finding(
        &self,
        source: &'static str,
        field: &'static str,
        found: Found<'p>,
        fix: Fix<'p>,
    ) -> Finding<'p> {
        let path = FieldPath::from(SOURCES).index(self.index).fields(source).fields(field);
        Finding::new(self.subject, path, found, fix)
    }

    /// Reports a name that matches none of the patterns.
    fn check_name(
        &self,
        (source, field): (&'static str, &'static str),
        (name, shown): (&str, &'p str),
        patterns: &[Pattern],
        sink: &mut Sink<'_, 'p>,
    ) {
        if !any_matches(patterns, name) {
            let found = if name.is_empty() { Found::Absent } else { Found::Text(shown) };
            sink(self.finding(source, field, found, Fix::one_of(&["one that the policy lists"])));
        }
    }
}

/// A string, and how it is written.
fn string<'p>(reader: &mut Reader<'p>) -> Result<(Cow<'p, str>, &'p str)> {
    reader.null()?;
    let start = reader.offset();
    let text = reader.string()?;
    Ok((text, written(reader.text_since(start).trim_start())))
}

impl Tokens {
    fn check<'p>(&'p self, at: &At<'p>, reader: &mut Reader<'p>, sink: &mut Sink<'_, 'p>) -> Result<()> {
        const TOKEN: &str = "serviceAccountToken";
        let (mut audience, mut shown) = (Cow::Borrowed(""), "");
        let mut seconds = None;
        members!(reader, {
            "audience" => (audience, shown) = string(reader)?,
            "expirationSeconds" => seconds = reader.integer()?,
        })?;
        if let Some(audiences) = &self.audiences {
            at.check_name((TOKEN, "audience"), (&audience, shown), audiences, sink);
        }
        if let Some(most) = self.max_expiration_seconds
            && seconds.unwrap_or(DEFAULT_SECONDS) > most
        {
            let found = seconds.map_or(Found::Absent, Found::Integer);
            let fix = Fix::set(Value::Integer(most));
            sink(at.finding(TOKEN, "expirationSeconds", found, fix).help("or less"));
        }
        Ok(())
    }
}

impl Certificates {
    fn check<'p>(&'p self, at: &At<'p>, reader: &mut Reader<'p>, sink: &mut Sink<'_, 'p>) -> Result<()> {
        let (mut signer, mut shown) = (Cow::Borrowed(""), "");
        members!(reader, { "signerName" => (signer, shown) = string(reader)? })?;
        at.check_name(("podCertificate", "signerName"), (&signer, shown), &self.signers, sink);
        Ok(())
    }
}

impl TrustBundles {
    fn check<'p>(&'p self, at: &At<'p>, reader: &mut Reader<'p>, sink: &mut Sink<'_, 'p>) -> Result<()> {
        const BUNDLE: &str = "clusterTrustBundle";
        let (mut name, mut signer) = ((Cow::Borrowed(""), ""), (Cow::Borrowed(""), ""));
        members!(reader, {
            "name" => name = string(reader)?,
            "signerName" => signer = string(reader)?,
        })?;
        // Either is set. Of a name and a signer both have to be allowed.
        if !name.0.is_empty() || signer.0.is_empty() {
            at.check_name((BUNDLE, "name"), (&name.0, name.1), &self.names, sink);
        }
        if !signer.0.is_empty() {
            at.check_name((BUNDLE, "signerName"), (&signer.0, signer.1), &self.signers, sink);
        }
        Ok(())
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let mut volumes = text::volume_names(findings);
    volumes.dedup();
    let plural = text::plural("volume", volumes.len());
    let fields: Vec<String> = findings.iter().map(|finding| finding.path.to_string()).collect();
    let fields = text::sorted_set(fields.iter().map(String::as_str)).join(", ");
    let uses = text::uses(volumes.len());
    Violation {
        reason: "projected sources",
        detail: format!("{plural} {} {uses} what the policy does not allow: {fields}", text::quoted(volumes)),
    }
}
