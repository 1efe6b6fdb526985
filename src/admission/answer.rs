//! The answer to a review: the bytes that go back.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;

use crate::mutate::PatchText;

/// How every answer begins, up to the uid; how one goes on that allows; and how it names the policy.
const BEGINNING: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":""#;
const ALLOWED: &str = r#"","allowed":true"#;
const ENFORCED: &str = r#","auditAnnotations":{"enforce-policy":""#;

/// An AdmissionReview with a response and nothing of the request: the API server looks at no more,
/// and reading an echo would cost it more than we take to judge.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReviewBody<'r> {
    api_version: &'static str,
    kind: &'static str,
    response: &'r Response<'r>,
}

/// `response`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Response<'r> {
    pub(super) uid: &'r str,
    pub(super) allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<Status<'r>>,
    /// `JSONPatch`, if and only if there is a patch.
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "AuditAnnotations::is_empty")]
    pub(super) audit_annotations: AuditAnnotations<'r>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) warnings: Vec<String>,
}

/// The audit annotations, named as Pod Security Admission's; the API server puts our webhook's name
/// in front of each.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct AuditAnnotations<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) enforce_policy: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) audit_violations: Option<String>,
    /// Who was exempt: `namespace`, `user` or `runtimeClass`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exempt: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Cow<'r, str>>,
}

impl AuditAnnotations<'_> {
    fn is_empty(&self) -> bool {
        self.enforce_policy.is_none()
            && self.audit_violations.is_none()
            && self.exempt.is_none()
            && self.error.is_none()
    }
}

/// A `Status` of the meta/v1 API, as the client sees it.
#[derive(Debug, Serialize)]
pub(super) struct Status<'r> {
    pub(super) metadata: Empty,
    pub(super) status: &'static str,
    pub(super) message: Cow<'r, str>,
    pub(super) reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) details: Option<Details>,
    pub(super) code: u16,
}

/// `metadata` of a status: always there, never anything in it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Empty {}

/// `details` of a status.
#[derive(Debug, Serialize)]
pub(super) struct Details {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) name: String,
    /// The resource, as Kubernetes has it here, or the kind.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) kind: Cow<'static, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) causes: Vec<Cause>,
}

/// One fault, for programs.
#[derive(Debug, Default, Serialize)]
pub(super) struct Cause {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) reason: &'static str,
    pub(super) message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) field: String,
}

impl<'r> Status<'r> {
    /// The status of a refusal.
    pub(super) fn failure(code: u16, message: impl Into<Cow<'r, str>>) -> Self {
        let reason = match code {
            400 => "BadRequest",
            403 => "Forbidden",
            413 => "RequestEntityTooLarge",
            422 => "Invalid",
            429 => "TooManyRequests",
            503 => "ServiceUnavailable",
            504 => "Timeout",
            _ => "InternalError",
        };
        Self { metadata: Empty {}, status: "Failure", message: message.into(), reason, details: None, code }
    }
}

impl<'r> Response<'r> {
    /// A response that refuses, until something allows.
    pub(super) fn refusing(uid: &'r str) -> Self {
        Self { uid, ..Self::default() }
    }

    /// Adds a patch, unless it is empty: both fields or neither.
    pub(super) fn set_patch(&mut self, patch: PatchText) {
        let Some(json) = patch.into_json() else { return };
        self.patch_type = Some("JSONPatch");
        self.patch = Some(BASE64.encode(json));
    }

    /// Whether it warns the user, or has something for the audit log.
    pub(super) fn has_remarks(&self) -> bool {
        let AuditAnnotations { enforce_policy: _, audit_violations, exempt: _, error } =
            &self.audit_annotations;
        !self.warnings.is_empty() || audit_violations.is_some() || error.is_some()
    }

    /// The length of what may be long, so that the buffer need not grow step by step.
    fn length(&self) -> usize {
        let status = self.status.as_ref().map_or(0, |status| status.message.len());
        let patch = self.patch.as_ref().map_or(0, String::len);
        let audit = self.audit_annotations.audit_violations.as_ref().map_or(0, String::len);
        status + patch + audit + self.warnings.iter().map(String::len).sum::<usize>()
    }

