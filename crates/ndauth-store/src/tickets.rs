//! Tickets, each of which works once: links, codes, and devices that wait to be authorized. They are not
//! state and have no events; the changes that use them have.

use std::time::Duration;

use ndauth_core::{AccountId, SecretHash, SecretKind, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use crate::columns::{Columns, duration_micros};
use crate::secrets::secret;
use crate::{Read, StoreError, Write};
use ticket::{ActiveModel, Column, Entity, Model};

/// The purpose of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketKind {
    /// A link with which an account's person sets a password.
    Invitation,
    /// A link with which an account's person signs in.
    SignIn,
    /// A code that a client redeems for a session.
    Code,
    /// A device that waits to be authorized.
    Device,
}

/// A ticket, which works once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The hash under which it is looked up.
    pub hash: SecretHash,
    /// Its purpose.
    pub kind: TicketKind,
    /// The hash of the code that a person types, under which a device is looked up.
    pub user_code: Option<SecretHash>,
    /// The account that it belongs to; for a device, the account that authorized it.
    pub account: Option<AccountId>,
    /// Everything else, in the form in which its maker wrote it.
    pub details: String,
    /// The instant of its creation.
    pub created_at: Timestamp,
    /// The instant at which it expires.
    pub expires_at: Timestamp,
    /// The instant of its use, if it was used.
    pub used_at: Option<Timestamp>,
}

/// The time for which an expired ticket is kept, so that its second use is distinguished from that of a
/// ticket that never existed.
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
    /// Returns the ticket with this hash, expired or not.
    pub async fn find_ticket(&self, hash: &SecretHash) -> Result<Option<Ticket>, StoreError> {
        let row = Entity::find_by_id(hash.bytes().to_vec()).one(&self.transaction).await?;
        row.map(Ticket::try_from).transpose()
    }

    /// Returns the device with this hash of a user code, expired or not.
    pub async fn find_device(&self, user_code: &SecretHash) -> Result<Option<Ticket>, StoreError> {
        let found = Entity::find().filter(Column::UserCode.eq(user_code.bytes().to_vec()));
        found.one(&self.transaction).await?.map(Ticket::try_from).transpose()
    }

    /// Returns the links of an account that still work.
    pub async fn list_links(&self, account: AccountId) -> Result<Vec<Ticket>, StoreError> {
        let links = [TicketKind::Invitation.name(), TicketKind::SignIn.name()];
        let rows = Entity::find()
            .filter(Column::Kind.is_in(links))
            .filter(Column::AccountId.eq(account.uuid()))
            .filter(Column::UsedAt.is_null())
            .filter(Column::ExpiresAt.gt(self.now().micros()));
        rows.all(&self.transaction).await?.into_iter().map(Ticket::try_from).collect()
    }

    /// Returns the number of unused tickets of a kind, or only those of an account if one is given.
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
    /// Adds a ticket, and removes those that expired long ago.
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

    /// Uses a ticket, and records its details. Returns true if it could be used, which it can only once and
    /// before it expires.
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

    /// Records the account and the details of a ticket.
    pub async fn update_ticket(&self, ticket: &Ticket) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::AccountId, Expr::value(ticket.account.map(AccountId::uuid)))
            .col_expr(Column::Details, Expr::value(ticket.details.as_str()))
            .filter(Column::Hash.eq(ticket.hash.bytes().to_vec()))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Ends every unused ticket of a kind that belongs to an account.
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

    /// Removes all tickets and all refresh secrets: those that are unused in a restored copy may have been
    /// used since.
    pub async fn remove_every_ticket(&self) -> Result<(), StoreError> {
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
