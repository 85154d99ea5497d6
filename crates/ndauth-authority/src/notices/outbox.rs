//! The outbox: notices become mails, which are claimed, sent by a surface, and settled.

use std::time::Duration;

use ndauth_core::{Causes, MailId, Reason, Timestamp};
use ndauth_store::{Duty, MOST_MAILS, MOST_UNMAILED, Mail, MailOutcome, OutboxState};
use rand::rngs::SysRng;

use super::facts::Letter;
use super::log::STALE;
use crate::access::{Operation, Whose};
use crate::change::change_without_caller;
use crate::{AuthorityError, Credential, NoticeWing};

/// The result of handing a mail over. A problem is the error, without addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handover {
    /// It was taken.
    Taken,
    /// It was refused for now.
    Deferred(String),
    /// It was refused for good, so that few further attempts are made.
    Refused(String),
    /// There was no answer. No other mail would fare better.
    Unreachable(String),
    /// It was not tried.
    Untried,
}

/// A mail that was to be sent, and the result.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The mail.
    pub mail: MailId,
    /// The instant at which it was made.
    pub made_at: Timestamp,
    /// The number of attempts that failed before, but for refusals.
    pub attempts: u32,
    /// The number of times that it was refused before.
    pub refusals: u32,
    /// The result.
    pub handover: Handover,
}

/// The time after which a mail is given up.
const GIVE_UP: Duration = Duration::from_secs(2 * 24 * 60 * 60);
/// The number of refusals after which it is.
const REFUSALS: u32 = 8;
/// The time after which a notice is not told: it waited while no mail was set up.
const TOLD_WITHIN: Duration = STALE.saturating_add(GIVE_UP);
/// The pauses after a failure: the first, the longest, and the one after a refusal.
const PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(10 * 60);
const REFUSED_PAUSE: Duration = Duration::from_secs(60 * 60);
/// The time for which a claim holds. A surface is done with a mail sooner.
const CLAIM: Duration = Duration::from_secs(5 * 60);
/// The most mails that are claimed at once, and the most accounts whose notices are put into mails at once.
const MOST_CLAIMED: u64 = 10;
const MOST_ACCOUNTS: u64 = 50;

