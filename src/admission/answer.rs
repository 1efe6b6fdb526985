//! The answer to a review: the bytes that go back.

use std::borrow::Cow;

use crate::admission::answer_json::AnswerJson;
use crate::admission::bounds::LONGEST_NOTE;
use crate::mutate::PatchText;
use crate::policy::ExemptBy;
use crate::text::printable;
use base64_simd::STANDARD as BASE64;

/// How every answer begins, up to the uid; how one goes on that allows; and how it names the policy.
const BEGINNING: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":""#;
const ALLOWED: &str = r#"","allowed":true"#;
const ENFORCED: &str = r#","auditAnnotations":{"enforce-policy":""#;

/// `response`.
#[derive(Debug, Default)]
pub(super) struct Response<'r> {
    pub(super) uid: &'r str,
    pub(super) allowed: bool,
    pub(super) status: Option<Status<'r>>,
    /// A JSON Patch, which goes into the answer in base 64.
    patch: Option<String>,
    pub(super) audit_annotations: AuditAnnotations<'r>,
    pub(super) warnings: Vec<String>,
}

/// The audit annotations, named as Pod Security Admission's; the API server puts our webhook's name
/// in front of each.
#[derive(Debug, Default)]
pub(super) struct AuditAnnotations<'r> {
    pub(super) enforce_policy: Option<Cow<'r, str>>,
    pub(super) audit_violations: Option<String>,
    /// By what the request was exempt.
    pub(super) exempt: Option<ExemptBy>,
    pub(super) error: Option<Cow<'r, str>>,
    /// Which exceptions let what be.
    pub(super) exceptions: Option<String>,
    /// Which policies are switched to Audit that find something here, until when and why.
    pub(super) switch: Option<String>,
    /// Which policy gave a pod which service account, and in place of which.
    pub(super) identity: Option<String>,
}

impl AuditAnnotations<'_> {
    fn is_empty(&self) -> bool {
        self.enforce_policy.is_none()
            && self.audit_violations.is_none()
            && self.exempt.is_none()
            && self.error.is_none()
            && self.exceptions.is_none()
            && self.switch.is_none()
            && self.identity.is_none()
    }

    fn write(&self, json: &mut AnswerJson) {
        json.optional_member("enforce-policy", self.enforce_policy.as_deref());
        json.optional_member("audit-violations", self.audit_violations.as_deref());
        json.optional_member("exempt", self.exempt.map(ExemptBy::name));
        json.optional_member("error", self.error.as_deref());
        json.optional_member("exceptions", self.exceptions.as_deref());
        json.optional_member("switch", self.switch.as_deref());
        json.optional_member("identity", self.identity.as_deref());
    }
}

/// A `Status` of the meta/v1 API, as the client sees it.
#[derive(Debug)]
pub(super) struct Status<'r> {
    pub(super) status: &'static str,
    pub(super) message: Cow<'r, str>,
    pub(super) reason: &'static str,
    pub(super) details: Option<Details>,
    pub(super) code: u16,
}

/// `details` of a status.
#[derive(Debug)]
pub(super) struct Details {
    pub(super) name: String,
    /// The resource, as Kubernetes has it here, or the kind.
    pub(super) kind: Cow<'static, str>,
    pub(super) causes: Vec<Cause>,
}

/// One fault, for programs.
#[derive(Debug, Default)]
pub(super) struct Cause {
    pub(super) reason: &'static str,
    pub(super) message: String,
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
        Self { status: "Failure", message: message.into(), reason, details: None, code }
    }

    /// Adds another reason, on a line of its own.
    pub(super) fn add(&mut self, reason: &str) {
        let message = self.message.to_mut();
        message.push_str("\nBesides: ");
        message.push_str(&printable(reason, LONGEST_NOTE).to_string());
    }

    fn length(&self) -> usize {
        let causes = self.details.as_ref().map_or(&[][..], |details| &details.causes);
        // Beside them there are keys, reasons and escapes.
        let of_cause = |cause: &Cause| 96 + cause.message.len() + cause.field.len();
        self.message.len() * 9 / 8 + causes.iter().map(of_cause).sum::<usize>()
    }

    /// `metadata` is always there, and never anything in it.
    fn write(&self, json: &mut AnswerJson) {
        json.object_member("metadata", |_| ());
        json.text_member("status", self.status);
        json.text_member("message", &self.message);
        json.text_member("reason", self.reason);
        if let Some(details) = &self.details {
            json.object_member("details", |json| details.write(json));
        }
        json.plain_member("code", &self.code.to_string());
    }
}

impl Details {
    fn write(&self, json: &mut AnswerJson) {
        json.optional_member("name", unless_empty(&self.name));
        json.optional_member("kind", unless_empty(&self.kind));
        json.list_member("causes", &self.causes, |json, cause| {
            json.braced(['{', '}'], |json| cause.write(json))
        });
    }
}

impl Cause {
    fn write(&self, json: &mut AnswerJson) {
        json.optional_member("reason", unless_empty(self.reason));
        json.text_member("message", &self.message);
        json.optional_member("field", unless_empty(&self.field));
    }
}

fn unless_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

impl<'r> Response<'r> {
    /// A response that refuses, until something allows.
    pub(super) fn refusing(uid: &'r str) -> Self {
        Self { uid, ..Self::default() }
    }

    /// Adds a patch, unless it is empty.
    pub(super) fn set_patch(&mut self, patch: PatchText) {
        self.patch = patch.into_json();
    }

