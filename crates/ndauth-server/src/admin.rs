//! `ndauthd admin`: the operator's commands, on the database itself.

mod output;
mod show;

mod catalogue;
mod events;
mod mail;

use std::path::Path;

use ndauth_authority::{
    AccountUpdate, Authority, AuthorityError, Changed, Clock, MigrationState, NewAccount, NewOrg, NewService,
    Revoking, Settlement, Settling, Tidied, Which, Whose, parse_export,
};
use ndauth_core::{Handle, Label, Lifetime, OrgSlug, Orgs, Reason, RevocationReason, Timestamp, TokenView};
use ndauth_proto::{timestamp_to_proto, token_to_proto, v1};
use ndauth_server::invitation_url;
use ndauth_terminal::{Failure, aside, confirm, message_json, print, quoted};
use serde_json::{Value, json};

use output::{AdminError, AdminOutput, CONSOLE};

use crate::arguments::{
    AdminAccountCommand, AdminCommand, AdminEventsCommand, AdminMailCommand, AdminMemberCommand,
    AdminMigrateCommand, AdminOperatorCommand, AdminOrgCommand, AdminRotationCommand, AdminServiceCommand,
    AdminSessionCommand, AdminTokenCommand, InstantOrNow, TextOrJson,
};
use crate::configuration::DataLocation;
use crate::report::authority_failure;

/// Carries out a command, and says what it did.
pub(crate) async fn run(
    command: AdminCommand,
    format: TextOrJson,
    location: &DataLocation,
    public_url: &str,
) -> Result<(), Failure> {
    // Whoever works on another database than they think finds out before anything else.
    if format == TextOrJson::Text {
        aside(&format!("database: {}", location.database));
    }
    let output = match command {
        AdminCommand::Migrate(AdminMigrateCommand::Status) => migration_status(location).await?,
        AdminCommand::Restore { file } => restore(location, &file).await?,
        AdminCommand::Mail(AdminMailCommand::Test { address, mail }) => mail::test(&address, &mail).await?,
        AdminCommand::Events(AdminEventsCommand::Export { after }) => return export(location, after).await,
        command => {
            let opened = match command {
                AdminCommand::Migrate(AdminMigrateCommand::Up) => {
                    Authority::create(&location.database, Clock::Database, location.data.as_deref()).await
                }
                _ => Authority::open(&location.database, Clock::Database, location.data.as_deref()).await,
            };
            let authority = opened.map_err(|error| authority_failure(&error))?;
            let output = carry_out(&authority, command, public_url).await;
            // The result is printed first, because a secret is not shown again.
            let printed = output.and_then(|output| output.print(format, location));
            let closed = authority.close().await.map_err(|error| authority_failure(&error));
            return printed.and(closed);
        }
    };
    output.print(format, location)
}

async fn carry_out(
    authority: &Authority,
    command: AdminCommand,
    public_url: &str,
) -> Result<AdminOutput, Failure> {
    let output = match command {
        AdminCommand::Account(command) => account(authority, command, public_url).await,
        AdminCommand::Operator(command) => operator(authority, command).await,
        AdminCommand::Org(command) => org(authority, command).await,
        AdminCommand::Member(command) => member(authority, command).await,
        AdminCommand::Session(command) => session(authority, command).await,
        AdminCommand::Service(command) => service(authority, command).await,
        AdminCommand::Token(command) => return token(authority, command).await,
        AdminCommand::Catalogue(command) => return catalogue::run(authority, command).await,
        AdminCommand::Mail(_) => return mail::status(authority).await,
        AdminCommand::Check => check(authority).await,
        AdminCommand::Events(AdminEventsCommand::Prune { before, yes }) => {
            let what = format!("remove every event before {before}: export them first, if you may need them");
            confirmed(yes, &what)?;
            events::prune(authority, before).await
        }
        AdminCommand::Events(AdminEventsCommand::FindSecret) => events::find_secret(authority).await,
        AdminCommand::Tidy => tidy(authority).await,
        AdminCommand::Backup { file } => backup(authority, &file).await,
        AdminCommand::AfterRestore { replay, not_before, accept_loss: _, yes } => {
            if let Some(instant) = not_before {
                let before = match instant {
                    InstantOrNow::Instant(instant) => instant.to_string(),
                    InstantOrNow::Now => "now".to_owned(),
                };
                confirmed(yes, &format!("revoke every secret that was made before {before}"))?;
            }
            return after_restore(authority, replay.as_deref(), not_before).await;
        }
        AdminCommand::Migrate(_)
        | AdminCommand::Events(AdminEventsCommand::Export { .. })
        | AdminCommand::Restore { .. } => {
            Ok(AdminOutput::line("the schema is at this version".to_owned(), json!({ "migrated": true })))
        }
    };
    output.map_err(Failure::from)
}

