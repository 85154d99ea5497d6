//! The rows that the tests insert.

use ndauth_core::{
    Account, AccountId, Actor, Change, Entry, Event, Expiry, Grants, Lifetime, Networks, Org, OrgId, Orgs,
    Owner, Personal, Role, Scope, Secret, SecretHash, SecretId, SecretKind, SecretRecord, Services,
    Timestamp, Token, TokenId,
};
use ndauth_store::testing::Scratch;
use ndauth_store::{Clock, Family, ManualClock, Store, Write};
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

/// Returns an instant this many microseconds after the beginning of the tests.
pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000 + micros).expect("an instant")
}

/// Returns a store whose clock stands at `at(0)`, the clock, and a generator with a fixed seed.
pub(crate) async fn open(scratch: &Scratch) -> (Store, ManualClock, ChaCha20Rng) {
    let clock = ManualClock::at(at(0));
    let store = scratch.store(Clock::Manual(clock.clone())).await;
    (store, clock, ChaCha20Rng::seed_from_u64(7))
}

pub(crate) fn id<T>(drawn: Result<T, std::convert::Infallible>) -> T {
    let Ok(id) = drawn;
    id
}

pub(crate) fn event(rng: &mut ChaCha20Rng, change: Change) -> Event {
    let entry = Entry { at: at(0), actor: Actor::Console, change };
    let Ok(event) = Event::new(&entry, &Personal::from([("name", "x".to_owned())]), rng);
    event
}

/// Returns any event, for tests that are about rows.
pub(crate) fn any_event(rng: &mut ChaCha20Rng) -> Event {
    let account = id(AccountId::new(at(0), rng));
    event(rng, Change::AccountCreated { account, operator: false })
}

pub(crate) fn account(rng: &mut ChaCha20Rng, handle: &str) -> Account {
    Account {
        id: id(AccountId::new(at(0), rng)),
        handle: handle.parse().expect("a handle"),
        email: format!("{handle}@example.org").parse().expect("an address"),
        name: Some("Ada Løvelace 🚀".parse().expect("a name")),
        operator: false,
        created_at: at(0),
        last_login_at: None,
        disabled_at: None,
        not_before: Timestamp::MIN,
    }
}

pub(crate) fn org(rng: &mut ChaCha20Rng, slug: &str) -> Org {
    Org {
        id: id(OrgId::new(at(0), rng)),
        slug: slug.parse().expect("a slug"),
        name: None,
        created_at: at(0),
        deleted_at: None,
        not_before: Timestamp::MIN,
        frozen_at: None,
    }
}

pub(crate) fn token(rng: &mut ChaCha20Rng, owner: &Account, name: &str) -> Token {
    Token {
        id: id(TokenId::new(at(0), rng)),
        owner: Owner::Account(owner.id),
        name: name.parse().expect("a name"),
        description: None,
        scope: Scope::Rw,
        grants: Grants::All,
        orgs: Orgs::All,
        services: Services::All,
        networks: Networks::All,
        created_at: at(0),
        lifetime: Lifetime::Endless,
        expires_at: Expiry::Never,
        revoked_at: None,
        self_rotating_until: None,
        suspensions: [].into(),
    }
}

/// Returns a first secret and its hash.
pub(crate) fn secret(rng: &mut ChaCha20Rng) -> (SecretRecord, SecretHash) {
    let secret = id(Secret::mint(SecretKind::Personal, rng));
    (SecretRecord::first(id(SecretId::new(at(0), rng)), secret.prefix(), at(0)), secret.hash())
}

pub(crate) async fn add_token(write: &Write, rng: &mut ChaCha20Rng, token: &Token) -> SecretHash {
    write.insert_token(token).await.expect("inserted").expect("the name is free");
    let (record, hash) = secret(rng);
    write.insert_secret(Family::Token(token.id), &record, &hash, None).await.expect("inserted");
    hash
}

/// Adds an account that is an `RW` member of an org, and commits both.
pub(crate) async fn member(store: &Store, rng: &mut ChaCha20Rng) -> (Account, Org) {
    let (account, org) = (account(rng, "ada"), org(rng, "ops"));
    let write = store.write("test").await.expect("a change begins");
    write.insert_account(&account).await.expect("inserted").expect("free");
    write.insert_org(&org).await.expect("inserted").expect("free");
    write.set_role(account.id, org.id, Role::Rw).await.expect("set");
    write.commit(&any_event(rng)).await.expect("committed");
    (account, org)
}
