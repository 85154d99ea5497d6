//! Login in this machine's browser, which returns with a code to a loopback port (RFC 8252, RFC 7636).

use std::thread;
use std::time::Duration;

use ndauth_core::{Challenge, OneTime, is_unshowable};
use ndauth_terminal::environment::variable;
use ndauth_terminal::{Failure, aside, shown};
use rand::rngs::SysRng;
use tokio::sync::oneshot;
use tokio::time::timeout;
use webbrowser::{Browser, BrowserOptions};

use super::logins::Login;
use super::loopback::{AuthorizationResponse, Loopback, LoopbackPage, WaitingBrowser};
use super::oauth::{self, AuthorizationParameters, ErrorResponse, Issuer};
use crate::settings::CommonOptions;
use crate::terminal::format_remaining;

/// The timeout of the whole login.
const TIME_LIMIT: Duration = Duration::from_secs(10 * 60);
/// The maximum length of a device's name on the server.
const LONGEST_NAME: usize = 64;

/// Returns the reason why no browser can be opened here, if that can be known in advance.
pub(crate) fn missing() -> Option<&'static str> {
    let set = |name| variable(name).is_some();
    if set("SSH_CONNECTION") {
        return Some("this is a session over SSH, and the browser is elsewhere");
    }
    let screen = ["DISPLAY", "WAYLAND_DISPLAY", "BROWSER"].into_iter().any(set);
    (cfg!(target_os = "linux") && !screen).then_some("there is no display for a browser")
}

/// Sends the browser to the server, and waits until it returns. If `recent` is true, the person must
/// authenticate again.
pub(crate) async fn log_in(common: &CommonOptions, issuer: &Issuer, recent: bool) -> Result<Login, Failure> {
    let draw = || {
        OneTime::mint(&mut SysRng)
            .map_err(|error| Failure::failed(format!("no random bytes are available: {error}"), None))
    };
    let (state, verifier) = (draw()?, draw()?);
    let challenge = Challenge::of(verifier.expose()).expect("43 characters of base64url are a verifier");
    let loopback = Loopback::bind(state.expose(), &issuer.name).await?;
    let redirect_uri = loopback.redirect_uri();
    let url = oauth::authorize_url(
        issuer,
        &AuthorizationParameters {
            redirect_uri: &redirect_uri,
            state: state.expose(),
            challenge: &challenge,
            device_name: &device_name(),
            recent,
        },
    );
    aside(&format!("to log in, open this address in a browser on this machine:\n    {url}"));
    let failed = open(url);
    aside(&format!(
        "waiting for the browser, for {} at the most; Ctrl-C stops",
        format_remaining(TIME_LIMIT)
    ));
    let late = |_| {
        let hint = "log in again: `ndcli auth login`; without a browser here: `--device`";
        Failure::failed("the login timed out", Some(hint))
    };
    let (response, waiting) = timeout(TIME_LIMIT, received(&loopback, failed)).await.map_err(late)??;
    // The port is closed from here on.
    drop(loopback);
    let (page, ended) = match response {
        AuthorizationResponse::Code(code) => {
            match oauth::redeem(common, &code, &redirect_uri, verifier.expose()).await {
                Ok(login) if recent => (LoopbackPage::LoggedInAgain, Ok(login)),
                Ok(login) => (LoopbackPage::LoggedIn, Ok(login)),
                Err(error) => (LoopbackPage::Failed, Err(Failure::from(error))),
            }
        }
        AuthorizationResponse::Refused { code, description } => {
            let page = match code.as_str() {
                "access_denied" => LoopbackPage::Denied,
                _ => LoopbackPage::Failed,
            };
            (page, Err(ErrorResponse { code, description, retry_after: None }.failure()))
        }
        AuthorizationResponse::Foreign(name) => {
            let message = match name.as_str() {
                "" => "the response does not say which server sent it".to_owned(),
                name => format!("another server answered: it calls itself `{}`", shown(name)),
            };
            let hint = "log in again, by the address that ndcli shows";
            (LoopbackPage::Failed, Err(Failure::failed(message, Some(hint))))
        }
    };
    waiting.show(page).await;
    ended
}

/// Waits for the browser's response. Reports in the meantime if no browser opens.
async fn received(
    loopback: &Loopback,
    failed: oneshot::Receiver<()>,
) -> Result<(AuthorizationResponse, WaitingBrowser), Failure> {
    let received = loopback.received();
    tokio::pin!(received);
    tokio::select! {
        received = &mut received => return received,
        Ok(()) = failed => aside("no browser can be opened: open the address yourself"),
    }
    received.await
}

/// Opens a browser on a thread of its own, because some openers return only when the browser is closed. The
/// receiver gets a message if none opens.
fn open(url: String) -> oneshot::Receiver<()> {
    let (sender, failed) = oneshot::channel();
    thread::spawn(move || {
        let mut options = BrowserOptions::new();
        options.with_suppress_output(true);
        if webbrowser::open_browser_with_options(Browser::Default, &url, &options).is_err() {
            let _ = sender.send(());
        }
    });
    failed
}

/// Returns the name of this device, which the server shows when it asks the person to authorize the login.
pub(crate) fn device_name() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    named(&host)
}

fn named(host: &str) -> String {
    let host: String = host.chars().filter(|c| !is_unshowable(*c)).collect();
    let ndcli = concat!("ndcli ", env!("CARGO_PKG_VERSION"));
    match host.trim() {
        "" => ndcli.to_owned(),
        host => {
            format!("{ndcli} on {host}").chars().take(LONGEST_NAME).collect::<String>().trim_end().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_named_so_that_it_can_be_shown() {
        let ndcli = concat!("ndcli ", env!("CARGO_PKG_VERSION"));
        assert_eq!(named("vm"), format!("{ndcli} on vm"));
        assert_eq!(named("v\u{1b}m\u{202e}"), format!("{ndcli} on vm"));
        assert_eq!(named(""), ndcli);
        assert_eq!(named(&"ü".repeat(300)).chars().count(), LONGEST_NAME);
    }
}
