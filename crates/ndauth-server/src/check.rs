//! Checks of the settings before anything is opened: settings that must not be served with, and warnings for
//! the operator.

use std::net::SocketAddr;

use ndauth_authority::{DatabaseTls, DatabaseUrl, TlsMode};
use ndauth_terminal::ExposedFile;

use crate::mail::{MailError, Mailer};
use crate::options::ServeOptions;
use crate::tls::{LoadedCertificate, TlsError, TlsFiles, check_certificates};

/// The reason why the server refuses its settings.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Secrets would cross a network in plain text.
    #[error("`{0}` is not a loopback address, and secrets would cross the network in plain text")]
    Plaintext(SocketAddr),
    /// Both addresses are the same, or one includes the other.
    #[error("`--listen {0}` and `--admin-listen {1}` are one address, which is served once")]
    SameAddress(SocketAddr, SocketAddr),
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(TlsError),
    /// A file that the database's URL names cannot be used.
    #[error(transparent)]
    Database(TlsError),
    /// Mail cannot be sent with the settings.
    #[error(transparent)]
    Mail(#[from] MailError),
}

/// A summary of the settings for secrets and the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedSettings {
    /// The way secrets travel.
    pub clients: String,
    /// The way the database is reached, if that is over a network or a socket.
    pub database: Option<String>,
    /// Warnings for the operator.
    pub warnings: Vec<String>,
}

/// Checks the settings and the files that they name. Connects to nothing: [`crate::preflight()`] does.
pub fn check(options: &ServeOptions) -> Result<CheckedSettings, CheckError> {
    let certificate = check_settings(options)?;
    let clients = match &certificate {
        Some(certificate) => format!("encrypted, until {}", certificate.ends()),
        None if options.listen.ip().is_loopback() => "in plain text, on this machine only".to_owned(),
        None => "in plain text, beyond this machine".to_owned(),
    };
    let mut warnings = warnings(options);
    warnings.extend(certificate.iter().flat_map(LoadedCertificate::warnings));
    Ok(CheckedSettings { clients, database: options.database.tls().map(|tls| reached(&tls)), warnings })
}

/// Checks the files that a database's URL names.
pub fn check_database(url: &DatabaseUrl) -> Result<(), CheckError> {
    let Some(tls) = url.tls() else { return Ok(()) };
    if let Some(root) = &tls.root {
        check_certificates(root).map_err(CheckError::Database)?;
    }
    if let Some(files) = client_certificate(&tls) {
        files.load().map_err(CheckError::Database)?;
    }
    Ok(())
}

/// Returns true if a server that listens on one address also takes the connections to the other.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let same_ip = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same_ip
}

/// Checks the settings, and returns the server's certificate, if it has one.
pub(crate) fn check_settings(options: &ServeOptions) -> Result<Option<LoadedCertificate>, CheckError> {
    let allowed =
        options.tls.is_some() || options.listen.ip().is_loopback() || options.plaintext_beyond_loopback;
    if !allowed {
        return Err(CheckError::Plaintext(options.listen));
    }
    if overlap(options.listen, options.admin_listen) {
        return Err(CheckError::SameAddress(options.listen, options.admin_listen));
    }
    let certificate = options.tls.as_ref().map(TlsFiles::load).transpose().map_err(CheckError::Tls)?;
    check_database(&options.database)?;
    options.mail.as_ref().map(Mailer::open).transpose()?;
    Ok(certificate)
}

/// Returns warnings about settings that are served with, except those about the certificate itself.
pub(crate) fn warnings(options: &ServeOptions) -> Vec<String> {
    let tls = options.database.tls();
    let key = options.tls.as_ref().map(|files| files.key.clone());
    let client_key = tls.as_ref().and_then(client_certificate).map(|files| files.key);
    let secret = key.into_iter().chain(client_key).chain(options.secret_files.iter().cloned());
    let exposed = secret.filter_map(|path| ExposedFile::find(&path));
    let exposed = exposed.map(|file| format!("{file}: {}", file.hint()));
    exposed.chain(tls.as_ref().and_then(unverified)).collect()
}

fn client_certificate(tls: &DatabaseTls) -> Option<TlsFiles> {
    let (certificate, key) = tls.client.clone()?;
    Some(TlsFiles { certificate, key })
}

/// Describes in words how a database is reached.
fn reached(tls: &DatabaseTls) -> String {
    let mode = match tls.mode {
        _ if tls.is_socket => "through a socket of this machine",
        TlsMode::Plain => "in plain text",
        TlsMode::IfOffered => "by TLS if it offers that, with any certificate (sslmode=prefer)",
        TlsMode::AnyCertificate => "by TLS, with any certificate (sslmode=require)",
        TlsMode::AnyName => "by TLS, with a certificate for any name (sslmode=verify-ca)",
        TlsMode::Verified => "by TLS, with its certificate verified (sslmode=verify-full)",
    };
    mode.to_owned()
}

/// Returns the warning about a database whose connection others could read or take over.
fn unverified(tls: &DatabaseTls) -> Option<String> {
    if tls.mode == TlsMode::Verified || tls.is_local() {
        return None;
    }
    let (host, reached) = (&tls.host, reached(tls));
    Some(format!(
        "the database at `{host}` is reached {reached}: anyone in between can read and change everything; say \
         `sslmode=verify-full` in its URL, and `sslrootcert=FILE` where an authority of your own signed its certificate"
    ))
}
