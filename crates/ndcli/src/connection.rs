//! Calls: to the server that is configured, with the credential in force, tried again while it cannot
//! be reached or cannot decide.

use std::sync::Once;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressStyle};
use ndauth_client::{Call, Client, ConnectError, Observer, Options};
use ndauth_core::{Class, Problem, Reason, SecretKind, Timestamp};
use ndauth_terminal::{Failure, aside, hint, shown, warn};
use tokio::time::{Instant, sleep, timeout_at};

use crate::arguments::Common;
use crate::credentials::{Credential, find};
use crate::terminal;

/// A connection with a credential.
pub(crate) struct Connection {
    client: Client,
    pub(crate) credential: Credential,
    /// Until when what cannot be decided is tried again.
    give_up: Instant,
    timeout: Duration,
    tls: bool,
}

/// Connects with the credential in force.
pub(crate) async fn connect(common: &Common) -> Result<Connection, Failure> {
    connect_as(common, find(common)?).await
}

/// Connects with a credential. It goes nowhere in plain text unless it stays on this machine.
pub(crate) async fn connect_as(common: &Common, credential: Credential) -> Result<Connection, Failure> {
    let give_up = Instant::now() + common.timeout;
    let mut wait = Wait::until(give_up);
    let client = loop {
        match open(common, &credential).await? {
            Ok(client) => break client,
            Err(error) if error.is_passing() && wait.longer(&error.to_string()).await => {}
            Err(error) => return Err(no_connection(&error, common.timeout)),
        }
    };
    Ok(Connection { client, credential, give_up, timeout: common.timeout, tls: common.server.is_tls() })
}

/// Connects once.
pub(crate) async fn open(
    common: &Common,
    credential: &Credential,
) -> Result<Result<Client, ConnectError>, Failure> {
    let server = &common.server;
    if !server.is_tls() && !server.is_loopback() && !common.plaintext_beyond_loopback {
        let message = format!("the credential would cross the network to `{server}` in plain text");
        let hint = "use `https://`; where a tunnel or a proxy encrypts, say `--plaintext-beyond-loopback`";
        return Err(Failure::usage(message, hint));
    }
    let (verbose, url, source) = (common.verbose, server.to_string(), credential.source);
    let is_token = matches!(credential.secret.kind(), SecretKind::Personal | SecretKind::Org);
    let observer = Observer::new(move |call| {
        if verbose {
            aside(&told(&url, call));
        }
        if let Some((begun, ends)) = call.credential.filter(|_| is_token) {
            warn_of_end(source, begun, ends);
        }
    });
    let user_agent = concat!("ndcli/", env!("CARGO_PKG_VERSION")).to_owned();
    let options = Options { ca_file: common.ca_file.clone(), timeout: common.timeout, observer, user_agent };
    Ok(Client::connect_with(server, Some(&credential.secret), &options).await)
}

/// A token is warned of once so much is left of it; one that was made for less is not.
const SOON: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Warns, once, of a token that ends soon.
#[expect(clippy::disallowed_methods, reason = "how long is left for the person who reads it")]
fn warn_of_end(source: &str, begun: Timestamp, ends: Timestamp) {
    static WARNED: Once = Once::new();
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX);
    let left = ends.since(Timestamp::from_micros(micros).unwrap_or(Timestamp::MAX));
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
        let mut wait = Wait::until(self.give_up);
        loop {
            match self.within(call(&self.client)).await {
                Ok(answer) => return Ok(answer),
                Err(problem)
                    if problem.class() == Class::Undecided && wait.longer(&problem.message).await => {}
                Err(problem) if problem.class() == Class::Undecided => {
                    let message = tried_for(&problem.message, self.timeout);
                    return Err(self.refused(Problem { message, ..problem }));
                }
                Err(problem) => return Err(self.refused(problem)),
            }
        }
    }

    /// Asks once: for what would be done twice.
    pub(crate) async fn ask_once<T>(
        &self,
        call: impl AsyncFnOnce(&Client) -> Result<T, Problem>,
    ) -> Result<T, Failure> {
        self.within(call(&self.client)).await.map_err(|problem| self.refused(problem))
    }

    /// Asks as [`Connection::ask`] does, with so much time from now on.
    pub(crate) async fn ask_within<T>(
        &mut self,
        timeout: Duration,
        call: impl AsyncFn(&Client) -> Result<T, Problem>,
    ) -> Result<T, Failure> {
        (self.give_up, self.timeout) = (Instant::now() + timeout, timeout);
        self.ask(call).await
    }

    async fn within<T>(&self, answer: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        let late = |_| Problem::new(Reason::Unavailable, "no answer came in time");
        timeout_at(self.give_up, answer).await.map_err(late)?
    }

    /// A failed call, with the credential named where it is the credential that failed.
    fn refused(&self, problem: Problem) -> Failure {
        match problem.class() {
            Class::NotAuthenticated => {
                Failure::from(problem).of(&format!("{} was refused", self.credential.source))
            }
            // Nothing of ndauth's came back: it may be that the server speaks TLS, and ndcli does not.
            Class::Undecided if problem.message.starts_with("the connection") && !self.tls => Failure {
                hint: Some("where the server speaks TLS, its address begins with `https://`".to_owned()),
                ..Failure::from(problem)
            },
            _ => problem.into(),
        }
    }
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
