//! Suspensions of tokens.

use ndauth_core::{Level, OrgId, Suspension, TokenId};
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use sea_orm::prelude::Uuid;

use crate::columns::Columns;
use crate::{StoreError, Write};
use suspension::{ActiveModel, Entity};

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

/// Reads a suspension of a token.
pub(crate) fn suspension_of(token: Uuid, level: &str, since: i64) -> Result<Suspension, StoreError> {
    let columns = Columns { table: "suspension", id: token };
    let level = match level {
        "owner" => Level::Owner,
        "operator" => Level::Operator,
        org => Level::Org(columns.text::<OrgId>("level", org)?),
    };
    Ok(Suspension { level, since: columns.instant("since", since)? })
}

#[expect(unreachable_pub, reason = "what the derive makes is public; the module is not")]
pub(crate) mod suspension {
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
