use ndauth_store::testing::execute_fallibly;
use ndauth_store::{Clock, DatabaseUrl, Store, StoreError};

use crate::on_both;
use crate::world::{any_event, open};

on_both! {
    async fn several_that_start_at_once_all_come_up(scratch: &Scratch) {
        let starts: Vec<_> = (0..4)
            .map(|_| {
                let url = scratch.url.clone();
                tokio::spawn(async move {
                    let store = Store::connect(&url, Clock::Database).await?;
                    store.migrate().await?;
                    Ok::<_, StoreError>(store.read().await?.head().sequence)
                })
            })
            .collect();
        for start in starts {
            assert_eq!(start.await.expect("the task ends").expect("it comes up"), 0);
        }
    }

    async fn migrations_tell_their_state(scratch: &Scratch) {
        let store = Store::connect(&scratch.url, Clock::Database).await.expect("connected");
        assert!(store.migrations().await.expect("told").iter().all(|step| !step.applied));
        assert!(store.read().await.is_err(), "without its schema a database answers nothing");
        store.migrate().await.expect("migrated");
        let state = store.migrations().await.expect("told");
        assert!(!state.is_empty() && state.iter().all(|step| step.applied), "{state:?}");
        store.migrate().await.expect("a second time changes nothing");
    }

    async fn the_schema_refuses_what_makes_no_sense(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        crate::world::member(&store, &mut rng).await;
        for nonsense in [
            "INSERT INTO head (id, sequence, hash) SELECT 2, sequence, hash FROM head",
            "UPDATE membership SET role = 'SU'",
            "INSERT INTO token SELECT id, NULL, NULL, 'x', NULL, 'RO', TRUE, TRUE, 0, 0, 0, NULL FROM account",
            "INSERT INTO token SELECT id, id, NULL, 'x', NULL, 'SU', TRUE, TRUE, 0, 0, 0, NULL FROM account",
            "INSERT INTO token SELECT id, id, NULL, 'x', 'y', 'RO', TRUE, TRUE, 0, 0, 0, NULL FROM account",
            "INSERT INTO token SELECT id, id, NULL, 'x', 'x', 'RO', TRUE, TRUE, 0, 0, 0, 5 FROM account",
            "INSERT INTO token_org (token_id, org_id) SELECT id, id FROM org",
            "INSERT INTO secret SELECT a.id, h.hash, 'x', NULL, NULL, NULL, 0, NULL, 0, NULL, NULL FROM account a, head h",
            "UPDATE event SET salt = NULL",
            "DELETE FROM org",
        ] {
            assert!(execute_fallibly(&store, nonsense).await.is_err(), "{nonsense}");
        }
    }

    async fn a_database_that_is_gone_is_unavailable_never_empty(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, _) = crate::world::member(&store, &mut rng).await;
        let read = store.read().await.expect("a view");
        let closed = store.clone();
        drop(read);
        closed.close().await.expect("closed");
        assert!(matches!(store.read().await.map(|_| ()), Err(StoreError::Unavailable(_))));
        assert!(matches!(store.write("test").await.map(|_| ()), Err(StoreError::Unavailable(_))));
        assert!(store.ping().await.is_err());
        let _ = (ada, any_event(&mut rng));
    }
}

#[tokio::test]
async fn a_place_where_nothing_can_be_is_told() {
    for url in ["sqlite:/nonexistent/folder/ndauth.db", "postgres://nd@127.0.0.1:1/nd"] {
        let url: DatabaseUrl = url.parse().expect("a URL");
        assert!(matches!(
            Store::connect(&url, Clock::Database).await.map(|_| ()),
            Err(StoreError::Unavailable(_))
        ));
    }
}
