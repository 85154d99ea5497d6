//! The history of a person, an org, a token, or everything: the events of the audit, and beside them what was refused.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use ndauth_authority::{EventQuery, EventShown, Which, Whose};
use ndauth_core::{Handle, Timestamp, TokenId};
use ndauth_terminal::instant;

use super::browser::{PagePath as _, PageRequest};
use super::operator::tabs as operator_tabs;
use super::org_tabs::org_tabs;
use super::parts::{Choice, Frame, Instant, Pager, Tab};
use crate::http::fields::query;
use crate::http::layout::page;
use crate::http::problem::{PageError, PageResult};
use crate::http::route::{HttpRoute, person};
use crate::http::site::Site;

#[rustfmt::skip]
pub(super) const ROUTES: &[HttpRoute] = &[
    person("GET /me/history",                          || get(show_mine)),
    person("GET /orgs/{org}/history",                  || get(show_mine)),
    person("GET /operator/history",                    || get(show_all)),
    person("GET /tokens/{token}/history",              || get(show_token)),
    person("GET /orgs/{org}/tokens/{token}/history",   || get(show_token)),
];

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    frame: Frame,
    heading: String,
    lead: String,
    back: String,
    back_text: String,
    tabs: Vec<Tab>,
    /// False on the page of a token, whose history is short.
    has_filter: bool,
    has_account: bool,
    outcomes: Vec<Choice>,
    kinds: Vec<Choice>,
    account: String,
    since: String,
    until: String,
    is_filtered: bool,
    base: String,
    rows: Vec<HistoryRow>,
    nothing: &'static str,
    pager: Pager,
}

/// An event, or refused attempts.
struct HistoryRow {
    at: Instant,
    text: String,
    /// The kind of an event, or the reason of a refusal.
    kind: String,
    note: String,
    from: String,
    /// What a person looks up: the event's number and the request's id.
    mark: String,
}

/// The filter of a page, as its query has it.
struct HistoryFilter {
    is_refused: bool,
    kind: Option<String>,
    account: Option<Handle>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    before: Option<String>,
}

/// The number of rows on a page.
const PAGE: u64 = 50;
/// The value of a choice that filters nothing.
const ANY: &str = "any";
const CHANGED: &str = "changed";
const REFUSED: &str = "refused";
/// The groups of kinds to choose from.
const KINDS: [(&str, &str); 9] = [
    (ANY, "All kinds"),
    ("token", "Tokens"),
    ("secret", "Secrets"),
    ("session", "Sessions"),
    ("account", "Accounts"),
    ("member", "Members"),
    ("org", "Orgs"),
    ("service", "Services"),
    ("catalogue", "Catalogue"),
];

async fn show_mine(State(site): State<Arc<Site>>, request: PageRequest) -> PageResult {
    let whose = request.whose()?;
    shown(&site, &request, &whose, None).await
}

async fn show_all(State(site): State<Arc<Site>>, request: PageRequest) -> PageResult {
    shown(&site, &request, &Whose::Anyone, None).await
}

async fn show_token(State(site): State<Arc<Site>>, request: PageRequest) -> PageResult {
    let (whose, id) = (request.whose()?, request.token()?);
    shown(&site, &request, &whose, Some(id)).await
}

async fn shown(site: &Site, request: &PageRequest, whose: &Whose, token: Option<TokenId>) -> PageResult {
    let filter = HistoryFilter::read(request)?;
    let (rows, next) = match filter.is_refused {
        true => refused(site, request, whose, &filter).await?,
        false => changed(site, request, whose, token, &filter).await?,
    };
    let place = HistoryPlace::of(whose, token);
    let next = match next {
        Some(next) => format!("{}?{}", place.base, filter.link(Some(&next))),
        None => String::new(),
    };
    let day = |at: Option<Timestamp>| at.map(Timestamp::date).unwrap_or_default();
    let count = rows.len();
    let shown = HistoryPage {
        frame: Frame::new(&request.visit, place.section),
        heading: place.heading,
        lead: place.lead,
        back: place.back,
        back_text: place.back_text,
        tabs: place.tabs,
        has_filter: token.is_none(),
        has_account: *whose != Whose::Mine,
        outcomes: Choice::of(
            &[(CHANGED, "What was done"), (REFUSED, "What was refused")],
            if filter.is_refused { REFUSED } else { CHANGED },
        ),
        kinds: Choice::of(&KINDS, filter.kind.as_deref().unwrap_or(ANY)),
        account: filter.account.as_ref().map(Handle::to_string).unwrap_or_default(),
        since: day(filter.since),
        until: day(filter.until),
        is_filtered: filter.is_narrow(),
        nothing: if filter.is_refused { "Nothing was refused." } else { "Nothing happened." },
        rows,
        pager: Pager {
            text: format!("{count} {}", if count == 1 { "row" } else { "rows" }),
            first: match filter.before {
                Some(_) => format!("{}?{}", place.base, filter.link(None)),
                None => String::new(),
            },
            next,
        },
        base: place.base,
    };
    Ok(page(StatusCode::OK, &shown))
}

/// Returns a page of events, and the place where the next one goes on.
async fn changed(
    site: &Site,
    request: &PageRequest,
    whose: &Whose,
    token: Option<TokenId>,
    filter: &HistoryFilter,
) -> Result<(Vec<HistoryRow>, Option<String>), crate::http::problem::PageFailure> {
    let before = match &filter.before {
        Some(text) => Some(text.parse().map_err(|_| bad_place())?),
        None => None,
    };
    let asked = EventQuery {
        account: filter.account.clone(),
        token: token.map(Which::Id),
        kind: filter.kind.clone(),
        since: filter.since,
        until: filter.until,
        before,
        limit: PAGE,
        ..EventQuery::default()
    };
    let listed = site.authority.audit().list(&request.credential(), whose, &asked).await?;
    let rows = listed.rows.into_iter().map(event_row).collect();
    Ok((rows, listed.next.map(|next| next.to_string())))
}

