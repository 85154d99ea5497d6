//! What works once: links, codes, and devices that wait to be let in. They are no state: no event tells of them, but of
//! what they are used for.

use std::time::Duration;

use ndauth_core::{AccountId, SecretHash, SecretKind, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use crate::columns::{Columns, duration_micros};
use crate::secrets::secret;
use crate::{Read, StoreError, Write};
use ticket::{ActiveModel, Column, Entity, Model};

/// What a ticket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketKind {
    /// A link by which an account's person sets a password.
    Invitation,
    /// A link by which an account's person signs in.
    SignIn,
    /// A code that a client redeems for a session.
    Code,
    /// A device that waits to be let in.
    Device,
}

/// What works once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// What it is found by.
    pub hash: SecretHash,
    /// What it is for.
    pub kind: TicketKind,
    /// By what a device is found whose person types a code.
    pub user_code: Option<SecretHash>,
    /// Whose it is; of a device, who let it in.
    pub account: Option<AccountId>,
    /// All else, as whoever made it wrote it.
    pub details: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was used, if it was.
    pub used_at: Option<Timestamp>,
}

/// How long a ticket is kept once it has ended: so long its second use is told from one of a ticket that never was.
const KEPT: Duration = Duration::from_secs(60 * 60);

impl TicketKind {
    const ALL: [TicketKind; 4] =
        [TicketKind::Invitation, TicketKind::SignIn, TicketKind::Code, TicketKind::Device];

    fn name(self) -> &'static str {
        match self {
            TicketKind::Invitation => "INVITATION",
            TicketKind::SignIn => "SIGN_IN",
            TicketKind::Code => "CODE",
            TicketKind::Device => "DEVICE",
        }
    }
}

impl TryFrom<Model> for Ticket {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Ticket, StoreError> {
        let columns = Columns { table: "ticket", id: row.created_at };
        let kind = TicketKind::ALL.into_iter().find(|kind| kind.name() == row.kind);
        let user_code = row.user_code.map(|hash| columns.hash("user_code", hash)).transpose()?;
        Ok(Ticket {
            hash: SecretHash::from_bytes(columns.hash("hash", row.hash)?),
            kind: kind.ok_or_else(|| columns.corrupt("kind"))?,
            user_code: user_code.map(SecretHash::from_bytes),
            account: row.account_id.map(AccountId::from_uuid),
            details: row.details,
            created_at: columns.instant("created_at", row.created_at)?,
            expires_at: columns.instant("expires_at", row.expires_at)?,
            used_at: columns.instant_or_null("used_at", row.used_at)?,
        })
    }
}

impl Read {
    /// The ticket with this hash, ended or not.
    pub async fn find_ticket(&self, hash: &SecretHash) -> Result<Option<Ticket>, StoreError> {
        let row = Entity::find_by_id(hash.bytes().to_vec()).one(&self.transaction).await?;
        row.map(Ticket::try_from).transpose()
    }

    /// The device whose person types a code of this hash, ended or not.
    pub async fn find_device(&self, user_code: &SecretHash) -> Result<Option<Ticket>, StoreError> {
        let found = Entity::find().filter(Column::UserCode.eq(user_code.bytes().to_vec()));
        found.one(&self.transaction).await?.map(Ticket::try_from).transpose()
    }

    /// How many tickets of a kind wait to be used; where an account is named, of its own.
    pub async fn count_tickets(
        &self,
        kind: TicketKind,
        account: Option<AccountId>,
    ) -> Result<u64, StoreError> {
        let mut waiting = Entity::find()
            .filter(Column::Kind.eq(kind.name()))
            .filter(Column::UsedAt.is_null())
            .filter(Column::ExpiresAt.gt(self.now().micros()));
        if let Some(account) = account {
            waiting = waiting.filter(Column::AccountId.eq(account.uuid()));
        }
        Ok(waiting.count(&self.transaction).await?)
    }
}

impl Write {
    /// Adds a ticket, and removes those that ended long ago.
    pub async fn insert_ticket(&self, ticket: &Ticket) -> Result<(), StoreError> {
        let old = self.now().micros().saturating_sub(duration_micros(KEPT));
        Entity::delete_many().filter(Column::ExpiresAt.lt(old)).exec(&self.transaction).await?;
        let row = ActiveModel {
            hash: Set(ticket.hash.bytes().to_vec()),
            kind: Set(ticket.kind.name().to_owned()),
            user_code: Set(ticket.user_code.map(|hash| hash.bytes().to_vec())),
            account_id: Set(ticket.account.map(AccountId::uuid)),
            details: Set(ticket.details.clone()),
            created_at: Set(ticket.created_at.micros()),
            expires_at: Set(ticket.expires_at.micros()),
            used_at: Set(ticket.used_at.map(Timestamp::micros)),
        };
        Entity::insert(row).exec_without_returning(&self.transaction).await?;
        Ok(())
    }

    /// Uses a ticket, and writes down what else is known of it now. Says whether it could be used: only once, and in time.
    pub async fn use_ticket(&self, ticket: &Ticket) -> Result<bool, StoreError> {
        let now = self.now().micros();
        let used = Entity::update_many()
            .col_expr(Column::UsedAt, Expr::value(now))
            .col_expr(Column::Details, Expr::value(ticket.details.as_str()))
            .filter(Column::Hash.eq(ticket.hash.bytes().to_vec()))
            .filter(Column::UsedAt.is_null())
            .filter(Column::ExpiresAt.gt(now))
            .exec(&self.transaction)
            .await?;
        Ok(used.rows_affected == 1)
    }

    /// Writes down what is known of a ticket now, whoever it is.
    pub async fn update_ticket(&self, ticket: &Ticket) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::AccountId, Expr::value(ticket.account.map(AccountId::uuid)))
            .col_expr(Column::Details, Expr::value(ticket.details.as_str()))
            .filter(Column::Hash.eq(ticket.hash.bytes().to_vec()))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Ends every ticket of a kind that waits for an account's person.
    pub async fn end_tickets(&self, kind: TicketKind, account: AccountId) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::UsedAt, Expr::value(self.now().micros()))
            .filter(Column::Kind.eq(kind.name()))
            .filter(Column::AccountId.eq(account.uuid()))
            .filter(Column::UsedAt.is_null())
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Removes all that works once, and what refreshes sessions: what a restored copy takes for unused may have been used.
    pub async fn forget_what_works_once(&self) -> Result<(), StoreError> {
        Entity::delete_many().exec(&self.transaction).await?;
        let refreshing = secret::Column::Prefix.starts_with(SecretKind::Refresh.marker());
        secret::Entity::delete_many().filter(refreshing).exec(&self.transaction).await?;
        Ok(())
    }
}

mod ticket {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "ticket")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub hash: Vec<u8>,
        pub kind: String,
        pub user_code: Option<Vec<u8>>,
        pub account_id: Option<Uuid>,
        pub details: String,
        pub created_at: i64,
        pub expires_at: i64,
        pub used_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
