//! The assets over gRPC.

use std::sync::Arc;

use ndauth_client::{AllowedToken, Reason};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, async_trait};

use crate::registry::{self, Registry};

/// Generated from `assets.proto` by `cargo xtask codegen`.
mod v1 {
    #![expect(
        unreachable_pub,
        unused_qualifications,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated"
    )]
    include!("assets.v1.rs");
}

use v1::asset_service_server::{AssetService, AssetServiceServer};
use v1::{
    ApproveRequest, ApproveResponse, Asset, FollowRequest, FollowResponse, ListRequest, ListResponse,
    PublishRequest, PublishResponse, PullRequest, PullResponse,
};

pub(crate) struct Assets(Arc<Registry>);

pub(crate) fn service(registry: Arc<Registry>) -> AssetServiceServer<Assets> {
    AssetServiceServer::new(Assets(registry))
}

#[async_trait]
impl AssetService for Assets {
    type FollowStream = ReceiverStream<Result<FollowResponse, Status>>;

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let (_, org) = who(&request)?;
        let assets = self.0.list(&org).map_err(|error| failed(&error))?;
        Ok(Response::new(ListResponse { assets: assets.into_iter().map(Asset::from).collect() }))
    }

    async fn pull(&self, request: Request<PullRequest>) -> Result<Response<PullResponse>, Status> {
        let (_, org) = who(&request)?;
        let PullRequest { name, version } = request.into_inner();
        let found = self.0.pull(&org, &name, Some(version)).map_err(|error| failed(&error))?;
        let (asset, content) = found.ok_or_else(|| Status::not_found("there is no such version"))?;
        Ok(Response::new(PullResponse { asset: Some(asset.into()), content }))
    }

    async fn publish(&self, request: Request<PublishRequest>) -> Result<Response<PublishResponse>, Status> {
        let (allowed, org) = who(&request)?;
        let PublishRequest { name, content } = request.into_inner();
        let asset = self
            .0
            .publish(&org, &name, &content, &allowed.owner().to_string())
            .map_err(|error| failed(&error))?;
        Ok(Response::new(PublishResponse { asset: Some(asset.into()) }))
    }

    async fn approve(&self, request: Request<ApproveRequest>) -> Result<Response<ApproveResponse>, Status> {
        let (allowed, org) = who(&request)?;
        let ApproveRequest { name, version } = request.into_inner();
        let approved = self
            .0
            .approve(&org, &name, version, &allowed.owner().to_string())
            .map_err(|error| failed(&error))?;
        let asset = approved.ok_or_else(|| Status::not_found("there is no such version"))?;
        Ok(Response::new(ApproveResponse { asset: Some(asset.into()) }))
    }

    async fn follow(&self, request: Request<FollowRequest>) -> Result<Response<Self::FollowStream>, Status> {
        let (allowed, org) = who(&request)?;
        let mut published = self.0.follow();
        let (sender, receiver) = mpsc::channel(8);
        tokio::spawn(async move {
            let forward = async {
                while let Ok((of, asset)) = published.recv().await {
                    let response = FollowResponse { asset: Some(asset.into()) };
                    if of == org && sender.send(Ok(response)).await.is_err() {
                        return;
                    }
                }
            };
            // The stream ends when the token does.
            tokio::select! {
                () = forward => {}
                _ = allowed.revoked() => {
                    let _ = sender.send(Err(Status::unauthenticated("the token may not read any more"))).await;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// Returns the token that the guard admitted, and the org that it was admitted for.
fn who<T>(request: &Request<T>) -> Result<(AllowedToken, String), Status> {
    let allowed = request.extensions().get::<AllowedToken>();
    let allowed =
        allowed.ok_or_else(|| Status::internal(format!("{}: nobody looked", Reason::Internal.code())))?;
    let org = allowed.requirement().org().map(ToString::to_string).unwrap_or_default();
    Ok((allowed.clone(), org))
}

impl From<registry::Asset> for Asset {
    fn from(asset: registry::Asset) -> Asset {
        let registry::Asset { name, version, published_by, approved_by } = asset;
        Asset { name, version, published_by, approved_by: approved_by.unwrap_or_default() }
    }
}

fn failed(error: &rusqlite::Error) -> Status {
    eprintln!("{error}");
    Status::internal("the assets cannot be read")
}
