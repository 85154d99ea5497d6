//! What is told of every call.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ndauth_core::{Reason, Timestamp};

/// What is told of every call, once it ended.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<Tell>>);

type Tell = dyn Fn(&Call) + Send + Sync;

/// A call that ended.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which RPC.
    pub rpc: &'static str,
    /// The id under which the server's log tells of it, if it was reached.
    pub request_id: Option<String>,
    /// How long it took.
    pub took: Duration,
    /// Why it failed, if it did.
    pub failed: Option<Reason>,
    /// From when until when the credential that came along serves, where the server tells.
    pub credential: Option<(Timestamp, Timestamp)>,
}

impl Observer {
    /// Tells it, where there is anyone to tell.
    pub(crate) fn tell(&self, call: impl FnOnce() -> Call) {
        if let Observer(Some(tell)) = self {
            tell(&call());
        }
    }

    /// Tells a function of every call.
    pub fn new(tell: impl Fn(&Call) + Send + Sync + 'static) -> Observer {
        Observer(Some(Arc::new(tell)))
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Observer" } else { "no observer" })
    }
}
