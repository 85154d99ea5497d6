//! Memberships that an org's admins offer, until their account accepts them.
//!
//! An offer names a handle, which is not looked up when the offer is made: an offer to a handle without an
//! account looks like any other. A row is an open offer, or one that has ended by time and was not removed
//! yet.

use ndauth_core::{Account, AccountId, Expiry, Handle, OfferId, OrgId, Role, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{ExprTrait, IntoCondition, OnConflict};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, Statement,
};

use crate::columns::Columns;
use crate::{Read, StoreError, Write};
use membership_offer::{ActiveModel, Column, Entity, Model};

/// An offered membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The offer's id.
    pub id: OfferId,
    /// The org that made it.
    pub org: OrgId,
    /// The handle that it was made to, even if no account has it.
    pub handle: Handle,
    /// The role that it confers.
    pub role: Role,
    /// The account of the admin who made it.
    pub made_by: AccountId,
    /// The instant at which it was made.
    pub made_at: Timestamp,
    /// The instant at which it ends.
    pub ends_at: Timestamp,
}

impl Offer {
    /// Returns true if it has not ended.
    pub fn is_open(&self, now: Timestamp) -> bool {
        !Expiry::At(self.ends_at).is_past(now)
    }
}

impl TryFrom<Model> for Offer {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Offer, StoreError> {
        let columns = Columns { table: "membership_offer", id: row.id };
        Ok(Offer {
            id: OfferId::from_uuid(row.id),
            org: OrgId::from_uuid(row.org_id),
            handle: columns.text("handle", &row.handle)?,
            role: columns.text("role", &row.role)?,
            made_by: AccountId::from_uuid(row.made_by),
            made_at: columns.instant("made_at", row.made_at)?,
            ends_at: columns.instant("ends_at", row.ends_at)?,
        })
    }
}

impl Read {
    /// Returns the offer of an org to a handle, open or ended.
    pub async fn find_offer(&self, org: OrgId, handle: &Handle) -> Result<Option<Offer>, StoreError> {
        let found = Entity::find_by_id((org.uuid(), handle.to_string()));
        found.one(&self.transaction).await?.map(Offer::try_from).transpose()
    }

    /// Returns the open offers of an org, by handle.
    pub async fn list_offers_of(&self, org: OrgId) -> Result<Vec<Offer>, StoreError> {
        let rows = Entity::find()
            .filter(Column::OrgId.eq(org.uuid()))
            .filter(Column::EndsAt.gt(self.now().micros()))
            .order_by_asc(Column::Handle)
            .all(&self.transaction)
            .await?;
        rows.into_iter().map(Offer::try_from).collect()
    }

    /// Returns the number of an org's open offers, except the one to this handle.
    pub async fn count_other_offers(&self, org: OrgId, but: &Handle) -> Result<u64, StoreError> {
        let open = Entity::find()
            .filter(Column::OrgId.eq(org.uuid()))
            .filter(Column::EndsAt.gt(self.now().micros()))
            .filter(Column::Handle.ne(but.as_str()));
        Ok(open.count(&self.transaction).await?)
    }

    /// Returns the open offers to an account, oldest first. An offer made before the account was created is
    /// not one of them.
    pub async fn list_offers_to(&self, account: &Account) -> Result<Vec<Offer>, StoreError> {
        let rows = Entity::find()
            .filter(Column::Handle.eq(account.handle.as_str()))
            .filter(Column::MadeAt.gt(account.created_at.micros()))
            .filter(Column::EndsAt.gt(self.now().micros()))
            .order_by_asc(Column::MadeAt)
            .order_by_asc(Column::Id)
            .all(&self.transaction)
            .await?;
        rows.into_iter().map(Offer::try_from).collect()
    }

    /// Returns every offer, open or ended.
    pub async fn list_every_offer(&self) -> Result<Vec<Offer>, StoreError> {
        let rows = Entity::find().order_by_asc(Column::Id).all(&self.transaction).await?;
        rows.into_iter().map(Offer::try_from).collect()
    }

    /// Returns true if an offer ended before an instant.
    pub async fn has_ended_offer(&self, before: Timestamp) -> Result<bool, StoreError> {
        let ended = Entity::find().filter(Column::EndsAt.lt(before.micros()));
        Ok(ended.one(&self.transaction).await?.is_some())
    }
}

