//! How calls get to the API server: TCP, TLS, limits of time, and the headers that say who calls.
//!
//! The client library would put the same together by itself, but with Nagle's algorithm: the first request on a
//! connection then waits behind the end of the handshake for an acknowledgement, which the other side delays by 40 ms.

use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::ConfigExt as _;
use kube::{Client, Config, Error};
use tower::{BoxError, ServiceBuilder};

/// A client of the API server that a configuration names. Nothing is sent yet.
pub(super) fn client(config: &Config) -> Result<Client, Error> {
    let tls = config.rustls_https_connector_with_connector(tcp())?;
    let mut timed = TimeoutConnector::new(tls);
    timed.set_connect_timeout(config.connect_timeout);
    timed.set_read_timeout(config.read_timeout);
    timed.set_write_timeout(config.write_timeout);
    timed.set_reset_reader_on_write(config.reset_reader_on_write);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(legacy::Client::builder(TokioExecutor::new()).build(timed));
    Ok(Client::new(service, config.default_namespace.clone()))
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
