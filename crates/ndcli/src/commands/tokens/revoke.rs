//! `ndcli auth token revoke` and `ndcli token revoke`: one token, or all of a time.

use clap::ValueEnum;
use clap_complete::ArgValueCandidates;
use ndauth_core::{Handle, Secret, SecretKind, Since, Timestamp};
use ndauth_proto::v1::{self, revoke_all_tokens_request};
use ndauth_proto::{timestamp_from_proto, timestamp_to_proto};
use ndauth_terminal::{
    Failure, TokenShown, aside, detailed, instant, nonsense, print, print_message, required_timestamp, shown,
};

use super::aim::{Aim, ChangedToken, OwnerArguments, OwnerChoice, TokenSnapshot};
use super::list::fields;
use crate::commands::candidates;
use crate::connection::connect;
use crate::settings::{CommonOptions, Format};
use crate::terminal::{confirm, require_terminal};

#[derive(clap::Args)]
pub(crate) struct RevokeTokens<W: OwnerArguments> {
    /// Token: its name, its id, the beginning of its id, or its prefix
    #[arg(value_name = "TOKEN", add = ArgValueCandidates::new(candidates::token_names),
          required_unless_present_any = ["all", "token_id"])]
    name: Option<String>,

    /// The same, by its id
    #[arg(long, alias = "token_id", value_name = "ID", conflicts_with_all = ["name", "all"], hide = true)]
    token_id: Option<String>,

    /// Reason: rotated-away, leaked, owner-left, policy
    #[arg(long, value_name = "REASON", default_value = "no-longer-needed", hide_possible_values = true)]
    reason: ReasonOption,

    /// Why, in your words; the token's owner sees it
    #[arg(long, value_name = "TEXT", conflicts_with = "all")]
    note: Option<String>,

    /// Revoke all secrets made before an instant
    ///
    /// Without an org, those of your personal tokens. In an org, those of its own tokens, and the power there of all
    /// other tokens; only its admins may.
    #[arg(long, conflicts_with = "name", requires = "created_before")]
    all: bool,

    /// With --all: 2026-11-21, an RFC 3339 instant, or now
    #[arg(long, value_name = "WHEN", value_parser = before, requires = "all")]
    created_before: Option<Before>,

    /// With --all: tokens of this account; operators only
    #[arg(long = "owner", value_name = "HANDLE", requires = "all", value_parser = handle, id = "of_account")]
    account: Option<Handle>,

    /// With --all: show what would be revoked; revoke nothing
    #[arg(long, requires = "all")]
    preview: bool,

    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    owner: W,
}

#[derive(Clone, Copy, ValueEnum)]
enum ReasonOption {
    NoLongerNeeded,
    /// Another token took its place
    RotatedAway,
    /// Somebody else may have its secret
    Leaked,
    OwnerLeft,
    Policy,
}

impl ReasonOption {
    fn to_proto(self) -> v1::RevocationReason {
        match self {
            ReasonOption::NoLongerNeeded => v1::RevocationReason::NoLongerNeeded,
            ReasonOption::RotatedAway => v1::RevocationReason::RotatedAway,
            ReasonOption::Leaked => v1::RevocationReason::Leaked,
            ReasonOption::OwnerLeft => v1::RevocationReason::OwnerLeft,
            ReasonOption::Policy => v1::RevocationReason::Policy,
        }
    }
}

#[derive(Clone, Copy)]
enum Before {
    Now,
    At(Timestamp),
}

fn before(text: &str) -> Result<Before, String> {
    match text {
        "now" => Ok(Before::Now),
        text => instant(text).map(Before::At).map_err(|why| format!("{why}, or `now`")),
    }
}

fn handle(text: &str) -> Result<Handle, String> {
    text.parse().map_err(|why: ndauth_core::InvalidName| format!("the name {why}"))
}

/// Revokes a token, or all of a time, once the person or the flag confirms.
pub(crate) async fn run<W: OwnerArguments>(
    common: &CommonOptions,
    revoke: &RevokeTokens<W>,
) -> Result<(), Failure> {
    let which = match (&revoke.name, &revoke.token_id) {
        (_, Some(id)) => v1::which::Kind::Id(id.clone()),
        (Some(name), None) => v1::which::Kind::Name(name.clone()),
        (None, None) => return all(common, revoke).await,
    };
    let aim = Aim { whose: revoke.owner.whose()?, which };
    // If no one can answer the question, no request is sent.
    if !revoke.yes {
        require_terminal("--yes")?;
    }
    let server = connect(common).await?;
    let (aim, found) = match server.credential.secret.kind() {
        // A token revokes only itself. Looking it up would use its secret, which confirms a pending one.
        SecretKind::Personal | SecretKind::Org => (aim, None),
        // It is found by its name and revoked by its id: a retry then never meets another token, nor none after
        // the first attempt was carried out and its response was lost.
        _ => {
            let seen = aim.get(&server).await?;
            (aim.by_id(&seen.token), Some(seen).filter(|seen| aim.shown() != seen.token.name || !revoke.yes))
        }
    };
    if let Some(seen) = &found {
        let which = described(&aim.whose, seen);
        if revoke.yes {
            aside(&format!("revoking {which}"));
        } else if !confirm(&format!("Revoke {which}? This cannot be undone. [y/N]:"), "--yes")? {
            return Err(Failure::failed("aborted: nothing was revoked", None));
        }
    } else if !revoke.yes
        && !confirm("Revoke the token that is in use? This cannot be undone. [y/N]:", "--yes")?
    {
        return Err(Failure::failed("aborted: nothing was revoked", None));
    }
    let ChangedToken { answer, token, changed, .. } =
        aim.revoke(&server, revoke.reason.to_proto(), revoke.note.as_deref()).await?;
    let how = match (changed, token.revoked_at) {
        (_, None) => lives_on(&token, &server.credential.secret),
        (true, Some(_)) => "revoked",
        (false, Some(_)) => "was revoked before",
    };
    match common.format {
        Format::Table => print(&format!("✓ {} \"{}\" {how}\n", aim.whose.noun(), shown(&token.name))),
        Format::Simple => print(&format!("• {} [{}] {how}\n", shown(&token.name), shown(&token.prefix))),
        Format::Detailed => print(&detailed(&fields(&token, token.created_at))),
        Format::Json => print_message(&answer),
    }
}

