//! The client library of ndauth: connect, present a credential, ask.
//!
//! Every call gives an answer or a [`Problem`]: the server's own words and reason, or that it could
//! not be asked ([`Reason::Unavailable`]), which is never a verdict on anybody's secret.
//!
//! ```no_run
//! # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
//! use ndauth_client::{Client, ServerUrl};
//! use ndauth_proto::v1;
//!
//! let server: ServerUrl = "http://127.0.0.1:7711".parse().expect("a URL");
//! let secret = "ndsvc_jzm6dv74yQxRAfvmz5pI1bDAoT2pAKatyz1kBpSBviE".parse().expect("a secret");
//! let client = Client::connect(&server, Some(&secret)).await?;
//! let verdict = client
//!     .validate_token(v1::ValidateTokenRequest {
//!         secret: "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U".to_owned(),
//!         org: "ops".to_owned(),
//!         required_access: v1::Access::ReadOnly.into(),
//!         ..Default::default()
//!     })
//!     .await?;
//! # let _ = verdict;
//! # Ok(())
//! # }
//! ```

mod server_url;

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ndauth_core::{Problem, Reason, Secret};
use ndauth_proto::v1::account_service_client::AccountServiceClient;
use ndauth_proto::v1::org_service_client::OrgServiceClient;
use ndauth_proto::v1::org_token_service_client::OrgTokenServiceClient;
use ndauth_proto::v1::permission_service_client::PermissionServiceClient;
use ndauth_proto::v1::token_service_client::TokenServiceClient;
use ndauth_proto::v1::validation_service_client::ValidationServiceClient;
use ndauth_proto::{problem_from_status, v1};
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Response, Status};

pub use server_url::{InvalidServerUrl, ServerUrl};

/// A connection to a server, with the credential that goes with each call. Clones share it.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
    /// Marked as sensitive: its `Debug` hides it, and HTTP/2 keeps it out of its tables.
    bearer: Option<AsciiMetadataValue>,
    observer: Observer,
}

/// How to connect, where the usual is not what is wanted.
#[derive(Clone, Debug)]
pub struct Options {
    /// A file of PEM with the certificates of the authorities that are trusted; without one, those that
    /// the system trusts.
    pub ca_file: Option<PathBuf>,
    /// How long a connection or a call may take.
    pub timeout: Duration,
    /// What is told of every call.
    pub observer: Observer,
}

/// What is told of every call, once it ended.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<Tell>>);

type Tell = dyn Fn(&Call) + Send + Sync;

/// A call that ended.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which RPC.
    pub rpc: &'static str,
    /// The id under which the server's log tells of it, if it was reached.
    pub request_id: Option<String>,
    /// How long it took.
    pub took: Duration,
    /// Why it failed, if it did.
    pub failed: Option<Reason>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
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
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

impl Default for Options {
    fn default() -> Options {
        Options { ca_file: None, timeout: PATIENCE, observer: Observer::default() }
    }
}

impl Observer {
    /// Tells a function of every call.
    pub fn new(tell: impl Fn(&Call) + Send + Sync + 'static) -> Observer {
        Observer(Some(Arc::new(tell)))
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Observer" } else { "no observer" })
    }
}

impl Client {
    /// Connects to a server as usual.
    pub async fn connect(server: &ServerUrl, credential: Option<&Secret>) -> Result<Client, ConnectError> {
        Client::connect_with(server, credential, &Options::default()).await
    }

    /// Connects to a server.
    pub async fn connect_with(
        server: &ServerUrl,
        credential: Option<&Secret>,
        options: &Options,
    ) -> Result<Client, ConnectError> {
        let failed = |error: tonic::transport::Error| failure(server, &error);
        let mut endpoint = Endpoint::from_shared(server.to_string())
            .and_then(|endpoint| endpoint.user_agent(concat!("ndauth/", env!("CARGO_PKG_VERSION"))))
            .map_err(failed)?
            .connect_timeout(CONNECT_PATIENCE.min(options.timeout))
            .timeout(options.timeout)
            .tcp_nodelay(true);
        if server.is_tls() {
            endpoint =
                endpoint.tls_config(trust(options)?).map_err(|error| untrusted(server, options, &error))?;
        }
        let channel = endpoint.connect().await.map_err(failed)?;
        Ok(Client { channel, bearer: credential.map(bearer), observer: options.observer.clone() })
    }

