//! Attacks on logins: concurrent, late, foreign and too frequent requests, and a search for secrets in the
//! server's output.

use std::net::{Ipv4Addr, TcpStream};
use std::sync::Barrier;

use ndauth_core::Challenge;
use ndauth_store::DatabaseUrl;
use rcgen::generate_simple_self_signed;

use super::*;
use crate::installation::path;

const CALLBACK: &str = "http://127.0.0.1:4711/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The secrets of a program that is logged in.
struct Secrets {
    access: String,
    refresh: String,
}

impl Answer {
    /// Returns a field of the response's JSON.
    fn field(&self, name: &str) -> String {
        let fields: Value = serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}", self.body));
        fields[name].as_str().unwrap_or_else(|| panic!("no `{name}`: {fields}")).to_owned()
    }

    fn secrets(&self) -> Secrets {
        assert_eq!(self.status, 200, "{}", self.body);
        Secrets { access: self.field("access_token"), refresh: self.field("refresh_token") }
    }
}

/// Returns a cookie followed by one more header line.
fn with(cookie: &str, line: &str) -> String {
    format!("{cookie}\r\n{line}")
}

fn query() -> Vec<(&'static str, String)> {
    let challenge = Challenge::of(VERIFIER).expect("a verifier").to_string();
    let fixed = [
        ("response_type", "code"),
        ("client_id", "ndcli"),
        ("redirect_uri", CALLBACK),
        ("state", "s"),
        ("code_challenge_method", "S256"),
    ];
    let fixed = fixed.map(|(name, value)| (name, value.to_owned()));
    fixed.into_iter().chain([("code_challenge", challenge)]).collect()
}

/// Returns the path of the authorization request, which a person's browser opens.
fn asking(query: &[(&'static str, String)]) -> String {
    let fields: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    format!("/oauth2/authorize?{}", encoded(&fields))
}

/// Returns the authorization code that a person's browser brings a program.
fn code(server: &Running, cookie: &str) -> String {
    let mut form = query();
    form.push(("decision", "allow".to_owned()));
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = http(server, "POST /oauth2/authorize", Some(cookie), Some(&form));
    let to = answer.header("location").unwrap_or_else(|| panic!("{}: {}", answer.status, answer.body));
    let code = to.split_once("code=").unwrap_or_else(|| panic!("{to}")).1.split('&').next();
    code.expect("a value").to_owned()
}

/// Returns the form of a token request with this grant.
fn grant<'a>(kind: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [("grant_type", kind), ("client_id", "ndcli")].iter().chain(more).copied().collect()
}

fn redemption(code: &str) -> Vec<(&str, &str)> {
    let more = [("code", code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    grant("authorization_code", &more)
}

fn refreshment(secret: &str) -> Vec<(&str, &str)> {
    grant("refresh_token", &[("refresh_token", secret)])
}

fn granted(server: &Running, form: &[(&str, &str)]) -> Answer {
    http(server, "POST /oauth2/token", None, Some(form))
}

fn redeemed(server: &Running, code: &str) -> Answer {
    granted(server, &redemption(code))
}

fn refreshed(server: &Running, secret: &str) -> Answer {
    granted(server, &refreshment(secret))
}

fn derived(server: &Running, access: &str) -> Answer {
    granted(server, &grant(EXCHANGE, &[("subject_token", access), ("subject_token_type", ACCESS_TOKEN)]))
}

/// Returns a device's code, and the one that its person types.
fn device(server: &Running, name: &str) -> (String, String) {
    let form = [("client_id", "ndcli"), ("device_name", name)];
    let answer = http(server, "POST /oauth2/device_authorization", None, Some(&form));
    assert_eq!(answer.status, 200, "{}", answer.body);
    (answer.field("device_code"), answer.field("user_code"))
}

/// Posts a form this many times at the same moment.
fn at_once(times: usize, server: &Running, ask: &str, form: &[(&str, &str)]) -> Vec<Answer> {
    let (url, barrier) = (server.url.to_string(), Barrier::new(times));
    let ask_then = || {
        barrier.wait();
        http_at(&url, ask, None, Some(form))
    };
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..times).map(|_| scope.spawn(ask_then)).collect();
        asked.into_iter().map(|asked| asked.join().expect("asked")).collect()
    })
}

