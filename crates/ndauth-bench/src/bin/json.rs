//! A server that parses a question of `/v1/secrets:validate` and prints a fixed verdict, by axum and serde, behind
//! ndauth's own HTTP front: the least that a JSON API can cost there.

use axum::body::Body;
use axum::routing::post;
use axum::{Json, Router};
use ndauth_bench::front::serve;
use serde::{Deserialize, Serialize};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BareQuestion {
    secret: String,
    org: String,
    required_access: String,
}

#[derive(Serialize)]
struct BareVerdict {
    allowed: BareAllowed,
    sequence: u64,
    evaluated_at: &'static str,
    max_cache_age: &'static str,
    stale: bool,
}

#[derive(Serialize)]
struct BareAllowed {
    token_id: &'static str,
    token_name: String,
    owner: BareOwner,
    expiry: &'static str,
    effective: BareEffective,
}

#[derive(Serialize)]
struct BareOwner {
    account: BareAccount,
}

#[derive(Serialize)]
struct BareAccount {
    id: &'static str,
    handle: &'static str,
}

#[derive(Serialize)]
struct BareEffective {
    org_id: &'static str,
    org_slug: String,
    access: String,
    role: &'static str,
    grants: &'static str,
}

async fn validate(Json(question): Json<BareQuestion>) -> Json<BareVerdict> {
    Json(BareVerdict {
        allowed: BareAllowed {
            token_id: "01a22623-f068-7686-bffc-0bf6581f9cc7",
            token_name: question.secret.chars().take(12).collect(),
            owner: BareOwner {
                account: BareAccount { id: "01a22623-b94c-7aeb-99d2-ece1670c0fcf", handle: "dev" },
            },
            expiry: "2027-02-27T07:10:19.240656Z",
            effective: BareEffective {
                org_id: "01a22623-b94f-781c-97e5-cc5c97e1042c",
                org_slug: question.org,
                access: question.required_access,
                role: "ADMIN",
                grants: "all",
            },
        },
        sequence: 11,
        evaluated_at: "2026-11-29T07:10:19.393763Z",
        max_cache_age: "1.853553s",
        stale: false,
    })
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let router = Router::new().route("/v1/secrets:validate", post(validate));
    serve(router, Body::new).await
}
