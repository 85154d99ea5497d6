//! The outbox: mails that are due until they are settled, and the notices that each of them tells.

use std::collections::BTreeMap;
use std::time::Duration;

use ndauth_core::{AccountId, MailId, Timestamp};
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, QueryResult, Value};

use crate::columns::Columns;
use crate::notices::{Notice, first_to_tell, notice_of};
use crate::{Read, StoreError, Write};

/// A mail to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Its id.
    pub id: MailId,
    /// The account.
    pub account: AccountId,
    /// The instant at which it was made.
    pub made_at: Timestamp,
    /// The number of attempts to send it that failed, but for refusals.
    pub attempts: u32,
    /// The number of times that it was refused for good.
    pub refusals: u32,
    /// The notices that it tells, in the order in which they were noticed.
    pub notices: Vec<Notice>,
}

/// The end of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailOutcome {
    /// It was handed over.
    Sent,
    /// It could not be handed over in time.
    GivenUp,
    /// Nothing that it was to tell is true any more.
    Dropped,
}

/// The state of the outbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxState {
    /// The number of mails that are due or being sent.
    pub waiting: u64,
    /// The instant at which the oldest of them was made.
    pub oldest: Option<Timestamp>,
    /// The error of the last failed attempt to send one of them.
    pub problem: Option<String>,
    /// The number of mails that were given up within the last day.
    pub given_up: u64,
}

/// A mail that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndeliveredMail {
    /// The instant at which it was made.
    pub made_at: Timestamp,
    /// The error of the last attempt.
    pub problem: String,
    /// The number of notices in it.
    pub notices: u64,
}

/// An account with notices that can be put into mails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountToMail {
    /// The account.
    pub account: AccountId,
    /// The number of its notices that are in no mail.
    pub notices: u64,
    /// The number of mails that it was sent within [`SPAN`], or is to be sent.
    pub sent: u64,
}

/// The most mails that an account is sent within [`SPAN`]. What goes beyond is gathered in one.
pub const MOST_MAILS: u64 = 5;
/// The time within which they are counted.
pub const SPAN: Duration = Duration::from_secs(60 * 60);
/// The time for which a mail that was given up is shown.
pub const SHOWN_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Selects the accounts with notices in no mail yet, with the number of those, and the number of mails that they were sent
/// within the span or are to be sent, if it is less than the most. Mails that wait count: in an outage notices gather.
const READY: &str = "FROM (SELECT account_id, notices, \
    (SELECT count(*) FROM mail WHERE mail.account_id = unmailed.account_id AND (mail.settled_at IS NULL \
     OR (mail.outcome = 'SENT' AND mail.settled_at > $1))) AS sent \
    FROM (SELECT account_id, count(*) AS notices FROM notice WHERE mail_id IS NULL GROUP BY account_id) AS unmailed) \
    AS ready WHERE sent < $2";

impl MailOutcome {
    fn code(self) -> &'static str {
        match self {
            MailOutcome::Sent => "SENT",
            MailOutcome::GivenUp => "GIVEN_UP",
            MailOutcome::Dropped => "DROPPED",
        }
    }
}

impl Read {
    /// Returns true if there is a notice to put into a mail, or a mail to send.
    pub async fn has_mail_to_send(&self) -> Result<bool, StoreError> {
        let due = self.asked(
            "SELECT id FROM mail WHERE settled_at IS NULL AND due_at <= $1 LIMIT 1",
            vec![self.now().micros().into()],
        );
        if self.transaction.query_one_raw(due).await?.is_some() {
            return Ok(true);
        }
        let ready = self.asked(&format!("SELECT 1 AS one {READY} LIMIT 1"), self.lately());
        Ok(self.transaction.query_one_raw(ready).await?.is_some())
    }

    /// Returns the state of the outbox.
    pub async fn outbox_state(&self) -> Result<OutboxState, StoreError> {
        let sql = "SELECT count(*) AS waiting, min(made_at) AS oldest, \
                   (SELECT problem FROM mail WHERE settled_at IS NULL AND problem IS NOT NULL \
                    ORDER BY due_at DESC LIMIT 1) AS problem, \
                   (SELECT count(*) FROM mail WHERE outcome = 'GIVEN_UP' AND settled_at > $1) AS given_up \
                   FROM mail WHERE settled_at IS NULL";
        let since = self.now().checked_sub(Duration::from_secs(24 * 60 * 60));
        let values = vec![since.map_or(0, Timestamp::micros).into()];
        let Some(row) = self.transaction.query_one_raw(self.asked(sql, values)).await? else {
            return Ok(OutboxState::default());
        };
        let columns = Columns { table: "mail", id: "waiting" };
        Ok(OutboxState {
            waiting: count(&row, "waiting")?,
            oldest: columns.instant_or_null("made_at", row.try_get("", "oldest")?)?,
            problem: row.try_get("", "problem")?,
            given_up: count(&row, "given_up")?,
        })
    }

