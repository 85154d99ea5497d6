//! Calls: to the server that is configured, with the credential in force, tried again while it cannot
//! be reached or cannot decide.

use std::cell::{Cell, RefCell};
use std::sync::Once;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use ndauth_client::{Call, Client, ConnectError, Http, Observer, Options};
use ndauth_core::{Class, Problem, Reason, SecretKind, Timestamp};
use ndauth_terminal::{Failure, aside, hint, shown, warn};
use tokio::time::{Instant, sleep, timeout_at};

use crate::arguments::Common;
use crate::credentials::{Credential, Due, fresh, now, refreshed};
use crate::{recent, terminal};

/// A connection with a credential.
pub(crate) struct Connection {
    client: RefCell<Client>,
    pub(crate) credential: Credential,
    common: Common,
    /// Until when what cannot be decided is tried again.
    give_up: Cell<Instant>,
    timeout: Duration,
    /// What was done about refused calls: each of it once.
    refreshed: Cell<bool>,
    proved: Cell<bool>,
}

/// Connects with the credential in force.
pub(crate) async fn connect(common: &Common) -> Result<Connection, Failure> {
    connect_as(common, fresh(common).await?).await
}

/// Connects with a credential. It goes nowhere in plain text unless it stays on this machine.
pub(crate) async fn connect_as(common: &Common, credential: Credential) -> Result<Connection, Failure> {
    let client = reach(common, async || open(common, &credential).await).await?;
    Ok(Connection {
        client: RefCell::new(client),
        credential,
        common: common.clone(),
        give_up: Cell::new(Instant::now() + common.timeout),
        timeout: common.timeout,
        refreshed: Cell::new(false),
        proved: Cell::new(false),
    })
}

/// Connects for what is no RPC. Secrets go there too.
pub(crate) async fn http(common: &Common) -> Result<Http, Failure> {
    let options = options(common, None);
    reach(common, async || {
        judge(common)?;
        Ok(Http::connect(&common.server, &options).await)
    })
    .await
}

/// Connects, and tries again while the server cannot be reached.
async fn reach<T>(
    common: &Common,
    open: impl AsyncFn() -> Result<Result<T, ConnectError>, Failure>,
) -> Result<T, Failure> {
    let mut wait = Wait::until(Instant::now() + common.timeout);
    loop {
        match open().await? {
            Ok(connection) => return Ok(connection),
            Err(error) if error.is_passing() && wait.longer(&error.to_string()).await => {}
            Err(error) => return Err(no_connection(&error, common.timeout)),
        }
    }
}

/// Refuses to send a secret in plain text, unless it stays on this machine.
fn judge(common: &Common) -> Result<(), Failure> {
    let server = &common.server;
    if server.is_tls() || server.is_loopback() || common.plaintext_beyond_loopback {
        return Ok(());
    }
    let message = format!("the credential would cross the network to `{server}` in plain text");
    let hint = "use `https://`; where a tunnel or a proxy encrypts, say `--plaintext-beyond-loopback`";
    Err(Failure::usage(message, hint))
}

/// Connects once.
pub(crate) async fn open(
    common: &Common,
    credential: &Credential,
) -> Result<Result<Client, ConnectError>, Failure> {
    judge(common)?;
    let is_token = matches!(credential.secret.kind(), SecretKind::Personal | SecretKind::Org);
    let options = options(common, Some(credential.source).filter(|_| is_token));
    Ok(Client::connect_with(&common.server, Some(&credential.secret), &options).await)
}

/// How to connect. `token` is where the token comes from that is warned of, if one is.
fn options(common: &Common, token: Option<&'static str>) -> Options {
    let (verbose, url) = (common.verbose, common.server.to_string());
    let observer = Observer::new(move |call| {
        if verbose {
            aside(&told(&url, call));
        }
        if let (Some(source), Some((begun, ends))) = (token, call.credential) {
            warn_of_end(source, begun, ends);
        }
    });
    let user_agent = concat!("ndcli/", env!("CARGO_PKG_VERSION")).to_owned();
    Options { ca_file: common.ca_file.clone(), timeout: common.timeout, observer, user_agent }
}

