//! The approval of a device: its person types the code that it shows (RFC 8628). The code is never taken from
//! a link: an attacker could send the link of their own device to somebody else.

use askama::Template;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use ndauth_authority::{AuthorityError, Visit, WaitingDevice};
use ndauth_core::{DisplayName, UserCode};

use super::fields::Fields;
use super::layout::{go, page};
use super::links::{ago, sign_in};
use super::problem::{PageError, PageResult, retry_after};
use super::request::VisitorRequest;
use super::site::Site;

/// The page on which a person types the code that a device shows.
#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage<'a> {
    handle: &'a str,
    user_code: &'a str,
    wrong: Option<&'a str>,
}

/// The page that asks for consent before a device is authorized.
#[derive(Template)]
#[template(path = "device_decision.html")]
struct DeviceDecisionPage<'a> {
    device: Option<&'a str>,
    address: &'a str,
    ago: &'a str,
    user_code: &'a str,
    handle: &'a str,
    email: &'a str,
}

/// The page that reports a completed action.
#[derive(Template)]
#[template(path = "done.html")]
struct DonePage<'a> {
    title: &'a str,
    text: &'a str,
    /// The command to type next at a terminal. Empty if there is none.
    command: &'a str,
}

pub(super) async fn show(State(site): State<Arc<Site>>, request: VisitorRequest) -> PageResult {
    offered(&site)?;
    let Some((_, visit)) = request.visit(&site).await? else { return Ok(go(&sign_in("/device"))) };
    let shown = DevicePage { handle: visit.account.handle.as_str(), user_code: "", wrong: None };
    Ok(page(StatusCode::OK, &shown))
}

/// Shows the device that waits with a code.
pub(super) async fn look(State(site): State<Arc<Site>>, request: VisitorRequest) -> PageResult {
    offered(&site)?;
    let Some((cookie, visit)) = request.visit(&site).await? else { return Ok(go(&sign_in("/device"))) };
    let fields = request.form()?;
    let typed = fields.text("user_code");
    let waits = match site.authority.logins().find_waiting_device(&cookie, &request.visitor, typed).await {
        Ok(waits) => waits,
        Err(error) => return again(&visit, typed, error),
    };
    let WaitingDevice { device, address, asked_at, now } = waits;
    let shown = DeviceDecisionPage {
        device: device.as_ref().map(DisplayName::as_str),
        address: &address.map_or("an unknown address".to_owned(), |address| address.to_string()),
        ago: &ago(now.since(asked_at)),
        user_code: &typed.parse().map_or(typed.to_owned(), |code: UserCode| code.to_string()),
        handle: visit.account.handle.as_str(),
        email: visit.account.email.as_str(),
    };
    Ok(page(StatusCode::OK, &shown))
}

pub(super) async fn decide(State(site): State<Arc<Site>>, request: VisitorRequest) -> PageResult {
    offered(&site)?;
    let Some((cookie, visit)) = request.visit(&site).await? else { return Ok(go(&sign_in("/device"))) };
    let fields = request.form()?;
    let allow = decision(&fields)?;
    let typed = fields.text("user_code");
    match site.authority.logins().decide_device(&cookie, &request.visitor, typed, allow).await {
        Ok(()) if allow => {
            let text = "The device is signed in as you: continue there. You may close this page.";
            Ok(page(StatusCode::OK, &DonePage { title: "Done", text, command: "ndcli whoami" }))
        }
        Ok(()) => {
            let text = "The device was not authorized. If you did not start this yourself, somebody may have tried to sign \
                        in as you. They did not get in.";
            Ok(page(StatusCode::OK, &DonePage { title: "Denied", text, command: "" }))
        }
        Err(error) => again(&visit, typed, error),
    }
}

/// Reads the person's decision.
pub(super) fn decision(fields: &Fields) -> Result<bool, PageError> {
    match fields.text("decision") {
        "allow" => Ok(true),
        "deny" => Ok(false),
        _ => Err(PageError::bad("Press either “Allow” or “Deny”.")),
    }
}

fn offered(site: &Site) -> Result<(), PageError> {
    if site.device {
        return Ok(());
    }
    let text = "This server does not authorize devices by code. Sign in with a browser on the device itself.";
    Err(PageError::new(StatusCode::NOT_FOUND, "Not available", text))
}

/// Asks for the code again, if that may help.
fn again(visit: &Visit, typed: &str, error: AuthorityError) -> PageResult {
    let failure = match error {
        AuthorityError::NotFound { .. } => PageError::new(
            StatusCode::NOT_FOUND,
            "",
            "No device is waiting with this code. Type it again as the device shows it. If it is more than ten minutes old, \
             begin again on the device.",
        ),
        AuthorityError::Invalid { field: "user_code", .. } => {
            PageError::bad("A code has eight letters, such as BCDF-GHJK. Type it as the device shows it.")
        }
        error @ AuthorityError::TooManyTries { .. } => PageError::from(error),
        error => return Err(error.into()),
    };
    // A long text is not shown again: an attacker may have had the browser send it.
    let typed: &str = if typed.len() <= 20 { typed } else { "" };
    let shown =
        DevicePage { handle: visit.account.handle.as_str(), user_code: typed, wrong: Some(&failure.text) };
    Ok(retry_after(page(failure.status, &shown), failure.retry))
}
