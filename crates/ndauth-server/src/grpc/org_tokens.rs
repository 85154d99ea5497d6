//! `OrgTokenService`.

use ndauth_authority::{TokenSettings, Whose};
use ndauth_core::Problem;
use ndauth_proto::v1::org_token_service_server::OrgTokenService;
use ndauth_proto::v1::{
    CreateOrgTokenRequest, CreateOrgTokenResponse, GetOrgTokenRequest, GetOrgTokenResponse,
    ListOrgTokensRequest, ListOrgTokensResponse, ListPersonalTokensRequest, ListPersonalTokensResponse,
    RenewOrgTokenRequest, RenewOrgTokenResponse, ResumeOrgTokenRequest, ResumeOrgTokenResponse,
    RevokeAllOrgTokensRequest, RevokeAllOrgTokensResponse, RevokeOrgTokenRequest, RevokeOrgTokenResponse,
    RotateOrgTokenRequest, RotateOrgTokenResponse, SettleOrgRotationRequest, SettleOrgRotationResponse,
    SuspendOrgTokenRequest, SuspendOrgTokenResponse,
};
use ndauth_proto::{
    description_from_proto, duration_from_proto, expiry_choice_from_proto, grants_from_proto,
    networks_from_proto, org_slug_from_proto, services_from_proto, timestamp_to_proto, token_to_proto,
};
use tonic::{Request, Response, Status, async_trait};

