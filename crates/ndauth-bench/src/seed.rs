//! Fills databases with many tokens, faster than creating one after the other.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context;
use ndauth_core::{AccountId, OrgId, Secret, SecretId, SecretKind, ServiceId, SessionId, Timestamp, TokenId};
use ndauth_store::testing::execute;
use ndauth_store::{Clock, DatabaseUrl, Engine, Store};
use rand::rngs::SysRng;

/// The content of a seeded database.
#[derive(Debug)]
pub struct Seeded {
    /// A secret for each token, and the slug of the org in which its owner is `RW`.
    pub tokens: Vec<(Secret, String)>,
    /// A service's secret.
    pub service: Secret,
    /// A session of the first account.
    pub session: Secret,
    /// The ids of that account and session.
    pub caller: SeededSession,
}

/// The session of an account that is logged in.
#[derive(Clone, Copy, Debug)]
pub struct SeededSession {
    /// The account's id.
    pub account: uuid::Uuid,
    /// The session's id.
    pub session: uuid::Uuid,
}

/// The number of tokens of each account.
const TOKENS_EACH: usize = 10;
const ORGS: usize = 100;
/// The microseconds between the creation of two tokens: ids are in the order of creation.
const APART: i64 = 100_000;
/// The number of rows in one statement.
const ROWS: usize = 500;
/// The number of bytes after which a transaction runs.
const SCRIPT: usize = 8 << 20;

/// Rows of one table, collected until they fill a statement.
struct RowBatch {
    into: &'static str,
    sql: String,
    count: usize,
}

impl RowBatch {
    fn new(into: &'static str) -> RowBatch {
        RowBatch { into, sql: String::new(), count: 0 }
    }

    fn add(&mut self, row: &str) {
        let head =
            if self.count == 0 { format!("INSERT INTO {} VALUES ", self.into) } else { ",".to_owned() };
        let _ = write!(self.sql, "{head}({row})");
        self.count += 1;
    }

    fn full(&self) -> bool {
        self.count >= ROWS
    }
}

/// Statements that run in one transaction.
struct Script<'a> {
    store: &'a Store,
    sql: String,
}

impl Script<'_> {
    async fn add(&mut self, rows: &mut RowBatch) {
        if rows.count > 0 {
            self.sql.push_str(&std::mem::take(&mut rows.sql));
            self.sql.push(';');
            rows.count = 0;
        }
        if self.sql.len() > SCRIPT {
            self.run().await;
        }
    }

    async fn run(&mut self) {
        execute(self.store, &format!("BEGIN;{}COMMIT", std::mem::take(&mut self.sql))).await;
    }
}

