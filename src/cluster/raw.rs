//! Calls whose answers are read here: bytes first, so that no part of a Secret gets into an error.

use hyper::Request;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use crate::cluster::fault::{self, Call};
use crate::cluster::{Cluster, Fault, Reason};

/// JSON that replaces or makes an object.
pub(super) const JSON: &str = "application/json";
/// A JSON Patch.
pub(super) const JSON_PATCH: &str = "application/json-patch+json";

impl Cluster {
    /// The object or list at a path of the API, such as `/api/v1/namespaces`; `None` when it is not there.
    /// `wanted` is what is needed for it in RBAC, for the advice: `list namespaces`.
    ///
    /// # Errors
    ///
    /// What went wrong.
    pub async fn object(&self, path: &str, wanted: &str) -> Result<Option<Value>, Fault> {
        self.get_json(path, wanted).await
    }

    pub(super) async fn get_json<T: DeserializeOwned>(
        &self,
        path: &str,
        wanted: &str,
    ) -> Result<Option<T>, Fault> {
        let call = self.call("Get", path, wanted);
        let answer = match self.send("GET", path, None, &call).await {
            Ok(answer) => answer,
            Err(fault) if fault.reason == Reason::NotFound => return Ok(None),
            Err(fault) => return Err(fault),
        };
        parse(&answer, &call).map(Some)
    }

    pub(super) fn call(&self, method: &'static str, path: &str, wanted: &str) -> Call {
        Call { method, url: format!("{}{path}", self.server), wanted: wanted.to_owned() }
    }

    /// Sends a body of the media type, if there is one, and returns the whole answer.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
        call: &Call,
    ) -> Result<String, Fault> {
        let mut request = Request::builder().method(method).uri(path).header(ACCEPT, JSON);
        let body = match body {
            Some((media_type, body)) => {
                request = request.header(CONTENT_TYPE, media_type);
                body
            }
            None => Vec::new(),
        };
        let request = request.body(body).map_err(|error| {
            Fault::new(Reason::Refused, call, format!("no such call can be made: {error}"))
        })?;
        match timeout(self.limits.answer, self.client.request_text(request)).await {
            Ok(answer) => answer.map_err(|error| Fault::of(&error, call)),
            Err(_) => Err(Fault::late(call)),
        }
    }
}

/// Reads an answer. What cannot be read is not shown.
pub(super) fn parse<T: DeserializeOwned>(answer: &str, call: &Call) -> Result<T, Fault> {
    serde_json::from_str(answer).map_err(|error| {
        let at = fault::at(&error);
        Fault::new(Reason::Garbled, call, format!("the answer is not what it should be: {at}"))
    })
}

/// A body.
pub(super) fn body(value: &impl Serialize, call: &Call) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|error| {
        Fault::new(Reason::Refused, call, format!("it cannot be written: {}", fault::at(&error)))
    })
}
