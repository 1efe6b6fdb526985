//! Why a request is rejected before its review is evaluated, and the answer to it.
//!
//! To the API server these answers are failed calls, which `failurePolicy` may turn into an admission, so they are only
//! for requests that no API server sends. Whenever a uid can be read the answer is a review that says no.
//!
//! Hyper rejects these itself: malformed heads, differing or unreadable Content-Lengths, a Transfer-Encoding
//! that does not end in `chunked`, more than 100 header lines, a head of more than 16 KiB. What it hides from us cannot be
//! rejected here: bare line feeds; two equal Content-Lengths, which it merges; and a Content-Length beside a
//! Transfer-Encoding, where it drops the former and closes the connection after the answer, as RFC 9112 section 6.3
//! allows.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER,
    TRANSFER_ENCODING,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Response, StatusCode, Version};

/// kube-apiserver sends seven.
const MAX_HEADERS: usize = 64;

/// kube-apiserver sends `/validate?timeout=10s`.
const MAX_URI_BYTES: usize = 1024;

/// Why a request is rejected: also a label of the metrics. The order is that of [`Rejection::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejection {
    Malformed,
    SlowPeer,
    Version,
    Uri,
    Headers,
    Host,
    TransferEncoding,
    Path,
    Method,
    ContentType,
    ContentEncoding,
    TooLarge,
    TooSlow,
    Broken,
    NoMemory,
    NoSlot,
    NoReview,
    Panic,
}

impl Rejection {
    pub(super) const ALL: [Self; 18] = [
        Self::Malformed,
        Self::SlowPeer,
        Self::Version,
        Self::Uri,
        Self::Headers,
        Self::Host,
        Self::TransferEncoding,
        Self::Path,
        Self::Method,
        Self::ContentType,
        Self::ContentEncoding,
        Self::TooLarge,
        Self::TooSlow,
        Self::Broken,
        Self::NoMemory,
        Self::NoSlot,
        Self::NoReview,
        Self::Panic,
    ];

    /// The label in the metrics and the log.
    pub(super) fn reason(self) -> &'static str {
        self.row().0
    }

    pub(super) fn status(self) -> StatusCode {
        self.row().1
    }

    /// `status.code` within a review. There the gateway timed out, not the client: the user's own request to the API
    /// server was in time.
    pub(super) fn review_code(self) -> u16 {
        if self == Self::TooSlow {
            return StatusCode::GATEWAY_TIMEOUT.as_u16();
        }
        self.status().as_u16()
    }

    /// The text of the answer.
    pub(super) fn text(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::Malformed => ("malformed", StatusCode::BAD_REQUEST, "the request is malformed"),
            Self::SlowPeer => {
                ("slow_peer", StatusCode::REQUEST_TIMEOUT, "the head came or the answer was taken too slowly")
            }
            Self::Version => ("version", StatusCode::HTTP_VERSION_NOT_SUPPORTED, "only HTTP/1.1 is served"),
            Self::Uri => ("uri", StatusCode::URI_TOO_LONG, "the URL is longer than 1 KiB"),
            Self::Headers => ("headers", StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "more than 64 headers"),
            Self::Host => ("host", StatusCode::BAD_REQUEST, "exactly one Host header is needed"),
            Self::TransferEncoding => {
                ("transfer_encoding", StatusCode::BAD_REQUEST, "the only transfer encoding is chunked")
            }
            Self::Path => ("path", StatusCode::NOT_FOUND, "there are /validate and /mutate"),
            Self::Method => ("method", StatusCode::METHOD_NOT_ALLOWED, "reviews are sent by POST"),
            Self::ContentType => (
                "content_type",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the content type of a review is application/json",
            ),
            Self::ContentEncoding => (
                "content_encoding",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "a review is sent without content encoding",
            ),
            Self::TooLarge => ("too_large", StatusCode::PAYLOAD_TOO_LARGE, "the review is too large"),
            Self::TooSlow => ("too_slow", StatusCode::REQUEST_TIMEOUT, "the review did not arrive in time"),
            Self::Broken => ("broken", StatusCode::BAD_REQUEST, "the body ended early or is malformed"),
            Self::NoMemory => {
                ("no_room", StatusCode::TOO_MANY_REQUESTS, "too many large reviews at once: try again")
            }
            Self::NoSlot => (
                "no_turn",
                StatusCode::GATEWAY_TIMEOUT,
                "too many long reviews at once, so this one was not judged in time: try again",
            ),
            Self::NoReview => ("no_review", StatusCode::BAD_REQUEST, "the body is not a review"),
            Self::Panic => ("panic", StatusCode::INTERNAL_SERVER_ERROR, "the review failed"),
        }
    }

    /// The answer with our own text.
    pub(super) fn response(self) -> Response<Full<Bytes>> {
        self.response_saying(self.text().to_owned())
    }

    /// The answer with a text that says more.
    pub(super) fn response_saying(self, text: String) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(text + "\n"));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if matches!(self, Self::NoMemory | Self::NoSlot) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self == Self::Method {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        self.mark(response)
    }

    /// Marks an answer to be counted and logged as a rejection, and closes the connection after it.
    pub(super) fn mark<B>(self, mut response: Response<B>) -> Response<B> {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response.extensions_mut().insert(self);
        response
    }
}

