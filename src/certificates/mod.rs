//! The server's certificate: where it comes from, and when it is replaced.
//!
//! Whatever the source, the result is a [`ServerCertificate`]: a TLS configuration that is proven to work, and the date on
//! which it stops working. Nothing that fails a check becomes one, so a bad pair of files never replaces a good one.

mod args;
mod bundle;
mod ca_certificate;
mod client_auth;
mod files;
mod self_managed;
mod self_signed;
mod server_certificate;
mod server_tls;
mod service;
mod x509;

pub use args::{TlsArgs, TlsVersion};
pub use bundle::{CaBundle, render as render_bundle};
pub use ca_certificate::CaCertificate;
pub use client_auth::{ClientAuth, ClientAuthArgs, ClientAuthError, ClientAuthWatch};
pub use files::{CertificateFileError, CertificateWatch, from_files};
pub use self_managed::authority::{CertificateAuthority, IssueError, LeafCertificate};
pub use self_managed::ca_secret::{CaSecret, IssuedLeaf, SecretData};
pub use self_managed::certificate::{NextLook, RotationSettings, SelfManagedCertificate};
pub use self_managed::clocks::Clocks;
pub use self_managed::lifetimes::Lifetimes;
pub use self_managed::read_secret::SecretError;
pub use self_managed::rotation::{RotationAction, RotationState, SecretChange, next_action};
pub use self_managed::status::{
    RotationEvent, RotationObserver, RotationPhase, RotationProblem, RotationStatus, StoreOperation, Unready,
};
pub use self_managed::store::{CertificateStore, StoreError, VersionedSecret, WebhookBundle};
pub use self_signed::{LOOPBACK, SelfSigned, SelfSignedError, self_signed};
pub use server_certificate::ServerCertificate;
pub use server_tls::ServerTls;
pub use service::WebhookService;
pub use x509::dates_and_names;
