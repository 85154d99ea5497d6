//! The connection to the configured server, and the failures to reach it.

pub(crate) mod wait;

use std::collections::BTreeSet;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use ndauth_client::{Call, Client, ConnectError, Distrust, Http, HttpProxy, Observer, Options};
use ndauth_core::{Class, PolicyWarning, Problem, Reason, Secret, SecretKind, Timestamp};
use ndauth_terminal::environment::variable;
use ndauth_terminal::settings::Origin;
use ndauth_terminal::{Failure, aside, hint, warn};
use tokio::time::Instant;

use crate::clock::now;
use crate::settings::CommonOptions;
use crate::terminal::format_remaining;
use wait::Wait;

/// Connects for HTTP requests other than RPCs. Secrets are sent there, too.
pub(crate) async fn http(common: &CommonOptions) -> Result<Http, Failure> {
    let options = options(common, None)?;
    reach(common, async || {
        require_encryption(common)?;
        Ok(Http::connect(&common.server, &options).await)
    })
    .await
}

/// Connects, and retries while the server cannot be reached.
pub(crate) async fn reach<T>(
    common: &CommonOptions,
    open: impl AsyncFn() -> Result<Result<T, ConnectError>, Failure>,
) -> Result<T, Failure> {
    let mut wait = Wait::until(Instant::now() + common.timeout);
    loop {
        match open().await? {
            Ok(connection) => return Ok(connection),
            Err(error) if error.is_transient() && wait.longer(&error.to_string()).await => {}
            Err(error) => return Err(connection_failure(&error, common)),
        }
    }
}

/// Refuses to send a secret in plain text to another machine, unless an option allows it.
fn require_encryption(common: &CommonOptions) -> Result<(), Failure> {
    let server = &common.server;
    if server.is_tls() || server.is_loopback() || common.plaintext_beyond_loopback {
        return Ok(());
    }
    let message = format!("the credential would cross the network to `{server}` in plain text");
    let hint = "use `https://`; if a tunnel or a proxy encrypts, use `--plaintext-beyond-loopback`";
    Err(Failure::usage(message, hint))
}

/// Connects once. `source` is the source of the secret.
pub(crate) async fn open(
    common: &CommonOptions,
    secret: &Secret,
    source: &'static str,
) -> Result<Result<Client, ConnectError>, Failure> {
    require_encryption(common)?;
    let is_token = matches!(secret.kind(), SecretKind::Personal | SecretKind::Org);
    let options = options(common, Some((secret.kind(), source)).filter(|_| is_token))?;
    Ok(Client::connect_with(&common.server, Some(secret), &options).await)
}

/// Connects once, without a credential. Secrets are sent in requests.
pub(crate) async fn open_without_credential(
    common: &CommonOptions,
) -> Result<Result<Client, ConnectError>, Failure> {
    require_encryption(common)?;
    Ok(Client::connect_with(&common.server, None, &options(common, None)?).await)
}

