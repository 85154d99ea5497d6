//! Secrets: looked up by their hash.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use ndauth_core::{
    Expiry, LastUse, Lineage, Owner, SecretHash, SecretId, SecretRecord, SecretView, ServiceId, SessionId,
    Succession, Timestamp, TokenId,
};
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    Statement,
};

use crate::columns::{Columns, Ids, NEVER, duration_micros, expiry_micros};
use crate::{Read, StoreError, Write};
use secret::{ActiveModel, Column, Entity, Model};

/// The family that a secret belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// A token.
    Token(TokenId),
    /// A session.
    Session(SessionId),
    /// A service.
    Service(ServiceId),
}

/// A secret that was looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSecret {
    /// Its hash.
    pub hash: SecretHash,
    /// Its record.
    pub record: SecretRecord,
    /// Its family.
    pub family: Family,
    /// Its last recorded use.
    pub last_use: Option<LastUse>,
    /// The instant of its last recorded reuse after it was retired.
    pub reused_at: Option<Timestamp>,
    /// The effect of confirming it, while it awaits confirmation.
    pub succession: Option<Succession>,
}

impl FoundSecret {
    /// Returns it as its token's owner sees it.
    pub fn view(self) -> SecretView {
        let FoundSecret { record, last_use, reused_at, succession, .. } = self;
        SecretView { record, last_use, reused_at, succession }
    }
}

impl From<Lineage> for Family {
    fn from(lineage: Lineage) -> Family {
        match lineage {
            Lineage::Token(id) => Family::Token(id),
            Lineage::Service(id) => Family::Service(id),
        }
    }
}

/// The number of secrets of live families, by the time of their minting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MintCounts {
    /// Those minted before the instant.
    pub before: u64,
    /// Those minted at the instant or since.
    pub since: u64,
    /// The instant at which the last was minted.
    pub newest: Option<Timestamp>,
}

/// The columns that a secret's record is read from.
#[derive(FromQueryResult)]
struct RecordRow {
    id: Uuid,
    hash: Vec<u8>,
    prefix: String,
    minted_at: i64,
    authorized_at: Option<i64>,
    confirmed_at: Option<i64>,
    ends_at: i64,
}

/// A record row with its family.
#[derive(FromQueryResult)]
struct RecordOf {
    family: Uuid,
    #[sea_orm(nested)]
    row: RecordRow,
}

impl TryFrom<RecordRow> for (SecretHash, SecretRecord) {
    type Error = StoreError;

    fn try_from(row: RecordRow) -> Result<(SecretHash, SecretRecord), StoreError> {
        let columns = Columns { table: "secret", id: row.id };
        let record = SecretRecord {
            id: SecretId::from_uuid(row.id),
            prefix: columns.text("prefix", &row.prefix)?,
            minted_at: columns.instant("minted_at", row.minted_at)?,
            authorized_at: columns.instant("authorized_at", row.authorized_at.unwrap_or(row.minted_at))?,
            confirmed_at: columns.instant_or_null("confirmed_at", row.confirmed_at)?,
            ends_at: columns.expiry("ends_at", row.ends_at)?,
        };
        if record.confirmed_at.is_none() && record.ends_at == Expiry::Never {
            return Err(columns.corrupt("ends_at"));
        }
        Ok((SecretHash::from_bytes(columns.hash("hash", row.hash)?), record))
    }
}

