//! The client library of ndauth: connect, present a credential, ask.
//!
//! Every call gives an answer or a [`Problem`]: the server's own words and reason, or that it could
//! not be asked ([`Reason::Unavailable`]), which is never a verdict on anybody's secret.
//!
//! ```no_run
//! # async fn ask() -> Result<(), ndauth_core::Problem> {
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
use std::time::Duration;

use ndauth_core::{Problem, Reason, Secret};
use ndauth_proto::v1::account_service_client::AccountServiceClient;
use ndauth_proto::v1::token_service_client::TokenServiceClient;
use ndauth_proto::v1::validation_service_client::ValidationServiceClient;
use ndauth_proto::{problem_from_status, v1};
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

pub use server_url::{InvalidServerUrl, ServerUrl};

/// A connection to a server, with the credential that goes with each call. Clones share it.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
    /// Marked as sensitive: its `Debug` hides it, and HTTP/2 keeps it out of its tables.
    bearer: Option<AsciiMetadataValue>,
}

const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
const CALL_PATIENCE: Duration = Duration::from_secs(30);

impl Client {
    /// Connects to a server.
    pub async fn connect(server: &ServerUrl, credential: Option<&Secret>) -> Result<Client, Problem> {
        let unreachable = |why: &dyn Error| {
            Problem::new(Reason::Unavailable, format!("cannot reach the server `{server}`: {}", root(why)))
        };
        let endpoint = Endpoint::from_shared(server.to_string())
            .and_then(|endpoint| endpoint.user_agent(concat!("ndauth/", env!("CARGO_PKG_VERSION"))))
            .map_err(|error| unreachable(&error))?
            .connect_timeout(CONNECT_PATIENCE)
            .timeout(CALL_PATIENCE)
            .tcp_nodelay(true);
        let channel = endpoint.connect().await.map_err(|error| unreachable(&error))?;
        Ok(Client { channel, bearer: credential.map(bearer) })
    }

    /// Makes a personal token.
    pub async fn create_token(
        &self,
        request: v1::CreateTokenRequest,
    ) -> Result<v1::CreateTokenResponse, Problem> {
        answer(
            TokenServiceClient::new(self.channel.clone()).create_token(self.with_credential(request)).await,
        )
    }

    /// Lists a page of personal tokens.
    pub async fn list_tokens(
        &self,
        request: v1::ListTokensRequest,
    ) -> Result<v1::ListTokensResponse, Problem> {
        answer(TokenServiceClient::new(self.channel.clone()).list_tokens(self.with_credential(request)).await)
    }

    /// Shows a personal token.
    pub async fn get_token(&self, request: v1::GetTokenRequest) -> Result<v1::GetTokenResponse, Problem> {
        answer(TokenServiceClient::new(self.channel.clone()).get_token(self.with_credential(request)).await)
    }

    /// Revokes a personal token.
    pub async fn revoke_token(
        &self,
        request: v1::RevokeTokenRequest,
    ) -> Result<v1::RevokeTokenResponse, Problem> {
        answer(
            TokenServiceClient::new(self.channel.clone()).revoke_token(self.with_credential(request)).await,
        )
    }

    /// Asks whether a secret may do a thing.
    pub async fn validate_token(
        &self,
        request: v1::ValidateTokenRequest,
    ) -> Result<v1::ValidateTokenResponse, Problem> {
        answer(
            ValidationServiceClient::new(self.channel.clone())
                .validate_token(self.with_credential(request))
                .await,
        )
    }

    /// Asks who the credential stands for.
    pub async fn who_am_i(&self) -> Result<v1::WhoAmIResponse, Problem> {
        let request = self.with_credential(v1::WhoAmIRequest {});
        answer(AccountServiceClient::new(self.channel.clone()).who_am_i(request).await)
    }

    /// Lists the orgs where the credential's account is a member.
    pub async fn list_orgs(&self) -> Result<v1::ListOrgsResponse, Problem> {
        let request = self.with_credential(v1::ListOrgsRequest {});
        answer(AccountServiceClient::new(self.channel.clone()).list_orgs(request).await)
    }

    fn with_credential<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(bearer) = &self.bearer {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        request
    }
}

fn bearer(secret: &Secret) -> AsciiMetadataValue {
    let text = format!("Bearer {}", secret.expose());
    let mut value = AsciiMetadataValue::try_from(text).expect("a secret is plain text");
    value.set_sensitive(true);
    value
}

fn answer<T>(outcome: Result<Response<T>, Status>) -> Result<T, Problem> {
    outcome.map(Response::into_inner).map_err(|status| problem_from_status(&status))
}

/// The error at the bottom, which says what happened.
fn root(error: &dyn Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