    /// The bytes to send.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.plain_bytes().unwrap_or_else(|| self.serialized())
    }

    /// The bytes of an answer that allows and says nothing but the policy, in a buffer of just that size; `None` for any
    /// other. Nearly all answers are such, and writing them with `serde_json` takes several times as long.
    fn plain_bytes(&self) -> Option<Vec<u8>> {
        let Self {
            uid,
            allowed: true,
            status: None,
            patch_type: None,
            patch: None,
            audit_annotations:
                AuditAnnotations { enforce_policy, audit_violations: None, exempt: None, error: None },
            warnings,
        } = self
        else {
            return None;
        };
        let policy = enforce_policy.as_deref();
        if !warnings.is_empty() || !is_plain(uid) || !policy.is_none_or(is_plain) {
            return None;
        }
        let parts = match policy {
            None => [BEGINNING, uid, ALLOWED, "}}", "", ""],
            Some(policy) => [BEGINNING, uid, ALLOWED, ENFORCED, policy, "\"}}}"],
        };
        Some(parts.concat().into_bytes())
    }

    fn serialized(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256 + self.length());
        let review =
            ReviewBody { api_version: "admission.k8s.io/v1", kind: "AdmissionReview", response: self };
        // Strings, booleans and numbers again, and a `Vec` takes every byte.
        let _ = serde_json::to_writer(&mut bytes, &review);
        bytes
    }
}

/// Whether a text is in JSON as it is here.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_plain_answer_is_what_serde_would_write(
            uid in "([a-f0-9-]{36}|.{0,9}|[\"\\\\\x00-\x1fé]{1,3})",
            policy in proptest::option::of("(restricted:latest|baseline:v1.2, restricted|.{0,5})"),
        ) {
            let audit_annotations =
                AuditAnnotations { enforce_policy: policy.clone().map(Cow::Owned), ..AuditAnnotations::default() };
            let response = Response { allowed: true, audit_annotations, ..Response::refusing(&uid) };
            let plain = response.plain_bytes();
            let is_short = is_plain(&uid) && policy.is_none_or(|policy| is_plain(&policy));
            prop_assert_eq!(plain.is_some(), is_short);
            if let Some(bytes) = plain {
                prop_assert_eq!(bytes.capacity(), bytes.len());
                prop_assert_eq!(bytes, response.serialized());
            }
        }
    }

    /// Whatever else an answer says, it is written.
    #[test]
    fn no_other_answer_is_plain() {
        let plain = || Response { allowed: true, ..Response::refusing("u") };
        let note = |change: fn(&mut AuditAnnotations<'static>)| {
            let mut response = plain();
            change(&mut response.audit_annotations);
            response
        };
        assert!(plain().plain_bytes().is_some());
        for other in [
            Response::refusing("u"),
            Response { status: Some(Status::failure(403, "no")), ..plain() },
            Response { patch_type: Some("JSONPatch"), ..plain() },
            Response { patch: Some("W10=".to_owned()), ..plain() },
            Response { warnings: vec!["careful".to_owned()], ..plain() },
            note(|note| note.audit_violations = Some("would violate".to_owned())),
            note(|note| note.exempt = Some("user")),
            note(|note| note.error = Some("unknown".into())),
        ] {
            assert_eq!(other.plain_bytes(), None, "{other:?}");
        }
    }

    /// Clients of Kubernetes go by the reason, and some know 429 and 504 as worth another try.
    #[test]
    fn reasons_are_those_of_the_api() {
        for (code, reason) in [
            (400, "BadRequest"),
            (403, "Forbidden"),
            (413, "RequestEntityTooLarge"),
            (422, "Invalid"),
            (429, "TooManyRequests"),
            (500, "InternalError"),
            (503, "ServiceUnavailable"),
            (504, "Timeout"),
        ] {
            assert_eq!(Status::failure(code, "").reason, reason, "{code}");
        }
    }
}