    /// Asks who the credential stands for.
    pub async fn who_am_i(&self) -> Result<v1::WhoAmIResponse, Problem> {
        self.ask_who_am_i(v1::WhoAmIRequest {}).await
    }

    /// Lists the orgs where the credential's account is a member.
    pub async fn list_orgs(&self) -> Result<v1::ListOrgsResponse, Problem> {
        self.ask_list_orgs(v1::ListOrgsRequest {}).await
    }

    /// Lists every permission there is.
    pub async fn list_permissions(&self) -> Result<v1::ListPermissionsResponse, Problem> {
        self.ask_list_permissions(v1::ListPermissionsRequest {}).await
    }

    /// Sends a message with the credential, and tells the observer how it went.
    async fn call<Q, A, F>(
        &self,
        rpc: &'static str,
        message: Q,
        send: impl FnOnce(Channel, Request<Q>) -> F,
    ) -> Result<A, Problem>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let mut request = Request::new(message);
        if let Some(bearer) = &self.bearer {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        let begun = Instant::now();
        let outcome = send(self.channel.clone(), request).await;
        let metadata = match &outcome {
            Ok(response) => response.metadata(),
            Err(status) => status.metadata(),
        };
        let request_id = request_id(metadata);
        let answer = outcome.map(Response::into_inner).map_err(|status| problem(&status));
        if let Observer(Some(tell)) = &self.observer {
            let failed = answer.as_ref().err().map(|problem| problem.reason);
            tell(&Call { rpc, request_id, took: begun.elapsed(), failed });
        }
        answer
    }
}

