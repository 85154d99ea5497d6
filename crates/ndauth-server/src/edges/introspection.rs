//! `POST /oauth2/introspect`: an OAuth resource server asks about a token (RFC 7662).
//!
//! With `org`, `access` and `permission`, `active` is the verdict. Without them it says that the secret lives, and
//! `scope` is what the token offers.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ndauth_authority::access::Operation;
use ndauth_authority::{Authority, AuthorityError, CacheableVerdict, Credential, Question};
use ndauth_core::{
    Actions, Class, Expiry, Grants, OwnerView, Problem, Reason, Requirement, ResourceIds, Scope, Secret,
    Timestamp,
};
use ndauth_proto::json::{descriptors, write};
use ndauth_proto::v1::ValidateTokenResponse;
use percent_encoding::percent_decode_str;
use prost::Name as _;
use prost_reflect::MessageDescriptor;

use super::parameters::{PARAMETERS, ParameterValues, requirement, sort, sort_form};
use crate::headers::{authorizations, scheme};
use crate::http::{OAuthError, problem_of};
use crate::verdict::{STATE_SIZE, VERDICT_SIZE, write_state, write_verdict};

/// The route, as the access table names it.
pub(crate) const INTROSPECT: &str = "POST /oauth2/introspect";

/// The parameters of the form. [`PARAMETERS`] may be in the query instead. The last two are ignored.
const NAMES: [&str; 7] =
    ["org", "access", "permission", "token", "client_address", "token_type_hint", "client_id"];

/// A question about a token.
struct Introspected {
    token: String,
    requirement: Requirement,
    /// The address of the resource server's client, as the resource server states it.
    client_address: Option<IpAddr>,
}

/// An active token: the beginning of the response, and the verdict as fields of `ValidateTokenResponse`.
struct Active {
    json: Vec<u8>,
    verdict: Vec<u8>,
}

