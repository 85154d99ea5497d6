//! TLS: the certificate and its key, from files that are read again when they change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use ndauth_core::Causes;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;

/// Where a certificate and its key lie, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and behind it those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("`{}` holds no {what} in PEM", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The certificate and the key are not a pair, or are of a kind that is not spoken.
    #[error("the certificate in `{}` and the key in `{}` do not go together", files.certificate.display(), files.key.display())]
    Pair {
        /// Which files.
        files: TlsFiles,
        /// Why not.
        #[source]
        source: rustls::Error,
    },
}

/// The certificate that is shown to whoever connects.
pub(crate) struct Certificate {
    files: TlsFiles,
    current: RwLock<Arc<LoadedCertificate>>,
}

/// A certificate and its key, as their files were last read.
struct LoadedCertificate {
    key: Arc<CertifiedKey>,
    /// The bytes of both files, by which a change is noticed: links that are swapped keep their dates.
    bytes: (Vec<u8>, Vec<u8>),
}

impl TlsFiles {
    /// Reads both files. Returns what is in them, and when the certificate ends, in seconds since 1970.
    fn load(&self) -> Result<(LoadedCertificate, i64), TlsError> {
        let bytes = (read(&self.certificate)?, read(&self.key)?);
        let no_certificate = || TlsError::Content { path: self.certificate.clone(), what: "certificate" };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&bytes.0)
            .collect::<Result<_, _>>()
            .map_err(|_| no_certificate())?;
        let first = chain.first().ok_or_else(no_certificate)?;
        let (_, parsed) = x509_parser::parse_x509_certificate(first).map_err(|_| no_certificate())?;
        if parsed.is_ca() {
            let file = self.certificate.display();
            tracing::warn!(%file, "the certificate is an authority's own (CA:TRUE), which many clients refuse");
        }
        let ends = parsed.validity().not_after.timestamp();
        let key = PrivateKeyDer::from_pem_slice(&bytes.1)
            .map_err(|_| TlsError::Content { path: self.key.clone(), what: "private key" })?;
        let key = CertifiedKey::from_der(chain, key, &provider())
            .map_err(|source| TlsError::Pair { files: self.clone(), source })?;
        Ok((LoadedCertificate { key: Arc::new(key), bytes }, ends))
    }

    /// Whether both files can be used. Returns when the certificate ends, in seconds since 1970.
    pub(crate) fn check(&self) -> Result<i64, TlsError> {
        Ok(self.load()?.1)
    }
}

impl Certificate {
    pub(crate) fn load(files: &TlsFiles) -> Result<Arc<Certificate>, TlsError> {
        let (loaded, ends) = files.load()?;
        record_end(ends);
        Ok(Arc::new(Certificate { files: files.clone(), current: RwLock::new(Arc::new(loaded)) }))
    }

    /// How connections are encrypted.
    pub(crate) fn config(self: &Arc<Self>) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider speaks TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }

    /// Reads the files again where they have changed. What cannot be used leaves what is in force.
    pub(crate) fn reload(&self) {
        let changed = match (read(&self.files.certificate), read(&self.files.key)) {
            (Ok(certificate), Ok(key)) => (certificate, key) != self.current().bytes,
            _ => true,
        };
        if !changed {
            return;
        }
        match self.files.load() {
            Ok((loaded, ends)) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
                record_end(ends);
                tracing::info!(file = %self.files.certificate.display(), "the certificate was read again");
            }
            Err(error) => {
                metrics::counter!("ndauth_tls_reload_failures_total").increment(1);
                tracing::warn!(
                    error = %Causes(&error),
                    "the certificate changed, and cannot be used: the one before serves on"
                );
            }
        }
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

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

#[expect(clippy::cast_precision_loss, reason = "seconds of this age are exact in 52 bits")]
fn record_end(seconds: i64) {
    metrics::gauge!("ndauth_tls_certificate_expiry_timestamp_seconds").set(seconds as f64);
}