type AdminResult = Result<AdminOutput, AdminError>;

async fn account(authority: &Authority, command: AdminAccountCommand, public_url: &str) -> AdminResult {
    Ok(match command {
        AdminAccountCommand::Create { handle, email, name, operator } => {
            let new = NewAccount { handle, email, name, operator };
            let account = authority.operator().create_account(CONSOLE, &new).await?.value;
            let json = json!({ "created": true, "account": show::account_json(&account)? });
            AdminOutput::line(format!("account `{}` created", account.handle), json)
        }
        AdminAccountCommand::Invite { handle } => {
            let link = authority.logins().invite(CONSOLE, &handle).await?.value;
            let url = invitation_url(public_url, link.code.expose());
            let json = json!({
                "account": handle.as_str(), "link": url, "ends_at": link.ends_at.to_string(),
            });
            let aside = format!(
                "the person who opens it sets the password of `{handle}`: it works once, until {} (7 days)",
                link.ends_at.minute()
            );
            let if_lost =
                format!("make another: `ndauthd admin account invite {handle}`; it ends the lost one");
            AdminOutput { aside: Some(aside), if_lost: Some(if_lost), ..AdminOutput::line(url, json) }
        }
        AdminAccountCommand::List => {
            AdminOutput::table(show::accounts(&authority.operator().list_accounts(CONSOLE).await?.rows)?)
        }
        AdminAccountCommand::Update { handle, email, name } => {
            let update = AccountUpdate { email, name };
            let Changed { value: account, changed, .. } =
                authority.operator().update_account(CONSOLE, &handle, &update).await?;
            let json = json!({ "changed": changed, "account": show::account_json(&account)? });
            let how = if changed { "updated" } else { "is as it was" };
            AdminOutput::line(format!("account `{handle}` {how}"), json)
        }
        AdminAccountCommand::Disable { handle } => {
            let changed = authority.operator().disable_account(CONSOLE, &handle).await?.changed;
            turned(&handle, "disabled", changed)
        }
        AdminAccountCommand::Enable { handle } => {
            let changed = authority.operator().enable_account(CONSOLE, &handle).await?.changed;
            turned(&handle, "enabled", changed)
        }
        AdminAccountCommand::Erase { handle, yes } => {
            confirmed(yes, &format!("erase all personal data of `{handle}`, for good"))?;
            authority.operator().erase_account(CONSOLE, &handle).await?;
            let json = json!({ "account": handle.as_str(), "erased": true });
            AdminOutput::line(
                format!("account `{handle}` erased: copies of the database still have its data"),
                json,
            )
        }
        AdminAccountCommand::SignOut { handle } => {
            let ended = authority.operator().sign_out(CONSOLE, &handle).await?.value;
            let json = json!({ "account": handle.as_str(), "sessions_ended": ended });
            AdminOutput::line(format!("account `{handle}` signed out: {ended} session(s) ended"), json)
        }
    })
}

async fn operator(authority: &Authority, command: AdminOperatorCommand) -> AdminResult {
    let (done, how) = match command {
        AdminOperatorCommand::Grant { handle } => (
            authority.operator().grant_operator(CONSOLE, &handle).await?,
            ["is an operator", "was already an operator"],
        ),
        AdminOperatorCommand::Revoke { handle, yes } => {
            let accounts = authority.operator().list_accounts(CONSOLE).await?.rows;
            let operators = accounts.iter().filter(|account| account.operator);
            let (named, others): (Vec<_>, Vec<_>) = operators.partition(|account| account.handle == handle);
            // The authority reports an unknown account, and one that is not an operator.
            if !named.is_empty() {
                let last = if others.iter().any(|account| account.disabled_at.is_none()) {
                    ""
                } else {
                    ", the last operator"
                };
                asked(yes, &format!("This will take an operator's power from `{handle}`{last}."))?;
            }
            (
                authority.operator().revoke_operator(CONSOLE, &handle).await?,
                ["is no longer an operator", "was no operator"],
            )
        }
    };
    let Changed { value: account, changed, .. } = done;
    let [now, already] = how;
    let json =
        json!({ "account": account.handle.as_str(), "operator": account.operator, "changed": changed });
    Ok(AdminOutput::line(
        format!("account `{}` {}", account.handle, if changed { now } else { already }),
        json,
    ))
}

