//! Reaching a server: where it is, what is trusted, and why there is no connection.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ndauth_core::{Problem, Reason};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::http_proxy::{TunnelError, Tunnels};
use crate::{HttpProxy, Observer, ServerUrl};

/// How to connect, where the usual is not what is wanted.
#[derive(Clone, Debug)]
pub struct Options {
    /// A file of PEM with the certificates of the authorities that are trusted; without one, those that
    /// the system trusts.
    pub ca_file: Option<PathBuf>,
    /// How long a connection or a call may take.
    pub timeout: Duration,
    /// The proxy by which the server is reached, where it is not reached directly.
    pub proxy: Option<HttpProxy>,
    /// What is told of every call.
    pub observer: Observer,
    /// What the client calls itself, such as `ndcli/0.1.0`: token owners are shown it.
    pub user_agent: String,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The proxy opens no way to the server.
    #[error("cannot reach the server `{server}`: the proxy `{proxy}` {why}")]
    Proxy {
        /// The server.
        server: ServerUrl,
        /// The proxy's host and port.
        proxy: String,
        /// The reason.
        why: String,
        /// True where the same may go well in a moment.
        is_passing: bool,
    },
    /// The server cannot be reached. It may be back in a moment.
    #[error("cannot reach the server `{server}`: {why}")]
    Unreachable {
        /// Which server.
        server: ServerUrl,
        /// Why not.
        why: String,
    },
    /// What answers there is not trusted, or speaks no TLS.
    #[error("cannot trust the server `{server}`: {why}")]
    Untrusted {
        /// Which server.
        server: ServerUrl,
        /// Why not.
        why: String,
    },
    /// The trusted certificates cannot be read.
    #[error("cannot read the trusted certificates in `{}`: {why}", file.display())]
    CaFile {
        /// Which file.
        file: PathBuf,
        /// Why not.
        why: String,
    },
}

const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

impl Default for Options {
    fn default() -> Options {
        Options {
            ca_file: None,
            timeout: PATIENCE,
            proxy: None,
            observer: Observer::default(),
            user_agent: concat!("ndauth/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl Options {
    /// How a server is reached.
    pub(crate) fn endpoint(&self, server: &ServerUrl) -> Result<Endpoint, ConnectError> {
        let endpoint = Endpoint::from_shared(server.to_string())
            .and_then(|endpoint| endpoint.user_agent(self.user_agent.as_str()))
            .map_err(|error| failure(server, &error))?
            .connect_timeout(CONNECT_PATIENCE.min(self.timeout))
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
            None => endpoint.connect().await,
            Some(proxy) => {
                let tunnels = Tunnels { proxy: proxy.clone(), server: server.clone() };
                endpoint.connect_with_connector(tunnels).await
            }
        };
        connected.map_err(|error| failure(server, &error))
    }
}

impl ConnectError {
    /// Whether the same may go well in a moment.
    pub fn is_passing(&self) -> bool {
        match self {
            ConnectError::Unreachable { .. } => true,
            ConnectError::Proxy { is_passing, .. } => *is_passing,
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

/// The certificates in a file of PEM, of which there must be one.
pub(crate) fn authorities(file: &Path) -> Result<Vec<u8>, ConnectError> {
    let failed = |why: String| ConnectError::CaFile { file: file.to_owned(), why };
    let pem = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
    if !pem.windows(BEGIN.len()).any(|window| window == BEGIN) {
        return Err(failed("it holds no certificate in PEM".to_owned()));
    }
    Ok(pem)
}

/// That the trusted certificates make no sense, or that the system has none.
pub(crate) fn untrusted(server: &ServerUrl, options: &Options, error: &dyn Error) -> ConnectError {
    match &options.ca_file {
        Some(file) => ConnectError::CaFile { file: file.clone(), why: root(error) },
        None => {
            let why = format!("the system's trusted certificates cannot be used: {}", root(error));
            ConnectError::Untrusted { server: server.clone(), why }
        }
    }
}

/// RFC 7468, section 5.1.
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Why a certificate is not trusted, in words.
fn distrust(error: &rustls::Error) -> String {
    use rustls::CertificateError as Why;
    let rustls::Error::InvalidCertificate(why) = error else { return error.to_string() };
    match why {
        Why::UnknownIssuer | Why::BadSignature => {
            "no authority that is trusted here signed its certificate".to_owned()
        }
        Why::Expired | Why::ExpiredContext { .. } => "its certificate has expired".to_owned(),
        Why::NotValidYet | Why::NotValidYetContext { .. } => "its certificate is not valid yet".to_owned(),
        Why::NotValidForName | Why::NotValidForNameContext { .. } => {
            "its certificate is for another name than that of this address".to_owned()
        }
        why if format!("{why:?}").contains("CaUsedAsEndEntity") => {
            "its certificate is an authority's own: a server's has `basicConstraints=CA:FALSE`".to_owned()
        }
        _ => error.to_string(),
    }
}

/// What an error of the transport says about the server.
pub(crate) fn failure(server: &ServerUrl, error: &(dyn Error + 'static)) -> ConnectError {
    let server = server.clone();
    if let Some(TunnelError { proxy, why, is_passing }) = cause(error) {
        let (proxy, why, is_passing) = (proxy.clone(), why.clone(), *is_passing);
        return ConnectError::Proxy { server, proxy, why, is_passing };
    }
    match cause(error) {
        Some(rustls::Error::InvalidMessage(_)) => {
            let why = "what answers there speaks no TLS: is it `http://`?".to_owned();
            ConnectError::Untrusted { server, why }
        }
        Some(error) => ConnectError::Untrusted { server, why: distrust(error) },
        None => ConnectError::Unreachable { server, why: root(error) },
    }
}

/// The error of a type among the causes of an error, if there is one.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut open = Some(error);
    while let Some(error) = open {
        // An `io::Error` leaves what it wraps out of its chain.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let found = error.downcast_ref().or_else(|| wrapped.and_then(|wrapped| wrapped.downcast_ref()));
        if found.is_some() {
            return found;
        }
        // What is wrapped may have a cause itself.
        if let Some(found) = wrapped.and_then(|wrapped| cause(wrapped)) {
            return Some(found);
        }
        open = error.source();
    }
    None
}

/// The error at the bottom, which says what happened.
pub(crate) fn root(error: &dyn Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
