use ndauth_core::{Account, OfferId, OrgId, Role};
use ndauth_store::{Offer, Store, Write};
use rand::rngs::ChaCha20Rng;

use crate::on_both;
use crate::world::{account, any_event, at, id, member, open, org};

fn offer(rng: &mut ChaCha20Rng, org: OrgId, handle: &str, by: &Account) -> Offer {
    Offer {
        id: id(OfferId::new(at(0), rng)),
        org,
        handle: handle.parse().expect("a handle"),
        role: Role::Rw,
        made_by: by.id,
        made_at: at(10),
        ends_at: at(100),
    }
}

/// Returns the handles to which an org offers a membership.
async fn offered(store: &Store, org: OrgId) -> Vec<String> {
    let offers = store.read().await.expect("a view").list_offers_of(org).await.expect("listed");
    offers.into_iter().map(|offer| offer.handle.to_string()).collect()
}

async fn change(store: &Store, rng: &mut ChaCha20Rng, work: impl AsyncFnOnce(&Write)) {
    let write = store.write("test").await.expect("a change begins");
    work(&write).await;
    write.commit(&any_event(rng)).await.expect("committed");
}

on_both! {
    async fn an_offer_ends_at_the_instant_and_one_to_a_handle_replaces_the_other(scratch: &Scratch) {
        let (store, clock, mut rng) = open(scratch).await;
        let (ada, ops) = member(&store, &mut rng).await;
        let (first, other) = (offer(&mut rng, ops.id, "bob", &ada), offer(&mut rng, ops.id, "eve", &ada));
        let again = Offer { role: Role::Admin, made_at: at(20), ends_at: at(110), ..first.clone() };
        change(&store, &mut rng, async |write| {
            for made in [&first, &other, &again] {
                write.put_offer(made).await.expect("made");
            }
        }).await;
        let read = store.read().await.expect("a view");
        assert_eq!(read.find_offer(ops.id, &again.handle).await.expect("read"), Some(again.clone()));
        assert_eq!(read.list_every_offer().await.expect("listed").len(), 2);
        assert_eq!(read.count_other_offers(ops.id, &again.handle).await.expect("counted"), 1);
        drop(read);
        clock.set(at(99));
        assert_eq!(offered(&store, ops.id).await, ["bob", "eve"]);
        assert!(other.is_open(at(99)) && !other.is_open(at(100)));
        clock.set(at(100));
        assert_eq!(offered(&store, ops.id).await, ["bob"]);
        let read = store.read().await.expect("a view");
        assert_eq!(read.count_other_offers(ops.id, &again.handle).await.expect("counted"), 0);
        assert!(!read.has_ended_offer(at(100)).await.expect("read") && read.has_ended_offer(at(101)).await.expect("read"));
        drop(read);
        change(&store, &mut rng, async |write| {
            assert_eq!(write.remove_ended_offers(at(101), 10).await.expect("removed"), 1);
        }).await;
        assert_eq!(store.read().await.expect("a view").list_every_offer().await.expect("listed"), [again]);
    }

    /// An offer is not made to an account that was created later, even if that takes the handle.
    async fn an_offer_is_not_for_later_accounts(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, ops) = member(&store, &mut rng).await;
        let made = offer(&mut rng, ops.id, "bob", &ada);
        change(&store, &mut rng, async |write| write.put_offer(&made).await.expect("made")).await;
        let read = store.read().await.expect("a view");
        for (created_at, offers) in [(at(9), 1), (at(10), 0), (at(11), 0)] {
            let bob = Account { created_at, ..account(&mut rng, "bob") };
            assert_eq!(read.list_offers_to(&bob).await.expect("listed").len(), offers, "{created_at}");
        }
        assert_eq!(read.list_offers_to(&ada).await.expect("listed").len(), 0);
    }

    /// An offer ends when its account is given a role, and when its maker or its org goes.
    async fn offers_end_with_their_maker_or_org(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, ops) = member(&store, &mut rng).await;
        let (bob, dev) = (account(&mut rng, "bob"), org(&mut rng, "dev"));
        change(&store, &mut rng, async |write| {
            write.insert_account(&bob).await.expect("inserted").expect("free");
            write.insert_org(&dev).await.expect("inserted").expect("free");
        }).await;
        let here = offer(&mut rng, ops.id, "bob", &ada);
        let there = Offer { id: id(OfferId::new(at(0), &mut rng)), org: dev.id, ..here.clone() };
        let make = async |rng: &mut ChaCha20Rng| {
            change(&store, rng, async |write| {
                for made in [&here, &there] {
                    write.put_offer(made).await.expect("made");
                }
            }).await;
        };
        let left = async || (offered(&store, ops.id).await.len(), offered(&store, dev.id).await.len());
        make(&mut rng).await;
        change(&store, &mut rng, async |write| {
            assert_eq!(write.set_role(bob.id, ops.id, Role::Ro).await.expect("set"), Some(here.id));
            assert_eq!(write.set_role(bob.id, ops.id, Role::Rw).await.expect("set"), None);
        }).await;
        assert_eq!(left().await, (0, 1));
        make(&mut rng).await;
        change(&store, &mut rng, async |write| {
            let _ = write.set_role(ada.id, ops.id, Role::Admin).await.expect("set");
        }).await;
        assert_eq!(left().await, (1, 1), "an admin's stay");
        change(&store, &mut rng, async |write| {
            let _ = write.set_role(ada.id, ops.id, Role::Rw).await.expect("set");
        }).await;
        assert_eq!(left().await, (0, 1), "the maker is no admin any more");
        make(&mut rng).await;
        change(&store, &mut rng, async |write| write.remove_member(ada.id, ops.id).await.expect("removed")).await;
        assert_eq!(left().await, (0, 1), "the maker is gone");
        make(&mut rng).await;
        change(&store, &mut rng, async |write| write.delete_org(dev.id).await.expect("deleted")).await;
        assert_eq!(left().await, (1, 0), "the org is gone");
        make(&mut rng).await;
        change(&store, &mut rng, async |write| write.set_account_disabled(ada.id, None).await.expect("enabled")).await;
        assert_eq!(left().await, (1, 1));
        change(&store, &mut rng, async |write| write.set_account_disabled(ada.id, Some(at(1))).await.expect("disabled")).await;
        assert_eq!(left().await, (0, 0), "the maker is disabled");
        make(&mut rng).await;
        change(&store, &mut rng, async |write| write.end_offer(here.id).await.expect("ended")).await;
        assert_eq!(left().await, (0, 1));
        change(&store, &mut rng, async |write| write.end_every_offer().await.expect("ended")).await;
        assert_eq!(left().await, (0, 0));
    }

    /// One statement finds a member by handle: for an account that is not a member and for an unknown handle
    /// it returns nothing alike.
    async fn a_member_is_found_by_handle(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, ops) = member(&store, &mut rng).await;
        let bob = account(&mut rng, "bob");
        change(&store, &mut rng, async |write| write.insert_account(&bob).await.expect("inserted").expect("free")).await;
        let found = async |handle: &str| {
            let handle = handle.parse().expect("a handle");
            store.read().await.expect("a view").find_member(ops.id, &handle).await.expect("read").map(|(account, member)| (account, member.role))
        };
        assert_eq!(found("ada").await, Some((ada.clone(), Role::Rw)));
        assert_eq!((found("bob").await, found("nobody").await), (None, None));
        change(&store, &mut rng, async |write| write.remove_member(ada.id, ops.id).await.expect("removed")).await;
        assert_eq!(found("ada").await, None);
    }
}
