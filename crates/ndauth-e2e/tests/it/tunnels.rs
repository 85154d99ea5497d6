//! `ndcli` behind an HTTP proxy: it uses CONNECT for RPCs and other requests, and connects nowhere else.

use std::fs;
use std::io::{Read, Write, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use ndauth_core::Secret;
use ndauth_store::Engine;

use crate::installation::{Ended, Installation, ReservedPort, Running, run};
use crate::tls::{Authority, serve};

/// A proxy that opens tunnels to this machine only, and requires a password if it has one.
struct TunnelProxy {
    address: SocketAddr,
    /// The received requests, each as one line: the request line and the credentials.
    asked: Arc<Mutex<Vec<String>>>,
}

impl TunnelProxy {
    fn new(password: Option<&'static str>) -> TunnelProxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let requests = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let requests = Arc::clone(&requests);
                std::thread::spawn(move || tunnel(stream, password, &requests));
            }
        });
        TunnelProxy { address, asked }
    }

    /// Returns the requests received since the last call.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("whole"))
    }
}

fn tunnel(mut client: TcpStream, password: Option<&str>, requests: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(client.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("text");
    let request = head.lines().next().unwrap_or_default().to_owned();
    let sent = head.lines().find_map(|line| line.strip_prefix("proxy-authorization: "));
    requests.lock().expect("whole").push(format!("{request} {}", sent.unwrap_or("-")));
    if password.is_some_and(|password| sent != Some(password)) {
        let _ = client.write_all(b"HTTP/1.1 407 Who are you\r\ncontent-length: 0\r\n\r\n");
        return;
    }
    let port = request.split([':', ' ']).nth(2).and_then(|port| port.parse::<u16>().ok()).expect("a port");
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)) else {
        let _ = client.write_all(b"HTTP/1.1 502 Nobody there\r\ncontent-length: 0\r\n\r\n");
        return;
    };
    // Any 2xx opens the tunnel.
    let status = if password.is_some() { "200 Go on" } else { "202 Go on" };
    client.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).expect("written");
    let (mut from, mut to) = (client.try_clone().expect("cloned"), server.try_clone().expect("cloned"));
    std::thread::spawn(move || {
        let _ = copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Write);
}

/// Runs a command line that reaches the server at an address that does not look like this machine's.
fn ndcli(at: &Installation, url: &str, variables: &[(&str, &str)], line: &str) -> Ended {
    let mut command = at.command("NDAUTH_TEST_NDCLI");
    let url = url.replace("127.0.0.1", "0.0.0.0");
    command.args(line.split(' ')).env("NDCLI_SERVER", url).env("NDCLI_CA_FILE", at.home().join("ca.pem"));
    command.envs(variables.iter().copied());
    run(command, "")
}

/// Returns an installation with a session, and with a certificate for `0.0.0.0` that `ndcli` trusts.
async fn installed() -> (Installation, Secret) {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let session = at.session();
    let ours = Authority::new("ours");
    ours.sign(at.home(), "0.0.0.0");
    fs::write(at.home().join("ca.pem"), &ours.pem).expect("written");
    (at, session)
}

