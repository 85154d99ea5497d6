//! A server that answers an empty call on stock tonic: its runtime, its accept loop, the system's allocator.

use ndauth_bench::empty::Empty;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    eprintln!("{{\"address\":\"{address}\"}}");
    Server::builder().add_service(Empty).serve_with_incoming(TcpListenerStream::new(listener)).await?;
    Ok(())
}