fn turned(handle: &Handle, how: &str, changed: bool) -> AdminOutput {
    let already = if changed { "" } else { "was already " };
    let json = json!({ "account": handle.as_str(), "status": how, "changed": changed });
    AdminOutput::line(format!("account `{handle}` {already}{how}"), json)
}

async fn org(authority: &Authority, command: AdminOrgCommand) -> AdminResult {
    Ok(match command {
        AdminOrgCommand::Create { slug, name, admin } => {
            let org = authority.orgs().create(CONSOLE, &NewOrg { slug, name, admin }).await?.value;
            let json = json!({ "created": true, "org": show::org_json(&org, None)? });
            AdminOutput::line(format!("org `{}` created", org.slug), json)
        }
        AdminOrgCommand::List { all } => {
            let mut orgs = authority.operator().list_every_org(CONSOLE).await?.rows;
            orgs.retain(|view| all || view.org.deleted_at.is_none());
            AdminOutput::table(show::orgs(&orgs)?)
        }
        AdminOrgCommand::Delete { org, yes } => delete_org(authority, &org, yes).await?,
    })
}

/// Deletes an org, which is found by its slug, its id or a beginning of that.
async fn delete_org(authority: &Authority, text: &str, yes: bool) -> AdminResult {
    let orgs = authority.operator().list_every_org(CONSOLE).await?;
    let living = orgs.rows.iter().filter(|view| view.org.deleted_at.is_none());
    let named = living.map(|view| (view.org.slug.as_str().to_owned(), view.org.id.to_string(), view));
    let found = resolve(named, text, "org", "`ndauthd admin org list -f json` shows their ids")?;
    let slug = match found {
        Some(view) => view.org.slug.clone(),
        // The authority says why it cannot be deleted.
        None => text.parse().map_err(|_| Failure::failed(format!("there is no org `{text}`"), None))?,
    };
    if let Some(view) = found {
        let members = view.members;
        confirmed(
            yes,
            &format!("delete the org `{slug}` with its {members} member(s), and retire its name"),
        )?;
    }
    authority.orgs().delete(CONSOLE, &slug).await?;
    let json = json!({ "deleted": true, "org": slug.as_str() });
    Ok(AdminOutput::line(format!("org `{slug}` deleted"), json))
}

async fn revoke_service(authority: &Authority, text: &str, yes: bool) -> AdminResult {
    let (name, exists) = find_service(authority, text).await?;
    // What is not there is for the authority to say.
    if exists {
        confirmed(yes, &format!("revoke the service `{name}`, so that it can ask nothing"))?;
    }
    authority.operator().revoke_service(CONSOLE, &name).await?;
    let json = json!({ "revoked": true, "service": name.as_str() });
    Ok(AdminOutput::line(format!("service `{name}` revoked"), json))
}

/// The name of a service, which is found by its name, its id, a beginning of that, or the prefix of a secret; and
/// whether there is one.
async fn find_service(authority: &Authority, text: &str) -> Result<(Label, bool), AdminError> {
    let services = authority.operator().list_services(CONSOLE).await?;
    let living = services.rows.iter().filter(|view| view.service.revoked_at.is_none());
    let by_prefix = living.clone().find(|view| view.secrets.iter().any(|of| of.prefix.as_str() == text));
    let named = living.map(|view| (view.service.name.as_str().to_owned(), view.service.id.to_string(), view));
    let found = match by_prefix {
        Some(view) => Some(view),
        None => resolve(named, text, "service", "`ndauthd admin service list -f json` shows their ids")?,
    };
    match found {
        Some(view) => Ok((view.service.name.clone(), true)),
        None => {
            let none = |_| Failure::failed(format!("there is no service `{text}`"), None);
            Ok((text.parse().map_err(none)?, false))
        }
    }
}

