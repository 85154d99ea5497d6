//! `TokenService`.

use ndauth_authority::{
    Changed, Explanation, Inquiry, Minted, NewToken, Renewing, ReportedSecret, RevokedAll, Revoking, Rotated,
    Subject, Visitor,
};
use ndauth_core::{Factor, InvalidSecret, OVERLAP, Problem, Refusal, Secret, SecretKind};
use ndauth_proto::v1::token_service_server::TokenService;
use ndauth_proto::{
    description_from_proto, duration_from_proto, effective_to_proto, expiry_choice_from_proto,
    factor_to_proto, grants_from_proto, leak_outcome_to_proto, networks_from_proto, org_slug_from_proto,
    orgs_from_proto, permission_from_proto, refusal_to_proto, revocation_reason_from_proto, scope_from_proto,
    services_from_proto, timestamp_to_proto, token_to_proto, v1,
};
use tonic::{Request, Response, Status, async_trait};

use super::fields::{address_from_proto, label, minted_when, optional, query, which, whose};
use super::service::{Failed, GrpcService, answer, taken};
use crate::cursors::page_token;

/// The most tokens used today that a response lists.
const MOST_LISTED: usize = 1000;

#[async_trait]
impl TokenService for GrpcService {
    async fn create_token(
        &self,
        request: Request<v1::CreateTokenRequest>,
    ) -> Result<Response<v1::CreateTokenResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let (whose, new) = (whose(request.owner)?, new_token(request.token)?);
            let made = self.authority.tokens().create(&credential, &whose, &new).await?;
            let Changed { value: Minted { view, secret, powerless }, changed, sequence, now } = made;
            let kind = Some(secret.kind());
            Ok(v1::CreateTokenResponse {
                token: Some(token_to_proto(&view, now)),
                secret: secret.expose().to_owned(),
                changed,
                sequence,
                evaluated_at: Some(timestamp_to_proto(now)),
                powerless: powerless.as_ref().map(|refusal| refusal_to_proto(refusal, kind)),
            })
        })
        .await
    }

    async fn list_tokens(
        &self,
        request: Request<v1::ListTokensRequest>,
    ) -> Result<Response<v1::ListTokensResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let (asked, whose) = (query(&request)?, whose(request.owner)?);
            let listed = self.authority.tokens().list(&credential, &whose, &asked).await?;
            Ok(v1::ListTokensResponse {
                tokens: listed.views.iter().map(|view| token_to_proto(view, listed.now)).collect(),
                next_page_token: page_token(listed.next.as_ref()),
                evaluated_at: Some(timestamp_to_proto(listed.now)),
            })
        })
        .await
    }

    async fn get_token(
        &self,
        request: Request<v1::GetTokenRequest>,
    ) -> Result<Response<v1::GetTokenResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let (whose, which) = (whose(request.owner)?, which(request.which)?);
            let shown = self.authority.tokens().get(&credential, &whose, &which).await?;
            Ok(v1::GetTokenResponse {
                token: Some(token_to_proto(&shown.view, shown.now)),
                evaluated_at: Some(timestamp_to_proto(shown.now)),
            })
        })
        .await
    }

    async fn update_token(
        &self,
        request: Request<v1::UpdateTokenRequest>,
    ) -> Result<Response<v1::UpdateTokenResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let (whose, which) = (whose(request.owner)?, which(request.which)?);
            let description = request.description.as_deref();
            let description =
                description.map(|text| description_from_proto("description", text)).transpose()?;
            let Changed { value, changed, sequence, now } =
                self.authority.tokens().update(&credential, &whose, &which, description.as_ref()).await?;
            let (token, evaluated_at) = (Some(token_to_proto(&value, now)), Some(timestamp_to_proto(now)));
            Ok(v1::UpdateTokenResponse { token, changed, sequence, evaluated_at })
        })
        .await
    }

    async fn revoke_token(
        &self,
        request: Request<v1::RevokeTokenRequest>,
    ) -> Result<Response<v1::RevokeTokenResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let (whose, which) = (whose(request.owner)?, which(request.which)?);
            let why = Revoking {
                reason: revocation_reason_from_proto("reason", request.reason)?,
                note: description_from_proto("note", request.note.as_deref().unwrap_or_default())?,
            };
            let Changed { value, changed, sequence, now } =
                self.authority.tokens().revoke(&credential, &whose, &which, &why).await?;
            let (token, evaluated_at) = (Some(token_to_proto(&value, now)), Some(timestamp_to_proto(now)));
            Ok(v1::RevokeTokenResponse { token, changed, sequence, evaluated_at })
        })
        .await
    }

    async fn rotate_token(
        &self,
        request: Request<v1::RotateTokenRequest>,
    ) -> Result<Response<v1::RotateTokenResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let (whose, which) = (whose(request.owner)?, which(request.which)?);
            let overlap = request.overlap.map(|overlap| duration_from_proto("overlap", overlap));
            let overlap = overlap.transpose()?.unwrap_or(OVERLAP);
            let expiry = request.expiry.map(|choice| expiry_choice_from_proto("expiry", Some(choice)));
            let rotated = self
                .authority
                .tokens()
                .rotate(&credential, &whose, &which, overlap, expiry.transpose()?)
                .await?;
            let Changed { value: Rotated { view, secret, pending_until }, changed, sequence, now } = rotated;
            Ok(v1::RotateTokenResponse {
                token: Some(token_to_proto(&view, now)),
                secret: secret.expose().to_owned(),
                pending_until: Some(timestamp_to_proto(pending_until)),
                changed,
                sequence,
                evaluated_at: Some(timestamp_to_proto(now)),
            })
        })
        .await
    }

    async fn confirm_rotation(
        &self,
        request: Request<v1::ConfirmRotationRequest>,
    ) -> Result<Response<v1::ConfirmRotationResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let (whose, which) = (whose(request.owner)?, which(request.which)?);
            let prefix = optional(request.prefix.as_ref(), |text| {
                text.parse().map_err(|why| Problem::invalid("prefix", why))
            })?;
            let Changed { value, changed, sequence, now } =
                self.authority.tokens().confirm_rotation(&credential, &whose, &which, prefix).await?;
            let (token, evaluated_at) = (Some(token_to_proto(&value, now)), Some(timestamp_to_proto(now)));
            Ok(v1::ConfirmRotationResponse { token, changed, sequence, evaluated_at })
        })
        .await
    }

    async fn drop_rotation(
        &self,
        request: Request<v1::DropRotationRequest>,
    ) -> Result<Response<v1::DropRotationResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let (whose, which) = (whose(request.owner)?, which(request.which)?);
            let Changed { value, changed, sequence, now } =
                self.authority.tokens().drop_rotation(&credential, &whose, &which).await?;
            let (token, evaluated_at) = (Some(token_to_proto(&value, now)), Some(timestamp_to_proto(now)));
            Ok(v1::DropRotationResponse { token, changed, sequence, evaluated_at })
        })
        .await
    }

    async fn retire_secret(
        &self,
        request: Request<v1::RetireSecretRequest>,
    ) -> Result<Response<v1::RetireSecretResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let (whose, which) = (whose(request.owner)?, which(request.which)?);
            let Changed { value, changed, sequence, now } =
                self.authority.tokens().retire_secret(&credential, &whose, &which, request.anyway).await?;
            let (token, evaluated_at) = (Some(token_to_proto(&value, now)), Some(timestamp_to_proto(now)));
            Ok(v1::RetireSecretResponse { token, changed, sequence, evaluated_at })
        })
        .await
    }

    async fn renew_token(
        &self,
        request: Request<v1::RenewTokenRequest>,
    ) -> Result<Response<v1::RenewTokenResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let (whose, which) = (whose(request.owner)?, which(request.which)?);
            let minimum =
                request.minimum.map(|minimum| duration_from_proto("minimum", minimum)).transpose()?;
            let renewing = Renewing { minimum, automatic: request.automatic };
            let Changed { value, changed, sequence, now } =
                self.authority.tokens().renew(&credential, &whose, &which, renewing).await?;
            let (token, evaluated_at) = (Some(token_to_proto(&value, now)), Some(timestamp_to_proto(now)));
            Ok(v1::RenewTokenResponse { token, changed, sequence, evaluated_at })
        })
        .await
    }

    async fn suspend_token(
        &self,
        request: Request<v1::SuspendTokenRequest>,
    ) -> Result<Response<v1::SuspendTokenResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let (whose, which) = (whose(request.owner)?, which(request.which)?);
            let Changed { value, changed, sequence, now } =
                self.authority.tokens().suspend(&credential, &whose, &which).await?;
            let (token, evaluated_at) = (Some(token_to_proto(&value, now)), Some(timestamp_to_proto(now)));
            Ok(v1::SuspendTokenResponse { token, changed, sequence, evaluated_at })
        })
        .await
    }

    async fn resume_token(
        &self,
        request: Request<v1::ResumeTokenRequest>,
    ) -> Result<Response<v1::ResumeTokenResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let (whose, which) = (whose(request.owner)?, which(request.which)?);
            let Changed { value, changed, sequence, now } =
                self.authority.tokens().resume(&credential, &whose, &which).await?;
            let (token, evaluated_at) = (Some(token_to_proto(&value, now)), Some(timestamp_to_proto(now)));
            Ok(v1::ResumeTokenResponse { token, changed, sequence, evaluated_at })
        })
        .await
    }

    async fn revoke_all_tokens(
        &self,
        request: Request<v1::RevokeAllTokensRequest>,
    ) -> Result<Response<v1::RevokeAllTokensResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let (whose, minted) = (whose(request.owner)?, minted_when(request.which)?);
            let done = if request.dry_run {
                self.authority.tokens().preview_revoke_all(&credential, &whose, minted).await?
            } else {
                self.authority.tokens().revoke_all(&credential, &whose, minted).await?
            };
            let Changed { value, changed, sequence, now } = done;
            let RevokedAll { not_before, tokens, used_today } = value;
            let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            Ok(v1::RevokeAllTokensResponse {
                not_before: Some(timestamp_to_proto(not_before)),
                tokens: count(tokens),
                used_today_count: count(used_today.len()),
                used_today: used_today
                    .iter()
                    .take(MOST_LISTED)
                    .map(|view| token_to_proto(view, now))
                    .collect(),
                changed,
                sequence,
                evaluated_at: Some(timestamp_to_proto(now)),
            })
        })
        .await
    }

    async fn revoke_secret(
        &self,
        request: Request<v1::RevokeSecretRequest>,
    ) -> Result<Response<v1::RevokeSecretResponse>, Status> {
        answer(async {
            let address = request.remote_addr().map(|address| address.ip().to_canonical());
            let secret = secret(&request.get_ref().secret)?;
            let visitor = Visitor { address, device: None };
            self.authority.logins().revoke_presented(secret.expose(), &visitor).await?;
            Ok::<_, Failed>(v1::RevokeSecretResponse {})
        })
        .await
    }

    async fn report_leaked(
        &self,
        request: Request<v1::ReportLeakedRequest>,
    ) -> Result<Response<v1::ReportLeakedResponse>, Status> {
        answer(async {
            let address = request.remote_addr().map(|address| address.ip().to_canonical());
            let visitor = Visitor { address, device: None };
            let reported =
                self.authority.logins().report_leaked(&request.get_ref().secrets, &visitor).await?;
            let report = |(index, reported): (u32, &ReportedSecret)| v1::LeakReport {
                index,
                prefix: reported.prefix.map(|prefix| prefix.to_string()),
                outcome: leak_outcome_to_proto(reported.outcome).into(),
            };
            Ok::<_, Failed>(v1::ReportLeakedResponse { reports: (0..).zip(&reported).map(report).collect() })
        })
        .await
    }

    async fn explain_token(
        &self,
        request: Request<v1::ExplainTokenRequest>,
    ) -> Result<Response<v1::ExplainTokenResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let explained = self.authority.tokens().explain(&credential, &inquiry(request)?).await?;
            Ok::<_, Failed>(v1::ExplainTokenResponse {
                explanations: explained
                    .explanations
                    .iter()
                    .map(|explanation| explanation_to_proto(explanation, explained.kind))
                    .collect(),
                evaluated_at: Some(timestamp_to_proto(explained.now)),
            })
        })
        .await
    }
}