/// A token that is about to end, so that nobody ends another than they mean.
fn described(whose: &OwnerChoice, TokenSnapshot { token, now }: &TokenSnapshot) -> String {
    let of = match whose {
        OwnerChoice::Mine => String::new(),
        OwnerChoice::Org(org) => format!(" of the org \"{org}\""),
    };
    let used = token
        .last_used_at
        .map_or("never used".to_owned(), |at| format!("last used {}", Since { at, as_of: *now }));
    format!("token \"{}\"{of} ({}, {}, {used})", shown(&token.name), shown(&token.prefix), token.held())
}

/// The sentence for a token that lives on: it presented another secret than the one in force, and ended that alone.
fn lives_on(token: &TokenShown, presented: &Secret) -> &'static str {
    let prefix = presented.prefix().to_string();
    match token.secrets.iter().find(|secret| secret.prefix == prefix).map(|secret| secret.state) {
        Some("expired") => "still valid: its new secret, which was presented, is dropped",
        Some("retired") => "still valid: its old secret, which was presented, is retired",
        Some(_) | None => "still valid: the secret that was presented has ended",
    }
}

async fn all<W: OwnerArguments>(common: &CommonOptions, revoke: &RevokeTokens<W>) -> Result<(), Failure> {
    let whose = match &revoke.account {
        Some(account) => v1::Whose::account(account),
        None => revoke.owner.whose()?.to_proto(),
    };
    let which = match revoke.created_before {
        Some(Before::At(at)) => revoke_all_tokens_request::Which::CreatedBefore(timestamp_to_proto(at)),
        Some(Before::Now) | None => revoke_all_tokens_request::Which::All(v1::All {}),
    };
    let request = v1::RevokeAllTokensRequest { owner: Some(whose), which: Some(which), dry_run: true };
    let server = connect(common).await?;
    let preview = server.ask(async |client| client.revoke_all_tokens(request.clone()).await).await?;
    if revoke.preview {
        return show_revoked(common, &preview);
    }
    if !revoke.yes {
        let (tokens, used) = (preview.tokens, preview.used_today_count);
        let question =
            format!("Revoke {tokens} token(s), {used} of which were used within the last day? [y/N]:");
        if common.format == Format::Table {
            print(&text(&preview)?)?;
        }
        if !confirm(&question, "--yes")? {
            return Err(Failure::failed("aborted: nothing was revoked", None));
        }
    }
    let request = v1::RevokeAllTokensRequest { dry_run: false, ..request };
    let done = server.ask(async |client| client.revoke_all_tokens(request.clone()).await).await?;
    show_revoked(common, &done)
}

fn show_revoked(common: &CommonOptions, done: &v1::RevokeAllTokensResponse) -> Result<(), Failure> {
    match common.format {
        Format::Table | Format::Detailed => print(&text(done)?),
        Format::Simple => print(&format!("• tokens:{} used_today:{}\n", done.tokens, done.used_today_count)),
        Format::Json => print_message(done),
    }
}

fn not_before(done: &v1::RevokeAllTokensResponse) -> Result<Timestamp, Failure> {
    let at = done.not_before.ok_or_else(|| nonsense("a time is missing"))?;
    Ok(timestamp_from_proto("not_before", at)?)
}

fn text(done: &v1::RevokeAllTokensResponse) -> Result<String, Failure> {
    let v1::RevokeAllTokensResponse { tokens, used_today_count, .. } = done;
    let (before, now) = (not_before(done)?, required_timestamp("evaluated_at", Some(done.evaluated_at))?);
    let mut text = match done.changed {
        true => format!("✓ All that was made before {before} is revoked: {tokens} token(s)\n"),
        false => format!(
            "{tokens} token(s) have a secret that was made before {before}; {used_today_count} of them were used \
             within the last day\n"
        ),
    };
    for token in &done.used_today {
        let token = TokenShown::read(Some(token.clone()))?;
        let owner = token.owner_org.as_ref().or(token.owner.as_ref()).map_or("-", String::as_str);
        let used = token.last_used_at.map(|at| Since { at, as_of: now }.to_string()).unwrap_or_default();
        let from = token.last_used_ip.map(|from| format!(" from {from}")).unwrap_or_default();
        text += &format!("• {} of {}: used {used}{}\n", shown(&token.name), shown(owner), shown(&from));
    }
    Ok(text)
}
