use std::collections::BTreeSet;

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use ndauth_authority::StaleCause;
use ndauth_authority::access::TABLE;
use ndauth_core::Networks;

use super::authorize::{AuthorizationRequest, InvalidAuthorization, Redirect};
use super::fields::{Fields, InvalidFields};
use super::links::{after_sign_in, parse_public_url};
use super::problem::{OAuthError, PageError, lasting, plain, sentence};
use super::{routes, visitor};
use crate::client_address::client_address;

/// Wall 5.
#[test]
fn every_route_has_its_row_and_every_row_its_route() {
    let names: BTreeSet<&str> = routes().map(|route| route.name).collect();
    assert_eq!(names.len(), routes().count(), "none is there twice");
    // The edges are answered on the core of their connection.
    let edges = ["GET /edge/verify", "POST /oauth2/introspect"];
    let rows = TABLE.iter().flat_map(|row| row.calls).copied().filter(|rpc| rpc.contains(' '));
    assert_eq!(rows.collect::<BTreeSet<_>>(), names.into_iter().chain(edges).collect());
}

#[test]
fn signing_in_never_redirects_to_another_site() {
    for to in [
        "/",
        "/device",
        "/tokens/new?name=ci&permission=read%3Aassets",
        "/oauth2/authorize?client_id=ndcli&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcallback",
    ] {
        assert_eq!(after_sign_in(to), to);
    }
    for to in [
        "",
        "//evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/oauth2/authorize?x=//evil.example",
        "/oauth2/authorize?x=\\",
        "/oauth2/authorize?x=\r\nset-cookie: a=b",
        "/oauth2/authorize?x=a b",
        "/oauth2/authorize?x=\u{e9}",
        " /device",
    ] {
        assert_eq!(after_sign_in(to), "/", "{to:?}");
    }
}

#[test]
fn codes_are_sent_only_to_programs_on_the_persons_machine() {
    for good in [
        "http://127.0.0.1:1/callback",
        "http://127.0.0.1:54321/callback",
        "http://[::1]:54321/callback",
        "http://127.0.0.1:65535/callback",
    ] {
        assert!(Redirect::read(good).is_some(), "{good}");
    }
    for bad in [
        "",
        "http://localhost:1234/callback",
        "https://127.0.0.1:1234/callback",
        "HTTP://127.0.0.1:1234/callback",
        "http://127.0.0.1/callback",
        "http://127.0.0.1:/callback",
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:01234/callback",
        "http://127.0.0.1:+1234/callback",
        "http://127.0.0.1:65536/callback",
        "http://127.0.0.1:1234",
        "http://127.0.0.1:1234/",
        "http://127.0.0.1:1234/callback/",
        "http://127.0.0.1:1234/Callback",
        "http://127.0.0.1:1234/x/callback",
        "http://127.0.0.1:1234/../callback",
        "http://127.0.0.1:1234/callback?x=y",
        "http://127.0.0.1:1234/callback#x",
        "http://127.0.0.1:1234@evil.example:1/callback",
        "http://user@127.0.0.1:1234/callback",
        "http://evil.example:1234/callback",
        "http://127.0.0.1.evil.example:1234/callback",
        "http://127.0.0.2:1234/callback",
        "http://127.1:1234/callback",
        "http://0.0.0.0:1234/callback",
        "http://[::]:1234/callback",
        "http://[0:0:0:0:0:0:0:1]:1234/callback",
        "http://::1:1234/callback",
        " http://127.0.0.1:1234/callback",
    ] {
        assert!(Redirect::read(bad).is_none(), "{bad}");
    }
}

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn request(more: &str) -> String {
    format!(
        "response_type=code&client_id=ndcli&redirect_uri=http%3A%2F%2F127.0.0.1%3A7%2Fcallback&state=s&\
         code_challenge={CHALLENGE}&code_challenge_method=S256{more}"
    )
}

