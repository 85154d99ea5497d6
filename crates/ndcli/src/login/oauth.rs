//! The server's OAuth endpoints: requests to them, and the interpretation of their responses.

use std::time::Duration;

use form_urlencoded::Serializer;
use ndauth_client::{HttpResponse, ServerUrl};
use ndauth_core::{Challenge, Class, OrgSlug, Problem, Reason, Secret, SecretKind};
use ndauth_terminal::{Failure, nonsense, quoted, shown};
use serde_json::Value;

use super::logins::Login;
use crate::clock::now;
use crate::settings::CommonOptions;
use crate::transport;

/// The client id of ndcli.
const CLIENT: &str = "ndcli";
/// The maximum age, in seconds, of a login for changes that require a recent one.
const RECENT: &str = "900";
const TOKEN: &str = "/oauth2/token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// The maximum number of characters shown of a server's text.
const LONGEST: usize = 300;

/// The failure of a request to an endpoint.
pub(crate) enum Error {
    /// The server refused the request.
    Refused(ErrorResponse),
    /// The request failed without a decision.
    Failed(Failure),
}

/// The error response of an endpoint (RFC 6749, section 5.2).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ErrorResponse {
    pub(crate) code: String,
    pub(crate) description: String,
    pub(crate) retry_after: Option<Duration>,
}

/// A server's description of itself (RFC 8414).
pub(crate) struct Issuer {
    pub(crate) name: String,
    /// True if the server supports logins by a code.
    pub(crate) device: bool,
}

/// A login by a code that has begun (RFC 8628, section 3.2).
pub(crate) struct DeviceAuthorization {
    pub(crate) code: String,
    pub(crate) user_code: String,
    pub(crate) address: String,
    pub(crate) lasts: Duration,
    pub(crate) interval: Duration,
}

/// A short-lived token that services accept.
pub(crate) struct AccessToken {
    pub(crate) secret: Secret,
    pub(crate) scope: String,
    pub(crate) lasts: Duration,
}

/// The parameters of the authorization request, which the browser makes.
pub(crate) struct AuthorizationParameters<'a> {
    pub(crate) redirect_uri: &'a str,
    pub(crate) state: &'a str,
    pub(crate) challenge: &'a Challenge,
    pub(crate) device_name: &'a str,
    /// True if the person must authenticate again.
    pub(crate) recent: bool,
}

/// Reads the server's metadata. Its issuer must be the address that the server was reached at: another
/// server's name would send that server's codes here (RFC 8414, section 3.3; RFC 9207).
pub(crate) async fn discover(common: &CommonOptions) -> Result<Issuer, Failure> {
    let path = "/.well-known/oauth-authorization-server";
    let answer = transport::http(common).await?.get(path).await;
    let answer = answer.map_err(|problem| transport::failed(common, problem))?;
    if answer.status != 200 && answer.status < 500 {
        let message = format!("the server `{}` has no login for people", common.server);
        let hint = "it may be older than ndcli: `ndcli auth login --with-token` takes a session or a token";
        return Err(Failure::failed(message, Some(hint)));
    }
    let object = read(&answer).map_err(Failure::from)?;
    let name = object.get("issuer").and_then(Value::as_str).ok_or_else(|| nonsense("it names no issuer"))?;
    if !is_same(&common.server, name) {
        let message = format!("the server `{}` calls itself `{}`", common.server, shown(name));
        let hint = format!(
            "reach it by that name: `--server {}`; its operator sets the name: `--public-url`",
            quoted(name)
        );
        return Err(Failure::failed(message, Some(&hint)));
    }
    Ok(Issuer { name: name.to_owned(), device: object.get("device_authorization_endpoint").is_some() })
}

/// Returns true if the issuer is the address that the server was reached at.
fn is_same(server: &ServerUrl, issuer: &str) -> bool {
    let Ok(issuer) = issuer.parse::<ServerUrl>() else { return false };
    let port = |url: &ServerUrl| url.host_and_port().1;
    let hosts = server.host_and_port().0 == issuer.host_and_port().0
        // All names of this machine are equivalent.
        || server.is_loopback() && issuer.is_loopback();
    hosts && server.is_tls() == issuer.is_tls() && port(server) == port(&issuer)
}

