//! Orgs and their members.

use std::collections::{BTreeMap, BTreeSet};

use ndauth_core::{
    Account, AccountId, Handle, Membership, OfferId, Org, OrgId, OrgSlug, Orgs, Role, Timestamp,
};
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select, Statement, StatementBuilder,
};

use crate::accounts::account;
use crate::columns::{Columns, with_prefix};
use crate::error::unless_taken;
use crate::{Read, StoreError, Taken, Write};

/// A present member of an org.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The org.
    pub org: OrgId,
    /// The account.
    pub account: AccountId,
    /// The role.
    pub role: Role,
    /// The instant at which the account was given that role.
    pub set_at: Timestamp,
}

/// A page of an org's members, by handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberPage {
    /// The handle after which the page begins.
    pub after: Option<Handle>,
    /// The maximum number of members.
    pub limit: u64,
}

impl TryFrom<org::Model> for Org {
    type Error = StoreError;

    fn try_from(row: org::Model) -> Result<Org, StoreError> {
        let columns = Columns { table: "org", id: row.id };
        Ok(Org {
            id: OrgId::from_uuid(row.id),
            slug: columns.text("slug", &row.slug)?,
            name: columns.text_or_null("name", row.name.as_deref())?,
            created_at: columns.instant("created_at", row.created_at)?,
            deleted_at: columns.instant_or_null("deleted_at", row.deleted_at)?,
            not_before: columns.instant("not_before", row.not_before)?,
            frozen_at: columns.instant_or_null("frozen_at", row.frozen_at)?,
        })
    }
}

impl TryFrom<membership::Model> for Member {
    type Error = StoreError;

    fn try_from(row: membership::Model) -> Result<Member, StoreError> {
        let columns = Columns { table: "membership", id: row.account_id };
        Ok(Member {
            org: OrgId::from_uuid(row.org_id),
            account: AccountId::from_uuid(row.account_id),
            role: role(&row)?,
            set_at: columns.instant("set_at", row.set_at)?,
        })
    }
}

fn role(row: &membership::Model) -> Result<Role, StoreError> {
    let id = format!("{} in {}", row.account_id, row.org_id);
    Columns { table: "membership", id }.text("role", &row.role)
}

impl Read {
    /// Returns the org with this id, deleted or not.
    pub async fn find_org(&self, id: OrgId) -> Result<Option<Org>, StoreError> {
        Ok(self.orgs_by_id([id]).await?.remove(&id))
    }

    /// Returns the org with this slug, deleted or not: no slug is ever reused.
    pub async fn find_org_by_slug(&self, slug: &OrgSlug) -> Result<Option<Org>, StoreError> {
        let known = self.recall(|seen| seen.orgs.values().find(|org| org.slug == *slug).cloned());
        if known.is_some() {
            return Ok(known);
        }
        let row =
            org::Entity::find().filter(org::Column::Slug.eq(slug.as_str())).one(&self.transaction).await?;
        let org = row.map(Org::try_from).transpose()?;
        if let Some(org) = &org {
            self.remember(|seen| {
                seen.orgs.insert(org.id, org.clone());
            });
        }
        Ok(org)
    }

    /// Returns the org with this slug, deleted or not, and an account's role in it, by one statement whether the org
    /// exists or not, so that timing does not reveal it.
    pub async fn find_org_and_role(
        &self,
        account: AccountId,
        slug: &OrgSlug,
    ) -> Result<(Option<Org>, Option<Role>), StoreError> {
        let known = self.recall(|seen| {
            let org = seen.orgs.values().find(|org| org.slug == *slug)?;
            Some((org.clone(), *seen.roles.get(&(account, org.id))?))
        });
        if let Some((org, role)) = known {
            return Ok((Some(org), role));
        }
        let mut query = org::Entity::find().select_only();
        query = with_prefix::<_, org::Entity>(query, "org_");
        query = with_prefix::<_, membership::Entity>(query, "membership_");
        let here = membership::Column::OrgId.into_expr().eq(org::Column::Id.into_expr());
        let theirs = membership::Column::AccountId.eq(account.uuid());
        let present = membership::Column::RemovedAt.is_null();
        let mut select = query.filter(org::Column::Slug.eq(slug.as_str())).into_query();
        select.left_join(membership::Entity, here.and(theirs).and(present));
        let backend = self.transaction.get_database_backend();
        let statement: Statement = StatementBuilder::build(&select, &backend);
        let Some(row) = self.transaction.query_one_raw(statement).await? else { return Ok((None, None)) };
        let org = Org::try_from(org::Model::from_query_result(&row, "org_")?)?;
        let role = membership::Model::from_query_result_optional(&row, "membership_")?
            .as_ref()
            .map(role)
            .transpose()?;
        self.remember(|seen| {
            seen.orgs.insert(org.id, org.clone());
            seen.roles.insert((account, org.id), role);
        });
        Ok((Some(org), role))
    }

