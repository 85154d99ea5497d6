//! The pages of orgs: members, offered memberships, policies, and the members' tokens that may have power there.
//! The acts that a page offers follow the role that the authority returned. The authority judges each act.

mod limits;

mod list;
mod members;
mod offers;
mod personal;
mod policy;

use axum::routing::{get, post};

use crate::http::route::{HttpRoute, person};

#[rustfmt::skip]
pub(super) const ROUTES: &[HttpRoute] = &[
    person("GET /orgs",                                          || get(list::show)),
    person("GET /orgs/{org}",                                    || get(members::show)),
    person("POST /orgs/{org}/members/{handle}/role",             || post(members::set_role)),
    person("POST /orgs/{org}/members/{handle}/remove",           || post(members::remove)),
    person("POST /orgs/{org}/offers",                            || post(members::offer)),
    person("POST /orgs/{org}/offers/{handle}/withdraw",          || post(members::withdraw)),
    person("POST /orgs/{org}/freeze",                            || post(members::freeze)),
    person("POST /orgs/{org}/unfreeze",                          || post(members::unfreeze)),
    person("GET /orgs/{org}/personal-tokens",                    || get(personal::show)),
    person("POST /orgs/{org}/personal-tokens/{token}/suspend",   || post(personal::suspend)),
    person("POST /orgs/{org}/personal-tokens/{token}/resume",    || post(personal::resume)),
    person("GET /orgs/{org}/policy",                             || get(policy::show)),
    person("POST /orgs/{org}/policy",                            || post(policy::submit)),
    person("GET /offers/{org}",                                  || get(offers::show)),
    person("POST /offers/{org}/accept",                          || post(offers::accept)),
    person("POST /offers/{org}/decline",                         || post(offers::decline)),
];
