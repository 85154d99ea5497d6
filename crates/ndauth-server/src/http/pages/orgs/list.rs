//! The list of the orgs of which the person is a member.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use ndauth_authority::Whose;
use ndauth_core::Membership;

use crate::http::fields::query;
use crate::http::layout::page;
use crate::http::pages::browser::{PagePath as _, PageRequest};
use crate::http::pages::me::OfferNote;
use crate::http::pages::parts::{Badge, Frame, Pager, done_text};
use crate::http::problem::PageResult;
use crate::http::site::Site;

#[derive(Template)]
#[template(path = "orgs.html")]
struct MyOrgsPage {
    frame: Frame,
    offers: Vec<OfferNote>,
    /// True if the person is a member of no org.
    is_new: bool,
    rows: Vec<MyOrgRow>,
    pager: Pager,
}

struct MyOrgRow {
    slug: String,
    name: String,
    role: &'static str,
    badges: Vec<Badge>,
}

/// The number of orgs on a page.
const PAGE: usize = 50;

/// The result of an act, by its code in the query.
const DONE: &[(&str, &str)] = &[("left", "You are no member any more. Your tokens have no power there.")];

pub(super) async fn show(State(site): State<Arc<Site>>, request: PageRequest) -> PageResult {
    let credential = request.credential();
    let memberships = site.authority.validation().list_orgs(&credential).await?;
    let offers = site.authority.orgs().list_offers(&credential, &Whose::Mine).await?;
    let after = request.query.text("after");
    let mut rest = memberships.iter().filter(|mine| mine.org.slug.as_str() > after);
    let rows: Vec<MyOrgRow> = rest.by_ref().take(PAGE).map(MyOrgRow::of).collect();
    let next = rows.last().filter(|_| rest.next().is_some()).map(|row| row.slug.as_str());
    let pager = Pager {
        text: format!("{} {}", rows.len(), if rows.len() == 1 { "org" } else { "orgs" }),
        first: if after.is_empty() { String::new() } else { "/orgs".to_owned() },
        next: next.map_or_else(String::new, |slug| format!("/orgs?{}", query([("after", slug)]))),
    };
    let mut frame = Frame::new(&request.visit, "orgs");
    frame.done = done_text(DONE, &request.query);
    let orgs_page = MyOrgsPage {
        frame,
        offers: offers.rows.iter().map(OfferNote::of).collect(),
        is_new: memberships.is_empty(),
        rows,
        pager,
    };
    Ok(page(StatusCode::OK, &orgs_page))
}

impl MyOrgRow {
    fn of(mine: &Membership) -> MyOrgRow {
        let is_frozen = mine.org.frozen_at.is_some();
        MyOrgRow {
            slug: mine.org.slug.to_string(),
            name: mine.org.name.as_ref().map(ToString::to_string).unwrap_or_default(),
            role: mine.role.as_str(),
            badges: vec![if is_frozen { Badge::new("warn", "Frozen") } else { Badge::new("good", "Active") }],
        }
    }
}