/// Returns the URL of the authorization request (RFC 6749, section 4.1.1; RFC 7636, section 4.3).
pub(crate) fn authorize_url(issuer: &Issuer, asked: &AuthorizationParameters<'_>) -> String {
    let mut query = Serializer::new(String::new());
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", CLIENT)
        .append_pair("redirect_uri", asked.redirect_uri)
        .append_pair("state", asked.state)
        .append_pair("code_challenge", &asked.challenge.to_string())
        .append_pair("code_challenge_method", "S256")
        .append_pair("device_name", asked.device_name);
    if asked.recent {
        query.append_pair("max_age", RECENT).append_pair("prompt", "login");
    }
    format!("{}/oauth2/authorize?{}", issuer.name.trim_end_matches('/'), query.finish())
}

/// Redeems the code that the browser brought back.
pub(crate) async fn redeem(
    common: &CommonOptions,
    code: &str,
    redirect_uri: &str,
    verifier: &str,
) -> Result<Login, Error> {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier),
    ];
    login(&ask(common, TOKEN, &fields).await?)
}

/// Refreshes a session. The response holds new secrets, and the old ones no longer work.
pub(crate) async fn refresh(common: &CommonOptions, secret: &Secret) -> Result<Login, Error> {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", secret.expose())];
    login(&ask(common, TOKEN, &fields).await?)
}

/// Begins a login by a code.
pub(crate) async fn begin_device(
    common: &CommonOptions,
    issuer: &Issuer,
    device_name: &str,
) -> Result<DeviceAuthorization, Error> {
    let object = ask(common, "/oauth2/device_authorization", &[("device_name", device_name)]).await?;
    let address = text(&object, "verification_uri")?;
    // The person may only type the code at the server that they log in to.
    let own = address.strip_prefix(issuer.name.trim_end_matches('/'));
    if !own.is_some_and(|path| path.starts_with('/')) {
        return Err(malformed_response(&format!("`{}` is another server's page", shown(&address))));
    }
    Ok(DeviceAuthorization {
        code: text(&object, "device_code")?,
        user_code: text(&object, "user_code")?,
        address,
        lasts: seconds(&object, "expires_in")?,
        // The default is 5 seconds (RFC 8628, section 3.2).
        interval: seconds(&object, "interval").unwrap_or(Duration::from_secs(5)),
    })
}

/// Polls for the login that was begun by a code.
pub(crate) async fn poll_device(common: &CommonOptions, code: &str) -> Result<Login, Error> {
    let fields = [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", code)];
    login(&ask(common, TOKEN, &fields).await?)
}

/// Derives a short-lived token from a session (RFC 8693).
pub(crate) async fn exchange(
    common: &CommonOptions,
    session: &Secret,
    scope: Option<&str>,
    org: Option<&OrgSlug>,
) -> Result<AccessToken, Error> {
    let mut fields = vec![
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", session.expose()),
        ("subject_token_type", ACCESS_TOKEN),
    ];
    fields.extend(scope.map(|scope| ("scope", scope)));
    fields.extend(org.map(|org| ("org", org.as_str())));
    let object = ask(common, TOKEN, &fields).await?;
    Ok(AccessToken {
        secret: secret(&object, "access_token", SecretKind::Access)?,
        scope: text(&object, "scope")?,
        lasts: seconds(&object, "expires_in")?,
    })
}

/// Ends the session that a secret belongs to (RFC 7009).
pub(crate) async fn revoke(common: &CommonOptions, secret: &Secret) -> Result<(), Error> {
    let fields = [("token", secret.expose()), ("client_id", CLIENT)];
    let answer = post(common, "/oauth2/revoke", &fields).await?;
    // A successful response has no content.
    if answer.status == 200 { Ok(()) } else { read(&answer).map(|_| ()) }
}

/// Posts a form and reads the JSON response. The request is never repeated, because its result may be
/// available only once.
async fn ask(common: &CommonOptions, path: &'static str, fields: &[(&str, &str)]) -> Result<Value, Error> {
    let fields: Vec<(&str, &str)> = [("client_id", CLIENT)].iter().chain(fields).copied().collect();
    read(&post(common, path, &fields).await?)
}

async fn post(
    common: &CommonOptions,
    path: &'static str,
    fields: &[(&str, &str)],
) -> Result<HttpResponse, Error> {
    let mut http = transport::http(common).await.map_err(Error::Failed)?;
    let answer = http.post_form(path, fields).await;
    answer.map_err(|problem| Error::Failed(transport::failed(common, problem)))
}

/// Reads the JSON of a response.
fn read(answer: &HttpResponse) -> Result<Value, Error> {
    let object: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let field = |name| Some(object.as_ref()?.get(name)?.as_str()?.to_owned());
    match (answer.status, field("error")) {
        (200, _) => object.filter(Value::is_object).ok_or_else(|| malformed_response("it is not JSON")),
        (400..500, Some(code)) => Err(Error::Refused(ErrorResponse {
            code,
            description: field("error_description").unwrap_or_default(),
            retry_after: answer.retry_after,
        })),
        (502..=504, _) => {
            let why = field("error_description").unwrap_or("it could not be decided".to_owned());
            Err(Error::Failed(Problem::new(Reason::Unavailable, cut(&why)).into()))
        }
        (status, _) => Err(malformed_response(&format!("it has the status {status}"))),
    }
}

fn login(object: &Value) -> Result<Login, Error> {
    let ends_at = now().checked_add(seconds(object, "expires_in")?);
    Ok(Login::Session {
        access: secret(object, "access_token", SecretKind::Session)?,
        refresh: secret(object, "refresh_token", SecretKind::Refresh)?,
        access_ends_at: ends_at.ok_or_else(|| malformed_response("it has no expiry"))?,
    })
}

fn text(object: &Value, name: &str) -> Result<String, Error> {
    let text = object.get(name).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| malformed_response(&format!("it has no `{name}`")))
}

