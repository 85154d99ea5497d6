//! Accounts.

use std::collections::BTreeMap;

use ndauth_core::{Account, AccountId, DisplayName, Email, Handle, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::columns::Columns;
use crate::error::unless_taken;
use crate::{Read, StoreError, Taken, Write};
use account::{ActiveModel, Column, Entity, Model};

impl TryFrom<Model> for Account {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Account, StoreError> {
        let columns = Columns { table: "account", id: row.id };
        Ok(Account {
            id: AccountId::from_uuid(row.id),
            handle: columns.text("handle", &row.handle)?,
            email: columns.text("email", &row.email)?,
            name: columns.text_or_null("name", row.name.as_deref())?,
            operator: row.operator,
            created_at: columns.instant("created_at", row.created_at)?,
            last_login_at: columns.instant_or_null("last_login_at", row.last_login_at)?,
            disabled_at: columns.instant_or_null("disabled_at", row.disabled_at)?,
            not_before: columns.instant("not_before", row.not_before)?,
        })
    }
}

impl Read {
    /// Returns the account with this id.
    pub async fn find_account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        Ok(self.accounts_by_id([id]).await?.remove(&id))
    }

    /// Returns the account with this handle.
    pub async fn find_account_by_handle(&self, handle: &Handle) -> Result<Option<Account>, StoreError> {
        let row = Entity::find().filter(Column::Handle.eq(handle.as_str())).one(&self.transaction).await?;
        row.map(Account::try_from).transpose()
    }

    /// Returns every account, by handle.
    pub async fn list_accounts(&self) -> Result<Vec<Account>, StoreError> {
        let rows = Entity::find().order_by_asc(Column::Handle).all(&self.transaction).await?;
        rows.into_iter().map(Account::try_from).collect()
    }

    /// Returns up to `limit` accounts, by handle, after the one with a handle. If a beginning is given, only those
    /// whose handle or address begins with it, in whatever case.
    pub async fn list_accounts_page(
        &self,
        begins_with: Option<&str>,
        after: Option<&Handle>,
        limit: u64,
    ) -> Result<Vec<Account>, StoreError> {
        let mut page = Entity::find().order_by_asc(Column::Handle).limit(limit);
        if let Some(after) = after {
            page = page.filter(Column::Handle.gt(after.as_str()));
        }
        if let Some(beginning) = begins_with {
            // Both columns hold lower case. `LIKE` would need escapes, and is not the same on both engines.
            let beginning = beginning.to_lowercase();
            let length = i32::try_from(beginning.chars().count()).unwrap_or(i32::MAX);
            let first = |column: Column| {
                Expr::from(Func::cust("substr").args([column.into_expr(), 1.into(), length.into()]))
            };
            let begins = |column| first(column).eq(beginning.as_str());
            page = page.filter(begins(Column::Handle).or(begins(Column::Email)));
        }
        page.all(&self.transaction).await?.into_iter().map(Account::try_from).collect()
    }

    /// Returns true if there is an account.
    pub async fn has_accounts(&self) -> Result<bool, StoreError> {
        Ok(Entity::find().one(&self.transaction).await?.is_some())
    }

    /// Returns these accounts.
    pub async fn accounts_by_id(
        &self,
        ids: impl IntoIterator<Item = AccountId>,
    ) -> Result<BTreeMap<AccountId, Account>, StoreError> {
        let ids: Vec<AccountId> = ids.into_iter().collect();
        let mut accounts = BTreeMap::new();
        for id in &ids {
            accounts.extend(self.recall(|seen| Some((*id, seen.accounts.get(id)?.clone()))));
        }
        let ids: Vec<_> =
            ids.into_iter().filter(|id| !accounts.contains_key(id)).map(AccountId::uuid).collect();
        for ids in ids.chunks(1000) {
            let rows = Entity::find().filter(Column::Id.is_in(ids.to_vec())).all(&self.transaction).await?;
            for row in rows {
                let account = Account::try_from(row)?;
                self.remember(|seen| {
                    seen.accounts.insert(account.id, account.clone());
                });
                accounts.insert(account.id, account);
            }
        }
        Ok(accounts)
    }

    /// Returns the account with this e-mail address.
    pub async fn find_account_by_email(&self, email: &Email) -> Result<Option<Account>, StoreError> {
        let row = Entity::find().filter(Column::Email.eq(email.as_str())).one(&self.transaction).await?;
        row.map(Account::try_from).transpose()
    }
}

