//! Refused attempts, counted by minute until they are written. However many there are, and from however many places, they
//! take a bounded number of rows: beyond it they are counted together.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use ndauth_core::{AccountId, Network, OrgId, Owner, Reason, SecretId, ServiceId, Timestamp, TokenId};
use ndauth_store::{Family, RefusedAttempt, Store, StoreError};

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptKind {
    /// A sign-in.
    SignIn,
    /// A change.
    Change,
    /// The validation of a secret that has ended.
    Validation,
    /// Different ones, too many to be told apart.
    Others,
}

/// Who tried, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Attempter {
    /// Nobody known.
    Unknown,
    /// The account that a sign-in named, or whose session tried.
    Account(AccountId),
    /// A token.
    Token(TokenId, Owner),
    /// A service.
    Service(ServiceId),
    /// Whoever presented this secret, which is looked up when the attempt is written.
    Secret(SecretId),
}

/// The attempts that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Attempt {
    /// The beginning of the minute, in microseconds.
    minute: i64,
    kind: AttemptKind,
    by: Attempter,
    org: Option<OrgId>,
    network: Option<Network>,
    reason: &'static str,
}

/// The attempts that are not written yet.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<Attempt, u64>>);

/// The most different attempts of a minute and a kind, so that one kind leaves places for the others; of all kinds; and of
/// one kind from one area, so that one stranger leaves places for others. A million wrong sign-ins within a quarter of an
/// hour leave fewer than a thousand rows.
const MOST_OF_A_KIND: usize = 20;
pub(crate) const MOST_A_MINUTE: usize = 3 * MOST_OF_A_KIND;
const MOST_OF_AN_AREA: usize = 10;
/// The most that wait to be written, while the database cannot be written.
const MOST_WAITING: usize = 10 * MOST_A_MINUTE;
const MINUTE: i64 = 60 * 1_000_000;

impl AttemptKind {
    /// Returns the name in the database and in output.
    pub fn code(self) -> &'static str {
        match self {
            AttemptKind::SignIn => "SIGN_IN",
            AttemptKind::Change => "CHANGE",
            AttemptKind::Validation => "VALIDATION",
            AttemptKind::Others => "OTHERS",
        }
    }

    /// Returns the kind of this name. An unknown one is of a later version.
    pub(crate) fn from_code(code: &str) -> AttemptKind {
        let all = [AttemptKind::SignIn, AttemptKind::Change, AttemptKind::Validation];
        all.into_iter().find(|kind| kind.code() == code).unwrap_or(AttemptKind::Others)
    }
}

impl Attempts {
    /// Counts a refused attempt.
    pub(crate) fn note(
        &self,
        kind: AttemptKind,
        by: Attempter,
        org: Option<OrgId>,
        from: Option<IpAddr>,
        reason: Reason,
        at: Timestamp,
    ) {
        let minute = at.micros() - at.micros().rem_euclid(MINUTE);
        let network = from.map(Network::around);
        let attempt = Attempt { minute, kind, by, org, network, reason: reason.code() };
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = attempts.get_mut(&attempt) {
            *count += 1;
            return;
        }
        let of_kind = attempts.keys().filter(|known| known.minute == minute && known.kind == kind);
        let (of_kind, of_area) = of_kind.fold((0, 0), |(of_kind, of_area), known| {
            let is_near = network.is_some() && known.network.map(Network::area) == network.map(Network::area);
            (of_kind + 1, of_area + usize::from(is_near))
        });
        let has_place = of_kind < MOST_OF_A_KIND && of_area < MOST_OF_AN_AREA;
        let known = if has_place && attempts.len() < MOST_WAITING {
            attempt
        } else {
            Attempt {
                minute,
                kind: AttemptKind::Others,
                by: Attempter::Unknown,
                org: None,
                network: None,
                reason: "",
            }
        };
        *attempts.entry(known).or_default() += 1;
    }

    /// Writes what has been counted: of minutes that are over, or all. A count that cannot be written is kept.
    pub(crate) async fn write(&self, store: &Store, now: Option<Timestamp>) -> Result<(), StoreError> {
        let is_due = |attempt: &Attempt| now.is_none_or(|now| attempt.minute + MINUTE <= now.micros());
        let due: Vec<(Attempt, u64)> = {
            let attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            attempts
                .iter()
                .filter(|(attempt, _)| is_due(attempt))
                .map(|(attempt, count)| (attempt.clone(), *count))
                .collect()
        };
        if due.is_empty() {
            return Ok(());
        }
        let rows = resolved(store, &due).await?;
        store.record_attempts(&rows).await?;
        for row in &rows {
            tracing::warn!(
                kind = row.kind,
                reason = row.reason,
                count = row.count,
                network = row.network,
                account = row.account.map(tracing::field::display),
                token = row.token.map(tracing::field::display),
                service = row.service.map(tracing::field::display),
                org = row.org.map(tracing::field::display),
                "refused"
            );
        }
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (attempt, written) in due {
            // More of the same may have been counted meanwhile.
            if let Some(count) = attempts.get_mut(&attempt) {
                *count -= written;
                if *count == 0 {
                    attempts.remove(&attempt);
                }
            }
        }
        Ok(())
    }
}

/// Returns the rows of attempts, with the owners of the secrets that were presented.
async fn resolved(store: &Store, due: &[(Attempt, u64)]) -> Result<Vec<RefusedAttempt>, StoreError> {
    let secrets = due.iter().filter_map(|(attempt, _)| match attempt.by {
        Attempter::Secret(secret) => Some(secret),
        _ => None,
    });
    let secrets: Vec<SecretId> = secrets.collect();
    let families = if secrets.is_empty() {
        HashMap::new()
    } else {
        store.read().await?.families_of_secrets(&secrets).await?
    };
    let row = |(attempt, count): &(Attempt, u64)| {
        let mut row = RefusedAttempt {
            minute: Timestamp::from_micros(attempt.minute).unwrap_or(Timestamp::MIN),
            kind: attempt.kind.code().to_owned(),
            network: attempt.network.map(|network| network.to_string()).unwrap_or_default(),
            reason: attempt.reason.to_owned(),
            account: None,
            token: None,
            service: None,
            org: attempt.org,
            count: *count,
        };
        let by = match attempt.by {
            Attempter::Secret(secret) => match families.get(&secret) {
                Some((Family::Token(id), Some(owner))) => Attempter::Token(*id, *owner),
                Some((Family::Service(id), _)) => Attempter::Service(*id),
                _ => Attempter::Unknown,
            },
            by => by,
        };
        match by {
            Attempter::Unknown | Attempter::Secret(_) => {}
            Attempter::Account(id) => row.account = Some(id),
            Attempter::Service(id) => row.service = Some(id),
            Attempter::Token(id, owner) => {
                row.token = Some(id);
                match owner {
                    Owner::Account(account) => row.account = Some(account),
                    Owner::Org(org) => row.org = Some(org),
                }
            }
        }
        row
    };
    // Two secrets of one token are one row.
    let mut rows: Vec<RefusedAttempt> = Vec::with_capacity(due.len());
    for row in due.iter().map(row) {
        let same =
            |known: &&mut RefusedAttempt| RefusedAttempt { count: row.count, ..(*known).clone() } == row;
        match rows.iter_mut().find(same) {
            Some(known) => known.count += row.count,
            None => rows.push(row),
        }
    }
    Ok(rows)
}
