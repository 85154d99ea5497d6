//! `ndcli auth login`.

use ndauth_core::SecretKind;
use ndauth_proto::v1::{self, who_am_i_response::Credential};
use ndauth_terminal::environment::variable;
use ndauth_terminal::{Failure, aside, detailed, print, print_json, shown, warn};
use serde_json::json;

use crate::connection::connect_as;
use crate::login::credentials::{ResolvedCredential, keep, parse};
use crate::login::logins::{KeptIn, Login};
use crate::login::{browser, device, oauth, recent};
use crate::settings::{CommonOptions, Format, Keeping};
use crate::terminal::secret_from_stdin;

#[derive(clap::Args)]
pub(crate) struct LoginArguments {
    /// Log in by a code, in a browser on any machine
    #[arg(long)]
    device: bool,

    /// Read a session or a token from standard input
    #[arg(long, conflicts_with_all = ["token", "device"])]
    with_token: bool,

    #[command(flatten)]
    keeping: Keeping,
}

/// Logs in and keeps the login for later commands: by the browser of this machine, by a code that is typed in a
/// browser anywhere, or by a secret that is there already.
pub(crate) async fn run(common: &CommonOptions, login: &LoginArguments) -> Result<(), Failure> {
    let new = match &common.token {
        Some(text) => {
            warn("everyone who can list this machine's processes can read `--token`; prefer `--with-token`");
            handed_over(parse(text, "--token", None)?)?
        }
        None if login.with_token => handed_over(parse(&secret_from_stdin()?, "standard input", None)?)?,
        None => interactive(common, login.device).await?,
    };
    let source = "the new login";
    let credential = match &new {
        Login::Session { access, .. } => {
            ResolvedCredential { secret: access.clone(), source, path: None, login: None }
        }
        Login::Secret(secret) => {
            let source = if login.with_token { "standard input" } else { "--token" };
            ResolvedCredential { secret: secret.clone(), source, path: None, login: None }
        }
    };
    let server = connect_as(common, credential).await?;
    let who = server.ask(async |client| client.who_am_i().await).await?;
    let account = holder(&who)?;
    let wanted = if login.keeping.no_keyring { KeptIn::File } else { KeptIn::Keyring };
    let kept = keep(common, new, wanted).await?;
    let kept_in = kept.login.map_or(KeptIn::File, |stored| stored.kept_in);
    let path = kept.path.map(|path| path.display().to_string());
    let place = path.clone().unwrap_or(kept_in.to_string());
    match common.format {
        Format::Table | Format::Simple => {
            aside(&format!("the login is kept in {place}"));
            print(&format!("✓ Logged in to {} as {}\n", common.server, shown(&account)))
        }
        Format::Detailed => print(&detailed(&[
            ("Server", common.server.to_string()),
            ("Account", account),
            ("Kept in", place),
        ])),
        Format::Json => print_json(&json!({
            "logged_in": true,
            "server": common.server.to_string(),
            "account": account,
            "kept_in": kept_in.as_str(),
            "stored_in": path,
        })),
    }
}

/// The account that a credential stands for, or the org whose token it is.
fn holder(who: &v1::WhoAmIResponse) -> Result<String, Failure> {
    let owner = match &who.credential {
        Some(Credential::Token(token)) => token.owner.as_ref().and_then(|owner| owner.kind.as_ref()),
        _ => None,
    };
    match owner {
        Some(v1::owner::Kind::Org(org)) => Ok(format!("the org {}", org.slug)),
        _ => recent::account(who).map(|account| account.handle.clone()),
    }
}

/// A login by a secret that somebody made elsewhere.
fn handed_over(credential: ResolvedCredential) -> Result<Login, Failure> {
    let kind = credential.secret.kind();
    if !matches!(kind, SecretKind::Session | SecretKind::Personal | SecretKind::Org) {
        let message = format!("a secret that begins with `{}` is not a login", kind.marker());
        return Err(Failure::usage(
            message,
            "log in with a session (`ndses_`), a personal token (`ndpat_`) or an org's token (`ndorg_`)",
        ));
    }
    Ok(Login::Secret(credential.secret))
}

/// A login by the person who sits here.
async fn interactive(common: &CommonOptions, device: bool) -> Result<Login, Failure> {
    if device {
        return device::log_in(common, &oauth::discover(common).await?).await;
    }
    if variable("CI").is_some_and(|value| value != "false") {
        let message = "this is a pipeline (the variable CI is set), where nobody can log in with a browser";
        let hint = "pipelines use tokens: set NDCLI_TOKEN; a person uses `--device` or `--with-token`";
        return Err(Failure::usage(message, hint));
    }
    let issuer = oauth::discover(common).await?;
    match browser::missing() {
        Some(why) if issuer.device => {
            aside(&format!("{why}: logging in with a code"));
            device::log_in(common, &issuer).await
        }
        _ => browser::log_in(common, &issuer, false).await,
    }
}
