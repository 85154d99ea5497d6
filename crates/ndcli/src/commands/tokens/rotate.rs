//! `rotate` and `rotation …` of `ndcli auth token` and `ndcli token`.

use std::time::Duration;

use ndauth_core::{ExpiryChoice, Lifetime, Reason, Timestamp};
use ndauth_terminal::{
    Failure, TokenShown, detailed, json_text, message_json, print, print_json, print_message, print_once,
    shown,
};
use prost::{Message, Name};

use super::aim::{Aim, ChangedToken, NamedToken, OwnerArguments, RotatedToken};
use super::list::fields;
use super::mint::{Lost, SecretOutput, UNDO};
use super::sink::{SinkArgs, SinkFailure, take_over};
use crate::connection::{ServerConnection, connect};
use crate::settings::values::{expiry, span};
use crate::settings::{CommonOptions, Format};
use crate::terminal::{asks, confirm};

#[derive(clap::Args)]
pub(crate) struct RotateToken<W: OwnerArguments> {
    #[command(flatten)]
    named: NamedToken<W>,

    /// How long the old secret stays valid once the new one is used, such as 24h, 7d or 0
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = span)]
    overlap: Duration,

    /// New lifetime, at most the one chosen at creation [default: that one]
    #[arg(long, visible_alias = "expires-in", aliases = ["expires_in", "ttl"], value_name = "WHEN", value_parser = expiry)]
    expiry: Option<ExpiryChoice>,

    #[command(flatten)]
    sink: SinkArgs,

    /// Output: table, json, or token for the secret alone
    #[arg(short, long, value_name = "FORMAT", hide_possible_values = true)]
    output: Option<SecretOutput>,
}

/// The steps of a rotation that is under way.
#[derive(clap::Subcommand)]
pub(crate) enum RotationCommand<W: OwnerArguments> {
    /// Let the new secret take over now
    Confirm(NamedToken<W>),
    /// Drop the new secret before it takes over; the old one stays valid
    Drop(NamedToken<W>),
    /// End the old secret before its overlap is over
    Retire(RetireSecret<W>),
}

#[derive(clap::Args)]
pub(crate) struct RetireSecret<W: OwnerArguments> {
    #[command(flatten)]
    named: NamedToken<W>,

    /// Do not ask for confirmation, even where the old secret is still in use
    #[arg(long)]
    yes: bool,
}

/// Carries out a step of a rotation.
pub(crate) async fn settle<W: OwnerArguments>(
    common: &CommonOptions,
    step: &RotationCommand<W>,
) -> Result<(), Failure> {
    match step {
        RotationCommand::Confirm(named) => {
            let seen = named.aim()?.confirm(&connect(common).await?, None).await?;
            settled(common, &seen, "the new secret took over")
        }
        RotationCommand::Drop(named) => {
            let seen = named.aim()?.drop_rotation(&connect(common).await?).await?;
            settled(common, &seen, "the new secret is dropped")
        }
        RotationCommand::Retire(retired) => retire(common, &retired.named.aim()?, retired.yes).await,
    }
}

/// Gives a token a new secret.
pub(crate) async fn run<W: OwnerArguments>(
    common: &CommonOptions,
    rotation: &RotateToken<W>,
) -> Result<(), Failure> {
    let aim = &rotation.named.aim()?;
    // A sink that cannot be used is found before there is a secret.
    let sink = rotation.sink.prepare(&common.server, true)?;
    let mut server = connect(common).await?;
    let rotated = aim.rotate(&server, rotation.overlap, rotation.expiry).await;
    let rotated = rotated.map_err(|failure| unsure(failure, aim))?;
    let Some(sink) = sink else {
        let output = SecretOutput::chosen(rotation.output, common.format);
        let lost = match text(common.format, output, aim, &rotated, rotation.overlap) {
            Ok(text) => print_once(&text).err().map(|error| Lost::unprinted(&error)),
            Err(failure) => Some(Lost::Undelivered(failure.message)),
        };
        return match lost {
            None => Ok(()),
            Some(lost) => Err(take_back(&mut server, aim, &rotated, &lost).await),
        };
    };
    let whereabouts = sink.whereabouts();
    match sink.store(&rotated.answer.secret) {
        Ok(()) => {}
        // A command that stored it and then failed has broken nothing.
        Err(SinkFailure { why, may_be_stored: true }) => return Err(waits(aim, &rotated, &why)),
        Err(SinkFailure { why, .. }) => {
            return Err(take_back(&mut server, aim, &rotated, &Lost::Undelivered(why)).await);
        }
    }
    let seen = take_over(common, &server, aim, &rotated.answer.secret).await?;
    if SecretOutput::chosen(rotation.output, common.format) == SecretOutput::Json {
        let mut value = message_json(&seen.answer)?;
        rotation.sink.replace_secret(&mut value);
        return print_json(&value);
    }
    let name = shown(&seen.token.name);
    print(&format!("✓ \"{name}\" rotated: the new secret was {whereabouts}, and took over\n"))?;
    print(&note(&seen.token, seen.now))
}

