//! `AccountService`.

use ndauth_authority::{Identity, MySession, WhichSessions, Whose};
use ndauth_core::Problem;
use ndauth_proto::v1::account_service_server::AccountService;
use ndauth_proto::v1::{
    ListOrgsRequest, ListOrgsResponse, ListSessionsRequest, ListSessionsResponse, RevokeAccountTokensRequest,
    RevokeAccountTokensResponse, RevokeSessionsRequest, RevokeSessionsResponse, Session, WhoAmIRequest,
    WhoAmIResponse, revoke_sessions_request, who_am_i_response,
};
use ndauth_proto::{
    account_to_proto, membership_to_proto, service_to_proto, session_to_proto, timestamp_to_proto,
    token_to_proto,
};
use tonic::{Request, Response, Status, async_trait};

use crate::grpc::fields::shut_out_to_proto;
use crate::grpc::{Service, credential, refused, status};

#[async_trait]
impl AccountService for Service {
    async fn who_am_i(&self, request: Request<WhoAmIRequest>) -> Result<Response<WhoAmIResponse>, Status> {
        let credential = credential(&request)?;
        let who = self.authority.who_am_i(&credential).await.map_err(|error| status(&error))?;
        let (account, credential) = match &who.identity {
            Identity::Session(account, session, prefix) => (
                Some(account_to_proto(account)),
                who_am_i_response::Credential::Session(session_to_proto(session, prefix)),
            ),
            Identity::Token(account, view) => (
                Some(account_to_proto(account)),
                who_am_i_response::Credential::Token(token_to_proto(view, who.now)),
            ),
            Identity::OrgToken(view) => {
                (None, who_am_i_response::Credential::Token(token_to_proto(view, who.now)))
            }
            Identity::Service(service, orgs) => {
                (None, who_am_i_response::Credential::Service(service_to_proto(service, orgs)))
            }
        };
        Ok(Response::new(WhoAmIResponse {
            account,
            credential: Some(credential),
            evaluated_at: Some(timestamp_to_proto(who.now)),
        }))
    }

    async fn list_orgs(
        &self,
        request: Request<ListOrgsRequest>,
    ) -> Result<Response<ListOrgsResponse>, Status> {
        let credential = credential(&request)?;
        let orgs = self.authority.list_orgs(&credential).await.map_err(|error| status(&error))?;
        Ok(Response::new(ListOrgsResponse { orgs: orgs.iter().map(membership_to_proto).collect() }))
    }

    async fn revoke_account_tokens(
        &self,
        request: Request<RevokeAccountTokensRequest>,
    ) -> Result<Response<RevokeAccountTokensResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let handle = request.handle.parse();
        let handle = handle.map_err(|why| refused(Problem::invalid("handle", format!("the name {why}"))))?;
        let whose = Whose::Account(handle);
        let done = self.shut_out(&credential, &whose, request.created_before, request.dry_run).await?;
        Ok(Response::new(RevokeAccountTokensResponse {
            shut_out: Some(shut_out_to_proto(&done)),
            sequence: done.sequence.unwrap_or_default(),
            evaluated_at: Some(timestamp_to_proto(done.now)),
        }))
    }

    async fn list_sessions(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        let credential = credential(&request)?;
        let listed = self.authority.list_my_sessions(&credential).await.map_err(|error| status(&error))?;
        let shown = |mine: &MySession| Session {
            last_seen_at: mine.last_seen_at.map(timestamp_to_proto),
            current: mine.current,
            ..session_to_proto(&mine.session, &mine.prefix)
        };
        Ok(Response::new(ListSessionsResponse {
            sessions: listed.rows.iter().map(shown).collect(),
            evaluated_at: Some(timestamp_to_proto(listed.now)),
        }))
    }

    async fn revoke_sessions(
        &self,
        request: Request<RevokeSessionsRequest>,
    ) -> Result<Response<RevokeSessionsResponse>, Status> {
        use revoke_sessions_request::Which;
        let credential = credential(&request)?;
        let which = match request.into_inner().which {
            Some(Which::Id(id)) => {
                id.parse().map(WhichSessions::One).map_err(|why| Problem::invalid("id", why))
            }
            Some(Which::All(true)) => Ok(WhichSessions::All),
            Some(Which::All(false)) | None => Err(Problem::invalid("which", "say which by `id`, or `all`")),
        };
        let which = which.map_err(refused)?;
        let done = self.authority.revoke_sessions(&credential, &which).await;
        let (ended, sequence) = done.map_err(|error| status(&error))?;
        Ok(Response::new(RevokeSessionsResponse {
            ended: u32::try_from(ended).unwrap_or(u32::MAX),
            sequence,
        }))
    }
}
