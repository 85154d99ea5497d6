//! A token in words: its badges, its use and its end.

use std::time::Duration;

use ndauth_authority::{SOON, UNUSED};
use ndauth_core::{Expiry, Lifetime, Timestamp, TokenView};
use ndauth_proto::token_to_proto;
use ndauth_terminal::{TokenShown, names_or_all};

use crate::http::pages::parts::{Badge, Instant, age};

/// Returns a token as both binaries show it in words.
pub(in crate::http::pages) fn shown(view: &TokenView, now: Timestamp) -> TokenShown {
    TokenShown::read(Some(token_to_proto(view, now))).expect("a token that this server writes is valid")
}

/// Returns the badges of a token: its state, and what its owner may want to do about it.
pub(in crate::http::pages) fn badges(token: &TokenShown, now: Timestamp) -> Vec<Badge> {
    let state = match token.status {
        "active" => Badge::new("good", "Live"),
        "pending" => Badge::new("info", "Awaits confirmation"),
        "suspended" => Badge::new("idle", "Suspended"),
        "expired" => return vec![Badge::new("bad", "Expired")],
        _ => return vec![Badge::new("idle", "Revoked")],
    };
    let mut badges = vec![state];
    if let Some(left) = last_quarter(token, now) {
        let text = format!("Expires in {}", days(left));
        if token.status == "active" {
            badges[0] = Badge::new("warn", text);
        } else {
            badges.push(Badge::new("warn", text));
        }
    }
    if token.rotation.is_some() && token.status != "pending" {
        badges.push(Badge::new("info", "Rotating"));
    }
    if is_unused(token, now) {
        badges.push(Badge::new("warn", format!("Unused for {}", days(idle(token, now)))));
    }
    badges
}

/// Returns true if a token's end is near.
pub(super) fn expires_soon(token: &TokenShown, now: Timestamp) -> bool {
    !is_dead(token) && matches!(token.expiry, Expiry::At(end) if end.since(now) < SOON)
}

/// Returns true if nobody has used a token for long.
pub(super) fn is_unused(token: &TokenShown, now: Timestamp) -> bool {
    !is_dead(token) && idle(token, now) > UNUSED
}

fn is_dead(token: &TokenShown) -> bool {
    matches!(token.status, "expired" | "revoked")
}

/// Returns the time since a token's last use, or since its creation if it was never used.
fn idle(token: &TokenShown, now: Timestamp) -> Duration {
    now.since(token.last_used_at.unwrap_or(token.created_at))
}

/// Returns the time left to a token, if that is little for a token of its lifetime.
fn last_quarter(token: &TokenShown, now: Timestamp) -> Option<Duration> {
    let (Expiry::At(end), Lifetime::For(lifetime)) = (token.expiry, token.lifetime) else { return None };
    let left = end.since(now);
    (left <= SOON && left <= lifetime / 4).then_some(left)
}

/// Returns a duration in days, or in hours or minutes if it is shorter.
fn days(duration: Duration) -> String {
    let minutes = duration.as_secs().div_ceil(60);
    let (count, unit) = match minutes {
        0..120 => (minutes, "minute"),
        120..2880 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Returns the last use of a token, by its age.
pub(in crate::http::pages) fn last_used(token: &TokenShown, now: Timestamp) -> Instant {
    token.last_used_at.map_or_else(|| Instant::word("never"), |at| Instant::ago(at, now))
}

/// Returns a sentence about a token's last use.
pub(in crate::http::pages) fn last_use_sentence(token: &TokenShown, now: Timestamp) -> String {
    match (token.last_used_at, &token.last_used_ip) {
        (None, _) => "It was never used.".to_owned(),
        (Some(at), None) => format!("It was last used {}.", age(at, now)),
        (Some(at), Some(from)) => format!("It was last used {} from {from}.", age(at, now)),
    }
}

/// Returns names with blanks between them, or a word for all.
pub(in crate::http::pages) fn named(names: Option<&[String]>, all: &str) -> String {
    match names {
        None => all.to_owned(),
        some => names_or_all(some),
    }
}

/// The result of an act, by its code in the query.
pub(super) const DONE: &[(&str, &str)] = &[
    ("described", "The description was saved."),
    ("confirmed", "The new secret is confirmed. The old one retires after the overlap."),
    ("dropped", "The new secret was dropped. The old one stays."),
    ("retired", "The old secret was retired."),
    ("renewed", "The token was renewed."),
    ("suspended", "The token is suspended: it has no power until it is resumed."),
    ("resumed", "The token was resumed."),
    ("revoked", "The token was revoked. It stopped working at once, for good."),
    ("unchanged", "Nothing had to be changed."),
];
