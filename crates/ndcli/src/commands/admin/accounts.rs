//! `ndcli admin account`.

use clap::Subcommand;
use ndauth_core::{DisplayName, Email, Handle, Reason, Timestamp};
use ndauth_proto::{role_from_proto, timestamp_from_proto, v1};
use ndauth_terminal::{Failure, detailed, nonsense, print, print_message, required_timestamp, shown};

use super::printed::PrintedOnce;
use crate::commands::listed::{done, listed};
use crate::connection::connect;
use crate::settings::values::handle;
use crate::settings::{CommonOptions, Format};

#[derive(Subcommand)]
pub(crate) enum AccountCommand {
    /// Create an account
    Create {
        /// Permanent name: a-z, 0-9 and inner hyphens
        #[arg(value_parser = handle)]
        handle: Handle,
        /// E-mail address
        #[arg(long, value_parser = email)]
        email: Email,
        /// Person's name
        #[arg(long)]
        name: Option<DisplayName>,
    },
    /// Print a link to set the first password of an unused account; earlier links stop working
    Invite {
        /// Account
        #[arg(value_parser = handle)]
        handle: Handle,
    },
    /// List accounts
    #[command(alias = "ls")]
    List {
        /// Only those whose name or e-mail address begins with this
        #[arg(value_name = "BEGINNING")]
        begins_with: Option<String>,
        /// List at most this many
        #[arg(long, value_name = "COUNT")]
        limit: Option<usize>,
    },
    /// Show an account and its orgs
    #[command(alias = "get")]
    Show {
        /// Account
        #[arg(value_parser = handle)]
        handle: Handle,
    },
    /// Disable an account at once; its tokens stay, without power
    Disable {
        /// Account
        #[arg(value_parser = handle)]
        handle: Handle,
    },
    /// Enable an account
    Enable {
        /// Account
        #[arg(value_parser = handle)]
        handle: Handle,
    },
    /// End every session of an account; its tokens stay valid
    SignOut {
        /// Account
        #[arg(value_parser = handle)]
        handle: Handle,
    },
}

/// An account, read off the wire into what is shown of it.
struct AccountShown {
    account: v1::Account,
    created_at: Timestamp,
    last_login_at: Option<Timestamp>,
    disabled_at: Option<Timestamp>,
    unused: bool,
}

fn email(text: &str) -> Result<Email, String> {
    text.parse().map_err(|why: ndauth_core::InvalidName| format!("the address {why}"))
}

pub(super) async fn run(common: &CommonOptions, command: &AccountCommand) -> Result<(), Failure> {
    match command {
        AccountCommand::Create { handle, email, name } => create(common, handle, email, name.as_ref()).await,
        AccountCommand::Invite { handle } => invite(common, handle).await,
        AccountCommand::List { begins_with, limit } => list(common, begins_with.as_deref(), *limit).await,
        AccountCommand::Show { handle } => show(common, handle).await,
        AccountCommand::Disable { handle } => disable(common, handle).await,
        AccountCommand::Enable { handle } => enable(common, handle).await,
        AccountCommand::SignOut { handle } => sign_out(common, handle).await,
    }
}

async fn create(
    common: &CommonOptions,
    handle: &Handle,
    email: &Email,
    name: Option<&DisplayName>,
) -> Result<(), Failure> {
    let server = connect(common).await?;
    let request = v1::CreateAccountRequest {
        handle: handle.to_string(),
        email: email.to_string(),
        name: name.map(ToString::to_string).unwrap_or_default(),
    };
    let made = server.ask_once(async |client| client.create_account(request.clone()).await).await?;
    done(common.format, &made, &format!("Account \"{handle}\" created"))
}

async fn invite(common: &CommonOptions, handle: &Handle) -> Result<(), Failure> {
    let server = connect(common).await?;
    let request = v1::InviteAccountRequest { handle: handle.to_string() };
    let invited = server.ask_once(async |client| client.invite_account(request.clone()).await).await;
    let answer = invited.map_err(|failure| at_console(failure, "invite", handle))?;
    let ends_at = required_timestamp("ends_at", Some(answer.ends_at))?;
    let aside = format!(
        "the person who opens it sets the password of `{handle}`: it works once, until {} (7 days)",
        ends_at.minute()
    );
    let if_lost = format!("make another: `ndcli admin account invite {handle}`; it ends the lost one");
    PrintedOnce { text: &answer.link, aside: &aside, if_lost: &if_lost }.print(common.format, &answer)
}

async fn list(
    common: &CommonOptions,
    begins_with: Option<&str>,
    limit: Option<usize>,
) -> Result<(), Failure> {
    let server = connect(common).await?;
    let limit = limit.unwrap_or(usize::MAX);
    let answer = server.ask(async |client| client.every_account(begins_with, limit).await).await?;
    let accounts = answer.accounts.iter().cloned().map(AccountShown::read).collect::<Result<Vec<_>, _>>()?;
    let titles = ["ACCOUNT", "EMAIL", "NAME", "OPERATOR", "CREATED", "STATUS"];
    let row = |account: &AccountShown| {
        [
            account.account.handle.clone(),
            account.account.email.clone(),
            account.name(),
            if account.account.operator { "yes" } else { "-" }.to_owned(),
            account.created_at.date(),
            account.status().to_owned(),
        ]
    };
    listed(common.format, &answer, "account", titles, accounts.iter().map(row).collect())
}

