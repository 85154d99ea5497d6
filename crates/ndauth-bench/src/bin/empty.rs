//! A server that answers an empty call behind ndauth's own HTTP front, without authentication, metrics or
//! tracing.

use ndauth_bench::empty::Empty;
use ndauth_server::front::{Front, Limits, Received};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::http::Request;
use tonic::service::Routes;
use tower::Service;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let routes = Routes::new(Empty).prepare();
    let front = Front::open(listener, None, Limits::default(), move |_| {
        let routes = routes.clone();
        move |request: Request<Received>| {
            let answer = routes.clone().call(request.map(Body::new));
            Box::pin(async move {
                let Ok(response) = answer.await;
                response
            })
        }
    })?;
    eprintln!("{{\"address\":\"{address}\"}}");
    std::future::pending::<()>().await;
    drop(front);
    Ok(())
}