fn seconds(object: &Value, name: &str) -> Result<Duration, Error> {
    let seconds = object.get(name).and_then(Value::as_u64).map(Duration::from_secs);
    seconds.ok_or_else(|| malformed_response(&format!("it has no `{name}`")))
}

fn secret(object: &Value, name: &str, kind: SecretKind) -> Result<Secret, Error> {
    let secret = text(object, name)?.parse::<Secret>().ok().filter(|secret| secret.kind() == kind);
    secret.ok_or_else(|| {
        malformed_response(&format!("`{name}` is not a secret that begins with `{}`", kind.marker()))
    })
}

fn malformed_response(what: &str) -> Error {
    Error::Failed(nonsense(what).into())
}

/// Returns a server's text as one line that is safe for a terminal, and truncated.
fn cut(text: &str) -> String {
    shown(&text.chars().take(LONGEST).collect::<String>())
}

impl Error {
    /// Returns true if the server could not be reached or could not decide.
    pub(crate) fn is_undecided(&self) -> bool {
        matches!(self, Error::Failed(failure) if failure.code == ndauth_terminal::exit_code(Class::Undecided))
    }

    /// Returns true if the server reports that the presented code or secret is not valid, or no longer.
    pub(crate) fn is_invalid_grant(&self) -> bool {
        matches!(self, Error::Refused(refused) if refused.code == "invalid_grant")
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::Failed(failure) => failure,
            Error::Refused(refused) => refused.failure(),
        }
    }
}

