//! The pages of a person who is signed in. Each asks the authority as every other surface does, and has no rule of its
//! own.

mod parts;
mod pictures;

mod org_tabs;

mod browser;
mod once;

mod me;
mod operator;
mod orgs;
mod tokens;

mod history;

use axum::routing::post;

use super::route::{HttpRoute, person};

/// The route that asks for a login in mid-act.
const AGAIN: &[HttpRoute] = &[person("POST /sign-in/again", || post(browser::sign_in_again))];

/// Returns the routes of the pages.
pub(super) fn routes() -> impl Iterator<Item = &'static HttpRoute> {
    [AGAIN, tokens::ROUTES, orgs::ROUTES, me::ROUTES, operator::ROUTES, history::ROUTES].into_iter().flatten()
}
