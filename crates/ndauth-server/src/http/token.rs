//! The OAuth endpoints for programs: issuing a session's secrets, deriving a token from one, and revoking
//! one.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ndauth_authority::{ExchangeRequest, Granted, Visitor};
use ndauth_core::{DisplayName, OrgSlug, Scope};
use serde_json::json;

use super::fields::Fields;
use super::problem::{OAuthError, revocation_error, seconds, uncached_json};
use super::request::VisitorRequest;
use super::site::{CLIENT, Site};

pub(super) const AUTHORIZATION_CODE: &str = "authorization_code";
pub(super) const REFRESH_TOKEN: &str = "refresh_token";
pub(super) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
pub(super) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The longest name that a program may give itself, in characters.
const LONGEST_NAME: usize = 64;

/// The result of an endpoint's handler.
type OAuthResult = Result<Response, OAuthError>;

pub(super) async fn issue(State(site): State<Arc<Site>>, request: VisitorRequest) -> OAuthResult {
    let fields = form(&request)?;
    client(&request, &fields, true)?;
    let (authority, visitor) = (&site.authority, program_visitor(&request, None));
    let granted = match fields.get("grant_type") {
        Some(AUTHORIZATION_CODE) => {
            let code = needed(&fields, "code")?;
            let redirect_uri = needed(&fields, "redirect_uri")?;
            let verifier = needed(&fields, "code_verifier")?;
            authority.logins().redeem_code(code, redirect_uri, verifier, &visitor).await?
        }
        Some(REFRESH_TOKEN) => {
            whole(&fields)?;
            authority.logins().refresh(needed(&fields, "refresh_token")?).await?
        }
        Some(DEVICE_CODE) if site.device => {
            authority.logins().poll_device(needed(&fields, "device_code")?, &visitor).await?
        }
        Some(TOKEN_EXCHANGE) => return exchange(&site, &visitor, &fields).await,
        Some(_) => return Err(OAuthError::new("unsupported_grant_type", "this grant_type is not supported")),
        None => return Err(missing("grant_type")),
    };
    let Granted { access, refresh, lasts } = granted;
    let response = json!({
        "access_token": access.expose(),
        "token_type": "Bearer",
        "expires_in": lasts.as_secs(),
        "refresh_token": refresh.expose(),
    });
    Ok(uncached_json(StatusCode::OK, &response))
}

/// Derives a token from a session (RFC 8693, section 2).
async fn exchange(site: &Site, visitor: &Visitor, fields: &Fields) -> OAuthResult {
    let subject = needed(fields, "subject_token")?;
    if needed(fields, "subject_token_type")? != ACCESS_TOKEN {
        return Err(OAuthError::request(format!("subject_token_type is not {ACCESS_TOKEN}")));
    }
    if fields.get("requested_token_type").is_some_and(|kind| kind != ACCESS_TOKEN) {
        return Err(OAuthError::request(format!("requested_token_type is not {ACCESS_TOKEN}")));
    }
    if fields.get("actor_token").or(fields.get("actor_token_type")).is_some() {
        return Err(OAuthError::request("delegation is not supported: leave actor_token out"));
    }
    if fields.get("resource").or(fields.get("audience")).is_some() {
        return Err(OAuthError::new("invalid_target", "name an org with org: there are no other targets"));
    }
    let scope = fields.get("scope").map(|scope| match scope {
        "RO" => Ok(Scope::Ro),
        "RW" => Ok(Scope::Rw),
        _ => Err(OAuthError::new("invalid_scope", "scope is RO or RW")),
    });
    let org = fields.get("org").map(|org| {
        org.parse::<OrgSlug>()
            .map_err(|why| OAuthError::new("invalid_target", format!("the org's name {why}")))
    });
    let request = ExchangeRequest { scope: scope.transpose()?, org: org.transpose()? };
    let made = site.authority.logins().exchange(subject, visitor, &request).await?;
    let response = json!({
        "access_token": made.secret.expose(),
        "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": made.lasts.as_secs(),
        "scope": made.scope.as_str(),
    });
    Ok(uncached_json(StatusCode::OK, &response))
}

