//! Notices: what people are to be told, by whom it was turned off, and how far the log and the calendar were read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ndauth_core::{AccountId, MailId, NoticeKind, NoticesOff, OrgId, Owner, Timestamp, TokenId};
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, QueryResult, Statement, Value};

use crate::columns::Columns;
use crate::{Engine, Read, StoreError, Write};

/// Something that an account is told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The account.
    pub account: AccountId,
    /// Its kind.
    pub kind: NoticeKind,
    /// The id of what it is about.
    pub subject: Uuid,
    /// The sequence of its event. If it is about a token's end: that end, in microseconds since 1970.
    pub occasion: i64,
    /// If it is about a token's end: how long before that it is told, in whole seconds.
    pub lead: Duration,
    /// The instant at which it was noticed.
    pub noticed_at: Timestamp,
}

/// A place in the log, or among the ends of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NoticePosition {
    /// The sequence of an event, or an instant in microseconds since 1970.
    pub number: i64,
    /// The last token that was read of those that end at that instant.
    pub id: Uuid,
}

/// A token that was not revoked, and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndingToken {
    /// The token.
    pub id: TokenId,
    /// Its owner.
    pub owner: Owner,
    /// Its end.
    pub ends_at: Timestamp,
    /// The instant of its last use that is written, if there is one.
    pub last_used_at: Option<Timestamp>,
}

/// Refused attempts with a token that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateTries {
    /// Their number.
    pub count: u64,
    /// The minute of the last one.
    pub last_at: Timestamp,
}

/// A duty that one of all instances does at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// To remove what is long dead.
    TidyUp,
    /// To notice and to mail.
    Mail,
}

/// The most notices of an account that are in no mail.
pub const MOST_UNMAILED: u64 = 200;
/// The rows that one statement inserts.
const CHUNK: usize = 100;

impl NoticePosition {
    /// Returns the place behind everything up to a number.
    pub fn behind(number: i64) -> NoticePosition {
        NoticePosition { number, id: Uuid::max() }
    }
}

impl Duty {
    /// The key of the advisory lock for it.
    fn key(self) -> i64 {
        match self {
            Duty::TidyUp => 0x006e_6461_7574_686a,
            Duty::Mail => 0x006e_6461_7574_686d,
        }
    }
}

impl Read {
    /// Returns how far something was read.
    pub async fn notice_position(&self, name: &str) -> Result<Option<NoticePosition>, StoreError> {
        let sql = "SELECT position, id FROM notice_cursor WHERE name = $1";
        let row = self.transaction.query_one_raw(self.asked(sql, vec![name.into()])).await?;
        let position = |row: QueryResult| -> Result<NoticePosition, StoreError> {
            Ok(NoticePosition { number: row.try_get("", "position")?, id: row.try_get("", "id")? })
        };
        row.map(position).transpose()
    }

    /// Returns tokens that were not revoked and end after a place, up to an instant, the first to end first. Those derived
    /// from sessions are left out.
    pub async fn tokens_ending(
        &self,
        after: NoticePosition,
        through: Timestamp,
        limit: u64,
    ) -> Result<Vec<EndingToken>, StoreError> {
        let sql = "SELECT id, account_id, org_id, expires_at, last_used_at FROM token \
                   WHERE (expires_at, id) > ($1, $2) AND expires_at <= $3 AND revoked_at IS NULL \
                   AND session_id IS NULL ORDER BY expires_at, id LIMIT $4";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = vec![after.number.into(), after.id.into(), through.micros().into(), limit.into()];
        let rows = self.transaction.query_all_raw(self.asked(sql, values)).await?;
        let ending = |row: &QueryResult| {
            let id: Uuid = row.try_get("", "id")?;
            let columns = Columns { table: "token", id };
            let owner = match (row.try_get("", "account_id")?, row.try_get("", "org_id")?) {
                (Some(account), None) => Owner::Account(AccountId::from_uuid(account)),
                (None, Some(org)) => Owner::Org(OrgId::from_uuid(org)),
                (None, None) | (Some(_), Some(_)) => return Err(columns.corrupt("account_id")),
            };
            Ok(EndingToken {
                id: TokenId::from_uuid(id),
                owner,
                ends_at: columns.instant("expires_at", row.try_get("", "expires_at")?)?,
                last_used_at: columns.instant_or_null("last_used_at", row.try_get("", "last_used_at")?)?,
            })
        };
        rows.iter().map(ending).collect()
    }

