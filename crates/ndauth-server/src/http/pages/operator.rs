//! The pages of operators: what `AdminService` does.

mod tabs;

pub(super) use tabs::tabs;

mod accounts;
mod orgs;
mod overview;
mod services;

use axum::routing::{get, post};

use crate::http::route::{HttpRoute, person};

#[rustfmt::skip]
pub(super) const ROUTES: &[HttpRoute] = &[
    person("GET /operator",                                 || get(overview::show)),
    person("GET /operator/accounts",                        || get(accounts::show)),
    person("POST /operator/accounts",                       || post(accounts::create)),
    person("POST /operator/accounts/{handle}/invite",       || post(accounts::invite)),
    person("POST /operator/accounts/{handle}/disable",      || post(accounts::disable)),
    person("POST /operator/accounts/{handle}/enable",       || post(accounts::enable)),
    person("POST /operator/accounts/{handle}/sign-out",     || post(accounts::sign_out)),
    person("GET /operator/orgs",                            || get(orgs::show)),
    person("POST /operator/orgs",                           || post(orgs::create)),
    person("GET /operator/services",                        || get(services::show)),
    person("POST /operator/services",                       || post(services::create)),
    person("POST /operator/services/{service}/rotate",      || post(services::rotate)),
    person("POST /operator/services/{service}/confirm",     || post(services::confirm)),
    person("POST /operator/services/{service}/drop",        || post(services::drop_new)),
    person("POST /operator/services/{service}/retire",      || post(services::retire)),
    person("POST /operator/services/{service}/revoke",      || post(services::revoke)),
];