    /// Whether it warns the user, or has something for the audit log.
    pub(super) fn has_remarks(&self) -> bool {
        let AuditAnnotations {
            enforce_policy: _,
            audit_violations,
            exempt: _,
            error,
            switch: _,
            exceptions,
            identity: _,
        } = &self.audit_annotations;
        !self.warnings.is_empty() || audit_violations.is_some() || error.is_some() || exceptions.is_some()
    }

    /// The length of what may be long, so that the buffer need not grow step by step.
    fn length(&self) -> usize {
        let status = self.status.as_ref().map_or(0, Status::length);
        let patch = self.patch.as_ref().map_or(0, |json| BASE64.encoded_length(json.len()));
        let audit = self.audit_annotations.audit_violations.as_ref().map_or(0, String::len);
        status + patch + audit + self.warnings.iter().map(String::len).sum::<usize>()
    }

    /// The bytes to send.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.plain_bytes().unwrap_or_else(|| self.written())
    }

    /// The bytes of an answer that allows and says nothing but the policy, in a buffer of just that size; `None` for any
    /// other. Nearly all answers are such, and writing them with `serde_json` takes several times as long.
    fn plain_bytes(&self) -> Option<Vec<u8>> {
        let Self {
            uid,
            allowed: true,
            status: None,
            patch: None,
            audit_annotations:
                AuditAnnotations {
                    enforce_policy,
                    audit_violations: None,
                    exempt: None,
                    error: None,
                    exceptions: None,
                    switch: None,
                    identity: None,
                },
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

    /// An AdmissionReview with a response and nothing of the request: the API server looks at no more, and reading an echo would
    /// cost it more than we take to judge.
    fn written(&self) -> Vec<u8> {
        AnswerJson::object(512 + self.length(), |json| {
            json.text_member("apiVersion", "admission.k8s.io/v1");
            json.text_member("kind", "AdmissionReview");
            json.object_member("response", |json| self.write(json));
        })
    }

    fn write(&self, json: &mut AnswerJson) {
        json.text_member("uid", self.uid);
        json.plain_member("allowed", if self.allowed { "true" } else { "false" });
        if let Some(status) = &self.status {
            json.object_member("status", |json| status.write(json));
        }
        if let Some(patch) = &self.patch {
            json.text_member("patchType", "JSONPatch");
            json.base64_member("patch", patch.as_bytes());
        }
        if !self.audit_annotations.is_empty() {
            json.object_member("auditAnnotations", |json| self.audit_annotations.write(json));
        }
        json.list_member("warnings", &self.warnings, |json, warning| json.text(warning));
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
        fn a_plain_answer_is_what_any_other_way_would_write(
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
                prop_assert_eq!(bytes, response.written());
            }
        }
    }

    /// In the order of Kubernetes' own types, and without what is empty.
    #[test]
    fn an_answer_is_written_whole() {
        let cause = |reason, message: &str, field: &str| Cause {
            reason,
            message: message.to_owned(),
            field: field.to_owned(),
        };
        let causes = vec![cause("FieldValueInvalid", "is \"a\"", "spec.x"), cause("", "m", "")];
        let details = Details { name: "n".to_owned(), kind: "pods".into(), causes };
        let mut response = Response {
            status: Some(Status { details: Some(details), ..Status::failure(403, "no\n") }),
            audit_annotations: AuditAnnotations {
                enforce_policy: Some("p".into()),
                audit_violations: Some("v".to_owned()),
                exempt: Some(ExemptBy::User),
                error: Some("e".into()),
                exceptions: None,
                switch: Some("s".to_owned()),
                identity: Some("i".to_owned()),
            },
            warnings: vec!["one".to_owned(), "two".to_owned()],
            ..Response::refusing("u")
        };
        response.patch = Some("[]".to_owned());
        let written = |response: &Response<'_>| String::from_utf8(response.to_bytes()).expect("text");
        assert_eq!(
            written(&response),
            concat!(
                r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"u","allowed":false,"#,
                r#""status":{"metadata":{},"status":"Failure","message":"no\n","reason":"Forbidden","details":{"name":"n","#,
                r#""kind":"pods","causes":[{"reason":"FieldValueInvalid","message":"is \"a\"","field":"spec.x"},"#,
                r#"{"message":"m"}]},"code":403},"patchType":"JSONPatch","patch":"W10=","auditAnnotations":{"#,
                r#""enforce-policy":"p","audit-violations":"v","exempt":"user","error":"e","switch":"s","identity":"i"},"warnings":["one","two"]}}"#,
            )
        );
        let details = Details { name: String::new(), kind: "".into(), causes: Vec::new() };
        let status = Status { details: Some(details), ..Status::failure(500, "") };
        assert_eq!(
            written(&Response { status: Some(status), ..Response::refusing("") }),
            concat!(
                r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"","allowed":false,"#,
                r#""status":{"metadata":{},"status":"Failure","message":"","reason":"InternalError","details":{},"#,
                r#""code":500}}}"#,
            )
        );
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
            Response { patch: Some("[]".to_owned()), ..plain() },
            Response { warnings: vec!["careful".to_owned()], ..plain() },
            note(|note| note.audit_violations = Some("would violate".to_owned())),
            note(|note| note.exempt = Some(ExemptBy::User)),
            note(|note| note.error = Some("unknown".into())),
            note(|note| note.switch = Some("p is switched".to_owned())),
            note(|note| note.identity = Some("p: a -> b".to_owned())),
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
