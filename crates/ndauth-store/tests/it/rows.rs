use ndauth_core::{
    Actions, Actor, AnnouncedPolicy, ClientName, Counts, Expiry, Grant, Grants, LastUse, Lifetime, Networks,
    OrgId, OrgPolicy, Orgs, Owner, RevocationReason, Role, Scope, SecretId, SecretRecord, SecretState,
    Service, ServiceId, Services, Session, SessionId, TokenId,
};
use ndauth_store::{Family, OrgUse, StoreError, Taken, TokenPage, Use};

use crate::on_both;
use crate::world::{account, add_token, any_event, at, id, member, open, org, secret, token};

const NEEDLESS: RevocationReason = RevocationReason::NoLongerNeeded;
const ALL: TokenPage = TokenPage { include_revoked: true, after: None, limit: 1000 };

on_both! {
    async fn accounts_and_orgs_read_back(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, ops) = member(&store, &mut rng).await;
        let read = store.read().await.expect("a view");
        assert_eq!(read.find_account(ada.id).await.expect("read"), Some(ada.clone()));
        assert_eq!(read.find_account_by_handle(&ada.handle).await.expect("read"), Some(ada.clone()));
        assert_eq!(read.find_account_by_email(&ada.email).await.expect("read"), Some(ada.clone()));
        assert_eq!(read.find_org_by_slug(&ops.slug).await.expect("read"), Some(ops.clone()));
        assert_eq!(read.find_org_and_role(ada.id, &ops.slug).await.expect("read").1, Some(Role::Rw));
        let nobody = account(&mut rng, "nobody");
        assert_eq!(read.find_account(nobody.id).await.expect("read"), None);
        assert_eq!(read.find_org_and_role(nobody.id, &ops.slug).await.expect("read").1, None);
    }

    async fn names_are_given_once(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, ops) = member(&store, &mut rng).await;
        for spoil in ["handle", "email"] {
            let mut other = account(&mut rng, "eve");
            match spoil {
                "handle" => other.handle = ada.handle.clone(),
                _ => other.email = ada.email.clone(),
            }
            let write = store.write("test").await.expect("a change begins");
            assert_eq!(write.insert_account(&other).await.expect("answered"), Err(Taken), "{spoil}");
        }
        let write = store.write("test").await.expect("a change begins");
        write.delete_org(ops.id).await.expect("deleted");
        write.commit(&any_event(&mut rng)).await.expect("committed");
        let write = store.write("test").await.expect("a change begins");
        assert_eq!(write.insert_org(&org(&mut rng, "ops")).await.expect("answered"), Err(Taken));
    }

    async fn members_come_and_go(scratch: &Scratch) {
        let (store, clock, mut rng) = open(scratch).await;
        let (ada, ops) = member(&store, &mut rng).await;
        let dev = org(&mut rng, "dev");
        let roles = async || {
            let read = store.read().await.expect("a view");
            let memberships = read.list_memberships(ada.id).await.expect("listed");
            memberships.into_iter().map(|m| (m.org.slug.to_string(), m.role)).collect::<Vec<_>>()
        };
        let write = store.write("test").await.expect("a change begins");
        write.insert_org(&dev).await.expect("inserted").expect("free");
        write.set_role(ada.id, dev.id, Role::Admin).await.expect("set");
        write.set_role(ada.id, ops.id, Role::Ro).await.expect("set");
        write.commit(&any_event(&mut rng)).await.expect("committed");
        assert_eq!(roles().await, [("dev".into(), Role::Admin), ("ops".into(), Role::Ro)]);

        clock.set(at(5));
        let write = store.write("test").await.expect("a change begins");
        write.remove_member(ada.id, ops.id).await.expect("removed");
        write.delete_org(dev.id).await.expect("deleted");
        write.commit(&any_event(&mut rng)).await.expect("committed");
        assert_eq!(roles().await, []);

        let write = store.write("test").await.expect("a change begins");
        write.set_role(ada.id, ops.id, Role::Rw).await.expect("set again");
        write.commit(&any_event(&mut rng)).await.expect("committed");
        assert_eq!(roles().await, [("ops".into(), Role::Rw)]);
    }

    async fn tokens_read_back_whole(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, ops) = member(&store, &mut rng).await;
        let plain = token(&mut rng, &ada, "it's \"quoted\" / 🚀 %_");
        let grant = |ids: &str, actions| Grant {
            resource_type: "assets".parse().expect("a resource type"),
            resource_ids: ids.parse().expect("resource ids"),
            actions,
        };
        let some = Actions::Only(["read", "write"].map(|text| text.parse().expect("an action")).into());
        let registry = Service {
            id: id(ServiceId::new(at(0), &mut rng)),
            name: "registry".parse().expect("a name"),
            orgs: Orgs::All,
            states_address: true,
            created_at: at(0),
            revoked_at: None,
        };
        let narrow = ndauth_core::Token {
            id: id(TokenId::new(at(1000), &mut rng)),
            scope: Scope::Ro,
            grants: Grants::only([grant("*", some), grant("prod-*", Actions::Any)]).expect("grants"),
            orgs: Orgs::only([ops.id]).expect("orgs"),
            services: Services::only([registry.id]).expect("services"),
            networks: Networks::only(["10.0.0.0/8", "2001:db8::/32"].map(|text| text.parse().expect("a network"))).expect("networks"),
            description: Some("for the nightly build 🌙".parse().expect("a description")),
            lifetime: Lifetime::For(std::time::Duration::from_micros(1)),
            expires_at: Expiry::At(at(1)),
            ..token(&mut rng, &ada, "narrow")
        };
        let write = store.write("test").await.expect("a change begins");
        write.insert_service(&registry).await.expect("inserted").expect("free");
        let hash = add_token(&write, &mut rng, &plain).await;
        add_token(&write, &mut rng, &narrow).await;
        write.commit(&any_event(&mut rng)).await.expect("committed");

        let read = store.read().await.expect("a view");
        assert_eq!(read.find_token(plain.id).await.expect("read"), Some(plain.clone()));
        assert_eq!(read.find_named_token(Owner::Account(ada.id), &narrow.name).await.expect("read"), Some(narrow.clone()));
        assert_eq!(read.list_tokens_page(Owner::Account(ada.id), ALL).await.expect("listed"), [plain.clone(), narrow.clone()]);
        let views = read.view_tokens(vec![plain.clone(), narrow]).await.expect("viewed");
        assert_eq!(views[0].orgs, Orgs::All);
        assert_eq!(views[1].orgs, Orgs::only([ops.slug]).expect("orgs"));
        assert_eq!(views[0].services, Services::All);
        assert_eq!(views[1].services, Services::only([registry.name]).expect("services"));
        assert_eq!(views[1].owner_org, None);
        let found = read.find_secret(&hash).await.expect("read").expect("found");
        assert_eq!(found.family, Family::Token(plain.id));
        assert_eq!(found.record.prefix, views[0].secrets[0].record.prefix);
        assert_eq!(found.record.state(read.now()), SecretState::Current);
        let unknown = secret(&mut rng).1;
        assert_eq!(read.find_secret(&unknown).await.expect("read"), None);
        // Several at once, of which most are unknown and one is there twice.
        let several = (0..1000).map(|_| secret(&mut rng).1).chain([hash, unknown, hash]);
        assert_eq!(read.find_secrets(several).await.expect("read"), [found]);
        assert_eq!(read.find_secrets([]).await.expect("read"), []);
    }

    async fn a_name_belongs_to_one_token_until_released(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, _) = member(&store, &mut rng).await;
        let first = token(&mut rng, &ada, "ci");
        let second = token(&mut rng, &ada, "ci");
        let write = store.write("test").await.expect("a change begins");
        add_token(&write, &mut rng, &first).await;
        write.commit(&any_event(&mut rng)).await.expect("committed");

        let write = store.write("test").await.expect("a change begins");
        assert_eq!(write.insert_token(&second).await.expect("answered"), Err(Taken));
        drop(write);

        let write = store.write("test").await.expect("a change begins");
        assert!(write.revoke_token(first.id, &Actor::Console, NEEDLESS, None).await.expect("revoked"));
        assert!(!write.revoke_token(first.id, &Actor::Console, NEEDLESS, None).await.expect("answered"), "only once");
        add_token(&write, &mut rng, &second).await;
        write.commit(&any_event(&mut rng)).await.expect("committed");
        let read = store.read().await.expect("a view");
        let holder = read.find_named_token(Owner::Account(ada.id), &first.name).await.expect("read");
        assert_eq!(holder.map(|token| token.id), Some(second.id));
        let revoked = read.find_token(first.id).await.expect("read").expect("its row stays");
        assert_eq!(revoked.revoked_at, Some(at(0)));
    }

    /// All tokens whose secrets were minted before are revoked at once. Those with a later secret stay, and
    /// so do other owners' tokens.
    async fn tokens_minted_before_are_revoked_at_once(scratch: &Scratch) {
        let (store, clock, mut rng) = open(scratch).await;
        let (ada, ops) = member(&store, &mut rng).await;
        let eve = account(&mut rng, "eve");
        let own = ndauth_core::Token { owner: Owner::Org(ops.id), ..token(&mut rng, &ada, "old") };
        let [old, rotated, derived, hers] =
            [(&ada, "old"), (&ada, "rotated"), (&ada, "derived"), (&eve, "old")].map(|(owner, name)| token(&mut rng, owner, name));
        let session = Session {
            id: id(SessionId::new(at(0), &mut rng)),
            account: ada.id,
            created_at: at(0),
            expires_at: Expiry::At(at(9)),
            ends_at: Expiry::Never,
            revoked_at: None,
            proved_at: None,
            device: None,
            address: None,
            browser: false,
        };
        let write = store.write("test").await.expect("a change begins");
        write.insert_account(&eve).await.expect("inserted").expect("free");
        write.insert_session(&session).await.expect("inserted");
        for token in [&old, &rotated, &hers, &own] {
            add_token(&write, &mut rng, token).await;
        }
        write.insert_derived_token(&derived, session.id).await.expect("inserted");
        for (of, minted_at) in [(&derived, at(0)), (&rotated, at(10))] {
            let (record, hash) = secret(&mut rng);
            let record = SecretRecord { minted_at, authorized_at: minted_at, ..record };
            write.insert_secret(Family::Token(of.id), &record, &hash, None).await.expect("inserted");
        }
        write.commit(&any_event(&mut rng)).await.expect("committed");
        clock.set(at(11));
        let write = store.write("test").await.expect("a change begins");
        for (owner, not_before, count) in [
            (Owner::Account(ada.id), at(0), 0),
            (Owner::Account(ada.id), at(10), 2),
            (Owner::Account(ada.id), at(10), 0),
            (Owner::Org(ops.id), at(10), 1),
        ] {
            let revoked = write.revoke_minted_before(owner, not_before, &Actor::Console, RevocationReason::Leaked);
            assert_eq!(revoked.await.expect("revoked"), count, "{owner:?} {not_before}");
        }
        let again = token(&mut rng, &ada, "old");
        add_token(&write, &mut rng, &again).await;
        write.commit(&any_event(&mut rng)).await.expect("the name is free");
        let read = store.read().await.expect("a view");
        for (token, revoked) in [(&old, true), (&rotated, false), (&derived, true), (&hers, false), (&own, true), (&again, false)] {
            let found = read.find_token(token.id).await.expect("read").expect("its row stays");
            assert_eq!(found.revoked_at, revoked.then(|| at(11)), "{}", token.name);
            let why = read.find_revocation(token.id).await.expect("read");
            assert_eq!(why, revoked.then_some((Actor::Console, RevocationReason::Leaked, None)), "{}", token.name);
        }
    }

    async fn a_description_is_changed(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, _) = member(&store, &mut rng).await;
        let (ci, cd) = (token(&mut rng, &ada, "ci"), token(&mut rng, &ada, "cd"));
        let text = "deploys".parse().expect("a description");
        let write = store.write("test").await.expect("a change begins");
        for token in [&ci, &cd] {
            add_token(&write, &mut rng, token).await;
        }
        write.set_description(ci.id, Some(&text)).await.expect("set");
        write.commit(&any_event(&mut rng)).await.expect("committed");
        let description = async |id| {
            let read = store.read().await.expect("a view");
            read.find_token(id).await.expect("read").expect("there").description
        };
        assert_eq!((description(ci.id).await, description(cd.id).await), (Some(text), None));
        let write = store.write("test").await.expect("a change begins");
        write.set_description(ci.id, None).await.expect("set");
        write.commit(&any_event(&mut rng)).await.expect("committed");
        assert_eq!(description(ci.id).await, None);
    }

    async fn live_tokens_are_counted_at_the_instant(scratch: &Scratch) {
        let (store, clock, mut rng) = open(scratch).await;
        let (ada, _) = member(&store, &mut rng).await;
        let write = store.write("test").await.expect("a change begins");
        for (name, expires_at) in [("a", Expiry::At(at(10))), ("b", Expiry::At(at(11))), ("c", Expiry::Never)] {
            let token = ndauth_core::Token { expires_at, ..token(&mut rng, &ada, name) };
            add_token(&write, &mut rng, &token).await;
        }
        write.commit(&any_event(&mut rng)).await.expect("committed");
        for (now, live) in [(9, 3), (10, 2), (11, 1)] {
            clock.set(at(now));
            let read = store.read().await.expect("a view");
            assert_eq!(read.count_live_tokens(ada.id).await.expect("counted"), live, "at {now}");
        }
    }

    async fn lists_come_in_pages(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, _) = member(&store, &mut rng).await;
        let write = store.write("test").await.expect("a change begins");
        for n in 0..7 {
            let token = token(&mut rng, &ada, &format!("t{n}"));
            add_token(&write, &mut rng, &token).await;
            if n == 3 {
                write.revoke_token(token.id, &Actor::Console, NEEDLESS, None).await.expect("revoked");
            }
        }
        write.commit(&any_event(&mut rng)).await.expect("committed");
        let read = store.read().await.expect("a view");
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = TokenPage { include_revoked: false, after, limit: 4 };
            let tokens = read.list_tokens_page(Owner::Account(ada.id), page).await.expect("listed");
            let Some(last) = tokens.last() else { break };
            after = Some(last.id);
            seen.extend(tokens.iter().map(|token| token.name.to_string()));
        }
        seen.sort();
        assert_eq!(seen, ["t0", "t1", "t2", "t4", "t5", "t6"]);
        assert_eq!(read.list_tokens_page(Owner::Account(ada.id), ALL).await.expect("listed").len(), 7);
    }

    async fn the_tokens_of_an_org_are_its_own_and_its_members(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, ops) = member(&store, &mut rng).await;
        let (dev, eve) = (org(&mut rng, "dev"), account(&mut rng, "eve"));
        let everywhere = token(&mut rng, &ada, "everywhere");
        let only = |org: &ndauth_core::Org| Orgs::only([org.id]).expect("orgs");
        let here = ndauth_core::Token { orgs: only(&ops), ..token(&mut rng, &ada, "here") };
        let there = ndauth_core::Token { orgs: only(&dev), ..token(&mut rng, &ada, "there") };
        let strangers = token(&mut rng, &eve, "strangers");
        let own = ndauth_core::Token { owner: Owner::Org(ops.id), orgs: only(&ops), ..token(&mut rng, &ada, "own") };
        let write = store.write("test").await.expect("a change begins");
        write.insert_org(&dev).await.expect("inserted").expect("free");
        write.insert_account(&eve).await.expect("inserted").expect("free");
        for token in [&everywhere, &here, &there, &strangers, &own] {
            add_token(&write, &mut rng, token).await;
        }
        write.commit(&any_event(&mut rng)).await.expect("committed");
        let names = async |tokens: Vec<ndauth_core::Token>| {
            let mut names: Vec<String> = tokens.into_iter().map(|token| token.name.to_string()).collect();
            names.sort();
            names
        };
        let read = store.read().await.expect("a view");
        let of_org = read.list_tokens_of_org(ops.id, true, ALL).await.expect("listed");
        assert_eq!(names(of_org).await, ["everywhere", "here", "own"]);
        let owned = read.list_tokens_page(Owner::Org(ops.id), ALL).await.expect("listed");
        assert_eq!(owned, std::slice::from_ref(&own));
        let views = read.view_tokens(owned).await.expect("viewed");
        assert_eq!(views[0].owner_org, Some(ops.slug.clone()));
        assert_eq!(read.find_named_token(Owner::Org(ops.id), &own.name).await.expect("read"), Some(own.clone()));
        drop(read);
        let write = store.write("test").await.expect("a change begins");
        write.remove_member(ada.id, ops.id).await.expect("removed");
        write.commit(&any_event(&mut rng)).await.expect("committed");
        let read = store.read().await.expect("a view");
        assert_eq!(names(read.list_tokens_of_org(ops.id, true, ALL).await.expect("listed")).await, ["own"]);
    }

    async fn policies_follow_each_other(scratch: &Scratch) {
        let (store, clock, mut rng) = open(scratch).await;
        let (_, ops) = member(&store, &mut rng).await;
        let first = OrgPolicy {
            suspend_on_reuse: true,
            require_grants: true,
            no_all_org_tokens: true,
            longest_lifetime: Lifetime::For(std::time::Duration::from_secs(60)),
            personal_tokens: false,
            networks: Networks::only(["10.0.0.0/8".parse().expect("a network")]).expect("networks"),
            login_within: Lifetime::For(std::time::Duration::from_secs(5)),
        };
        let announced = |holds, policy: &OrgPolicy| AnnouncedPolicy { takes_hold_at: at(holds), policy: policy.clone() };
        for (policy, holds) in [(&first, 0), (&OrgPolicy::OPEN, 9)] {
            // The clock stands still, and the second policy is nevertheless set after the first.
            let write = store.write("test").await.expect("a change begins");
            write.lock_org(ops.id).await.expect("locked");
            write.add_policies(ops.id, &[announced(holds, policy)]).await.expect("added");
            write.commit(&any_event(&mut rng)).await.expect("committed");
        }
        let policies = store.read().await.expect("a view").find_policies(ops.id).await.expect("read");
        assert_eq!(policies.at(at(0)), &first);
        assert_eq!(policies.at(at(9)), &OrgPolicy::OPEN);
        clock.set(at(10));
        let write = store.write("test").await.expect("a change begins");
        write.add_policies(ops.id, &[announced(10, &first)]).await.expect("added");
        write.commit(&any_event(&mut rng)).await.expect("committed");
        let policies = store.read().await.expect("a view").find_policies(ops.id).await.expect("read");
        assert_eq!(policies.at(at(10)), &first);
        assert_eq!(policies.last_set_at(), Some(at(10)));
    }

    async fn the_catalogue_is_replaced_whole(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let read = store.read().await.expect("a view");
        let (mut document, hash) = (read.catalogue().await.expect("read").document(), read.catalogue_hash());
        drop(read);
        document.types.retain(|name, _| name == "assets");
        let write = store.write("test").await.expect("a change begins");
        write.set_catalogue(&document).await.expect("set");
        write.commit(&any_event(&mut rng)).await.expect("committed");
        let read = store.read().await.expect("a view");
        assert_eq!(read.catalogue().await.expect("read").document(), document);
        assert_ne!(read.catalogue_hash(), hash, "readers see that it is another");
        drop(read);
        ndauth_store::testing::execute(&store, "UPDATE catalogue SET document = '{}'").await;
        let read = store.read().await.expect("a view");
        let corrupt = read.catalogue().await.expect_err("no document");
        assert!(matches!(corrupt, StoreError::Corrupt { table: "catalogue", .. }), "{corrupt:?}");
    }

    async fn sessions_and_services_read_back(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, ops) = member(&store, &mut rng).await;
        let session = Session {
            id: id(SessionId::new(at(0), &mut rng)),
            account: ada.id,
            created_at: at(0),
            expires_at: Expiry::At(at(9)),
            ends_at: Expiry::At(at(30)),
            revoked_at: None,
            proved_at: Some(at(0)),
            device: Some("ndcli 0.1.0 on vm".parse().expect("a name")),
            address: "192.0.2.7".parse().ok(),
            browser: false,
        };
        let service = |rng: &mut _, name: &str, orgs| Service {
            id: id(ServiceId::new(at(0), rng)),
            name: name.parse().expect("a name"),
            orgs,
            states_address: name == "builder",
            created_at: at(0),
            revoked_at: None,
        };
        let all = service(&mut rng, "registry", Orgs::All);
        let one = service(&mut rng, "builder", Orgs::only([ops.id]).expect("orgs"));
        let ((session_secret, session_hash), (service_secret, service_hash)) = (secret(&mut rng), secret(&mut rng));
        let write = store.write("test").await.expect("a change begins");
        write.insert_session(&session).await.expect("inserted");
        write.insert_secret(Family::Session(session.id), &session_secret, &session_hash, None).await.expect("inserted");
        write.insert_service(&all).await.expect("inserted").expect("free");
        write.insert_service(&one).await.expect("inserted").expect("free");
        write.insert_secret(Family::Service(one.id), &service_secret, &service_hash, None).await.expect("inserted");
        write.commit(&any_event(&mut rng)).await.expect("committed");

        let read = store.read().await.expect("a view");
        assert_eq!(read.find_session(session.id).await.expect("read"), Some(session.clone()));
        assert_eq!(read.find_service(all.id).await.expect("read"), Some(all.clone()));
        assert_eq!(read.find_live_service(&one.name).await.expect("read"), Some(one.clone()));
        let family = async |hash| read.find_secret(hash).await.expect("read").expect("found").family;
        assert_eq!(family(&session_hash).await, Family::Session(session.id));
        assert_eq!(family(&service_hash).await, Family::Service(one.id));
        drop(read);

        let write = store.write("test").await.expect("a change begins");
        write.revoke_service(all.id).await.expect("revoked");
        let again = service(&mut rng, "registry", Orgs::All);
        write.insert_service(&again).await.expect("inserted").expect("the name was given up");
        write.commit(&any_event(&mut rng)).await.expect("committed");
        let write = store.write("test").await.expect("a change begins");
        let twice = service(&mut rng, "registry", Orgs::All);
        assert_eq!(write.insert_service(&twice).await.expect("answered"), Err(Taken));
    }

    async fn the_newest_use_wins_in_any_order(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, _) = member(&store, &mut rng).await;
        let ci = token(&mut rng, &ada, "ci");
        let write = store.write("test").await.expect("a change begins");
        let hash = add_token(&write, &mut rng, &ci).await;
        write.commit(&any_event(&mut rng)).await.expect("committed");
        let found = async || store.read().await.expect("a view").find_secret(&hash).await.expect("read").expect("found");
        let secret = found().await.record.id;
        let last = |micros, address: &str| LastUse { at: at(micros), address: address.parse().ok() };
        for (used, expected) in [
            (last(5, "10.0.0.1"), last(5, "10.0.0.1")),
            (last(9, "2001:db8::1"), last(9, "2001:db8::1")),
            (last(7, "10.0.0.2"), last(9, "2001:db8::1")),
            (last(11, ""), LastUse { at: at(11), address: None }),
        ] {
            let counts = Counts { reads: 2, writes: 1 };
            let client = ClientName::of_user_agent("curl/8");
            store.record_uses(&[Use { secret, client, last: used, counts }]).await.expect("recorded");
            assert_eq!(found().await.last_use, Some(expected));
        }
        // The same holds within one batch: two places, and one place twice.
        let place = |micros, client: &str| Use {
            secret,
            client: ClientName::of_user_agent(client),
            last: last(micros, "10.0.0.1"),
            counts: Counts { reads: 1, writes: 0 },
        };
        store.record_uses(&[place(20, "curl/8"), place(30, "ndcli/1"), place(25, "curl/8")]).await.expect("recorded");
        assert_eq!(found().await.last_use, Some(last(30, "10.0.0.1")));
        let read = store.read().await.expect("a view");
        let places = read.used_from(ci.id).await.expect("read");
        let listed: Vec<_> = places
            .iter()
            .map(|place| {
                let client = place.client.as_ref().map_or("", ClientName::as_str);
                (client, place.first_at.micros() - at(0).micros(), place.last_at.micros() - at(0).micros(), place.counts.reads, place.counts.writes)
            })
            .collect();
        let expected =
            [("ndcli/1", 30, 30, 1, 0), ("curl/8", 5, 25, 4, 1), ("curl/8", 11, 11, 2, 1), ("curl/8", 9, 9, 2, 1), ("curl/8", 7, 7, 2, 1)];
        assert_eq!(listed, expected);
        drop(read);
        // The place whose last use is oldest is removed if there are too many.
        let many: Vec<Use> = (0..120_u8)
            .map(|n| Use { last: last(1000 + i64::from(n), &format!("10.1.0.{n}")), ..place(0, "many/1") })
            .collect();
        store.record_uses(&many).await.expect("recorded");
        let places = store.read().await.expect("a view").used_from(ci.id).await.expect("read");
        assert_eq!((places.len(), places[99].last_at), (100, at(1020)));
    }

    async fn a_corrupt_row_is_reported(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, _) = member(&store, &mut rng).await;
        let ci = token(&mut rng, &ada, "ci");
        let write = store.write("test").await.expect("a change begins");
        add_token(&write, &mut rng, &ci).await;
        write.commit(&any_event(&mut rng)).await.expect("committed");
        let spoiled = async |sql: &str| {
            ndauth_store::testing::execute(&store, sql).await;
            let read = store.read().await.expect("a view");
            match read.find_token(ci.id).await {
                Err(StoreError::Corrupt { table, column, id }) => {
                    assert_eq!(id, ci.id.to_string());
                    (table, column)
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(spoiled("UPDATE token SET all_orgs = FALSE").await, ("token", "all_orgs"));
        let restored = "UPDATE token SET all_orgs = TRUE, all_grants = FALSE";
        assert_eq!(spoiled(restored).await, ("token", "all_grants"));
        assert_eq!(spoiled("UPDATE token SET all_grants = TRUE, expires_at = -1").await, ("token", "expires_at"));
    }

    async fn the_last_use_in_each_org_is_kept_apart(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, ops) = member(&store, &mut rng).await;
        let (dev, ci, other) = (org(&mut rng, "dev"), token(&mut rng, &ada, "ci"), token(&mut rng, &ada, "other"));
        let write = store.write("test").await.expect("a change begins");
        write.insert_org(&dev).await.expect("inserted").expect("free");
        let hash = add_token(&write, &mut rng, &ci).await;
        add_token(&write, &mut rng, &other).await;
        write.commit(&any_event(&mut rng)).await.expect("committed");
        let found = store.read().await.expect("a view").find_secret(&hash).await.expect("read").expect("found");
        let secret = found.record.id;
        let last = |micros, address: &str| LastUse { at: at(micros), address: address.parse().ok() };
        let used = |org, last| OrgUse { secret, org, last };
        let gone = OrgUse { secret: id(SecretId::new(at(0), &mut rng)), ..used(ops.id, last(99, "")) };
        // The newest use of a batch wins, in any order. An older one that follows changes nothing.
        let batch = [used(ops.id, last(5, "10.0.0.1")), used(ops.id, last(9, "")), used(dev.id, last(7, "10.0.0.2")), gone];
        store.record_org_uses(&batch).await.expect("recorded");
        store.record_org_uses(&[used(ops.id, last(8, "10.0.0.3"))]).await.expect("recorded");
        store.record_org_uses(&[]).await.expect("nothing to record");
        let last_use_in = async |org| {
            let uses = store.read().await.expect("a view").last_uses_in(org, &[ci.id, other.id]).await.expect("read");
            assert!(!uses.contains_key(&other.id));
            uses.get(&ci.id).copied()
        };
        assert_eq!(last_use_in(ops.id).await, Some(last(9, "")));
        assert_eq!(last_use_in(dev.id).await, Some(last(7, "10.0.0.2")));
        assert_eq!(last_use_in(OrgId::from_uuid(ci.id.uuid())).await, None);
        store.record_org_uses(&[used(ops.id, last(10, "10.0.0.3"))]).await.expect("recorded");
        assert_eq!(last_use_in(ops.id).await, Some(last(10, "10.0.0.3")));
    }
}
