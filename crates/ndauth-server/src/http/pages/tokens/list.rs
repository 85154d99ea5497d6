//! The list of an owner's tokens: searched, filtered, sorted and in pages.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use ndauth_authority::{
    MAX_LIVE_TOKENS, SOON, TokenCounts, TokenOrder, TokenQuery, UNUSED, Whose, token_search,
};
use ndauth_core::{ExpiryChoice, Lifetime, Secret, Timestamp};
use ndauth_terminal::TokenShown;

use super::place::{place, tokens_path};
use super::rows::{DONE, badges, expires_soon, is_unused, last_used, named, shown};
use crate::cursors::{cursor, page_token};
use crate::http::fields::{Fields, query};
use crate::http::layout::{go, page};
use crate::http::pages::browser::{PagePath as _, PageRequest};
use crate::http::pages::org_tabs::org_tabs;
use crate::http::pages::parts::{Badge, Choice, Frame, Instant, Pager, Tab, done_text};
use crate::http::pages::pictures::Bars;
use crate::http::problem::PageResult;
use crate::http::site::Site;

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    frame: Frame,
    title: String,
    lead: String,
    back_href: &'static str,
    back_text: &'static str,
    /// The path of the list.
    base: String,
    tabs: Vec<Tab>,
    /// True if the owner never had a token.
    is_new: bool,
    owner: String,
    /// The command that creates a token.
    command: String,
    alerts: Vec<Alert>,
    filter: FilterForm,
    /// The sentence for an empty list.
    nothing: String,
    columns: Vec<Column>,
    rows: Vec<TokenRow>,
    is_org: bool,
    pager: Pager,
    has_bars: bool,
    by_age: Bars,
    by_use: Bars,
}

/// A link to tokens that their owner may want to see.
struct Alert {
    tone: &'static str,
    href: String,
    text: String,
}

/// The form above the list.
struct FilterForm {
    q: String,
    show: Vec<Choice>,
    sort: Vec<Choice>,
    ends_within: Vec<Choice>,
    unused_for: Vec<Choice>,
    is_set: bool,
}

struct Column {
    text: &'static str,
    href: String,
    /// `ascending` or `descending` if the list is sorted by it.
    sorted: &'static str,
}

struct TokenRow {
    id: String,
    name: String,
    prefix: String,
    badges: Vec<Badge>,
    scope: String,
    kind: &'static str,
    orgs: String,
    expires: Instant,
    used: Instant,
}

/// The number of tokens on a page.
const PAGE: u64 = 50;
/// The longest search, in bytes.
const LONGEST_SEARCH: usize = 100;

/// The orders, by their name in the query.
const ORDERS: [(&str, &str, TokenOrder); 4] = [
    ("created", "Creation", TokenOrder::Made),
    ("name", "Name", TokenOrder::Name),
    ("expires", "Expiry", TokenOrder::End),
    ("used", "Last use", TokenOrder::Use),
];
const SHOW: [(&str, &str); 2] = [("live", "Not revoked"), ("all", "All, revoked too")];
const ENDS: [(&str, &str); 4] =
    [("", "Any time"), ("7d", "Within 7 days"), ("14d", "Within 14 days"), ("30d", "Within 30 days")];
const UNUSED_FOR: [(&str, &str); 4] =
    [("", "Any time"), ("7d", "Not for 7 days"), ("30d", "Not for 30 days"), ("90d", "Not for 90 days")];

