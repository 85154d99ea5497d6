//! `ndcli auth token list` and `ndcli token list`.

use std::time::Duration;

use clap::ValueEnum;
use ndauth_core::{Reason, SecretKind, Since, Timestamp};
use ndauth_proto::{duration_to_proto, policy_warning_from_proto, v1};
use ndauth_terminal::{
    Failure, RevocationShown, Rows, TokenShown, ago, detailed, names_or_all, print, print_message,
    required_timestamp, shown,
};
use prost::{Message, Name};

use super::aim::OwnerArguments;
use crate::connection::connect;
use crate::settings::values::span;
use crate::settings::{CommonOptions, Format};
use crate::transport::warn_of_policies;

#[derive(clap::Args)]
pub(crate) struct ListTokens<W: OwnerArguments> {
    /// Include revoked tokens
    #[arg(long, aliases = ["include-revoked", "include_revoked"])]
    all: bool,

    /// Only tokens unused for this long, such as 30d
    #[arg(long, value_name = "DURATION", value_parser = span)]
    unused_for: Option<Duration>,

    /// Only tokens that end within this time, such as 14d
    #[arg(long, value_name = "DURATION", value_parser = span)]
    expiring_within: Option<Duration>,

    /// Sort order: created, name, expires or last-used
    #[arg(long, value_name = "ORDER", default_value = "created", hide_possible_values = true)]
    sort: Sort,

    /// Reverse the order
    #[arg(long)]
    reverse: bool,

    /// List at most this many
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,

    #[command(flatten)]
    owner: W,
}

#[derive(Clone, Copy, ValueEnum)]
enum Sort {
    /// By creation, oldest first
    Created,
    /// By name
    Name,
    /// By end, soonest first
    Expires,
    /// By last use, longest ago first
    LastUsed,
}

impl Sort {
    fn to_proto(self) -> v1::TokenOrder {
        match self {
            Sort::Created => v1::TokenOrder::Created,
            Sort::Name => v1::TokenOrder::Name,
            Sort::Expires => v1::TokenOrder::Expiry,
            Sort::LastUsed => v1::TokenOrder::LastUse,
        }
    }
}

/// Lists tokens, oldest first unless another order is asked for.
pub(crate) async fn run<W: OwnerArguments>(
    common: &CommonOptions,
    list: &ListTokens<W>,
) -> Result<(), Failure> {
    let whose = list.owner.whose()?.to_proto();
    let server = connect(common).await?;
    let request = v1::ListTokensRequest {
        owner: Some(whose),
        include_revoked: list.all,
        unused_for: list.unused_for.map(duration_to_proto),
        expiring_within: list.expiring_within.map(duration_to_proto),
        order: Some(list.sort.to_proto().into()),
        reverse: list.reverse,
        ..Default::default()
    };
    let limit = list.limit.unwrap_or(usize::MAX);
    let listed = server.ask(async |client| client.every_token(&request, limit).await).await;
    let listed = listed.map_err(|failure| {
        shorter(
            failure,
            "list fewer: `--limit COUNT`, `--unused-for DURATION` or `--expiring-within DURATION`",
        )
    })?;
    // A token that lists itself is warned by the answer.
    if server.credential.secret.kind() == SecretKind::Session {
        for token in &listed.tokens {
            let warnings = token.policy_warnings.iter().cloned().map(policy_warning_from_proto);
            warn_of_policies(&format!("`{}`", token.name), &warnings.collect::<Result<Vec<_>, _>>()?);
        }
    }
    let tokens = read(&listed.tokens)?;
    let now = required_timestamp("evaluated_at", Some(listed.evaluated_at))?;
    show(common.format, &listed, &tokens, now)
}

/// A failure, with how to ask for a shorter list where the list was too long.
pub(crate) fn shorter(failure: Failure, hint: &str) -> Failure {
    if failure.hint.as_deref() != ndauth_proto::hint(Reason::RequestTooLarge) {
        return failure;
    }
    Failure { hint: Some(hint.to_owned()), ..failure }
}

/// Reads the tokens of a response.
pub(crate) fn read(tokens: &[v1::Token]) -> Result<Vec<TokenShown>, Failure> {
    tokens.iter().map(|token| TokenShown::read(Some(token.clone()))).collect()
}

