//! The remains of families that died long ago: found, and removed.

use ndauth_core::{SecretHash, Timestamp};
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, Statement};

use crate::{Read, StoreError, Write};

/// A kind of family, or of secrets alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FamilyKind {
    /// Tokens.
    Token,
    /// Tokens that nobody ever used, and those none of whose secrets was ever confirmed.
    UnusedToken,
    /// Secrets of tokens and services that have a later one.
    Secret,
    /// Single secrets that were never confirmed.
    UnconfirmedSecret,
    /// Tokens that were derived from sessions.
    Derived,
    /// Sessions.
    Session,
    /// Services.
    Service,
}

/// Families that are to be removed.
#[derive(Debug)]
pub struct Remains {
    /// Their ids.
    pub ids: Vec<Uuid>,
    /// The hashes of their secrets.
    pub hashes: Vec<SecretHash>,
}

impl FamilyKind {
    /// Returns the queries for families of a kind that died before an instant, `$1`: one query for each way
    /// to die, each served by an index.
    fn dead(self) -> &'static [&'static str] {
        match self {
            FamilyKind::Token => &[
                "SELECT id FROM token WHERE expires_at < $1 ORDER BY expires_at LIMIT $2",
                "SELECT id FROM token WHERE revoked_at < $1 ORDER BY revoked_at LIMIT $2",
            ],
            FamilyKind::UnusedToken => &[
                "SELECT id FROM token WHERE last_used_at IS NULL AND expires_at < $1 ORDER BY expires_at LIMIT $2",
                "SELECT id FROM token WHERE last_used_at IS NULL AND revoked_at IS NOT NULL AND revoked_at < $1 \
                 ORDER BY revoked_at LIMIT $2",
                // The first secret was never confirmed, and neither was any that followed it.
                "SELECT token_id AS id FROM secret WHERE confirmed_at IS NULL AND ends_at < $1 \
                 AND token_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM secret AS other \
                 WHERE other.token_id = secret.token_id AND (other.confirmed_at IS NOT NULL OR other.ends_at >= $1)) \
                 ORDER BY ends_at LIMIT $2",
            ],
            // A family keeps its last secret for as long as it is kept itself.
            FamilyKind::Secret => &[
                "SELECT id FROM secret WHERE ends_at < 9223372036854775807 AND ends_at < $1 \
                 AND EXISTS (SELECT 1 FROM secret AS other WHERE other.token_id = secret.token_id \
                 AND other.ends_at >= $1) ORDER BY ends_at LIMIT $2",
                "SELECT id FROM secret WHERE ends_at < 9223372036854775807 AND ends_at < $1 \
                 AND EXISTS (SELECT 1 FROM secret AS other WHERE other.service_id = secret.service_id \
                 AND other.ends_at >= $1) ORDER BY ends_at LIMIT $2",
            ],
            FamilyKind::UnconfirmedSecret => &[
                "SELECT id FROM secret WHERE confirmed_at IS NULL AND ends_at < $1 \
                 AND EXISTS (SELECT 1 FROM secret AS other WHERE other.token_id = secret.token_id \
                 AND other.ends_at >= $1) ORDER BY ends_at LIMIT $2",
                "SELECT id FROM secret WHERE confirmed_at IS NULL AND ends_at < $1 \
                 AND EXISTS (SELECT 1 FROM secret AS other WHERE other.service_id = secret.service_id \
                 AND other.ends_at >= $1) ORDER BY ends_at LIMIT $2",
            ],
            // Those that were revoked ended within minutes.
            FamilyKind::Derived => {
                &["SELECT id FROM token WHERE session_id IS NOT NULL AND expires_at < $1 \
                 ORDER BY expires_at LIMIT $2"]
            }
            FamilyKind::Session => &[
                "SELECT id FROM session WHERE expires_at < $1 ORDER BY expires_at LIMIT $2",
                "SELECT id FROM session WHERE revoked_at < $1 ORDER BY revoked_at LIMIT $2",
            ],
            // A service that a token names is kept as long as the token.
            FamilyKind::Service => &["SELECT id FROM service WHERE revoked_at < $1 \
                 AND NOT EXISTS (SELECT 1 FROM token_service WHERE service_id = service.id) \
                 ORDER BY revoked_at LIMIT $2"],
        }
    }

    /// Returns the tables with rows of such families, the family's own table last.
    fn tables(self) -> &'static [(&'static str, &'static str)] {
        match self {
            FamilyKind::Secret | FamilyKind::UnconfirmedSecret => &[("secret", "id")],
            FamilyKind::Token | FamilyKind::UnusedToken | FamilyKind::Derived => &[
                ("token_use", "token_id"),
                ("token_org_use", "token_id"),
                ("suspension", "token_id"),
                ("token_org", "token_id"),
                ("token_grant", "token_id"),
                ("token_service", "token_id"),
                ("token_network", "token_id"),
                ("secret", "token_id"),
                ("token", "id"),
            ],
            FamilyKind::Session => &[("secret", "session_id"), ("session", "id")],
            FamilyKind::Service => {
                &[("service_org", "service_id"), ("secret", "service_id"), ("service", "id")]
            }
        }
    }
}

impl Read {
    /// Returns families of a kind that died before an instant, up to a limit.
    pub async fn remains(
        &self,
        kind: FamilyKind,
        before: Timestamp,
        limit: u64,
    ) -> Result<Remains, StoreError> {
        let backend = self.transaction.get_database_backend();
        let mut ids: Vec<Uuid> = Vec::new();
        for sql in kind.dead() {
            let left = limit.saturating_sub(ids.len() as u64);
            let values = [before.micros().into(), i64::try_from(left).unwrap_or(i64::MAX).into()];
            let query = Statement::from_sql_and_values(backend, *sql, values);
            for row in self.transaction.query_all_raw(query).await? {
                ids.push(row.try_get("", "id")?);
            }
        }
        ids.sort_unstable();
        ids.dedup();
        let mut hashes = Vec::new();
        if kind != FamilyKind::Session && !ids.is_empty() {
            let column = match kind {
                FamilyKind::Secret | FamilyKind::UnconfirmedSecret => "id",
                FamilyKind::Service => "service_id",
                FamilyKind::Token | FamilyKind::UnusedToken | FamilyKind::Derived | FamilyKind::Session => {
                    "token_id"
                }
            };
            let sql = format!("SELECT hash FROM secret WHERE {column} IN ({})", places(ids.len()));
            let query = Statement::from_sql_and_values(backend, sql, ids.iter().map(|id| (*id).into()));
            for row in self.transaction.query_all_raw(query).await? {
                let hash: Vec<u8> = row.try_get("", "hash")?;
                // A hash of another length cannot be looked up.
                hashes.extend(hash.try_into().ok().map(SecretHash::from_bytes));
            }
        }
        Ok(Remains { ids, hashes })
    }
}

impl Write {
    /// Removes families with all their rows.
    pub async fn remove(&self, kind: FamilyKind, ids: &[Uuid]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let backend = self.transaction.get_database_backend();
        for (table, column) in kind.tables() {
            let sql = format!("DELETE FROM {table} WHERE {column} IN ({})", places(ids.len()));
            let values = ids.iter().map(|id| (*id).into());
            self.transaction.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        }
        Ok(())
    }
}

/// Returns the placeholders `$1, $2, …`.
fn places(count: usize) -> String {
    (1..=count).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ")
}