/// Returns a page of refused attempts, and the place where the next one goes on.
async fn refused(
    site: &Site,
    request: &PageRequest,
    whose: &Whose,
    filter: &HistoryFilter,
) -> Result<(Vec<HistoryRow>, Option<String>), crate::http::problem::PageFailure> {
    let before = match &filter.before {
        Some(text) => Some(text.parse::<Timestamp>().map_err(|_| bad_place())?),
        None => filter.until,
    };
    let audit = site.authority.audit();
    let listed = audit.attempts(&request.credential(), whose, filter.since, before, PAGE).await?;
    let row = |attempt: ndauth_authority::AttemptShown| HistoryRow {
        at: Instant::at(attempt.minute),
        text: attempt.text,
        kind: attempt.reason,
        note: String::new(),
        from: attempt.network,
        mark: String::new(),
    };
    Ok((listed.rows.into_iter().map(row).collect(), listed.next.map(|next| next.to_string())))
}

fn bad_place() -> PageError {
    PageError::bad("This link does not lead to a page of the history. Begin with the first page.")
}

fn event_row(event: EventShown) -> HistoryRow {
    let request = event.request_id.map(|id| format!(", request {id}")).unwrap_or_default();
    HistoryRow {
        at: event.at.map_or_else(|| Instant::word("unknown"), Instant::at),
        text: event.text,
        kind: event.kind.to_owned(),
        note: event.note.unwrap_or_default(),
        from: [event.address, event.client].into_iter().flatten().collect::<Vec<_>>().join(", "),
        mark: format!("Event {}{request}", event.sequence),
    }
}

impl HistoryFilter {
    fn read(request: &PageRequest) -> Result<HistoryFilter, PageError> {
        let text = |name| request.query.get(name).map(str::trim).filter(|text| !text.is_empty());
        let day = |name| match text(name) {
            None => Ok(None),
            Some(text) => match instant(text) {
                Ok(at) => Ok(Some(at)),
                Err(_) => Err(PageError::bad("Expected a day such as “2026-11-21”.")),
            },
        };
        let account = match text("account") {
            None => None,
            Some(text) => match text.parse::<Handle>() {
                Ok(handle) => Some(handle),
                Err(_) => return Err(PageError::bad("No account can have this name.")),
            },
        };
        Ok(HistoryFilter {
            is_refused: text("outcome") == Some(REFUSED),
            kind: text("kind").filter(|kind| *kind != ANY).map(str::to_owned),
            account,
            since: day("since")?,
            until: day("until")?,
            before: text("before").map(str::to_owned),
        })
    }

    fn is_narrow(&self) -> bool {
        self.kind.is_some() || self.account.is_some() || self.since.is_some() || self.until.is_some()
    }

    /// Returns the query of a page of the same list.
    fn link(&self, before: Option<&str>) -> String {
        let account = self.account.as_ref().map(Handle::to_string);
        let (since, until) = (self.since.map(Timestamp::date), self.until.map(Timestamp::date));
        let known = [
            ("outcome", self.is_refused.then_some(REFUSED)),
            ("kind", self.kind.as_deref()),
            ("account", account.as_deref()),
            ("since", since.as_deref()),
            ("until", until.as_deref()),
            ("before", before),
        ];
        query(known.into_iter().filter_map(|(name, value)| Some((name, value?))))
    }
}

/// The place of a history among the pages.
struct HistoryPlace {
    section: &'static str,
    heading: String,
    lead: String,
    back: String,
    back_text: String,
    tabs: Vec<Tab>,
    base: String,
}

impl HistoryPlace {
    fn of(whose: &Whose, token: Option<TokenId>) -> HistoryPlace {
        let (section, heading, lead, base, tabs) = match whose {
            Whose::Org(slug) => (
                "orgs",
                slug.to_string(),
                "What happened in the org. Nothing can be changed or removed here.".to_owned(),
                format!("/orgs/{slug}"),
                org_tabs(slug, "History"),
            ),
            Whose::Anyone => (
                "operator",
                "Operator".to_owned(),
                "Everything that happened. Nothing can be changed or removed here.".to_owned(),
                "/operator".to_owned(),
                operator_tabs("History"),
            ),
            Whose::Mine | Whose::Account(_) => (
                "me",
                "Your history".to_owned(),
                "What you did, and what was done to your account and your tokens.".to_owned(),
                "/me".to_owned(),
                Vec::new(),
            ),
        };
        match token {
            None => {
                let (back, back_text) = match whose {
                    Whose::Org(_) => ("/orgs".to_owned(), "Orgs".to_owned()),
                    Whose::Anyone => (String::new(), String::new()),
                    Whose::Mine | Whose::Account(_) => ("/me".to_owned(), "Your account".to_owned()),
                };
                HistoryPlace {
                    section,
                    heading,
                    lead,
                    back,
                    back_text,
                    tabs,
                    base: format!("{base}/history"),
                }
            }
            Some(id) => {
                let of = match whose {
                    Whose::Org(slug) => format!("/orgs/{slug}/tokens/{id}"),
                    Whose::Mine | Whose::Account(_) | Whose::Anyone => format!("/tokens/{id}"),
                };
                HistoryPlace {
                    section: if section == "me" { "tokens" } else { section },
                    heading: "History of the token".to_owned(),
                    lead: "What it did, and what was done to it.".to_owned(),
                    base: format!("{of}/history"),
                    back: of,
                    back_text: "The token".to_owned(),
                    tabs: Vec::new(),
                }
            }
        }
    }
}
