//! The page of a membership that an org offers to the person: accepted or declined.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use ndauth_authority::{Acceptance, AuthorityError, Changed};
use ndauth_core::{InvalidAccess, OrgSlug, Role, Timestamp, TokenView};

use crate::http::layout::{go, page};
use crate::http::pages::browser::{PagePath as _, PageRequest, Submission};
use crate::http::pages::parts::{Fact, Frame, Instant};
use crate::http::pages::tokens::rows::{last_used, named, shown as token_shown};
use crate::http::problem::{PageError, PageResult, sentence};
use crate::http::site::Site;

#[derive(Template)]
#[template(path = "offer.html")]
struct OfferPage {
    frame: Frame,
    slug: String,
    title: String,
    /// The role that is offered. The form sends it, so that no other role is accepted.
    role: &'static str,
    facts: Vec<Fact>,
    tokens: Vec<GainingRow>,
}

/// A token that gains power.
struct GainingRow {
    id: String,
    name: String,
    prefix: String,
    scope: String,
    orgs: String,
    used: Instant,
}

pub(super) async fn show(State(site): State<Arc<Site>>, request: PageRequest) -> PageResult {
    let slug = request.org()?;
    shown(&site, &request, &slug, String::new(), StatusCode::OK).await
}

pub(super) async fn accept(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let slug = submission.org()?;
    let wrong = |why: InvalidAccess| PageError::bad(sentence(&format!("the role: {why}")));
    let role = submission.form.text("role").parse::<Role>().map_err(wrong)?;
    match site.authority.orgs().accept_offer(&submission.credential(), &slug, role).await {
        Ok(Changed { .. }) => Ok(go(&format!("/orgs/{slug}?done=joined"))),
        Err(error) => again(&site, submission, &slug, error).await,
    }
}

pub(super) async fn decline(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let slug = submission.org()?;
    match site.authority.orgs().decline_offer(&submission.credential(), &slug).await {
        Ok(Changed { .. }) => Ok(go("/me?done=declined")),
        Err(error) => Err(submission.failed(&site, error).await),
    }
}

/// Shows the offer again after it was not accepted: its role may be another by now.
async fn again(site: &Site, submission: Submission, slug: &OrgSlug, error: AuthorityError) -> PageResult {
    let failure = submission.error(site, error).await?;
    shown(site, &submission.view(site).await?, slug, failure.text, failure.status).await
}

async fn shown(
    site: &Site,
    request: &PageRequest,
    slug: &OrgSlug,
    wrong: String,
    status: StatusCode,
) -> PageResult {
    let Acceptance { offer, tokens } = site.authority.orgs().get_offer(&request.credential(), slug).await?;
    let now = request.visit.now;
    let mut frame = Frame::new(&request.visit, "orgs");
    frame.wrong = wrong;
    let mut org = Fact::new("Org", offer.org.to_string());
    org.lines.extend(offer.org_name.as_ref().map(ToString::to_string));
    let mut role = Fact::new("Role", offer.role.as_str());
    role.lines.push(meaning(offer.role).to_owned());
    let offer_page = OfferPage {
        frame,
        slug: slug.to_string(),
        title: format!("Join {slug}?"),
        role: offer.role.as_str(),
        facts: vec![
            org,
            role,
            Fact::new("Offered by", offer.made_by.to_string()),
            Fact::at("Ends", Instant::at(offer.ends_at)),
        ],
        tokens: tokens.iter().map(|view| gaining_row(view, now)).collect(),
    };
    Ok(page(status, &offer_page))
}

fn meaning(role: Role) -> &'static str {
    match role {
        Role::Ro => "List and query.",
        Role::Rw => "List, query and change.",
        Role::Admin => "List, query and change, and manage the org.",
    }
}

fn gaining_row(view: &TokenView, now: Timestamp) -> GainingRow {
    let token = token_shown(view, now);
    GainingRow {
        scope: token.held(),
        orgs: named(token.orgs.as_deref(), "All orgs"),
        used: last_used(&token, now),
        id: token.id,
        name: token.name,
        prefix: token.prefix,
    }
}