/// Finds what a text names: by its name, its id, or an unambiguous beginning of its id.
fn resolve<T>(
    all: impl Iterator<Item = (String, String, T)>,
    text: &str,
    what: &str,
    hint: &str,
) -> Result<Option<T>, Failure> {
    let mut begun = Vec::new();
    for (name, id, of) in all {
        if name == text {
            return Ok(Some(of));
        }
        if text.len() >= 4 && id.starts_with(text) {
            begun.push(of);
        }
    }
    match begun.len() {
        0 | 1 => Ok(begun.pop()),
        many => Err(Failure::failed(format!("`{text}` may be any of {many} {what}s"), Some(hint))),
    }
}

/// Asks before what cannot be undone.
fn confirmed(yes: bool, what: &str) -> Result<(), Failure> {
    asked(yes, &format!("This will {what}. It cannot be undone."))
}

fn asked(yes: bool, what: &str) -> Result<(), Failure> {
    if yes || confirm(&format!("{what} Go on? [y/N]:"), "--yes")? {
        Ok(())
    } else {
        Err(Failure::failed("aborted: nothing was done", None))
    }
}

async fn member(authority: &Authority, command: AdminMemberCommand) -> AdminResult {
    Ok(match command {
        AdminMemberCommand::Set { org, handle, role } => {
            authority.orgs().add_member(CONSOLE, &org, &handle, role).await?;
            let json = json!({ "org": org.as_str(), "account": handle.as_str(), "role": role.as_str() });
            AdminOutput::line(format!("account `{handle}` has the role `{role}` in the org `{org}`"), json)
        }
        AdminMemberCommand::List { org, account } => {
            let mut members = authority.operator().list_every_member(CONSOLE).await?.rows;
            members.retain(|member| org.as_ref().is_none_or(|org| member.org == *org));
            members.retain(|member| account.as_ref().is_none_or(|account| member.account == *account));
            AdminOutput::table(show::members(&members))
        }
        AdminMemberCommand::Remove { org, handle } => {
            authority.orgs().remove_member(CONSOLE, &org, &handle).await?;
            let json = json!({ "removed": true, "org": org.as_str(), "account": handle.as_str() });
            AdminOutput::line(format!("account `{handle}` is no longer a member of the org `{org}`"), json)
        }
    })
}

async fn session(authority: &Authority, command: AdminSessionCommand) -> AdminResult {
    Ok(match command {
        AdminSessionCommand::Issue { handle, expires_in } => {
            let secret = authority.operator().issue_session(CONSOLE, &handle, expires_in).await?;
            let aside = "log in with it: `ndcli auth login --with-token`".to_owned();
            let if_lost =
                format!("end it, with all other sessions: `ndauthd admin account sign-out {handle}`");
            AdminOutput::secret(&secret, aside, if_lost, json!({ "account": handle.as_str() }))
        }
        AdminSessionCommand::List { account, all } => {
            let mut sessions = authority.operator().list_sessions(CONSOLE).await?;
            let now = sessions.now;
            sessions.rows.retain(|view| {
                let ended = view.session.revoked_at.is_some() || view.session.expires_at.is_past(now);
                (all || !ended) && account.as_ref().is_none_or(|account| view.account == *account)
            });
            AdminOutput::table(show::sessions(&sessions)?)
        }
    })
}

