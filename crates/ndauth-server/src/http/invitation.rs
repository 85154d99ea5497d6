//! The page on which a person sets a password, by a link from the operator.

use askama::Template;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use ndauth_authority::AuthorityError;

use super::layout::{go_with, page};
use super::problem::{PageResult, sentence};
use super::request::VisitorRequest;
use super::site::Site;

/// The page on which a person sets a password.
#[derive(Template)]
#[template(path = "invitation.html")]
struct InvitationPage<'a> {
    handle: &'a str,
    code: &'a str,
    wrong: Option<&'a str>,
}

pub(super) async fn show(State(site): State<Arc<Site>>, request: VisitorRequest) -> PageResult {
    let fields = request.query()?;
    let code = fields.text("code");
    let account = site.authority.logins().account_of_link(code).await?;
    Ok(page(StatusCode::OK, &InvitationPage { handle: account.handle.as_str(), code, wrong: None }))
}

pub(super) async fn accept(State(site): State<Arc<Site>>, request: VisitorRequest) -> PageResult {
    let fields = request.form()?;
    let (code, password) = (fields.text("code"), fields.text("password"));
    let account = site.authority.logins().account_of_link(code).await?;
    let again = |why: &str| {
        let shown = InvitationPage { handle: account.handle.as_str(), code, wrong: Some(why) };
        Ok(page(StatusCode::BAD_REQUEST, &shown))
    };
    if password != fields.text("password_again") {
        return again("The two passwords are not the same. Type both again.");
    }
    match site.authority.logins().accept_invitation(code, password, &request.visitor).await {
        Ok(signed_in) => {
            // The session before is ended.
            if let Some(before) = &request.cookie {
                site.authority.logins().sign_out_here(before).await?;
            }
            Ok(go_with("/", site.set_cookie(Some(&signed_in.secret))))
        }
        Err(AuthorityError::Invalid { field: "password", why }) => {
            again(&sentence(&format!("choose another password: {why}")))
        }
        Err(error) => Err(error.into()),
    }
}
