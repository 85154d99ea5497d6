//! `TokenService`.

use ndauth_authority::{Explanation, Inquiry, NewToken, Subject, TokenSettings, Whose};
use ndauth_core::{Factor, InvalidSecret, Problem, Refusal, Scope};
use ndauth_proto::v1::token_service_server::TokenService;
use ndauth_proto::v1::{
    self, CreateTokenRequest, CreateTokenResponse, ExplainTokenRequest, ExplainTokenResponse,
    GetTokenRequest, GetTokenResponse, ListTokensRequest, ListTokensResponse, RenewTokenRequest,
    RenewTokenResponse, ResumeTokenRequest, ResumeTokenResponse, RevokeAllTokensRequest,
    RevokeAllTokensResponse, RevokeTokenRequest, RevokeTokenResponse, RotateTokenRequest,
    RotateTokenResponse, SettleRotationRequest, SettleRotationResponse, SuspendTokenRequest,
    SuspendTokenResponse, explain_token_request,
};
use ndauth_proto::{
    description_from_proto, duration_from_proto, effective_to_proto, expiry_choice_from_proto,
    factor_to_proto, grants_from_proto, networks_from_proto, org_slug_from_proto, orgs_from_proto,
    permission_from_proto, refusal_to_proto, scope_from_proto, services_from_proto, timestamp_to_proto,
    token_to_proto,
};
use tonic::{Request, Response, Status, async_trait};

use crate::grpc::fields::{
    Listing, address_from_proto, by_id, by_name, label, overlap, page_token, query, reason, settling,
    shut_out_to_proto, which,
};
use crate::grpc::{Service, credential, refused, status};

#[async_trait]
impl TokenService for Service {
    async fn create_token(
        &self,
        request: Request<CreateTokenRequest>,
    ) -> Result<Response<CreateTokenResponse>, Status> {
        let credential = credential(&request)?;
        let new = new_token(request.get_ref()).map_err(refused)?;
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
        let request = request.into_inner();
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
        let listed = self.authority.list_tokens(&credential, &asked).await.map_err(|error| status(&error))?;
        Ok(Response::new(ListTokensResponse {
            tokens: listed.views.iter().map(|view| token_to_proto(view, listed.now)).collect(),
            next_page_token: page_token(listed.next.as_ref()),
            evaluated_at: Some(timestamp_to_proto(listed.now)),
        }))
    }

    async fn get_token(
        &self,
        request: Request<GetTokenRequest>,
    ) -> Result<Response<GetTokenResponse>, Status> {
        let credential = credential(&request)?;
        let which = which(None, request.into_inner().token.map(Into::into)).map_err(refused)?;
        let shown = self.authority.get_token(&credential, &which.name).await;
        let shown = shown.map_err(|error| status(&error))?;
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
        let RevokeTokenRequest { token, reason: why } = request.into_inner();
        let which = which(None, token.map(Into::into)).map_err(refused)?;
        let why = reason(&why).map_err(refused)?;
        let revoked = self.authority.revoke_token(&credential, &which.name, why.as_ref()).await;
        let revoked = revoked.map_err(|error| status(&error))?;
        Ok(Response::new(RevokeTokenResponse {
            token: Some(token_to_proto(&revoked.view, revoked.now)),
            sequence: revoked.sequence,
        }))
    }