use crate::grpc::fields::{
    Listing, in_org, label, overlap, page, page_token, query, reason, settling, shut_out_to_proto, which,
};
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
        let request = request.into_inner();
        let org = org_slug_from_proto("org", &request.org).map_err(refused)?;
        let asked = Listing {
            include_revoked: request.include_revoked,
            page_size: request.page_size,
            page_token: &request.page_token,
            unused_for: request.unused_for,
            expiring_within: request.expiring_within,
            order: request.order,
            reverse: request.reverse,
        };
        let asked = query(&asked).map_err(refused)?;
        let listed = self.authority.list_org_tokens(&credential, &org, &asked).await;
        let listed = listed.map_err(|error| status(&error))?;
        Ok(Response::new(ListOrgTokensResponse {
            tokens: listed.views.iter().map(|view| token_to_proto(view, listed.now)).collect(),
            next_page_token: page_token(listed.next.as_ref()),
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
        let which = which(None, request.token.map(Into::into)).map_err(refused)?;
        let shown = self.authority.get_org_token(&credential, &org, &which.name).await;
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
        let which = which(None, request.token.map(Into::into)).map_err(refused)?;
        let why = reason(&request.reason).map_err(refused)?;
        let revoked = self.authority.revoke_org_token(&credential, &org, &which.name, why.as_ref()).await;
        let revoked = revoked.map_err(|error| status(&error))?;
        Ok(Response::new(RevokeOrgTokenResponse {
            token: Some(token_to_proto(&revoked.view, revoked.now)),
            sequence: revoked.sequence,
        }))
    }

    async fn rotate_org_token(
        &self,
        request: Request<RotateOrgTokenRequest>,
    ) -> Result<Response<RotateOrgTokenResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let expiry = request.expiry.map(|choice| expiry_choice_from_proto("expiry", Some(choice)));
        let expiry = expiry.transpose().map_err(refused)?;
        let overlap = overlap(request.overlap).map_err(refused)?;
        let which =
            which(in_org(&request.org).map_err(refused)?, request.token.map(Into::into)).map_err(refused)?;
        let rotated = self.authority.rotate_token(&credential, &which, overlap, expiry).await;
        let rotated = rotated.map_err(|error| status(&error))?;
        Ok(Response::new(RotateOrgTokenResponse {
            token: Some(token_to_proto(&rotated.view, rotated.now)),
            secret: rotated.secret.expose().to_owned(),
            pending_until: Some(timestamp_to_proto(rotated.pending_until)),
            sequence: rotated.sequence,
            evaluated_at: Some(timestamp_to_proto(rotated.now)),
        }))
    }

    async fn settle_org_rotation(
        &self,
        request: Request<SettleOrgRotationRequest>,
    ) -> Result<Response<SettleOrgRotationResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let settling = settling(request.settling).map_err(refused)?;
        let which =
            which(in_org(&request.org).map_err(refused)?, request.token.map(Into::into)).map_err(refused)?;
        let settled = self.authority.settle_rotation(&credential, &which, &settling).await;
        let settled = settled.map_err(|error| status(&error))?;
        Ok(Response::new(SettleOrgRotationResponse {
            token: Some(token_to_proto(&settled.view, settled.now)),
            sequence: settled.sequence,
            evaluated_at: Some(timestamp_to_proto(settled.now)),
        }))
    }

    async fn renew_org_token(
        &self,
        request: Request<RenewOrgTokenRequest>,
    ) -> Result<Response<RenewOrgTokenResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let minimum = request.minimum.map(|minimum| duration_from_proto("minimum", minimum));
        let minimum = minimum.transpose().map_err(refused)?;
        let which =
            which(in_org(&request.org).map_err(refused)?, request.token.map(Into::into)).map_err(refused)?;
        let renewed = self.authority.renew_token(&credential, &which, minimum).await;
        let renewed = renewed.map_err(|error| status(&error))?;
        Ok(Response::new(RenewOrgTokenResponse {
            token: Some(token_to_proto(&renewed.view, renewed.now)),
            renewed: renewed.changed,
            sequence: renewed.sequence,
            evaluated_at: Some(timestamp_to_proto(renewed.now)),
        }))
    }

    async fn suspend_org_token(
        &self,
        request: Request<SuspendOrgTokenRequest>,
    ) -> Result<Response<SuspendOrgTokenResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let which =
            which(in_org(&request.org).map_err(refused)?, request.token.map(Into::into)).map_err(refused)?;
        let changed = self.authority.suspend_token(&credential, &which).await;
        let changed = changed.map_err(|error| status(&error))?;
        Ok(Response::new(SuspendOrgTokenResponse {
            token: Some(token_to_proto(&changed.view, changed.now)),
            sequence: changed.sequence,
            evaluated_at: Some(timestamp_to_proto(changed.now)),
        }))
    }

    async fn resume_org_token(
        &self,
        request: Request<ResumeOrgTokenRequest>,
    ) -> Result<Response<ResumeOrgTokenResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let which =
            which(in_org(&request.org).map_err(refused)?, request.token.map(Into::into)).map_err(refused)?;
        let changed = self.authority.resume_token(&credential, &which).await;
        let changed = changed.map_err(|error| status(&error))?;
        Ok(Response::new(ResumeOrgTokenResponse {
            token: Some(token_to_proto(&changed.view, changed.now)),
            sequence: changed.sequence,
            evaluated_at: Some(timestamp_to_proto(changed.now)),
        }))
    }

    async fn revoke_all_org_tokens(
        &self,
        request: Request<RevokeAllOrgTokensRequest>,
    ) -> Result<Response<RevokeAllOrgTokensResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let whose = Whose::Org(org_slug_from_proto("org", &request.org).map_err(refused)?);
        let done = self.shut_out(&credential, &whose, request.created_before, request.dry_run).await?;
        Ok(Response::new(RevokeAllOrgTokensResponse {
            shut_out: Some(shut_out_to_proto(&done)),
            sequence: done.sequence.unwrap_or_default(),
            evaluated_at: Some(timestamp_to_proto(done.now)),
        }))
    }

    async fn list_personal_tokens(
        &self,
        request: Request<ListPersonalTokensRequest>,
    ) -> Result<Response<ListPersonalTokensResponse>, Status> {
        let credential = credential(&request)?;
        let ListPersonalTokensRequest { org, page_size, page_token: after } = request.into_inner();
        let org = org_slug_from_proto("org", &org).map_err(refused)?;
        let page = page(false, page_size, &after).map_err(refused)?;
        let listed = self.authority.list_personal_tokens(&credential, &org, page).await;
        let listed = listed.map_err(|error| status(&error))?;
        Ok(Response::new(ListPersonalTokensResponse {
            tokens: listed.views.iter().map(|view| token_to_proto(view, listed.now)).collect(),
            next_page_token: page_token(listed.next.as_ref()),
            evaluated_at: Some(timestamp_to_proto(listed.now)),
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
        self_rotating: request.self_rotating,
        pending: request.pending,
    })
}