    /// Returns the mails to an account that were given up lately, the newest first.
    pub async fn list_undelivered(&self, account: AccountId) -> Result<Vec<UndeliveredMail>, StoreError> {
        let sql = "SELECT made_at, problem, (SELECT count(*) FROM notice WHERE mail_id = mail.id) AS notices \
                   FROM mail WHERE account_id = $1 AND settled_at > $2 AND outcome = 'GIVEN_UP' \
                   ORDER BY settled_at DESC, id LIMIT 100";
        let since = self.now().checked_sub(SHOWN_FOR).map_or(0, Timestamp::micros);
        let rows = self
            .transaction
            .query_all_raw(self.asked(sql, vec![account.uuid().into(), since.into()]))
            .await?;
        let columns = Columns { table: "mail", id: account };
        let mail = |row: &QueryResult| {
            Ok(UndeliveredMail {
                made_at: columns.instant("made_at", row.try_get("", "made_at")?)?,
                problem: row.try_get::<Option<String>>("", "problem")?.unwrap_or_default(),
                notices: count(row, "notices")?,
            })
        };
        rows.iter().map(mail).collect()
    }

    /// Returns true if a mail was settled before an instant, a notice that is in none was noticed before it, or a device was
    /// seen last before another.
    pub async fn has_old_mail(&self, before: Timestamp, unseen: Timestamp) -> Result<bool, StoreError> {
        let sql = "SELECT 1 AS one FROM mail WHERE settled_at < $1 \
                   UNION ALL SELECT 1 FROM notice WHERE mail_id IS NULL AND noticed_at < $1 \
                   UNION ALL SELECT 1 FROM known_device WHERE seen_at < $2 LIMIT 1";
        let values = vec![before.micros().into(), unseen.micros().into()];
        Ok(self.transaction.query_one_raw(self.asked(sql, values)).await?.is_some())
    }

    /// Returns the values of [`READY`].
    fn lately(&self) -> Vec<Value> {
        let since = self.now().checked_sub(SPAN).map_or(0, Timestamp::micros);
        vec![since.into(), i64::try_from(MOST_MAILS).unwrap_or(i64::MAX).into()]
    }
}

impl Write {
    /// Returns accounts with notices that can be put into mails now.
    pub async fn accounts_to_mail(&self, limit: u64) -> Result<Vec<AccountToMail>, StoreError> {
        let sql = format!("SELECT account_id, notices, sent {READY} ORDER BY account_id LIMIT $3");
        let mut values = self.lately();
        values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
        let rows = self.transaction.query_all_raw(self.asked(&sql, values)).await?;
        let account = |row: &QueryResult| {
            Ok(AccountToMail {
                account: AccountId::from_uuid(row.try_get("", "account_id")?),
                notices: count(row, "notices")?,
                sent: count(row, "sent")?,
            })
        };
        rows.iter().map(account).collect()
    }

    /// Makes a mail of an account's notices that are in none, up to a number of them: those about its security first, and the
    /// oldest.
    pub async fn make_mail(&self, id: MailId, account: AccountId, most: u64) -> Result<(), StoreError> {
        let (id, account): (Value, Value) = (id.uuid().into(), account.uuid().into());
        let make = self.asked(
            "INSERT INTO mail (id, account_id, made_at, due_at, attempts, refusals) VALUES ($1, $2, $3, $3, 0, 0)",
            vec![id.clone(), account.clone(), self.now().micros().into()],
        );
        self.transaction.execute_raw(make).await?;
        let sql = format!(
            "UPDATE notice SET mail_id = $1 WHERE account_id = $2 AND mail_id IS NULL \
             AND (kind, subject, occasion, lead) IN (SELECT kind, subject, occasion, lead FROM notice \
             WHERE account_id = $2 AND mail_id IS NULL \
             ORDER BY {}, noticed_at, occasion, kind, subject, lead LIMIT $3)",
            first_to_tell()
        );
        let values = vec![id, account, i64::try_from(most).unwrap_or(i64::MAX).into()];
        self.transaction.execute_raw(self.asked(&sql, values)).await?;
        Ok(())
    }