    /// Returns the slugs of these orgs, deleted or not, and the instants before which their secrets are revoked.
    pub(crate) async fn org_names(
        &self,
        ids: impl IntoIterator<Item = OrgId>,
    ) -> Result<BTreeMap<OrgId, (OrgSlug, Timestamp)>, StoreError> {
        let (mut names, mut unknown) = (BTreeMap::new(), Vec::new());
        for id in ids {
            match self.recall(|seen| seen.org_names.get(&id).cloned()) {
                Some(name) => drop(names.insert(id, name)),
                None => unknown.push(id),
            }
        }
        let orgs = self.orgs_by_id(unknown).await?;
        names.extend(orgs.into_iter().map(|(id, org)| (id, (org.slug, org.not_before))));
        Ok(names)
    }

    /// Returns the account with this handle and its role in an org, if it is a member now. One statement
    /// decides this, so that timing does not reveal whether an account with the handle exists.
    pub async fn find_member(
        &self,
        org: OrgId,
        handle: &Handle,
    ) -> Result<Option<(Account, Member)>, StoreError> {
        let named = membership::Entity::find()
            .filter(membership::Column::OrgId.eq(org.uuid()))
            .filter(membership::Column::AccountId.in_subquery(with_handle(handle)));
        let Some(member) = self.members(named).await?.pop() else { return Ok(None) };
        let columns = Columns { table: "membership", id: member.account };
        let account =
            self.find_account(member.account).await?.ok_or_else(|| columns.corrupt("account_id"))?;
        Ok(Some((account, member)))
    }

    /// Returns true if an account is or ever was a member of an org.
    pub async fn was_member(&self, account: AccountId, org: OrgId) -> Result<bool, StoreError> {
        if self.recall(|seen| seen.roles.get(&(account, org)).copied().flatten()).is_some() {
            return Ok(true);
        }
        let row = membership::Entity::find_by_id((account.uuid(), org.uuid()));
        Ok(row.one(&self.transaction).await?.is_some())
    }

    /// Returns the orgs of which an account is a member now, with its role in each, by slug. Deleted orgs are
    /// left out.
    pub async fn list_memberships(&self, account: AccountId) -> Result<Vec<Membership>, StoreError> {
        let mut query = membership::Entity::find().select_only();
        query = with_prefix::<_, membership::Entity>(query, "membership_");
        query = with_prefix::<_, org::Entity>(query, "org_");
        let of_org =
            membership::Entity::belongs_to(org::Entity).from(membership::Column::OrgId).to(org::Column::Id);
        let query = query
            .join(JoinType::InnerJoin, of_org.into())
            .filter(membership::Column::AccountId.eq(account.uuid()))
            .filter(membership::Column::RemovedAt.is_null())
            .filter(org::Column::DeletedAt.is_null());
        let statement = query.build(self.transaction.get_database_backend());
        let mut memberships = Vec::new();
        for row in self.transaction.query_all_raw(statement).await? {
            let org = Org::try_from(org::Model::from_query_result(&row, "org_")?)?;
            let role = role(&membership::Model::from_query_result(&row, "membership_")?)?;
            self.remember(|seen| {
                seen.orgs.insert(org.id, org.clone());
                seen.roles.insert((account, org.id), Some(role));
            });
            memberships.push(Membership { org, role });
        }
        memberships.sort_by(|a, b| a.org.slug.cmp(&b.org.slug));
        Ok(memberships)
    }

    /// Returns every org, deleted or not, by slug.
    pub async fn list_orgs(&self) -> Result<Vec<Org>, StoreError> {
        let rows = org::Entity::find().order_by_asc(org::Column::Slug).all(&self.transaction).await?;
        rows.into_iter().map(Org::try_from).collect()
    }

    /// Returns up to `limit` orgs, by slug, after the one with a slug; without the deleted ones unless they are
    /// included.
    pub async fn list_orgs_page(
        &self,
        include_deleted: bool,
        after: Option<&OrgSlug>,
        limit: u64,
    ) -> Result<Vec<Org>, StoreError> {
        let mut page = org::Entity::find().order_by_asc(org::Column::Slug).limit(limit);
        if !include_deleted {
            page = page.filter(org::Column::DeletedAt.is_null());
        }
        if let Some(after) = after {
            page = page.filter(org::Column::Slug.gt(after.as_str()));
        }
        page.all(&self.transaction).await?.into_iter().map(Org::try_from).collect()
    }

