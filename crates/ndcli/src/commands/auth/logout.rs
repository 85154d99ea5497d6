//! `ndcli auth logout`.

use ndauth_proto::v1;
use ndauth_proto::v1::revoke_sessions_request::Which;
use ndauth_terminal::{Failure, aside, print, print_json, warn};
use serde_json::json;

use crate::connection::connect;
use crate::login::logins::{self, Login};
use crate::login::oauth;
use crate::settings::{CommonOptions, Format};

#[derive(clap::Args)]
pub(crate) struct Logout {
    /// End all your logins, on every machine and in every browser
    #[arg(long)]
    everywhere: bool,
}

/// Ends the stored login at the server and forgets it. A personal token is only forgotten: other places may use it.
pub(crate) async fn run(common: &CommonOptions, logout: &Logout) -> Result<(), Failure> {
    let server = &common.server;
    if logout.everywhere {
        let ended = end_all(common).await?.ended;
        let had = logins::lock(common.timeout).await?.forget(server)?;
        return match common.format {
            Format::Json => print_json(
                &json!({ "logged_out": had, "server": server.to_string(), "revoked": true, "ended": ended }),
            ),
            Format::Table | Format::Simple | Format::Detailed => {
                print(&format!("✓ Logged out of {server} everywhere: {ended} login(s) ended\n"))
            }
        };
    }
    // Nobody refreshes it meanwhile.
    let lock = logins::lock(common.timeout).await?;
    let login = match logins::find(server) {
        Ok(stored) => stored.map(|stored| stored.login),
        Err(failure) => {
            warn(&failure.message);
            None
        }
    };
    let secret = login.as_ref().and_then(Login::revocable);
    let revoked = match secret {
        Some(secret) => oauth::revoke(common, secret).await.map(|()| true),
        None => Ok(false),
    };
    let had = lock.forget(server)?;
    let revoked = revoked.map_err(|error| {
        let failure = Failure::from(error);
        Failure {
            message: format!(
                "the login was removed from this machine, but is still valid at the server: {}",
                failure.message
            ),
            hint: Some("end it from another login: `ndcli auth sessions list` shows it".to_owned()),
            ..failure
        }
    })?;
    match common.format {
        Format::Json => {
            print_json(&json!({ "logged_out": had, "server": server.to_string(), "revoked": revoked }))
        }
        Format::Table | Format::Simple | Format::Detailed if had => {
            if !revoked {
                aside(
                    "the stored credential was removed from this machine; it stays valid until it expires or is revoked",
                );
            }
            print(&format!("✓ Logged out of {server}\n"))
        }
        Format::Table | Format::Simple | Format::Detailed => {
            print(&format!("There was no login to {server}\n"))
        }
    }
}

/// Ends all logins of the account.
pub(crate) async fn end_all(common: &CommonOptions) -> Result<v1::RevokeSessionsResponse, Failure> {
    let server = connect(common).await?;
    let request = v1::RevokeSessionsRequest { which: Some(Which::All(v1::All {})) };
    server.ask_once(async |client| client.revoke_sessions(request.clone()).await).await
}