fn inquiry(request: v1::ExplainTokenRequest) -> Result<Inquiry, Problem> {
    use v1::explain_token_request::Token;
    let subject = match request.token {
        Some(Token::Which(named)) => Subject::Token(which(Some(named))?),
        Some(Token::Secret(shown)) => Subject::Secret(secret(&shown.secret)?),
        Some(Token::Planned(mut planned)) => {
            if planned.name.is_empty() {
                planned.name = "planned".to_owned();
            }
            Subject::Planned(Box::new(new_token(Some(planned))?))
        }
        None => {
            return Err(Problem::invalid("token", "set `which`, `secret` or `planned`"));
        }
    };
    let permission = request.permission.as_ref();
    let permission =
        permission.map(|permission| permission_from_proto("permission", permission)).transpose()?;
    let access = request.access.map(|access| scope_from_proto("access", access)).transpose()?;
    let org = optional(request.org.as_ref(), |slug| org_slug_from_proto("org", slug))?;
    let question = match (access, permission) {
        (None, Some(_)) => return Err(Problem::invalid("access", "a permission needs an `access`")),
        (None, None) => None,
        (Some(_), _) if org.is_none() => {
            return Err(Problem::invalid("org", "name the org in which access is needed"));
        }
        (Some(access), permission) => Some((access, permission)),
    };
    let service = optional(request.service.as_ref(), |name| label("service", name))?;
    let address =
        address_from_proto("client_address", request.client_address.as_deref().unwrap_or_default())?;
    Ok(Inquiry { whose: whose(request.owner)?, subject, org, question, service, address })
}

