//! A browser's visit to a page: its session, identified once, and the view in which the page asks its questions.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use ndauth_core::{Account, Secret, SecretId, SecretPrefix, Session, Timestamp};
use ndauth_store::Read;

/// The account and the session that a browser's cookie stands for.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The account that is signed in.
    pub account: Account,
    /// The session.
    pub session: Session,
    /// The instant of the response.
    pub now: Timestamp,
}

/// A visit with its view: every question that is asked with it is answered as of one instant.
///
/// It holds a connection to the database, so it is dropped before anything is changed.
pub struct OpenVisit {
    visit: Visit,
    cookie: Secret,
    from: Option<IpAddr>,
    pub(super) prefix: SecretPrefix,
    pub(super) secret: SecretId,
    pub(crate) read: Arc<Read>,
}

impl OpenVisit {
    pub(crate) fn new(
        visit: Visit,
        (cookie, from): (Secret, Option<IpAddr>),
        (prefix, secret): (SecretPrefix, SecretId),
        read: Arc<Read>,
    ) -> OpenVisit {
        OpenVisit { visit, cookie, from, prefix, secret, read }
    }

    /// Ends the view.
    pub fn close(self) -> Visit {
        self.visit.clone()
    }

    pub(super) fn cookie(&self) -> &Secret {
        &self.cookie
    }

    pub(super) fn from(&self) -> Option<IpAddr> {
        self.from
    }
}

impl Deref for OpenVisit {
    type Target = Visit;

    fn deref(&self) -> &Visit {
        &self.visit
    }
}

impl fmt::Debug for OpenVisit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenVisit")
            .field("visit", &self.visit)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl Drop for OpenVisit {
    fn drop(&mut self) {
        tracing::debug!(statements = self.read.statements(), "a page's view ended");
    }
}