#[tokio::test]
async fn a_server_is_reached_through_the_proxy() {
    let (at, session) = installed().await;
    // `ada:p@ss`
    let proxy = TunnelProxy::new(Some("Basic YWRhOnBAc3M="));
    let by = format!("http://ada:p%40ss@{}", proxy.address);
    let token = ("NDCLI_TOKEN", session.expose());
    let through = |server: &Running, variable: &str, line: &str, out: &str| {
        let url = server.url.to_string();
        let ended = ndcli(&at, &url, &[token, (variable, &by)], line);
        assert!(ended.code == 0 && ended.out.starts_with(out), "{line}: {ended:?}");
        let port = url.rsplit(':').next().expect("a port");
        let asked = format!("CONNECT 0.0.0.0:{port} HTTP/1.1 Basic YWRhOnBAc3M=");
        assert_eq!(proxy.asked(), [asked], "{line}: one tunnel");
        assert!(!ended.err.contains("p%40ss") && !ended.err.contains("YWRh"), "{ended:?}");
    };
    let directly = |server: &Running, variables: &[(&str, &str)]| {
        let variables = [&[token], variables].concat();
        let line = "whoami -f simple --plaintext-beyond-loopback";
        let ended = ndcli(&at, &server.url.to_string(), &variables, line);
        assert!(ended.code == 0 && proxy.asked().is_empty(), "{variables:?}: {ended:?}");
    };

    let tls = serve(&at);
    through(&tls, "HTTPS_PROXY", "whoami -f simple -v", "• ada ");
    through(&tls, "https_proxy", "auth print-access-token -v", "ndacc_");
    through(&tls, "ALL_PROXY", "whoami -f simple", "• ada ");
    directly(&tls, &[("HTTPS_PROXY", &by), ("NO_PROXY", "example.org, 0.0.0.0/8")]);
    directly(&tls, &[("HTTPS_PROXY", &by), ("no_proxy", "*")]);
    directly(&tls, &[("http_proxy", &by)]);
    drop(tls);

    let plain = at.serve();
    through(&plain, "http_proxy", "whoami -f simple --plaintext-beyond-loopback", "• ada ");
    through(&plain, "all_proxy", "auth print-access-token --plaintext-beyond-loopback", "ndacc_");
    directly(&plain, &[("HTTPS_PROXY", &by)]);
    // A server on this machine is reached without the proxy.
    let ended = at.ndcli_with(&plain, &[token, ("ALL_PROXY", &by)], &["whoami"], "");
    assert_eq!((ended.code, proxy.asked().len()), (0, 0), "{ended:?}");
}

#[tokio::test]
async fn any_2xx_opens_a_tunnel_and_a_variable_that_is_not_text_is_named() {
    use std::os::unix::ffi::OsStrExt;
    let (at, session) = installed().await;
    let proxy = TunnelProxy::new(None);
    let tls = serve(&at);
    let (url, by) = (tls.url.to_string(), format!("http://{}", proxy.address));
    let token = ("NDCLI_TOKEN", session.expose());
    let ended = ndcli(&at, &url, &[token, ("HTTPS_PROXY", &by)], "whoami -f simple");
    assert!(ended.code == 0 && ended.out.starts_with("• ada "), "{ended:?}");
    assert_eq!(proxy.asked().len(), 1);
    let mut command = at.command("NDAUTH_TEST_NDCLI");
    command.args(["whoami", "--server", &url.replace("127.0.0.1", "0.0.0.0")]).env(token.0, token.1);
    command.env("HTTPS_PROXY", std::ffi::OsStr::from_bytes(b"http://\xff:1"));
    let ended = run(command, "");
    assert!(
        ended.code == 2 && ended.err.contains("`HTTPS_PROXY` cannot be used: its value is not UTF-8"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_proxy_that_opens_no_tunnel_is_named() {
    let (at, session) = installed().await;
    let token = ("NDCLI_TOKEN", session.expose());
    let proxy = TunnelProxy::new(Some("Basic YWRhOnBAc3M="));
    let reserved = ReservedPort::new();
    let free = reserved.address;
    let url = format!("https://{free}");
    for (by, line, code, message) in [
        (format!("http://{}", proxy.address), "whoami", 6, "asks for a user and a password"),
        (format!("http://ada:secret@{}", proxy.address), "whoami", 6, "refuses the user and the password"),
        (
            format!("http://ada:secret@{}", proxy.address),
            "auth print-access-token",
            6,
            "refuses the user and the password",
        ),
        (
            format!("http://ada:p%40ss@{}", proxy.address),
            "whoami --timeout 300ms",
            6,
            "refuses the tunnel: 502 Bad Gateway",
        ),
        (
            format!("http://ada:secret@{free}"),
            "whoami --timeout 300ms",
            6,
            "cannot be reached: Connection refused",
        ),
        (
            "socks5://ada:secret@127.0.0.1:1080".to_owned(),
            "whoami",
            2,
            "`HTTPS_PROXY` cannot be used: expected `http://HOST:PORT`",
        ),
    ] {
        let ended = ndcli(&at, &url, &[token, ("HTTPS_PROXY", &by)], line);
        assert!(ended.code == code && ended.err.contains(message), "{by} {line}: {ended:?}");
        assert!(ended.err.contains("NO_PROXY=HOST"), "{ended:?}");
        assert!(!ended.err.contains("secret") && !ended.err.contains("p%40ss"), "{ended:?}");
        // A client that the proxy refuses does not retry.
        let tries = proxy.asked().len();
        assert!(tries == usize::from(message.contains("password")) || by.contains("p%40ss"), "{by}: {tries}");
    }
}