/// Sends the same token request fifty times at the same moment.
fn post_fifty_at_once(server: &Running, form: &[(&str, &str)]) -> Vec<Answer> {
    at_once(50, server, "POST /oauth2/token", form)
}

/// Returns the granted responses. All others must be refused as `invalid_grant`.
fn granted_responses(answers: &[Answer]) -> Vec<&Answer> {
    let (granted_responses, refused): (Vec<&Answer>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 200);
    for answer in refused {
        assert_eq!(
            (answer.status, answer.field("error").as_str()),
            (400, "invalid_grant"),
            "{}",
            answer.body
        );
    }
    granted_responses
}

/// Returns true if ndauth accepts the secret of a session.
async fn is_accepted(server: &Running, secret: &str) -> bool {
    let secret: Secret = secret.parse().expect("a secret");
    match server.client(&secret).await.who_am_i().await {
        Ok(_) => true,
        Err(problem) => {
            assert_eq!(problem.class(), ndauth_core::Class::NotAuthenticated, "{problem}");
            false
        }
    }
}

/// Returns the number of sessions of `ada`, as one of them sees it.
async fn sessions(server: &Running, secret: &str) -> usize {
    let client = server.client(&secret.parse().expect("a secret")).await;
    client.list_sessions().await.expect("listed").sessions.len()
}

