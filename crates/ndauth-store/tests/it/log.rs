use ndauth_core::{AccountId, Change, Entry, EventSubject, Head};
use ndauth_store::testing::execute;
use ndauth_store::{Clock, LogPart, Read, Store, StoredEvent};

use crate::on_both;
use crate::world::{account, any_event, at, event, id, member, open};

async fn log(read: &Read) -> Vec<StoredEvent> {
    read.events_after(0, 10_000).await.expect("the log")
}

/// Verifies the chain from its beginning, and returns its end or the first event that does not follow.
fn walk(events: &[StoredEvent]) -> Result<Head, u64> {
    events.iter().try_fold(Head::EMPTY, |head, event| {
        if event.follows(&head) {
            Ok(Head { sequence: event.sequence, hash: event.hash })
        } else {
            Err(event.sequence)
        }
    })
}

async fn head(store: &Store) -> Head {
    store.read().await.expect("a view").head()
}

on_both! {
    async fn a_change_without_its_event_never_was(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let ada = account(&mut rng, "ada");
        let write = store.write("test").await.expect("a change begins");
        write.insert_account(&ada).await.expect("inserted").expect("free");
        drop(write);
        let read = store.read().await.expect("a view");
        assert_eq!(read.find_account(ada.id).await.expect("read"), None);
        assert_eq!(read.head(), Head::EMPTY);
    }

    async fn events_read_back_as_they_were_written(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let account = id(AccountId::new(at(0), &mut rng));
        let change = Change::AccountDisabled { account };
        let written = event(&mut rng, change);
        let write = store.write("test").await.expect("a change begins");
        assert_eq!(write.commit(&written).await.expect("committed").sequence, 1);
        let read = store.read().await.expect("a view");
        let events = log(&read).await;
        assert_eq!(events[0].public, written.public);
        assert_eq!(events[0].personal, Some((written.personal, written.salt)));
        assert_eq!(walk(&events), Ok(read.head()));
        assert!(String::from_utf8_lossy(&events[0].public).contains("account.disabled"));
        let _: Entry = serde_json::from_slice(&events[0].public).expect("an entry");
    }

    /// However large events are, a read holds few bytes, and one event at least.
    async fn a_read_of_the_log_holds_few_bytes(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let account = id(AccountId::new(at(0), &mut rng));
        for bytes in [300_000; 8].into_iter().chain([3_000_000, 1000, 1000]) {
            let mut written = event(&mut rng, Change::AccountDisabled { account });
            written.personal = vec![b'x'; bytes];
            store.write("test").await.expect("a change begins").commit(&written).await.expect("committed");
        }
        let read = store.read().await.expect("a view");
        for (subject, newest_first, counts) in [
            (None, false, [7, 2, 2]),
            (Some(EventSubject::Account(account)), false, [7, 2, 2]),
            (None, true, [3, 7, 1]),
        ] {
            let mut part = LogPart { after: 0, before: None, newest_first, limit: 100 };
            for (count, is_last) in counts.into_iter().zip([false, false, true]) {
                let chunk = read.history(subject, &part).await.expect("read");
                assert_eq!((chunk.events.len(), chunk.is_end), (count, is_last), "{subject:?} {newest_first}");
                let last = chunk.events.last().expect("an event").event.sequence;
                if newest_first { part.before = Some(last) } else { part.after = last }
            }
            let few = read.history(subject, &LogPart { limit: 2, ..part }).await.expect("read");
            assert!(few.events.is_empty() && few.is_end);
        }
    }

    async fn the_log_has_no_gap_and_no_fork_under_many_writers(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        // As far as locks go, a second store on the same database is another process.
        let other = scratch.store(Clock::Database).await;
        let tasks: Vec<_> = (0..120)
            .map(|n| {
                let (store, event) = (if n % 2 == 0 { store.clone() } else { other.clone() }, any_event(&mut rng));
                tokio::spawn(async move {
                    let write = store.write("test").await.expect("a change begins");
                    write.commit(&event).await.expect("committed").sequence
                })
            })
            .collect();
        let mut sequences = Vec::new();
        for task in tasks {
            sequences.push(task.await.expect("the task ends"));
        }
        sequences.sort_unstable();
        assert_eq!(sequences, (1..=120).collect::<Vec<u64>>());
        let read = store.read().await.expect("a view");
        assert_eq!(walk(&log(&read).await), Ok(read.head()));
    }

    async fn erasing_a_person_keeps_the_chain_and_tampering_breaks_it(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        for _ in 0..3 {
            let write = store.write("test").await.expect("a change begins");
            write.commit(&any_event(&mut rng)).await.expect("committed");
        }
        let walked = async || walk(&log(&store.read().await.expect("a view")).await);
        execute(&store, "UPDATE event SET personal_bytes = NULL, salt = NULL WHERE sequence = 2").await;
        assert_eq!(walked().await, Ok(head(&store).await));
        let event = &log(&store.read().await.expect("a view")).await[1];
        assert_eq!(event.personal, None);
        execute(&store, "UPDATE event SET personal_bytes = salt WHERE sequence = 3").await;
        assert_eq!(walked().await, Err(3));
        execute(&store, "UPDATE event SET public_bytes = personal_hash WHERE sequence = 1").await;
        assert_eq!(walked().await, Err(1));
    }

    async fn a_view_is_of_one_moment(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, _) = member(&store, &mut rng).await;
        let before = store.read().await.expect("a view");
        let apart = store.apart().expect("connected");
        let before_apart = apart.read().await.expect("a view");
        let write = store.write("test").await.expect("a change begins");
        write.set_account_disabled(ada.id, Some(at(0))).await.expect("set");
        write.commit(&any_event(&mut rng)).await.expect("committed");
        let after = store.read().await.expect("a view");
        let disabled = async |read: &Read| {
            read.find_account(ada.id).await.expect("read").expect("found").disabled_at.is_some()
        };
        assert!(!disabled(&before).await);
        assert!(!disabled(&before_apart).await);
        assert!(disabled(&after).await);
        assert_eq!((before.head().sequence, after.head().sequence), (1, 2));
    }

    async fn time_never_runs_backwards(scratch: &Scratch) {
        let (store, clock, _) = open(scratch).await;
        clock.set(at(100));
        assert_eq!(store.read().await.expect("a view").now(), at(100));
        clock.set(at(50));
        assert_eq!(store.read().await.expect("a view").now(), at(100));
        clock.set(at(101));
        assert_eq!(store.read().await.expect("a view").now(), at(101));
    }

    async fn the_database_gives_the_time(scratch: &Scratch) {
        let store = scratch.store(Clock::Database).await;
        let first = store.read().await.expect("a view").now();
        let second = store.read().await.expect("a view").now();
        assert!(first <= second);
        assert!(first > "2026-01-01T00:00:00Z".parse().expect("an instant"), "{first}");
    }
}