async fn service(authority: &Authority, command: AdminServiceCommand) -> AdminResult {
    Ok(match command {
        AdminServiceCommand::Create { name, org, states_client_address } => {
            let orgs = if org.is_empty() { Orgs::All } else { Orgs::Only(org.into_iter().collect()) };
            let json = json!({ "created": true, "service": name.as_str() });
            let if_lost = format!("draw another: `ndauthd admin service rotate {}`", quoted(name.as_str()));
            let new = NewService { name, orgs, states_address: states_client_address };
            let secret = authority.operator().create_service(CONSOLE, &new).await?.value;
            let aside = "store it where the service reads it: it is not shown again".to_owned();
            AdminOutput::secret(&secret, aside, if_lost, json)
        }
        AdminServiceCommand::List { all } => {
            let mut services = authority.operator().list_services(CONSOLE).await?;
            services.rows.retain(|view| all || view.service.revoked_at.is_none());
            AdminOutput::table(show::services(&services)?)
        }
        AdminServiceCommand::Rotation(AdminRotationCommand::Confirm { service }) => {
            settle_service(authority, &service, &Settling::Confirm(None), "confirmed").await?
        }
        AdminServiceCommand::Rotation(AdminRotationCommand::Drop { service }) => {
            settle_service(authority, &service, &Settling::Drop, "dropped").await?
        }
        AdminServiceCommand::Rotation(AdminRotationCommand::Retire { service, yes }) => {
            settle_service(authority, &service, &Settling::Retire { anyway: yes }, "retired").await?
        }
        AdminServiceCommand::Rotate { service, overlap } => {
            let (name, _) = find_service(authority, &service).await?;
            let rotated = authority.operator().rotate_service(CONSOLE, &name, overlap).await?.value;
            let then = if overlap.is_zero() {
                "its previous secret ends then".to_owned()
            } else {
                format!("its previous secret stays valid for {} then", Lifetime::For(overlap))
            };
            let until = rotated.pending_until.minute();
            let aside = format!(
                "it takes over at its first use, or by `ndauthd admin service rotation confirm {}`, and {then}; \
                 unused it expires at {until}",
                quoted(name.as_str())
            );
            let json = json!({
                "rotated": true,
                "service": name.as_str(),
                "pending_until": rotated.pending_until.to_string(),
                "overlap_seconds": overlap.as_secs(),
            });
            let if_lost = format!(
                "drop it, and rotate again: `ndauthd admin service rotation drop {}`",
                quoted(name.as_str())
            );
            AdminOutput::secret(&rotated.secret, aside, if_lost, json)
        }
        AdminServiceCommand::Revoke { service, yes } => revoke_service(authority, &service, yes).await?,
    })
}

async fn settle_service(authority: &Authority, service: &str, settling: &Settling, how: &str) -> AdminResult {
    let (name, _) = find_service(authority, service).await?;
    let name = &name;
    let changed = authority.operator().settle_service(CONSOLE, name, settling).await?.changed;
    let json = json!({ "settled": how, "service": name.as_str(), "changed": changed });
    let which = if matches!(settling, Settling::Retire { .. }) { "old" } else { "new" };
    Ok(AdminOutput::line(format!("the {which} secret of the service `{name}` is {how}"), json))
}

async fn tidy(authority: &Authority) -> AdminResult {
    let Tidied { tokens, secrets, sessions, services } = authority.operator().tidy_up_now(CONSOLE).await?;
    let json = json!({
        "tokens_removed": tokens,
        "secrets_removed": secrets,
        "sessions_removed": sessions,
        "services_removed": services,
    });
    let text = format!(
        "removed {tokens} token(s), {secrets} secret(s), {sessions} session(s) and {services} service(s) that ended long ago"
    );
    Ok(AdminOutput::line(text, json))
}

async fn token(authority: &Authority, command: AdminTokenCommand) -> Result<AdminOutput, Failure> {
    match command {
        AdminTokenCommand::List { owner, all } => {
            let listed = authority.operator().list_every_token(CONSOLE, owner.as_ref(), all).await;
            show::tokens(&listed.map_err(|error| authority_failure(&error))?).map(AdminOutput::table)
        }
        AdminTokenCommand::Revoke { token, owner, yes } => {
            let listed = authority.operator().list_every_token(CONSOLE, owner.as_ref(), false).await;
            let listed = listed.map_err(|error| authority_failure(&error))?;
            let named = listed.rows.iter().filter(|view| {
                let token_id = view.token.id.to_string();
                (owner.is_some() && view.token.name.as_str() == token) || token_id.starts_with(&token)
            });
            let which = named.map(|view| {
                format!("the token `{}` ({}) of `{}`", view.token.name, view.token.id, view.owner_name())
            });
            let which: Vec<String> = which.collect();
            // What is not there, or is revoked, is for the authority to say.
            if let [only] = which.as_slice() {
                confirmed(yes, &format!("revoke {only}"))?;
            }
            let (whose, which) = (whose(owner), Which::Name(token));
            let why = Revoking::because(RevocationReason::NoLongerNeeded);
            let revoked = authority.tokens().revoke(CONSOLE, &whose, &which, &why).await;
            turned_token(&revoked.map_err(|error| token_failure(&error, &whose))?, "revoked")
        }
        AdminTokenCommand::Suspend { token, owner } => {
            let whose = whose(owner);
            let changed = authority.tokens().suspend(CONSOLE, &whose, &Which::Name(token)).await;
            turned_token(&changed.map_err(|error| token_failure(&error, &whose))?, "suspended")
        }
        AdminTokenCommand::Resume { token, owner } => {
            let whose = whose(owner);
            let changed = authority.tokens().resume(CONSOLE, &whose, &Which::Name(token)).await;
            turned_token(&changed.map_err(|error| token_failure(&error, &whose))?, "resumed")
        }
    }
}