async fn show(common: &CommonOptions, handle: &Handle) -> Result<(), Failure> {
    let server = connect(common).await?;
    let request = v1::GetAccountRequest { handle: handle.to_string() };
    let answer = server.ask(async |client| client.get_account(request.clone()).await).await?;
    let account = AccountShown::read(answer.account.clone().ok_or_else(|| nonsense("it has no account"))?)?;
    let mut orgs = Vec::new();
    for membership in &answer.memberships {
        let role = role_from_proto("role", membership.role)?;
        orgs.push(format!("{} ({})", membership.slug, role.as_str()));
    }
    let orgs = if orgs.is_empty() { "-".to_owned() } else { orgs.join(", ") };
    let last_login = account.last_login_at.map_or("never".to_owned(), Timestamp::minute);
    match common.format {
        Format::Simple => print(&format!(
            "• {} {} {} orgs:{}\n",
            shown(&account.account.handle),
            shown(&account.account.email),
            account.status(),
            shown(&orgs)
        )),
        Format::Table | Format::Detailed => print(&detailed(&[
            ("Account", account.account.handle.clone()),
            ("Id", account.account.id.clone()),
            ("E-mail", account.account.email.clone()),
            ("Name", account.name()),
            ("Operator", if account.account.operator { "yes" } else { "no" }.to_owned()),
            ("Status", account.status().to_owned()),
            ("Created", account.created_at.minute()),
            ("Last login", last_login),
            ("Orgs", orgs),
            ("Tokens", answer.tokens.to_string()),
            ("Sessions", answer.sessions.to_string()),
        ])),
        Format::Json => print_message(&answer),
    }
}

async fn disable(common: &CommonOptions, handle: &Handle) -> Result<(), Failure> {
    let server = connect(common).await?;
    let request = v1::DisableAccountRequest { handle: handle.to_string() };
    let disabled = server.ask(async |client| client.disable_account(request.clone()).await).await;
    let answer = disabled.map_err(|failure| at_console(failure, "disable", handle))?;
    done(common.format, &answer, &turned(handle, "disabled", answer.changed))
}

async fn enable(common: &CommonOptions, handle: &Handle) -> Result<(), Failure> {
    let server = connect(common).await?;
    let request = v1::EnableAccountRequest { handle: handle.to_string() };
    let enabled = server.ask(async |client| client.enable_account(request.clone()).await).await;
    let answer = enabled.map_err(|failure| at_console(failure, "enable", handle))?;
    done(common.format, &answer, &turned(handle, "enabled", answer.changed))
}

async fn sign_out(common: &CommonOptions, handle: &Handle) -> Result<(), Failure> {
    let server = connect(common).await?;
    let request = v1::SignOutAccountRequest { handle: handle.to_string() };
    let signed_out = server.ask(async |client| client.sign_out_account(request.clone()).await).await;
    let answer = signed_out.map_err(|failure| at_console(failure, "sign-out", handle))?;
    let sentence = format!("Account \"{handle}\" signed out: {} session(s) ended", answer.ended);
    done(common.format, &answer, &sentence)
}

fn turned(handle: &Handle, how: &str, changed: bool) -> String {
    format!("Account \"{handle}\" {}{how}", if changed { "" } else { "was already " })
}

/// Names the console's command where only the console may do it.
fn at_console(failure: Failure, command: &str, handle: &Handle) -> Failure {
    if failure.hint.as_deref() != ndauth_proto::hint(Reason::ConsoleOnly) {
        return failure;
    }
    let hint = format!("at the database's machine: `ndauthd admin account {command} {handle}`");
    Failure { hint: Some(hint), ..failure }
}

impl AccountShown {
    fn read(managed: v1::ManagedAccount) -> Result<AccountShown, Failure> {
        let instant = |field, at: Option<_>| at.map(|at| timestamp_from_proto(field, at)).transpose();
        Ok(AccountShown {
            account: managed.account.ok_or_else(|| nonsense("it has no account"))?,
            created_at: required_timestamp("created_at", Some(managed.created_at))?,
            last_login_at: instant("last_login_at", managed.last_login_at)?,
            disabled_at: instant("disabled_at", managed.disabled_at)?,
            unused: managed.unused,
        })
    }

    fn name(&self) -> String {
        if self.account.name.is_empty() { "-".to_owned() } else { self.account.name.clone() }
    }

    fn status(&self) -> &'static str {
        match (self.disabled_at, self.unused) {
            (Some(_), _) => "disabled",
            (None, true) => "unused",
            (None, false) => "active",
        }
    }
}