/// Rejects a head that no API server would send.
///
/// # Errors
/// The first thing that is wrong with it.
pub(super) fn check_head(head: &Parts) -> Result<(), Rejection> {
    let headers = &head.headers;
    if head.version != Version::HTTP_11 {
        return Err(Rejection::Version);
    }
    if head.uri.path_and_query().is_some_and(|uri| uri.as_str().len() > MAX_URI_BYTES) {
        return Err(Rejection::Uri);
    }
    if headers.len() > MAX_HEADERS {
        return Err(Rejection::Headers);
    }
    if !matches!(only(headers, &HOST), Some(Some(_))) {
        return Err(Rejection::Host);
    }
    match only(headers, &TRANSFER_ENCODING) {
        None => Ok(()),
        Some(Some(encoding)) if encoding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        Some(_) => Err(Rejection::TransferEncoding),
    }
}

/// Rejects a body that is not plain JSON.
///
/// # Errors
/// The first thing that is wrong with it.
pub(super) fn check_content(headers: &HeaderMap) -> Result<(), Rejection> {
    match only(headers, &CONTENT_TYPE) {
        Some(Some(kind)) if is_json(kind.as_bytes()) => {}
        _ => return Err(Rejection::ContentType),
    }
    match only(headers, &CONTENT_ENCODING) {
        None => Ok(()),
        Some(Some(encoding)) if encoding.as_bytes().eq_ignore_ascii_case(b"identity") => Ok(()),
        Some(_) => Err(Rejection::ContentEncoding),
    }
}

/// `None` without the header, `Some(None)` with several of it.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<Option<&'h HeaderValue>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    Some(values.next().is_none().then_some(first))
}

fn is_json(content_type: &[u8]) -> bool {
    if content_type == b"application/json" {
        return true;
    }
    let Ok(text) = std::str::from_utf8(content_type) else {
        return false;
    };
    let (media, parameter) = match text.split_once(';') {
        Some((media, parameter)) => (media, parameter.trim()),
        None => (text, ""),
    };
    let charset = ["", "charset=utf-8", "charset=\"utf-8\""];
    media.trim().eq_ignore_ascii_case("application/json")
        && charset.iter().any(|known| parameter.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(version: Version, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut builder = hyper::Request::builder().version(version).uri(uri);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    #[test]
    fn heads() {
        let host = ("host", "podgate");
        let many = [[host].as_slice(), &[("x", "y"); 63]].concat();
        let too_many = [[host].as_slice(), &[("x", "y"); 64]].concat();
        let long = format!("/{}", "a".repeat(1023));
        let too_long = format!("/{}", "a".repeat(1024));
        let h11 = Version::HTTP_11;
        for (expected, version, uri, headers) in [
            (Ok(()), h11, "/", &[host][..]),
            (Ok(()), h11, "/", &many),
            (Ok(()), h11, long.as_str(), &[host]),
            (Ok(()), h11, "/", &[host, ("transfer-encoding", "Chunked")]),
            (Err(Rejection::Version), Version::HTTP_10, "/", &[host]),
            (Err(Rejection::Uri), h11, too_long.as_str(), &[host]),
            (Err(Rejection::Headers), h11, "/", &too_many),
            (Err(Rejection::Host), h11, "/", &[]),
            (Err(Rejection::Host), h11, "/", &[host, host]),
            (Err(Rejection::TransferEncoding), h11, "/", &[host, ("transfer-encoding", "gzip, chunked")]),
            (
                Err(Rejection::TransferEncoding),
                h11,
                "/",
                &[host, ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            ),
        ] {
            assert_eq!(check_head(&head(version, uri, headers)), expected, "{uri} {headers:?}");
        }
    }

    #[test]
    fn contents() {
        let json = ("content-type", "application/json");
        for (expected, headers) in [
            (Ok(()), &[json][..]),
            (Ok(()), &[("content-type", "application/json; charset=utf-8")]),
            (Ok(()), &[("content-type", "Application/JSON;charset=\"UTF-8\"")]),
            (Ok(()), &[json, ("content-encoding", "identity")]),
            (Err(Rejection::ContentType), &[]),
            (Err(Rejection::ContentType), &[json, json]),
            (Err(Rejection::ContentType), &[("content-type", "text/plain")]),
            (Err(Rejection::ContentType), &[("content-type", "application/yaml")]),
            (Err(Rejection::ContentType), &[("content-type", "application/foo+json")]),
            (Err(Rejection::ContentType), &[("content-type", "application/json; charset=utf-16")]),
            (Err(Rejection::ContentType), &[("content-type", "application/json-patch+json")]),
            (Err(Rejection::ContentEncoding), &[json, ("content-encoding", "gzip")]),
            (Err(Rejection::ContentEncoding), &[json, ("content-encoding", "br, identity")]),
        ] {
            let head = head(Version::HTTP_11, "/", headers);
            assert_eq!(check_content(&head.headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn the_list_is_whole_and_in_order() {
        for (place, rejection) in Rejection::ALL.into_iter().enumerate() {
            assert_eq!(rejection as usize, place, "{rejection:?}");
        }
        assert_eq!(Rejection::Panic as usize + 1, Rejection::ALL.len());
    }
}
