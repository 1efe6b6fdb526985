//! What connections are accepted with now: the certificate and the check of clients, each of which changes by
//! itself.
//!
//! A new one of either makes a new configuration, so that nothing that a peer has proven to an older one
//! counts any more.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{Clients, Loaded, TlsVersion, config};

/// The configuration that the server accepts connections with, as its parts come and change.
pub struct Front {
    tls: Arc<ArcSwap<ServerConfig>>,
    parts: Mutex<Parts>,
}

#[derive(Default)]
struct Parts {
    certificate: Option<Loaded>,
    clients: Option<Clients>,
}

impl Front {
    /// Without a certificate: until one is shown, every handshake is refused.
    ///
    /// # Errors
    /// When TLS cannot be set up at all.
    pub fn new(oldest: TlsVersion, clients: Option<Clients>) -> Result<Self, rustls::Error> {
        let tls = config(Arc::new(NoCertificate), oldest, clients.as_ref())?;
        let parts = Mutex::new(Parts { certificate: None, clients });
        Ok(Self { tls: Arc::new(ArcSwap::new(tls)), parts })
    }

    /// What the server is given. It is exchanged in place.
    #[must_use]
    pub fn tls(&self) -> Arc<ArcSwap<ServerConfig>> {
        Arc::clone(&self.tls)
    }

    /// Shows this certificate from now on.
    ///
    /// # Errors
    /// When it cannot be served; then nothing has changed.
    pub fn show(&self, certificate: Loaded) -> Result<(), rustls::Error> {
        self.change(|parts| Parts { certificate: Some(certificate), clients: parts.clients.clone() })
    }

    /// Lets in these clients only from now on. Before the first certificate it counts from then on.
    ///
    /// # Errors
    /// When they cannot be checked; then nothing has changed.
    pub fn admit(&self, clients: Clients) -> Result<(), rustls::Error> {
        self.change(|parts| Parts { certificate: parts.certificate.clone(), clients: Some(clients) })
    }

    fn change(&self, change: impl FnOnce(&Parts) -> Parts) -> Result<(), rustls::Error> {
        // Held while the configuration is made, so that two changes at once do not lose one.
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let new = change(&parts);
        if let Some(certificate) = &new.certificate {
            self.tls.store(certificate.requiring(new.clients.as_ref())?);
        }
        *parts = new;
        Ok(())
    }
}

/// The answer to every handshake before there is a certificate.
#[derive(Debug)]
struct NoCertificate;

impl ResolvesServerCert for NoCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}
