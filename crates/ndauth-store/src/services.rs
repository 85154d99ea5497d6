//! Services.

use std::collections::{BTreeMap, HashMap};

use ndauth_core::{Label, OrgId, Orgs, SecretRecord, Service, ServiceId, Services, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::columns::{Columns, among};
use crate::error::unless_taken;
use crate::secrets::secret;
use crate::{Family, FoundSecret, Read, StoreError, Taken, Write};

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
        self.services_from_rows(rows).await
    }

    /// Returns up to `limit` services, by name and id, after one of them; without the revoked ones unless they
    /// are included.
    pub async fn list_services_page(
        &self,
        include_revoked: bool,
        after: Option<&Service>,
        limit: u64,
    ) -> Result<Vec<Service>, StoreError> {
        let mut page = service::Entity::find()
            .order_by_asc(service::Column::Name)
            .order_by_asc(service::Column::Id)
            .limit(limit);
        if !include_revoked {
            page = page.filter(service::Column::RevokedAt.is_null());
        }
        if let Some(after) = after {
            let same = service::Column::Name.eq(after.name.as_str());
            let later = same.and(service::Column::Id.gt(after.id.uuid()));
            page = page.filter(service::Column::Name.gt(after.name.as_str()).or(later));
        }
        self.services_from_rows(page.all(&self.transaction).await?).await
    }

    /// Returns the secrets of these services that have not ended, oldest first.
    pub async fn serving_secrets(
        &self,
        services: impl IntoIterator<Item = ServiceId>,
    ) -> Result<BTreeMap<ServiceId, Vec<SecretRecord>>, StoreError> {
        let rows = secret::Entity::find()
            .filter(secret::Column::ServiceId.is_in(services.into_iter().map(ServiceId::uuid)))
            .filter(secret::Column::EndsAt.gt(self.now().micros()))
            .order_by_asc(secret::Column::MintedAt)
            .order_by_asc(secret::Column::Id)
            .all(&self.transaction)
            .await?;
        let mut secrets: BTreeMap<ServiceId, Vec<SecretRecord>> = BTreeMap::new();
        for row in rows {
            let found = FoundSecret::try_from(row)?;
            if let Family::Service(id) = found.family {
                secrets.entry(id).or_default().push(found.record);
            }
        }
        Ok(secrets)
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
        let (mut names, mut unknown) = (BTreeMap::new(), Vec::new());
        for id in ids {
            match self.recall(|seen| seen.service_names.get(&id).cloned()) {
                Some(name) => drop(names.insert(id, name)),
                None => unknown.push(id.uuid()),
            }
        }
        if unknown.is_empty() {
            return Ok(names);
        }
        let rows =
            service::Entity::find().filter(service::Column::Id.is_in(unknown)).all(&self.transaction).await?;
        for row in rows {
            let name = Columns { table: "service", id: row.id }.text("name", &row.name)?;
            names.insert(ServiceId::from_uuid(row.id), name);
        }
        Ok(names)
    }

    async fn service_or_none(&self, row: Option<service::Model>) -> Result<Option<Service>, StoreError> {
        Ok(self.services_from_rows(row.into_iter().collect()).await?.pop())
    }

    async fn services_from_rows(&self, rows: Vec<service::Model>) -> Result<Vec<Service>, StoreError> {
        let mut orgs: HashMap<Uuid, Vec<OrgId>> = HashMap::new();
        let bound: Vec<Uuid> = rows.iter().filter(|row| !row.all_orgs).map(|row| row.id).collect();
        if !bound.is_empty() {
            let bound = service_org::Entity::find().filter(service_org::Column::ServiceId.is_in(bound));
            for row in bound.all(&self.transaction).await? {
                orgs.entry(row.service_id).or_default().push(OrgId::from_uuid(row.org_id));
            }
        }
        let service = |row: service::Model| {
            let columns = Columns { table: "service", id: row.id };
            let orgs = orgs.remove(&row.id).unwrap_or_default();
            Ok(Service {
                id: ServiceId::from_uuid(row.id),
                name: columns.text("name", &row.name)?,
                orgs: among(row.all_orgs, orgs).map_err(|_| columns.corrupt("all_orgs"))?,
                states_address: row.states_address,
                created_at: columns.instant("created_at", row.created_at)?,
                revoked_at: columns.instant_or_null("revoked_at", row.revoked_at)?,
            })
        };
        rows.into_iter().map(service).collect()
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