pub(super) async fn show(State(site): State<Arc<Site>>, request: PageRequest) -> PageResult {
    let whose = request.whose()?;
    let base = tokens_path(&whose);
    if let Ok(secret) = searched(&request.query).parse::<Secret>() {
        // The address keeps the prefix alone, which finds the token.
        let prefix = secret.prefix().to_string();
        return Ok(go(&format!("{base}?{}", query([("q", prefix.as_str())]))));
    }
    let asked = asked(&request.query);
    let credential = request.credential();
    let tokens = site.authority.tokens();
    let listed = tokens.list(&credential, &whose, &asked).await?;
    let filter = FilterForm::of(&request.query);
    let is_first = asked.after.is_none();
    let counts = match &whose {
        Whose::Org(_) if is_first && !filter.is_set => Some(tokens.count(&credential, &whose).await?),
        _ => None,
    };
    let now = listed.now;
    let tokens: Vec<_> = listed.views.iter().map(|view| shown(view, now)).collect();
    let rows = tokens.iter().map(|token| TokenRow {
        id: token.id.clone(),
        name: token.name.clone(),
        prefix: token.prefix.clone(),
        badges: badges(token, now),
        scope: token.held(),
        kind: if token.token_type == "standard" { "" } else { token.token_type },
        orgs: named(token.orgs.as_deref(), "All orgs"),
        expires: match token.expiry {
            ndauth_core::Expiry::At(end) => Instant::day(end),
            ndauth_core::Expiry::Never => Instant::word("never"),
        },
        used: last_used(token, now),
    });
    let rows: Vec<TokenRow> = rows.collect();
    let is_new = rows.is_empty() && is_first && !filter.is_set;
    let is_whole = is_first && !filter.is_set && listed.next.is_none();
    let alerts = match &counts {
        Some(counts) => alerts(&base, counts.ends_soon, counts.unused),
        None if is_whole => {
            let count = |is: fn(&TokenShown, Timestamp) -> bool| {
                tokens.iter().filter(|token| is(token, now)).count() as u64
            };
            alerts(&base, count(expires_soon), count(is_unused))
        }
        None => Vec::new(),
    };
    let (section, _) = place(&whose);
    let mut frame = Frame::new(&request.visit, section);
    frame.done = done_text(DONE, &request.query);
    let (title, lead, owner, command) = match &whose {
        Whose::Org(slug) => (
            slug.to_string(),
            "Tokens of the org itself. They act for the org, and outlive the people who made them."
                .to_owned(),
            slug.to_string(),
            format!("ndcli token create --org {slug} --name github-ci --scope read:assets"),
        ),
        _ => (
            "Tokens".to_owned(),
            format!("Your personal access tokens: at most {MAX_LIVE_TOKENS} may be live."),
            "you".to_owned(),
            "ndcli auth token create --name github-ci --scope rw".to_owned(),
        ),
    };
    let is_org = matches!(whose, Whose::Org(_));
    let by = |bars: fn(&TokenCounts, &str) -> Bars| counts.as_ref().map(|counts| bars(counts, &base));
    let shown = TokensPage {
        nothing: nothing(&filter.q),
        columns: columns(&base, &asked, &request.query, is_org),
        pager: pager(&base, &request.query, rows.len(), is_first, &page_token(listed.next.as_ref())),
        tabs: match &whose {
            Whose::Org(slug) => org_tabs(slug, "Tokens"),
            _ => Vec::new(),
        },
        back_href: if is_org { "/orgs" } else { "" },
        back_text: "Orgs",
        has_bars: counts.as_ref().is_some_and(|counts| counts.live > 0),
        by_age: by(Bars::by_age).unwrap_or_default(),
        by_use: by(Bars::by_use).unwrap_or_default(),
        frame,
        title,
        lead,
        base,
        is_new,
        owner,
        command,
        alerts,
        filter,
        rows,
        is_org,
    };
    Ok(page(StatusCode::OK, &shown))
}

/// Reads the query of the list. A value that cannot be one is left out: the form shows what is in force.
fn asked(fields: &Fields) -> TokenQuery {
    let span = |name: &str| match ExpiryChoice::parse_duration(fields.text(name)) {
        Ok(ExpiryChoice::In(Lifetime::For(span))) => Some(span),
        _ => None,
    };
    let order = ORDERS.iter().find(|(name, ..)| fields.get("sort") == Some(name));
    let order = order.map_or(TokenOrder::Made, |(.., order)| *order);
    let search = searched(fields);
    TokenQuery {
        unused_for: span("unused_for"),
        ends_within: span("ends_within"),
        search: (!search.is_empty()).then(|| token_search(search)),
        order,
        // The newest come first.
        reverse: (order == TokenOrder::Made) != (fields.get("reverse") == Some("yes")),
        after: fields.get("after").and_then(cursor).filter(|cursor| order.fits(&cursor.key)),
        ..TokenQuery::all(fields.get("show") == Some("all"), PAGE)
    }
}