on_both! {
    async fn sec_14_one_of_fifty_concurrent_redemptions_succeeds(at: &Installation) {
        at.people();
        let server = at.serve();
        let cookie = with_password(at, &server, "ada");

        let code = code(&server, &cookie);
        let answers = post_fifty_at_once(&server, &redemption(&code));
        let given_one = granted_responses(&answers);
        assert_eq!(given_one.len(), 1, "a code is redeemed once");
        // The second redeemer may be the legitimate one, so the session ends (RFC 6749, section 4.1.2).
        assert!(!is_accepted(&server, &given_one[0].secrets().access).await);

        let (device_code, user_code) = device(&server, "a machine");
        let decision = [("user_code", user_code.as_str()), ("decision", "allow")];
        assert_eq!(http(&server, "POST /device/decision", Some(&cookie), Some(&decision)).status, 200);
        let answers = post_fifty_at_once(&server, &grant(DEVICE, &[("device_code", &device_code)]));
        let given_one = granted_responses(&answers);
        assert_eq!(given_one.len(), 1, "a device is let in once");
        let Secrets { access, refresh } = given_one[0].secrets();
        assert!(is_accepted(&server, &access).await);
        let many = sessions(&server, &access).await;

        // A response may have been lost, so a refresh may be repeated while its result is unused. But only
        // one of the resulting pairs works.
        let answers = post_fifty_at_once(&server, &refreshment(&refresh));
        let mut serving = Vec::new();
        for answer in granted_responses(&answers) {
            let secrets = answer.secrets();
            if is_accepted(&server, &secrets.access).await {
                serving.push(secrets);
            }
        }
        assert!(!is_accepted(&server, &access).await, "what serves still serves nobody who has the new one");
        assert_eq!(serving.len(), 1, "one session goes on, once");
        assert_eq!(sessions(&server, &serving[0].access).await, many, "and no other has begun");

        // Once the new pair is used, a request with the old secret shows that one of the two was copied.
        let next = refreshed(&server, &serving[0].refresh).secrets();
        assert!(granted_responses(&post_fifty_at_once(&server, &refreshment(&refresh))).is_empty());
        assert!(!is_accepted(&server, &next.access).await);
        assert_eq!(refreshed(&server, &next.refresh).field("error"), "invalid_grant");
        let checked = at.run_admin("check");
        assert!(checked.contains("no problems found"), "{checked}");
    }

    async fn an_invitation_is_accepted_once(at: &Installation) {
        at.people();
        let server = at.serve();
        let code = invitation(at, "ada");
        let form = [("code", code.as_str()), ("password", PASSWORD), ("password_again", PASSWORD)];
        let answers = at_once(8, &server, "POST /invitation", &form);
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 410, 410, 410, 410, 410, 410, 410]);
        // A newer link replaces an older one.
        let (older, newer) = (invitation(at, "ada"), invitation(at, "ada"));
        let looked = |code: &str| http(&server, &format!("GET /invitation?code={code}"), None, None).status;
        assert_eq!((looked(&older), looked(&newer)), (410, 200));
    }

    /// SEC-11: the end of a session ends its cookie, its secrets, and every token derived from it.
    async fn sec_11_nothing_outlives_its_session(at: &Installation) {
        at.people();
        let server = at.serve();
        let service = at.service();
        // The flag is true if the browser's session ends as well. It belongs to the same person, and is
        // independent of the program's session.
        for (how, all) in [
            ("revoke all", true),
            ("account sign-out ada", true),
            ("account disable ada", true),
            ("a new password", true),
            ("revoke one", false),
            ("revoked by what refreshes", false),
            ("revoked by what is presented", false),
        ] {
            let cookie = with_password(at, &server, "ada");
            let Secrets { access, refresh } = redeemed(&server, &code(&server, &cookie)).secrets();
            let for_services = derived(&server, &access).field("access_token");
            assert!(is_accepted(&server, &access).await);
            soon(&None, async || refused(&server, &service, &for_services).await).await;
            let client = server.client(&access.parse().expect("a secret")).await;
            let revoked = |which| v1::RevokeSessionsRequest { which: Some(which) };
            match how {
                "revoke all" => {
                    let all = v1::revoke_sessions_request::Which::All(v1::All {});
                    client.revoke_sessions(revoked(all)).await.expect("revoked");
                }
                "revoke one" => {
                    let sessions = client.list_sessions().await.expect("listed").sessions;
                    let own = sessions.into_iter().find(|session| session.current).expect("itself");
                    let one = v1::revoke_sessions_request::Which::Id(own.id);
                    client.revoke_sessions(revoked(one)).await.expect("revoked");
                }
                "a new password" => drop(with_password(at, &server, "ada")),
                "revoked by what refreshes" | "revoked by what is presented" => {
                    let token = if how.ends_with("refreshes") { &refresh } else { &access };
                    let form = [("client_id", "ndcli"), ("token", token.as_str())];
                    assert_eq!(http(&server, "POST /oauth2/revoke", None, Some(&form)).status, 200);
                }
                how => drop(at.run_admin(how)),
            }
            let home = http(&server, "GET /tokens", Some(&cookie), None);
            assert_eq!(home.status, if all { 303 } else { 200 }, "{how}");
            let consent = http(&server, &format!("GET {}", asking(&query())), Some(&cookie), None);
            assert_eq!(consent.status, if all { 303 } else { 200 }, "{how}");
            assert!(!is_accepted(&server, &access).await, "{how}");
            assert_eq!(refreshed(&server, &refresh).field("error"), "invalid_grant", "{how}");
            assert_eq!(derived(&server, &access).field("error"), "invalid_grant", "{how}");
            soon(&true, async || refused(&server, &service, &for_services).await.is_some()).await;
            at.run_admin("account enable ada");
            assert!(!is_accepted(&server, &access).await && refreshed(&server, &refresh).status == 400, "{how}");
            assert!(refused(&server, &service, &for_services).await.is_some(), "{how}");
        }
    }

    /// The first operator's link is in a file that only the server's user can read, and nowhere else.
    async fn a_first_login_is_kept_with_the_servers_own_files(at: &Installation) {
        let own = at.home().join("own");
        std::fs::create_dir_all(&own).expect("a folder");
        // The whole log, including the lines before the server was ready.
        let log = at.home().join("log");
        let ndauthd = at.command("NDAUTH_TEST_NDAUTHD");
        let mut command = Command::new("bash");
        command.env_clear().envs(ndauthd.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("PATH", path()).args(["-c", &format!("exec \"$0\" \"$@\" 2> >(tee {} >&2)", log.display())]);
        command.arg(ndauthd.get_program());
        let server = at.serve_as(command, &["--data-folder", own.to_str().expect("text")]);
        let file = match &at.scratch.url {
            // The server's own files are beside the database.
            DatabaseUrl::Sqlite(path) => path.with_file_name("first-login"),
            DatabaseUrl::Postgres(_) => own.join("first-login"),
        };
        assert_eq!(mode(&file), 0o600);
        let link = std::fs::read_to_string(&file).expect("a link");
        assert!(link.starts_with(&format!("{}/invitation?code=", server.url)), "{link}");
        let code = link.trim_end().split_once("code=").expect("a code").1;
        let looked = || http(&server, &format!("GET /invitation?code={code}"), None, None).status;
        assert_eq!((looked(), looked()), (200, 200), "looking at it burns nothing");
        let form = [("code", code), ("password", PASSWORD), ("password_again", PASSWORD)];
        assert_eq!(http(&server, "POST /invitation", None, Some(&form)).status, 303);
        assert_eq!((looked(), sign_in(&server, "operator", PASSWORD).status), (410, 303));
        let accounts = at.run_admin("account list");
        assert!(accounts.contains("operator@localhost"), "{accounts}");
        ended(&server);
        let log = std::fs::read_to_string(log).expect("the log");
        assert!(log.contains("first-login") && !log.contains(code) && !log.contains(PASSWORD), "{log}");
    }

    /// Passwords, cookies, codes and secrets cross the server and are nowhere in its log, at any log level.
    async fn no_secret_is_in_the_log(at: &Installation) {
        at.people();
        let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--log", "trace"]);
        let invited = invitation(at, "ada");
        let form = [("code", invited.as_str()), ("password", PASSWORD), ("password_again", PASSWORD)];
        http(&server, &format!("GET /invitation?code={invited}"), None, None);
        let first = http(&server, "POST /invitation", None, Some(&form)).cookie();
        assert_eq!(sign_in(&server, "ada", "not the right-one").status, 403);
        let second = sign_in(&server, "ada@example.org", PASSWORD).cookie();
        let code = code(&server, &second);
        let one = redeemed(&server, &code).secrets();
        let two = refreshed(&server, &one.refresh).secrets();
        let derived = derived(&server, &two.access).field("access_token");
        let (device_code, user_code) = device(&server, "a machine");
        let typed = [("user_code", user_code.as_str())];
        assert_eq!(http(&server, "POST /device", Some(&second), Some(&typed)).status, 200);
        let decision = [("user_code", user_code.as_str()), ("decision", "allow")];
        assert_eq!(http(&server, "POST /device/decision", Some(&second), Some(&decision)).status, 200);
        let three = granted(&server, &grant(DEVICE, &[("device_code", &device_code)])).secrets();
        assert_eq!(redeemed(&server, &code).status, 400);
        assert_eq!(http(&server, "POST /sign-out", Some(&first), Some(&[])).status, 303);
        assert!(is_accepted(&server, &three.access).await);
        let log = ended(&server);
        assert!(log.lines().count() > 20, "it says something: {log}");
        let value = |cookie: &str| cookie.split_once('=').expect("a value").1.to_owned();
        for secret in [
            invited, code, device_code, user_code.clone(), user_code.replace('-', ""), value(&first), value(&second),
            one.access, one.refresh, two.access, two.refresh, derived, three.access, three.refresh,
        ] {
            // The first twelve characters of a secret are its prefix, which is no secret.
            let hidden = if secret.len() > 40 { &secret[12..36] } else { &secret };
            let line = log.lines().find(|line| line.contains(hidden));
            assert_eq!(line, None, "{secret}");
        }
        for text in [PASSWORD, "not the right-one", VERIFIER, &encoded(&[("", PASSWORD)])[1..], "right-one"] {
            let line = log.lines().find(|line| line.contains(text));
            assert_eq!(line, None, "{text}");
        }
    }

    /// A caller that guesses too often must wait. Callers from other addresses and signed-in people need not.
    async fn frequent_guesses_are_limited(at: &Installation) {
        at.people();
        at.run_admin("account create bob --email bob@example.org");
        let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--trusted-proxies", "127.0.0.1"]);
        let cookie = with_password(at, &server, "ada");
        with_password(at, &server, "bob");
        let tried = |address: &str, name: &str, password: &str| {
            let form = [("name", name), ("password", password), ("to", "/")];
            let head = with("a=b", &format!("x-forwarded-for: {address}"));
            http(&server, "POST /sign-in", Some(&head), Some(&form))
        };
        let (evil, home) = ("203.0.113.9", "198.51.100.1");
        for (number, name) in ["ada", "Ada", " ada ", "ADA", "aDa"].iter().cycle().take(10).enumerate() {
            assert_eq!(tried(evil, name, "wrong").status, 403, "{number}");
        }
        // Neither another spelling of the name nor the right password helps.
        for name in ["ada", "ADA", " Ada"] {
            let refused = tried(evil, name, PASSWORD);
            let wait: u64 = refused.header("retry-after").and_then(|wait| wait.parse().ok()).expect("a wait");
            assert!(refused.status == 429 && (1..=900).contains(&wait), "{}", refused.head);
            assert!(refused.header("set-cookie").is_none() && refused.body.contains("minutes"), "{}", refused.body);
        }
        assert_eq!(tried(evil, "bob", PASSWORD).status, 303, "another name");
        assert_eq!(tried(home, "ada", PASSWORD).status, 303, "from elsewhere");
        assert_eq!(http(&server, "GET /tokens", Some(&cookie), None).status, 200, "who is signed in");
        // An address that tries many names is limited, too.
        let mut number = 0;
        while tried(evil, &format!("nobody-{number}"), "wrong").status == 403 {
            number += 1;
            assert!(number < 100, "nobody stops it");
        }
        let refused = tried(evil, "bob", PASSWORD);
        assert_eq!((refused.status, number), (429, 90), "{}", refused.body);
        assert_eq!(tried(home, "bob", PASSWORD).status, 303, "from elsewhere");

        // The codes of devices are limited in the same way.
        let look = |code: &str| http(&server, "POST /device", Some(&cookie), Some(&[("user_code", code)]));
        for _ in 0..10 {
            assert_eq!(look("BCDF-GHJK").status, 404);
        }
        let (_, user_code) = device(&server, "a machine");
        let refused = look(&user_code);
        assert!(refused.status == 429 && refused.header("retry-after").is_some(), "{}", refused.head);
        let form = [("client_id", "ndcli")];
        let begin = || http(&server, "POST /oauth2/device_authorization", None, Some(&form));
        let refused = (0..150).map(|_| begin()).find(|answer| answer.status != 200).expect("an end");
        assert_eq!((refused.status, refused.field("error").as_str()), (429, "slow_down"), "{}", refused.body);
        assert!(refused.header("retry-after").is_some(), "{}", refused.head);
    }
}

