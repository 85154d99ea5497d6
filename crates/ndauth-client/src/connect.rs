//! Connections to a server: its address, the trusted certificates, and the reasons why connecting fails.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ndauth_core::{Problem, Reason};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::dial::{connector, root};
use crate::http_proxy::{TunnelError, Tunnels};
use crate::{HttpProxy, Observer, ServerUrl, TraceParent};

/// The options of a connection.
#[derive(Clone, Debug)]
pub struct Options {
    /// A PEM file with the certificates of the trusted authorities; the system's trust store if `None`.
    pub ca_file: Option<PathBuf>,
    /// The timeout of a connection and of a call.
    pub timeout: Duration,
    /// The proxy through which the server is reached, if any.
    pub proxy: Option<HttpProxy>,
    /// The observer that every call is reported to.
    pub observer: Observer,
    /// The name of the client, such as `ndcli/0.1.0`, which token owners see.
    pub user_agent: String,
    /// The place of the caller in a trace, which is sent with every call.
    pub trace_parent: Option<TraceParent>,
}

/// The error for a connection that fails.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The proxy opens no tunnel to the server.
    #[error("cannot reach the server `{server}`: the proxy `{proxy}` {why}")]
    Proxy {
        /// The server.
        server: ServerUrl,
        /// The proxy's host and port.
        proxy: String,
        /// The reason.
        why: String,
        /// True if a retry may succeed.
        is_transient: bool,
    },
    /// The server cannot be reached. A retry may succeed.
    #[error("cannot reach the server `{server}`: {why}")]
    Unreachable {
        /// The server.
        server: ServerUrl,
        /// The reason.
        why: String,
    },
    /// The server's certificate is not trusted, the trust store is unusable, or the server does not speak TLS.
    #[error("cannot trust the server `{server}`: {why}")]
    Untrusted {
        /// The server.
        server: ServerUrl,
        /// The reason.
        why: Distrust,
    },
    /// The trusted certificates cannot be read.
    #[error("cannot read the trusted certificates in `{}`: {why}", file.display())]
    CaFile {
        /// The file.
        file: PathBuf,
        /// The reason.
        why: String,
    },
}

/// The reason why a server is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// No authority that is trusted here signed its certificate.
    #[error("its certificate is not signed by a trusted authority")]
    UnknownAuthority,
    /// Its certificate has expired.
    #[error("its certificate has expired")]
    Expired,
    /// Its certificate is not valid yet.
    #[error("its certificate is not valid yet")]
    NotValidYet,
    /// Its certificate is for another name.
    #[error("its certificate is for another host name")]
    AnotherName,
    /// The server does not speak TLS.
    #[error("the server does not speak TLS: is it `http://`?")]
    NoTls,
    /// Something else.
    #[error("{0}")]
    Other(String),
}

const TIME_LIMIT: Duration = Duration::from_secs(30);
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Default for Options {
    fn default() -> Options {
        Options {
            ca_file: None,
            timeout: TIME_LIMIT,
            proxy: None,
            observer: Observer::default(),
            user_agent: concat!("ndauth/", env!("CARGO_PKG_VERSION")).to_owned(),
            trace_parent: None,
        }
    }
}

impl Options {
    /// Builds the endpoint of a server.
    pub(crate) fn endpoint(&self, server: &ServerUrl) -> Result<Endpoint, ConnectError> {
        let endpoint = Endpoint::from_shared(server.to_string())
            .and_then(|endpoint| endpoint.user_agent(self.user_agent.as_str()))
            .map_err(|error| failure(server, &error))?
            .connect_timeout(CONNECT_TIMEOUT.min(self.timeout))
            .timeout(self.timeout)
            .tcp_nodelay(true);
        if !server.is_tls() {
            return Ok(endpoint);
        }
        endpoint.tls_config(trust(self)?).map_err(|error| untrusted(server, self, &error))
    }

    /// Connects to a server.
    pub(crate) async fn connect(&self, server: &ServerUrl) -> Result<Channel, ConnectError> {
        let endpoint = self.endpoint(server)?;
        let connected = match &self.proxy {
            None => endpoint.connect_with_connector(connector()).await,
            Some(proxy) => {
                let tunnels = Tunnels { proxy: proxy.clone(), server: server.clone() };
                endpoint.connect_with_connector(tunnels).await
            }
        };
        connected.map_err(|error| failure(server, &error))
    }
}