impl TryFrom<Model> for FoundSecret {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<FoundSecret, StoreError> {
        let columns = Columns { table: "secret", id: row.id };
        let family = match (row.token_id, row.session_id, row.service_id) {
            (Some(id), None, None) => Family::Token(TokenId::from_uuid(id)),
            (None, Some(id), None) => Family::Session(SessionId::from_uuid(id)),
            (None, None, Some(id)) => Family::Service(ServiceId::from_uuid(id)),
            _ => return Err(columns.corrupt("token_id")),
        };
        let last_use = match columns.instant_or_null("last_used_at", row.last_used_at)? {
            None => None,
            Some(at) => Some(LastUse {
                at,
                address: columns.text_or_null("last_used_address", row.last_used_address.as_deref())?,
            }),
        };
        let Model { id, hash, prefix, minted_at, authorized_at, confirmed_at, ends_at, .. } = row;
        let record = RecordRow { id, hash, prefix, minted_at, authorized_at, confirmed_at, ends_at };
        let (hash, record) = record.try_into()?;
        let reused_at = columns.instant_or_null("reused_at", row.reused_at)?;
        let succession = match (row.overlap, row.token_expires_at) {
            (Some(overlap), Some(end)) if record.confirmed_at.is_none() => Some(Succession {
                overlap: Duration::from_micros(
                    u64::try_from(overlap).map_err(|_| columns.corrupt("overlap"))?,
                ),
                expires_at: columns.expiry("token_expires_at", end)?,
            }),
            (None, None) => None,
            _ => return Err(columns.corrupt("overlap")),
        };
        Ok(FoundSecret { hash, record, family, last_use, reused_at, succession })
    }
}

impl Read {
    /// Returns the secret with this hash.
    pub async fn find_secret(&self, hash: &SecretHash) -> Result<Option<FoundSecret>, StoreError> {
        let row =
            Entity::find().filter(Column::Hash.eq(hash.bytes().to_vec())).one(&self.transaction).await?;
        row.map(FoundSecret::try_from).transpose()
    }

    /// Returns the secrets with these hashes, of which there are at most some thousands.
    pub async fn find_secrets(
        &self,
        hashes: impl IntoIterator<Item = SecretHash>,
    ) -> Result<Vec<FoundSecret>, StoreError> {
        let hashes: Vec<_> = hashes.into_iter().map(|hash| hash.bytes().to_vec()).collect();
        if hashes.is_empty() {
            return Ok(Vec::new());
        }
        let rows = Entity::find().filter(Column::Hash.is_in(hashes)).all(&self.transaction).await?;
        rows.into_iter().map(FoundSecret::try_from).collect()
    }

    /// Returns the lineage of a secret, if it belongs to a family that rotates.
    pub async fn find_lineage(&self, secret: SecretId) -> Result<Option<Lineage>, StoreError> {
        let row = Entity::find_by_id(secret.uuid()).one(&self.transaction).await?;
        let found = row.map(FoundSecret::try_from).transpose()?;
        Ok(found.and_then(|found| found.family.lineage()))
    }

    /// Returns the families of these secrets, and the owners of those that are tokens'.
    pub async fn families_of_secrets(
        &self,
        secrets: &[SecretId],
    ) -> Result<HashMap<SecretId, (Family, Option<Owner>)>, StoreError> {
        let ids = secrets.iter().map(|id| id.uuid());
        let rows = Entity::find().filter(Column::Id.is_in(ids)).all(&self.transaction).await?;
        let mut families = HashMap::new();
        for row in rows {
            let found = FoundSecret::try_from(row)?;
            let owner = match found.family {
                Family::Token(id) => self.find_token(id).await?.map(|token| token.owner),
                Family::Session(_) | Family::Service(_) => None,
            };
            families.insert(found.record.id, (found.family, owner));
        }
        Ok(families)
    }

    /// Returns the secrets of these families, given the column that names the family, oldest first.
    pub(crate) async fn records(
        &self,
        family: Column,
        ids: &Ids,
    ) -> Result<HashMap<Uuid, Vec<(SecretHash, SecretRecord)>>, StoreError> {
        let needed = [
            Column::Id,
            Column::Hash,
            Column::Prefix,
            Column::MintedAt,
            Column::AuthorizedAt,
            Column::ConfirmedAt,
            Column::EndsAt,
        ];
        let query = Entity::find().select_only().columns(needed).column_as(family, "family");
        let rows = ids.read(&query.filter(ids.hold(family)), &self.transaction).await?;
        let mut records: HashMap<Uuid, Vec<_>> = HashMap::with_capacity(rows.len());
        for RecordOf { family, row } in rows {
            records.entry(family).or_default().push(row.try_into()?);
        }
        for of_family in records.values_mut() {
            of_family.sort_unstable_by_key(|(_, record)| (record.minted_at, record.id));
        }
        Ok(records)
    }