/// Ends a server, and returns its log.
fn ended(server: &Running) -> String {
    server.signal(Signal::TERM);
    let mut log = String::new();
    while let Ok(line) = server.log.recv_timeout(Duration::from_secs(20)) {
        log += &line;
        log.push('\n');
    }
    log
}

/// SEC-29: a link alone authorizes nothing. The page names the requesting program and its address, and waits
/// for a click.
#[tokio::test]
async fn sec_29_authorization_requires_a_click_on_our_page() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--trusted-proxies", "127.0.0.1"]);
    let cookie = with_password(&at, &server, "ada");
    let mut asked = query();
    asked.push(("device_name", "<script>alert(1)</script> & \"co\"".to_owned()));
    let fields: Vec<(&str, &str)> = asked.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let path = asking(&asked);
    let head = with(&cookie, "x-forwarded-for: 2001:db8::7");
    for _ in 0..3 {
        let page = http(&server, &format!("GET {path}"), Some(&head), None);
        assert_eq!((page.status, page.header("location")), (200, None), "{}", page.body);
        assert!(page.body.contains("2001:db8::7") && page.body.contains("ada@example.org"), "{}", page.body);
        assert!(
            page.body.contains("&#60;script&#62;alert(1)") && !page.body.contains("<script"),
            "{}",
            page.body
        );
        // The click may lead to the program's port, and nowhere else.
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.contains("form-action 'self' http://127.0.0.1:4711;"), "{policy}");
    }
    let decision: Vec<(&str, &str)> = fields.iter().copied().chain([("decision", "allow")]).collect();
    let elsewhere = [
        "sec-fetch-site: cross-site",
        "sec-fetch-site: same-site",
        "origin: https://evil.example",
        "origin: null",
    ];
    for line in elsewhere {
        let refused = http(&server, "POST /oauth2/authorize", Some(&with(&cookie, line)), Some(&decision));
        assert_eq!((refused.status, refused.header("location")), (403, None), "{line}: {}", refused.body);
    }
    let undecided = http(&server, "POST /oauth2/authorize", Some(&cookie), Some(&fields));
    assert_eq!((undecided.status, undecided.header("location")), (400, None), "{}", undecided.body);

    // Devices are authorized in the same way, and their code is typed, never taken from a link.
    let (_, code) = device(&server, "<script>alert(2)</script>");
    let page = http(&server, &format!("GET /device?user_code={code}"), Some(&cookie), None);
    assert!(page.status == 200 && !page.body.contains(&code), "{}", page.body);
    let typed = [("user_code", code.as_str())];
    let page = http(&server, "POST /device", Some(&cookie), Some(&typed));
    assert!(
        page.body.contains("&#60;script&#62;alert(2)") && !page.body.contains("<script"),
        "{}",
        page.body
    );
    let decision = [("user_code", code.as_str()), ("decision", "allow")];
    for path in ["POST /device/decision", "POST /device", "POST /sign-out"] {
        for line in elsewhere {
            let refused = http(&server, path, Some(&with(&cookie, line)), Some(&decision));
            assert_eq!(refused.status, 403, "{path} {line}: {}", refused.body);
        }
    }
    // SEC-31: another site cannot sign a person in as somebody else.
    let form = [("name", "ada"), ("password", PASSWORD), ("to", "/")];
    for line in elsewhere {
        let refused = http(&server, "POST /sign-in", Some(&with("a=b", line)), Some(&form));
        assert_eq!((refused.status, refused.header("set-cookie")), (403, None), "{line}");
    }
    let still = http(&server, "POST /device", Some(&cookie), Some(&typed));
    assert_eq!(still.status, 200, "nothing of all that decided anything");
}

