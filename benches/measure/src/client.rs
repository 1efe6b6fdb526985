//! A client of a server that is counted: a few connections, each of which asks so many times.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::Result;

/// An API server has several requests on their way at once, each on a connection of its own.
const CONNECTIONS: usize = 4;

/// The connections, kept alive.
pub(crate) struct Client {
    address: SocketAddr,
    connections: Vec<StreamOwned<ClientConnection, TcpStream>>,
}

impl Client {
    /// Connects, and trusts this certificate alone, in PEM.
    pub(crate) fn connect(address: SocketAddr, certificate: &str) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(certificate.as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (tls, mut connections) = (Arc::new(tls), Vec::new());
        for _ in 0..CONNECTIONS {
            let session = ClientConnection::new(Arc::clone(&tls), ServerName::try_from("localhost")?)?;
            let socket = TcpStream::connect(address)?;
            socket.set_nodelay(true)?;
            connections.push(StreamOwned::new(session, socket));
        }
        Ok(Self { address, connections })
    }

    /// Sends a review to a path so many times on each connection, and returns one of the answers.
    pub(crate) fn ask(&mut self, path: &str, review: &[u8], times: usize) -> Result<Vec<u8>> {
        let head = format!(
            "POST {path}?timeout=10s HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.address,
            review.len()
        );
        let request = [head.as_bytes(), review].concat();
        thread::scope(|scope| {
            let asking: Vec<_> = self
                .connections
                .iter_mut()
                .map(|connection| {
                    scope.spawn(|| {
                        let mut answer = Vec::new();
                        for _ in 0..times {
                            answer = exchange(connection, &request)?;
                        }
                        Ok(answer)
                    })
                })
                .collect();
            let mut answer = Ok(Vec::new());
            for thread in asking {
                answer = answer.and(thread.join().map_err(|_| "the client panicked")?);
            }
            answer
        })
    }

    pub(crate) fn requests(times: usize) -> u64 {
        (CONNECTIONS * times) as u64
    }
}

/// One request, and the body of its answer, which must have a length.
fn exchange(connection: &mut StreamOwned<ClientConnection, TcpStream>, request: &[u8]) -> Result<Vec<u8>> {
    connection.write_all(request)?;
    connection.flush()?;
    let (mut answer, mut part) = (Vec::new(), [0; 8192]);
    loop {
        let read = connection.read(&mut part)?;
        answer.extend_from_slice(part.get(..read).unwrap_or_default());
        if read == 0 {
            return Err("the server closed a connection".into());
        }
        if let Some(body) = whole_body(&answer)? {
            return Ok(body.to_vec());
        }
    }
}

fn whole_body(answer: &[u8]) -> Result<Option<&[u8]>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let (head, body) = answer.split_at(end + 4);
    let head = std::str::from_utf8(head)?.to_ascii_lowercase();
    if !head.starts_with("http/1.1 200") {
        return Err(head.into());
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).ok_or("no length")?;
    Ok((body.len() == length.parse::<usize>()?).then_some(body))
}
