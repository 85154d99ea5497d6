//! `ndcli auth login`.

use ndauth_core::SecretKind;
use ndauth_terminal::{Failure, detailed, print, print_json, shown, warn};
use serde_json::json;

use super::whoami;
use crate::arguments::{Common, Format};
use crate::connection::connect_as;
use crate::credentials::{parse, store};
use crate::terminal::secret_from_stdin;

#[derive(clap::Args)]
pub(crate) struct Login {
    /// Read the credential from standard input
    #[arg(long, conflicts_with = "token")]
    with_token: bool,
}

/// Tries a credential and keeps it for later commands.
pub(crate) async fn run(common: &Common, login: &Login) -> Result<(), Failure> {
    let credential = match &common.token {
        Some(text) => {
            warn("everyone who can list this machine's processes can read `--token`; prefer `--with-token`");
            parse(text, "--token", None)?
        }
        None if login.with_token => parse(&secret_from_stdin()?, "standard input", None)?,
        None => {
            return Err(Failure::usage(
                "say where the credential comes from",
                "`ndcli auth login --with-token` reads it from standard input",
            ));
        }
    };
    if !matches!(credential.secret.kind(), SecretKind::Session | SecretKind::Personal) {
        let message =
            format!("a secret that begins with `{}` is no login", credential.secret.kind().marker());
        return Err(Failure::usage(
            message,
            "log in with a session (`ndses_`) or a personal token (`ndpat_`)",
        ));
    }
    let server = connect_as(common, credential).await?;
    let who = server.ask(async |client| client.who_am_i().await).await?;
    let path = store(&common.server, &server.credential.secret)?;
    let account = whoami::account(&who)?;
    match common.format {
        Format::Table | Format::Simple => {
            print(&format!("✓ Logged in to {} as {}\n", common.server, shown(&account.handle)))
        }
        Format::Detailed => print(&detailed(&[
            ("Server", common.server.to_string()),
            ("Account", account.handle.clone()),
            ("Stored in", path.display().to_string()),
        ])),
        Format::Json => print_json(&json!({
            "logged_in": true,
            "server": common.server.to_string(),
            "account": account.handle,
            "stored_in": path.display().to_string(),
        })),
    }
}