/// Begins the authorization of a device (RFC 8628, section 3.1).
pub(super) async fn begin_device(State(site): State<Arc<Site>>, request: VisitorRequest) -> OAuthResult {
    let fields = form(&request)?;
    client(&request, &fields, true)?;
    if !site.device {
        return Err(OAuthError::new("unauthorized_client", "this server does not authorize devices by code"));
    }
    whole(&fields)?;
    let visitor = program_visitor(&request, device_name(&fields)?);
    let begun = site.authority.logins().begin_device(&visitor).await?;
    let response = json!({
        "device_code": begun.device_code.expose(),
        "user_code": begun.user_code.to_string(),
        "verification_uri": format!("{}/device", site.issuer),
        "expires_in": begun.lasts.as_secs(),
        "interval": seconds(begun.interval),
    });
    Ok(uncached_json(StatusCode::OK, &response))
}

/// Revokes the token or session of a secret. Possession of the secret is enough, and an unknown secret counts
/// as revoked (RFC 7009, section 2.2).
pub(super) async fn revoke(State(site): State<Arc<Site>>, request: VisitorRequest) -> OAuthResult {
    let fields = form(&request)?;
    client(&request, &fields, false)?;
    let shown = site.authority.logins().revoke_presented(needed(&fields, "token")?, &request.visitor).await;
    shown.map(|()| StatusCode::OK.into_response()).map_err(revocation_error)
}

/// Returns the name that a program gives itself, for people.
pub(super) fn device_name(fields: &Fields) -> Result<Option<DisplayName>, OAuthError> {
    let Some(name) = fields.get("device_name") else { return Ok(None) };
    let device: DisplayName =
        name.parse().map_err(|why| OAuthError::request(format!("device_name {why}")))?;
    if name.chars().count() > LONGEST_NAME {
        return Err(OAuthError::request(format!("device_name is longer than {LONGEST_NAME} characters")));
    }
    Ok(Some(device))
}

/// Refuses a login with a scope: none exists, so the caller would receive more power than it requested.
pub(super) fn whole(fields: &Fields) -> Result<(), OAuthError> {
    match fields.get("scope") {
        None => Ok(()),
        Some(_) => {
            let why = "a login has no scope: exchange its access_token for a token that has one";
            Err(OAuthError::new("invalid_scope", why))
        }
    }
}

/// Returns the fields of the form. A query is refused, since secrets do not belong in it.
fn form(request: &VisitorRequest) -> Result<Fields, OAuthError> {
    if request.has_query() {
        return Err(OAuthError::request("send the parameters in the body, not in the query"));
    }
    if !request.is_form() {
        return Err(OAuthError::request("the body is not of the type application/x-www-form-urlencoded"));
    }
    let fields = request.raw_form();
    fields.check()?;
    Ok(fields)
}

/// Checks the client. It has no secret, so a request with one comes from another client.
fn client(request: &VisitorRequest, fields: &Fields, must: bool) -> Result<(), OAuthError> {
    if request.has_authorization() || fields.get("client_secret").is_some() {
        return Err(OAuthError::client(
            "this client has no secret: send its client_id alone",
            request.has_authorization(),
        ));
    }
    match fields.get("client_id") {
        Some(CLIENT) => Ok(()),
        Some(_) => Err(OAuthError::client("the client is unknown", false)),
        None if must => Err(OAuthError::client("client_id is missing", false)),
        None => Ok(()),
    }
}

fn needed<'a>(fields: &'a Fields, name: &str) -> Result<&'a str, OAuthError> {
    fields.get(name).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> OAuthError {
    OAuthError::request(format!("{name} is missing"))
}

/// Returns the visitor of a program, with the name that it gives itself. The `User-Agent` of its library
/// would say nothing to people.
fn program_visitor(request: &VisitorRequest, device: Option<DisplayName>) -> Visitor {
    Visitor { address: request.visitor.address, device }
}
