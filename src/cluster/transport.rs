//! How calls get to the API server: TCP, TLS, limits of time, and the headers that say who calls.
//!
//! The client library would put the same together by itself, but with Nagle's algorithm: the first request on a
//! connection then waits behind the end of the handshake for an acknowledgement, which the other side delays by 40 ms.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{HeaderValue, USER_AGENT};
use hyper::{Request, Uri};
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::Client;
use kube::client::Body;
use kube::client::middleware::BaseUriLayer;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tower::{BoxError, ServiceBuilder};

use crate::cluster::client::ClientLimits;
use crate::cluster::credentials::{Credentials, CredentialsError};

/// As what podgate introduces itself.
const AGENT: &str = concat!("podgate/", env!("CARGO_PKG_VERSION"));

/// The longest time that nothing can be written. No request of ours is so long that it could matter.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// An API server, and who calls it.
pub(super) struct Target {
    pub(super) server: Uri,
    pub(super) tls: ClientConfig,
    /// The name that its certificate has to be for, if it is not that of the address.
    pub(super) name: Option<ServerName<'static>>,
    pub(super) credentials: Credentials,
}

/// A client of an API server. Nothing is sent yet.
pub(super) fn client(target: Target, limits: &ClientLimits) -> Client {
    let mut tls = HttpsConnectorBuilder::new().with_tls_config(target.tls).https_or_http();
    if let Some(name) = target.name {
        tls = tls.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let mut timed = TimeoutConnector::new(tls.enable_http1().wrap_connector(tcp()));
    timed.set_connect_timeout(Some(limits.connect));
    // The longest normal silence is that of a watch without events.
    timed.set_read_timeout(Some(limits.watch + Duration::from_secs(10)));
    timed.set_write_timeout(Some(WRITE_TIMEOUT));
    timed.set_reset_reader_on_write(true);
    let credentials = Arc::new(target.credentials);
    let sign = move |mut request: Request<Body>| {
        let credentials = Arc::clone(&credentials);
        async move {
            request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
            credentials.sign(request.headers_mut()).await?;
            Ok::<_, CredentialsError>(request)
        }
    };
    // Callers have limits of their own, and want to know of each failure: nothing is tried again here.
    let service = ServiceBuilder::new()
        .layer(BaseUriLayer::new(target.server))
        .filter_async(sign)
        .map_err(BoxError::from)
        .service(legacy::Client::builder(TokioExecutor::new()).build(timed));
    Client::new(service, "default")
}

/// Connections that send at once what they are given.
fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp
}

#[cfg(test)]
mod tests {
    use std::io::Result;

    use tokio::net::{TcpListener, TcpStream};
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_connection_to_the_api_server_does_not_wait_for_acknowledgements() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("https://{}", listener.local_addr().unwrap());
        let stream = tcp().oneshot(server.parse().unwrap()).await.unwrap();
        let nodelay: Result<bool> = TcpStream::nodelay(stream.inner());
        assert!(nodelay.unwrap());
    }
}
