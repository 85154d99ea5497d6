//! TCP connections to a host by its name or its address, with RFC 8305's races between addresses.

use std::error::Error;

use hyper_util::client::legacy::connect::HttpConnector;
use tokio::net::TcpStream;
use tower_service::Service as _;

#[cfg(not(all(target_env = "gnu", target_feature = "crt-static")))]
use hyper_util::client::legacy::connect::dns::GaiResolver as Resolver;
#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
use names::Resolver;

/// Returns the connector for RPCs. Its connections may carry TLS.
pub(crate) fn connector() -> HttpConnector<Resolver> {
    let mut connector = HttpConnector::new_with_resolver(Resolver::new());
    connector.set_nodelay(true);
    connector.enforce_http(false);
    connector
}

/// Connects to a host. An IPv6 address has no brackets.
pub(crate) async fn dial(host: &str, port: u16) -> Result<TcpStream, Box<dyn Error + Send + Sync>> {
    let uri = format!("http://{}", authority(host, port)).parse()?;
    Ok(connector().call(uri).await?.into_inner())
}

/// Returns a host and a port as a URL has them.
pub(crate) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Returns the text of the root cause.
pub(crate) fn root(error: &dyn Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// Names of hosts in a program that is linked statically with glibc. There, glibc's own resolver loads the modules
/// that `/etc/nsswitch.conf` names, and crashes where they belong to another version of glibc.
#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
mod names {
    use std::io::{self, ErrorKind};
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hickory_resolver::TokioResolver;
    use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig};
    use hickory_resolver::net::NetError;
    use hickory_resolver::net::runtime::TokioRuntimeProvider;
    use hyper_util::client::legacy::connect::dns::Name;
    use tower_service::Service;

    /// Reads `/etc/hosts` and asks the name servers of `/etc/resolv.conf`.
    #[derive(Clone)]
    pub(crate) struct Resolver;

    impl Resolver {
        pub(super) fn new() -> Resolver {
            Resolver
        }
    }

    impl Service<Name> for Resolver {
        type Response = std::vec::IntoIter<SocketAddr>;
        type Error = io::Error;
        type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, name: Name) -> Self::Future {
            Box::pin(async move {
                let found = resolver().map_err(failed)?.lookup_ip(name.as_str()).await.map_err(failed)?;
                // The connector sets the port.
                let addresses: Vec<SocketAddr> = found.iter().map(|ip| SocketAddr::new(ip, 0)).collect();
                Ok(addresses.into_iter())
            })
        }
    }

    /// Without `/etc/resolv.conf`, the name server of this machine is asked (resolv.conf(5)).
    fn resolver() -> Result<TokioResolver, NetError> {
        let local = || {
            let server = NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|_| local());
        builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        builder.build()
    }

    fn failed(error: NetError) -> io::Error {
        match error.is_no_records_found() {
            true => io::Error::new(ErrorKind::NotFound, "the host name has no address"),
            false => io::Error::other(error),
        }
    }
}
