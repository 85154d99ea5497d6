//! A server that reads a question of `/edge/verify` and returns a fixed identity, by axum, behind ndauth's own HTTP
//! front: the least that an endpoint for proxies can cost there.

use axum::Router;
use axum::body::Body;
use axum::extract::Query;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use ndauth_bench::front::serve;
use serde::Deserialize;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BareParameters {
    org: String,
    access: String,
}

async fn verify(Query(asked): Query<BareParameters>, headers: HeaderMap) -> impl IntoResponse {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (service, token) = (text("x-ndauth-service"), text("authorization"));
    if !service.starts_with("ndsvc_") || !token.starts_with("Bearer ndpat_") {
        return (StatusCode::UNAUTHORIZED, HeaderMap::new());
    }
    let identity = [
        ("x-auth-token-id", "01a22623-f068-7686-bffc-0bf6581f9cc7".to_owned()),
        ("x-auth-token-name", token.chars().skip(7).take(12).collect()),
        ("x-auth-subject", "01a22623-b94c-7aeb-99d2-ece1670c0fcf".to_owned()),
        ("x-auth-account", "dev".to_owned()),
        ("x-auth-org", asked.org),
        ("x-auth-access", asked.access),
        ("x-auth-role", "ADMIN".to_owned()),
    ];
    let mut headers = HeaderMap::with_capacity(8);
    for (name, value) in identity {
        let value = HeaderValue::try_from(value).expect("visible ASCII");
        headers.insert(HeaderName::from_static(name), value);
    }
    (StatusCode::OK, headers)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    serve(Router::new().route("/edge/verify", get(verify)), Body::new).await
}
