//! The mirror under load.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};

use ndauth_authority::limits::MIRROR_WAITS;
use ndauth_authority::{Authority, AuthorityError, Clock, Credential, Engine, Question};
use ndauth_core::{
    AccountId, Actor, Change, Entry, Event, Owner, Personal, Reason, Requirement, RevocationReason, Secret,
    SecretKind, TokenId,
};
use ndauth_store::{Store, StoredEvent};
use rand::rngs::SysRng;

use crate::world::{MINE, World, at, named, new_token};

/// A server that would not start for lack of memory is announced, unless a running one may have taken it.
#[tokio::test]
async fn a_preflight_knows_that_there_is_too_little_memory() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let world = World::new(engine).await;
        world.create(&new_token("ci")).await;
        let preflight = async |memory| Authority::preflight(&world.scratch.url, None, memory).await;
        let found = preflight(Some(1)).await;
        assert!(matches!(found, Err(AuthorityError::MirrorTooLarge { tokens: 1, free: 1, .. })), "{found:?}");
        assert!(preflight(Some(1_000_000)).await.expect("enough").running.is_none());
        let lock = Authority::lock(&world.scratch.url).expect("locked");
        let found = preflight(Some(1)).await;
        assert_eq!(found.is_ok_and(|found| found.running.is_some()), engine == Engine::Sqlite);
        drop(lock);
    }
}

/// The number of events that are written while the mirror loads.
const EVENTS: usize = 100_000;

fn revoked(token: TokenId) -> Change {
    let owner = Owner::Account(AccountId::new(at(0), &mut SysRng).expect("drawn"));
    Change::TokenRevoked { token, owner, reason: RevocationReason::NoLongerNeeded, presented: None }
}