fn secret(text: &str) -> Result<Secret, Problem> {
    text.parse().map_err(|why: InvalidSecret| Problem::invalid("secret", why))
}

fn explanation_to_proto(explanation: &Explanation, kind: SecretKind) -> v1::Explanation {
    let refused = |refusal: &Refusal| refusal_to_proto(refusal, Some(kind));
    let finding = |(factor, allows, refusal): &(Factor, String, Option<Refusal>)| v1::Finding {
        factor: factor_to_proto(*factor).into(),
        allows: allows.clone(),
        refused: refusal.as_ref().map(refused),
    };
    let allowed = |effective| {
        let message = explanation.org.as_ref().and_then(|org| effective_to_proto(effective, org));
        v1::explanation::Outcome::Allowed(message.unwrap_or_default())
    };
    v1::Explanation {
        org: explanation.org.as_ref().map(ToString::to_string),
        findings: explanation.findings.iter().map(finding).collect(),
        outcome: Some(match &explanation.outcome {
            Ok(effective) => allowed(effective),
            Err(refusal) => v1::explanation::Outcome::Refused(refused(refusal)),
        }),
    }
}

fn new_token(new: Option<v1::NewToken>) -> Result<NewToken, Problem> {
    let new = new.ok_or_else(|| Problem::invalid("token", "set the new value"))?;
    let description = new.description.as_deref().unwrap_or_default();
    Ok(NewToken {
        name: label("name", &new.name)?,
        description: description_from_proto("description", description)?,
        scope: new.scope.map(|scope| scope_from_proto("scope", scope)).transpose()?,
        grants: grants_from_proto("grants", new.grants)?,
        orgs: new.orgs.map(|orgs| orgs_from_proto("orgs", Some(orgs))).transpose()?,
        services: services_from_proto("services", new.services)?,
        networks: networks_from_proto("networks", new.networks)?,
        expiry: expiry_choice_from_proto("expiry", new.expiry)?,
        self_rotating_until: new
            .self_rotating_until
            .map(|until| expiry_choice_from_proto("self_rotating_until", Some(until)))
            .transpose()?,
        pending: new.pending,
    })
}