    /// Returns the refused attempts with a token since an instant, if there were any.
    pub async fn late_tries(
        &self,
        token: TokenId,
        since: Timestamp,
    ) -> Result<Option<LateTries>, StoreError> {
        // As text, because a sum has different types on the two engines.
        let sql = "SELECT CAST(sum(count) AS text) AS tries, max(minute) AS last FROM refused_attempt \
                   WHERE minute >= $1 AND token_id = $2 AND reason = 'TOKEN_EXPIRED'";
        let values = vec![since.micros().into(), token.uuid().into()];
        let row = self.transaction.query_one_raw(self.asked(sql, values)).await?;
        let Some(row) = row else { return Ok(None) };
        let columns = Columns { table: "refused_attempt", id: token };
        match (row.try_get::<Option<String>>("", "tries")?, row.try_get::<Option<i64>>("", "last")?) {
            (Some(tries), Some(last)) => Ok(Some(LateTries {
                count: columns.text("count", &tries)?,
                last_at: columns.instant("minute", last)?,
            })),
            (None, _) | (_, None) => Ok(None),
        }
    }

    /// Returns the kinds of notices that an account turned off.
    pub async fn notices_off(&self, account: AccountId) -> Result<NoticesOff, StoreError> {
        let off = self.notices_off_by([account]).await?;
        Ok(off.into_iter().map(|(_, kind)| kind).collect())
    }

    /// Returns the kinds of notices that each of these accounts turned off.
    pub async fn notices_off_by(
        &self,
        accounts: impl IntoIterator<Item = AccountId>,
    ) -> Result<BTreeSet<(AccountId, NoticeKind)>, StoreError> {
        let mut off = BTreeSet::new();
        let accounts: Vec<Value> = accounts.into_iter().map(|account| account.uuid().into()).collect();
        for accounts in accounts.chunks(CHUNK) {
            let places: Vec<String> = (1..=accounts.len()).map(|place| format!("${place}")).collect();
            let sql = format!(
                "SELECT account_id, kind FROM notice_off WHERE account_id IN ({})",
                places.join(", ")
            );
            for row in self.transaction.query_all_raw(self.asked(&sql, accounts.to_vec())).await? {
                let account = AccountId::from_uuid(row.try_get("", "account_id")?);
                off.extend(kind_of(&row)?.map(|kind| (account, kind)));
            }
        }
        Ok(off)
    }

    /// Returns true if a session of an account began on a device before, which stands under this hash.
    pub async fn knows_device(&self, account: AccountId, hash: &[u8; 32]) -> Result<bool, StoreError> {
        let sql = "SELECT seen_at FROM known_device WHERE account_id = $1 AND hash = $2";
        let values = vec![account.uuid().into(), hash.to_vec().into()];
        Ok(self.transaction.query_one_raw(self.asked(sql, values)).await?.is_some())
    }

    pub(crate) fn asked(&self, sql: &str, values: Vec<Value>) -> Statement {
        Statement::from_sql_and_values(self.transaction.get_database_backend(), sql, values)
    }
}

impl Write {
    /// Takes the lock of a duty until this change ends. Returns true if no other instance has it.
    pub async fn alone(&self, duty: Duty) -> Result<bool, StoreError> {
        if self.engine() == Engine::Sqlite {
            return Ok(true);
        }
        let query = self.asked("SELECT pg_try_advisory_xact_lock($1) AS alone", vec![duty.key().into()]);
        let row = self.transaction.query_one_raw(query).await?;
        let row = row.ok_or_else(|| StoreError::corrupt("pg_locks", "objid", duty.key()))?;
        Ok(row.try_get("", "alone")?)
    }