fn read(query: &str) -> Result<AuthorizationRequest, InvalidAuthorization> {
    AuthorizationRequest::read(&Fields::read(query.as_bytes()))
}

#[test]
fn an_invalid_request_is_redirected_only_to_a_valid_address_of_its_client() {
    assert!(read(&request("&device_name=ndcli+on+vm&max_age=0&prompt=login&unknown=x")).is_ok());
    for here in [
        String::new(),
        request("&client_id=ndcli"),
        request("&redirect_uri=http%3A%2F%2F127.0.0.1%3A7%2Fcallback"),
        request("").replace("ndcli", "other"),
        request("").replace("127.0.0.1", "evil.example"),
    ] {
        assert!(matches!(read(&here), Err(InvalidAuthorization::Here(_))), "{here}");
    }
    for (query, error, with_state) in [
        (request("&state=t"), "invalid_request", false),
        (request("").replace("state=s", "state="), "invalid_request", false),
        (request("&code_challenge=x"), "invalid_request", true),
        (request("&unknown=x&unknown=y"), "invalid_request", true),
        (request("").replace("=code&", "=token&"), "unsupported_response_type", true),
        (request("").replace("S256", "plain"), "invalid_request", true),
        (request("").replace("&code_challenge_method=S256", ""), "invalid_request", true),
        (request("").replace(CHALLENGE, "short"), "invalid_request", true),
        (request("&max_age=-1"), "invalid_request", true),
        (request("&max_age=soon"), "invalid_request", true),
        (request("&prompt=none"), "invalid_request", true),
        (request("&response_mode=fragment"), "invalid_request", true),
        (request("&scope=RO"), "invalid_scope", true),
        (request("&device_name=a%1Bb"), "invalid_request", true),
        (request(&format!("&device_name={}", "x".repeat(65))), "invalid_request", true),
    ] {
        let Err(InvalidAuthorization::Back { state, error: code, .. }) = read(&query) else {
            panic!("{query}")
        };
        assert_eq!(code, error, "{query}");
        assert_eq!(state.is_some(), with_state, "{query}");
    }
}

/// A required sign-in comes back as a sign-in of just now; otherwise the person would have to sign in for
/// ever.
#[test]
fn a_required_sign_in_is_not_required_again() {
    for (more, then) in [
        ("", None),
        ("&prompt=login", Some("60")),
        ("&max_age=0", Some("60")),
        ("&max_age=900", Some("900")),
        ("&max_age=900&prompt=login", Some("60")),
    ] {
        let to = read(&request(more)).expect("well asked").sign_in();
        let fields = Fields::read(to.strip_prefix("/sign-in?").expect("a query").as_bytes());
        let to = fields.get("to").expect("where to go");
        assert_eq!(after_sign_in(to), to);
        let again = Fields::read(to.split_once('?').expect("a query").1.as_bytes());
        assert_eq!(again.get("prompt"), None);
        assert_eq!(again.get("max_age"), then, "{more}");
        let again = read(to.split_once('?').expect("a query").1).expect("well asked").sign_in();
        assert!(again.len() <= to.len() * 2, "it does not grow");
    }
}

#[test]
fn a_repeated_field_is_refused() {
    let fields = |text: &str| Fields::read_once(text.as_bytes()).map(|fields| fields.text("a").to_owned());
    assert_eq!(fields("a=b&c=d"), Ok("b".to_owned()));
    assert_eq!(fields("a=&c=d"), Ok(String::new()));
    assert_eq!(fields("a=b+c%20d"), Ok("b c d".to_owned()));
    for text in ["a=b&a=b", "a=&a=b", "a&a", "c=d&a=b&%61=c"] {
        assert_eq!(fields(text), Err(InvalidFields::Repeated("a".to_owned())), "{text}");
    }
}

