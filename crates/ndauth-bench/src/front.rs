//! Serves a bare handler behind ndauth's own HTTP front: what is left is the cost of the front.

use std::convert::Infallible;

use bytes::Bytes;
use ndauth_server::front::{Front, Limits, Received};
use tokio::net::TcpListener;
use tonic::codegen::http::{Request, Response};
use tonic::codegen::{Body, StdError};
use tower::Service;

/// Serves requests on a free port of this machine, which it prints, until the process is killed.
pub async fn serve<S, Q, B>(handler: S, body: fn(Received) -> Q) -> std::io::Result<()>
where
    S: Service<Request<Q>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    Q: Send + 'static,
    B: Body<Data = Bytes, Error: Into<StdError>> + Unpin + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let front = Front::open(listener, None, Limits::default(), move |_| {
        let handler = handler.clone();
        move |request: Request<Received>| {
            let answer = handler.clone().call(request.map(body));
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
