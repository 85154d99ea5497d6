//! The authorization of a program: it sends its person's browser here, and the person decides (RFC 6749,
//! section 4.1, with RFC 7636, RFC 8252 and RFC 9207).

use askama::Template;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use ndauth_authority::{CodeRequest, Visit};
use ndauth_core::{Challenge, DisplayName};

use super::device::decision;
use super::fields::{Fields, query};
use super::layout::{POLICY, go, page};
use super::links::sign_in;
use super::problem::{OAuthError, PageError, PageResult, plain};
use super::request::{VisitorRequest, is_over};
use super::site::{CLIENT, Site};
use super::token::{device_name, whole};

/// The page that asks for consent before a client is authorized.
#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage<'a> {
    client: &'a str,
    device: Option<&'a str>,
    handle: &'a str,
    email: &'a str,
    address: &'a str,
    /// The URL where another person signs in.
    other: &'a str,
    /// The hidden fields of the form.
    fields: &'a [(&'static str, String)],
}

/// An authorization request (RFC 6749, section 4.1.1).
#[derive(Debug)]
pub(super) struct AuthorizationRequest {
    redirect: Redirect,
    state: String,
    challenge: Challenge,
    /// The oldest sign-in that is accepted.
    max_age: Option<Duration>,
    /// True if the person must sign in now.
    login: bool,
    device: Option<DisplayName>,
}

/// The redirect URI: a program on the person's own machine (RFC 8252, section 7.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Redirect {
    /// The URI as it was sent.
    text: String,
    /// The source for `form-action` in the page's policy. The policy cannot express an IPv6 address.
    source: String,
}

/// The error for an invalid authorization request.
#[derive(Debug)]
pub(super) enum InvalidAuthorization {
    /// The client or the redirect URI is invalid: only the person sees an error.
    Here(String),
    /// The program receives the error.
    Back { redirect: Redirect, state: Option<String>, error: &'static str, description: String },
}

/// The shortest `max_age` after a required sign-in: the time to get from the sign-in to this page.
const SIGN_IN_GRACE: Duration = Duration::from_secs(60);
/// The time that a person may look at the consent page.
const CONSENT_TIME: Duration = Duration::from_secs(10 * 60);
/// The longest state, in bytes. It identifies a request, and stores no data.
const LONGEST_STATE: usize = 1024;

impl Redirect {
    /// Reads `http://127.0.0.1:PORT/callback` or `http://[::1]:PORT/callback`, and nothing else.
    pub(super) fn read(text: &str) -> Option<Redirect> {
        let behind = |host: &str| text.strip_prefix("http://")?.strip_prefix(host)?.strip_prefix(':');
        let (rest, literal) = match (behind("127.0.0.1"), behind("[::1]")) {
            (Some(rest), _) => (rest, false),
            (None, rest) => (rest?, true),
        };
        let port = rest.strip_suffix("/callback")?;
        let digits = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
        port.parse::<u16>().ok().filter(|_| digits)?;
        let source = if literal { "http:".to_owned() } else { format!("http://127.0.0.1:{port}") };
        Some(Redirect { text: text.to_owned(), source })
    }

    /// Redirects the browser there, with the state and the issuer.
    fn back(&self, site: &Site, state: Option<&str>, fields: &[(&str, &str)]) -> Response {
        let state = state.map(|state| ("state", state));
        let issuer = ("iss", site.issuer.as_str());
        let parameters = query(fields.iter().copied().chain(state).chain([issuer]));
        go(&format!("{}?{parameters}", self.text))
    }
}

impl AuthorizationRequest {
    /// Reads the request.
    pub(super) fn read(fields: &Fields) -> Result<AuthorizationRequest, InvalidAuthorization> {
        let here = |why: &str| Err(InvalidAuthorization::Here(why.to_owned()));
        if ["client_id", "redirect_uri"].iter().any(|name| fields.repeats(name)) {
            return here("`client_id` or `redirect_uri` is given more than once.");
        }
        if fields.get("client_id") != Some(CLIENT) {
            return here("The client is unknown.");
        }
        let Some(redirect) = fields.get("redirect_uri").and_then(Redirect::read) else {
            return here(
                "The redirect URI is not allowed for this client: only a program on your own machine is, at \
                 http://127.0.0.1:PORT/callback or http://[::1]:PORT/callback.",
            );
        };
        let state =
            fields.get("state").filter(|state| state.len() <= LONGEST_STATE && !fields.repeats("state"));
        AuthorizationRequest::read_trusted(fields, redirect.clone()).map_err(
            |OAuthError { error, description, .. }| InvalidAuthorization::Back {
                redirect,
                state: state.map(str::to_owned),
                error,
                description,
            },
        )
    }

    fn read_trusted(fields: &Fields, redirect: Redirect) -> Result<AuthorizationRequest, OAuthError> {
        let wrong = |why: &str| Err(OAuthError::request(why));
        fields.check()?;
        match fields.get("response_type") {
            Some("code") => {}
            Some(_) => return Err(OAuthError::new("unsupported_response_type", "response_type is not code")),
            None => return wrong("response_type is missing"),
        }
        if fields.get("response_mode").is_some_and(|mode| mode != "query") {
            return wrong("response_mode is not query");
        }
        let Some(state) = fields.get("state") else { return wrong("state is missing") };
        if state.len() > LONGEST_STATE {
            return wrong("state is too long");
        }
        // Without a method, it would be `plain`, which protects nothing (RFC 7636, section 4.3).
        if fields.get("code_challenge_method") != Some("S256") {
            return wrong("code_challenge_method is not S256");
        }
        let Some(Ok(challenge)) = fields.get("code_challenge").map(str::parse) else {
            return wrong("code_challenge is missing, or is not 43 characters of base64url");
        };
        let max_age = match fields.get("max_age").map(str::parse::<u32>) {
            None => None,
            Some(Ok(seconds)) => Some(Duration::from_secs(seconds.into())),
            Some(Err(_)) => return wrong("max_age is not a number of seconds"),
        };
        let login = match fields.get("prompt") {
            None => false,
            Some("login") => true,
            Some(_) => return wrong("prompt is not login"),
        };
        whole(fields)?;
        let device = device_name(fields)?;
        Ok(AuthorizationRequest { redirect, state: state.to_owned(), challenge, max_age, login, device })
    }