    /// Returns the number of present members of each of these orgs that has any.
    pub async fn count_members(
        &self,
        orgs: impl IntoIterator<Item = OrgId>,
    ) -> Result<BTreeMap<OrgId, u64>, StoreError> {
        let counted = membership::Entity::find()
            .select_only()
            .column(membership::Column::OrgId)
            .column_as(membership::Column::AccountId.count(), "members")
            .filter(membership::Column::OrgId.is_in(orgs.into_iter().map(OrgId::uuid)))
            .filter(membership::Column::RemovedAt.is_null())
            .group_by(membership::Column::OrgId);
        let counts: Vec<(Uuid, i64)> = counted.into_tuple().all(&self.transaction).await?;
        let count = |(id, count)| (OrgId::from_uuid(id), u64::try_from(count).unwrap_or_default());
        Ok(counts.into_iter().map(count).collect())
    }

    /// Returns those of these accounts that are or were members of some org.
    pub async fn accounts_with_roles(
        &self,
        accounts: impl IntoIterator<Item = AccountId>,
    ) -> Result<BTreeSet<AccountId>, StoreError> {
        let members = membership::Entity::find()
            .select_only()
            .column(membership::Column::AccountId)
            .distinct()
            .filter(membership::Column::AccountId.is_in(accounts.into_iter().map(AccountId::uuid)));
        let found: Vec<Uuid> = members.into_tuple().all(&self.transaction).await?;
        Ok(found.into_iter().map(AccountId::from_uuid).collect())
    }

    /// Returns the present members of all orgs.
    pub async fn list_every_member(&self) -> Result<Vec<Member>, StoreError> {
        self.members(membership::Entity::find()).await
    }

    /// Returns the present members of an org.
    pub async fn list_members(&self, org: OrgId) -> Result<Vec<Member>, StoreError> {
        self.members(membership::Entity::find().filter(membership::Column::OrgId.eq(org.uuid()))).await
    }

    pub(crate) async fn members(&self, query: Select<membership::Entity>) -> Result<Vec<Member>, StoreError> {
        let rows = query.filter(membership::Column::RemovedAt.is_null()).all(&self.transaction).await?;
        rows.into_iter().map(Member::try_from).collect()
    }

    /// Returns a page of the present members of an org, with their accounts, by handle. It takes one statement.
    pub async fn list_members_page(
        &self,
        org: OrgId,
        page: &MemberPage,
    ) -> Result<Vec<(Account, Member)>, StoreError> {
        let mut query = account::Entity::find().select_only();
        query = with_prefix::<_, account::Entity>(query, "account_");
        query = with_prefix::<_, membership::Entity>(query, "membership_");
        let of_account = account::Entity::belongs_to(membership::Entity)
            .from(account::Column::Id)
            .to(membership::Column::AccountId);
        query = query
            .join(JoinType::InnerJoin, of_account.into())
            .filter(membership::Column::OrgId.eq(org.uuid()))
            .filter(membership::Column::RemovedAt.is_null())
            .order_by_asc(account::Column::Handle)
            .limit(page.limit);
        if let Some(after) = &page.after {
            query = query.filter(account::Column::Handle.gt(after.as_str()));
        }
        let statement = query.build(self.transaction.get_database_backend());
        let mut members = Vec::new();
        for row in self.transaction.query_all_raw(statement).await? {
            let account = account::Model::from_query_result(&row, "account_")?;
            let member = membership::Model::from_query_result(&row, "membership_")?;
            members.push((Account::try_from(account)?, Member::try_from(member)?));
        }
        Ok(members)
    }

    /// Returns the slugs of these orgs.
    pub async fn name_orgs(&self, orgs: &Orgs) -> Result<Orgs<OrgSlug>, StoreError> {
        match orgs {
            Orgs::All => Ok(Orgs::All),
            Orgs::Only(ids) => {
                let orgs = self.org_names(ids.iter().copied()).await?;
                Ok(Orgs::Only(orgs.into_values().map(|(slug, _)| slug).collect()))
            }
        }
    }

    /// Returns these orgs, deleted or not.
    pub async fn orgs_by_id(
        &self,
        ids: impl IntoIterator<Item = OrgId>,
    ) -> Result<BTreeMap<OrgId, Org>, StoreError> {
        let (mut orgs, mut unknown) = (BTreeMap::new(), Vec::new());
        for id in ids {
            match self.recall(|seen| seen.orgs.get(&id).cloned()) {
                Some(org) => drop(orgs.insert(id, org)),
                None => unknown.push(id.uuid()),
            }
        }
        if unknown.is_empty() {
            return Ok(orgs);
        }
        let rows = org::Entity::find().filter(org::Column::Id.is_in(unknown)).all(&self.transaction).await?;
        for row in rows {
            let org = Org::try_from(row)?;
            self.remember(|seen| {
                seen.orgs.insert(org.id, org.clone());
            });
            orgs.insert(org.id, org);
        }
        Ok(orgs)
    }
}

