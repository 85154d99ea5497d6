//! `ndauthd admin`: the operator's commands, on the database itself.

use std::io::Write;

use ndauth_authority::{
    Authority, AuthorityError, Clock, Credential, DatabaseUrl, NewAccount, NewOrg, NewService,
};
use ndauth_core::{Orgs, Secret};

use crate::arguments::{Account, Admin, Member, Migrate, Org, Service, Session};
use crate::report::Failure;

/// Carries out a command, and says what it did.
pub(crate) async fn run(command: Admin, database: &DatabaseUrl) -> Result<(), Failure> {
    if let Admin::Migrate(Migrate::Status) = command {
        return migration_status(database).await;
    }
    let authority = Authority::open(database, Clock::Database, None).await?;
    let done = carry_out(&authority, command).await;
    authority.close().await?;
    say(&done?)
}

/// What standard output and standard error are told.
#[derive(Default)]
struct Done {
    out: String,
    aside: &'static str,
}

async fn carry_out(authority: &Authority, command: Admin) -> Result<Done, AuthorityError> {
    let console = &Credential::Console;
    match command {
        Admin::Account(Account::Create { handle, email, name, operator }) => {
            let new = NewAccount { handle, email, name, operator };
            let account = authority.create_account(console, &new).await?;
            Ok(told(format!("account `{}` created", account.handle)))
        }
        Admin::Account(Account::Disable { handle }) => {
            let changed = authority.disable_account(console, &handle).await?;
            Ok(told(format!("account `{handle}` {}disabled", if changed { "" } else { "was already " })))
        }
        Admin::Account(Account::Enable { handle }) => {
            let changed = authority.enable_account(console, &handle).await?;
            Ok(told(format!("account `{handle}` {}enabled", if changed { "" } else { "was already " })))
        }
        Admin::Org(Org::Create { slug, name }) => {
            let org = authority.create_org(console, &NewOrg { slug, name }).await?;
            Ok(told(format!("org `{}` created", org.slug)))
        }
        Admin::Org(Org::Delete { slug }) => {
            authority.delete_org(console, &slug).await?;
            Ok(told(format!("org `{slug}` deleted")))
        }
        Admin::Member(Member::Set { org, handle, role }) => {
            authority.set_member(console, &org, &handle, role).await?;
            Ok(told(format!("account `{handle}` has the role `{role}` in the org `{org}`")))
        }
        Admin::Member(Member::Remove { org, handle }) => {
            authority.remove_member(console, &org, &handle).await?;
            Ok(told(format!("account `{handle}` is no longer a member of the org `{org}`")))
        }
        Admin::Session(Session::Issue { handle, expires_in }) => {
            let secret = authority.issue_session(console, &handle, expires_in).await?;
            Ok(shown_once(&secret, "log in with it: `ndcli auth login --with-token`"))
        }
        Admin::Service(Service::Create { name, org }) => {
            let orgs = if org.is_empty() { Orgs::All } else { Orgs::Only(org.into_iter().collect()) };
            let secret = authority.create_service(console, &NewService { name, orgs }).await?;
            Ok(shown_once(&secret, "keep it where the service finds it: it is not shown again"))
        }
        Admin::Service(Service::Revoke { name }) => {
            authority.revoke_service(console, &name).await?;
            Ok(told(format!("service `{name}` revoked")))
        }
        Admin::Migrate(Migrate::Up | Migrate::Status) => Ok(told("the schema is at this version".to_owned())),
    }
}

fn told(out: String) -> Done {
    Done { out, aside: "" }
}

fn shown_once(secret: &Secret, aside: &'static str) -> Done {
    Done { out: secret.expose().to_owned(), aside }
}

async fn migration_status(database: &DatabaseUrl) -> Result<(), Failure> {
    let states = Authority::migrations(database).await?;
    let line = |name: &str, applied| format!("{name}  {}", if applied { "applied" } else { "pending" });
    let lines: Vec<String> = states.iter().map(|state| line(&state.name, state.applied)).collect();
    say(&told(lines.join("\n")))
}

fn say(done: &Done) -> Result<(), Failure> {
    let written = writeln!(std::io::stdout(), "{}", done.out);
    if !done.aside.is_empty() {
        let _ = writeln!(std::io::stderr(), "{}", done.aside);
    }
    match written {
        // Whoever reads has read enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