/// A token is warned of once so much is left of it; one that was made for less is not.
const SOON: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Warns, once, of a token that ends soon.
fn warn_of_end(source: &str, begun: Timestamp, ends: Timestamp) {
    static WARNED: Once = Once::new();
    let left = ends.since(now());
    if left <= SOON && ends.since(begun) > SOON {
        WARNED.call_once(|| {
            warn(&format!("the token in {source} ends in {} ({})", left_told(left), ends.minute()));
            hint("its owner renews it (`ndcli auth token renew`) or rotates it (`ndcli auth token rotate`)");
        });
    }
}

/// How long something lasts, roughly: in days, hours or minutes.
pub(crate) fn left_told(left: Duration) -> String {
    let seconds = left.as_secs();
    let (count, unit) = match seconds {
        0..3600 => (seconds / 60, "minute"),
        3600..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

impl Connection {
    /// Asks, and asks again while the server cannot be reached or cannot decide: for what does no harm
    /// when it is done twice.
    pub(crate) async fn ask<T>(
        &self,
        call: impl AsyncFn(&Client) -> Result<T, Problem>,
    ) -> Result<T, Failure> {
        let mut wait = Wait::until(self.give_up.get());
        loop {
            match self.within(&call).await {
                Ok(answer) => return Ok(answer),
                Err(problem)
                    if problem.class() == Class::Undecided && wait.longer(&problem.message).await => {}
                Err(problem) if problem.class() == Class::Undecided => {
                    let message = tried_for(&problem.message, self.timeout);
                    return Err(self.refused(Problem { message, ..problem }));
                }
                Err(problem) if self.cured(&problem).await? => wait = Wait::until(self.give_up.get()),
                Err(problem) => return Err(self.refused(problem)),
            }
        }
    }

    /// Asks once: for what would be done twice. Where nothing was done for want of a login, it asks again with one.
    pub(crate) async fn ask_once<T>(
        &self,
        call: impl AsyncFn(&Client) -> Result<T, Problem>,
    ) -> Result<T, Failure> {
        loop {
            match self.within(&call).await {
                Ok(answer) => return Ok(answer),
                Err(problem) if self.cured(&problem).await? => {}
                Err(problem) => return Err(self.refused(problem)),
            }
        }
    }

    /// Asks as [`Connection::ask`] does, with so much time from now on.
    pub(crate) async fn ask_within<T>(
        &mut self,
        timeout: Duration,
        call: impl AsyncFn(&Client) -> Result<T, Problem>,
    ) -> Result<T, Failure> {
        self.timeout = timeout;
        self.give_up.set(Instant::now() + timeout);
        self.ask(call).await
    }

    async fn within<T>(&self, call: impl AsyncFn(&Client) -> Result<T, Problem>) -> Result<T, Problem> {
        let client = self.client.borrow().clone();
        let late = |_| Problem::new(Reason::Unavailable, "no answer came in time");
        timeout_at(self.give_up.get(), call(&client)).await.map_err(late)?
    }

    /// Does something about a call that was refused for want of a login, where something can be done: a stored login
    /// that has ended is refreshed, and one that is not recent is made anew. Each is tried once.
    async fn cured(&self, problem: &Problem) -> Result<bool, Failure> {
        let Some(stored) = &self.credential.login else { return Ok(false) };
        let client = self.client.borrow().clone();
        let credential = match problem.class() {
            Class::NotAuthenticated
                if is_ended(problem.reason)
                    && stored.login.is_refreshed()
                    && !self.refreshed.replace(true) =>
            {
                refreshed(&self.common, &self.credential.secret, Due::Refused).await?
            }
            Class::NotPermitted
                if problem.reason == Reason::LoginNotRecent
                    && stored.login.is_session()
                    && terminal::asks()
                    && !self.proved.replace(true) =>
            {
                recent::log_in_again(&self.common, problem, &client).await?
            }
            _ => return Ok(false),
        };
        self.client.replace(client.with_credential(&credential.secret));
        self.give_up.set(Instant::now() + self.timeout);
        Ok(true)
    }

    /// A failed call, with the credential named where it is the credential that failed.
    fn refused(&self, problem: Problem) -> Failure {
        match problem.class() {
            Class::NotAuthenticated => {
                Failure::from(problem).of(&format!("{} was refused", self.credential.source))
            }
            _ => failed(&self.common, problem),
        }
    }
}

/// A failed call.
pub(crate) fn failed(common: &Common, problem: Problem) -> Failure {
    // Nothing of ndauth's came back: it may be that the server speaks TLS, and ndcli does not.
    let broke = problem.class() == Class::Undecided && problem.message.starts_with("the connection");
    let failure = Failure::from(problem);
    if !broke || common.server.is_tls() {
        return failure;
    }
    Failure {
        hint: Some("where the server speaks TLS, its address begins with `https://`".to_owned()),
        ..failure
    }
}

/// Whether a session is refused because its secret ended, or is another by now.
fn is_ended(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::SessionExpired
            | Reason::SessionRevoked
            | Reason::SecretUnknown
            | Reason::SecretReplaced
            | Reason::SecretLapsed
    )
}

fn no_connection(error: &ConnectError, tried: Duration) -> Failure {
    let hint = match error {
        ConnectError::Unreachable { .. } => {
            "check that it runs, and its address: `--server`, NDCLI_SERVER, `ndcli config set server URL`"
        }
        ConnectError::Untrusted { .. } => {
            "name the authority that signed its certificate: `--ca-file FILE`, NDCLI_CA_FILE"
        }
        ConnectError::CaFile { .. } => "`--ca-file` and NDCLI_CA_FILE name a file of PEM",
    };
    let code = match error {
        ConnectError::Unreachable { .. } | ConnectError::Untrusted { .. } => Class::Undecided.exit_code(),
        ConnectError::CaFile { .. } => Class::Invalid.exit_code(),
    };
    let message = if error.is_passing() { tried_for(&error.to_string(), tried) } else { error.to_string() };
    Failure { message, hint: Some(hint.to_owned()), code }
}

fn tried_for(message: &str, tried: Duration) -> String {
    format!("{message} (tried for {})", humantime::format_duration(tried))
}

/// What `--verbose` tells of a call.
fn told(server: &str, call: &Call) -> String {
    let outcome = call.failed.map_or("OK", Reason::code);
    let millis = call.took.as_secs_f64() * 1000.0;
    let id = call.request_id.as_deref().unwrap_or("-");
    format!("> {} at {server}: {outcome} in {millis:.1} ms, request {id}", call.rpc)
}

/// Waiting for a server to come back.
struct Wait {
    give_up: Instant,
    pause: Duration,
    shown: Option<ProgressBar>,
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Wait {
    fn until(give_up: Instant) -> Wait {
        Wait { give_up, pause: FIRST_PAUSE, shown: None }
    }

    /// Waits a little, and says why: by a spinner on a terminal, else by one line. `false` where the time
    /// is over.
    async fn longer(&mut self, why: &str) -> bool {
        let left = self.give_up.saturating_duration_since(Instant::now());
        if left < self.pause {
            return false;
        }
        // What a server says does not command the terminal.
        let why = shown(why);
        let spinner = self.shown.get_or_insert_with(|| spinner(&why));
        spinner.set_message(format!("trying for {} s more, Ctrl-C stops: {why}", left.as_secs()));
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(spinner) = &self.shown {
            spinner.finish_and_clear();
        }
    }
}

fn spinner(why: &str) -> ProgressBar {
    if !terminal::moves() {
        warn(&format!("{why}; trying again"));
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(FIRST_PAUSE);
    spinner
}
