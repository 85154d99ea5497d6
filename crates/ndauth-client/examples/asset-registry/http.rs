//! The assets over HTTP. The guard decides before a handler runs; handlers read the caller from the request's
//! extensions.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use ndauth_client::AllowedToken;
use serde_json::{Value, json};

use crate::registry::{Asset, Registry};

type Shared = State<Arc<Registry>>;

pub(crate) fn router(registry: Arc<Registry>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "well\n" }))
        .route("/orgs/{org}/assets", get(list))
        .route("/orgs/{org}/assets/{asset}", get(pull).put(publish))
        .route("/orgs/{org}/assets/{asset}/versions/{version}/approve", post(approve))
        .with_state(registry)
}

async fn list(State(registry): Shared, Path(org): Path<String>) -> Result<Json<Value>, StatusCode> {
    let assets = registry.list(&org).map_err(|error| failed(&error))?;
    Ok(Json(assets.iter().map(asset_to_json).collect()))
}

async fn pull(
    State(registry): Shared,
    Path((org, asset)): Path<(String, String)>,
) -> Result<Vec<u8>, StatusCode> {
    let found = registry.pull(&org, &asset, None).map_err(|error| failed(&error))?;
    found.map(|(_, content)| content).ok_or(StatusCode::NOT_FOUND)
}

async fn publish(
    State(registry): Shared,
    Extension(who): Extension<AllowedToken>,
    Path((org, asset)): Path<(String, String)>,
    content: Bytes,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let asset =
        registry.publish(&org, &asset, &content, &who.owner().to_string()).map_err(|error| failed(&error))?;
    Ok((StatusCode::CREATED, Json(asset_to_json(&asset))))
}

async fn approve(
    State(registry): Shared,
    Extension(who): Extension<AllowedToken>,
    Path((org, asset, version)): Path<(String, String, u32)>,
) -> Result<Json<Value>, StatusCode> {
    let approved =
        registry.approve(&org, &asset, version, &who.owner().to_string()).map_err(|error| failed(&error))?;
    approved.map(|asset| Json(asset_to_json(&asset))).ok_or(StatusCode::NOT_FOUND)
}

fn asset_to_json(asset: &Asset) -> Value {
    let Asset { name, version, published_by, approved_by } = asset;
    json!({ "name": name, "version": version, "published_by": published_by, "approved_by": approved_by })
}

fn failed(error: &rusqlite::Error) -> StatusCode {
    eprintln!("{error}");
    StatusCode::INTERNAL_SERVER_ERROR
}
