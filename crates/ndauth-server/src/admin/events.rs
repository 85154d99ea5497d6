//! `ndauthd admin events prune` and `find-secret`.

use std::io::{self, Read as _};

use ndauth_authority::{Authority, EventShown, SecretTrail};
use ndauth_core::{Secret, Timestamp};
use ndauth_terminal::{Failure, shown};
use serde_json::json;

use super::output::{AdminError, AdminOutput, CONSOLE};

pub(super) async fn prune(authority: &Authority, before: Timestamp) -> Result<AdminOutput, AdminError> {
    let pruned = authority.operator().prune_events(CONSOLE, before).await?;
    let json = json!({
        "removed": pruned.removed,
        "through": pruned.through.sequence,
        "hash": hex::encode(pruned.through.hash),
    });
    let text = match pruned.removed {
        0 => "no event is that old: nothing was removed".to_owned(),
        removed => format!("{removed} events removed, up to event {}", pruned.through.sequence),
    };
    Ok(AdminOutput::line(text, json))
}

pub(super) async fn find_secret(authority: &Authority) -> Result<AdminOutput, AdminError> {
    let secret = secret_from_stdin()?;
    let SecretTrail { prefix, belongs_to, events } =
        authority.operator().find_secret(CONSOLE, &secret).await?;
    let rows: Vec<EventShown> = events.map(|page| page.rows).unwrap_or_default();
    let json = json!({
        "prefix": prefix.to_string(),
        "belongs_to": belongs_to,
        "events": rows.iter().map(|event| json!({
            "sequence": event.sequence,
            "at": event.at.map(|at| at.to_string()),
            "kind": event.kind,
            "text": event.text,
            "address": event.address,
        })).collect::<Vec<_>>(),
    });
    let mut text = match belongs_to {
        Some(of) => format!("{prefix} belongs to {of}"),
        None => format!("{prefix} is not a secret of this installation, or was removed long ago"),
    };
    for event in &rows {
        let at = event.at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        text += &format!("\n{at} #{} {}", event.sequence, shown(&event.text));
    }
    Ok(AdminOutput::line(text, json))
}

/// Reads a secret from standard input, without the line break behind it.
fn secret_from_stdin() -> Result<Secret, Failure> {
    /// More bytes than any secret has.
    const ENOUGH: u64 = 4096;
    let mut text = String::new();
    io::stdin()
        .take(ENOUGH)
        .read_to_string(&mut text)
        .map_err(|error| Failure::failed(format!("cannot read standard input: {error}"), None))?;
    text.trim_end_matches(['\r', '\n']).parse().map_err(|why| {
        Failure::failed(format!("standard input is not a secret: {why}"), Some("pipe one into it"))
    })
}
