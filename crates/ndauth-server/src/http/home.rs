//! The page of the signed-in person, and signing out.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::pages::{self, go, go_with, page};
use super::request::VisitorRequest;
use super::sign_in::PageResult;
use super::site::Site;

pub(super) async fn show(State(site): State<Arc<Site>>, request: VisitorRequest) -> PageResult {
    let Some((_, visit)) = request.visit(&site).await? else { return Ok(go("/sign-in")) };
    let shown = pages::HomePage {
        handle: visit.account.handle.as_str(),
        email: visit.account.email.as_str(),
        since: &visit.session.created_at.minute(),
        device: site.device,
    };
    Ok(page(StatusCode::OK, &shown))
}

pub(super) async fn sign_out(State(site): State<Arc<Site>>, request: VisitorRequest) -> PageResult {
    if let Some(cookie) = &request.cookie {
        site.authority.logins().sign_out_here(cookie).await?;
    }
    Ok(go_with("/signed-out", site.set_cookie(None)))
}

pub(super) async fn signed_out() -> PageResult {
    Ok(page(StatusCode::OK, &pages::SignedOutPage))
}