    /// Adds notices, except those that are there. Each takes the place of one of the same kind about the same thing that is
    /// in no mail yet: the newest is the one to tell. An account has at most [`MOST_UNMAILED`] in no mail: those about
    /// its security stay, and the newest of the others. Returns the number of those that were left out for that.
    pub async fn insert_notices(&self, notices: &[Notice]) -> Result<u64, StoreError> {
        let mut left_out = 0;
        let key = |notice: &Notice| (notice.account, notice.kind, notice.subject);
        let newest: BTreeMap<_, &Notice> = notices.iter().map(|notice| (key(notice), notice)).collect();
        let newest: Vec<&Notice> = newest.into_values().collect();
        for notices in newest.chunks(CHUNK) {
            self.remove_unmailed_like(notices).await?;
            let mut values: Vec<Value> = Vec::with_capacity(notices.len() * 6);
            let mut rows = Vec::with_capacity(notices.len());
            for notice in notices {
                let next = values.len() + 1;
                let places: Vec<String> = (next..next + 6).map(|place| format!("${place}")).collect();
                rows.push(format!("({})", places.join(", ")));
                values.extend([
                    notice.account.uuid().into(),
                    notice.kind.code().into(),
                    notice.subject.into(),
                    notice.occasion.into(),
                    i64::try_from(notice.lead.as_secs()).unwrap_or(i64::MAX).into(),
                    notice.noticed_at.micros().into(),
                ]);
            }
            let sql = format!(
                "INSERT INTO notice (account_id, kind, subject, occasion, lead, noticed_at) VALUES {} \
                 ON CONFLICT DO NOTHING",
                rows.join(", ")
            );
            self.transaction.execute_raw(self.asked(&sql, values)).await?;
            left_out += self.remove_excess_of(notices).await?;
        }
        Ok(left_out)
    }

    async fn remove_unmailed_like(&self, notices: &[&Notice]) -> Result<(), StoreError> {
        let mut values: Vec<Value> = Vec::with_capacity(notices.len() * 3);
        let mut same = Vec::with_capacity(notices.len());
        for notice in notices {
            let next = values.len() + 1;
            let (account, kind, subject) = (next, next + 1, next + 2);
            same.push(format!("(account_id = ${account} AND kind = ${kind} AND subject = ${subject})"));
            values.extend([notice.account.uuid().into(), notice.kind.code().into(), notice.subject.into()]);
        }
        let sql = format!("DELETE FROM notice WHERE mail_id IS NULL AND ({})", same.join(" OR "));
        self.transaction.execute_raw(self.asked(&sql, values)).await?;
        Ok(())
    }

    async fn remove_excess_of(&self, notices: &[&Notice]) -> Result<u64, StoreError> {
        let accounts: BTreeSet<AccountId> = notices.iter().map(|notice| notice.account).collect();
        let most = i64::try_from(MOST_UNMAILED).unwrap_or(i64::MAX);
        let places: Vec<String> = (2..2 + accounts.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT account_id FROM notice WHERE mail_id IS NULL AND account_id IN ({}) \
             GROUP BY account_id HAVING count(*) > $1",
            places.join(", ")
        );
        let ids = accounts.into_iter().map(|account| account.uuid().into());
        let values = std::iter::once(most.into()).chain(ids).collect();
        let mut removed = 0;
        for row in self.transaction.query_all_raw(self.asked(&sql, values)).await? {
            let account: Uuid = row.try_get("", "account_id")?;
            let first = first_to_tell();
            let sql = format!(
                "DELETE FROM notice WHERE account_id = $1 AND mail_id IS NULL \
                 AND (kind, subject, occasion, lead) NOT IN (SELECT kind, subject, occasion, lead FROM notice \
                 WHERE account_id = $1 AND mail_id IS NULL ORDER BY {first}, noticed_at DESC LIMIT $2)"
            );
            let excess = self.asked(&sql, vec![account.into(), most.into()]);
            removed += self.transaction.execute_raw(excess).await?.rows_affected();
        }
        Ok(removed)
    }

