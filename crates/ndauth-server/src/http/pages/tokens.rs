//! The pages of tokens: of a person's own, and of an org's. One implementation serves both.

mod place;

mod created;
mod form;
pub(super) mod rows;

mod explain;
mod life;
mod list;
mod new;
mod show;

mod acts;

use axum::routing::{get, post};

use crate::http::route::{HttpRoute, person};

/// The routes. Each path exists for a person and for an org.
#[rustfmt::skip]
pub(super) const ROUTES: &[HttpRoute] = &[
    person("GET /tokens",                                || get(list::show)),
    person("POST /tokens",                               || post(new::create)),
    person("GET /tokens/new",                            || get(new::show)),
    person("POST /tokens/preview",                       || post(new::preview)),
    person("GET /tokens/{token}",                        || get(show::show)),
    person("GET /tokens/{token}/explain",                || get(explain::show)),
    person("POST /tokens/{token}/describe",              || post(acts::describe)),
    person("POST /tokens/{token}/rotate",                || post(acts::rotate)),
    person("POST /tokens/{token}/confirm",               || post(acts::confirm)),
    person("POST /tokens/{token}/drop",                  || post(acts::drop_new)),
    person("POST /tokens/{token}/retire",                || post(acts::retire)),
    person("POST /tokens/{token}/renew",                 || post(acts::renew)),
    person("POST /tokens/{token}/suspend",               || post(acts::suspend)),
    person("POST /tokens/{token}/resume",                || post(acts::resume)),
    person("POST /tokens/{token}/revoke",                || post(acts::revoke)),
    person("GET /orgs/{org}/tokens",                     || get(list::show)),
    person("POST /orgs/{org}/tokens",                    || post(new::create)),
    person("GET /orgs/{org}/tokens/new",                 || get(new::show)),
    person("POST /orgs/{org}/tokens/preview",            || post(new::preview)),
    person("GET /orgs/{org}/tokens/{token}",             || get(show::show)),
    person("GET /orgs/{org}/tokens/{token}/explain",     || get(explain::show)),
    person("POST /orgs/{org}/tokens/{token}/describe",   || post(acts::describe)),
    person("POST /orgs/{org}/tokens/{token}/rotate",     || post(acts::rotate)),
    person("POST /orgs/{org}/tokens/{token}/confirm",    || post(acts::confirm)),
    person("POST /orgs/{org}/tokens/{token}/drop",       || post(acts::drop_new)),
    person("POST /orgs/{org}/tokens/{token}/retire",     || post(acts::retire)),
    person("POST /orgs/{org}/tokens/{token}/renew",      || post(acts::renew)),
    person("POST /orgs/{org}/tokens/{token}/suspend",    || post(acts::suspend)),
    person("POST /orgs/{org}/tokens/{token}/resume",     || post(acts::resume)),
    person("POST /orgs/{org}/tokens/{token}/revoke",     || post(acts::revoke)),
];
