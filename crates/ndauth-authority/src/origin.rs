//! The origin of a request: from where it came, for the events of the changes that it makes. No decision reads it.

use std::net::IpAddr;

use ndauth_core::{ClientName, Personal};

/// From where a request came.
#[derive(Clone, Debug, Default)]
pub struct RequestOrigin {
    /// The client's address, if known.
    pub address: Option<IpAddr>,
    /// The client's name, if it gave one.
    pub client: Option<ClientName>,
    /// The id of the request.
    pub request_id: String,
}

tokio::task_local! {
    static ORIGIN: RequestOrigin;
}

/// The keys of an origin in an event's personal bytes.
pub(crate) const ADDRESS: &str = "address";
pub(crate) const CLIENT: &str = "client";
pub(crate) const REQUEST_ID: &str = "request_id";

impl RequestOrigin {
    /// Runs a request that came from here. The events of its changes say so.
    pub async fn scope<F: Future>(self, request: F) -> F::Output {
        ORIGIN.scope(self, request).await
    }

    /// Returns the origin of the present request, or an empty one outside of requests: at the console, and where the
    /// authority acts by rule.
    pub(crate) fn current() -> RequestOrigin {
        ORIGIN.try_with(RequestOrigin::clone).unwrap_or_default()
    }

    /// Adds the origin to an event's personal data. An address that is there already says more: it is that of the use
    /// that the event is about.
    pub(crate) fn add_to(self, personal: &mut Personal) {
        let RequestOrigin { address, client, request_id } = self;
        let known = [
            (ADDRESS, address.map(|address| address.to_string())),
            (CLIENT, client.map(|client| client.to_string())),
            (REQUEST_ID, Some(request_id).filter(|id| !id.is_empty())),
        ];
        for (key, value) in known {
            if let Some(value) = value {
                personal.entry(key).or_insert(value);
            }
        }
    }
}
