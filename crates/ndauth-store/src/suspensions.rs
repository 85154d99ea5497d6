//! Suspensions of tokens.

use std::collections::BTreeMap;

use ndauth_core::{Level, OrgId, Suspension, TokenId};
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::Uuid;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::columns::Columns;
use crate::{Read, StoreError, Write};
use suspension::{ActiveModel, Column, Entity, Model};

impl Read {
    /// Returns the suspensions of these tokens, lowest level first.
    pub(crate) async fn suspensions(
        &self,
        tokens: impl Iterator<Item = Uuid> + Clone,
    ) -> Result<BTreeMap<Uuid, Vec<Suspension>>, StoreError> {
        let (Some(first), Some(last)) = (tokens.clone().min(), tokens.max()) else {
            return Ok(BTreeMap::new());
        };
        let mut suspensions: BTreeMap<Uuid, Vec<Suspension>> = BTreeMap::new();
        // There are few suspensions, so a range of ids is quicker than naming them.
        let rows = Entity::find().filter(Column::TokenId.between(first, last)).all(&self.transaction).await?;
        for row in rows {
            let of_token = suspensions.entry(row.token_id).or_default();
            of_token.push(suspension(&row)?);
            of_token.sort_unstable_by_key(|suspension| suspension.level);
        }
        Ok(suspensions)
    }
}

impl Write {
    /// Suspends a token at a level at which it is not suspended.
    pub async fn suspend(&self, token: TokenId, level: Level) -> Result<(), StoreError> {
        let row = ActiveModel {
            token_id: Set(token.uuid()),
            level: Set(name(level)),
            since: Set(self.now().micros()),
        };
        Entity::insert(row).exec_without_returning(&self.transaction).await?;
        Ok(())
    }

    /// Lifts a token's suspension at a level.
    pub async fn resume(&self, token: TokenId, level: Level) -> Result<(), StoreError> {
        Entity::delete_by_id((token.uuid(), name(level))).exec(&self.transaction).await?;
        Ok(())
    }
}

fn name(level: Level) -> String {
    match level {
        Level::Owner => "owner".to_owned(),
        Level::Operator => "operator".to_owned(),
        Level::Org(org) => org.to_string(),
    }
}

fn suspension(row: &Model) -> Result<Suspension, StoreError> {
    let columns = Columns { table: "suspension", id: row.token_id };
    let level = match row.level.as_str() {
        "owner" => Level::Owner,
        "operator" => Level::Operator,
        org => Level::Org(columns.text::<OrgId>("level", org)?),
    };
    Ok(Suspension { level, since: columns.instant("since", row.since)? })
}

#[expect(unreachable_pub, reason = "what the derive makes is public; the module is not")]
mod suspension {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "suspension")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub level: String,
        pub since: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