/// Shows tokens and the response that lists them, as of an instant.
pub(crate) fn show<M: Message + Name>(
    format: Format,
    answer: &M,
    tokens: &[TokenShown],
    now: Timestamp,
) -> Result<(), Failure> {
    match format {
        Format::Table => {
            let notes = notes(tokens, now);
            print(&format!("{}Total: {} token(s)\n{notes}", table(tokens, now), tokens.len()))
        }
        Format::Simple => print(&tokens.iter().map(line).collect::<String>()),
        Format::Detailed => {
            let tables: String = tokens.iter().map(|token| detailed(&fields(token, now))).collect();
            print(&format!("{tables}Total: {} token(s)\n", tokens.len()))
        }
        Format::Json => print_message(answer),
    }
}

/// Notes below the table: rotations under way, suspensions, and retired secrets that were used.
fn notes(tokens: &[TokenShown], now: Timestamp) -> String {
    let mut notes = String::new();
    for token in tokens {
        let name = shown(&token.name);
        if let Some(rotation) = &token.rotation {
            notes += &format!("• {name}: {}\n", shown(&rotation.describe(now)));
        }
        for (prefix, at) in
            token.secrets.iter().filter_map(|secret| Some((&secret.prefix, secret.reused_at?)))
        {
            let since = Since { at, as_of: now };
            notes += &format!("• {name}: the retired secret {} was presented {since}\n", shown(prefix));
        }
        for (by, at) in &token.suspensions {
            notes += &format!("• {name}: suspended by {} {}\n", shown(by), Since { at: *at, as_of: now });
        }
    }
    notes
}

fn table(tokens: &[TokenShown], now: Timestamp) -> String {
    let row = |token: &TokenShown| {
        [
            token.name.clone(),
            token.prefix.clone(),
            token.held(),
            token.org(),
            token.expires(),
            last_used(token, now),
            token.status.to_owned(),
        ]
    };
    Rows {
        titles: ["NAME", "PREFIX", "SCOPE", "ORG", "EXPIRES", "LAST USED", "STATUS"],
        rows: tokens.iter().map(row).collect(),
        // As wide as `expired`, so that the column does not jump.
        last_width: 7,
    }
    .table()
}

/// A token in one line.
pub(crate) fn line(token: &TokenShown) -> String {
    format!(
        "• {} [{}/{}] org:{} expires:{} status:{}\n",
        shown(&token.name),
        shown(&token.prefix),
        shown(&token.held_whole()),
        shown(&token.org()),
        token.expires(),
        token.status
    )
}

/// Every field of a token, as of an instant.
pub(crate) fn fields(token: &TokenShown, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("Name", token.name.clone()),
        ("Id", token.id.clone()),
        ("Prefix", token.prefix.clone()),
        ("Scope", token.scope.to_owned()),
        ("Grants", token.granted()),
        ("Org", token.org()),
        ("For services", names_or_all(token.services.as_deref())),
        ("From networks", names_or_all(token.networks.as_deref())),
        ("Type", token.token_type.to_owned()),
        ("Status", token.status.to_owned()),
        ("Created", token.created_at.to_string()),
        ("Expires", token.expires()),
        ("Last used", last_used(token, now)),
    ];
    fields.extend(token.self_rotating_until.map(|until| ("Self-rotating", format!("until {until}"))));
    fields.extend(token.rotation.as_ref().map(|rotation| ("Rotation", rotation.describe(now))));
    fields.extend(
        token
            .suspensions
            .iter()
            .map(|(by, at)| ("Suspended", format!("by {by} {}", Since { at: *at, as_of: now }))),
    );
    fields.extend(token.description.clone().map(|text| ("Description", text)));
    fields.extend(token.owner_org.clone().map(|org| ("Owner", format!("the org {org}"))));
    fields.extend(token.last_used_ip.clone().map(|address| ("Last used from", address)));
    fields.extend(token.revoked_at.map(|at| ("Revoked", at.to_string())));
    if let Some(RevocationShown { by, reason, note }) = &token.revocation {
        fields.push(("Revoked by", by.clone()));
        fields.push(("Revoked for", (*reason).to_owned()));
        fields.extend(note.clone().map(|note| ("Note", note)));
    }
    fields
}

fn last_used(token: &TokenShown, now: Timestamp) -> String {
    token.last_used_at.map_or("Never".to_owned(), |at| ago(at, now))
}
