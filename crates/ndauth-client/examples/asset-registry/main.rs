//! A service with gRPC and HTTP that ndauth guards: it stores versions of assets, which some publish and
//! others approve.
//!
//! ```sh
//! ASSETS_NDAUTH_SECRET=ndsvc_… asset-registry NDAUTH_URL DATABASE [HTTP_ADDRESS GRPC_ADDRESS]
//! ```

mod http;
mod registry;
mod rpc;

use std::net::SocketAddr;
use std::sync::Arc;

use ndauth_client::guard::{Guard, OrgFrom, Route, Table};
use ndauth_client::{Credentials, Scope, Verifier, VerifierOptions};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;

use crate::registry::Registry;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Returns the requirement of each route: the whole of this service's access control.
fn table() -> Table {
    let rpc = |method: &str, access, permission| {
        let org = OrgFrom::Header("x-org".parse().expect("a header"));
        Route::needs(&format!("/assets.v1.AssetService/{method}"), access, permission).org_from(org)
    };
    Table::new([
        Route::open("GET /healthz"),
        Route::needs("GET /orgs/{org}/assets", Scope::Ro, "read:assets"),
        Route::needs("GET /orgs/{org}/assets/{asset}", Scope::Ro, "read:assets:{asset}"),
        Route::needs("PUT /orgs/{org}/assets/{asset}", Scope::Rw, "write:assets:{asset}"),
        Route::needs(
            "POST /orgs/{org}/assets/{asset}/versions/{version}/approve",
            Scope::Rw,
            "approve:assets:{asset}",
        ),
        rpc("List", Scope::Ro, "read:assets"),
        rpc("Pull", Scope::Ro, "read:assets"),
        rpc("Publish", Scope::Rw, "write:assets"),
        rpc("Approve", Scope::Rw, "approve:assets"),
        rpc("Follow", Scope::Ro, "read:assets"),
    ])
    .expect("a table that makes sense")
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [ndauth, database, rest @ ..] = words.as_slice() else {
        return Err("usage: asset-registry NDAUTH_URL DATABASE [HTTP_ADDRESS GRPC_ADDRESS]".into());
    };
    let address = |index: usize| rest.get(index).map_or("127.0.0.1:0", String::as_str).parse::<SocketAddr>();

    let credentials = Credentials::from_environment("ASSETS_NDAUTH_SECRET")?;
    let verifier = Verifier::start(VerifierOptions::new(ndauth.parse()?, credentials))?;
    let guard = Guard::by_table(verifier.clone(), table());
    let registry = Arc::new(Registry::open(database)?);

    let http = TcpListener::bind(address(0)?).await?;
    let grpc = TcpListener::bind(address(1)?).await?;
    verifier.ready().await;
    println!("ready: http {} grpc {}", http.local_addr()?, grpc.local_addr()?);
    let over_http = axum::serve(http, http::router(Arc::clone(&registry)).layer(guard.clone()));
    let over_grpc = tonic::transport::Server::builder()
        .layer(guard)
        .add_service(rpc::service(registry))
        .serve_with_incoming(TcpListenerStream::new(grpc));
    tokio::select! {
        ended = over_http => ended?,
        ended = over_grpc => ended?,
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}