impl Write {
    /// Returns the account with this id, and locks it against other changes until this one ends.
    pub async fn lock_account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        let row = Entity::find_by_id(id.uuid()).lock_exclusive().one(&self.transaction).await?;
        row.map(Account::try_from).transpose()
    }

    /// Adds an account, unless its handle or address is taken.
    pub async fn insert_account(&self, account: &Account) -> Result<Result<(), Taken>, StoreError> {
        let row = ActiveModel {
            id: Set(account.id.uuid()),
            handle: Set(account.handle.to_string()),
            email: Set(account.email.to_string()),
            name: Set(account.name.as_ref().map(ToString::to_string)),
            operator: Set(account.operator),
            created_at: Set(account.created_at.micros()),
            last_login_at: Set(account.last_login_at.map(Timestamp::micros)),
            disabled_at: Set(account.disabled_at.map(Timestamp::micros)),
            not_before: Set(account.not_before.micros()),
        };
        unless_taken(Entity::insert(row).exec_without_returning(&self.transaction).await)
    }

    /// Records that an account's person authenticated at an instant. An earlier instant changes nothing.
    pub async fn set_logged_in(&self, id: AccountId, proved_at: Timestamp) -> Result<(), StoreError> {
        let earlier = Column::LastLoginAt.is_null().or(Column::LastLoginAt.lt(proved_at.micros()));
        Entity::update_many()
            .col_expr(Column::LastLoginAt, Expr::value(proved_at.micros()))
            .filter(Column::Id.eq(id.uuid()))
            .filter(earlier)
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Revokes every secret of an account's tokens that was minted before an instant. An earlier instant
    /// changes nothing.
    pub async fn set_account_not_before(
        &self,
        id: AccountId,
        not_before: Timestamp,
    ) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::NotBefore, Expr::value(not_before.micros()))
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::NotBefore.lt(not_before.micros()))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Makes an account an operator, or takes that away.
    pub async fn set_operator(&self, id: AccountId, operator: bool) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::Operator, Expr::value(operator))
            .filter(Column::Id.eq(id.uuid()))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Sets an account's address and name, unless another account has the address.
    pub async fn set_address_and_name(
        &self,
        id: AccountId,
        email: &Email,
        name: Option<&DisplayName>,
    ) -> Result<Result<(), Taken>, StoreError> {
        let updated = Entity::update_many()
            .col_expr(Column::Email, Expr::value(email.as_str()))
            .col_expr(Column::Name, Expr::value(name.map(DisplayName::as_str)))
            .filter(Column::Id.eq(id.uuid()))
            .exec(&self.transaction)
            .await;
        unless_taken(updated.map(|updated| updated.rows_affected))
    }

    /// Marks an account as disabled since an instant, which ends the memberships that it offered, or as
    /// enabled.
    pub async fn set_account_disabled(
        &self,
        id: AccountId,
        since: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::DisabledAt, Expr::value(since.map(Timestamp::micros)))
            .filter(Column::Id.eq(id.uuid()))
            .exec(&self.transaction)
            .await?;
        if since.is_some() { self.end_offers_by(id).await } else { Ok(()) }
    }
}

pub(crate) mod account {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "account")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub handle: String,
        pub email: String,
        pub name: Option<String>,
        pub operator: bool,
        pub created_at: i64,
        pub last_login_at: Option<i64>,
        pub disabled_at: Option<i64>,
        pub not_before: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
