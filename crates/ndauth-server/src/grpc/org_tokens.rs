//! `OrgTokenService`.

use ndauth_authority::TokenSettings;
use ndauth_core::Problem;
use ndauth_proto::v1::org_token_service_server::OrgTokenService;
use ndauth_proto::v1::{
    CreateOrgTokenRequest, CreateOrgTokenResponse, GetOrgTokenRequest, GetOrgTokenResponse,
    ListOrgTokensRequest, ListOrgTokensResponse, RevokeOrgTokenRequest, RevokeOrgTokenResponse,
    get_org_token_request, revoke_org_token_request,
};
use ndauth_proto::{
    description_from_proto, expiry_choice_from_proto, grants_from_proto, networks_from_proto,
    org_slug_from_proto, services_from_proto, timestamp_to_proto, token_to_proto,
};
use tonic::{Request, Response, Status, async_trait};

use crate::grpc::fields::{by_id, by_name, label, page, which_token};
use crate::grpc::{Service, credential, refused, status};

#[async_trait]
impl OrgTokenService for Service {
    async fn create_org_token(
        &self,
        request: Request<CreateOrgTokenRequest>,
    ) -> Result<Response<CreateOrgTokenResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let org = org_slug_from_proto("org", &request.org).map_err(refused)?;
        let settings = settings(request).map_err(refused)?;
        let made = self.authority.create_org_token(&credential, &org, &settings).await;
        let made = made.map_err(|error| status(&error))?;
        Ok(Response::new(CreateOrgTokenResponse {
            token: Some(token_to_proto(&made.view, made.now)),
            secret: made.secret.expose().to_owned(),
            sequence: made.sequence,
        }))
    }

    async fn list_org_tokens(
        &self,
        request: Request<ListOrgTokensRequest>,
    ) -> Result<Response<ListOrgTokensResponse>, Status> {
        let credential = credential(&request)?;
        let ListOrgTokensRequest { org, include_revoked, page_size, page_token } = request.into_inner();
        let org = org_slug_from_proto("org", &org).map_err(refused)?;
        let page = page(include_revoked, page_size, &page_token).map_err(refused)?;
        let listed = self.authority.list_org_tokens(&credential, &org, page).await;
        let listed = listed.map_err(|error| status(&error))?;
        Ok(Response::new(ListOrgTokensResponse {
            tokens: listed.views.iter().map(|view| token_to_proto(view, listed.now)).collect(),
            next_page_token: listed.next.map(|id| id.to_string()).unwrap_or_default(),
            evaluated_at: Some(timestamp_to_proto(listed.now)),
        }))
    }

    async fn get_org_token(
        &self,
        request: Request<GetOrgTokenRequest>,
    ) -> Result<Response<GetOrgTokenResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let org = org_slug_from_proto("org", &request.org).map_err(refused)?;
        let name = match request.token {
            Some(get_org_token_request::Token::Name(name)) => by_name(&name),
            Some(get_org_token_request::Token::Id(id)) => by_id(&id),
            None => Err(which_token()),
        };
        let name = name.map_err(refused)?;
        let shown = self.authority.get_org_token(&credential, &org, &name).await;
        let shown = shown.map_err(|error| status(&error))?;
        Ok(Response::new(GetOrgTokenResponse {
            token: Some(token_to_proto(&shown.view, shown.now)),
            evaluated_at: Some(timestamp_to_proto(shown.now)),
        }))
    }

    async fn revoke_org_token(
        &self,
        request: Request<RevokeOrgTokenRequest>,
    ) -> Result<Response<RevokeOrgTokenResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let org = org_slug_from_proto("org", &request.org).map_err(refused)?;
        let name = match request.token {
            Some(revoke_org_token_request::Token::Name(name)) => by_name(&name),
            Some(revoke_org_token_request::Token::Id(id)) => by_id(&id),
            None => Err(which_token()),
        };
        let name = name.map_err(refused)?;
        let revoked = self.authority.revoke_org_token(&credential, &org, &name).await;
        let revoked = revoked.map_err(|error| status(&error))?;
        Ok(Response::new(RevokeOrgTokenResponse {
            token: Some(token_to_proto(&revoked.view, revoked.now)),
            sequence: revoked.sequence,
        }))
    }
}

fn settings(request: CreateOrgTokenRequest) -> Result<TokenSettings, Problem> {
    Ok(TokenSettings {
        name: label(&request.name)?,
        description: description_from_proto("description", &request.description)?,
        grants: grants_from_proto("grants", request.grants)?,
        services: services_from_proto("services", request.services)?,
        networks: networks_from_proto("networks", request.networks)?,
        expiry: expiry_choice_from_proto("expiry", request.expiry)?,
    })
}
