use ndauth_core::{Networks, OrgId, Orgs, Policies, Role, Services, Timestamp, TokenId};
use ndauth_store::testing::{migrate_some, try_execute};
use ndauth_store::{Clock, DatabaseUrl, Store, StoreError};

use uuid::Uuid;

use crate::on_both;
use crate::world::{any_event, open};

on_both! {
    async fn instances_that_start_at_once_all_come_up(scratch: &Scratch) {
        let starts: Vec<_> = (0..4)
            .map(|_| {
                let url = scratch.url.clone();
                tokio::spawn(async move {
                    let store = Store::create(&url, Clock::Database).await?;
                    store.migrate().await?;
                    Ok::<_, StoreError>(store.read().await?.head().sequence)
                })
            })
            .collect();
        for start in starts {
            assert_eq!(start.await.expect("the task ends").expect("it comes up"), 0);
        }
    }

    async fn migrations_report_their_state(scratch: &Scratch) {
        let store = Store::create(&scratch.url, Clock::Database).await.expect("connected");
        assert!(store.migrations().await.expect("listed").iter().all(|step| !step.applied));
        assert!(store.read().await.is_err(), "without its schema a database answers nothing");
        store.migrate().await.expect("migrated");
        let state = store.migrations().await.expect("listed");
        assert!(!state.is_empty() && state.iter().all(|step| step.applied), "{state:?}");
        store.migrate().await.expect("a second time changes nothing");
    }

    async fn the_schema_refuses_invalid_rows(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        crate::world::member(&store, &mut rng).await;
        for nonsense in [
            "INSERT INTO head (id, sequence, hash) SELECT 2, sequence, hash FROM head",
            "UPDATE membership SET role = 'SU'",
            "INSERT INTO token (id, account_id, org_id, name, live_name, scope, all_orgs, all_grants, created_at, lifetime, \
             expires_at, revoked_at) SELECT id, NULL, NULL, 'x', NULL, 'RO', TRUE, TRUE, 0, 0, 0, NULL FROM account",
            "INSERT INTO token (id, account_id, org_id, name, live_name, scope, all_orgs, all_grants, created_at, lifetime, \
             expires_at, revoked_at) SELECT id, id, NULL, 'x', NULL, 'SU', TRUE, TRUE, 0, 0, 0, NULL FROM account",
            "INSERT INTO token (id, account_id, org_id, name, live_name, scope, all_orgs, all_grants, created_at, lifetime, \
             expires_at, revoked_at) SELECT id, id, NULL, 'x', 'y', 'RO', TRUE, TRUE, 0, 0, 0, NULL FROM account",
            "INSERT INTO token (id, account_id, org_id, name, live_name, scope, all_orgs, all_grants, created_at, lifetime, \
             expires_at, revoked_at) SELECT id, id, NULL, 'x', 'x', 'RO', TRUE, TRUE, 0, 0, 0, 5 FROM account",
            "INSERT INTO token_org (token_id, org_id) SELECT id, id FROM org",
            "INSERT INTO secret SELECT a.id, h.hash, 'x', NULL, NULL, NULL, 0, NULL, 0, NULL, NULL FROM account a, head h",
            "INSERT INTO org_policy_network (org_id, set_at, network) SELECT id, 0, '10.0.0.0/8' FROM org",
            "INSERT INTO token_service (token_id, service_id) SELECT id, id FROM org",
            "INSERT INTO token_network (token_id, network) SELECT id, '10.0.0.0/8' FROM org",
            "INSERT INTO catalogue SELECT 2, hash, '{}' FROM head",
            "UPDATE event SET salt = NULL",
            "DELETE FROM org",
        ] {
            assert!(try_execute(&store, nonsense).await.is_err(), "{nonsense}");
        }
    }

    /// SEC-07: rows of the oldest schema keep their restrictions, and gain none.
    async fn sec_07_rows_of_the_oldest_schema_stay_what_they_were(scratch: &Scratch) {
        migrate_some(&scratch.url, 2).await;
        let store = Store::connect(&scratch.url, Clock::Database).await.expect("connected");
        let account = "INSERT INTO account (id, handle, email, operator, created_at) VALUES (ID1, 'ada', 'a@b', FALSE, 5)";
        let token = "INSERT INTO token (id, account_id, name, live_name, scope, all_orgs, all_grants, created_at, lifetime, \
             expires_at) VALUES (ID2, ID1, 'ci', 'ci', 'RO', FALSE, TRUE, 5, 9, 14)";
        for sql in [
            account,
            "INSERT INTO org (id, slug, created_at) VALUES (ID3, 'ops', 5)",
            token,
            "INSERT INTO token_org (token_id, org_id) VALUES (ID2, ID3)",
            "INSERT INTO session (id, account_id, created_at, expires_at) VALUES (ID4, ID1, 7, 9)",
            "INSERT INTO session (id, account_id, created_at, expires_at) VALUES (ID5, ID1, 6, 9)",
        ] {
            let id = |n: u32| match &scratch.url {
                DatabaseUrl::Sqlite(_) => format!("x'{n:032x}'"),
                DatabaseUrl::Postgres(_) => format!("'{n:032x}'::uuid"),
            };
            let sql = (1..6).fold(sql.to_owned(), |sql, n| sql.replace(&format!("ID{n}"), &id(n)));
            ndauth_store::testing::execute(&store, &sql).await;
        }
        store.migrate().await.expect("migrated");
        let read = store.read().await.expect("a view");
        let token = read.find_token(TokenId::from_uuid(Uuid::from_u128(2))).await.expect("read").expect("there");
        let ops = OrgId::from_uuid(Uuid::from_u128(3));
        assert_eq!(token.orgs, Orgs::only([ops]).expect("orgs"));
        assert_eq!((token.services, token.networks, token.description), (Services::All, Networks::All, None));
        let account = read.list_accounts().await.expect("listed").remove(0);
        assert_eq!(account.last_login_at.map(Timestamp::micros), Some(7), "the latest session's beginning");
        assert_eq!(read.find_policies(ops).await.expect("read"), Policies::default());
        drop(read);
        // A row without services or networks is for none: nothing absent stands for all.
        ndauth_store::testing::execute(&store, "UPDATE token SET all_services = FALSE").await;
        let read = store.read().await.expect("a view");
        assert!(read.find_token(token.id).await.is_err(), "neither all nor some");
    }

    async fn a_new_database_has_the_catalogue_it_came_with(scratch: &Scratch) {
        let (store, _, _) = open(scratch).await;
        let catalogue = store.read().await.expect("a view").catalogue().await.expect("read");
        let asked = |text: &str| catalogue.least_role(&text.parse().expect("a permission"));
        assert_eq!(asked("approve:assets"), Some(Role::Admin));
        for scope in ["read:assets", "write:assets", "read:audit", "admin:org", "read:tokens"] {
            assert!(asked(scope).is_some(), "{scope}");
        }
        assert_eq!(asked("ensure:builder"), None, "it takes a preset");
        assert_eq!(asked("fly:kites"), None);
    }

    async fn a_lost_database_is_unavailable_never_empty(scratch: &Scratch) {
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
async fn an_unusable_url_is_reported() {
    let connect = async |url: &str| {
        let url: DatabaseUrl = url.parse().expect("a URL");
        let missing = Store::connect(&url, Clock::Database).await.map(drop).expect_err("there is none");
        (missing, Store::create(&url, Clock::Database).await.map(drop).expect_err("none can be made"))
    };
    let (there, made) = connect("sqlite:/nonexistent/folder/ndauth.db").await;
    assert!(matches!(there, StoreError::Missing { .. }), "{there:?}");
    assert!(matches!(made, StoreError::Unavailable(_)), "{made:?}");
    let (there, _) = connect("postgres://nd@127.0.0.1:1/nd").await;
    let StoreError::Unreachable { place, cause } = there else { panic!("{there:?}") };
    assert_eq!((place.as_str(), cause), ("127.0.0.1:1/nd", ndauth_store::Unreachable::Refused));
}
