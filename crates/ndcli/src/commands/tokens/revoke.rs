//! `ndcli auth token revoke`: one token, or all of a time.

use clap_complete::ArgValueCandidates;
use ndauth_core::{Handle, OrgSlug, Since, Timestamp};
use ndauth_proto::{timestamp_from_proto, timestamp_to_proto, v1};
use ndauth_terminal::{Failure, TokenShown, detailed, nonsense, print, print_json, shown};
use serde_json::json;

use super::aim::Aim;
use crate::commands::candidates;
use crate::connection::{Connection, connect};
use crate::settings::values::org;
use crate::settings::{Common, Format};
use crate::terminal::confirm;

#[derive(clap::Args)]
pub(crate) struct Revoke {
    /// Name of the token to revoke, as `ndcli auth token list` shows it
    #[arg(add = ArgValueCandidates::new(candidates::token_names), required_unless_present = "all")]
    name: Option<String>,

    /// Why, in your words: you are told when you look at it later
    #[arg(long, value_name = "TEXT", conflicts_with = "all")]
    reason: Option<String>,

    /// Shut out every token that was made or rotated before an instant
    #[arg(long, conflicts_with = "name", requires = "created_before")]
    all: bool,

    /// With `--all`: that instant, in RFC 3339, or `now`
    #[arg(long, value_name = "INSTANT", value_parser = before, requires = "all")]
    created_before: Option<Before>,

    /// With `--all`: the tokens of this account, which only an operator may
    #[arg(long, value_name = "HANDLE", requires = "all", value_parser = handle)]
    owner: Option<Handle>,

    /// With `--all`: all tokens that have power in this org, there, which only its admins may
    #[arg(long = "org", value_name = "SLUG", requires = "all", conflicts_with = "owner", value_parser = org,
          add = ArgValueCandidates::new(candidates::orgs))]
    in_org: Option<OrgSlug>,

    /// With `--all`: say what it would do, and do nothing
    #[arg(long, requires = "all")]
    preview: bool,

    /// Skip the confirmation prompt
    #[arg(long)]
    yes: bool,
}

#[derive(Clone, Copy)]
enum Before {
    Now,
    At(Timestamp),
}

fn before(text: &str) -> Result<Before, String> {
    match text {
        "now" => Ok(Before::Now),
        text => text.parse().map(Before::At).map_err(|why: ndauth_core::InvalidTimestamp| why.to_string()),
    }
}

fn handle(text: &str) -> Result<Handle, String> {
    text.parse().map_err(|why: ndauth_core::InvalidName| format!("the name {why}"))
}

/// Revokes a token, or all of a time, once the person or the flag confirms.
pub(crate) async fn run(common: &Common, revoke: &Revoke) -> Result<(), Failure> {
    let Some(name) = &revoke.name else { return all(common, revoke).await };
    let aim = Aim::mine(name)?;
    if !revoke.yes {
        let question = format!("Revoke token \"{}\"? This cannot be undone. [y/N]:", aim.shown());
        if !confirm(&question, "--yes")? {
            return Err(Failure::failed("aborted: nothing was revoked", None));
        }
    }
    let server = connect(common).await?;
    // By its name it is looked for, by its id it is revoked: a second try then never meets another token,
    // nor none, where the first was carried out and its answer was lost.
    let aim = aim.by_id(&aim.get(&server).await?.token);
    let token = aim.revoke(&server, revoke.reason.as_deref().unwrap_or_default()).await?;
    match common.format {
        Format::Table => print(&format!("✓ Personal access token \"{}\" revoked\n", shown(&token.name))),
        Format::Simple => print(&format!("• {} [{}] revoked\n", shown(&token.name), shown(&token.prefix))),
        Format::Detailed => print(&detailed(&super::list::fields(&token, token.created_at))),
        Format::Json => print_json(&json!({
            "revoked": true,
            "name": token.name,
            "id": token.id,
            "revoked_at": token.revoked_at.map(|at| at.to_string()),
        })),
    }
}

/// What shutting out does, as of an instant.
struct Told {
    shut_out: v1::ShutOut,
    now: Timestamp,
}

