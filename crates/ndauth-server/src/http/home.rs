//! The root, and signing out.

use askama::Template;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::layout::{go, go_with, page};
use super::problem::PageResult;
use super::request::VisitorRequest;
use super::site::Site;

/// The page after signing out.
#[derive(Template)]
#[template(path = "signed_out.html")]
struct SignedOutPage {
    /// True if all sessions of the person ended.
    everywhere: bool,
}

/// Leads to the first page: the person's tokens, or the sign-in page.
pub(super) async fn show(State(site): State<Arc<Site>>, request: VisitorRequest) -> PageResult {
    Ok(go(if request.visit(&site).await?.is_some() { "/tokens" } else { "/sign-in" }))
}

pub(super) async fn sign_out(State(site): State<Arc<Site>>, request: VisitorRequest) -> PageResult {
    if let Some(cookie) = &request.cookie {
        site.authority.logins().sign_out_here(cookie).await?;
    }
    Ok(go_with("/signed-out", site.set_cookie(None)))
}

pub(super) async fn signed_out(request: VisitorRequest) -> PageResult {
    let everywhere = request.raw_query().get("everywhere").is_some();
    Ok(page(StatusCode::OK, &SignedOutPage { everywhere }))
}