impl NoticeWing<'_> {
    /// Begins to read the log at its end, unless that was done before.
    pub async fn begin(self) -> Result<(), AuthorityError> {
        self.read_log().await.map(drop)
    }

    /// Reads the log and the calendar, as far as they were not read yet.
    pub async fn gather(self) -> Result<(), AuthorityError> {
        while self.read_log().await? {
            tokio::task::yield_now().await;
        }
        while self.read_calendar().await? {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Claims mails that are due, to be sent and settled within minutes. Returns none if there are none, or another
    /// instance is at it.
    pub async fn claim(self) -> Result<Vec<Letter>, AuthorityError> {
        loop {
            let read = self.0.store.read().await?;
            self.0.standing.admit(Operation::Mail, read.installation())?;
            if !read.has_mail_to_send().await? {
                return Ok(Vec::new());
            }
            drop(read);
            let mails = self.claim_mails().await?;
            if mails.is_empty() {
                return Ok(Vec::new());
            }
            let read = self.0.store.read().await?;
            let (mut letters, mut dropped, mut broken) = (Vec::new(), Vec::new(), Vec::new());
            for mut mail in mails {
                mail.notices.retain(|notice| read.now().since(notice.noticed_at) <= TOLD_WITHIN);
                let Mail { id, made_at, attempts, refusals, .. } = mail;
                match self.letter(&read, mail).await {
                    Ok(Some(letter)) => letters.push(letter),
                    Ok(None) => dropped.push(id),
                    // One that cannot be read does not hold up the others.
                    Err(error) if error.reason() == Reason::Internal => {
                        tracing::error!(mail = %id, error = %Causes(&error), "a mail cannot be written");
                        let handover = Handover::Refused("the server failed to write it".to_owned());
                        broken.push(Delivery { mail: id, made_at, attempts, refusals, handover });
                    }
                    Err(error) => return Err(error),
                }
            }
            drop(read);
            self.drop_mails(&dropped).await?;
            if !broken.is_empty() {
                self.settle(&broken).await?;
            }
            if !letters.is_empty() {
                return Ok(letters);
            }
        }
    }

    async fn claim_mails(self) -> Result<Vec<Mail>, AuthorityError> {
        let claimed = change_without_caller(self.0, Operation::Mail, |callerless| async move {
            if !callerless.alone(Duty::Mail).await? {
                return Ok(callerless.observed(Vec::new()));
            }
            let now = callerless.now();
            for ready in callerless.accounts_to_mail(MOST_ACCOUNTS).await? {
                let (mails, most) = if ready.notices + ready.sent > MOST_MAILS {
                    (1, MOST_UNMAILED)
                } else {
                    (ready.notices, 1)
                };
                for _ in 0..mails {
                    callerless.make_mail(MailId::new(now, &mut SysRng)?, ready.account, most).await?;
                }
            }
            let mails = callerless.claim_mails(later(now, CLAIM), MOST_CLAIMED).await?;
            Ok::<_, AuthorityError>(callerless.observed(mails))
        });
        claimed.await.map(|done| done.value)
    }

    async fn drop_mails(self, dropped: &[MailId]) -> Result<(), AuthorityError> {
        if dropped.is_empty() {
            return Ok(());
        }
        let done = change_without_caller(self.0, Operation::Mail, |callerless| async move {
            for id in dropped {
                callerless.settle_mail(*id, MailOutcome::Dropped).await?;
            }
            Ok::<_, AuthorityError>(callerless.observed(()))
        });
        done.await.map(|done| done.value)
    }

    /// Records what became of mails. Those that failed are due again, later and later, until they are given up.
    pub async fn settle(self, deliveries: &[Delivery]) -> Result<(), AuthorityError> {
        let given_up = change_without_caller(self.0, Operation::Mail, |callerless| async move {
            let now = callerless.now();
            let mut given_up = 0;
            for Delivery { mail, made_at, attempts, refusals, handover } in deliveries {
                let (problem, refused) = match handover {
                    Handover::Deferred(problem) | Handover::Unreachable(problem) => (problem, false),
                    Handover::Refused(problem) => (problem, true),
                    Handover::Taken => {
                        callerless.settle_mail(*mail, MailOutcome::Sent).await?;
                        continue;
                    }
                    Handover::Untried => {
                        callerless.release_mail(*mail, later(now, PAUSE)).await?;
                        continue;
                    }
                };
                let due_at = later(now, pause(*attempts, refused));
                callerless.postpone_mail(*mail, due_at, problem, refused).await?;
                if now.since(*made_at) >= GIVE_UP || (refused && refusals + 1 >= REFUSALS) {
                    callerless.settle_mail(*mail, MailOutcome::GivenUp).await?;
                    given_up += 1;
                }
            }
            Ok::<_, AuthorityError>(callerless.observed(given_up))
        });
        let given_up = given_up.await?.value;
        for delivery in deliveries {
            match delivery.handover {
                Handover::Taken => metrics::counter!("ndauth_mails_sent_total").increment(1),
                Handover::Deferred(_) | Handover::Refused(_) | Handover::Unreachable(_) => {
                    metrics::counter!("ndauth_mails_failed_total").increment(1);
                }
                Handover::Untried => {}
            }
        }
        metrics::counter!("ndauth_mails_given_up_total").increment(given_up);
        Ok(())
    }

    /// Returns the state of the outbox, for the operator.
    pub async fn inspect(self, credential: &Credential) -> Result<OutboxState, AuthorityError> {
        let (read, _) = self.0.read_as(credential, Operation::Mail, &Whose::Anyone).await?;
        Ok(read.outbox_state().await?)
    }

    /// Returns the state of the outbox, and records it as a metric.
    pub async fn state(self) -> Result<OutboxState, AuthorityError> {
        let state = self.0.store.read().await?.outbox_state().await?;
        #[expect(clippy::cast_precision_loss, reason = "no outbox is that full")]
        metrics::gauge!("ndauth_mails_waiting").set(state.waiting as f64);
        Ok(state)
    }
}

/// Returns the time until the next attempt, after this many failures and one more.
fn pause(failures: u32, refused: bool) -> Duration {
    if refused {
        return REFUSED_PAUSE;
    }
    PAUSE.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_PAUSE)
}

fn later(now: Timestamp, span: Duration) -> Timestamp {
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_ten_minutes() {
        let minutes = |failures, refused| pause(failures, refused).as_secs() / 60;
        let grown: Vec<u64> = [0, 1, 2, 3, 4, 40].map(|failures| minutes(failures, false)).into();
        assert_eq!(grown, [1, 2, 4, 8, 10, 10]);
        assert_eq!(minutes(0, true), 60);
    }
}