/// Returns the address that the browser returns to, and the state.
fn redirect_target(url: &str) -> (String, String) {
    let fields: Vec<(String, String)> = {
        let query = url.split_once('?').expect("a query").1;
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    };
    let field = |name: &str| {
        let found = fields.iter().find(|(field, _)| field == name);
        found.unwrap_or_else(|| panic!("no {name}: {url}")).1.clone()
    };
    let address = field("redirect_uri");
    let address = address.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/callback"));
    (address.expect("a port of this machine").to_owned(), field("state"))
}

fn call_back(address: &str, query: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit is set");
    write!(stream, "GET /callback?{query} HTTP/1.1\r\nhost: {address}\r\n\r\n").expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

/// SEC-30: open connections from others do not block a login. The port accepts connections from this machine
/// only, and one response.
#[tokio::test]
async fn sec_30_a_login_completes_while_others_hold_the_port() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    let cookie = with_password(&at, &server, "ada");
    let mut ndcli = Waiting::begin(&at, &server, &[]);
    let url = ndcli.next_value();
    let (address, _) = redirect_target(&url);
    let port: u16 = address.rsplit_once(':').expect("a port").1.parse().expect("a port");
    let listening = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table");
    let ours = u32::from(Ipv4Addr::LOCALHOST).to_be();
    let rows: Vec<&str> =
        listening.lines().filter(|row| row.contains(&format!(":{port:04X} 00000000:0000 0A"))).collect();
    assert!(rows.len() == 1 && rows[0].contains(&format!(" {ours:08X}:{port:04X} ")), "{rows:?}");

    let mut slow: Vec<TcpStream> =
        (0..80).map(|_| TcpStream::connect(&address).expect("connected")).collect();
    for stream in &mut slow[..40] {
        write!(stream, "GET /callback?code=x HTTP/1.1\r\nhost:").expect("begun");
    }
    let query = url.split_once('?').expect("a query").1;
    let mut form: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    form.push(("decision".to_owned(), "allow".to_owned()));
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let allowed = http(&server, "POST /oauth2/authorize", Some(&cookie), Some(&form));
    let to = allowed.header("location").expect("back").split_once('?').expect("a query").1.to_owned();
    let page = call_back(&address, &to);
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("go back to the terminal"), "{page}");
    let ended = ndcli.ended();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(TcpStream::connect(&address).is_err(), "it is closed");
    drop(slow);
    // A code that is read from the address bar is useless without the verifier.
    let code = to.split_once("code=").expect("a code").1.split('&').next().expect("a value");
    assert_eq!(redeemed(&server, code).field("error"), "invalid_grant");
    assert_eq!(at.ndcli(&server, &["whoami"]).code, 0, "nor does it end anything without the verifier");
}

