//! Calls: to the server that is configured, with the credential in force, tried again while it cannot
//! be reached or cannot decide.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use ndauth_client::Client;
use ndauth_core::{Class, Problem, Reason, SecretKind};
use ndauth_proto::hint_for;
use ndauth_terminal::Failure;
use tokio::time::{Instant, timeout_at};

use crate::login::credentials::{RefreshReason, ResolvedCredential, fresh, refreshed};
use crate::login::recent;
use crate::settings::CommonOptions;
use crate::terminal;
use crate::transport::wait::Wait;
use crate::transport::{failed, open, reach, with_attempt_duration};

/// A connection with a credential.
pub(crate) struct ServerConnection {
    client: RefCell<Client>,
    pub(crate) credential: ResolvedCredential,
    common: CommonOptions,
    /// The instant until which an undecided call is retried.
    give_up: Cell<Instant>,
    timeout: Duration,
    /// The remedies tried after a refused call, each at most once.
    refreshed: Cell<bool>,
    proved: Cell<bool>,
}

/// Connects with the credential in force.
pub(crate) async fn connect(common: &CommonOptions) -> Result<ServerConnection, Failure> {
    connect_as(common, fresh(common).await?).await
}

/// Connects with a credential. It goes nowhere in plain text unless it stays on this machine.
pub(crate) async fn connect_as(
    common: &CommonOptions,
    credential: ResolvedCredential,
) -> Result<ServerConnection, Failure> {
    let client = reach(common, async || open(common, &credential.secret, credential.source).await).await?;
    Ok(ServerConnection {
        client: RefCell::new(client),
        credential,
        common: common.clone(),
        give_up: Cell::new(Instant::now() + common.timeout),
        timeout: common.timeout,
        refreshed: Cell::new(false),
        proved: Cell::new(false),
    })
}

impl ServerConnection {
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
                    let message = with_attempt_duration(&problem.message, self.timeout);
                    return Err(self.refused(Problem { message, ..problem }));
                }
                Err(problem) if self.cured(&problem).await? => wait = Wait::until(self.give_up.get()),
                Err(problem) => return Err(self.refused(problem)),
            }
        }
    }

    /// Asks in the same way, with the whole timeout and a fresh login for this call alone: for commands that ask page after
    /// page, or for ever.
    pub(crate) async fn ask_anew<T>(
        &self,
        call: impl AsyncFn(&Client) -> Result<T, Problem>,
    ) -> Result<T, Failure> {
        self.give_up.set(Instant::now() + self.timeout);
        self.refreshed.set(false);
        self.ask(call).await
    }

    /// Asks in the same way; none where what is named does not exist.
    pub(crate) async fn find<T>(
        &self,
        call: impl AsyncFn(&Client) -> Result<T, Problem>,
    ) -> Result<Option<T>, Failure> {
        self.ask(async |client| match call(client).await {
            Err(problem) if problem.reason == Reason::NotFound => Ok(None),
            answer => answer.map(Some),
        })
        .await
    }

    /// Makes a call that must not run twice. It is retried only if it was refused for want of a login, with one.
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

    /// Gives what is asked from here on so much time, from now on.
    pub(crate) fn allow(&mut self, timeout: Duration) {
        self.timeout = timeout;
        self.give_up.set(Instant::now() + timeout);
    }

    async fn within<T>(&self, call: impl AsyncFn(&Client) -> Result<T, Problem>) -> Result<T, Problem> {
        let client = self.client.borrow().clone();
        let late = |_| Problem::new(Reason::Unavailable, "no response arrived in time");
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
                    && stored.login.is_refreshable()
                    && !self.refreshed.replace(true) =>
            {
                refreshed(&self.common, &self.credential.secret, RefreshReason::Refused).await?
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

    /// Returns the next step for the holder of the credential. It depends on the source: unsetting NDCLI_TOKEN does
    /// not leave out a token that comes from elsewhere.
    fn next_step(&self, reason: Reason) -> Option<String> {
        let kind = self.credential.secret.kind();
        let left_out = match (reason, kind, self.credential.source) {
            (Reason::SessionRequired, SecretKind::Personal, "stored login") => "log in as a person",
            (Reason::SessionRequired, SecretKind::Personal, "--token") => "leave `--token` out, and log in",
            (Reason::SessionRequired, SecretKind::Personal, "NDCLI_TOKEN_FILE") => {
                "unset NDCLI_TOKEN_FILE and log in"
            }
            _ => return hint_for(reason, Some(kind)).map(str::to_owned),
        };
        Some(format!("{left_out}: `ndcli auth login`"))
    }

    /// A failed call, with the credential named where it is the credential that failed.
    fn refused(&self, problem: Problem) -> Failure {
        let problem = with_flag(problem);
        let hint = self.next_step(problem.reason);
        match problem.class() {
            Class::NotAuthenticated => {
                let failure = Failure::from(problem).of(&format!("{} was refused", self.credential.source));
                Failure { hint, ..failure }
            }
            Class::Undecided => failed(&self.common, problem),
            _ => Failure { hint, ..failed(&self.common, problem) },
        }
    }
}

/// Returns true if a session is refused because its secret has ended or was replaced.
fn is_ended(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::SessionExpired
            | Reason::SessionRevoked
            | Reason::SecretUnknown
            | Reason::SecretReplaced
            | Reason::SecretExpired
    )
}

/// The problem in the words of the command line: the field of the request that it names becomes the flag that sets it.
fn with_flag(problem: Problem) -> Problem {
    let Some(field) = &problem.field else { return problem };
    let flag = FLAGS.iter().find(|(of, _)| of == field).map(|(_, flag)| *flag);
    match (flag, problem.message.strip_prefix(&format!("`{field}`: "))) {
        (Some(flag), Some(why)) => Problem { message: format!("`{flag}`: {why}"), ..problem },
        _ => problem,
    }
}

/// The flags that set the fields of requests, where they have another name.
#[rustfmt::skip]
const FLAGS: [(&str, &str); 19] = [
    ("access", "--access"), ("client_address", "--from"), ("created_before", "--created-before"),
    ("description", "--description"), ("effective_in", "--effective-in"), ("expiry", "--expires-in"),
    ("grants", "--grant"), ("handle", "HANDLE"), ("minimum", "--minimum-duration"), ("name", "--name"),
    ("networks", "--allow-from"), ("org", "--org"), ("orgs", "--org"), ("overlap", "--overlap"),
    ("required_access", "--access"), ("required_permission", "--permission"), ("scope", "--scope"),
    ("self_rotating_until", "--until"), ("services", "--for-service"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_flag_and_not_the_field() {
        let problem = |field: &str, message: &str| Problem {
            field: Some(field.to_owned()),
            ..Problem::new(Reason::InvalidArgument, message)
        };
        for (field, message, expected) in [
            ("expiry", "`expiry`: an org's token ends", "`--expires-in`: an org's token ends"),
            ("orgs", "`orgs`: there is none", "`--org`: there is none"),
            ("probe", "`probe`: it is late", "`probe`: it is late"),
            ("expiry", "it is late", "it is late"),
        ] {
            assert_eq!(with_flag(problem(field, message)).message, expected);
        }
    }
}
