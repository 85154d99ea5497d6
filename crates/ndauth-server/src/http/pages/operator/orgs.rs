//! All orgs: listed and created.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use ndauth_authority::{NewOrg, OrgSummary};
use ndauth_core::OrgSlug;

use super::tabs::{PAGE, tabs};
use crate::http::layout::{go, page};
use crate::http::pages::browser::{PagePath as _, PageRequest, Submission};
use crate::http::pages::parts::{Badge, Frame, Instant, Pager, Tab};
use crate::http::problem::{PageResult, sentence};
use crate::http::site::Site;

#[derive(Template)]
#[template(path = "operator_orgs.html")]
struct OrgsPage {
    frame: Frame,
    lead: &'static str,
    tabs: Vec<Tab>,
    rows: Vec<OrgRow>,
    pager: Pager,
    slug: String,
    slug_error: String,
    display_name: String,
    name_error: String,
}

struct OrgRow {
    slug: String,
    name: String,
    badges: Vec<Badge>,
    made: Instant,
}

/// The form of a new org as it was filled in, with its errors.
#[derive(Default)]
struct TypedOrg {
    slug: String,
    slug_error: String,
    name: String,
    name_error: String,
    wrong: String,
}

pub(super) async fn show(State(site): State<Arc<Site>>, request: PageRequest) -> PageResult {
    shown(&site, &request, TypedOrg::default(), StatusCode::OK).await
}

async fn shown(site: &Site, request: &PageRequest, typed: TypedOrg, status: StatusCode) -> PageResult {
    let after: Option<OrgSlug> = request.query.get("after").and_then(|after| after.parse().ok());
    let operator = site.authority.operator();
    let listed = match operator.list_orgs_page(&request.credential(), false, after.as_ref(), PAGE).await {
        Ok(listed) => listed,
        Err(error) => return request.failed(error),
    };
    let next = listed.rows.last().filter(|_| listed.more).map(|summary| summary.org.slug.to_string());
    let mut frame = Frame::new(&request.visit, "operator");
    frame.wrong = typed.wrong;
    let orgs = OrgsPage {
        frame,
        lead: "Orgs are managed by their admins. An operator creates them.",
        tabs: tabs("Orgs"),
        rows: listed.rows.iter().map(row).collect(),
        pager: Pager {
            text: String::new(),
            first: if after.is_some() { "/operator/orgs".to_owned() } else { String::new() },
            next: next.map_or_else(String::new, |next| format!("/operator/orgs?after={next}")),
        },
        slug: typed.slug,
        slug_error: typed.slug_error,
        display_name: typed.name,
        name_error: typed.name_error,
    };
    Ok(page(status, &orgs))
}

fn row(summary: &OrgSummary) -> OrgRow {
    let count = summary.members;
    let mut badges = vec![Badge::new("idle", format!("{count} member{}", if count == 1 { "" } else { "s" }))];
    if summary.org.frozen_at.is_some() {
        badges.push(Badge::new("warn", "Frozen"));
    }
    OrgRow {
        slug: summary.org.slug.to_string(),
        name: summary.org.name.as_ref().map_or_else(String::new, ToString::to_string),
        badges,
        made: Instant::day(summary.org.created_at),
    }
}

pub(super) async fn create(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let text = |name: &str| submission.form.text(name).trim().to_owned();
    let mut typed = TypedOrg { slug: text("slug"), name: text("name"), ..TypedOrg::default() };
    let slug = typed.slug.parse::<OrgSlug>();
    let name = Some(typed.name.as_str()).filter(|name| !name.is_empty()).map(str::parse).transpose();
    let new = match (slug, name) {
        (Ok(slug), Ok(name)) => NewOrg { slug, name, admin: None },
        (slug, name) => {
            if let Err(why) = slug {
                typed.slug_error = sentence(&format!("the slug {why}"));
            }
            if let Err(why) = name {
                typed.name_error = sentence(&format!("the name {why}"));
            }
            typed.wrong = "No org was created. Look at the field that is marked.".to_owned();
            return shown(&site, &submission.view(&site).await?, typed, StatusCode::BAD_REQUEST).await;
        }
    };
    let made = site.authority.orgs().create(&submission.credential(), &new).await;
    let Err(error) = made else { return Ok(go(&format!("/orgs/{}", new.slug))) };
    let failure = submission.error(&site, error).await?;
    typed.wrong = failure.text;
    shown(&site, &submission.view(&site).await?, typed, failure.status).await
}