    async fn rotate_token(
        &self,
        request: Request<RotateTokenRequest>,
    ) -> Result<Response<RotateTokenResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let expiry = request.expiry.map(|choice| expiry_choice_from_proto("expiry", Some(choice)));
        let expiry = expiry.transpose().map_err(refused)?;
        let overlap = overlap(request.overlap).map_err(refused)?;
        let which = which(None, request.token.map(Into::into)).map_err(refused)?;
        let rotated = self.authority.rotate_token(&credential, &which, overlap, expiry).await;
        let rotated = rotated.map_err(|error| status(&error))?;
        Ok(Response::new(RotateTokenResponse {
            token: Some(token_to_proto(&rotated.view, rotated.now)),
            secret: rotated.secret.expose().to_owned(),
            pending_until: Some(timestamp_to_proto(rotated.pending_until)),
            sequence: rotated.sequence,
            evaluated_at: Some(timestamp_to_proto(rotated.now)),
        }))
    }

    async fn settle_rotation(
        &self,
        request: Request<SettleRotationRequest>,
    ) -> Result<Response<SettleRotationResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let settling = settling(request.settling).map_err(refused)?;
        let which = which(None, request.token.map(Into::into)).map_err(refused)?;
        let settled = self.authority.settle_rotation(&credential, &which, &settling).await;
        let settled = settled.map_err(|error| status(&error))?;
        Ok(Response::new(SettleRotationResponse {
            token: Some(token_to_proto(&settled.view, settled.now)),
            sequence: settled.sequence,
            evaluated_at: Some(timestamp_to_proto(settled.now)),
        }))
    }

    async fn renew_token(
        &self,
        request: Request<RenewTokenRequest>,
    ) -> Result<Response<RenewTokenResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let minimum = request.minimum.map(|minimum| duration_from_proto("minimum", minimum));
        let minimum = minimum.transpose().map_err(refused)?;
        let which = which(None, request.token.map(Into::into)).map_err(refused)?;
        let renewed = self.authority.renew_token(&credential, &which, minimum).await;
        let renewed = renewed.map_err(|error| status(&error))?;
        Ok(Response::new(RenewTokenResponse {
            token: Some(token_to_proto(&renewed.view, renewed.now)),
            renewed: renewed.changed,
            sequence: renewed.sequence,
            evaluated_at: Some(timestamp_to_proto(renewed.now)),
        }))
    }

    async fn suspend_token(
        &self,
        request: Request<SuspendTokenRequest>,
    ) -> Result<Response<SuspendTokenResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let which = which(None, request.token.map(Into::into)).map_err(refused)?;
        let changed = self.authority.suspend_token(&credential, &which).await;
        let changed = changed.map_err(|error| status(&error))?;
        Ok(Response::new(SuspendTokenResponse {
            token: Some(token_to_proto(&changed.view, changed.now)),
            sequence: changed.sequence,
            evaluated_at: Some(timestamp_to_proto(changed.now)),
        }))
    }

    async fn resume_token(
        &self,
        request: Request<ResumeTokenRequest>,
    ) -> Result<Response<ResumeTokenResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let which = which(None, request.token.map(Into::into)).map_err(refused)?;
        let changed = self.authority.resume_token(&credential, &which).await;
        let changed = changed.map_err(|error| status(&error))?;
        Ok(Response::new(ResumeTokenResponse {
            token: Some(token_to_proto(&changed.view, changed.now)),
            sequence: changed.sequence,
            evaluated_at: Some(timestamp_to_proto(changed.now)),
        }))
    }

    async fn revoke_all_tokens(
        &self,
        request: Request<RevokeAllTokensRequest>,
    ) -> Result<Response<RevokeAllTokensResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let whose = Whose::Mine;
        let done = self.shut_out(&credential, &whose, request.created_before, request.dry_run).await?;
        Ok(Response::new(RevokeAllTokensResponse {
            shut_out: Some(shut_out_to_proto(&done)),
            sequence: done.sequence.unwrap_or_default(),
            evaluated_at: Some(timestamp_to_proto(done.now)),
        }))
    }

    async fn explain_token(
        &self,
        request: Request<ExplainTokenRequest>,
    ) -> Result<Response<ExplainTokenResponse>, Status> {
        let credential = credential(&request)?;
        let inquiry = inquiry(request.into_inner()).map_err(refused)?;
        let explained =
            self.authority.explain(&credential, &inquiry).await.map_err(|error| status(&error))?;
        Ok(Response::new(ExplainTokenResponse {
            explanations: explained.explanations.iter().map(explanation_to_proto).collect(),
            evaluated_at: Some(timestamp_to_proto(explained.now)),
        }))
    }
}