/// Shows a token that was changed. The responses to its suspension, to the end of that and to its revocation have the
/// same fields.
fn turned_token(done: &Changed<TokenView>, how: &str) -> Result<AdminOutput, Failure> {
    let Changed { value, changed, sequence, now } = done;
    let already = if *changed { "" } else { "was already " };
    let response = v1::RevokeTokenResponse {
        token: Some(token_to_proto(value, *now)),
        changed: *changed,
        sequence: *sequence,
        evaluated_at: Some(timestamp_to_proto(*now)),
    };
    let token = &value.token;
    let text = format!("token `{}` ({}) {already}{how}", token.name, token.id);
    Ok(AdminOutput::line(text, message_json(&response)?))
}

/// Whose token: by its name it is looked for among an owner's, by its id or a beginning of that among all.
fn whose(owner: Option<Handle>) -> Whose {
    owner.map_or(Whose::Anyone, Whose::Account)
}

/// Adds how a token is named where it was not found: a name needs its owner.
fn token_failure(error: &AuthorityError, whose: &Whose) -> Failure {
    let failure = authority_failure(error);
    match (error.reason(), whose) {
        (Reason::NotFound, Whose::Anyone) => Failure { hint: Some(NAMES.to_owned()), ..failure },
        _ => failure,
    }
}

const NAMES: &str = "give its id, or its name and `--owner HANDLE`: `ndauthd admin token list` shows both";

async fn check(authority: &Authority) -> AdminResult {
    let checked = authority.operator().check(CONSOLE).await?;
    let sound = checked.faults.is_empty();
    let mut text: String =
        checked.faults.iter().map(|fault| format!("✗ {}\n", ndauth_terminal::shown(fault))).collect();
    text.extend(checked.notes.iter().map(|note| format!("• {}\n", ndauth_terminal::shown(note))));
    text += &format!(
        "{} {} events and {} rows compared: {}\n",
        if sound { "✓" } else { "✗" },
        checked.events,
        checked.rows,
        if sound { "no problems found".to_owned() } else { format!("{} fault(s)", checked.faults.len()) }
    );
    let json = json!({
        "sound": sound, "events": checked.events, "rows": checked.rows, "faults": checked.faults,
        "notes": checked.notes,
    });
    Ok(AdminOutput { text, json, aside: None, failed: !sound, if_lost: None })
}

async fn backup(authority: &Authority, file: &Path) -> AdminResult {
    let head = authority.operator().back_up(CONSOLE, file).await?;
    let text = format!("copied to `{}`, with all up to event {} at least", file.display(), head.sequence);
    Ok(AdminOutput::line(text, json!({ "file": file.display().to_string(), "sequence": head.sequence })))
}

async fn restore(location: &DataLocation, file: &Path) -> Result<AdminOutput, Failure> {
    let restored = Authority::restore(&location.database, file).await.map_err(|error| {
        let failure = authority_failure(&error);
        let hint = failure.hint.unwrap_or_else(|| {
            "if the database is damaged, move it, its `-wal` and its `-shm` away, leave its `.head`, and restore again".to_owned()
        });
        Failure { hint: Some(hint), ..failure }
    })?;
    let kept = restored.kept.as_ref().map(|path| path.display().to_string());
    let mut text =
        format!("restored from `{}`: the log ends with event {}", file.display(), restored.head.sequence);
    if let Some(kept) = &kept {
        text += &format!("\nthe previous database is kept in `{kept}`");
    }
    let json = json!({
        "restored": true, "file": file.display().to_string(), "sequence": restored.head.sequence, "kept": kept,
    });
    let aside =
        "it is not served before you decide which of its secrets stay valid: it does not know what was \
                 revoked since it was made\n\
                 hint: `ndauthd admin after-restore --replay EXPORT`, or `--not-before now`"
            .to_owned();
    Ok(AdminOutput { aside: Some(aside), ..AdminOutput::line(text, json) })
}

