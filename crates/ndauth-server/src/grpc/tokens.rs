//! `TokenService`.

use ndauth_authority::{NewToken, TokenName, TokenPage};
use ndauth_core::{Label, Problem};
use ndauth_proto::v1::token_service_server::TokenService;
use ndauth_proto::v1::{
    CreateTokenRequest, CreateTokenResponse, GetTokenRequest, GetTokenResponse, ListTokensRequest,
    ListTokensResponse, RevokeTokenRequest, RevokeTokenResponse, get_token_request, revoke_token_request,
};
use ndauth_proto::{
    expiry_choice_from_proto, grants_from_proto, orgs_from_proto, scope_from_proto, timestamp_to_proto,
    token_to_proto,
};
use tonic::{Request, Response, Status, async_trait};

use crate::grpc::{Service, credential, refused, status};

const DEFAULT_PAGE: u64 = 100;
const LARGEST_PAGE: u64 = 1000;

#[async_trait]
impl TokenService for Service {
    async fn create_token(
        &self,
        request: Request<CreateTokenRequest>,
    ) -> Result<Response<CreateTokenResponse>, Status> {
        let credential = credential(&request)?;
        let new = new_token(request.into_inner()).map_err(refused)?;
        let made = self.authority.create_token(&credential, &new).await.map_err(|error| status(&error))?;
        Ok(Response::new(CreateTokenResponse {
            token: Some(token_to_proto(&made.view, made.now)),
            secret: made.secret.expose().to_owned(),
            sequence: made.sequence,
        }))
    }

    async fn list_tokens(
        &self,
        request: Request<ListTokensRequest>,
    ) -> Result<Response<ListTokensResponse>, Status> {
        let credential = credential(&request)?;
        let page = page(request.get_ref()).map_err(refused)?;
        let listed = self.authority.list_tokens(&credential, page).await.map_err(|error| status(&error))?;
        Ok(Response::new(ListTokensResponse {
            tokens: listed.views.iter().map(|view| token_to_proto(view, listed.now)).collect(),
            next_page_token: listed.next.map(|id| id.to_string()).unwrap_or_default(),
            evaluated_at: Some(timestamp_to_proto(listed.now)),
        }))
    }

    async fn get_token(
        &self,
        request: Request<GetTokenRequest>,
    ) -> Result<Response<GetTokenResponse>, Status> {
        let credential = credential(&request)?;
        let name = match request.into_inner().token {
            Some(get_token_request::Token::Name(name)) => by_name(&name),
            Some(get_token_request::Token::Id(id)) => by_id(&id),
            None => Err(which_token()),
        };
        let name = name.map_err(refused)?;
        let shown = self.authority.get_token(&credential, &name).await.map_err(|error| status(&error))?;
        Ok(Response::new(GetTokenResponse {
            token: Some(token_to_proto(&shown.view, shown.now)),
            evaluated_at: Some(timestamp_to_proto(shown.now)),
        }))
    }

    async fn revoke_token(
        &self,
        request: Request<RevokeTokenRequest>,
    ) -> Result<Response<RevokeTokenResponse>, Status> {
        let credential = credential(&request)?;
        let name = match request.into_inner().token {
            Some(revoke_token_request::Token::Name(name)) => by_name(&name),
            Some(revoke_token_request::Token::Id(id)) => by_id(&id),
            None => Err(which_token()),
        };
        let name = name.map_err(refused)?;
        let revoked =
            self.authority.revoke_token(&credential, &name).await.map_err(|error| status(&error))?;
        Ok(Response::new(RevokeTokenResponse {
            token: Some(token_to_proto(&revoked.view, revoked.now)),
            sequence: revoked.sequence,
        }))
    }
}

fn new_token(request: CreateTokenRequest) -> Result<NewToken, Problem> {
    Ok(NewToken {
        name: label(&request.name)?,
        scope: scope_from_proto("scope", request.scope)?,
        grants: grants_from_proto("grants", request.grants)?,
        orgs: orgs_from_proto("orgs", request.orgs)?,
        expiry: expiry_choice_from_proto("expiry", request.expiry)?,
    })
}

fn page(request: &ListTokensRequest) -> Result<TokenPage, Problem> {
    let limit = match u64::try_from(request.page_size) {
        Ok(0) => DEFAULT_PAGE,
        Ok(size) => size.min(LARGEST_PAGE),
        Err(_) => return Err(Problem::invalid("page_size", "less than nothing")),
    };
    let after =
        match request.page_token.as_str() {
            "" => None,
            token => Some(token.parse().map_err(|_| {
                Problem::invalid("page_token", "not the `next_page_token` of the page before")
            })?),
        };
    Ok(TokenPage { include_revoked: request.include_revoked, after, limit })
}

fn label(name: &str) -> Result<Label, Problem> {
    name.parse().map_err(|why| Problem::invalid("name", format!("the name {why}")))
}

fn by_name(name: &str) -> Result<TokenName, Problem> {
    label(name).map(TokenName::Name)
}

fn by_id(id: &str) -> Result<TokenName, Problem> {
    id.parse().map(TokenName::Id).map_err(|why| Problem::invalid("id", why))
}

fn which_token() -> Problem {
    Problem::invalid("token", "say which, by `name` or by `id`")
}
