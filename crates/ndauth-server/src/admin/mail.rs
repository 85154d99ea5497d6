//! `ndauthd admin mail`: the mails that wait, and a test.

use ndauth_authority::{Authority, OutboxState};
use ndauth_core::{Causes, Email};
use ndauth_server::Mailer;
use ndauth_terminal::Failure;
use serde_json::json;

use super::CONSOLE;
use super::output::AdminOutput;
use crate::arguments::MailOptions;
use crate::configuration::mail_settings;
use crate::report::{authority_failure, check_failure};

/// Shows the state of the outbox.
pub(super) async fn status(authority: &Authority) -> Result<AdminOutput, Failure> {
    let state = authority.notices().inspect(CONSOLE).await.map_err(|error| authority_failure(&error))?;
    let OutboxState { waiting, oldest, problem, given_up } = state;
    let mut lines = vec![match oldest {
        Some(oldest) => format!("{waiting} mail(s) wait, since {}", oldest.minute()),
        None => "no mail waits".to_owned(),
    }];
    if let Some(problem) = &problem {
        lines.push(format!("the last failure: {}", ndauth_terminal::shown(problem)));
    }
    lines.push(format!("{given_up} mail(s) were given up within 24 hours"));
    let json = json!({
        "waiting": waiting,
        "oldest": oldest.map(|oldest| oldest.to_string()),
        "problem": problem,
        "given_up": given_up,
    });
    Ok(AdminOutput::line(lines.join("\n"), json))
}

/// Sends a test mail.
pub(super) async fn test(address: &Email, options: &MailOptions) -> Result<AdminOutput, Failure> {
    let settings = mail_settings(options)?.ok_or_else(|| {
        Failure::usage("no mail is sent: there is no `--mail`", "give it here, or in the configuration file")
    })?;
    let mailer = Mailer::open(&settings).map_err(|error| check_failure(&error.into()))?;
    mailer.send_test(address).await.map_err(|error| {
        let hint = "check `--mail`, `--mail-from` and `--mail-user`, and the log of the mail server";
        Failure::failed(Causes(&error).to_string(), Some(hint))
    })?;
    let text = format!("the mail to `{address}` was taken");
    Ok(AdminOutput::line(text, json!({ "taken": true, "address": address.as_str() })))
}
