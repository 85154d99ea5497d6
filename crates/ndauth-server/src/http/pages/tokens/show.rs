//! The page of a token: its life, its secrets, where it is used, and the acts on it.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use ndauth_authority::{Shown, Which, Whose};
use ndauth_core::{Since, Timestamp, TokenId};
use ndauth_terminal::{PlaceShown, RotationShown, SecretShown, TokenShown};

use super::life::life;
use super::place::{place, tokens_path};
use super::rows::{DONE, badges, last_use_sentence, named, shown};
use crate::http::layout::page;
use crate::http::pages::browser::{PagePath as _, PageRequest};
use crate::http::pages::parts::{Badge, Choice, Fact, Frame, Instant, OVERLAPS, capitalized, done_text};
use crate::http::pages::pictures::LifeLine;
use crate::http::problem::{PageError, PageResult, retry_after, sentence};
use crate::http::site::Site;

#[derive(Template)]
#[template(path = "token.html")]
struct OneTokenPage {
    frame: Frame,
    name: String,
    description: String,
    /// The note that was typed.
    note: String,
    base: String,
    back_text: String,
    href: String,
    badges: Vec<Badge>,
    warnings: Vec<String>,
    life: LifeLine,
    rotation: String,
    rotation_tone: &'static str,
    rotation_verdict: String,
    has_pending: bool,
    /// The prefix of the secret that awaits confirmation.
    pending_prefix: String,
    secrets: Vec<SecretRow>,
    uses: Vec<UseRow>,
    unused: &'static str,
    facts: Vec<Fact>,
    acts: Acts,
    /// The sentence about its last use.
    last_use: String,
    renewal: String,
    overlaps: Vec<Choice>,
    retirement: String,
    is_retire_safe: bool,
    anyway: Choice,
    reasons: Vec<Choice>,
}

/// The acts that the state of a token leaves. The authority judges whether the person may.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an act of its own")]
struct Acts {
    any: bool,
    rotate: bool,
    renew: bool,
    suspend: bool,
    resume: bool,
    retire: bool,
    revoke: bool,
}

struct SecretRow {
    prefix: String,
    badges: Vec<Badge>,
    made: Instant,
    ends: Instant,
    used: Instant,
    address: String,
}

struct UseRow {
    address: String,
    client: String,
    first: Instant,
    last: Instant,
    reads: u64,
    writes: u64,
}

const REASONS: [(&str, &str); 5] = [
    ("no-longer-needed", "It is no longer needed"),
    ("leaked", "Somebody else has it, or may have it"),
    ("owner-left", "Its owner left"),
    ("rotated-away", "Another token replaced it"),
    ("policy", "A rule requires it"),
];

pub(super) async fn show(State(site): State<Arc<Site>>, request: PageRequest) -> PageResult {
    let (whose, id) = (request.whose()?, request.token()?);
    shown_page(&site, &request, &whose, id, None).await
}

/// Shows a token's page again after an act on it that failed, with what was typed.
pub(super) async fn again(
    site: &Site,
    request: &PageRequest,
    whose: &Whose,
    id: TokenId,
    failure: PageError,
) -> PageResult {
    shown_page(site, request, whose, id, Some(failure)).await
}

async fn shown_page(
    site: &Site,
    request: &PageRequest,
    whose: &Whose,
    id: TokenId,
    failure: Option<PageError>,
) -> PageResult {
    let found = site.authority.tokens().get(&request.credential(), whose, &Which::Id(id)).await?;
    let Shown { view, now } = found;
    let token = shown(&view, now);
    let (section, back_text) = place(whose);
    let base = tokens_path(whose);
    let mut frame = Frame::new(&request.visit, section);
    let (mut description, mut note) = (token.description.clone().unwrap_or_default(), String::new());
    match &failure {
        None => frame.done = done_text(DONE, &request.query),
        Some(failure) => {
            frame.wrong.clone_from(&failure.text);
            note = request.query.text("note").to_owned();
            if let Some(typed) = request.query.get("description") {
                typed.clone_into(&mut description);
            }
        }
    }
    let (rotation_tone, rotation_verdict, rotation) = rotation(token.rotation.as_ref(), now);
    let warnings = view.policy_warnings.iter().map(|warning| {
        format!("From {} the policy of {} refuses it.", warning.takes_hold_at.minute(), warning.org)
    });
    let page_of_token = OneTokenPage {
        frame,
        name: token.name.clone(),
        description,
        note,
        href: format!("{base}/{}", token.id),
        base,
        back_text,
        badges: badges(&token, now),
        warnings: warnings.collect(),
        life: life(&token, now),
        rotation,
        rotation_tone,
        rotation_verdict,
        has_pending: matches!(token.rotation, Some(RotationShown::Pending(_))),
        pending_prefix: token
            .secrets
            .iter()
            .rfind(|secret| secret.state == "pending")
            .map_or_else(String::new, |secret| secret.prefix.clone()),
        secrets: token.secrets.iter().rev().map(|secret| secret_row(secret, now)).collect(),
        uses: token.used_from.iter().map(|used| use_row(used, now)).collect(),
        unused: "It was never used, or its services report no addresses.",
        facts: facts(&token, now),
        acts: Acts::of(&token),
        last_use: last_use_sentence(&token, now),
        renewal:
            "Its end moves by 30 days, to at most 365 days after its creation and within the orgs' policies."
                .to_owned(),
        overlaps: Choice::of(OVERLAPS, "24h"),
        retirement: retirement(token.rotation.as_ref(), now),
        is_retire_safe: token.rotation.as_ref().is_some_and(RotationShown::is_safe),
        anyway: Choice::new("yes", "Retire it although that may lock somebody out", false),
        reasons: Choice::of(&REASONS, "no-longer-needed"),
    };
    let status = failure.as_ref().map_or(StatusCode::OK, |failure| failure.status);
    Ok(retry_after(page(status, &page_of_token), failure.and_then(|failure| failure.retry)))
}

