//! The restrictions of tokens: their orgs, grants, services and networks, and their suspensions.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use ndauth_core::{Actions, Grant, Label, Network, OrgId, OrgSlug, ServiceId, Suspension};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement, SimpleExpr, UnionType};
use sea_orm::{ColumnTrait, ConnectionTrait, FromQueryResult, Statement, StatementBuilder};

use crate::columns::{Columns, Ids};
use crate::orgs::org;
use crate::services::service;
use crate::suspensions::{suspension, suspension_of};
use crate::{Read, StoreError};

/// The restrictions of one token.
#[derive(Default)]
pub(crate) struct Restrictions {
    pub(crate) orgs: Vec<OrgId>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) services: Vec<ServiceId>,
    pub(crate) networks: Vec<Network>,
    pub(crate) suspensions: Vec<Suspension>,
}

/// The kinds of restrictions that some of the tokens have. Suspensions are always read.
#[derive(Clone, Copy)]
pub(crate) struct Parts {
    pub(crate) orgs: bool,
    pub(crate) grants: bool,
    pub(crate) services: bool,
    pub(crate) networks: bool,
}

/// One row of the statement that reads them all. The meaning of the columns depends on the kind.
#[derive(FromQueryResult)]
struct PartRow {
    kind: i32,
    token_id: Uuid,
    id: Uuid,
    a: String,
    b: String,
    c: String,
    micros: i64,
}

const SUSPENSION: i32 = 0;
const ORG: i32 = 1;
const GRANT: i32 = 2;
const SERVICE: i32 = 3;
const NETWORK: i32 = 4;

/// The action of a grant that permits every action.
pub(crate) const ANY_ACTION: &str = "*";

impl Read {
    /// Returns the restrictions of tokens, by token, in one statement. The ids of the tokens lie between two.
    pub(crate) async fn restrictions(
        &self,
        ids: &Ids,
        (first, last): (Uuid, Uuid),
        parts: Parts,
    ) -> Result<HashMap<Uuid, Restrictions>, StoreError> {
        let backend = self.transaction.get_database_backend();
        let statement: Statement = StatementBuilder::build(&part_query(ids, (first, last), parts), &backend);
        let rows = self.transaction.query_all_raw(statement).await?;
        let mut restrictions: HashMap<Uuid, Restrictions> = HashMap::new();
        // Many tokens name few orgs and services.
        let (mut orgs, mut services) = (BTreeMap::new(), BTreeMap::new());
        for row in rows {
            let row = PartRow::from_query_result(&row, "")?;
            let of_token = restrictions.entry(row.token_id).or_default();
            match row.kind {
                SUSPENSION => of_token.suspensions.push(suspension_of(row.token_id, &row.a, row.micros)?),
                ORG => {
                    let id = OrgId::from_uuid(row.id);
                    if let Entry::Vacant(unknown) = orgs.entry(id) {
                        let columns = Columns { table: "org", id: row.id };
                        let slug: OrgSlug = columns.text("slug", &row.a)?;
                        unknown.insert((slug, columns.instant("not_before", row.micros)?));
                    }
                    of_token.orgs.push(id);
                }
                GRANT => of_token.grants.push(grant_from_row(&row)?),
                SERVICE => {
                    let id = ServiceId::from_uuid(row.id);
                    if let Entry::Vacant(unknown) = services.entry(id) {
                        let columns = Columns { table: "service", id: row.id };
                        unknown.insert(columns.text::<Label>("name", &row.a)?);
                    }
                    of_token.services.push(id);
                }
                NETWORK => {
                    let columns = Columns { table: "token_network", id: row.token_id };
                    of_token.networks.push(columns.text("network", &row.a)?);
                }
                _ => return Err(StoreError::corrupt("token", "kind", row.token_id)),
            }
        }
        self.remember(|seen| {
            seen.org_names.extend(orgs);
            seen.service_names.extend(services);
        });
        for of_token in restrictions.values_mut() {
            of_token.suspensions.sort_unstable_by_key(|suspension| suspension.level);
        }
        Ok(restrictions)
    }
}