/// Texts of unknown origin are not returned at length.
#[test]
fn long_texts_are_not_returned() {
    let long = "x".repeat(9_000);
    assert_eq!(after_sign_in(&format!("/oauth2/authorize?{long}")), "/");
    let query = format!(
        "client_id=ndcli&redirect_uri=http%3A%2F%2F127.0.0.1%3A4711%2Fcallback&response_type=code&state={long}"
    );
    let refused = AuthorizationRequest::read(&Fields::read(query.as_bytes())).expect_err("it is too long");
    assert!(matches!(&refused, InvalidAuthorization::Back { state: None, .. }), "{refused:?}");
}

/// At most 512 fields are read. The error about them is short.
#[test]
fn many_fields_cost_no_more_than_few() {
    let fields = |count: usize| (0..count).map(|n| format!("{n}=x&")).collect::<String>();
    let refused = |text: &str| Fields::read_once(text.trim_end_matches('&').as_bytes()).err();
    assert_eq!(refused(&fields(512)), None);
    assert_eq!(refused(&fields(513)), Some(InvalidFields::TooMany));
    assert_eq!(refused(&fields(10_000)), Some(InvalidFields::TooMany));
    let long = "n".repeat(30_000);
    let message = refused(&format!("{long}=1&{long}=2")).expect("it is refused").to_string();
    assert!(message.len() < 100, "{message}");
}

/// SEC-29. askama escapes each value, unless a template says otherwise. The policy lets nothing run or load but the assets.
#[test]
fn templates_escape_values_and_load_nothing_but_the_assets() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let files = std::fs::read_dir(folder).expect("the folder is there");
    let files = files.map(|entry| entry.expect("it is readable").path());
    let mut count = 0;
    for path in files.filter(|path| path.extension().is_some_and(|kind| kind == "html")) {
        let text = std::fs::read_to_string(&path).expect("a template is text");
        let text = text.replace("<script src=\"/assets/page.js\" defer></script>", "");
        for never in ["<script", "javascript:", "style=", "://", "|safe", "| safe", "autoescape", "`"] {
            assert!(!text.contains(never), "{}: {never}", path.display());
        }
        let handlers = text.split_whitespace().filter(|word| word.starts_with("on") && word.contains('='));
        assert_eq!(handlers.count(), 0, "{}", path.display());
        count += 1;
    }
    assert!(count > 20, "every template is read");
}