/// Returns the options of a connection. `token` is the kind and the source of the token that warnings name, if any.
fn options(common: &CommonOptions, token: Option<(SecretKind, &'static str)>) -> Result<Options, Failure> {
    let proxy = HttpProxy::find(&common.server, |name| variable(name))
        .map_err(|why| Failure::usage(why.to_string(), "unset it, or exempt the server: `NO_PROXY=HOST`"))?;
    let (verbose, url) = (common.verbose, common.server.to_string());
    let observer = Observer::new(move |call| {
        if verbose {
            aside(&verbose_line(&url, call));
        }
        if let (Some((kind, source)), Some((begun, ends))) = (token, call.credential) {
            warn_of_end(kind, source, begun, ends);
        }
        if let Some((_, source)) = token {
            warn_of_policies(&format!("the token in {source}"), &call.policy_warnings);
        }
    });
    let user_agent = concat!("ndcli/", env!("CARGO_PKG_VERSION")).to_owned();
    // As others do, it begins no trace of its own, and one that is malformed is none.
    let trace_parent = variable("TRACEPARENT").and_then(|text| text.to_str()?.parse().ok());
    let (ca_file, timeout) = (common.ca_file.clone(), common.timeout);
    Ok(Options { ca_file, timeout, proxy, observer, user_agent, trace_parent })
}

/// A token is warned of once it has this much left, unless its whole lifetime is no longer.
const SOON: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Warns, once, of a token that ends soon.
fn warn_of_end(kind: SecretKind, source: &str, begun: Timestamp, ends: Timestamp) {
    static WARNED: Once = Once::new();
    let left = ends.since(now());
    if left <= SOON && ends.since(begun) > SOON {
        WARNED.call_once(|| {
            warn(&format!("the token in {source} ends in {} ({})", format_remaining(left), ends.minute()));
            hint(match kind {
                SecretKind::Org => {
                    "an admin of the org renews it (`ndcli token renew`) or rotates it (`ndcli token rotate`)"
                }
                _ => {
                    "its owner renews it (`ndcli auth token renew`) or rotates it (`ndcli auth token rotate`)"
                }
            });
        });
    }
}

/// Warns, each once, of announced policies under which a token will be refused.
pub(crate) fn warn_of_policies(token: &str, warnings: &[PolicyWarning]) {
    static WARNED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    for warning in warnings {
        let message = format!("{token} {warning}");
        if WARNED.lock().unwrap_or_else(PoisonError::into_inner).insert(message.clone()) {
            warn(&message);
        }
    }
}

/// A failed call.
pub(crate) fn failed(common: &CommonOptions, problem: Problem) -> Failure {
    // No response of ndauth arrived: perhaps the server expects TLS, and ndcli uses none.
    let broke = problem.class() == Class::Undecided && problem.message.starts_with("the connection");
    let failure = Failure::from(problem);
    if !broke || common.server.is_tls() {
        return failure;
    }
    Failure {
        hint: Some("if the server speaks TLS, its address begins with `https://`".to_owned()),
        ..failure
    }
}

fn connection_failure(error: &ConnectError, common: &CommonOptions) -> Failure {
    let hint = match error {
        ConnectError::Unreachable { .. } if common.server_from == Origin::Default => {
            "the address is the default: name your server by `--server`, NDCLI_SERVER, or `ndcli config set server URL`"
        }
        ConnectError::Unreachable { .. } => {
            "check that it is running, and its address: `--server`, NDCLI_SERVER, `ndcli config set server URL`"
        }
        ConnectError::Untrusted { why, .. } => match why {
            Distrust::UnknownAuthority | Distrust::Other(_) => {
                "name the authority that signed its certificate: `--ca-file FILE`, NDCLI_CA_FILE"
            }
            Distrust::Expired => "ask the operator to renew it, and check this machine's clock",
            Distrust::NotValidYet => "check this machine's clock",
            Distrust::AnotherName => {
                "use the address that its certificate is for: `--server URL`, NDCLI_SERVER"
            }
            Distrust::NoTls => "where it speaks no TLS, its address begins with `http://`",
        },
        ConnectError::CaFile { .. } => "`--ca-file` and NDCLI_CA_FILE name a PEM file",
        ConnectError::Proxy { .. } => {
            "HTTPS_PROXY, http_proxy or ALL_PROXY names the proxy; `NO_PROXY=HOST` goes to the server directly"
        }
    };
    let code = match error {
        ConnectError::Unreachable { .. } | ConnectError::Proxy { .. } | ConnectError::Untrusted { .. } => {
            ndauth_terminal::exit_code(Class::Undecided)
        }
        ConnectError::CaFile { .. } => ndauth_terminal::exit_code(Class::Invalid),
    };
    let message = if error.is_transient() {
        with_attempt_duration(&error.to_string(), common.timeout)
    } else {
        error.to_string()
    };
    Failure { message, hint: Some(hint.to_owned()), code }
}

/// Appends the duration of the attempts to a message.
pub(crate) fn with_attempt_duration(message: &str, tried: Duration) -> String {
    format!("{message} (tried for {})", humantime::format_duration(tried))
}

/// Formats the line that `--verbose` prints for a call.
fn verbose_line(server: &str, call: &Call) -> String {
    let outcome = call.failed.map_or("OK", Reason::code);
    let millis = call.took.as_secs_f64() * 1000.0;
    let id = call.request_id.as_deref().unwrap_or("-");
    format!("> {} at {server}: {outcome} in {millis:.1} ms, request {id}", call.rpc)
}