async fn after_restore(
    authority: &Authority,
    replay: Option<&Path>,
    not_before: Option<InstantOrNow>,
) -> Result<AdminOutput, Failure> {
    let settlement = match (replay, not_before) {
        (Some(file), _) => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                Failure::failed(format!("cannot read `{}`: {error}", file.display()), None)
            })?;
            Settlement::Replay(parse_export(&text).map_err(|error| authority_failure(&error))?)
        }
        (None, Some(InstantOrNow::Instant(instant))) => Settlement::NotBefore(instant),
        (None, Some(InstantOrNow::Now)) => Settlement::Everything,
        (None, None) => Settlement::AcceptLoss,
    };
    let settled = authority
        .operator()
        .after_restore(CONSOLE, &settlement)
        .await
        .map_err(|error| authority_failure(&error))?;
    let how = match settlement {
        Settlement::Replay(_) => {
            format!("{} event(s) replayed after event {}", settled.replayed, settled.copy)
        }
        Settlement::AcceptLoss => {
            format!(
                "what was lost after event {} stays lost, and what it revoked is valid again",
                settled.copy
            )
        }
        Settlement::NotBefore(_) | Settlement::Everything => {
            format!("every secret minted before {} is revoked", settled.not_before)
        }
    };
    let text = format!("{how}: {} secret(s) revoked, {} stay valid", settled.revoked, settled.others);
    let services: Vec<&str> = settled.without_secret.iter().map(Label::as_str).collect();
    let json = json!({
        "copy_sequence": settled.copy,
        "replayed": settled.replayed,
        "not_before": (settled.not_before > Timestamp::MIN).then(|| settled.not_before.to_string()),
        "secrets_revoked": settled.revoked,
        "other_secrets": settled.others,
        "lost": settled.lost,
        "services_without_secret": services,
        "orgs_without_networks": settled.without_networks.iter().map(OrgSlug::as_str).collect::<Vec<_>>(),
    });
    let mut aside = vec!["it is served again".to_owned()];
    if settled.revoked > 0 {
        aside.push(
            "people log in again and make new tokens, under the same names if they like; services get new secrets \
             by `ndauthd admin service rotate NAME`"
                .to_owned(),
        );
    }
    if matches!(settlement, Settlement::NotBefore(_)) && settled.others > 0 {
        aside.push(format!(
            "{} secret(s) minted since then stay valid, even if revoked after the copy: give a later instant, or `now`",
            settled.others
        ));
    }
    if settled.lost > 0 {
        aside.push(format!("{} thing(s) made after the copy are unknown now", settled.lost));
    }
    for org in &settled.without_networks {
        aside.push(format!(
            "the policy of the org `{org}` admits no network, since those that it names were erased from the log: set \
             it again, or no token has power there"
        ));
    }
    for service in services {
        aside.push(format!(
            "the service `{service}` was rotated after the copy: `ndauthd admin service rotate` it again"
        ));
    }
    Ok(AdminOutput { aside: Some(aside.join("\n")), ..AdminOutput::line(text, json) })
}

async fn export(location: &DataLocation, mut after: u64) -> Result<(), Failure> {
    let authority =
        Authority::open_log(&location.database).await.map_err(|error| authority_failure(&error))?;
    loop {
        let page = authority.audit().export_at_console(after).await;
        let page = page.map_err(|error| authority_failure(&error))?;
        let Some(last) = page.last() else { break };
        after = last.sequence;
        print(&page.iter().map(|event| event.to_line() + "\n").collect::<String>())?;
    }
    authority.close().await.map_err(|error| authority_failure(&error))
}

async fn migration_status(location: &DataLocation) -> Result<AdminOutput, Failure> {
    let states =
        Authority::migrations(&location.database).await.map_err(|error| authority_failure(&error))?;
    let state = |step: &MigrationState| match (step.applied, step.known) {
        (true, true) => "applied",
        (true, false) => "newer",
        (false, _) => "pending",
    };
    let lines: Vec<String> = states.iter().map(|step| format!("{}  {}", step.name, state(step))).collect();
    let steps: Vec<Value> =
        states.iter().map(|step| json!({ "name": step.name, "state": state(step) })).collect();
    Ok(AdminOutput::line(lines.join("\n"), json!({ "steps": steps })))
}
