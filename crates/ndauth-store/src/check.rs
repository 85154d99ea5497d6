//! Checks of rows against each other, for laws that the schema itself cannot enforce.

use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, Statement};

use crate::{Read, StoreError};

/// A row that breaks a law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The fault.
    pub what: &'static str,
    /// The id of the row.
    pub id: String,
}

/// One row per law: the fault, and a query for the rows that have it.
const LAWS: [(&str, &str); 21] = [
    ("a token has no secret", "FROM token WHERE NOT EXISTS (SELECT 1 FROM secret WHERE token_id = token.id)"),
    (
        "a session has no secret",
        "FROM session WHERE NOT EXISTS (SELECT 1 FROM secret WHERE session_id = session.id)",
    ),
    (
        "a service has no secret",
        "FROM service WHERE NOT EXISTS (SELECT 1 FROM secret WHERE service_id = service.id)",
    ),
    (
        "a token for all orgs lists some",
        "FROM token WHERE all_orgs AND EXISTS (SELECT 1 FROM token_org WHERE token_id = token.id)",
    ),
    (
        "a token for some orgs lists none",
        "FROM token WHERE NOT all_orgs AND NOT EXISTS (SELECT 1 FROM token_org WHERE token_id = token.id)",
    ),
    (
        "a token with all grants lists some",
        "FROM token WHERE all_grants AND EXISTS (SELECT 1 FROM token_grant WHERE token_id = token.id)",
    ),
    (
        "a token with some grants lists none",
        "FROM token WHERE NOT all_grants AND NOT EXISTS (SELECT 1 FROM token_grant WHERE token_id = token.id)",
    ),
    (
        "a token for all services lists some",
        "FROM token WHERE all_services AND EXISTS (SELECT 1 FROM token_service WHERE token_id = token.id)",
    ),
    (
        "a token for some services lists none",
        "FROM token WHERE NOT all_services \
         AND NOT EXISTS (SELECT 1 FROM token_service WHERE token_id = token.id)",
    ),
    (
        "a token for all networks lists some",
        "FROM token WHERE all_networks AND EXISTS (SELECT 1 FROM token_network WHERE token_id = token.id)",
    ),
    (
        "a token for some networks lists none",
        "FROM token WHERE NOT all_networks \
         AND NOT EXISTS (SELECT 1 FROM token_network WHERE token_id = token.id)",
    ),
    (
        "an org's token is not for that org alone",
        "FROM token WHERE org_id IS NOT NULL AND (all_orgs OR all_grants OR NOT EXISTS \
         (SELECT 1 FROM token_org WHERE token_id = token.id AND token_org.org_id = token.org_id) \
         OR (SELECT count(*) FROM token_org WHERE token_id = token.id) > 1)",
    ),
    (
        "an org's token lives for more than 365 days",
        "FROM token WHERE org_id IS NOT NULL AND lifetime > 31536000000000",
    ),
    (
        "a policy of the org differs from its list of networks",
        "FROM org WHERE EXISTS (SELECT 1 FROM org_policy WHERE org_policy.org_id = org.id AND all_networks = EXISTS \
         (SELECT 1 FROM org_policy_network WHERE org_policy_network.org_id = org.id \
         AND org_policy_network.set_at = org_policy.set_at))",
    ),
    (
        "a service for all orgs lists some",
        "FROM service WHERE all_orgs AND EXISTS (SELECT 1 FROM service_org WHERE service_id = service.id)",
    ),
    (
        "a service for some orgs lists none",
        "FROM service WHERE NOT all_orgs \
         AND NOT EXISTS (SELECT 1 FROM service_org WHERE service_id = service.id)",
    ),
    (
        "a secret's prefix does not fit what it belongs to",
        "FROM secret WHERE substr(prefix, 1, 6) <> CASE \
         WHEN session_id IS NOT NULL AND substr(prefix, 1, 6) = 'ndref_' THEN 'ndref_' \
         WHEN session_id IS NOT NULL THEN 'ndses_' WHEN service_id IS NOT NULL THEN 'ndsvc_' \
         WHEN (SELECT session_id FROM token WHERE token.id = token_id) IS NOT NULL THEN 'ndacc_' \
         WHEN (SELECT org_id FROM token WHERE token.id = token_id) IS NULL THEN 'ndpat_' ELSE 'ndorg_' END",
    ),
    (
        "a token has two secrets in force",
        "FROM token WHERE (SELECT count(*) FROM secret WHERE token_id = token.id \
         AND confirmed_at IS NOT NULL AND ends_at = 9223372036854775807) > 1",
    ),
    (
        "a service has two secrets in force",
        "FROM service WHERE (SELECT count(*) FROM secret WHERE service_id = service.id \
         AND confirmed_at IS NOT NULL AND ends_at = 9223372036854775807) > 1",
    ),
    ("a token was revoked before it was made", "FROM token WHERE revoked_at < created_at"),
    ("a token ends before it was made", "FROM token WHERE expires_at < created_at"),
];

impl Read {
    /// Returns every row that breaks a law.
    pub async fn faults(&self) -> Result<Vec<Fault>, StoreError> {
        let mut faults = Vec::new();
        for (what, from) in LAWS {
            let sql = format!("SELECT id {from} ORDER BY id");
            let query = Statement::from_string(self.transaction.get_database_backend(), sql);
            for row in self.transaction.query_all_raw(query).await? {
                let id: Uuid = row.try_get("", "id")?;
                faults.push(Fault { what, id: id.to_string() });
            }
        }
        Ok(faults)
    }
}
