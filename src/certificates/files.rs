//! A certificate and its key from two PEM files, watched by comparing their content.
//!
//! Both files are read and compared whole at every look. A mounted Secret changes by swapping one symlink, so the two
//! may be read from either side of the swap; then they do not match, that look fails, and the next succeeds.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::InconsistentKeys;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::time::ASN1Time;

use crate::certificates::args::TlsVersion;
use crate::certificates::server_certificate::ServerCertificate;
use crate::certificates::x509::CertificateFacts;

/// Why two files cannot be served as a certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFileError {
    /// A file that cannot be read.
    #[error("cannot read {}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that is not PEM.
    #[error("{} is not PEM: it should hold blocks that start with -----BEGIN", file.display())]
    NotPem {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// A certificate file without a certificate.
    #[error("{} holds no certificate: it should start with -----BEGIN CERTIFICATE-----", file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// A key file without a key.
    #[error(
        "{} holds no unencrypted private key: it should hold one block -----BEGIN PRIVATE KEY-----",
        file.display()
    )]
    NoKey {
        /// The file.
        file: PathBuf,
    },
    /// A block that says it is a certificate and is not one.
    #[error("the first certificate in {} cannot be read: issue it anew", file.display())]
    NotACertificate {
        /// The file.
        file: PathBuf,
    },
    /// A certificate without a subjectAltName.
    #[error(
        "the certificate in {} has no subjectAltName, so no client accepts it: issue it for <service>.<namespace>.svc",
        file.display()
    )]
    Nameless {
        /// The file.
        file: PathBuf,
    },
    /// A certificate that has expired.
    #[error("the certificate in {} expired on {not_after}: renew it", file.display())]
    Expired {
        /// The file.
        file: PathBuf,
        /// When.
        not_after: ASN1Time,
    },
    /// A key of another certificate.
    #[error(
        "the key in {} is not that of the first certificate in {}: the server's own certificate comes first, \
         its issuers follow",
        key.display(),
        certificate.display()
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A pair that rustls does not take, for its kind of key.
    #[error(
        "{} and {} cannot be served with: use a key of kind ECDSA P-256",
        certificate.display(),
        key.display()
    )]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What rustls said.
        source: rustls::Error,
    },
}

/// Reads a certificate and its key.
///
/// # Errors
/// What is wrong with which file, and what to do.
pub fn from_files(
    certificate: &Path,
    key: &Path,
    oldest: TlsVersion,
) -> Result<ServerCertificate, CertificateFileError> {
    CertificatePair::read(certificate, key)?.load(certificate, key, oldest)
}

/// Two files that are read again and again.
pub struct CertificateWatch {
    certificate: PathBuf,
    key: PathBuf,
    oldest: TlsVersion,
    loaded: CertificatePair,
}

impl CertificateWatch {
    /// Reads both files for the first time.
    ///
    /// # Errors
    /// As [`from_files`].
    pub fn start(
        certificate: &Path,
        key: &Path,
        oldest: TlsVersion,
    ) -> Result<(Self, ServerCertificate), CertificateFileError> {
        let pair = CertificatePair::read(certificate, key)?;
        let loaded = pair.load(certificate, key, oldest)?;
        let watch = Self { certificate: certificate.to_owned(), key: key.to_owned(), oldest, loaded: pair };
        Ok((watch, loaded))
    }

    /// Reads both files again. `None` when they are what was loaded last; after an error they are tried
    /// again.
    ///
    /// # Errors
    /// As [`from_files`].
    pub fn look(&mut self) -> Result<Option<ServerCertificate>, CertificateFileError> {
        let pair = CertificatePair::read(&self.certificate, &self.key)?;
        if pair == self.loaded {
            return Ok(None);
        }
        let loaded = pair.load(&self.certificate, &self.key, self.oldest)?;
        self.loaded = pair;
        Ok(Some(loaded))
    }
}

/// The bytes of both files. Deliberately without `Debug`: one of them is the key.
#[derive(PartialEq, Eq)]
struct CertificatePair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl CertificatePair {
    fn read(certificate: &Path, key: &Path) -> Result<Self, CertificateFileError> {
        Ok(Self { certificate: read(certificate)?, key: read(key)? })
    }