/// Returns the text to search for. Empty if there is none, or one that is too long.
fn searched(fields: &Fields) -> &str {
    Some(fields.text("q").trim()).filter(|text| text.len() <= LONGEST_SEARCH).unwrap_or_default()
}

impl FilterForm {
    fn of(fields: &Fields) -> FilterForm {
        let sorts: Vec<(&str, &str)> = ORDERS.iter().map(|(name, label, _)| (*name, *label)).collect();
        let (q, set) = (searched(fields), ["show", "ends_within", "unused_for"]);
        let is_set = |name: &str| fields.get(name).is_some_and(|value| value != "live");
        FilterForm {
            q: q.to_owned(),
            show: Choice::of(&SHOW, fields.get("show").unwrap_or("live")),
            sort: Choice::of(&sorts, fields.get("sort").unwrap_or("created")),
            ends_within: Choice::of(&ENDS, fields.text("ends_within")),
            unused_for: Choice::of(&UNUSED_FOR, fields.text("unused_for")),
            is_set: !q.is_empty() || set.into_iter().any(is_set),
        }
    }
}

fn alerts(base: &str, ends_soon: u64, unused: u64) -> Vec<Alert> {
    let days = |span: Duration| span.as_secs() / 86_400;
    let mut alerts = Vec::new();
    if ends_soon > 0 {
        let (href, text) = (
            format!("{base}?ends_within={}d&sort=expires", days(SOON)),
            format!("{ends_soon} will expire soon"),
        );
        alerts.push(Alert { tone: "warn", href, text });
    }
    if unused > 0 {
        let (href, text) = (
            format!("{base}?unused_for={}d&sort=used", days(UNUSED)),
            format!("{unused} unused for {} days", days(UNUSED)),
        );
        alerts.push(Alert { tone: "idle", href, text });
    }
    alerts
}

fn columns(base: &str, asked: &TokenQuery, fields: &Fields, is_org: bool) -> Vec<Column> {
    let column = |text: &'static str, order: Option<(&str, TokenOrder)>| {
        let Some((name, order)) = order else { return Column { text, href: String::new(), sorted: "" } };
        let is_sorted = asked.order == order;
        let turned = is_sorted && fields.get("reverse") != Some("yes");
        let mut link = without(fields, &["sort", "reverse", "after"]);
        link.push(("sort", name));
        if turned {
            link.push(("reverse", "yes"));
        }
        Column {
            text,
            href: format!("{base}?{}", query(link)),
            sorted: match (is_sorted, asked.reverse) {
                (false, _) => "",
                (true, false) => "ascending",
                (true, true) => "descending",
            },
        }
    };
    let mut columns = vec![
        column("Name", Some(("name", TokenOrder::Name))),
        column("Status", None),
        column("Scope", None),
        column("Orgs", None),
        column("Expires", Some(("expires", TokenOrder::End))),
        column("Last used", Some(("used", TokenOrder::Use))),
    ];
    columns.retain(|column| !is_org || column.text != "Orgs");
    columns
}

fn pager(base: &str, fields: &Fields, count: usize, is_first: bool, next: &str) -> Pager {
    let link = |after: Option<&str>| {
        let mut link = without(fields, &["after", "done"]);
        link.extend(after.map(|after| ("after", after)));
        format!("{base}?{}", query(link))
    };
    Pager {
        text: format!("{count} {}", if count == 1 { "token" } else { "tokens" }),
        first: if is_first { String::new() } else { link(None) },
        next: if next.is_empty() { String::new() } else { link(Some(next)) },
    }
}

/// Returns the fields of a query but for these.
fn without<'a>(fields: &'a Fields, names: &[&str]) -> Vec<(&'a str, &'a str)> {
    fields.iter().filter(|(name, value)| !names.contains(name) && !value.is_empty()).collect()
}

fn nothing(search: &str) -> String {
    match search {
        "" => "No token is like that.".to_owned(),
        search => {
            format!("No token has “{search}” in its name, as its prefix or as the beginning of its id.")
        }
    }
}