    /// Returns all secrets that a family has had, oldest first.
    pub async fn list_secrets(&self, family: Family) -> Result<Vec<FoundSecret>, StoreError> {
        let (column, id) = family.column();
        let rows = Entity::find()
            .filter(column.eq(id))
            .order_by_asc(Column::MintedAt)
            .order_by_asc(Column::Id)
            .all(&self.transaction)
            .await?;
        rows.into_iter().map(FoundSecret::try_from).collect()
    }

    /// Returns all secrets that these sessions have had, oldest first.
    pub async fn secrets_of_sessions(
        &self,
        sessions: impl IntoIterator<Item = SessionId>,
    ) -> Result<BTreeMap<SessionId, Vec<FoundSecret>>, StoreError> {
        let rows = Entity::find()
            .filter(Column::SessionId.is_in(sessions.into_iter().map(SessionId::uuid)))
            .order_by_asc(Column::MintedAt)
            .order_by_asc(Column::Id)
            .all(&self.transaction)
            .await?;
        let mut secrets: BTreeMap<SessionId, Vec<FoundSecret>> = BTreeMap::new();
        for row in rows {
            let found = FoundSecret::try_from(row)?;
            if let Family::Session(id) = found.family {
                secrets.entry(id).or_default().push(found);
            }
        }
        Ok(secrets)
    }

    /// Counts the secrets of live families that were minted before an instant and since, and finds the last
    /// one.
    pub async fn count_minted(&self, instant: Timestamp) -> Result<MintCounts, StoreError> {
        let sql = "SELECT count(CASE WHEN coalesce(authorized_at, minted_at) < $1 THEN 1 END) AS earlier, \
                   count(CASE WHEN coalesce(authorized_at, minted_at) >= $1 THEN 1 END) AS since, max(minted_at) AS newest FROM secret \
                   LEFT JOIN token ON token.id = token_id LEFT JOIN session ON session.id = secret.session_id \
                   LEFT JOIN service ON service.id = service_id WHERE secret.ends_at > $2 \
                   AND token.revoked_at IS NULL AND session.revoked_at IS NULL AND service.revoked_at IS NULL \
                   AND COALESCE(token.expires_at, session.expires_at, $3) > $2";
        let values = [instant.micros().into(), self.now().micros().into(), NEVER.into()];
        let query = Statement::from_sql_and_values(self.transaction.get_database_backend(), sql, values);
        let row = self.transaction.query_one_raw(query).await?;
        let row = row.ok_or_else(|| StoreError::corrupt("secret", "minted_at", "-"))?;
        let count = |column| -> Result<u64, StoreError> {
            Ok(u64::try_from(row.try_get::<i64>("", column)?).unwrap_or_default())
        };
        let columns = Columns { table: "secret", id: "-" };
        let newest = columns.instant_or_null("minted_at", row.try_get("", "newest")?)?;
        Ok(MintCounts { before: count("earlier")?, since: count("since")?, newest })
    }

    pub(crate) async fn secrets_of_tokens(&self, tokens: &[TokenId]) -> Result<Vec<FoundSecret>, StoreError> {
        if tokens.is_empty() {
            return Ok(Vec::new());
        }
        let rows = Entity::find()
            .filter(Column::TokenId.is_in(tokens.iter().map(|id| id.uuid())))
            .all(&self.transaction)
            .await?;
        rows.into_iter().map(FoundSecret::try_from).collect()
    }
}

impl Family {
    /// Returns the lineage, if the family's secrets succeed each other.
    pub fn lineage(self) -> Option<Lineage> {
        match self {
            Family::Token(id) => Some(Lineage::Token(id)),
            Family::Service(id) => Some(Lineage::Service(id)),
            Family::Session(_) => None,
        }
    }

    pub(crate) fn column(self) -> (Column, Uuid) {
        match self {
            Family::Token(id) => (Column::TokenId, id.uuid()),
            Family::Session(id) => (Column::SessionId, id.uuid()),
            Family::Service(id) => (Column::ServiceId, id.uuid()),
        }
    }
}

impl Write {
    /// Sets the end of a secret.
    pub async fn end_secret(&self, id: SecretId, end: Expiry) -> Result<(), StoreError> {
        let changed = [(Column::EndsAt, Expr::value(expiry_micros(end)))];
        self.set_secret(id, changed).await
    }

