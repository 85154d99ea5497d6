//! The number of statements that a page takes, as the server's log counts them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use ndauth_core::TokenId;

use crate::installation::Running;
use crate::on_both;

/// The most statements that a page takes. The one that opens its view counts.
const MOST: u64 = 5;
/// The pages that take more, and why.
const MORE: [(&str, u64, &str); 6] = [
    ("/me", 6, "sessions, offers, what is mailed, and the mails that did not arrive"),
    (
        "/tokens/{token}/explain",
        6,
        "the token, its restrictions and its secrets; the orgs, and their policies",
    ),
    (
        "/orgs/ops/history?kind=token&account=ada&since=2026-01-01",
        7,
        "the account is found, and the place of the instant in the log by two",
    ),
    ("/orgs/ops/tokens", 6, "the tokens and all that belongs to them; their counts, once a minute"),
    ("/orgs/ops/personal-tokens", 6, "the tokens with their owners' names, and their uses in the org"),
    ("/operator/accounts?account=ada", 11, "the list, and one account with all that belongs to it"),
];
/// The rows of each kind that the lists have more, so that a statement for each of them is seen.
const ROWS: usize = 8;
/// The longest wait for a line of the log.
const LINE: Duration = Duration::from_secs(30);

on_both! {
    async fn pages_take_few_statements(at: &Installation) {
        at.people();
        at.run_admin("operator grant ada");
        at.run_admin("member set ops ada ADMIN");
        for number in 0..ROWS {
            at.run_admin(&format!("account create more-{number} --email more-{number}@example.org"));
            at.run_admin(&format!("member set ops more-{number} RO"));
            at.run_admin(&format!("org create more-{number}"));
            at.run_admin(&format!("service create more-{number}"));
        }
        let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--log", "debug"]);
        let link = at.run_admin("account invite ada");
        let code = link.trim().rsplit('=').next().expect("a code");
        let password = "password=a+walk+in+the+woods&password_again=a+walk+in+the+woods";
        let signed_in = ask(&server, "POST", "/invitation", "", &format!("code={code}&{password}"));
        let cookie = signed_in.split("set-cookie: ").nth(1).and_then(|rest| rest.split(';').next()).expect("a cookie");
        let made = "scope=named&permission=read%3Amembers&orgs=only&org=ops&org=dev&expiry=30d&network=127.0.0.0%2F8";
        let for_org = "scope=named&permission=read%3Aassets&expiry=30d";
        for number in 0..ROWS {
            for (list, form) in [("/tokens", made), ("/orgs/ops/tokens", for_org)] {
                let made = ask(&server, "POST", list, cookie, &format!("name=ci-{number}&{form}"));
                assert!(made.starts_with("HTTP/1.1 200"), "{list}: {made}");
            }
            let signed_in = ask(&server, "POST", "/sign-in", "", "name=ada&password=a+walk+in+the+woods");
            assert!(signed_in.contains("set-cookie: "), "{signed_in}");
        }
        let list = ask(&server, "GET", "/tokens", cookie, "");
        let token = list.split("/tokens/").find_map(|rest| rest.get(..36).filter(|id| id.parse::<TokenId>().is_ok()));
        let token = token.expect("a token");
        let pages = [
            "/tokens", "/tokens?q=ci", "/tokens/new", "/tokens/{token}", "/tokens/{token}/explain", "/orgs", "/orgs/ops",
            "/orgs/dev", "/orgs/ops/tokens", "/orgs/ops/tokens/new", "/orgs/ops/personal-tokens", "/orgs/ops/policy",
            "/orgs/dev/policy", "/me", "/operator", "/operator/accounts", "/operator/accounts?account=ada",
            "/operator/orgs", "/operator/services", "/me/history", "/me/history?outcome=refused", "/orgs/ops/history",
            "/orgs/ops/history?kind=token&account=ada&since=2026-01-01", "/operator/history", "/tokens/{token}/history",
        ];
        let mut wrong = Vec::new();
        for page in pages {
            while server.log.try_recv().is_ok() {}
            let shown = ask(&server, "GET", &page.replace("{token}", token), cookie, "");
            assert!(shown.starts_with("HTTP/1.1 200"), "{page}: {shown}");
            let statements = statements(&server);
            let most = MORE.iter().find(|(named, ..)| *named == page).map_or(MOST, |(_, most, _)| *most);
            if statements > most || (most > MOST && statements < most) {
                wrong.push(format!("{page}: {statements}, not {most}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

/// Returns the statements of the page that was just shown.
fn statements(server: &Running) -> u64 {
    loop {
        let line = server.log.recv_timeout(LINE).expect("the server logs each page");
        let fields: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        if let Some(statements) = fields["statements"].as_u64() {
            return statements;
        }
    }
}

/// Sends a request as a browser does, and returns the response.
fn ask(server: &Running, method: &str, path: &str, cookie: &str, form: &str) -> String {
    let address = server.url.to_string();
    let address = address.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(LINE)).expect("a limit is set");
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\norigin: http://{address}\r\ncookie: {cookie}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{form}",
        form.len()
    )
    .expect("asked");
    let mut shown = String::new();
    stream.read_to_string(&mut shown).expect("answered");
    shown
}