/// Ends the old secret; asks first where it is still in use.
async fn retire(common: &CommonOptions, aim: &Aim, anyway: bool) -> Result<(), Failure> {
    let server = connect(common).await?;
    let seen = aim.get(&server).await?;
    let anyway = match &seen.token.rotation {
        // If no one can be asked, the server gives the reason.
        Some(rotation) if !anyway && !rotation.is_safe() && asks() => {
            let question = format!("{}. Retire it anyway? [y/N]:", rotation.describe(seen.now));
            if !confirm(&question, "--yes")? {
                return Err(Failure::failed("aborted: the old secret stays valid", None));
            }
            true
        }
        _ => anyway,
    };
    let seen = aim.by_id(&seen.token).retire(&server, anyway).await;
    let seen =
        seen.map_err(|failure| match failure.hint.as_deref() == ndauth_proto::hint(Reason::NotSafeYet) {
            true => Failure {
                hint: Some("`--yes` retires it anyway; `show` lists where it is used".to_owned()),
                ..failure
            },
            false => failure,
        })?;
    settled(common, &seen, "the old secret is retired")
}

fn settled<M: Message + Name>(
    common: &CommonOptions,
    seen: &ChangedToken<M>,
    how: &str,
) -> Result<(), Failure> {
    let ChangedToken { answer, token, now, .. } = seen;
    match common.format {
        Format::Table => {
            print(&format!("✓ \"{}\": {how}\n", shown(&token.name)))?;
            print(&note(token, *now))
        }
        Format::Simple => print(&format!("• {} [{}] {how}\n", shown(&token.name), shown(&token.prefix))),
        Format::Detailed => print(&detailed(&fields(token, *now))),
        Format::Json => print_message(answer),
    }
}

/// Returns the state of the rotation in a line; empty where none is under way.
fn note(token: &TokenShown, now: Timestamp) -> String {
    token
        .rotation
        .as_ref()
        .map(|rotation| format!("{}\n", shown(&rotation.describe(now))))
        .unwrap_or_default()
}

/// Returns the only output that holds the new secret.
fn text(
    format: Format,
    output: SecretOutput,
    aim: &Aim,
    rotated: &RotatedToken,
    overlap: Duration,
) -> Result<String, Failure> {
    let RotatedToken { answer, token, pending_until } = rotated;
    let secret = &answer.secret;
    let old_secret = if overlap.is_zero() {
        "ends then".to_owned()
    } else {
        format!("stays valid for {} then", Lifetime::For(overlap))
    };
    Ok(match (output, format) {
        (SecretOutput::Token, _) => format!("{}\n", shown(secret)),
        (SecretOutput::Json, _) => json_text(&message_json(answer)?),
        (SecretOutput::Table, Format::Simple) => {
            format!("• {} token:{}\n", shown(&token.name), shown(secret))
        }
        (SecretOutput::Table, Format::Table | Format::Detailed | Format::Json) => format!(
            "✓ New secret for \"{}\"\n\
             ⚠ Copy it now — it will NOT be shown again.\n\
             Token: {}\n\
             It takes over at its first use, or by `{}`; the old one {old_secret}.\n\
             Unused it expires at {}.\n",
            shown(&token.name),
            shown(secret),
            shown(&aim.command("rotation confirm", "")),
            pending_until.minute()
        ),
    })
}

/// Drops the new secret, which was not handed over. Returns the failure of the command.
async fn take_back(server: &mut ServerConnection, aim: &Aim, rotated: &RotatedToken, lost: &Lost) -> Failure {
    server.allow(UNDO);
    let why = lost.why();
    match aim.by_id(&rotated.token).drop_rotation(server).await {
        Ok(_) => Failure::failed(
            format!("{why}: the new secret is dropped again, and the old one stays valid"),
            None,
        ),
        Err(failure) => {
            let message = format!(
                "{why}: the new secret waits until {}, and is not dropped: {}",
                rotated.pending_until.minute(),
                failure.message
            );
            let hint = format!("it harms nothing, and `{}` drops it", aim.command("rotation drop", ""));
            Failure::failed(message, Some(&hint))
        }
    }
}

/// The failure of a rotation whose new secret waits, since a command failed that may have stored it.
fn waits(aim: &Aim, rotated: &RotatedToken, why: &str) -> Failure {
    let until = rotated.pending_until.minute();
    let message = format!("{why}\nthe new secret waits until {until}, and the old one is still valid");
    let hint = format!(
        "if it was stored anyway: `{}`; if not: `{}`, and try again",
        aim.command("rotation confirm", ""),
        aim.command("rotation drop", "")
    );
    Failure::failed(message, Some(&hint))
}

/// Adds the next step where the connection broke: the server may have drawn the secret.
fn unsure(failure: Failure, aim: &Aim) -> Failure {
    if failure.code != ndauth_terminal::exit_code(ndauth_core::Class::Undecided) {
        return failure;
    }
    let hint = format!(
        "a new secret may be pending, and harms nothing: `{}`, and try again",
        aim.command("rotation drop", "")
    );
    Failure { hint: Some(hint), ..failure }
}