impl Acts {
    fn of(token: &TokenShown) -> Acts {
        if matches!(token.status, "revoked" | "expired") {
            let revoke = token.status == "expired";
            return Acts { any: revoke, revoke, ..Acts::default() };
        }
        let is_suspended = token.suspensions.iter().any(|(by, _)| by == "its owner");
        Acts {
            any: true,
            rotate: token.rotation.is_none() && token.status == "active",
            renew: token.token_type == "standard" && token.status == "active",
            suspend: !is_suspended,
            resume: is_suspended,
            retire: matches!(token.rotation, Some(RotationShown::Overlap { .. })),
            revoke: true,
        }
    }
}

/// Returns the tone, the verdict and the description of a rotation.
fn rotation(rotation: Option<&RotationShown>, now: Timestamp) -> (&'static str, String, String) {
    let Some(rotation) = rotation else { return ("", String::new(), String::new()) };
    let state = sentence(&rotation.state(now));
    match rotation {
        RotationShown::Pending(_) => ("info", "Not confirmed yet.".to_owned(), state),
        RotationShown::Overlap { .. } => {
            let tone = if rotation.is_safe() { "good" } else { "warn" };
            (tone, sentence(rotation.verdict()), state)
        }
    }
}

fn retirement(rotation: Option<&RotationShown>, now: Timestamp) -> String {
    let Some(RotationShown::Overlap { prefix, last_use, .. }) = rotation else { return String::new() };
    let used = match last_use {
        None => "It was never used.".to_owned(),
        Some((at, None)) => format!("It was last used {}.", Since { at: *at, as_of: now }),
        Some((at, Some(from))) => format!("It was last used {} from {from}.", Since { at: *at, as_of: now }),
    };
    format!("The old secret {prefix} stops working at once. {used}")
}

fn secret_row(secret: &SecretShown, now: Timestamp) -> SecretRow {
    let (tone, text) = match secret.state {
        "current" => ("good", "Current"),
        "pending" => ("info", "Awaits confirmation"),
        "retiring" => ("warn", "Retiring"),
        "retired" => ("idle", "Retired"),
        _ => ("idle", "Expired"),
    };
    let mut badges = vec![Badge::new(tone, text)];
    if let Some(at) = secret.reused_at {
        badges.push(Badge::new("bad", format!("Presented since: {}", at.date())));
    }
    let (used, address) = match &secret.last_use {
        None => (Instant::word("never"), String::new()),
        Some((at, from)) => (Instant::ago(*at, now), from.clone().unwrap_or_default()),
    };
    SecretRow {
        prefix: secret.prefix.clone(),
        badges,
        made: Instant::at(secret.minted_at),
        ends: Instant::end(secret.ends),
        used,
        address,
    }
}

fn use_row(used: &PlaceShown, now: Timestamp) -> UseRow {
    UseRow {
        address: used.address.clone().unwrap_or_else(|| "Unknown".to_owned()),
        client: used.client.clone().unwrap_or_else(|| "Unknown".to_owned()),
        first: Instant::day(used.first_at),
        last: Instant::ago(used.last_at, now),
        reads: used.reads,
        writes: used.writes,
    }
}

fn facts(token: &TokenShown, now: Timestamp) -> Vec<Fact> {
    let mut facts = vec![Fact::new("Scope", token.scope), Fact::new("Type", capitalized(token.token_type))];
    facts.push(match &token.grants {
        ndauth_core::Grants::All => {
            let more = "Each permission that does not concern ndauth itself".to_owned();
            Fact { lines: vec!["All".to_owned(), more], ..Fact::new("Permissions", "") }
        }
        grants @ ndauth_core::Grants::Only(_) => Fact {
            lines: grants.to_string().split(", ").map(str::to_owned).collect(),
            ..Fact::new("Permissions", "")
        },
    });
    facts.push(match &token.owner_org {
        Some(org) => Fact::new("Owner", format!("The org {org}")),
        None => Fact::new("Orgs", named(token.orgs.as_deref(), "All orgs of which you are a member")),
    });
    facts.push(Fact::new("Networks", named(token.networks.as_deref(), "All")));
    facts.push(Fact::new("Services", named(token.services.as_deref(), "All")));
    facts.push(Fact::at("Created", Instant::at(token.created_at)));
    facts.push(Fact::at("Expires", Instant::end(token.expiry)));
    facts.push(match token.last_used_at {
        None => Fact::new("Last used", "Never"),
        Some(at) => Fact {
            lines: token.last_used_ip.iter().map(|from| format!("From {from},")).collect(),
            ..Fact::at("Last used", Instant::ago(at, now))
        },
    });
    if let Some(until) = token.self_rotating_until {
        facts.push(Fact::at("Rotates itself until", Instant::at(until)));
    }
    for (by, since) in &token.suspensions {
        facts.push(Fact {
            lines: vec![format!("By {by}, since")],
            ..Fact::at("Suspended", Instant::at(*since))
        });
    }
    if let Some(at) = token.revoked_at {
        let by = token.revocation.as_ref().map(|revocation| {
            let note = revocation.note.as_ref().map_or_else(String::new, |note| format!(": “{note}”"));
            format!("By {}, {}{note}", revocation.by, revocation.reason)
        });
        facts.push(Fact { lines: by.into_iter().collect(), ..Fact::at("Revoked", Instant::at(at)) });
    }
    facts.push(Fact::new("Prefix", token.prefix.clone()));
    facts.push(Fact::new("Id", token.id.clone()));
    facts
}