/// Returns the statement: a part for each kind, the suspensions first, whose columns give the types of all.
fn part_query(ids: &Ids, (first, last): (Uuid, Uuid), parts: Parts) -> SelectStatement {
    // There are few suspensions, so a range of ids is quicker than naming them.
    let mut query = part(
        SUSPENSION,
        suspension::Column::TokenId,
        suspension::Column::TokenId,
        [
            suspension::Column::Level.into_expr(),
            suspension::Column::Level.into_expr(),
            suspension::Column::Level.into_expr(),
        ],
    );
    query
        .expr_as(suspension::Column::Since.into_expr(), Alias::new("micros"))
        .from(suspension::Entity)
        .and_where(suspension::Column::TokenId.between(first, last));
    let nothing = || Expr::cust("''");
    if parts.orgs {
        let mut orgs = part(
            ORG,
            token_org::Column::TokenId,
            token_org::Column::OrgId,
            [org::Column::Slug.into_expr(), nothing(), nothing()],
        );
        orgs.expr_as(org::Column::NotBefore.into_expr(), Alias::new("micros"))
            .from(token_org::Entity)
            .inner_join(org::Entity, org::Column::Id.into_expr().eq(token_org::Column::OrgId.into_expr()))
            .and_where(ids.hold(token_org::Column::TokenId));
        query.union(UnionType::All, orgs);
    }
    if parts.grants {
        let mut grants = part(
            GRANT,
            token_grant::Column::TokenId,
            token_grant::Column::TokenId,
            [
                token_grant::Column::ResourceType.into_expr(),
                token_grant::Column::ResourceId.into_expr(),
                token_grant::Column::Action.into_expr(),
            ],
        );
        grants
            .expr_as(Expr::cust("0"), Alias::new("micros"))
            .from(token_grant::Entity)
            .and_where(ids.hold(token_grant::Column::TokenId));
        query.union(UnionType::All, grants);
    }
    if parts.services {
        let mut services = part(
            SERVICE,
            token_service::Column::TokenId,
            token_service::Column::ServiceId,
            [service::Column::Name.into_expr(), nothing(), nothing()],
        );
        let same = service::Column::Id.into_expr().eq(token_service::Column::ServiceId.into_expr());
        services
            .expr_as(Expr::cust("0"), Alias::new("micros"))
            .from(token_service::Entity)
            .inner_join(service::Entity, same)
            .and_where(ids.hold(token_service::Column::TokenId));
        query.union(UnionType::All, services);
    }
    if parts.networks {
        let mut networks = part(
            NETWORK,
            token_network::Column::TokenId,
            token_network::Column::TokenId,
            [token_network::Column::Network.into_expr(), nothing(), nothing()],
        );
        networks
            .expr_as(Expr::cust("0"), Alias::new("micros"))
            .from(token_network::Entity)
            .and_where(ids.hold(token_network::Column::TokenId));
        query.union(UnionType::All, networks);
    }
    query
}

/// Begins the part of a kind.
fn part(
    kind: i32,
    token: impl ColumnTrait,
    id: impl ColumnTrait,
    [a, b, c]: [SimpleExpr; 3],
) -> SelectStatement {
    let mut query = Query::select();
    query
        .expr_as(Expr::cust(kind.to_string()), Alias::new("kind"))
        .expr_as(token.into_expr(), Alias::new("token_id"))
        .expr_as(id.into_expr(), Alias::new("id"))
        .expr_as(a, Alias::new("a"))
        .expr_as(b, Alias::new("b"))
        .expr_as(c, Alias::new("c"));
    query
}

fn grant_from_row(row: &PartRow) -> Result<Grant, StoreError> {
    let columns = Columns { table: "token_grant", id: row.token_id };
    Ok(Grant {
        resource_type: columns.text("resource_type", &row.a)?,
        resource_ids: columns.text("resource_id", &row.b)?,
        actions: match row.c.as_str() {
            ANY_ACTION => Actions::Any,
            action => Actions::Only([columns.text("action", action)?].into()),
        },
    })
}

#[expect(unreachable_pub, reason = "what the derive makes is public; the module is not")]
pub(crate) mod token_org {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "token_org")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
#[expect(unreachable_pub, reason = "what the derive makes is public; the module is not")]
pub(crate) mod token_grant {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "token_grant")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub resource_type: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub resource_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub action: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
#[expect(unreachable_pub, reason = "what the derive makes is public; the module is not")]
pub(crate) mod token_service {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "token_service")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub service_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
#[expect(unreachable_pub, reason = "what the derive makes is public; the module is not")]
pub(crate) mod token_network {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "token_network")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub network: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
