//! `AccountService`.

use ndauth_authority::{CallerIdentity, Changed, MySession, UndeliveredMail, WhichSessions};
use ndauth_core::{Membership, NoticesOff, Problem};
use ndauth_proto::v1::account_service_server::AccountService;
use ndauth_proto::v1::{
    self, All, GetNoticesRequest, GetNoticesResponse, ListOrgsRequest, ListOrgsResponse, ListSessionsRequest,
    ListSessionsResponse, RevokeSessionsRequest, RevokeSessionsResponse, Session, SetNoticesRequest,
    SetNoticesResponse, WhoAmIRequest, WhoAmIResponse, revoke_sessions_request, who_am_i_response,
};
use ndauth_proto::{
    account_to_proto, membership_to_proto, notice_kind_from_proto, notice_settings_to_proto,
    service_to_proto, session_to_proto, timestamp_to_proto, token_to_proto,
};
use tonic::{Request, Response, Status, async_trait};

use super::fields::paged;
use super::service::{GrpcService, answer, taken};

#[async_trait]
impl AccountService for GrpcService {
    async fn who_am_i(&self, request: Request<WhoAmIRequest>) -> Result<Response<WhoAmIResponse>, Status> {
        answer(async {
            let (credential, _) = taken(request)?;
            let who = self.authority.validation().who_am_i(&credential).await?;
            let (account, credential) = match &who.identity {
                CallerIdentity::Session(account, session, prefix) => (
                    Some(account_to_proto(account)),
                    who_am_i_response::Credential::Session(session_to_proto(session, prefix)),
                ),
                CallerIdentity::Token(account, view) => (
                    Some(account_to_proto(account)),
                    who_am_i_response::Credential::Token(token_to_proto(view, who.now)),
                ),
                CallerIdentity::OrgToken(view) => {
                    (None, who_am_i_response::Credential::Token(token_to_proto(view, who.now)))
                }
                CallerIdentity::Service(service, orgs) => {
                    (None, who_am_i_response::Credential::Service(service_to_proto(service, orgs)))
                }
            };
            Ok(WhoAmIResponse {
                account,
                credential: Some(credential),
                evaluated_at: Some(timestamp_to_proto(who.now)),
            })
        })
        .await
    }

    async fn list_orgs(
        &self,
        request: Request<ListOrgsRequest>,
    ) -> Result<Response<ListOrgsResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let orgs = self.authority.validation().list_orgs(&credential).await?;
            let by = |membership: &Membership| membership.org.slug.to_string();
            let (orgs, next_page_token) = paged(orgs, by, request.page_size, &request.page_token)?;
            Ok(ListOrgsResponse { orgs: orgs.iter().map(membership_to_proto).collect(), next_page_token })
        })
        .await
    }

    async fn list_sessions(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let listed = self.authority.logins().list_my_sessions(&credential).await?;
            let by = |mine: &MySession| mine.session.id.to_string();
            let (rows, next_page_token) = paged(listed.rows, by, request.page_size, &request.page_token)?;
            let shown = |mine: &MySession| Session {
                last_seen_at: mine.last_seen_at.map(timestamp_to_proto),
                current: mine.current,
                ..session_to_proto(&mine.session, &mine.prefix)
            };
            Ok(ListSessionsResponse {
                sessions: rows.iter().map(shown).collect(),
                next_page_token,
                evaluated_at: Some(timestamp_to_proto(listed.now)),
            })
        })
        .await
    }

    async fn revoke_sessions(
        &self,
        request: Request<RevokeSessionsRequest>,
    ) -> Result<Response<RevokeSessionsResponse>, Status> {
        answer(async {
            use revoke_sessions_request::Which;
            let (credential, request) = taken(request)?;
            let which = match request.which {
                Some(Which::Id(id)) => {
                    WhichSessions::One(id.parse().map_err(|why| Problem::invalid("id", why))?)
                }
                Some(Which::All(All {})) => WhichSessions::All,
                None => return Err(Problem::invalid("which", "set `id` or `all`").into()),
            };
            let Changed { value: ended, changed, sequence, now } =
                self.authority.logins().revoke_sessions(&credential, &which).await?;
            Ok(RevokeSessionsResponse {
                ended: u32::try_from(ended).unwrap_or(u32::MAX),
                changed,
                sequence,
                evaluated_at: Some(timestamp_to_proto(now)),
            })
        })
        .await
    }

    async fn get_notices(
        &self,
        request: Request<GetNoticesRequest>,
    ) -> Result<Response<GetNoticesResponse>, Status> {
        answer(async {
            let (credential, _) = taken(request)?;
            let notices = self.authority.notices().get_preferences(&credential).await?;
            let undelivered = |mail: &UndeliveredMail| v1::UndeliveredMail {
                made_at: Some(timestamp_to_proto(mail.made_at)),
                notices: u32::try_from(mail.notices).unwrap_or(u32::MAX),
                problem: mail.problem.clone(),
            };
            Ok(GetNoticesResponse {
                settings: notice_settings_to_proto(&notices.off),
                undelivered: notices.undelivered.iter().map(undelivered).collect(),
                mailed: notices.mailed,
                evaluated_at: Some(timestamp_to_proto(notices.now)),
            })
        })
        .await
    }

    async fn set_notices(
        &self,
        request: Request<SetNoticesRequest>,
    ) -> Result<Response<SetNoticesResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let kinds = |field: &str, kinds: &[i32]| -> Result<NoticesOff, Problem> {
                kinds.iter().map(|kind| notice_kind_from_proto(field, *kind)).collect()
            };
            let (off, on) = (kinds("off", &request.off)?, kinds("on", &request.on)?);
            let Changed { value, changed, sequence, now } =
                self.authority.notices().set_preferences(&credential, &off, &on).await?;
            Ok(SetNoticesResponse {
                settings: notice_settings_to_proto(&value),
                changed,
                sequence,
                evaluated_at: Some(timestamp_to_proto(now)),
            })
        })
        .await
    }
}
