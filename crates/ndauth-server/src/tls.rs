//! TLS: the certificate and its key, from files that are read again when they change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ndauth_core::{Causes, Timestamp};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use x509_parser::time::ASN1Time;

/// The paths of a certificate and its key, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, followed by the intermediate ones.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The reason why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// A file does not hold the expected content.
    #[error("`{}` holds no {what} in PEM", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The expected content.
        what: &'static str,
    },
    /// The certificate and the key are not a pair, or are of an unsupported kind.
    #[error("the certificate in `{}` and the key in `{}` do not match", files.certificate.display(), files.key.display())]
    Pair {
        /// The files.
        files: TlsFiles,
        /// The reason.
        #[source]
        source: rustls::Error,
    },
    /// The certificate's time is over: clients refuse it.
    #[error("the certificate in `{}` ended at {ended}", path.display())]
    Expired {
        /// The certificate's file.
        path: PathBuf,
        /// The instant at which it ended.
        ended: Timestamp,
    },
    /// The certificate's time has not begun: clients refuse it.
    #[error("the certificate in `{}` begins at {begins} only", path.display())]
    NotYetValid {
        /// The certificate's file.
        path: PathBuf,
        /// The instant at which it begins.
        begins: Timestamp,
    },
}

/// The certificate that the server presents to clients.
pub(crate) struct Certificate {
    files: TlsFiles,
    current: RwLock<Arc<LoadedCertificate>>,
    /// The warnings that were logged last. The same are not logged again.
    warned_of: Mutex<Vec<String>>,
}

/// A certificate and its key, as their files were last read.
pub(crate) struct LoadedCertificate {
    key: Arc<CertifiedKey>,
    /// The bytes of both files, which reveal a change: swapped links keep their dates.
    bytes: (Vec<u8>, Vec<u8>),
    path: PathBuf,
    /// True if the certificate may sign others.
    is_authority: bool,
    /// The end of its validity, in seconds since 1970.
    ends: i64,
}

/// The time before its end in which a warning is logged, in seconds.
const ENDS_SOON: i64 = 14 * SECONDS_A_DAY;
const SECONDS_A_DAY: i64 = 24 * 60 * 60;

impl TlsFiles {
    /// Reads both files. Returns an error if clients would refuse the certificate now.
    pub(crate) fn load(&self) -> Result<LoadedCertificate, TlsError> {
        let bytes = (read(&self.certificate)?, read(&self.key)?);
        let chain = certificates(&self.certificate, &bytes.0)?;
        let no_certificate = || TlsError::Content { path: self.certificate.clone(), what: "certificate" };
        let first = chain.first().ok_or_else(no_certificate)?;
        let (_, parsed) = x509_parser::parse_x509_certificate(first).map_err(|_| no_certificate())?;
        let is_authority = parsed.is_ca();
        let (begins, ends) =
            (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
        let key = PrivateKeyDer::from_pem_slice(&bytes.1)
            .map_err(|_| TlsError::Content { path: self.key.clone(), what: "private key" })?;
        let key = CertifiedKey::from_der(chain, key, &provider())
            .map_err(|source| TlsError::Pair { files: self.clone(), source })?;
        let path = self.certificate.clone();
        // Both instants belong to its time (RFC 5280, section 4.1.2.5).
        match now() {
            now if now < begins => Err(TlsError::NotYetValid { path, begins: instant(begins) }),
            now if now > ends => Err(TlsError::Expired { path, ended: instant(ends) }),
            _ => Ok(LoadedCertificate { key: Arc::new(key), bytes, path, is_authority, ends }),
        }
    }
}

impl LoadedCertificate {
    /// Returns the end of its validity.
    pub(crate) fn ends(&self) -> Timestamp {
        instant(self.ends)
    }

    /// Returns warnings about the certificate that the operator should act on before clients refuse it.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let (path, ends, left) = (self.path.display(), self.ends(), self.ends - now());
        let ending = match left {
            ..0 => Some(format!("the certificate in `{path}` ended at {ends}: clients refuse it")),
            0..=ENDS_SOON => {
                let days = left / SECONDS_A_DAY;
                Some(format!("the certificate in `{path}` ends in {days} d, at {ends}"))
            }
            _ => None,
        };
        let authority = self.is_authority.then(|| {
            format!("the certificate in `{path}` is a CA certificate (CA:TRUE), which many clients refuse")
        });
        ending.into_iter().chain(authority).collect()
    }
}

impl Certificate {
    pub(crate) fn load(files: &TlsFiles) -> Result<Arc<Certificate>, TlsError> {
        let loaded = files.load()?;
        record_end(loaded.ends);
        let current = RwLock::new(Arc::new(loaded));
        Ok(Arc::new(Certificate { files: files.clone(), current, warned_of: Mutex::default() }))
    }

    /// Returns the TLS configuration of connections.
    pub(crate) fn config(self: &Arc<Self>) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider speaks TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }

    /// Reloads the files if they have changed. An unusable certificate does not replace the current one. Logs
    /// the warnings that were not logged before.
    pub(crate) fn look(&self) {
        let failure = self.reload().err().map(|error| {
            metrics::counter!("ndauth_tls_reload_failures_total").increment(1);
            format!(
                "the new certificate cannot be used, and the previous one stays in use: {}",
                Causes(&error)
            )
        });
        let warnings: Vec<String> = failure.into_iter().chain(self.current().warnings()).collect();
        let mut warned_of = self.warned_of.lock().unwrap_or_else(PoisonError::into_inner);
        for warning in warnings.iter().filter(|warning| !warned_of.contains(warning)) {
            tracing::warn!("{warning}");
        }
        *warned_of = warnings;
    }

    fn reload(&self) -> Result<(), TlsError> {
        if (read(&self.files.certificate)?, read(&self.files.key)?) == self.current().bytes {
            return Ok(());
        }
        let loaded = self.files.load()?;
        record_end(loaded.ends);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
        tracing::info!(file = %self.files.certificate.display(), "the certificate was reloaded");
        Ok(())
    }

    fn current(&self) -> Arc<LoadedCertificate> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current().key))
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificate({})", self.files.certificate.display())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Returns an error if a file holds no certificate.
pub(crate) fn check_certificates(path: &Path) -> Result<(), TlsError> {
    certificates(path, &read(path)?).map(drop)
}

/// Parses the certificates in a file, which must hold at least one.
fn certificates(path: &Path, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>().unwrap_or_default();
    if chain.is_empty() {
        return Err(TlsError::Content { path: path.to_owned(), what: "certificate" });
    }
    Ok(chain)
}

/// Returns the machine's time in seconds since 1970. Clients judge a certificate by their machine's clock,
/// not by the database's.
fn now() -> i64 {
    ASN1Time::now().timestamp()
}

fn instant(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds.max(0).saturating_mul(1_000_000)).unwrap_or(Timestamp::MAX)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

#[expect(clippy::cast_precision_loss, reason = "seconds of this age are exact in 52 bits")]
fn record_end(seconds: i64) {
    metrics::gauge!("ndauth_tls_certificate_expiry_timestamp_seconds").set(seconds as f64);
}
