//! The life of a token, drawn on a line.

use ndauth_core::{Expiry, Timestamp};
use ndauth_terminal::{RotationShown, TokenShown};

use crate::http::pages::parts::{Instant, age};
use crate::http::pages::pictures::{LifeLine, Mark, Span};

/// Returns the line from a token's creation to its end, or to the present if that is later or there is no end.
pub(super) fn life(token: &TokenShown, now: Timestamp) -> LifeLine {
    let dead_at = token.revoked_at.or(match token.expiry {
        Expiry::At(end) if end <= now => Some(end),
        Expiry::At(_) | Expiry::Never => None,
    });
    let (begin, end) = (
        token.created_at,
        match token.expiry {
            Expiry::At(end) => end.max(now),
            Expiry::Never => now,
        },
    );
    let whole = end.since(begin).as_micros().max(1);
    let place = |at: Timestamp| {
        let part = at.since(begin).as_micros().saturating_mul(100) / whole;
        u64::try_from(part.min(100)).unwrap_or(100)
    };
    let past = |kind, word, at: Timestamp| Mark {
        at: place(at),
        kind,
        word,
        instant: Instant::at(at),
        ago: age(at, now),
    };
    let ahead = |kind, word, at: Timestamp| Mark {
        at: place(at),
        kind,
        word,
        instant: Instant::at(at),
        ago: String::new(),
    };
    let mut marks = vec![past("made", "Made", begin)];
    marks.extend(token.secrets.iter().skip(1).map(|secret| past("rotated", "Rotated", secret.minted_at)));
    marks.extend(token.last_used_at.map(|at| past("used", "Last used", at)));
    marks.push(Mark { ago: String::new(), ..past("now", "Now", now) });
    let mut spans = vec![Span { kind: "ahead", from: 0, to: 100 }];
    spans.push(Span { kind: "lived", from: 0, to: place(dead_at.unwrap_or(now)) });
    if let Some(RotationShown::Overlap { until, .. }) = &token.rotation {
        let newest = token.secrets.last().map_or(now, |secret| secret.minted_at);
        spans.push(Span { kind: "overlap", from: place(newest), to: place(*until) });
        marks.push(ahead("retires", "The old secret retires", *until));
    }
    match (token.revoked_at, token.expiry) {
        (Some(at), _) => marks.push(past("dead", "Revoked", at)),
        (None, Expiry::At(end)) if end <= now => marks.push(past("dead", "Expired", end)),
        (None, Expiry::At(end)) => marks.push(ahead("ends", "Expires", end)),
        (None, Expiry::Never) => {}
    }
    // The order of the line, and of the list beside it.
    marks.sort_by(|a, b| a.instant.machine.cmp(&b.instant.machine));
    let told: Vec<String> = marks
        .iter()
        .filter(|mark| mark.kind != "now")
        .map(|mark| format!("{} {}", mark.word.to_lowercase(), mark.instant.text))
        .collect();
    LifeLine { title: format!("The life of {}: {}", token.name, told.join(", ")), spans, marks }
}