fn inquiry(request: ExplainTokenRequest) -> Result<Inquiry, Problem> {
    let subject = match request.token {
        Some(explain_token_request::Token::Name(name)) => Subject::Token(by_name(&name)?),
        Some(explain_token_request::Token::Id(id)) => Subject::Token(by_id(&id)?),
        Some(explain_token_request::Token::Secret(shown)) => {
            let secret = shown.secret.parse();
            Subject::Secret(secret.map_err(|why: InvalidSecret| Problem::invalid("secret", why))?)
        }
        Some(explain_token_request::Token::Planned(mut planned)) => {
            if planned.name.is_empty() {
                planned.name = "planned".to_owned();
            }
            Subject::Planned(Box::new(new_token(&planned)?))
        }
        None => {
            return Err(Problem::invalid(
                "token",
                "say which, by `name`, `id` or `secret`, or what is `planned`",
            ));
        }
    };
    let permission = request.permission.as_ref();
    let permission =
        permission.map(|permission| permission_from_proto("permission", permission)).transpose()?;
    let access = match v1::Access::try_from(request.access) {
        Ok(v1::Access::Unspecified) => None,
        Ok(v1::Access::ReadOnly) => Some(Scope::Ro),
        Ok(v1::Access::ReadWrite) => Some(Scope::Rw),
        Ok(v1::Access::Identity) | Err(_) => {
            return Err(Problem::invalid(
                "access",
                "say `ACCESS_READ_ONLY` or `ACCESS_READ_WRITE`, or nothing",
            ));
        }
    };
    let org = match request.org.as_str() {
        "" => None,
        slug => Some(org_slug_from_proto("org", slug)?),
    };
    let question = match (access, permission) {
        (None, Some(_)) => return Err(Problem::invalid("access", "a permission needs an access beside it")),
        (None, None) => None,
        (Some(_), _) if org.is_none() => {
            return Err(Problem::invalid("org", "name the org in which access is needed"));
        }
        (Some(access), permission) => Some((access, permission)),
    };
    let service = match request.service.as_str() {
        "" => None,
        name => Some(name.parse().map_err(|why| Problem::invalid("service", format!("the name {why}")))?),
    };
    let address = address_from_proto("client_address", &request.client_address)?;
    Ok(Inquiry { subject, org, question, service, address })
}

fn explanation_to_proto(explanation: &Explanation) -> v1::Explanation {
    let finding = |(factor, allows, refusal): &(Factor, String, Option<Refusal>)| v1::Finding {
        factor: factor_to_proto(*factor).into(),
        allows: allows.clone(),
        refused: refusal.as_ref().map(refusal_to_proto),
    };
    let allowed = |effective| {
        let told = explanation.org.as_ref().and_then(|org| effective_to_proto(effective, org));
        v1::explanation::Outcome::Allowed(told.unwrap_or_default())
    };
    v1::Explanation {
        org: explanation.org.as_ref().map(ToString::to_string).unwrap_or_default(),
        findings: explanation.findings.iter().map(finding).collect(),
        outcome: Some(match &explanation.outcome {
            Ok(effective) => allowed(effective),
            Err(refusal) => v1::explanation::Outcome::Refused(refusal_to_proto(refusal)),
        }),
    }
}

fn new_token(request: &CreateTokenRequest) -> Result<NewToken, Problem> {
    Ok(NewToken {
        scope: match v1::Scope::try_from(request.scope) {
            Ok(v1::Scope::Unspecified) => None,
            _ => Some(scope_from_proto("scope", request.scope)?),
        },
        orgs: orgs_from_proto("orgs", request.orgs.clone())?,
        settings: TokenSettings {
            name: label(&request.name)?,
            description: description_from_proto("description", &request.description)?,
            grants: grants_from_proto("grants", request.grants.clone())?,
            expiry: expiry_choice_from_proto("expiry", request.expiry)?,
            services: services_from_proto("services", request.services.clone())?,
            networks: networks_from_proto("networks", request.networks.clone())?,
            self_rotating: request.self_rotating,
            pending: request.pending,
        },
    })
}
