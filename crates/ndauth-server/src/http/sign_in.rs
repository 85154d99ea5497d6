//! Signing in: by name and password, or by a link that works once.

use askama::Template;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use ndauth_authority::AuthorityError;
use ndauth_core::redact;

use super::layout::{go_with, page};
use super::links::after_sign_in;
use super::problem::{PageError, PageResult, retry_after};
use super::request::VisitorRequest;
use super::site::Site;

/// The page on which a person signs in.
#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    /// The place to go after signing in.
    to: &'a str,
    name: &'a str,
    /// The error in the typed fields.
    wrong: Option<&'a str>,
    /// True if the person is signed in already.
    again: bool,
}

/// The page that asks for confirmation before a link signs somebody in.
#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage<'a> {
    handle: &'a str,
    /// The handle of another person who is signed in now.
    instead_of: Option<&'a str>,
    code: &'a str,
    to: &'a str,
}

pub(super) async fn show(State(site): State<Arc<Site>>, request: VisitorRequest) -> PageResult {
    let fields = request.query()?;
    let visit = request.visit(&site).await?;
    let name = visit.as_ref().map_or("", |(_, visit)| visit.account.handle.as_str());
    let to = after_sign_in(fields.text("to"));
    Ok(page(StatusCode::OK, &SignInPage { to, name, wrong: None, again: visit.is_some() }))
}

/// The longest name of an account, in bytes.
const LONGEST_NAME: usize = 320;

pub(super) async fn sign_in(State(site): State<Arc<Site>>, request: VisitorRequest) -> PageResult {
    let fields = request.form()?;
    let (name, password) = (fields.text("name").trim(), fields.text("password"));
    let to = after_sign_in(fields.text("to"));
    match site.authority.logins().sign_in(name, password, &request.visitor, request.cookie.as_ref()).await {
        Ok(signed_in) => Ok(go_with(to, site.set_cookie(Some(&signed_in.secret)))),
        Err(error @ (AuthorityError::SignInRefused | AuthorityError::TooManyTries { .. })) => {
            let failure = PageError::from(error);
            // A text that is too long for a name, or holds a secret, is not shown again.
            let name = if name.len() <= LONGEST_NAME && redact(name) == name { name } else { "" };
            let shown = SignInPage { to, name, wrong: Some(&failure.text), again: false };
            Ok(retry_after(page(failure.status, &shown), failure.retry))
        }
        Err(error) => Err(error.into()),
    }
}

/// Asks for confirmation before a link is used, so that a program that only opens it, such as a mail scanner,
/// does not use it up.
pub(super) async fn show_link(State(site): State<Arc<Site>>, request: VisitorRequest) -> PageResult {
    let fields = request.query()?;
    let (code, to) = (fields.text("code"), after_sign_in(fields.text("to")));
    let account = site.authority.logins().account_of_link(code).await?;
    let visit = request.visit(&site).await?;
    let other = visit.as_ref().filter(|(_, visit)| visit.account.id != account.id);
    let instead_of = other.map(|(_, visit)| visit.account.handle.as_str());
    Ok(page(StatusCode::OK, &LinkPage { handle: account.handle.as_str(), instead_of, code, to }))
}

pub(super) async fn follow_link(State(site): State<Arc<Site>>, request: VisitorRequest) -> PageResult {
    let fields = request.form()?;
    let before = request.cookie.as_ref();
    let signed_in =
        site.authority.logins().sign_in_by_link(fields.text("code"), &request.visitor, before).await?;
    Ok(go_with(after_sign_in(fields.text("to")), site.set_cookie(Some(&signed_in.secret))))
}