impl ErrorResponse {
    /// Returns the refusal as a failure: a message, and a hint for what to do next.
    pub(crate) fn failure(&self) -> Failure {
        let (what, hint, class) = match self.code.as_str() {
            "access_denied" => ("the login was refused in the browser", "", Class::Precondition),
            "expired_token" => {
                ("the code was not entered in time", "log in again: `ndcli auth login`", Class::Precondition)
            }
            "invalid_grant" => (
                "the credential is invalid or has expired",
                "log in again: `ndcli auth login`",
                Class::NotAuthenticated,
            ),
            "invalid_target" => {
                ("the org is not available", "`ndcli org list` shows them", Class::NotPermitted)
            }
            "invalid_scope" => ("the scope is not available", "ask for `--scope ro`", Class::NotPermitted),
            "slow_down" => ("too many requests", "try again in a while", Class::Exhausted),
            "invalid_client" | "unauthorized_client" | "unsupported_grant_type" | "invalid_request" => (
                "the server does not understand the request",
                "one of the two may be older than the other: `ndcli --version`",
                Class::Internal,
            ),
            _ => ("the server refused", "", Class::Precondition),
        };
        let mut message = match self.description.as_str() {
            "" => format!("{what} (`{}`)", cut(&self.code)),
            description => format!("{what}: {}", cut(description.trim_end_matches('.'))),
        };
        if let Some(wait) = self.retry_after {
            message += &format!(" (in {})", humantime::format_duration(wait));
        }
        Failure {
            message,
            hint: Some(hint.to_owned()).filter(|hint| !hint.is_empty()),
            code: ndauth_terminal::exit_code(class),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> HttpResponse {
        HttpResponse { status, retry_after: None, body: body.into() }
    }

    fn issuer() -> Issuer {
        Issuer { name: "https://ndauth.example.org".to_owned(), device: true }
    }

    #[test]
    fn the_authorization_url_has_the_required_parameters() {
        let challenge = Challenge::of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").expect("a verifier");
        let mut asked = AuthorizationParameters {
            redirect_uri: "http://127.0.0.1:4711/callback",
            state: "s&t",
            challenge: &challenge,
            device_name: "ndcli 0.1.0 on größe",
            recent: false,
        };
        let url = "https://ndauth.example.org/oauth2/authorize?response_type=code&client_id=ndcli\
                   &redirect_uri=http%3A%2F%2F127.0.0.1%3A4711%2Fcallback&state=s%26t\
                   &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256\
                   &device_name=ndcli+0.1.0+on+gr%C3%B6%C3%9Fe";
        assert_eq!(authorize_url(&issuer(), &asked), url);
        asked.recent = true;
        assert_eq!(authorize_url(&issuer(), &asked), format!("{url}&max_age=900&prompt=login"));
    }

    #[test]
    fn an_issuer_must_match_the_servers_address() {
        for (server, name, same) in [
            ("https://ndauth.example.org", "https://ndauth.example.org", true),
            ("https://ndauth.example.org:443", "https://ndauth.example.org/", true),
            ("https://NDAUTH.example.org", "https://ndauth.example.org", true),
            ("http://localhost:7711", "http://127.0.0.1:7711", true),
            ("http://127.0.0.1:7711", "http://127.0.0.1:7712", false),
            ("https://ndauth.example.org", "http://ndauth.example.org", false),
            ("https://ndauth.example.org", "https://ndauth.example.org.evil.example", false),
            ("https://ndauth.example.org", "https://ndauth.example.org/oauth", false),
            ("https://ndauth.example.org", "", false),
        ] {
            assert_eq!(is_same(&server.parse().expect("an address"), name), same, "{server} {name}");
        }
    }

    #[test]
    fn answers_are_read() {
        let refused = r#"{"error":"invalid_grant","error_description":"the code was used"}"#;
        let Err(Error::Refused(object)) = read(&answer(400, refused)) else { panic!("it is a refusal") };
        assert_eq!(
            (object.code.as_str(), object.description.as_str()),
            ("invalid_grant", "the code was used")
        );
        for (status, body, code) in [
            (200, "nothing", 1),
            (200, "[]", 1),
            (404, "not found", 1),
            (302, "", 1),
            (500, r#"{"error":"x"}"#, 1),
            (503, r#"{"error":"temporarily_unavailable"}"#, 6),
            (502, "<html>", 6),
            (400, r#"{"error":"invalid_grant"}"#, 4),
            (401, r#"{"error":"invalid_client"}"#, 1),
            (400, r#"{"error":"access_denied"}"#, 1),
            (400, r#"{"error":"invalid_target"}"#, 5),
        ] {
            let Err(error) = read(&answer(status, body)) else { panic!("{status} {body}") };
            assert_eq!(Failure::from(error).code, code, "{status} {body}");
        }
        assert!(read(&answer(200, "{}")).is_ok());
    }

    #[test]
    fn a_servers_text_cannot_control_the_terminal() {
        let refused = ErrorResponse {
            code: "x\u{1b}[2J".to_owned(),
            description: format!("no\n\u{1b}]0;owned\u{7}{}", "a".repeat(1000)),
            retry_after: None,
        };
        let message = refused.failure().message;
        assert!(!message.contains(['\u{1b}', '\n', '\u{7}']) && message.len() < 500, "{message}");
        let bare = ErrorResponse { description: String::new(), ..refused }.failure().message;
        assert_eq!(bare, "the server refused (`x\\u{1b}[2J`)");
    }

    #[test]
    fn only_the_kinds_that_belong_there_are_taken() {
        let session = "ndses_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U";
        let refresh = "ndref_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U";
        let object = |access: &str, refresh: &str| {
            login(
                &serde_json::json!({ "access_token": access, "refresh_token": refresh, "expires_in": 3600 }),
            )
        };
        assert!(object(session, refresh).is_ok());
        assert!(object(refresh, session).is_err());
        assert!(object(session, "").is_err());
    }
}
