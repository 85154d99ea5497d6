//! A TCP proxy that injects faults into connections: it delays, swallows, mutes or cuts them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};

/// The treatment of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Everything sent arrives.
    Fair,
    /// Everything sent arrives this much later.
    Late(Duration),
    /// Bytes from the server never arrive.
    Muted,
    /// No bytes arrive in either direction, and neither side notices.
    Swallowed,
    /// Every connection is closed, and none is accepted.
    Cut,
}

/// The connections that a treatment applies to. All others are treated fairly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultScope {
    /// Every connection.
    All,
    /// The connections whose client has ever sent this text.
    Said(&'static str),
    /// The first connections, as many as given.
    Before(usize),
}

type Order = (FaultScope, Treatment);

/// A proxy in front of a server. Dropping it ends the proxy and its connections.
#[derive(Debug)]
pub struct Proxy {
    /// The address that clients connect to.
    pub address: SocketAddr,
    order: watch::Sender<Order>,
    servers: Arc<Mutex<Vec<SocketAddr>>>,
    accepting: JoinHandle<()>,
    connections: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Proxy {
    /// Starts a proxy in front of one server.
    pub async fn before(server: SocketAddr) -> Proxy {
        Proxy::among(&[server]).await
    }

    /// Starts a proxy in front of several servers, which it uses in turn.
    pub async fn among(servers: &[SocketAddr]) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let (order, orders) = watch::channel((FaultScope::All, Treatment::Fair));
        let connections = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&connections);
        let servers = Arc::new(Mutex::new(servers.to_vec()));
        let turns = Arc::clone(&servers);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *orders.borrow() == (FaultScope::All, Treatment::Cut) {
                    continue;
                }
                let server = {
                    let mut turns = turns.lock().unwrap_or_else(PoisonError::into_inner);
                    turns.rotate_left(1);
                    *turns.last().expect("a server")
                };
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                let connection = tokio::spawn(carry(client, server, kept.len(), orders.clone()));
                kept.push(connection.abort_handle());
            }
        });
        Proxy { address, order, servers, accepting, connections }
    }

    /// Applies a treatment to present and future connections.
    pub fn treat(&self, which: FaultScope, treatment: Treatment) {
        self.order.send_replace((which, treatment));
    }

    /// Applies a treatment to the present connections only. Future ones are treated fairly.
    pub fn treat_open_connections(&self, treatment: Treatment) {
        let present = self.connections.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.treat(FaultScope::Before(present), treatment);
    }

    /// Forwards new connections to another server.
    pub fn forward_to(&self, server: SocketAddr) {
        *self.servers.lock().unwrap_or_else(PoisonError::into_inner) = vec![server];
    }

    /// Treats every connection fairly from now on.
    pub fn clear_faults(&self) {
        self.treat(FaultScope::All, Treatment::Fair);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        for connection in self.connections.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            connection.abort();
        }
    }
}

/// Returns the treatment of a connection, given its number and the bytes that its client sent.
fn treatment(order: Order, number: usize, said: &Mutex<Vec<u8>>) -> Treatment {
    match order {
        (FaultScope::All, treatment) => treatment,
        (FaultScope::Before(present), treatment) if number < present => treatment,
        (FaultScope::Before(_), _) => Treatment::Fair,
        (FaultScope::Said(text), treatment) => {
            let said = said.lock().unwrap_or_else(PoisonError::into_inner);
            let said = said.windows(text.len()).any(|window| window == text.as_bytes());
            if said { treatment } else { Treatment::Fair }
        }
    }
}

async fn carry(client: TcpStream, server: SocketAddr, number: usize, order: watch::Receiver<Order>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let said = Mutex::new(Vec::new());
    let cut = async {
        let mut order = order.clone();
        loop {
            let now = *order.borrow_and_update();
            if treatment(now, number, &said) == Treatment::Cut {
                return;
            }
            // The connection may match only later, when its client has sent more.
            tokio::select! {
                _ = order.changed() => {}
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
            }
        }
    };
    let upward = async {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
            said.lock().unwrap_or_else(PoisonError::into_inner).extend(&bytes[..count]);
            let order = *order.borrow();
            match treatment(order, number, &said) {
                Treatment::Swallowed | Treatment::Cut => continue,
                Treatment::Late(late) => tokio::time::sleep(late).await,
                Treatment::Fair | Treatment::Muted => {}
            }
            if to_server.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    let downward = async {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
            let order = *order.borrow();
            match treatment(order, number, &said) {
                Treatment::Swallowed | Treatment::Muted | Treatment::Cut => continue,
                Treatment::Late(late) => tokio::time::sleep(late).await,
                Treatment::Fair => {}
            }
            if to_client.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = cut => {}
        () = upward => {}
        () = downward => {}
    }
}