    /// Returns true if the person who is signed in proved their identity recently enough. `looking` is added
    /// to the age that is allowed.
    fn is_proved(&self, visit: &Visit, looking: Duration) -> bool {
        let proved = visit.session.proved_at;
        let young = |most: Duration| proved.is_some_and(|at| visit.now.since(at) <= most + looking);
        !self.login && proved.is_some() && self.max_age.is_none_or(young)
    }

    /// Returns the fields that repeat this request. A required sign-in becomes a `max_age` that a sign-in of
    /// just now meets.
    fn fields(&self, signing_in: bool) -> Vec<(&'static str, String)> {
        let max_age = match (self.login, self.max_age) {
            (true, _) => Some(SIGN_IN_GRACE),
            (false, Some(most)) if signing_in => Some(most.max(SIGN_IN_GRACE)),
            (false, most) => most,
        };
        let fixed = [
            ("response_type", "code".to_owned()),
            ("client_id", CLIENT.to_owned()),
            ("redirect_uri", self.redirect.text.clone()),
            ("state", self.state.clone()),
            ("code_challenge", self.challenge.to_string()),
            ("code_challenge_method", "S256".to_owned()),
        ];
        let max_age = max_age.map(|most| ("max_age", most.as_secs().to_string()));
        let device = self.device.as_ref().map(|device| ("device_name", device.to_string()));
        fixed.into_iter().chain(max_age).chain(device).collect()
    }

    /// Returns the URL where the person signs in, and then comes back to this request.
    pub(super) fn sign_in(&self) -> String {
        let fields = self.fields(true);
        let fields = fields.iter().map(|(name, value)| (*name, value.as_str()));
        sign_in(&format!("/oauth2/authorize?{}", query(fields)))
    }
}

impl InvalidAuthorization {
    fn answer(self, site: &Site) -> PageResult {
        match self {
            InvalidAuthorization::Here(why) => {
                let title = "Unknown program";
                Err(PageError::new(StatusCode::BAD_REQUEST, title, why).into())
            }
            InvalidAuthorization::Back { redirect, state, error, description } => {
                let description = plain(&description);
                let fields = [("error", error), ("error_description", description.as_str())];
                Ok(redirect.back(site, state.as_deref(), &fields))
            }
        }
    }
}

/// Shows the consent page.
pub(super) async fn show(State(site): State<Arc<Site>>, request: VisitorRequest) -> PageResult {
    let authorization = match AuthorizationRequest::read(&request.raw_query()) {
        Ok(authorization) => authorization,
        Err(misasked) => return misasked.answer(&site),
    };
    let visit =
        request.visit(&site).await?.filter(|(_, visit)| authorization.is_proved(visit, Duration::ZERO));
    let Some((_, visit)) = visit else { return Ok(go(&authorization.sign_in())) };
    let shown = ConsentPage {
        client: CLIENT,
        device: authorization.device.as_ref().map(DisplayName::as_str),
        handle: visit.account.handle.as_str(),
        email: visit.account.email.as_str(),
        address: &request.visitor.address.map_or("an unknown address".to_owned(), |at| at.to_string()),
        other: &authorization.sign_in(),
        fields: &authorization.fields(false),
    };
    let mut response = page(StatusCode::OK, &shown);
    // Browsers apply `form-action` to the redirect after a form, too.
    let policy = POLICY
        .replace("form-action 'self'", &format!("form-action 'self' {}", authorization.redirect.source));
    let policy = HeaderValue::try_from(policy).expect("a port is digits, and the rest is ASCII");
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

/// Applies the person's decision.
pub(super) async fn decide(State(site): State<Arc<Site>>, request: VisitorRequest) -> PageResult {
    let fields = request.raw_form();
    let authorization = match AuthorizationRequest::read(&fields) {
        Ok(authorization) => authorization,
        Err(misasked) => return misasked.answer(&site),
    };
    let visit = request.visit(&site).await?.filter(|(_, visit)| authorization.is_proved(visit, CONSENT_TIME));
    let Some((cookie, _)) = visit else { return Ok(go(&authorization.sign_in())) };
    let back =
        |fields: &[(&str, &str)]| authorization.redirect.back(&site, Some(&authorization.state), fields);
    if !decision(&fields)? {
        return Ok(back(&[("error", "access_denied"), ("error_description", "the person denied it")]));
    }
    let code = CodeRequest {
        redirect_uri: authorization.redirect.text.clone(),
        challenge: authorization.challenge,
        device: authorization.device.clone(),
        from: request.visitor.address,
    };
    match site.authority.logins().grant_code(&cookie, &request.visitor, &code).await {
        Ok(code) => Ok(back(&[("code", code.expose())])),
        Err(error) if is_over(&error) => Ok(go(&authorization.sign_in())),
        Err(error) => Err(error.into()),
    }
}