impl ConnectError {
    /// Returns true if a retry may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            ConnectError::Unreachable { .. } => true,
            ConnectError::Proxy { is_transient, .. } => *is_transient,
            ConnectError::Untrusted { .. } | ConnectError::CaFile { .. } => false,
        }
    }
}

impl From<ConnectError> for Problem {
    /// Without a connection, nothing is decided.
    fn from(error: ConnectError) -> Problem {
        Problem::new(Reason::Unavailable, error.to_string())
    }
}

fn trust(options: &Options) -> Result<ClientTlsConfig, ConnectError> {
    let Some(file) = &options.ca_file else { return Ok(ClientTlsConfig::new().with_native_roots()) };
    Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authorities(file)?)))
}

/// Reads a PEM file, which must hold at least one certificate.
pub(crate) fn authorities(file: &Path) -> Result<Vec<u8>, ConnectError> {
    let failed = |why: String| ConnectError::CaFile { file: file.to_owned(), why };
    let pem = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
    if !pem.windows(BEGIN.len()).any(|window| window == BEGIN) {
        return Err(failed("it holds no certificate in PEM".to_owned()));
    }
    Ok(pem)
}

/// Returns the error for trusted certificates that are unusable, or for a system that has none.
pub(crate) fn untrusted(server: &ServerUrl, options: &Options, error: &dyn Error) -> ConnectError {
    match &options.ca_file {
        Some(file) => ConnectError::CaFile { file: file.clone(), why: root(error) },
        None => {
            let why = format!("the system's trusted certificates cannot be used: {}", root(error));
            ConnectError::Untrusted { server: server.clone(), why: Distrust::Other(why) }
        }
    }
}

/// RFC 7468, section 5.1.
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Returns why a certificate is not trusted.
fn untrusted_because(error: &rustls::Error) -> Distrust {
    use rustls::CertificateError as Why;
    let rustls::Error::InvalidCertificate(why) = error else { return Distrust::Other(error.to_string()) };
    match why {
        Why::UnknownIssuer | Why::BadSignature => Distrust::UnknownAuthority,
        Why::Expired | Why::ExpiredContext { .. } => Distrust::Expired,
        Why::NotValidYet | Why::NotValidYetContext { .. } => Distrust::NotValidYet,
        Why::NotValidForName | Why::NotValidForNameContext { .. } => Distrust::AnotherName,
        why if format!("{why:?}").contains("CaUsedAsEndEntity") => Distrust::Other(
            "its certificate is a CA certificate: a server's has `basicConstraints=CA:FALSE`".to_owned(),
        ),
        _ => Distrust::Other(error.to_string()),
    }
}

/// Turns a transport error into the error of the connection.
pub(crate) fn failure(server: &ServerUrl, error: &(dyn Error + 'static)) -> ConnectError {
    let server = server.clone();
    if let Some(TunnelError { proxy, why, is_transient }) = cause(error) {
        let (proxy, why, is_transient) = (proxy.clone(), why.clone(), *is_transient);
        return ConnectError::Proxy { server, proxy, why, is_transient };
    }
    match cause(error) {
        Some(rustls::Error::InvalidMessage(_)) => ConnectError::Untrusted { server, why: Distrust::NoTls },
        Some(error) => ConnectError::Untrusted { server, why: untrusted_because(error) },
        None => ConnectError::Unreachable { server, why: root(error) },
    }
}

/// Finds an error of a type among the causes of an error.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut open = Some(error);
    while let Some(error) = open {
        // An `io::Error` leaves the error that it wraps out of its chain.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let found = error.downcast_ref().or_else(|| wrapped.and_then(|wrapped| wrapped.downcast_ref()));
        if found.is_some() {
            return found;
        }
        // The wrapped error may have a cause itself.
        if let Some(found) = wrapped.and_then(|wrapped| cause(wrapped)) {
            return Some(found);
        }
        open = error.source();
    }
    None
}