/// SEC-31 and RFC 9207: a response from another server logs nobody in, and its text cannot control the
/// terminal.
#[tokio::test]
async fn sec_31_a_foreign_answer_logs_nobody_in() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    let issuer = server.url.to_string();
    let description = "%1b]0%3bpwned%07%3Cscript%3Ealert(1)%3C/script%3E%0aline";
    let failed = "The login failed";
    for (answer, message, title) in [
        ("code=x&iss=https://evil.example".to_owned(), "another server answered: it calls itself", failed),
        ("code=x".to_owned(), "the response does not say which server sent it", failed),
        (format!("code=x&iss={issuer}"), "the code is not known, or is too old", failed),
        (
            format!("error=access_denied&iss={issuer}&error_description={description}"),
            "the login was refused in the browser",
            "Denied",
        ),
    ] {
        let mut ndcli = Waiting::begin(&at, &server, &[]);
        let (address, state) = redirect_target(&ndcli.next_value());
        let page = call_back(&address, &format!("{answer}&state={state}"));
        assert!(page.starts_with("HTTP/1.1 200") && !page.contains("script>"), "{page}");
        assert!(page.contains(&format!("<h1>{title}</h1>")), "{page}");
        let ended = ndcli.ended();
        assert!(ended.code != 0 && ended.out.is_empty() && ended.err.contains(message), "{ended:?}");
        assert!(!ended.err.contains(['\u{1b}', '\u{7}']), "{ended:?}");
        assert_eq!(at.ndcli(&server, &["whoami"]).code, 4, "nothing is stored");
    }
}

