//! Org policies: the history of each org's.

use std::collections::BTreeMap;
use std::time::Duration;

use ndauth_core::{AnnouncedPolicy, DatedPolicy, Network, Networks, OrgId, OrgPolicy, Policies, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::Uuid;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::columns::{Columns, among, lifetime_micros};
use crate::orgs::org;
use crate::{Read, StoreError, Write};

impl Read {
    /// Returns the policies of an org.
    pub async fn find_policies(&self, org: OrgId) -> Result<Policies, StoreError> {
        Ok(self.policies(&[org]).await?.remove(&org).unwrap_or_default())
    }

    /// Returns the policies of these orgs. An org that has none may be left out.
    pub async fn policies(&self, orgs: &[OrgId]) -> Result<BTreeMap<OrgId, Policies>, StoreError> {
        let known = |org: &OrgId| self.recall(|seen| seen.policies.get(org).cloned());
        let (mut found, mut unknown) = (BTreeMap::new(), Vec::new());
        for org in orgs {
            match known(org) {
                Some(policies) => drop(found.insert(*org, policies)),
                None => unknown.push(*org),
            }
        }
        if unknown.is_empty() {
            return Ok(found);
        }
        let ids = || unknown.iter().map(|id| id.uuid());
        let rows = org_policy::Entity::find()
            .filter(org_policy::Column::OrgId.is_in(ids()))
            .all(&self.transaction)
            .await?;
        let mut networks: BTreeMap<(Uuid, i64), Vec<Network>> = BTreeMap::new();
        if rows.iter().any(|row| !row.all_networks) {
            let of_orgs =
                org_policy_network::Entity::find().filter(org_policy_network::Column::OrgId.is_in(ids()));
            for row in of_orgs.all(&self.transaction).await? {
                let columns = Columns { table: "org_policy_network", id: row.org_id };
                let of_policy = networks.entry((row.org_id, row.set_at)).or_default();
                of_policy.push(columns.text("network", &row.network)?);
            }
        }
        let mut policies: BTreeMap<OrgId, Vec<DatedPolicy>> = BTreeMap::new();
        for row in rows {
            let columns = Columns { table: "org_policy", id: row.org_id };
            let networks = networks.remove(&(row.org_id, row.set_at)).unwrap_or_default();
            policies.entry(OrgId::from_uuid(row.org_id)).or_default().push(DatedPolicy {
                set_at: columns.instant("set_at", row.set_at)?,
                takes_hold_at: columns.instant("takes_hold_at", row.takes_hold_at)?,
                policy: OrgPolicy {
                    longest_lifetime: columns.lifetime("longest_lifetime", row.longest_lifetime)?,
                    personal_tokens: row.personal_tokens,
                    networks: among(row.all_networks, networks)
                        .map_err(|_| columns.corrupt("all_networks"))?,
                    login_within: columns.lifetime("login_within", row.login_within)?,
                    suspend_on_reuse: row.suspend_on_reuse,
                    require_grants: row.require_grants,
                    no_all_org_tokens: row.no_all_org_tokens,
                },
            });
        }
        let mut read: BTreeMap<OrgId, Policies> =
            policies.into_iter().map(|(org, policies)| (org, Policies::new(policies))).collect();
        self.remember(|seen| {
            // An org without any is remembered, too.
            let each = unknown.iter().map(|org| (*org, read.get(org).cloned().unwrap_or_default()));
            seen.policies.extend(each);
        });
        found.append(&mut read);
        Ok(found)
    }
}

impl Write {
    /// Locks an org's members and policies against other changes until this one ends.
    pub async fn lock_org(&self, id: OrgId) -> Result<(), StoreError> {
        org::Entity::find_by_id(id.uuid()).lock_exclusive().one(&self.transaction).await?;
        Ok(())
    }

    /// Adds policies to an org, which must be locked, one after the other. Of those that apply, the last one
    /// is in force.
    pub async fn add_policies(&self, org: OrgId, policies: &[AnnouncedPolicy]) -> Result<(), StoreError> {
        let mut last = self.find_policies(org).await?.last_set_at();
        for AnnouncedPolicy { takes_hold_at, policy } in policies {
            // After the previous one, even if the clock stands still.
            let behind = last.and_then(|last| last.checked_add(Duration::from_micros(1)));
            let set_at = behind.map_or(self.now(), |behind| behind.max(self.now()));
            self.add_policy(org, set_at, *takes_hold_at, policy).await?;
            last = Some(set_at);
        }
        Ok(())
    }

    async fn add_policy(
        &self,
        org: OrgId,
        set_at: Timestamp,
        takes_hold_at: Timestamp,
        policy: &OrgPolicy,
    ) -> Result<(), StoreError> {
        let row = org_policy::ActiveModel {
            org_id: Set(org.uuid()),
            set_at: Set(set_at.micros()),
            takes_hold_at: Set(takes_hold_at.micros()),
            longest_lifetime: Set(lifetime_micros(policy.longest_lifetime)),
            personal_tokens: Set(policy.personal_tokens),
            all_networks: Set(policy.networks == Networks::All),
            login_within: Set(lifetime_micros(policy.login_within)),
            suspend_on_reuse: Set(policy.suspend_on_reuse),
            require_grants: Set(policy.require_grants),
            no_all_org_tokens: Set(policy.no_all_org_tokens),
        };
        org_policy::Entity::insert(row).exec_without_returning(&self.transaction).await?;
        if let Networks::Only(networks) = &policy.networks {
            let rows = networks.iter().map(|network| org_policy_network::ActiveModel {
                org_id: Set(org.uuid()),
                set_at: Set(set_at.micros()),
                network: Set(network.to_string()),
            });
            org_policy_network::Entity::insert_many(rows).exec_without_returning(&self.transaction).await?;
        }
        Ok(())
    }
}

#[expect(unreachable_pub, reason = "what the derive makes is public; the module is not")]
mod org_policy {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "org_policy")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub set_at: i64,
        pub takes_hold_at: i64,
        pub longest_lifetime: i64,
        pub personal_tokens: bool,
        pub all_networks: bool,
        pub login_within: i64,
        pub suspend_on_reuse: bool,
        pub require_grants: bool,
        pub no_all_org_tokens: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[expect(unreachable_pub, reason = "what the derive makes is public; the module is not")]
mod org_policy_network {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "org_policy_network")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub set_at: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub network: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
