//! Calls whose answers are parsed here and not by the client library, so that no part of a Secret gets into an error.

use hyper::Request;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::cluster::client::Cluster;
use crate::cluster::error::{self, ApiCall, ApiError, Reason};

/// JSON that replaces or makes an object.
pub(super) const JSON: &str = "application/json";
/// A JSON Patch.
pub(super) const JSON_PATCH: &str = "application/json-patch+json";

/// Everything but RFC 3986's unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A part of a path or a query, percent-encoded.
pub(super) fn escape(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, ESCAPED)
}

/// The metadata of an object of which only the version matters.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectVersion {
    pub(super) resource_version: String,
}

impl Cluster {
    pub(super) async fn get_json<T: DeserializeOwned>(
        &self,
        path: &str,
        wanted: &str,
    ) -> Result<Option<T>, ApiError> {
        let call = self.call("Get", path, wanted);
        let answer = match self.send("GET", path, None, &call).await {
            Ok(answer) => answer,
            Err(fault) if fault.reason == Reason::NotFound => return Ok(None),
            Err(fault) => return Err(fault),
        };
        parse(&answer, &call).map(Some)
    }

    pub(super) fn call(&self, method: &'static str, path: &str, wanted: &str) -> ApiCall {
        ApiCall { method, url: format!("{}{path}", self.server), wanted: wanted.to_owned() }
    }

    /// Sends a body of the media type, if there is one, and returns the whole answer.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
        call: &ApiCall,
    ) -> Result<String, ApiError> {
        let mut request = Request::builder().method(method).uri(path).header(ACCEPT, JSON);
        let body = match body {
            Some((media_type, body)) => {
                request = request.header(CONTENT_TYPE, media_type);
                body
            }
            None => Vec::new(),
        };
        let request = request.body(body).map_err(|error| {
            ApiError::new(Reason::Refused, call, format!("no such call can be made: {error}"))
        })?;
        match timeout(self.limits.answer, self.client.request_text(request)).await {
            Ok(answer) => answer.map_err(|error| ApiError::of(&error, call)),
            Err(_) => Err(ApiError::timed_out(call)),
        }
    }
}

/// Reads an answer. What cannot be read is not shown.
pub(super) fn parse<T: DeserializeOwned>(answer: &str, call: &ApiCall) -> Result<T, ApiError> {
    serde_json::from_str(answer).map_err(|error| {
        let at = error::at(&error);
        ApiError::new(Reason::InvalidResponse, call, format!("the answer is not what it should be: {at}"))
    })
}

/// A body.
pub(super) fn body(value: &impl Serialize, call: &ApiCall) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(value).map_err(|error| {
        ApiError::new(Reason::Refused, call, format!("it cannot be written: {}", error::at(&error)))
    })
}
