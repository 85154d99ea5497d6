//! The pages of a person who is signed in. Each asks the authority as every other surface does, and has no rule of its
//! own.

mod browser;
mod parts;
mod pictures;

mod me;
mod tokens;

use axum::routing::post;
use ndauth_core::OrgSlug;

use super::route::{HttpRoute, person};
use parts::Tab;

/// The route that asks for a login in mid-act.
const AGAIN: &[HttpRoute] = &[person("POST /sign-in/again", || post(browser::sign_in_again))];

/// Returns the routes of the pages.
pub(super) fn routes() -> impl Iterator<Item = &'static HttpRoute> {
    [AGAIN, tokens::ROUTES, me::ROUTES].into_iter().flatten()
}

/// Returns the tabs of an org's pages.
fn org_tabs(org: &OrgSlug, current: &str) -> Vec<Tab> {
    let tabs = [
        ("", "Members"),
        ("/tokens", "Tokens"),
        ("/personal-tokens", "Personal tokens"),
        ("/policy", "Policy"),
    ];
    tabs.into_iter()
        .map(|(path, text)| Tab { href: format!("/orgs/{org}{path}"), text, is_current: text == current })
        .collect()
}
