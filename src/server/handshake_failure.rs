//! Why a TLS handshake failed, in words of our own: nothing of what the peer sent is repeated.

use std::io::{self, ErrorKind};

use rustls::{AlertDescription, Error};

/// Why a TLS handshake failed, and what to do where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HandshakeFailure {
    pub(super) reason: &'static str,
    pub(super) advice: Option<&'static str>,
}

/// The client does not trust the certificate.
const UNTRUSTED: &str = "the client does not trust podgate's certificate: compare the caBundle of the webhook \
                         configurations with it, as podgate doctor does";
/// The client is one that has to prove who it is.
const UNPROVEN: &str = "give the API server a client certificate of the authority that --client-ca names";

impl HandshakeFailure {
    /// What an error of the handshake means.
    pub(super) fn of(error: &io::Error) -> Self {
        let of_tls = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
        match (of_tls, error.kind()) {
            (Some(error), _) => Self::of_tls(error),
            (None, ErrorKind::TimedOut) => Self::because("the peer took too long"),
            (None, _) => Self::because("the peer closed the connection"),
        }
    }

    fn of_tls(error: &Error) -> Self {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "of what is new to us no more is known than that it failed"
        )]
        match error {
            Error::AlertReceived(alert) => Self::of_alert(*alert),
            Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => {
                Self::because("what the peer sent is not TLS")
            }
            Error::PeerIncompatible(_) => Self {
                reason: "the peer has no TLS version or cipher in common with podgate",
                advice: Some("TLS 1.3 is spoken, and TLS 1.2 with --tls-min-version 1.2"),
            },
            Error::NoApplicationProtocol => Self::because("the peer does not speak HTTP/1.1"),
            Error::NoCertificatesPresented => {
                Self { reason: "the peer has no client certificate", advice: Some(UNPROVEN) }
            }
            Error::InvalidCertificate(_) => {
                Self { reason: "the peer's client certificate is not accepted", advice: Some(UNPROVEN) }
            }
            Error::PeerMisbehaved(_) | Error::DecryptError => {
                Self::because("the peer broke the rules of TLS")
            }
            _ => Self::because("TLS failed"),
        }
    }

    fn of_alert(alert: AlertDescription) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the other alerts say nothing that helps")]
        match alert {
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::UnsupportedCertificate => {
                Self { reason: "the peer refuses podgate's certificate", advice: Some(UNTRUSTED) }
            }
            AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => {
                Self::because("the peer refuses podgate's TLS version or ciphers")
            }
            _ => Self::because("the peer ended the handshake"),
        }
    }

    fn because(reason: &'static str) -> Self {
        Self { reason, advice: None }
    }
}

#[cfg(test)]
mod tests {
    use rustls::{CertificateError, InvalidMessage};

    use super::*;

    #[test]
    fn reasons_are_words_of_ours() {
        let of_tls = |error: Error| HandshakeFailure::of(&io::Error::new(ErrorKind::InvalidData, error));
        for (error, expected) in [
            (Error::AlertReceived(AlertDescription::UnknownCA), "the peer refuses podgate's certificate"),
            (Error::AlertReceived(AlertDescription::Unknown(77)), "the peer ended the handshake"),
            (Error::InvalidMessage(InvalidMessage::InvalidContentType), "what the peer sent is not TLS"),
            (
                Error::InvalidCertificate(CertificateError::UnknownIssuer),
                "the peer's client certificate is not accepted",
            ),
            (Error::General("CANARY".into()), "TLS failed"),
        ] {
            assert_eq!(of_tls(error).reason, expected);
        }
        assert_eq!(HandshakeFailure::of(&ErrorKind::TimedOut.into()).reason, "the peer took too long");
        assert_eq!(
            HandshakeFailure::of(&ErrorKind::UnexpectedEof.into()).reason,
            "the peer closed the connection"
        );
    }
}