#[test]
fn the_client_address_is_the_last_untrusted_one() {
    let trusted: Networks =
        Networks::only(["10.0.0.0/8", "::1"].map(|text| text.parse().expect("a network"))).expect("some");
    for (peer, forwarded, address) in [
        ("192.0.2.1", vec!["198.51.100.1"], "192.0.2.1"),
        ("10.0.0.1", vec![], "10.0.0.1"),
        ("10.0.0.1", vec!["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", vec!["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", vec!["203.0.113.9", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", vec!["203.0.113.9, nonsense, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", vec!["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("::ffff:10.0.0.1", vec!["198.51.100.1:4711"], "198.51.100.1"),
        ("::1", vec!["[2001:db8::1]:4711"], "2001:db8::1"),
        ("::1", vec!["2001:db8::1"], "2001:db8::1"),
    ] {
        let mut headers = HeaderMap::new();
        for value in &forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_static(value));
        }
        let peer = peer.parse().expect("an address");
        let found = client_address(peer, &headers, Some(&trusted));
        assert_eq!(found.to_string(), address, "{peer} {forwarded:?}");
        assert_eq!(client_address(peer, &headers, None), peer.to_canonical());
    }
}

#[test]
fn a_browser_has_a_name_for_people() {
    for (user_agent, name) in [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 \
             Safari/537.36 Edg/143.0.0.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 \
             Mobile/15E148 Safari/604.1",
            "Safari on an iPhone",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
    ] {
        let headers =
            HeaderMap::from_iter([(axum::http::header::USER_AGENT, HeaderValue::from_static(user_agent))]);
        assert_eq!(visitor::browser(&headers).map(|name| name.to_string()).as_deref(), Some(name));
    }
    let headers =
        HeaderMap::from_iter([(axum::http::header::USER_AGENT, HeaderValue::from_static("curl/8"))]);
    assert_eq!(visitor::browser(&headers), None);
}

#[test]
fn a_public_url_is_an_origin() {
    for (text, url) in [
        ("https://auth.example.org", "https://auth.example.org"),
        ("https://Auth.Example.org/", "https://auth.example.org"),
        ("https://auth.example.org:443", "https://auth.example.org"),
        ("https://auth.example.org:8443", "https://auth.example.org:8443"),
        ("http://127.0.0.1:7711", "http://127.0.0.1:7711"),
        ("http://[::1]:7711", "http://[::1]:7711"),
    ] {
        assert_eq!(parse_public_url(text).as_deref(), Ok(url));
    }
    for text in [
        "",
        "auth.example.org",
        "ftp://auth.example.org",
        "https://",
        "https:///",
        "https://auth.example.org/auth",
        "https://auth.example.org?x",
        "https://auth.example.org#x",
        "https://user@auth.example.org",
        "https://auth.example.org:",
        "https://auth.example.org:0",
        "https://auth.example.org:x",
        "https://auth .example.org",
    ] {
        assert!(parse_public_url(text).is_err(), "{text}");
    }
}

#[test]
fn failures_are_reported_to_people_and_to_programs() {
    use ndauth_authority::limits::LimitReached;
    use ndauth_authority::{AuthorityError, GrantError};
    use std::time::Duration;
    let tries = || AuthorityError::TooManyTries { after: Duration::from_millis(90_500) };
    for (error, status, text) in [
        (AuthorityError::SignInRefused, 403, "The name or the password is wrong."),
        (tries(), 429, "Try again in 2 minutes."),
        (AuthorityError::LinkSpent, 410, "another"),
        (
            AuthorityError::Stale { age: None, cause: StaleCause::Unreachable },
            503,
            "This is neither a yes nor a no.",
        ),
        (AuthorityError::Overloaded(LimitReached("calls")), 503, "This is neither a yes nor a no."),
        (AuthorityError::AccountDisabled, 403, "The account is disabled."),
    ] {
        let failure = PageError::from(error);
        assert_eq!(failure.status.as_u16(), status, "{failure:?}");
        assert!(failure.text.contains(text) && !failure.text.contains('`'), "{failure:?}");
    }
    for (error, status, code) in [
        (GrantError::Pending, 400, "authorization_pending"),
        (GrantError::SlowDown, 400, "slow_down"),
        (GrantError::Expired, 400, "expired_token"),
        (GrantError::InvalidGrant("no"), 400, "invalid_grant"),
        (GrantError::NotOffered, 400, "unauthorized_client"),
        (GrantError::Failed(tries()), 429, "slow_down"),
        (
            GrantError::Failed(AuthorityError::Stale { age: None, cause: StaleCause::Unreachable }),
            503,
            "temporarily_unavailable",
        ),
        (GrantError::Failed(AuthorityError::AccountDisabled), 400, "invalid_grant"),
    ] {
        let fault = OAuthError::from(error);
        assert_eq!((fault.status.as_u16(), fault.error), (status, code), "{fault:?}");
    }
    assert_eq!(PageError::bad("x").status, StatusCode::BAD_REQUEST);
}

#[test]
fn texts_are_formatted_for_their_place() {
    use std::time::Duration;
    assert_eq!(sentence("the org `a` is `b`"), "The org “a” is “b”.");
    assert_eq!(plain("a \"b\" \\ c\r\nd é"), "a 'b' ? c??d ?");
    for (seconds, text) in
        [(0, "1 second"), (59, "59 seconds"), (60, "1 minute"), (61, "2 minutes"), (7200, "2 hours")]
    {
        assert_eq!(lasting(Duration::from_secs(seconds)), text);
    }
}
