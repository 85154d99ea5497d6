//! A server that answers an empty call behind ndauth's own HTTP front, without authentication, metrics or
//! tracing.

use ndauth_bench::empty::Empty;
use ndauth_bench::front::serve;
use tonic::body::Body;
use tonic::service::Routes;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    serve(Routes::new(Empty).prepare(), Body::new).await
}