impl Write {
    /// Adds an offer. It replaces the org's offer to the same handle, whose id it must have.
    pub async fn put_offer(&self, offer: &Offer) -> Result<(), StoreError> {
        let row = ActiveModel {
            id: Set(offer.id.uuid()),
            org_id: Set(offer.org.uuid()),
            handle: Set(offer.handle.to_string()),
            role: Set(offer.role.to_string()),
            made_by: Set(offer.made_by.uuid()),
            made_at: Set(offer.made_at.micros()),
            ends_at: Set(offer.ends_at.micros()),
        };
        let replaced = [Column::Role, Column::MadeBy, Column::MadeAt, Column::EndsAt];
        let conflict =
            OnConflict::columns([Column::OrgId, Column::Handle]).update_columns(replaced).to_owned();
        Entity::insert(row).on_conflict(conflict).exec_without_returning(&self.transaction).await?;
        Ok(())
    }

    /// Ends an offer.
    pub async fn end_offer(&self, id: OfferId) -> Result<(), StoreError> {
        self.end_offers(Column::Id.eq(id.uuid())).await
    }

    /// Ends all offers: those that are open in a restored copy may have been withdrawn or declined since.
    pub async fn end_every_offer(&self) -> Result<(), StoreError> {
        Entity::delete_many().exec(&self.transaction).await?;
        Ok(())
    }

    /// Removes offers that ended before an instant, up to a limit. Returns their number.
    pub async fn remove_ended_offers(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        let sql = "DELETE FROM membership_offer WHERE id IN \
                   (SELECT id FROM membership_offer WHERE ends_at < $1 ORDER BY ends_at LIMIT $2)";
        let values = [before.micros().into(), i64::try_from(limit).unwrap_or(i64::MAX).into()];
        let statement = Statement::from_sql_and_values(self.transaction.get_database_backend(), sql, values);
        Ok(self.transaction.execute_raw(statement).await?.rows_affected())
    }

    /// Ends the offers of an org.
    pub(crate) async fn end_offers_of(&self, org: OrgId) -> Result<(), StoreError> {
        self.end_offers(Column::OrgId.eq(org.uuid())).await
    }

    /// Ends the offers that an account made, in all orgs: nobody answers for them any more.
    pub(crate) async fn end_offers_by(&self, maker: AccountId) -> Result<(), StoreError> {
        self.end_offers(Column::MadeBy.eq(maker.uuid())).await
    }

    /// Ends the offers that an account made in an org.
    pub(crate) async fn end_offers_by_in(&self, maker: AccountId, org: OrgId) -> Result<(), StoreError> {
        self.end_offers(Column::MadeBy.eq(maker.uuid()).and(Column::OrgId.eq(org.uuid()))).await
    }

    /// Ends the offer of an org to an account that has been given a role there. Returns the offer's id if it
    /// was open.
    pub(crate) async fn end_offer_to(
        &self,
        account: AccountId,
        org: OrgId,
    ) -> Result<Option<OfferId>, StoreError> {
        let sql = "DELETE FROM membership_offer WHERE org_id = $1 \
                   AND handle = (SELECT handle FROM account WHERE id = $2) RETURNING id, ends_at";
        let values = [org.uuid().into(), account.uuid().into()];
        let statement = Statement::from_sql_and_values(self.transaction.get_database_backend(), sql, values);
        let Some(row) = self.transaction.query_one_raw(statement).await? else { return Ok(None) };
        let (id, ends_at): (_, i64) = (row.try_get("", "id")?, row.try_get("", "ends_at")?);
        let ends_at = Columns { table: "membership_offer", id }.instant("ends_at", ends_at)?;
        let open = !Expiry::At(ends_at).is_past(self.now());
        Ok(Some(OfferId::from_uuid(id)).filter(|_| open))
    }

    async fn end_offers(&self, which: impl IntoCondition) -> Result<(), StoreError> {
        Entity::delete_many().filter(which).exec(&self.transaction).await?;
        Ok(())
    }
}

mod membership_offer {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "membership_offer")]
    pub struct Model {
        pub id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub handle: String,
        pub role: String,
        pub made_by: Uuid,
        pub made_at: i64,
        pub ends_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
