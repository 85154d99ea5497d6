//! Reports of calls, for logs and metrics.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ndauth_core::{PolicyWarning, Reason, Timestamp};

/// A callback that receives every call after it ended.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<Callback>>);

type Callback = dyn Fn(&Call) + Send + Sync;

/// A call that ended.
#[derive(Clone, Debug)]
pub struct Call {
    /// The RPC, or the path of an HTTP request.
    pub rpc: &'static str,
    /// The request id in the server's log, if the server was reached.
    pub request_id: Option<String>,
    /// The duration of the call.
    pub took: Duration,
    /// The reason of the failure, if it failed.
    pub failed: Option<Reason>,
    /// The begin and the end of the credential's validity, if the server reports them.
    pub credential: Option<(Timestamp, Timestamp)>,
    /// The announced policies under which the token that came along will be refused.
    pub policy_warnings: Vec<PolicyWarning>,
}

impl Observer {
    /// Reports a call, if there is a callback.
    pub(crate) fn report(&self, call: impl FnOnce() -> Call) {
        if let Observer(Some(callback)) = self {
            callback(&call());
        }
    }

    /// Returns an observer that passes every call to a function.
    pub fn new(callback: impl Fn(&Call) + Send + Sync + 'static) -> Observer {
        Observer(Some(Arc::new(callback)))
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Observer" } else { "no observer" })
    }
}
