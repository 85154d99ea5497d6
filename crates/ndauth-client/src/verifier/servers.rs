//! The servers of an installation: the one to ask, and the next if it does not answer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ndauth_core::{Problem, Reason};
use tonic::transport::{Channel, Endpoint};

use super::options::VerifierOptions;
use crate::client::Client;
use crate::dial::connector;
use crate::{ConnectError, Credentials, InvalidCredentials, Observer, Options};

/// The servers, each with a connection that is opened on first use.
pub(super) struct Servers {
    servers: Vec<(Endpoint, Mutex<Option<Channel>>)>,
    credentials: Credentials,
    observer: Observer,
    /// The index of the server to ask first.
    first: AtomicUsize,
}

impl Servers {
    pub(super) fn new(options: VerifierOptions) -> Result<Servers, ConnectError> {
        let VerifierOptions { server, others, credentials, ca_file, timeout, observer, .. } = options;
        let reached = Options { ca_file, timeout, observer: observer.clone(), ..Options::default() };
        // A watch outlasts any call, so calls have their own timeouts.
        let endpoint = |server| Ok((reached.endpoint(server)?.timeout(Duration::MAX), Mutex::default()));
        let servers = std::iter::once(&server).chain(&others).map(endpoint);
        let servers = servers.collect::<Result<_, ConnectError>>()?;
        Ok(Servers { servers, credentials, observer, first: AtomicUsize::new(0) })
    }

    pub(super) fn observer(&self) -> &Observer {
        &self.observer
    }

    pub(super) fn len(&self) -> usize {
        self.servers.len()
    }

    /// Returns the index of the server to ask first.
    pub(super) fn first(&self) -> usize {
        self.first.load(Ordering::Relaxed) % self.servers.len()
    }

    /// Returns a client of a server.
    pub(super) fn client(&self, which: usize) -> Result<Client, Problem> {
        let bearer = self.credentials.bearer().map_err(|why| no_credentials(&why))?;
        Ok(Client::over(self.channel(which), bearer, self.observer.clone()))
    }

    /// Drops the connection to a server, and makes the next server the first.
    pub(super) fn give_up(&self, which: usize) {
        *self.connection(which) = None;
        let next = (which + 1) % self.servers.len();
        let _ = self.first.compare_exchange(which, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn channel(&self, which: usize) -> Channel {
        let (endpoint, _) = &self.servers[which % self.servers.len()];
        self.connection(which)
            .get_or_insert_with(|| endpoint.connect_with_connector_lazy(connector()))
            .clone()
    }

    fn connection(&self, which: usize) -> MutexGuard<'_, Option<Channel>> {
        let (_, connection) = &self.servers[which % self.servers.len()];
        connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the problem of missing credentials: without them, no server can be asked.
fn no_credentials(why: &InvalidCredentials) -> Problem {
    Problem::new(Reason::Unavailable, why.to_string())
}
