//! `docs/troubleshooting.md`: each message in it is one that `ndcli` prints, and each that it prints here is in it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ndauth_store::Engine;

use crate::cli::{json, plain};
use crate::documents::{blocks, root};
use crate::installation::{Ended, Installation, KillOnDrop, ReservedPort, Running, run, test_path};
use crate::tls::{Authority, now};

/// The server in the page's messages.
const SHOWN: &str = "https://ndauth.example.org";

/// A person whose pipeline fails.
struct Trouble {
    at: Installation,
    server: Running,
    /// The messages so far, as the page shows them.
    messages: BTreeSet<String>,
}

impl Trouble {
    /// Runs `ndcli` as a pipeline that has these variables, and notes what it prints.
    fn note(&mut self, code: i32, variables: &[(&str, &str)], line: &str) {
        self.note_with(code, variables, line, "");
    }

    fn note_with(&mut self, code: i32, variables: &[(&str, &str)], line: &str, stdin: &str) {
        let ended = self.run(variables, line, stdin);
        assert_eq!(ended.code, code, "{variables:?} {line}: {ended:?}");
        // A command that does what it is for prints a warning at most.
        let out = if code == 0 { "" } else { &ended.out };
        let text = plain(&format!("{out}{}", ended.err), &self.at, &self.server);
        let text = text.replace("http://SERVER", SHOWN).replace("DDDD-DD-DD", "2026-11-29");
        self.messages.insert(text.trim_end().to_owned());
    }

    fn run(&self, variables: &[(&str, &str)], line: &str, stdin: &str) -> Ended {
        let mut command = Command::new(test_path("NDAUTH_TEST_NDCLI"));
        command.env_clear().env("XDG_CONFIG_HOME", self.at.home().join("none")).current_dir(self.at.home());
        command.env("NDCLI_SERVER", self.server.url.to_string()).envs(variables.iter().copied());
        run(
            {
                command.args(line.split(' '));
                command
            },
            stdin,
        )
    }

    /// Notes a failure to reach a server, which the page calls by another URL.
    fn note_unreached(&mut self, code: i32, url: &str, shown: &str, more: &[(&str, &str)]) {
        let token = "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U";
        let variables =
            [&[("NDCLI_SERVER", url), ("NDCLI_TOKEN", token), ("NDCLI_TIMEOUT", "30ms")], more].concat();
        let ended = self.run(&variables, "whoami", "");
        assert_eq!(ended.code, code, "{url}: {ended:?}");
        let text = ended.err.replace(url.trim_end_matches('/'), shown).replace("30ms", "30s");
        let proxies = more.iter().filter_map(|(_, proxy)| proxy.strip_prefix("http://"));
        let text = proxies.fold(text, |text, proxy| text.replace(proxy, "proxy.example.org:3128"));
        self.messages.insert(text.trim_end().to_owned());
    }

    fn token(&self, name: &str, more: &str) -> String {
        let line = format!("auth token create --name {name} --output token {more}");
        let ended = self.at.ndcli(&self.server, &line.split(' ').collect::<Vec<_>>());
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.out.trim_end().to_owned()
    }

    fn owner(&self, line: &str) -> Ended {
        let ended = self.at.ndcli(&self.server, &line.split(' ').collect::<Vec<_>>());
        assert_eq!(ended.code, 0, "{ended:?}");
        ended
    }

    fn texts_that_are_no_secret(&mut self) {
        let secret = self.token("sound", "--scope rw");
        self.note(4, &[], "whoami");
        self.note(4, &[("NDCLI_TOKEN", "")], "whoami");
        self.note(4, &[("ACME_TOKEN", &secret)], "whoami");
        for text in [
            &secret[..40],
            &format!("{secret}\n"),
            &format!("\"{secret}\""),
            "$NDCLI_TOKEN",
            "ghp_0123456789012345678901234567890123456789",
        ] {
            self.note(4, &[("NDCLI_TOKEN", text)], "whoami");
        }
        self.note(4, &[("NDCLI_TOKEN_FILE", "token.json")], "whoami");
        for text in ["{}", r#"{"bearer_token": "ndpat_x", "server": "ndauth.example.org"}"#] {
            std::fs::write(self.at.home().join("token.json"), text).expect("written");
            self.note(4, &[("NDCLI_TOKEN_FILE", "token.json")], "whoami");
        }
        // Some characters of a name are in the wrong order.
        self.note(0, &[("NDCLI_TOKEN", &secret), ("NDCLI_SERVRE", SHOWN)], "whoami -f simple");
    }

    fn dead_tokens(&mut self) {
        let created = self.owner("auth token create --name clock --scope ro -f json");
        let now = json(&created)["token"]["created_at"].as_str().and_then(|at| at.parse().ok());
        let now: ndauth_core::Timestamp = now.expect("an instant");
        let end = now.checked_add(Duration::from_secs(2)).expect("an instant");
        let expired = self.token("expired", &format!("--scope ro --expiry {end}"));
        let revoked = self.token("revoked", "--scope ro");
        self.owner("auth token revoke revoked --yes");
        let replaced = self.token("replaced", "--scope ro");
        self.owner("auth token rotate replaced --overlap 0");
        self.owner("auth token rotation confirm replaced");
        let suspended = self.token("suspended", "--scope ro");
        self.owner("auth token suspend suspended");
        let elsewhere = self.token("elsewhere", "--scope ro --allow-from 10.0.0.0/8");
        let unknown = "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U".to_owned();
        let begun = Instant::now();
        while self.run(&[("NDCLI_TOKEN", &expired)], "whoami", "").code == 0 {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not expire");
            std::thread::sleep(Duration::from_millis(100));
        }
        for secret in [expired, revoked, replaced, suspended, unknown] {
            self.note(4, &[("NDCLI_TOKEN", &secret)], "whoami");
        }
        self.note(5, &[("NDCLI_TOKEN", &elsewhere)], "whoami");
    }