/// Fills an empty database with this number of tokens, a tenth as many accounts, orgs, and a service.
pub async fn seed(url: &DatabaseUrl, tokens: usize) -> anyhow::Result<Seeded> {
    let store = Store::create(url, Clock::Database).await?;
    store.migrate().await?;
    let now = store.moment().await?.now;
    let blob = |bytes: &[u8]| {
        let hex: String = bytes.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        if store.engine() == Engine::Sqlite { format!("X'{hex}'") } else { format!("'\\x{hex}'") }
    };
    let id = |id: uuid::Uuid| match store.engine() {
        Engine::Sqlite => blob(id.as_bytes()),
        Engine::Postgres => format!("'{id}'"),
    };
    let micros = now.micros();
    let lifetime = Duration::from_secs(90 * 24 * 60 * 60);
    let ends = now.checked_add(lifetime).context("an instant")?.micros();
    let secret_row = |secret: &Secret, family: uuid::Uuid, at: Timestamp| -> anyhow::Result<String> {
        let micros = at.micros();
        Ok(format!(
            "{}, {}, '{}', {}, {micros}, {micros}, {}",
            id(SecretId::new(at, &mut SysRng)?.uuid()),
            blob(secret.hash().bytes()),
            secret.prefix().as_str(),
            id(family),
            i64::MAX,
        ))
    };
    let mut script = Script { store: &store, sql: String::new() };
    let mut orgs = Vec::new();
    let mut rows = RowBatch::new("org (id, slug, created_at)");
    for number in 0..ORGS {
        let org = OrgId::new(now, &mut SysRng)?.uuid();
        rows.add(&format!("{}, 'org-{number}', {micros}", id(org)));
        orgs.push(org);
    }
    script.add(&mut rows).await;
    let mut accounts = RowBatch::new("account (id, handle, email, operator, created_at)");
    let mut members = RowBatch::new("membership (account_id, org_id, role, set_at)");
    let mut owners = Vec::new();
    for number in 0..(tokens / TOKENS_EACH).max(1) {
        let account = AccountId::new(now, &mut SysRng)?.uuid();
        accounts.add(&format!("{}, 'u{number}', 'u{number}@example.org', FALSE, {micros}", id(account)));
        members.add(&format!("{}, {}, 'RW', {micros}", id(account), id(orgs[number % ORGS])));
        owners.push(account);
        if accounts.full() {
            script.add(&mut accounts).await;
            script.add(&mut members).await;
        }
    }
    script.add(&mut accounts).await;
    script.add(&mut members).await;

    let mut made = Vec::with_capacity(tokens);
    let mut of_tokens = RowBatch::new(
        "token (id, account_id, name, live_name, scope, all_orgs, all_grants, all_services, all_networks, \
         created_at, lifetime, expires_at)",
    );
    let mut secrets = RowBatch::new("secret (id, hash, prefix, token_id, minted_at, confirmed_at, ends_at)");
    for number in 0..tokens {
        let owner = number % owners.len();
        let at = Timestamp::from_micros(micros - APART * i64::try_from(tokens - number)?)?;
        let ends = at.checked_add(lifetime).context("an instant")?.micros();
        let token = TokenId::new(at, &mut SysRng)?.uuid();
        let secret = Secret::mint(SecretKind::Personal, &mut SysRng)?;
        of_tokens.add(&format!(
            "{}, {}, 't{number}', 't{number}', 'RW', TRUE, TRUE, TRUE, TRUE, {}, {}, {ends}",
            id(token),
            id(owners[owner]),
            at.micros(),
            lifetime.as_micros(),
        ));
        secrets.add(&secret_row(&secret, token, at)?);
        if of_tokens.full() {
            script.add(&mut of_tokens).await;
            script.add(&mut secrets).await;
        }
        made.push((secret, format!("org-{}", owner % ORGS)));
    }
    script.add(&mut of_tokens).await;
    script.add(&mut secrets).await;

    let service = Secret::mint(SecretKind::Service, &mut SysRng)?;
    let family = ServiceId::new(now, &mut SysRng)?.uuid();
    let mut rows = RowBatch::new("service (id, name, live_name, all_orgs, states_address, created_at)");
    rows.add(&format!("{}, 'registry', 'registry', TRUE, FALSE, {micros}", id(family)));
    script.add(&mut rows).await;
    let mut rows = RowBatch::new("secret (id, hash, prefix, service_id, minted_at, confirmed_at, ends_at)");
    rows.add(&secret_row(&service, family, now)?);
    script.add(&mut rows).await;
    let session = Secret::mint(SecretKind::Session, &mut SysRng)?;
    let family = SessionId::new(now, &mut SysRng)?.uuid();
    let mut rows = RowBatch::new("session (id, account_id, created_at, expires_at)");
    rows.add(&format!("{}, {}, {micros}, {ends}", id(family), id(owners[0])));
    script.add(&mut rows).await;
    let mut rows = RowBatch::new("secret (id, hash, prefix, session_id, minted_at, confirmed_at, ends_at)");
    rows.add(&secret_row(&session, family, now)?);
    script.add(&mut rows).await;
    script.run().await;
    if store.engine() == Engine::Postgres {
        execute(&store, "ANALYZE").await;
    }
    store.close().await?;
    let caller = SeededSession { account: owners[0], session: family };
    Ok(Seeded { tokens: made, service, session, caller })
}
