//! The counts and the health of the installation.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use ndauth_authority::{Engine, InstallationView};

use super::tabs::tabs;
use crate::http::layout::page;
use crate::http::pages::browser::{PagePath as _, PageRequest};
use crate::http::pages::parts::{Badge, Frame, Tab};
use crate::http::problem::PageResult;
use crate::http::site::Site;

#[derive(Template)]
#[template(path = "operator.html")]
struct OverviewPage {
    frame: Frame,
    lead: String,
    badges: Vec<Badge>,
    tabs: Vec<Tab>,
    counts: Vec<Count>,
    health: Vec<HealthRow>,
}

struct Count {
    number: u64,
    text: &'static str,
    note: String,
    href: &'static str,
}

struct HealthRow {
    part: &'static str,
    badges: Vec<Badge>,
    text: String,
}

/// A mail that waits for longer needs the operator.
const LATE: Duration = Duration::from_secs(10 * 60);

pub(super) async fn show(State(site): State<Arc<Site>>, request: PageRequest) -> PageResult {
    let view = match site.authority.operator().get_installation(&request.credential()).await {
        Ok(view) => view,
        Err(error) => return request.failed(error),
    };
    let health = health(&view);
    let is_bad = health.iter().flat_map(|row| &row.badges).any(|badge| badge.tone == "bad");
    let shown = OverviewPage {
        frame: Frame::new(&request.visit, "operator"),
        lead: format!("ndauth {} at {}", env!("CARGO_PKG_VERSION"), site.issuer),
        badges: vec![if is_bad {
            Badge::new("bad", "Needs attention")
        } else {
            Badge::new("good", "Healthy")
        }],
        tabs: tabs("Overview"),
        counts: counts(&view),
        health,
    };
    Ok(page(StatusCode::OK, &shown))
}

fn counts(view: &InstallationView) -> Vec<Count> {
    let counts = &view.counts;
    let note = |count: u64, word: &str| if count == 0 { String::new() } else { format!("{count} {word}") };
    vec![
        Count {
            number: counts.accounts,
            text: "accounts",
            note: note(counts.disabled, "disabled"),
            href: "/operator/accounts",
        },
        Count { number: counts.orgs, text: "orgs", note: String::new(), href: "/operator/orgs" },
        Count { number: counts.services, text: "services", note: String::new(), href: "/operator/services" },
        Count { number: counts.tokens, text: "live tokens", note: String::new(), href: "" },
        Count { number: counts.sessions, text: "live sessions", note: String::new(), href: "" },
    ]
}

fn health(view: &InstallationView) -> Vec<HealthRow> {
    let good = || vec![Badge::new("good", "Good")];
    let engine = match view.engine {
        Engine::Sqlite => "SQLite",
        Engine::Postgres => "PostgreSQL",
    };
    let (mirror, age) = match view.mirror_age {
        Some(age) if age <= view.mirror_bound => (good(), format!("confirmed {} ago", milliseconds(age))),
        Some(age) => (vec![Badge::new("bad", "Stale")], format!("confirmed {} ago", milliseconds(age))),
        None => (vec![Badge::new("bad", "Never confirmed")], "never confirmed".to_owned()),
    };
    let (changes, failing) = match view.changes_failing_for {
        None => (good(), "The last change was made.".to_owned()),
        Some(since) => {
            (vec![Badge::new("bad", "Failing")], format!("Changes have failed for {} s.", since.as_secs()))
        }
    };
    let mut rows = vec![
        HealthRow {
            part: "Mirror",
            badges: mirror,
            text: format!(
                "Event {} of {}, {age}; it answers for at most {}.",
                view.mirror_sequence,
                view.sequence,
                milliseconds(view.mirror_bound)
            ),
        },
        HealthRow { part: "Changes", badges: changes, text: failing },
        HealthRow {
            part: "Database",
            badges: vec![Badge::new("idle", engine)],
            text: format!("{} events.", view.sequence),
        },
    ];
    rows.push(mail(view));
    if let Some(at) = view.settled_at {
        let text = format!("Restored from a copy, and put into service on {}.", at.minute());
        rows.push(HealthRow { part: "Restore", badges: vec![Badge::new("info", "Settled")], text });
    }
    rows
}

fn mail(view: &InstallationView) -> HealthRow {
    let Some(mail) = &view.mail else {
        let badges = vec![Badge::new("idle", "Off")];
        return HealthRow { part: "Mail", badges, text: "No notices are mailed.".to_owned() };
    };
    let lost = match mail.given_up {
        0 => String::new(),
        given_up => format!(" {given_up} could not be delivered within the last day."),
    };
    let late = mail.oldest.is_some_and(|oldest| view.now.since(oldest) > LATE);
    let (tone, word) = match (late, mail.given_up) {
        (true, _) => ("bad", "Waiting"),
        (false, 0) => ("good", "Good"),
        (false, _) => ("warn", "Not all delivered"),
    };
    let text = match (mail.oldest, &mail.problem) {
        (Some(oldest), Some(problem)) => {
            format!("{} mails wait, since {}: {problem}.{lost}", mail.waiting, oldest.minute())
        }
        (Some(_), None) => format!("{} mails are being sent.{lost}", mail.waiting),
        (None, _) => format!("No mail waits.{lost}"),
    };
    HealthRow { part: "Mail", badges: vec![Badge::new(tone, word)], text }
}

fn milliseconds(duration: Duration) -> String {
    match duration.as_millis() {
        short @ 0..1000 => format!("{short} ms"),
        long => format!("{}.{} s", long / 1000, long % 1000 / 100),
    }
}