/// The largest answer that is read: a batch of answers with as many grants as there may be fits in.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// Writes a method for each RPC: its name, its service, the RPC, its request and its answer.
macro_rules! calls {
    ($($(#[$doc:meta])* $shown:vis $name:ident: $service:ident.$rpc:ident($request:ident) -> $answer:ident;)*) => {
        impl Client {$(
            $(#[$doc])*
            $shown async fn $name(&self, request: v1::$request) -> Result<v1::$answer, Problem> {
                let rpc = stringify!($request).trim_end_matches("Request");
                let send = |channel, request| async move {
                    $service::new(channel).max_decoding_message_size(LARGEST_ANSWER).$rpc(request).await
                };
                self.call(rpc, request, send).await
            }
        )*}
    };
}

calls! {
    ask_who_am_i: AccountServiceClient.who_am_i(WhoAmIRequest) -> WhoAmIResponse;
    ask_list_orgs: AccountServiceClient.list_orgs(ListOrgsRequest) -> ListOrgsResponse;
    ask_list_permissions:
        PermissionServiceClient.list_permissions(ListPermissionsRequest) -> ListPermissionsResponse;

    /// Makes a personal token.
    pub create_token: TokenServiceClient.create_token(CreateTokenRequest) -> CreateTokenResponse;
    /// Lists a page of personal tokens.
    pub list_tokens: TokenServiceClient.list_tokens(ListTokensRequest) -> ListTokensResponse;
    /// Shows a personal token.
    pub get_token: TokenServiceClient.get_token(GetTokenRequest) -> GetTokenResponse;
    /// Revokes a personal token.
    pub revoke_token: TokenServiceClient.revoke_token(RevokeTokenRequest) -> RevokeTokenResponse;
    /// Asks what a token may do, and why it may not.
    pub explain_token: TokenServiceClient.explain_token(ExplainTokenRequest) -> ExplainTokenResponse;

    /// Asks whether a secret may do a thing.
    pub validate_token: ValidationServiceClient.validate_token(ValidateTokenRequest) -> ValidateTokenResponse;
    /// Asks of up to 1000 secrets whether they may do things.
    pub validate_tokens:
        ValidationServiceClient.validate_tokens(ValidateTokensRequest) -> ValidateTokensResponse;

    /// Makes an org.
    pub create_org: OrgServiceClient.create_org(CreateOrgRequest) -> CreateOrgResponse;
    /// Shows an org.
    pub get_org: OrgServiceClient.get_org(GetOrgRequest) -> GetOrgResponse;
    /// Lists the members of an org.
    pub list_members: OrgServiceClient.list_members(ListMembersRequest) -> ListMembersResponse;
    /// Gives an account a role in an org.
    pub set_member: OrgServiceClient.set_member(SetMemberRequest) -> SetMemberResponse;
    /// Takes an account out of an org.
    pub remove_member: OrgServiceClient.remove_member(RemoveMemberRequest) -> RemoveMemberResponse;
    /// Shows the policy of an org.
    pub get_org_policy: OrgServiceClient.get_org_policy(GetOrgPolicyRequest) -> GetOrgPolicyResponse;
    /// Gives an org a policy, or says what one would do.
    pub set_org_policy: OrgServiceClient.set_org_policy(SetOrgPolicyRequest) -> SetOrgPolicyResponse;

    /// Makes a token of an org.
    pub create_org_token:
        OrgTokenServiceClient.create_org_token(CreateOrgTokenRequest) -> CreateOrgTokenResponse;
    /// Lists a page of the tokens of an org.
    pub list_org_tokens: OrgTokenServiceClient.list_org_tokens(ListOrgTokensRequest) -> ListOrgTokensResponse;
    /// Shows a token of an org.
    pub get_org_token: OrgTokenServiceClient.get_org_token(GetOrgTokenRequest) -> GetOrgTokenResponse;
    /// Revokes a token of an org.
    pub revoke_org_token:
        OrgTokenServiceClient.revoke_org_token(RevokeOrgTokenRequest) -> RevokeOrgTokenResponse;
}

impl ConnectError {
    /// Whether the same may go well in a moment.
    pub fn is_passing(&self) -> bool {
        matches!(self, ConnectError::Unreachable { .. })
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
    let failed = |why: String| ConnectError::CaFile { file: file.clone(), why };
    let pem = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
    if !pem.windows(BEGIN.len()).any(|window| window == BEGIN) {
        return Err(failed("it holds no certificate in PEM".to_owned()));
    }
    Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)))
}

/// That the trusted certificates make no sense, or that the system has none.
fn untrusted(server: &ServerUrl, options: &Options, error: &dyn Error) -> ConnectError {
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

fn bearer(secret: &Secret) -> AsciiMetadataValue {
    let text = format!("Bearer {}", secret.expose());
    let mut value = AsciiMetadataValue::try_from(text).expect("a secret is plain text");
    value.set_sensitive(true);
    value
}

fn request_id(metadata: &MetadataMap) -> Option<String> {
    Some(metadata.get("x-request-id")?.to_str().ok()?.to_owned())
}

/// What a failed call tells: the server's own words, or what became of the connection.
fn problem(status: &Status) -> Problem {
    match status.source() {
        // A status that came from a server has no cause here.
        Some(why) if status.code() != Code::Cancelled => {
            Problem::new(Reason::Unavailable, format!("the connection to the server broke: {}", root(why)))
        }
        _ => problem_from_status(status),
    }
}

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
fn failure(server: &ServerUrl, error: &(dyn Error + 'static)) -> ConnectError {
    let server = server.clone();
    match rustls_error(error) {
        Some(rustls::Error::InvalidMessage(_)) => {
            let why = "what answers there speaks no TLS: is it `http://`?".to_owned();
            ConnectError::Untrusted { server, why }
        }
        Some(error) => ConnectError::Untrusted { server, why: distrust(error) },
        None => ConnectError::Unreachable { server, why: root(error) },
    }
}

/// The error of TLS among the causes of an error, if there is one.
fn rustls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut open = Some(error);
    while let Some(error) = open {
        // An `io::Error` leaves what it wraps out of its chain.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = error.downcast_ref().or_else(|| wrapped.and_then(|wrapped| wrapped.downcast_ref()));
        if tls.is_some() {
            return tls;
        }
        open = error.source();
    }
    None
}

/// The error at the bottom, which says what happened.
fn root(error: &dyn Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