    /// Records how far something was read.
    pub async fn set_notice_position(&self, name: &str, position: NoticePosition) -> Result<(), StoreError> {
        let sql = "INSERT INTO notice_cursor (name, position, id) VALUES ($1, $2, $3) \
                   ON CONFLICT (name) DO UPDATE SET position = excluded.position, id = excluded.id";
        let values = vec![name.into(), position.number.into(), position.id.into()];
        self.transaction.execute_raw(self.asked(sql, values)).await?;
        Ok(())
    }

    /// Sets the kinds of notices that an account has turned off.
    pub async fn set_notices_off(&self, account: AccountId, off: &NoticesOff) -> Result<(), StoreError> {
        let id: Value = account.uuid().into();
        let forget = self.asked("DELETE FROM notice_off WHERE account_id = $1", vec![id.clone()]);
        self.transaction.execute_raw(forget).await?;
        for kind in off {
            let sql = "INSERT INTO notice_off (account_id, kind) VALUES ($1, $2)";
            self.transaction.execute_raw(self.asked(sql, vec![id.clone(), kind.code().into()])).await?;
        }
        Ok(())
    }

    /// Remembers that a session of an account began on a device.
    pub async fn remember_device(&self, account: AccountId, hash: &[u8; 32]) -> Result<(), StoreError> {
        let sql = "INSERT INTO known_device (account_id, hash, seen_at) VALUES ($1, $2, $3) \
                   ON CONFLICT (account_id, hash) DO UPDATE SET seen_at = excluded.seen_at";
        let values = vec![account.uuid().into(), hash.to_vec().into(), self.now().micros().into()];
        self.transaction.execute_raw(self.asked(sql, values)).await?;
        Ok(())
    }

    /// Removes devices that were last seen before an instant. Returns their number.
    pub async fn forget_devices(&self, before: Timestamp) -> Result<u64, StoreError> {
        let forget = self.asked("DELETE FROM known_device WHERE seen_at < $1", vec![before.micros().into()]);
        Ok(self.transaction.execute_raw(forget).await?.rows_affected())
    }
}

/// Returns what rows are ordered by so that those about security come first.
pub(crate) fn first_to_tell() -> String {
    let security = NoticeKind::ALL.into_iter().filter(|kind| kind.is_about_security());
    let codes: Vec<String> = security.map(|kind| format!("'{}'", kind.code())).collect();
    format!("CASE WHEN kind IN ({}) THEN 0 ELSE 1 END", codes.join(", "))
}

/// Returns the kind of a row; none if a later version wrote it.
fn kind_of(row: &QueryResult) -> Result<Option<NoticeKind>, StoreError> {
    Ok(NoticeKind::from_code(&row.try_get::<String>("", "kind")?))
}

/// Returns a notice and its mail; none if a later version wrote it.
pub(crate) fn notice_of(row: &QueryResult) -> Result<Option<(MailId, Notice)>, StoreError> {
    let subject: Uuid = row.try_get("", "subject")?;
    let columns = Columns { table: "notice", id: subject };
    let Some(kind) = kind_of(row)? else { return Ok(None) };
    let lead: i64 = row.try_get("", "lead")?;
    let notice = Notice {
        account: AccountId::from_uuid(row.try_get("", "account_id")?),
        kind,
        subject,
        occasion: row.try_get("", "occasion")?,
        lead: Duration::from_secs(u64::try_from(lead).map_err(|_| columns.corrupt("lead"))?),
        noticed_at: columns.instant("noticed_at", row.try_get("", "noticed_at")?)?,
    };
    Ok(Some((MailId::from_uuid(row.try_get("", "mail_id")?), notice)))
}