    fn load(
        &self,
        certificate: &Path,
        key: &Path,
        oldest: TlsVersion,
    ) -> Result<ServerCertificate, CertificateFileError> {
        let chain = self.chain(certificate)?;
        let private = self.private_key(key)?;
        check(&chain, certificate)?;
        ServerCertificate::new(chain, private, oldest).map_err(|source| refused(certificate, key, source))
    }

    fn chain(&self, file: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateFileError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        chain.map_err(|source| CertificateFileError::NotPem { file: file.to_owned(), source })
    }

    fn private_key(&self, file: &Path) -> Result<PrivateKeyDer<'static>, CertificateFileError> {
        PrivateKeyDer::from_pem_slice(&self.key).map_err(|source| {
            let file = file.to_owned();
            if matches!(source, pem::Error::NoItemsFound) {
                return CertificateFileError::NoKey { file };
            }
            CertificateFileError::NotPem { file, source }
        })
    }
}

fn read(file: &Path) -> Result<Vec<u8>, CertificateFileError> {
    fs::read(file).map_err(|source| CertificateFileError::Unreadable { file: file.to_owned(), source })
}

fn check(chain: &[CertificateDer<'_>], file: &Path) -> Result<(), CertificateFileError> {
    let file = || file.to_owned();
    let Some(leaf) = chain.first() else {
        return Err(CertificateFileError::NoCertificate { file: file() });
    };
    let Some(facts) = CertificateFacts::read(leaf) else {
        return Err(CertificateFileError::NotACertificate { file: file() });
    };
    if facts.names.is_empty() {
        return Err(CertificateFileError::Nameless { file: file() });
    }
    if facts.not_after.timestamp() <= unix_now() {
        return Err(CertificateFileError::Expired { file: file(), not_after: facts.not_after });
    }
    Ok(())
}

fn refused(certificate: &Path, key: &Path, source: rustls::Error) -> CertificateFileError {
    let (certificate, key) = (certificate.to_owned(), key.to_owned());
    if matches!(source, rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) {
        return CertificateFileError::Mismatch { certificate, key };
    }
    CertificateFileError::Unusable { certificate, key, source }
}

fn unix_now() -> i64 {
    // With a clock before 1970 nothing expires, but clients check that anyway.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, date_time_ymd};
    use tempfile::TempDir;

    use super::*;

    /// A certificate and its key in PEM.
    fn issue(change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let mut params = CertificateParams::new(vec!["podgate.podgate.svc".to_owned()]).unwrap();
        params.not_after = date_time_ymd(2100, 1, 1);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn load(certificate: &str, key: &str) -> Result<ServerCertificate, String> {
        let folder = TempDir::new().unwrap();
        let files = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
        fs::write(&files.0, certificate).unwrap();
        fs::write(&files.1, key).unwrap();
        let folder = format!("{}/", folder.path().display());
        from_files(&files.0, &files.1, TlsVersion::V1_3)
            .map_err(|error| error.to_string().replace(&folder, ""))
    }

    #[test]
    fn a_pair_that_belongs_together() {
        let (certificate, key) = issue(|_| {});
        let loaded = load(&certificate, &key).unwrap();
        assert_eq!(loaded.not_after, 4_102_444_800);
        assert_eq!(loaded.names, ["podgate.podgate.svc"]);
        assert_eq!(loaded.config.alpn_protocols, [b"http/1.1"]);
        // Its issuers follow, and what is not PEM in between is comment.
        let (issuer, _) = issue(|_| {});
        load(&format!("# ours\n{certificate}# theirs\n{issuer}"), &key).unwrap();
    }

    #[test]
    fn other_kinds_of_keys() {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let certificate =
            CertificateParams::new(vec!["podgate".to_owned()]).unwrap().self_signed(&key).unwrap();
        load(&certificate.pem(), &key.serialize_pem()).unwrap();
    }

    #[test]
    fn refused() {
        let (certificate, key) = issue(|_| {});
        let (other, _) = issue(|_| {});
        let (expired, expired_key) = issue(|params| params.not_after = date_time_ymd(2020, 2, 3));
        let (nameless, nameless_key) = issue(|params| params.subject_alt_names.clear());
        let damaged = certificate.replacen("\nM", "\nA", 1);
        for (certificate, key, expected) in [
            (
                other.as_str(),
                key.as_str(),
                "the key in tls.key is not that of the first certificate in tls.crt",
            ),
            (&(other.clone() + &certificate), &key, "the server's own certificate comes first"),
            (
                &expired,
                &expired_key,
                "the certificate in tls.crt expired on Feb  3 00:00:00 2020 +00:00: renew it",
            ),
            (&nameless, &nameless_key, "the certificate in tls.crt has no subjectAltName"),
            ("", &key, "tls.crt holds no certificate"),
            (&key, &key, "tls.crt holds no certificate"),
            (&certificate, "", "tls.key holds no unencrypted private key"),
            (&certificate, &certificate, "tls.key holds no unencrypted private key"),
            (&certificate[..certificate.len() / 2], &key, "tls.crt is not PEM"),
            (&certificate, &key[..key.len() / 2], "tls.key is not PEM"),
            (&damaged, &key, "the first certificate in tls.crt cannot be read"),
        ] {
            let error = load(certificate, key).unwrap_err();
            assert!(error.contains(expected), "{error}\n{expected}");
            assert!(!error.contains("BEGIN PRIVATE KEY-----\n"), "{error}");
        }
        let missing = Path::new("/nonexistent/tls.crt");
        let error = from_files(missing, missing, TlsVersion::V1_3).unwrap_err();
        assert_eq!(error.to_string(), "cannot read /nonexistent/tls.crt");
    }

    /// A Secret as the kubelet mounts it: the files are links through `..data` to a folder of one version.
    struct Secret(TempDir);

    impl Secret {
        fn mount(pair: &(String, String)) -> Self {
            let secret = Self(TempDir::new().unwrap());
            for name in ["tls.crt", "tls.key"] {
                symlink(Path::new("..data").join(name), secret.0.path().join(name)).unwrap();
            }
            secret.publish("..1", pair);
            secret
        }

        fn publish(&self, version: &str, (certificate, key): &(String, String)) {
            let path = self.0.path();
            fs::create_dir(path.join(version)).unwrap();
            fs::write(path.join(version).join("tls.crt"), certificate).unwrap();
            fs::write(path.join(version).join("tls.key"), key).unwrap();
            symlink(version, path.join("..data_tmp")).unwrap();
            fs::rename(path.join("..data_tmp"), path.join("..data")).unwrap();
        }

        fn watch(&self) -> CertificateWatch {
            let path = self.0.path();
            CertificateWatch::start(&path.join("tls.crt"), &path.join("tls.key"), TlsVersion::V1_3).unwrap().0
        }
    }

    #[test]
    fn a_swapped_symlink_is_a_change() {
        let first = issue(|_| {});
        let secret = Secret::mount(&first);
        let mut watch = secret.watch();
        assert!(watch.look().unwrap().is_none());
        secret.publish("..2", &issue(|params| params.not_after = date_time_ymd(2090, 1, 1)));
        assert_eq!(watch.look().unwrap().unwrap().not_after, 3_786_912_000);
        assert!(watch.look().unwrap().is_none());
        // The same content at a new place is no change.
        secret.publish("..3", &first);
        assert!(watch.look().unwrap().is_some());
        secret.publish("..4", &first);
        assert!(watch.look().unwrap().is_none());
    }

    #[test]
    fn a_torn_pair_is_looked_at_again() {
        let (first, second) = (issue(|_| {}), issue(|_| {}));
        let secret = Secret::mount(&first);
        let mut watch = secret.watch();
        secret.publish("..2", &(second.0.clone(), first.1));
        assert!(matches!(watch.look(), Err(CertificateFileError::Mismatch { .. })));
        assert!(matches!(watch.look(), Err(CertificateFileError::Mismatch { .. })));
        secret.publish("..3", &second);
        assert!(watch.look().unwrap().is_some());
        fs::remove_file(secret.0.path().join("..data")).unwrap();
        assert!(matches!(watch.look(), Err(CertificateFileError::Unreadable { .. })));
    }
}