    /// Confirms a pending secret, so that it takes over now.
    pub async fn confirm_secret(&self, id: SecretId) -> Result<(), StoreError> {
        let nothing = || Expr::value(Option::<i64>::None);
        let changed = [
            (Column::ConfirmedAt, Expr::value(self.now().micros())),
            (Column::EndsAt, Expr::value(NEVER)),
            (Column::Overlap, nothing()),
            (Column::TokenExpiresAt, nothing()),
        ];
        self.set_secret(id, changed).await
    }

    /// Drops a pending secret.
    pub async fn drop_secret(&self, id: SecretId) -> Result<(), StoreError> {
        let nothing = || Expr::value(Option::<i64>::None);
        let changed = [
            (Column::EndsAt, Expr::value(self.now().micros())),
            (Column::Overlap, nothing()),
            (Column::TokenExpiresAt, nothing()),
        ];
        self.set_secret(id, changed).await
    }

    /// Records that a retired secret was presented.
    pub async fn set_reused(&self, id: SecretId, at: Timestamp) -> Result<(), StoreError> {
        self.set_secret(id, [(Column::ReusedAt, Expr::value(at.micros()))]).await
    }

    async fn set_secret(
        &self,
        id: SecretId,
        changed: impl IntoIterator<Item = (Column, sea_orm::sea_query::SimpleExpr)>,
    ) -> Result<(), StoreError> {
        let mut update = Entity::update_many().filter(Column::Id.eq(id.uuid()));
        for (column, value) in changed {
            update = update.col_expr(column, value);
        }
        update.exec(&self.transaction).await?;
        Ok(())
    }

    /// Adds a secret to a family. A pending one comes with the effect of its confirmation.
    pub async fn insert_secret(
        &self,
        family: Family,
        record: &SecretRecord,
        hash: &SecretHash,
        succession: Option<&Succession>,
    ) -> Result<(), StoreError> {
        let (token_id, session_id, service_id) = match family {
            Family::Token(id) => (Some(id.uuid()), None, None),
            Family::Session(id) => (None, Some(id.uuid()), None),
            Family::Service(id) => (None, None, Some(id.uuid())),
        };
        let row = ActiveModel {
            id: Set(record.id.uuid()),
            hash: Set(hash.bytes().to_vec()),
            prefix: Set(record.prefix.to_string()),
            token_id: Set(token_id),
            session_id: Set(session_id),
            service_id: Set(service_id),
            minted_at: Set(record.minted_at.micros()),
            authorized_at: Set(Some(record.authorized_at.micros()).filter(|_| record.was_minted_by_token())),
            confirmed_at: Set(record.confirmed_at.map(Timestamp::micros)),
            ends_at: Set(expiry_micros(record.ends_at)),
            last_used_at: Set(None),
            last_used_address: Set(None),
            overlap: Set(succession.map(|then| duration_micros(then.overlap))),
            token_expires_at: Set(succession.map(|then| expiry_micros(then.expires_at))),
            reused_at: Set(None),
        };
        Entity::insert(row).exec_without_returning(&self.transaction).await?;
        Ok(())
    }
}

pub(crate) mod secret {
    use sea_orm::entity::prelude::*;
    use sea_orm::sea_query::Func;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "secret")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub hash: Vec<u8>,
        pub prefix: String,
        pub token_id: Option<Uuid>,
        pub session_id: Option<Uuid>,
        pub service_id: Option<Uuid>,
        pub minted_at: i64,
        pub authorized_at: Option<i64>,
        pub confirmed_at: Option<i64>,
        pub ends_at: i64,
        pub last_used_at: Option<i64>,
        pub last_used_address: Option<String>,
        pub overlap: Option<i64>,
        pub token_expires_at: Option<i64>,
        pub reused_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    /// Returns the expression for the instant at which a person last minted a secret of its family: for most
    /// secrets, that of their own minting.
    pub(crate) fn authorized_at() -> Expr {
        let columns = [Column::AuthorizedAt, Column::MintedAt].map(ColumnTrait::into_expr);
        Func::coalesce(columns).into()
    }
}