/// Appends events that concern unknown tokens, and one that concerns a known one.
async fn append_many_events(store: &Store, token: TokenId) {
    let personal = Personal::new();
    for _ in 0..EVENTS / 1000 {
        let mut write = store.write("much").await.expect("begun");
        let mut head = write.lock_head().await.expect("locked");
        for _ in 0..999 {
            let token = TokenId::new(at(0), &mut SysRng).expect("drawn");
            let entry = Entry { at: at(0), actor: Actor::Console, change: revoked(token) };
            let event = Event::new(&entry, &personal, &mut SysRng).expect("written");
            head = write.append(&StoredEvent::from((&event, head))).await.expect("appended");
        }
        let entry = Entry { at: at(0), actor: Actor::Console, change: revoked(token) };
        write.commit(&Event::new(&entry, &personal, &mut SysRng).expect("written")).await.expect("made");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_during_loading_are_not_missed() {
    let world = World::new(Engine::Sqlite).await;
    let (good, bad) = (world.create(&new_token("good")).await, world.create(&new_token("bad")).await);
    let store = world.scratch.store(Clock::Manual(world.clock.clone())).await;
    let other = Authority::open(&world.scratch.url, Clock::Manual(world.clock.clone()), None).await;
    let other = Arc::new(other.expect("opened"));
    let (token, writer) = (bad.view.token.id, store.clone());
    let happening = tokio::spawn(async move { append_many_events(&writer, token).await });
    let (mut loads, mut reader) = (0, None);
    while !happening.is_finished() {
        reader = Some(other.follow(None).await.expect("it loads"));
        loads += 1;
    }
    happening.await.expect("all of it happened");
    assert!(loads > 10, "it was loaded in the midst of it {loads} times");
    // The row itself changes now, with the last event, so a mirror that followed the log has it.
    world.revoke(&world.ada, &named("bad")).await.expect("revoked");
    let world = World { authority: other, ..world };
    world.catch_up().await;
    assert_eq!(world.refused(&bad.secret).await, Some(Reason::TokenRevoked));
    assert_eq!(world.refused(&good.secret).await, None);
    let read = store.read().await.expect("a view");
    assert!(read.head().sequence > EVENTS as u64, "they are all in the log");
    // The last mirror that was loaded follows the events that came meanwhile, to the end.
    drop(reader.expect("it was loaded"));
}

/// However many callers wait, their memory is bounded, and nobody takes more than a share of it. Later
/// callers are rejected, undecided.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_for_a_fresh_answer_are_bounded() {
    let world = World::new(Engine::Sqlite).await;
    let authority = Authority::open(&world.scratch.url, Clock::Manual(world.clock.clone()), None).await;
    let authority = Arc::new(authority.expect("opened"));
    // It is loaded, and nobody follows the log any more.
    drop(authority.follow(None).await.expect("it loads"));
    let requirement = Requirement::Identity;
    let unknown = Secret::mint(SecretKind::Personal, &mut SysRng).expect("drawn");
    let question =
        Question { secret: unknown.expose(), requirement: &requirement, client_address: None, client: None };
    let Credential::Secret { secret, .. } = &world.service else { panic!("{:?}", world.service) };
    let again = secret.expose().parse().expect("a secret");
    let elsewhere = Credential::secret(again, Some(Ipv4Addr::new(192, 0, 2, 8).into()));
    let ask = |service| authority.validation().validate(service, &question, |_| ());
    let mut waiting: Vec<_> = (0..MIRROR_WAITS.share).map(|_| Box::pin(ask(&world.service))).collect();
    let mut context = Context::from_waker(Waker::noop());
    assert!(waiting.iter_mut().all(|one| one.as_mut().poll(&mut context).is_pending()), "they wait");
    assert_eq!(ask(&world.service).await.expect_err("it is sent away").reason(), Reason::Overloaded);
    assert!(Box::pin(ask(&elsewhere)).as_mut().poll(&mut context).is_pending(), "others wait all the same");
    drop(waiting.pop());
    assert!(Box::pin(ask(&world.service)).as_mut().poll(&mut context).is_pending(), "a place is free again");
    drop(waiting);
}

/// An answer that is computed again, because the state changed meanwhile, counts once, and records nothing
/// that was not so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn effects_of_an_answer_run_once() {
    const QUESTIONS: u64 = 100;
    let world = World::new(Engine::Sqlite).await;
    let asked = world.create(&new_token("asked")).await;
    let other = world.create(&new_token("other")).await;
    world.catch_up().await;
    let name = named("other");
    let requirement = Requirement::Identity;
    let question = || Question {
        secret: asked.secret.expose(),
        requirement: &requirement,
        client_address: None,
        client: None,
    };
    let questions: Vec<_> = (0..QUESTIONS).map(|_| question()).collect();
    let done = AtomicBool::new(false);
    let changing = async {
        for _ in 0..100 {
            world.authority.tokens().suspend(&world.ada, MINE, &name).await.expect("suspended");
            world.authority.tokens().resume(&world.ada, MINE, &name).await.expect("resumed");
        }
        done.store(true, Ordering::Relaxed);
    };
    let asking = async {
        let mut batches = 0;
        // Each batch runs to its end, because a batch that is dropped half-way was answered for half.
        while !done.load(Ordering::Relaxed) {
            let answer = world
                .authority
                .validation()
                .validate_all(&world.service, &questions, |_| ())
                .await
                .expect("decided");
            assert_eq!(answer.value.len() as u64, QUESTIONS);
            batches += 1;
            tokio::task::yield_now().await;
        }
        batches
    };
    let ((), batches) = tokio::join!(changing, asking);
    // All of them are counted with the next use that is due.
    world.clock.set(at(1000));
    assert!(world.ask(&world.service, asked.secret.expose(), &requirement).await.outcome.is_ok());
    world.authority.validation().write_uses().await.expect("written");
    let store = world.scratch.store(Clock::Manual(world.clock.clone())).await;
    let places = store.read().await.expect("a view").used_from(asked.view.token.id).await.expect("read");
    let counted: u64 = places.iter().map(|place| place.counts.reads + place.counts.writes).sum();
    assert!(batches > 50, "{batches} batches");
    assert_eq!(counted, batches * QUESTIONS + 1, "of {batches} batches");
    drop(other);
}
