//! Passwords as argon2 hashes, and the identities of people at other identity providers.

use std::collections::BTreeSet;

use ndauth_core::{AccountId, Identity};
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::error::unless_taken;
use crate::{Read, StoreError, Taken, Write};

impl Read {
    /// Returns the hash of an account's password, if it has one.
    pub async fn find_password(&self, account: AccountId) -> Result<Option<String>, StoreError> {
        let row = password::Entity::find_by_id(account.uuid()).one(&self.transaction).await?;
        Ok(row.map(|row| row.phc))
    }

    /// Returns the account that an identity is linked to.
    pub async fn find_identity(&self, identity: &Identity) -> Result<Option<AccountId>, StoreError> {
        let key = (identity.issuer.clone(), identity.subject.clone());
        let row = identity::Entity::find_by_id(key).one(&self.transaction).await?;
        Ok(row.map(|row| AccountId::from_uuid(row.account_id)))
    }

    /// Returns those of these accounts that have a password or a linked identity.
    pub async fn accounts_with_proof(
        &self,
        accounts: impl IntoIterator<Item = AccountId>,
    ) -> Result<BTreeSet<AccountId>, StoreError> {
        let ids: Vec<_> = accounts.into_iter().map(AccountId::uuid).collect();
        let with_password = password::Entity::find()
            .select_only()
            .column(password::Column::AccountId)
            .filter(password::Column::AccountId.is_in(ids.iter().copied()));
        let with_identity = identity::Entity::find()
            .select_only()
            .column(identity::Column::AccountId)
            .filter(identity::Column::AccountId.is_in(ids));
        let mut found: Vec<Uuid> = with_password.into_tuple().all(&self.transaction).await?;
        found.extend(with_identity.into_tuple::<Uuid>().all(&self.transaction).await?);
        Ok(found.into_iter().map(AccountId::from_uuid).collect())
    }
}

impl Write {
    /// Sets the password of an account, in place of any former one.
    pub async fn set_password(&self, account: AccountId, phc: &str) -> Result<(), StoreError> {
        let row = password::ActiveModel {
            account_id: Set(account.uuid()),
            phc: Set(phc.to_owned()),
            set_at: Set(self.now().micros()),
        };
        let changed = [password::Column::Phc, password::Column::SetAt];
        let conflict = OnConflict::column(password::Column::AccountId).update_columns(changed).to_owned();
        password::Entity::insert(row).on_conflict(conflict).exec_without_returning(&self.transaction).await?;
        Ok(())
    }

    /// Removes the password of an account.
    pub async fn remove_password(&self, account: AccountId) -> Result<(), StoreError> {
        password::Entity::delete_by_id(account.uuid()).exec(&self.transaction).await?;
        Ok(())
    }

    /// Links an identity to an account, unless it is linked already.
    pub async fn insert_identity(
        &self,
        account: AccountId,
        identity: &Identity,
    ) -> Result<Result<(), Taken>, StoreError> {
        let row = identity::ActiveModel {
            issuer: Set(identity.issuer.clone()),
            subject: Set(identity.subject.clone()),
            account_id: Set(account.uuid()),
        };
        unless_taken(identity::Entity::insert(row).exec_without_returning(&self.transaction).await)
    }
}

#[expect(unreachable_pub, reason = "what the derive makes is public; the module is not")]
mod password {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "password")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub account_id: Uuid,
        pub phc: String,
        pub set_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[expect(unreachable_pub, reason = "what the derive makes is public; the module is not")]
mod identity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "identity")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub issuer: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub subject: String,
        pub account_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