/// Answers a resource server at an address. Returns JSON.
pub(crate) async fn introspect(
    authority: &Authority,
    issuer: &str,
    head: &Parts,
    form: &[u8],
    from: IpAddr,
) -> Result<Bytes, OAuthError> {
    let service = credential(&head.headers, from)?;
    let validation = authority.validation();
    let Introspected { token, requirement, client_address } = match question(head, form) {
        Ok(question) => question,
        Err(invalid) => {
            let admitted = validation.admit(&service, Operation::ValidateToken).await;
            return Err(admitted.err().map_or(invalid, |error| failed(&error)));
        }
    };
    let question = Question { secret: &token, requirement: &requirement, client_address, client: None };
    let convert = |verdict: CacheableVerdict<'_>| active(&verdict, issuer);
    let answer = match validation.validate_now(&service, &question, convert) {
        Some(answer) => answer,
        None => validation.validate(&service, &question, convert).await,
    };
    let (active, state) = answer.map_err(|error| failed(&error))?.split();
    let Some(Active { mut json, mut verdict }) = active else {
        return Ok(Bytes::from_static(br#"{"active":false}"#));
    };
    write_state(&mut verdict, &state);
    let ours = write(&RESPONSE, &verdict).map_err(|error| {
        tracing::error!(%error, "a verdict has no form in JSON");
        OAuthError::undecided(&Problem::new(Reason::Internal, "the answer was not written"))
    })?;
    json.extend_from_slice(b",\"ndauth\":");
    json.extend_from_slice(ours.as_bytes());
    json.push(b'}');
    Ok(json.into())
}

/// The descriptor of the verdict.
static RESPONSE: LazyLock<MessageDescriptor> = LazyLock::new(|| {
    let descriptor = descriptors().get_message_by_name(&ValidateTokenResponse::full_name());
    descriptor.expect("every message has a descriptor")
});

/// Returns the credential of a service: its secret as a bearer token, or its name and its secret by Basic (RFC 6749,
/// section 2.3.1).
fn credential(headers: &HeaderMap, from: IpAddr) -> Result<Credential, OAuthError> {
    let refused = |why: &str| OAuthError::client(why, true);
    let header = scheme(authorizations(headers));
    let header = header.map_err(|why| refused(&format!("`authorization`: {why}")))?;
    let (name, text) = match header {
        None => return Err(refused("a service presents its secret, by `Basic` or `Bearer`")),
        Some((scheme, Some(secret))) if scheme.eq_ignore_ascii_case("bearer") => (None, Cow::from(secret)),
        Some((scheme, Some(pair))) if scheme.eq_ignore_ascii_case("basic") => {
            let (name, secret) =
                basic(pair).ok_or_else(|| refused("expected `Basic` and the base64 of `NAME:SECRET`"))?;
            (Some(name), Cow::from(secret))
        }
        Some(_) => return Err(refused("a service presents its secret, by `Basic` or `Bearer`")),
    };
    let secret = text.parse::<Secret>().map_err(|why| refused(&format!("the service's secret: {why}")))?;
    Ok(match name {
        Some(name) => Credential::named_service(name, secret, Some(from)),
        None => Credential::secret(secret, Some(from)),
    })
}

/// Returns the two parts of a credential by Basic, each of which is encoded as in a form.
fn basic(pair: &str) -> Option<(String, String)> {
    let pair = String::from_utf8(STANDARD.decode(pair).ok()?).ok()?;
    let (name, secret) = pair.split_once(':')?;
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8().ok().map(Cow::into_owned)
    };
    Some((decoded(name)?, decoded(secret)?))
}

fn question(head: &Parts, form: &[u8]) -> Result<Introspected, OAuthError> {
    if !is_form(&head.headers) {
        return Err(OAuthError::request("the body is not of the type application/x-www-form-urlencoded"));
    }
    let invalid = |problem: Problem| OAuthError::request(problem.message);
    // A resource server whose form is fixed states what is needed in the query of its URL (RFC 6749, section 3.2), as
    // a proxy does. There is no token among those parameters.
    let query = head.uri.query().unwrap_or_default().as_bytes();
    sort_form(PARAMETERS, query).map_err(invalid)?;
    let both = form_urlencoded::parse(query).chain(form_urlencoded::parse(form));
    let [org, access, permission, token, address, ..]: ParameterValues<'_, 7> =
        sort(NAMES, both).map_err(invalid)?;
    let token = token.ok_or_else(|| OAuthError::request("token is missing"))?;
    let requirement = if org.is_none() && access.is_none() && permission.is_none() {
        Requirement::Identity
    } else {
        let method = || Err(Problem::invalid("access", "expected `RO` or `RW`"));
        requirement(&[org, access, permission], method).map_err(invalid)?
    };
    let address = address.map(|address| address.parse::<IpAddr>()).transpose();
    let address = address.map_err(|_| OAuthError::request("client_address is not an IP address"))?;
    let client_address = address.map(|address| address.to_canonical());
    Ok(Introspected { token: token.into_owned(), requirement, client_address })
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Returns the error of a service that may not ask, or of a question that was not decided.
fn failed(error: &AuthorityError) -> OAuthError {
    let problem = problem_of(error);
    match problem.class() {
        Class::NotAuthenticated | Class::NotPermitted => OAuthError::client(&problem.message, true),
        _ => OAuthError::undecided(&problem),
    }
}

/// Returns an active token (RFC 7662, section 2.2). `None` for every refusal: its reason is not for the resource
/// server.
fn active(verdict: &CacheableVerdict<'_>, issuer: &str) -> Option<Active> {
    let allowed = verdict.outcome.as_ref().ok()?;
    let (token, secret, service) = (allowed.token, allowed.secret, verdict.service);
    let id = token.id.to_string();
    let (access, grants) = verdict.visible_power()?;
    let mut json = Vec::with_capacity(JSON_SIZE);
    json.extend_from_slice(br#"{"active":true"#);
    match allowed.owner {
        OwnerView::Account(account) => {
            add_text(&mut json, "sub", &account.id.to_string());
            add_text(&mut json, "username", account.handle.as_str());
        }
        OwnerView::Org(org) => add_text(&mut json, "sub", &org.id.to_string()),
    }
    add_text(&mut json, "client_id", &id);
    add_text(&mut json, "scope", &scope_of(access, grants));
    if let Expiry::At(end) = token.expires_at.min(secret.ends_at) {
        add_seconds(&mut json, "exp", end);
    }
    add_seconds(&mut json, "iat", secret.minted_at);
    add_text(&mut json, "iss", issuer);
    add_text(&mut json, "aud", service.name.as_str());
    add_text(&mut json, "jti", &id);
    add_text(&mut json, "token_type", "Bearer");
    let mut fields = Vec::with_capacity(VERDICT_SIZE + STATE_SIZE);
    write_verdict(&mut fields, verdict, 5);
    Some(Active { json, verdict: fields })
}

/// The approximate size of a response, in bytes.
const JSON_SIZE: usize = 1024;

/// Adds a member to an object that is not empty.
fn add_text(json: &mut Vec<u8>, name: &str, value: &str) {
    add_name(json, name);
    serde_json::to_writer(json, value).expect("a vector grows");
}

/// Adds a member that is an instant, in seconds since 1970.
fn add_seconds(json: &mut Vec<u8>, name: &str, instant: Timestamp) {
    add_name(json, name);
    json.extend_from_slice(instant.micros().div_euclid(1_000_000).to_string().as_bytes());
}

fn add_name(json: &mut Vec<u8>, name: &str) {
    for part in [",\"", name, "\":"] {
        json.extend_from_slice(part.as_bytes());
    }
}

/// Returns access and permissions as a scope (RFC 6749, section 3.3). `RW` includes `RO`. A permission on a resource
/// whose id has a character that no scope may have is left out.
fn scope_of(access: Scope, grants: Option<&Grants>) -> String {
    let mut scope = match access {
        Scope::Ro => "RO".to_owned(),
        Scope::Rw => "RO RW".to_owned(),
    };
    let Some(Grants::Only(set)) = grants else { return scope };
    for (resource_type, ids, actions) in set.iter() {
        let ids = if *ids == ResourceIds::all() { String::new() } else { format!(":{ids}") };
        if ids.contains(['"', '\\']) {
            continue;
        }
        let mut add = |action: &str| scope += &format!(" {action}:{resource_type}{ids}");
        match actions {
            Actions::Any => add("*"),
            Actions::Only(actions) => actions.iter().for_each(|action| add(action.as_str())),
        }
    }
    scope
}
