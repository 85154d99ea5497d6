//! Services.

use std::collections::BTreeMap;

use ndauth_core::{Label, OrgId, Orgs, Service, ServiceId, Services, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::columns::{Columns, among};
use crate::error::unless_taken;
use crate::{Read, StoreError, Taken, Write};

impl Read {
    /// Returns the service with this id.
    pub async fn find_service(&self, id: ServiceId) -> Result<Option<Service>, StoreError> {
        let row = service::Entity::find_by_id(id.uuid()).one(&self.transaction).await?;
        self.service_or_none(row).await
    }

    /// Returns the service that has this name and is not revoked.
    pub async fn find_live_service(&self, name: &Label) -> Result<Option<Service>, StoreError> {
        let row = service::Entity::find()
            .filter(service::Column::LiveName.eq(name.as_str()))
            .one(&self.transaction)
            .await?;
        self.service_or_none(row).await
    }

    /// Returns every service, revoked or not, by name.
    pub async fn list_services(&self) -> Result<Vec<Service>, StoreError> {
        let rows = service::Entity::find()
            .order_by_asc(service::Column::Name)
            .order_by_asc(service::Column::Id)
            .all(&self.transaction)
            .await?;
        let mut services = Vec::new();
        for row in rows {
            services.extend(self.service_or_none(Some(row)).await?);
        }
        Ok(services)
    }

    /// Returns the names of these services.
    pub async fn name_services(&self, services: &Services) -> Result<Services<Label>, StoreError> {
        match services {
            Services::All => Ok(Services::All),
            Services::Only(ids) => {
                let names = self.service_names(ids.iter().copied()).await?;
                Ok(Services::Only(names.into_values().collect()))
            }
        }
    }

    pub(crate) async fn service_names(
        &self,
        ids: impl IntoIterator<Item = ServiceId>,
    ) -> Result<BTreeMap<ServiceId, Label>, StoreError> {
        let ids: Vec<_> = ids.into_iter().map(ServiceId::uuid).collect();
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows =
            service::Entity::find().filter(service::Column::Id.is_in(ids)).all(&self.transaction).await?;
        let named = |row: service::Model| {
            let name = Columns { table: "service", id: row.id }.text("name", &row.name)?;
            Ok((ServiceId::from_uuid(row.id), name))
        };
        rows.into_iter().map(named).collect()
    }

    async fn service_or_none(&self, row: Option<service::Model>) -> Result<Option<Service>, StoreError> {
        let Some(row) = row else { return Ok(None) };
        let columns = Columns { table: "service", id: row.id };
        let mut orgs = Vec::new();
        if !row.all_orgs {
            let rows = service_org::Entity::find()
                .filter(service_org::Column::ServiceId.eq(row.id))
                .all(&self.transaction)
                .await?;
            orgs.extend(rows.into_iter().map(|row| OrgId::from_uuid(row.org_id)));
        }
        Ok(Some(Service {
            id: ServiceId::from_uuid(row.id),
            name: columns.text("name", &row.name)?,
            orgs: among(row.all_orgs, orgs).map_err(|_| columns.corrupt("all_orgs"))?,
            states_address: row.states_address,
            created_at: columns.instant("created_at", row.created_at)?,
            revoked_at: columns.instant_or_null("revoked_at", row.revoked_at)?,
        }))
    }
}

impl Write {
    /// Locks a service against other changes until this one ends.
    pub async fn lock_service(&self, id: ServiceId) -> Result<(), StoreError> {
        service::Entity::find_by_id(id.uuid()).lock_exclusive().one(&self.transaction).await?;
        Ok(())
    }

    /// Adds a service, unless its name is taken by one that is not revoked.
    pub async fn insert_service(&self, service: &Service) -> Result<Result<(), Taken>, StoreError> {
        let row = service::ActiveModel {
            id: Set(service.id.uuid()),
            name: Set(service.name.to_string()),
            live_name: Set(Some(service.name.to_string())),
            all_orgs: Set(service.orgs == Orgs::All),
            states_address: Set(service.states_address),
            created_at: Set(service.created_at.micros()),
            revoked_at: Set(service.revoked_at.map(Timestamp::micros)),
        };
        let outcome =
            unless_taken(service::Entity::insert(row).exec_without_returning(&self.transaction).await)?;
        if let (Ok(()), Orgs::Only(orgs)) = (outcome, &service.orgs) {
            let rows = orgs.iter().map(|org| service_org::ActiveModel {
                service_id: Set(service.id.uuid()),
                org_id: Set(org.uuid()),
            });
            service_org::Entity::insert_many(rows).exec_without_returning(&self.transaction).await?;
        }
        Ok(outcome)
    }

    /// Marks a service as revoked, and releases its name.
    pub async fn revoke_service(&self, id: ServiceId) -> Result<(), StoreError> {
        service::Entity::update_many()
            .col_expr(service::Column::RevokedAt, Expr::value(self.now().micros()))
            .col_expr(service::Column::LiveName, Expr::value(Option::<String>::None))
            .filter(service::Column::Id.eq(id.uuid()))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }
}

#[expect(unreachable_pub, reason = "what the derive makes is public; the module is not")]
pub(crate) mod service {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "service")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub name: String,
        pub live_name: Option<String>,
        pub all_orgs: bool,
        pub states_address: bool,
        pub created_at: i64,
        pub revoked_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[expect(unreachable_pub, reason = "what the derive makes is public; the module is not")]
mod service_org {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "service_org")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub service_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