async fn all(common: &Common, revoke: &Revoke) -> Result<(), Failure> {
    let server = connect(common).await?;
    let preview = ask(&server, revoke, true).await?;
    if revoke.preview {
        return tell(common, &preview, false);
    }
    if !revoke.yes {
        let (tokens, used) = (preview.shut_out.tokens, preview.shut_out.used_today_count);
        let question =
            format!("Shut out {tokens} token(s), {used} of which were used within the last day? [y/N]:");
        if common.format == Format::Table {
            print(&text(&preview, false)?)?;
        }
        if !confirm(&question, "--yes")? {
            return Err(Failure::failed("aborted: nothing was shut out", None));
        }
    }
    let done = ask(&server, revoke, false).await?;
    tell(common, &done, true)
}

async fn ask(server: &Connection, revoke: &Revoke, dry_run: bool) -> Result<Told, Failure> {
    let created_before = match revoke.created_before {
        Some(Before::At(at)) => Some(timestamp_to_proto(at)),
        Some(Before::Now) | None => None,
    };
    let (shut_out, now) = match (&revoke.owner, &revoke.in_org) {
        (Some(owner), _) => {
            let handle = owner.to_string();
            let request = v1::RevokeAccountTokensRequest { handle, created_before, dry_run };
            let done = server.ask(async |client| client.revoke_account_tokens(request.clone()).await).await?;
            (done.shut_out, done.evaluated_at)
        }
        (None, Some(org)) => {
            let request = v1::RevokeAllOrgTokensRequest { org: org.to_string(), created_before, dry_run };
            let done = server.ask(async |client| client.revoke_all_org_tokens(request.clone()).await).await?;
            (done.shut_out, done.evaluated_at)
        }
        (None, None) => {
            let request = v1::RevokeAllTokensRequest { created_before, dry_run };
            let done = server.ask(async |client| client.revoke_all_tokens(request).await).await?;
            (done.shut_out, done.evaluated_at)
        }
    };
    let shut_out = shut_out.ok_or_else(|| nonsense("the answer does not say what is shut out"))?;
    let now = now.ok_or_else(|| nonsense("the answer tells no time"))?;
    Ok(Told { shut_out, now: timestamp_from_proto("evaluated_at", now)? })
}

fn tell(common: &Common, told: &Told, done: bool) -> Result<(), Failure> {
    let Told { shut_out, .. } = told;
    match common.format {
        Format::Table | Format::Detailed => print(&text(told, done)?),
        Format::Simple => {
            print(&format!("• tokens:{} used_today:{}\n", shut_out.tokens, shut_out.used_today_count))
        }
        Format::Json => {
            let used = shut_out.used_today.iter().cloned().map(|token| TokenShown::read(Some(token)));
            let used = used.map(|token| token.map(|token| token.json())).collect::<Result<Vec<_>, _>>()?;
            print_json(&json!({
                "shut_out": done,
                "not_before": not_before(shut_out)?.to_string(),
                "tokens": shut_out.tokens,
                "used_today": used,
            }))
        }
    }
}

fn not_before(shut_out: &v1::ShutOut) -> Result<Timestamp, Failure> {
    let at = shut_out.not_before.ok_or_else(|| nonsense("the answer tells no instant"))?;
    Ok(timestamp_from_proto("not_before", at)?)
}

fn text(Told { shut_out, now }: &Told, done: bool) -> Result<String, Failure> {
    let v1::ShutOut { tokens, used_today_count, .. } = shut_out;
    let before = not_before(shut_out)?;
    let mut text = match done {
        true => format!("✓ {tokens} token(s) shut out: all whose secrets were made before {before}\n"),
        false => format!(
            "{tokens} token(s) have a secret that was made before {before}; {used_today_count} of them were used \
             within the last day\n"
        ),
    };
    for token in &shut_out.used_today {
        let token = TokenShown::read(Some(token.clone()))?;
        let owner = token.owner_org.as_ref().or(token.owner.as_ref()).map_or("-", String::as_str);
        let used = token.last_used_at.map(|at| Since { at, as_of: *now }.to_string()).unwrap_or_default();
        let from = token.last_used_ip.map(|from| format!(" from {from}")).unwrap_or_default();
        text += &format!("• {} of {}: used {used}{}\n", shown(&token.name), shown(owner), shown(&from));
    }
    Ok(text)
}