impl Write {
    /// Adds an org, unless its slug is taken or ever was.
    pub async fn insert_org(&self, org: &Org) -> Result<Result<(), Taken>, StoreError> {
        let row = org::ActiveModel {
            id: Set(org.id.uuid()),
            slug: Set(org.slug.to_string()),
            name: Set(org.name.as_ref().map(ToString::to_string)),
            created_at: Set(org.created_at.micros()),
            deleted_at: Set(org.deleted_at.map(Timestamp::micros)),
            not_before: Set(org.not_before.micros()),
            frozen_at: Set(org.frozen_at.map(Timestamp::micros)),
        };
        unless_taken(org::Entity::insert(row).exec_without_returning(&self.transaction).await)
    }

    /// Marks an org as deleted, which ends its offers. Its row stays, and so does its slug.
    pub async fn delete_org(&self, id: OrgId) -> Result<(), StoreError> {
        org::Entity::update_many()
            .col_expr(org::Column::DeletedAt, Expr::value(self.now().micros()))
            .filter(org::Column::Id.eq(id.uuid()))
            .exec(&self.transaction)
            .await?;
        self.end_offers_of(id).await
    }

    /// Revokes, in an org, every secret that was minted before an instant. An earlier instant changes
    /// nothing.
    pub async fn set_org_not_before(&self, id: OrgId, not_before: Timestamp) -> Result<(), StoreError> {
        org::Entity::update_many()
            .col_expr(org::Column::NotBefore, Expr::value(not_before.micros()))
            .filter(org::Column::Id.eq(id.uuid()))
            .filter(org::Column::NotBefore.lt(not_before.micros()))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Marks an org as frozen since an instant, or as not frozen.
    pub async fn set_frozen(&self, id: OrgId, since: Option<Timestamp>) -> Result<(), StoreError> {
        org::Entity::update_many()
            .col_expr(org::Column::FrozenAt, Expr::value(since.map(Timestamp::micros)))
            .filter(org::Column::Id.eq(id.uuid()))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Gives an account a role in an org. This ends the org's offer to the account, which is returned if it
    /// was open, and the offers that the account made there, if it is no longer an admin.
    pub async fn set_role(
        &self,
        account: AccountId,
        org: OrgId,
        role: Role,
    ) -> Result<Option<OfferId>, StoreError> {
        let row = membership::ActiveModel {
            account_id: Set(account.uuid()),
            org_id: Set(org.uuid()),
            role: Set(role.to_string()),
            set_at: Set(self.now().micros()),
            removed_at: Set(None),
        };
        let replaced = [membership::Column::Role, membership::Column::SetAt, membership::Column::RemovedAt];
        membership::Entity::insert(row)
            .on_conflict(
                OnConflict::columns([membership::Column::AccountId, membership::Column::OrgId])
                    .update_columns(replaced)
                    .to_owned(),
            )
            .exec_without_returning(&self.transaction)
            .await?;
        if role != Role::Admin {
            self.end_offers_by_in(account, org).await?;
        }
        self.end_offer_to(account, org).await
    }

    /// Removes an account from an org, which ends the offers that it made there.
    pub async fn remove_member(&self, account: AccountId, org: OrgId) -> Result<(), StoreError> {
        membership::Entity::update_many()
            .col_expr(membership::Column::RemovedAt, Expr::value(self.now().micros()))
            .filter(membership::Column::AccountId.eq(account.uuid()))
            .filter(membership::Column::OrgId.eq(org.uuid()))
            .exec(&self.transaction)
            .await?;
        self.end_offers_by_in(account, org).await
    }
}

/// Returns a query for the id of the account with a handle.
fn with_handle(handle: &Handle) -> SelectStatement {
    let mut query = Query::select();
    query
        .column(account::Column::Id)
        .from(account::Entity)
        .and_where(account::Column::Handle.eq(handle.as_str()));
    query
}

pub(crate) mod org {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "org")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub slug: String,
        pub name: Option<String>,
        pub created_at: i64,
        pub deleted_at: Option<i64>,
        pub not_before: i64,
        pub frozen_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod membership {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "membership")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub account_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        pub role: String,
        pub set_at: i64,
        pub removed_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
