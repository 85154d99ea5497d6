//! The event log, read in order.

use ndauth_core::{Head, InstallationId};
use sea_orm::prelude::Uuid;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::columns::Columns;
use crate::lease::{Lease, TIMEOUT, Timeout};
use crate::log::event::{Column, Entity};
use crate::{Read, Store, StoreError, StoredEvent};

impl Read {
    /// Returns the id of the installation: the beginning of the hash of its first event, which a salt makes
    /// unique. `None` before the first event.
    pub async fn installation_id(&self) -> Result<Option<InstallationId>, StoreError> {
        let first = self.first_hash().await?;
        Ok(first.and_then(|hash| Uuid::from_slice(&hash[..16]).ok()).map(InstallationId::from_uuid))
    }

    /// Returns the hash of the event with this sequence, if there is one. The hash of sequence 0 is zero.
    pub async fn event_hash(&self, sequence: u64) -> Result<Option<[u8; 32]>, StoreError> {
        if sequence == 0 {
            return Ok(Some(Head::EMPTY.hash));
        }
        let Ok(id) = i64::try_from(sequence) else { return Ok(None) };
        let row = Entity::find_by_id(id).one(&self.transaction).await?;
        let columns = Columns { table: "event", id };
        row.map(|row| columns.hash("hash", row.hash)).transpose()
    }

    /// Returns the events after a sequence, in order, up to a limit.
    pub async fn events_after(&self, sequence: u64, limit: u64) -> Result<Vec<StoredEvent>, StoreError> {
        events_after(&self.transaction, sequence, limit).await
    }
}

impl Store {
    /// Returns the events after a sequence, in order, up to a limit. It needs no other table.
    pub async fn events_after(&self, sequence: u64, limit: u64) -> Result<Vec<StoredEvent>, StoreError> {
        let lease = Lease::take(&self.pool, Timeout::Each(TIMEOUT)).await?;
        events_after(&lease, sequence, limit).await
    }
}

async fn events_after(on: &Lease, sequence: u64, limit: u64) -> Result<Vec<StoredEvent>, StoreError> {
    let rows = Entity::find()
        .filter(Column::Sequence.gt(i64::try_from(sequence).unwrap_or(i64::MAX)))
        .order_by_asc(Column::Sequence)
        .limit(limit)
        .all(on)
        .await?;
    rows.into_iter().map(StoredEvent::try_from).collect()
}
