//! `ndcli auth token renew` and `ndcli token renew`; and the quiet renewal that `auto-refresh-token` asks for.

use std::time::Duration;

use ndauth_core::{Expiry, Lifetime, Timestamp};
use ndauth_proto::{timestamp_from_proto, v1};
use ndauth_terminal::{Failure, TokenShown, aside, detailed, minute, print, print_message, shown};

use super::aim::{Aim, OwnerChoice};
use super::list::fields;
use crate::connection::{ServerConnection, connect};
use crate::settings::values::span;
use crate::settings::{CommonOptions, Format};

/// The options of a renewal.
#[derive(clap::Args)]
pub(crate) struct Renewal {
    /// Do nothing if at least this much is left, such as 7d; at most 30d
    #[arg(long, alias = "minimum_duration", value_name = "DURATION", value_parser = span)]
    minimum_duration: Option<Duration>,
}

/// Tokens are renewed automatically once this much is left.
const SOON: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Extends a token.
pub(crate) async fn run(common: &CommonOptions, aim: &Aim, renewal: &Renewal) -> Result<(), Failure> {
    let minimum = renewal.minimum_duration;
    if minimum.is_some_and(|minimum| minimum > ndauth_core::RENEWAL) {
        let message = "a renewal moves the end by 30 days, and no further";
        return Err(Failure::usage(message, "`--minimum-duration` takes up to 30d"));
    }
    let server = connect(common).await?;
    let seen = aim.renew(&server, minimum, false).await?;
    let renewed = seen.changed;
    let ends = minute(seen.token.expiry);
    if let (Some(minimum), Expiry::At(end)) = (minimum, seen.token.expiry)
        && end.since(seen.now) < minimum
    {
        let message = format!("\"{}\" was renewed, and ends at {ends} all the same", shown(&seen.token.name));
        return Err(Failure::failed(message, Some("it cannot be renewed any further: rotate it")));
    }
    match common.format {
        Format::Table if renewed => {
            print(&format!("✓ \"{}\" renewed until {ends}\n", shown(&seen.token.name)))
        }
        Format::Table => {
            print(&format!("✓ \"{}\" is valid until {ends}: nothing was changed\n", shown(&seen.token.name)))
        }
        Format::Simple => print(&format!("• {} expires:{ends} renewed:{renewed}\n", shown(&seen.token.name))),
        Format::Detailed => print(&detailed(&fields(&seen.token, seen.now))),
        Format::Json => print_message(&seen.answer),
    }
}

/// Renews tokens that end soon, where `--auto-refresh-token` is set: the one in use, or those of the account that is
/// logged in. A failure is reported and fails no command.
pub(crate) async fn quietly(server: &ServerConnection) {
    if let Err(failure) = try_quietly(server).await {
        aside(&format!("not renewed: {}", failure.message));
    }
}

async fn try_quietly(server: &ServerConnection) -> Result<(), Failure> {
    use v1::who_am_i_response::Credential;
    let who = server.ask_once(async |client| client.who_am_i().await).await?;
    let now = who.evaluated_at.ok_or_else(|| ndauth_terminal::nonsense("a time is missing"))?;
    let now = timestamp_from_proto("evaluated_at", now)?;
    match who.credential {
        Some(Credential::Token(token)) => {
            let token = TokenShown::read(Some(token))?;
            if token.self_rotating_until.is_some() {
                renew_soon(server, &token, now).await?;
            }
        }
        Some(Credential::Session(_)) => {
            let within = i64::try_from(SOON.as_secs()).unwrap_or(i64::MAX);
            let request = v1::ListTokensRequest {
                expiring_within: Some(prost_types::Duration { seconds: within, nanos: 0 }),
                page_size: 100,
                owner: Some(OwnerChoice::Mine.to_proto()),
                ..Default::default()
            };
            let soon = server.ask_once(async |client| client.list_tokens(request.clone()).await).await?;
            for token in soon.tokens {
                renew_soon(server, &TokenShown::read(Some(token))?, now).await?;
            }
        }
        Some(Credential::Service(_)) | None => {}
    }
    Ok(())
}

/// Renews a standard token that ends soon. The server renews none that was made for a short while, nor by more than that.
async fn renew_soon(server: &ServerConnection, token: &TokenShown, now: Timestamp) -> Result<(), Failure> {
    let soon = matches!(token.expiry, Expiry::At(end) if end > now && end.since(now) <= SOON);
    let short = matches!(token.lifetime, Lifetime::For(lifetime) if lifetime < SOON);
    if !soon || short || token.token_type != "standard" || token.rotation.is_some() {
        return Ok(());
    }
    let seen = Aim::id(OwnerChoice::Mine, &token.id).renew(server, Some(SOON), true).await?;
    if seen.changed {
        aside(&format!("renewed \"{}\" until {}", seen.token.name, minute(seen.token.expiry)));
    }
    Ok(())
}
