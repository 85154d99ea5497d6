//! The members' tokens that may have power in an org, for its admins.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use ndauth_authority::{AuthorityError, Changed, TokenPage};
use ndauth_core::{Expiry, OrgSlug, Timestamp, TokenId, TokenView};

use crate::cursors::page_token;
use crate::http::fields::query;
use crate::http::layout::{go, page};
use crate::http::pages::browser::{PagePath as _, PageRequest, Submission};
use crate::http::pages::org_tabs::org_tabs;
use crate::http::pages::parts::{Badge, Frame, Instant, Pager, Tab, done_text};
use crate::http::pages::tokens::rows::{badges, last_used, shown};
use crate::http::problem::PageResult;
use crate::http::site::Site;

#[derive(Template)]
#[template(path = "personal_tokens.html")]
struct PersonalTokensPage {
    frame: Frame,
    slug: String,
    tabs: Vec<Tab>,
    /// The sentence for an empty page.
    nothing: String,
    rows: Vec<PersonalTokenRow>,
    pager: Pager,
    /// The place of this page, to come back to it. Empty for the first page.
    after: String,
}

struct PersonalTokenRow {
    id: String,
    name: String,
    prefix: String,
    owner: String,
    badges: Vec<Badge>,
    scope: String,
    expires: Instant,
    used: Instant,
    /// True if the org suspended it.
    is_suspended: bool,
    /// True if it is neither revoked nor expired.
    is_live: bool,
}

/// The number of tokens on a page.
const PAGE: u64 = 50;

/// The result of an act, by its code in the query.
const DONE: &[(&str, &str)] = &[
    ("suspended", "The token is suspended here: it has no power in this org until it is resumed."),
    ("resumed", "The token was resumed here."),
    ("unchanged", "Nothing had to be changed."),
];

pub(super) async fn show(State(site): State<Arc<Site>>, request: PageRequest) -> PageResult {
    let slug = request.org()?;
    let after: Option<TokenId> = request.query.get("after").and_then(|text| text.parse().ok());
    let asked = TokenPage { include_revoked: false, after, limit: PAGE };
    let tokens = site.authority.tokens();
    let listed = tokens.list_personal_tokens(&request.credential(), &slug, asked).await?;
    let base = format!("/orgs/{slug}/personal-tokens");
    let next = match page_token(listed.next.as_ref()) {
        none if none.is_empty() => String::new(),
        next => format!("{base}?{}", query([("after", next.as_str())])),
    };
    let rows: Vec<_> =
        listed.views.iter().map(|view| PersonalTokenRow::of(view, &slug, listed.now)).collect();
    let count = rows.len();
    let mut frame = Frame::new(&request.visit, "orgs");
    frame.done = done_text(DONE, &request.query);
    let personal_tokens_page = PersonalTokensPage {
        frame,
        slug: slug.to_string(),
        tabs: org_tabs(&slug, "Personal tokens"),
        nothing: match after {
            None => format!("No member has a token that may have power in {slug}."),
            Some(_) => "There are no further tokens.".to_owned(),
        },
        rows,
        pager: Pager {
            text: format!("{count} {}", if count == 1 { "token" } else { "tokens" }),
            first: if after.is_some() { base } else { String::new() },
            next,
        },
        after: after.map_or_else(String::new, |after| after.to_string()),
    };
    Ok(page(StatusCode::OK, &personal_tokens_page))
}

pub(super) async fn suspend(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let (slug, id) = (submission.org()?, submission.token()?);
    let tokens = site.authority.tokens();
    let acted = tokens.suspend_personal_token(&submission.credential(), &slug, id).await;
    done(&site, &submission, &slug, acted, "suspended").await
}

pub(super) async fn resume(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let (slug, id) = (submission.org()?, submission.token()?);
    let tokens = site.authority.tokens();
    let acted = tokens.resume_personal_token(&submission.credential(), &slug, id).await;
    done(&site, &submission, &slug, acted, "resumed").await
}

/// Returns the response to an act: the same page of the list.
async fn done(
    site: &Site,
    submission: &Submission,
    slug: &OrgSlug,
    acted: Result<Changed<TokenView>, AuthorityError>,
    code: &str,
) -> PageResult {
    match acted {
        Ok(Changed { changed, .. }) => {
            let place = submission.form.get("after").map(|after| ("after", after));
            let code = if changed { code } else { "unchanged" };
            let link = query(place.into_iter().chain([("done", code)]));
            Ok(go(&format!("/orgs/{slug}/personal-tokens?{link}")))
        }
        Err(error) => Err(submission.failed(site, error).await),
    }
}

impl PersonalTokenRow {
    fn of(view: &TokenView, slug: &OrgSlug, now: Timestamp) -> PersonalTokenRow {
        let token = shown(view, now);
        let is_suspended = view.suspended_in.iter().any(|(org, _)| org == slug);
        let mut badges = badges(&token, now);
        if is_suspended {
            badges.retain(|badge| badge.tone != "good");
            badges.insert(0, Badge::new("warn", format!("Suspended in {slug}")));
        }
        PersonalTokenRow {
            owner: view.owner_name().to_owned(),
            badges,
            scope: token.held(),
            expires: match token.expiry {
                Expiry::At(end) => Instant::day(end),
                Expiry::Never => Instant::word("never"),
            },
            used: last_used(&token, now),
            is_suspended,
            is_live: !view.status(now).is_dead(),
            id: token.id,
            name: token.name,
            prefix: token.prefix,
        }
    }
}
