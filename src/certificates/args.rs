//! The flags of the server's own certificate.

use std::path::PathBuf;

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

/// Which certificate to show.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "TLS")]
#[group(id = "certificate")]
pub struct TlsArgs {
    /// The server's certificate in PEM, followed by its issuers. Read again when it changes.
    #[arg(long, env = "PODGATE_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The key of that certificate, in PEM.
    #[arg(long, env = "PODGATE_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// The oldest TLS version that is accepted.
    #[arg(long, env = "PODGATE_TLS_MIN_VERSION", value_name = "VERSION", default_value = "1.3")]
    pub tls_min_version: TlsVersion,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TlsVersion {
    /// For clients older than TLS 1.3; with ECDHE and AEAD only, as rustls has no other.
    #[value(name = "1.2")]
    V1_2,
    /// What every API server built with Go 1.13 or newer speaks.
    #[value(name = "1.3")]
    V1_3,
}

impl TlsVersion {
    /// It and every newer version.
    pub(super) fn and_newer(self) -> &'static [&'static SupportedProtocolVersion] {
        static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        static NEWEST: [&SupportedProtocolVersion; 1] = [&TLS13];
        match self {
            Self::V1_2 => &BOTH,
            Self::V1_3 => &NEWEST,
        }
    }
}