    fn refusals(&mut self) {
        let service = self.at.service();
        let service = [("NDCLI_TOKEN", service.expose())];
        let (writer, reader) = (self.token("writer", "--scope rw"), self.token("reader", "--scope ro"));
        let granted = self.token("granted", "--scope read:assets --org ops");
        for (secret, question) in [
            (&reader, "--org ops --access rw"),
            (&granted, "--org ops --permission write:assets"),
            (&granted, "--org dev --permission read:assets"),
            (&writer, "--org dev --access rw"),
            (&writer, "--org other --access ro"),
        ] {
            self.note_with(1, &service, &format!("validate --secret-stdin {question} -f simple"), secret);
        }
        let writer = [("NDCLI_TOKEN", writer.as_str())];
        self.note(5, &writer, "auth token create --name more --scope ro");
        self.note(5, &writer, "auth token rotate writer");
    }

    fn connections(&mut self) {
        // In a network of its own nothing listens at the default address, and the address is not reachable either.
        let mut alone = Command::new("/usr/bin/unshare");
        alone.args(["--user", "--net"]).arg(test_path("NDAUTH_TEST_NDCLI")).args([
            "whoami",
            "--timeout",
            "30ms",
        ]);
        let unknown = "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U";
        let ended = run(
            {
                alone.env_clear().env("NDCLI_TOKEN", unknown);
                alone
            },
            "",
        );
        assert_eq!(ended.code, 6, "{ended:?}");
        let text =
            ended.err.replace("Network is unreachable (os error 101)", "Connection refused (os error 111)");
        self.messages.insert(text.replace("30ms", "30s").trim_end().to_owned());
        let dead = ReservedPort::new();
        let proxy = format!("http://{}", dead.address);
        self.note_unreached(6, SHOWN, SHOWN, &[("HTTPS_PROXY", &proxy)]);
        self.note_unreached(2, "http://ndauth.example.org", "http://ndauth.example.org", &[]);
        let plain = self.server.url.to_string();
        self.note_unreached(6, &plain.replace("http:", "https:"), SHOWN, &[]);

        let ours = Authority::new("ours");
        let home = self.at.home().to_owned();
        let ca = home.join("ca.pem");
        std::fs::write(&ca, &ours.pem).expect("written");
        let trusted = [("NDCLI_CA_FILE", ca.to_str().expect("text"))];
        let day = Duration::from_secs(24 * 60 * 60);
        ours.sign(&home, "127.0.0.1");
        let (_server, port) = tls_server(&home);
        self.note_unreached(6, &format!("https://127.0.0.1:{port}"), SHOWN, &[]);
        self.note_unreached(6, &format!("https://localhost:{port}"), SHOWN, &trusted);
        ours.sign_as(&home, "127.0.0.1", |params| params.not_after = (now(&home) - day).into());
        let (_server, port) = tls_server(&home);
        self.note_unreached(6, &format!("https://127.0.0.1:{port}"), SHOWN, &trusted);
        ours.sign_as(&home, "127.0.0.1", |params| params.not_before = (now(&home) + day).into());
        let (_server, port) = tls_server(&home);
        self.note_unreached(6, &format!("https://127.0.0.1:{port}"), SHOWN, &trusted);
    }
}

/// Starts a server that presents the certificate in a folder, however old it is, and says nothing else.
fn tls_server(folder: &Path) -> (KillOnDrop, String) {
    const SCRIPT: &str = "import socket, ssl, sys\n\
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
        context.load_cert_chain('cert.pem', 'key.pem')\n\
        listener = socket.create_server(('127.0.0.1', 0))\n\
        print(listener.getsockname()[1], flush=True)\n\
        while True:\n    \
            try: context.wrap_socket(listener.accept()[0], server_side=True).close()\n    \
            except OSError: pass";
    let mut server = Command::new(test_path("NDAUTH_TEST_PYTHON"));
    server.args(["-c", SCRIPT]).current_dir(folder).stdout(Stdio::piped());
    let mut server = KillOnDrop(server.spawn().expect("Python starts"));
    let mut port = String::new();
    BufReader::new(server.0.stdout.take().expect("piped")).read_line(&mut port).expect("a line");
    (server, port.trim_end().to_owned())
}

#[tokio::test]
async fn the_messages_in_the_page_are_those_that_ndcli_prints() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    at.run_admin("org create other");
    let server = at.serve();
    at.log_in(&server);
    let mut trouble = Trouble { at, server, messages: BTreeSet::new() };
    trouble.texts_that_are_no_secret();
    trouble.dead_tokens();
    trouble.refusals();
    trouble.connections();
    let page = std::fs::read_to_string(root().join("docs/troubleshooting.md")).expect("the page");
    let shown = blocks(&page).map(|(_, block)| block.trim_end().to_owned()).collect();
    let list = |messages: &BTreeSet<String>, but: &BTreeSet<String>| {
        messages.difference(but).cloned().collect::<Vec<_>>().join("\n\n")
    };
    assert_eq!(list(&trouble.messages, &shown), "", "messages that are not in the page");
    assert_eq!(list(&shown, &trouble.messages), "", "messages in the page that ndcli did not print");
}