/// The headers for browsers, and for clients that check certificates, over TLS.
#[tokio::test]
async fn over_tls_a_cookie_is_for_the_host_alone() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let made = generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let (certificate, key) = (at.home().join("cert.pem"), at.home().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let [certificate, key] = [certificate, key].map(|path| path.to_str().expect("text").to_owned());
    let command = at.command("NDAUTH_TEST_NDAUTHD");
    let server = at.serve_as(command, &["--tls-certificate", &certificate, "--tls-key", &key]);
    let code = invitation(&at, "ada");
    let saw = browser(&["password", &format!("{}/invitation?code={code}", server.url), PASSWORD]);
    assert!(texts(&saw).contains("Your personal access tokens"), "{}", texts(&saw));
    assert_eq!(
        saw["cookies"].to_string(),
        r#"[{"name":"__Host-ndauth","http_only":true,"secure":true,"same_site":"Lax","path":"/"}]"#
    );
    let mut ndcli = Waiting::begin(&at, &server, &["--ca-file", &certificate]);
    let saw = browser(&["login", &ndcli.next_value(), "ada", PASSWORD, "allow"]);
    let ended = ndcli.ended();
    assert_eq!(ended.code, 0, "{ended:?} {}", texts(&saw));
    let derived = at.ndcli(&server, &["auth", "print-access-token", "--ca-file", &certificate]);
    assert!(derived.code == 0 && derived.out.starts_with("ndacc_"), "{derived:?}");

    let script = "import json, requests, sys\n\
                  answer = requests.get(sys.argv[1], verify=sys.argv[2], timeout=10)\n\
                  print(json.dumps({key.lower(): value for key, value in answer.headers.items()}))";
    for path in ["/sign-in", "/.well-known/oauth-authorization-server", "/assets/style.css"] {
        let mut python = Command::new(test_path("NDAUTH_TEST_PYTHON"));
        python.args(["-c", script, &format!("{}{path}", server.url), &certificate]);
        let ended = run(python, "");
        assert_eq!(ended.code, 0, "{ended:?}");
        let headers: Value = serde_json::from_str(&ended.out).expect("JSON");
        for (name, value) in
            [("strict-transport-security", "max-age=31536000"), ("x-content-type-options", "nosniff")]
        {
            assert_eq!(headers[name], value, "{path}: {headers}");
        }
    }
}