    /// Takes mails that are due, which are due again at an instant if they are not settled by then.
    pub async fn claim_mails(&self, until: Timestamp, limit: u64) -> Result<Vec<Mail>, StoreError> {
        // The condition is there twice: another transaction may have settled one of them meanwhile.
        let sql = "UPDATE mail SET due_at = $1 WHERE settled_at IS NULL AND due_at <= $2 \
                   AND id IN (SELECT id FROM mail WHERE settled_at IS NULL \
                   AND due_at <= $2 ORDER BY due_at, id LIMIT $3) \
                   RETURNING id, account_id, made_at, attempts, refusals";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = vec![until.micros().into(), self.now().micros().into(), limit.into()];
        let mut mails = BTreeMap::new();
        for row in self.transaction.query_all_raw(self.asked(sql, values)).await? {
            let id: Uuid = row.try_get("", "id")?;
            let columns = Columns { table: "mail", id };
            let number = |column: &'static str| -> Result<u32, StoreError> {
                u32::try_from(row.try_get::<i32>("", column)?).map_err(|_| columns.corrupt(column))
            };
            let mail = Mail {
                id: MailId::from_uuid(id),
                account: AccountId::from_uuid(row.try_get("", "account_id")?),
                made_at: columns.instant("made_at", row.try_get("", "made_at")?)?,
                attempts: number("attempts")?,
                refusals: number("refusals")?,
                notices: Vec::new(),
            };
            mails.insert(mail.id, mail);
        }
        if mails.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> = (1..=mails.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT mail_id, account_id, kind, subject, occasion, lead, noticed_at FROM notice \
             WHERE mail_id IN ({}) ORDER BY noticed_at, occasion, kind, subject, lead",
            places.join(", ")
        );
        let values = mails.keys().map(|id| id.uuid().into()).collect();
        for row in self.transaction.query_all_raw(self.asked(&sql, values)).await? {
            if let Some((id, notice)) = notice_of(&row)?
                && let Some(mail) = mails.get_mut(&id)
            {
                mail.notices.push(notice);
            }
        }
        Ok(mails.into_values().collect())
    }

    /// Settles a mail, unless it is settled.
    pub async fn settle_mail(&self, id: MailId, outcome: MailOutcome) -> Result<(), StoreError> {
        let sql = "UPDATE mail SET settled_at = $2, outcome = $3 WHERE id = $1 AND settled_at IS NULL";
        let values = vec![id.uuid().into(), self.now().micros().into(), outcome.code().into()];
        self.transaction.execute_raw(self.asked(sql, values)).await?;
        Ok(())
    }

    /// Counts a failed attempt to send a mail, which is due again at an instant.
    pub async fn postpone_mail(
        &self,
        id: MailId,
        due_at: Timestamp,
        problem: &str,
        is_refusal: bool,
    ) -> Result<(), StoreError> {
        let counted = if is_refusal { "refusals" } else { "attempts" };
        let sql = format!(
            "UPDATE mail SET due_at = $2, problem = $3, {counted} = {counted} + 1 \
             WHERE id = $1 AND settled_at IS NULL"
        );
        let values = vec![id.uuid().into(), due_at.micros().into(), problem.into()];
        self.transaction.execute_raw(self.asked(&sql, values)).await?;
        Ok(())
    }

    /// Gives a claimed mail back, which is due again at an instant.
    pub async fn release_mail(&self, id: MailId, due_at: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE mail SET due_at = $2 WHERE id = $1 AND settled_at IS NULL";
        let values = vec![id.uuid().into(), due_at.micros().into()];
        self.transaction.execute_raw(self.asked(sql, values)).await?;
        Ok(())
    }

    /// Removes mails that were settled before an instant, with their notices, up to a limit, and the notices of before that
    /// are in no mail. Returns the number of mails.
    pub async fn remove_old_mails(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        let untold = "DELETE FROM notice WHERE mail_id IS NULL AND noticed_at < $1";
        self.transaction.execute_raw(self.asked(untold, vec![before.micros().into()])).await?;
        let sql = "SELECT id FROM mail WHERE settled_at < $1 ORDER BY settled_at LIMIT $2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = vec![before.micros().into(), limit.into()];
        let rows = self.transaction.query_all_raw(self.asked(sql, values)).await?;
        let ids = rows.iter().map(|row| row.try_get::<Uuid>("", "id")).collect::<Result<Vec<_>, _>>()?;
        if ids.is_empty() {
            return Ok(0);
        }
        let places: Vec<String> = (1..=ids.len()).map(|place| format!("${place}")).collect();
        for (table, column) in [("notice", "mail_id"), ("mail", "id")] {
            let sql = format!("DELETE FROM {table} WHERE {column} IN ({})", places.join(", "));
            let values = ids.iter().map(|id| (*id).into()).collect();
            self.transaction.execute_raw(self.asked(&sql, values)).await?;
        }
        Ok(ids.len() as u64)
    }
}

fn count(row: &QueryResult, column: &'static str) -> Result<u64, StoreError> {
    let count: i64 = row.try_get("", column)?;
    u64::try_from(count).map_err(|_| StoreError::corrupt("mail", column, count))
}
