//! `ndcli auth status`.

use std::time::Duration;

use ndauth_core::{Expiry, Timestamp};
use ndauth_terminal::environment::variable;
use ndauth_terminal::{Failure, detailed, minute, print, print_json, shown, warn};
use serde_json::json;

use super::notices::{undelivered, warn_of_undelivered};
use super::whoami::{CallerShown, KnownBy, ask};
use crate::login::logins::KeptIn;
use crate::settings::values::span;
use crate::settings::{CommonOptions, Format};
use crate::terminal::format_remaining;

#[derive(clap::Args)]
pub(crate) struct Status {
    /// Fail if the credential is refused or ends soon, for pipelines
    #[arg(long)]
    strict: bool,

    /// With `--strict`: fail if less than this is left, such as 14d
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = span, requires = "strict")]
    fail_within: Duration,
}

/// Shows the credential in use, its source, and how long it lasts; fails where the server refuses it.
pub(crate) async fn run(common: &CommonOptions, status: &Status) -> Result<(), Failure> {
    let asked = ask(common).await;
    let read =
        asked.and_then(|(answers, connection)| Ok((CallerShown::read(&answers)?, answers, connection)));
    let (who, answers, connection) = match read {
        Ok(known) => known,
        Err(failure) if status.strict => {
            annotate(&failure.message);
            return Err(failure);
        }
        Err(failure) => return Err(failure),
    };
    // Mails go to accounts, and only a login asks about them.
    let notices = match &who.known {
        KnownBy::Session { .. } => Some(undelivered(&connection).await?),
        KnownBy::Token(_) | KnownBy::Service { .. } => None,
    };
    let credential = connection.credential;
    let server = common.server.to_string();
    let kept_in = credential.login.as_ref().map(|stored| stored.kept_in);
    let file = credential.path.map(|path| path.display().to_string());
    let (account, kind, expiry) = (who.name(), who.known.credential(), who.known.expiry());
    let left = left(expiry, who.now);
    let left_shown = left.map_or("-".to_owned(), format_remaining);
    let token = match &who.known {
        KnownBy::Token(token) => Some(token),
        KnownBy::Session { .. } | KnownBy::Service { .. } => None,
    };
    let token_type = token.map_or("-", |token| token.token_type);
    match common.format {
        Format::Simple => print(&format!(
            "• {server} account:{} credential:{} source:{} expires:{} left:{left_shown}\n",
            shown(&account),
            shown(&kind),
            credential.source,
            minute(expiry)
        ))?,
        Format::Table | Format::Detailed => print(&detailed(&[
            ("Server", server),
            ("Server from", common.server_from.to_string()),
            ("Account", account),
            ("Credential", kind),
            ("Type", token_type.to_owned()),
            ("Scope", who.scope()),
            ("Orgs", who.org_list()),
            ("Source", credential.source.to_owned()),
            ("File", file.unwrap_or("-".to_owned())),
            ("Kept in", kept_in.map_or("-".to_owned(), |kept_in| kept_in.to_string())),
            ("Expires", minute(expiry)),
            ("Left", left_shown),
        ]))?,
        Format::Json => {
            let mut status = json!({
                "server": server,
                "server_from": common.server_from.to_string(),
                "source": credential.source,
                "file": file,
                "kept_in": kept_in.map(KeptIn::as_str),
                "seconds_left": left.map(|left| left.as_secs()),
                "undelivered_mails": notices.as_ref().map(|notices| notices.undelivered.len()),
            });
            for (rpc, answer) in answers.json()? {
                status[rpc] = answer;
            }
            print_json(&status)?;
        }
    }
    if let Some(notices) = &notices {
        warn_of_undelivered(notices)?;
    }
    match left.filter(|left| status.strict && *left <= status.fail_within) {
        None => Ok(()),
        Some(left) => {
            let message = format!(
                "the credential in {} ends in {} ({})",
                credential.source,
                format_remaining(left),
                minute(expiry)
            );
            annotate(&message);
            let hint = match token.and_then(|token| token.owner_org.as_deref()) {
                Some(org) => format!(
                    "an admin of the org renews it (`ndcli token renew NAME --org {org}`) or rotates it \
                     (`ndcli token rotate NAME --org {org}`)"
                ),
                None if token.is_none() => "log in again: `ndcli auth login`".to_owned(),
                None => {
                    "renew it (`ndcli auth token renew`) or rotate it (`ndcli auth token rotate`)".to_owned()
                }
            };
            Err(Failure::failed(message, Some(&hint)))
        }
    }
}

/// Returns the time that is left, or none where there is no end.
fn left(expiry: Expiry, now: Timestamp) -> Option<Duration> {
    match expiry {
        Expiry::At(end) => Some(end.since(now)),
        Expiry::Never => None,
    }
}

/// Prints a warning in the form that the CI system highlights in its log.
fn annotate(message: &str) {
    if variable("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        // One line, in which nothing ends it: percent signs and line breaks are written as GitHub reads them.
        let message = shown(message).replace('%', "%25");
        let _ = print(&format!("::warning title=ndauth credential::{message}\n"));
    } else if variable("GITLAB_CI").is_some() {
        // GitLab shows its log as a terminal would.
        let _ = print(&format!("\u{1b}[0;33mWARNING: {}\u{1b}[0m\n", shown(message)));
    } else {
        warn(message);
    }
}
