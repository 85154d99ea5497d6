use std::time::Duration;

use ndauth_core::{Account, AccountId, Expiry, Lifetime, MailId, NoticeKind, Token};
use ndauth_store::testing::execute;
use ndauth_store::{
    Duty, Engine, MOST_UNMAILED, Mail, MailOutcome, Notice, NoticePosition, SPAN, Store, Write,
};
use rand::rngs::ChaCha20Rng;
use uuid::Uuid;

use crate::on_both;
use crate::world::{add_token, any_event, at, id, member, open, token};

const MINUTE: i64 = 60_000_000;

fn notice(account: &Account, subject: u128) -> Notice {
    Notice {
        account: account.id,
        kind: NoticeKind::Created,
        subject: Uuid::from_u128(subject),
        occasion: 7,
        lead: Duration::ZERO,
        noticed_at: at(i64::try_from(subject).expect("small")),
    }
}

/// Observes something: a change without an event.
async fn observe<T>(store: &Store, work: impl AsyncFnOnce(&Write) -> T) -> T {
    let write = store.write("test").await.expect("a change begins");
    let done = work(&write).await;
    write.commit_observed().await.expect("committed");
    done
}

async fn mail_of(write: &Write, rng: &mut ChaCha20Rng, account: AccountId, most: u64) -> MailId {
    let made = id(MailId::new(write.now(), rng));
    write.make_mail(made, account, most).await.expect("made");
    made
}

fn subjects(mail: &Mail) -> Vec<u128> {
    mail.notices.iter().map(|notice| notice.subject.as_u128()).collect()
}

on_both! {
    async fn a_notice_is_kept_once_and_mailed_once(scratch: &Scratch) {
        let (store, clock, mut rng) = open(scratch).await;
        let (ada, _) = member(&store, &mut rng).await;
        observe(&store, async |write| {
            write.insert_notices(&[notice(&ada, 2), notice(&ada, 1)]).await.expect("noted");
            write.insert_notices(&[notice(&ada, 1), notice(&ada, 3)]).await.expect("noted");
        }).await;
        let read = store.read().await.expect("a view");
        assert!(read.has_mail_to_send().await.expect("read"));
        drop(read);
        let mail = observe(&store, async |write| {
            let ready = write.accounts_to_mail(10).await.expect("read");
            assert_eq!((ready.len(), ready[0].notices, ready[0].sent), (1, 3, 0));
            let first = mail_of(write, &mut rng, ada.id, 2).await;
            let ready = write.accounts_to_mail(10).await.expect("read");
            assert_eq!((ready[0].notices, ready[0].sent), (1, 1), "one that waits counts");
            let claimed = write.claim_mails(at(MINUTE), 10).await.expect("claimed");
            assert_eq!((claimed.len(), claimed[0].id), (1, first));
            claimed.into_iter().next().expect("one")
        }).await;
        assert_eq!(subjects(&mail), [1, 2], "the oldest first");
        assert_eq!(mail.notices[0], notice(&ada, 1));
        observe(&store, async |write| {
            assert!(write.claim_mails(at(2 * MINUTE), 10).await.expect("claimed").is_empty(), "it is claimed");
        }).await;
        clock.set(at(MINUTE));
        observe(&store, async |write| {
            let again = write.claim_mails(at(2 * MINUTE), 10).await.expect("claimed");
            assert_eq!(again, std::slice::from_ref(&mail), "a claim ends, and the mail is the same");
            write.postpone_mail(mail.id, at(5 * MINUTE), "no route", false).await.expect("postponed");
        }).await;
        let read = store.read().await.expect("a view");
        let state = read.outbox_state().await.expect("read");
        assert_eq!((state.waiting, state.oldest, state.problem.as_deref(), state.given_up), (1, Some(at(0)), Some("no route"), 0));
        assert!(read.has_mail_to_send().await.expect("read"), "the third notice");
        drop(read);
        clock.set(at(5 * MINUTE));
        observe(&store, async |write| {
            let again = write.claim_mails(at(6 * MINUTE), 10).await.expect("claimed");
            assert_eq!((again[0].attempts, subjects(&again[0])), (1, vec![1, 2]));
            write.settle_mail(mail.id, MailOutcome::Sent).await.expect("settled");
            // A late answer changes nothing.
            write.settle_mail(mail.id, MailOutcome::GivenUp).await.expect("settled");
            write.postpone_mail(mail.id, at(7 * MINUTE), "late", false).await.expect("postponed");
        }).await;
        observe(&store, async |write| {
            let ready = write.accounts_to_mail(10).await.expect("read");
            assert_eq!((ready[0].notices, ready[0].sent), (1, 1), "the rest may go now");
        }).await;
        let read = store.read().await.expect("a view");
        assert_eq!(read.outbox_state().await.expect("read"), ndauth_store::OutboxState::default());
        assert!(read.list_undelivered(ada.id).await.expect("listed").is_empty());
    }

    async fn no_more_mails_go_than_there_may_within_an_hour(scratch: &Scratch) {
        let (store, clock, mut rng) = open(scratch).await;
        let (ada, _) = member(&store, &mut rng).await;
        observe(&store, async |write| {
            for n in 1..=6 {
                write.insert_notices(&[notice(&ada, n)]).await.expect("noted");
            }
            for n in 1..=5 {
                let mail = mail_of(write, &mut rng, ada.id, 1).await;
                assert_eq!(write.claim_mails(at(MINUTE), 10).await.expect("claimed").len(), 1, "{n}");
                write.settle_mail(mail, MailOutcome::Sent).await.expect("settled");
            }
            assert!(write.accounts_to_mail(10).await.expect("read").is_empty(), "five went");
        }).await;
        clock.set(at(i64::try_from(SPAN.as_micros()).expect("an hour")));
        assert!(store.read().await.expect("a view").has_mail_to_send().await.expect("read"));
    }

    /// An event that repeats takes one place. Of too many notices, the oldest that is not about security is left out.
    async fn a_flood_of_notices_leaves_out_the_least(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, _) = member(&store, &mut rng).await;
        let of = |kind, subject: u128, occasion| Notice { kind, occasion, ..notice(&ada, subject) };
        observe(&store, async |write| {
            for occasion in 1..=3 {
                let twice = [of(NoticeKind::Offer, 1, 10 * occasion), of(NoticeKind::Offer, 1, 10 * occasion + 1)];
                assert_eq!(write.insert_notices(&twice).await.expect("noted"), 0);
            }
            assert_eq!(write.accounts_to_mail(10).await.expect("read")[0].notices, 1, "the newest is told");
            write.insert_notices(&[of(NoticeKind::Revoked, 2, 4)]).await.expect("noted");
            let most = u128::from(MOST_UNMAILED);
            let many: Vec<Notice> = (3..most + 2).map(|n| of(NoticeKind::Rotated, n, 5)).collect();
            assert_eq!(write.insert_notices(&many).await.expect("noted"), 1);
            let mail = mail_of(write, &mut rng, ada.id, MOST_UNMAILED).await;
            let claimed = write.claim_mails(at(MINUTE), 10).await.expect("claimed");
            assert_eq!((claimed[0].id, claimed[0].notices.len() as u64), (mail, MOST_UNMAILED));
            let has = |kind| claimed[0].notices.iter().any(|notice| notice.kind == kind);
            assert!(has(NoticeKind::Revoked) && !has(NoticeKind::Offer), "what is about security stays");
        }).await;
    }

    async fn what_is_given_up_is_shown_and_what_is_old_is_removed(scratch: &Scratch) {
        let (store, clock, mut rng) = open(scratch).await;
        let (ada, _) = member(&store, &mut rng).await;
        observe(&store, async |write| {
            write.insert_notices(&[notice(&ada, 1), notice(&ada, 2)]).await.expect("noted");
            let mail = mail_of(write, &mut rng, ada.id, 9).await;
            write.postpone_mail(mail, at(1), "refused", true).await.expect("postponed");
            write.settle_mail(mail, MailOutcome::GivenUp).await.expect("settled");
        }).await;
        let read = store.read().await.expect("a view");
        let lost = read.list_undelivered(ada.id).await.expect("listed");
        assert_eq!((lost.len(), lost[0].notices, lost[0].problem.as_str()), (1, 2, "refused"));
        assert_eq!(read.outbox_state().await.expect("read").given_up, 1);
        let has_old = async |before| read.has_old_mail(before, at(0)).await.expect("read");
        assert!(!has_old(at(0)).await && has_old(at(1)).await);
        drop(read);
        clock.set(at(1));
        observe(&store, async |write| {
            assert_eq!(write.remove_old_mails(at(0), 10).await.expect("removed"), 0);
            assert_eq!(write.remove_old_mails(at(1), 10).await.expect("removed"), 1);
            assert!(write.accounts_to_mail(10).await.expect("read").is_empty(), "its notices are gone as well");
        }).await;
    }

    async fn one_instance_has_a_duty(scratch: &Scratch) {
        let (store, _, _) = open(scratch).await;
        let other = Store::connect(&scratch.url, ndauth_store::Clock::Database).await.expect("connected");
        let write = store.write("test").await.expect("begun");
        assert!(write.alone(Duty::Mail).await.expect("asked"));
        if store.engine() == Engine::Postgres {
            let second = other.write("test").await.expect("begun");
            assert!(!second.alone(Duty::Mail).await.expect("asked"));
            assert!(second.alone(Duty::TidyUp).await.expect("asked"), "each duty has a lock of its own");
        }
        drop(write);
        let second = other.write("test").await.expect("begun");
        assert!(second.alone(Duty::Mail).await.expect("asked"));
    }

    async fn ends_are_read_in_their_order(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, _) = member(&store, &mut rng).await;
        let write = store.write("test").await.expect("begun");
        let mut ids = Vec::new();
        for (name, ends) in [("a", 30), ("b", 10), ("c", 10), ("d", 40), ("e", 20)] {
            let made = Token { expires_at: Expiry::At(at(ends)), lifetime: Lifetime::For(Duration::from_micros(9)), ..token(&mut rng, &ada, name) };
            add_token(&write, &mut rng, &made).await;
            ids.push(made.id);
        }
        write.commit(&any_event(&mut rng)).await.expect("committed");
        execute(&store, "UPDATE token SET revoked_at = 5, live_name = NULL WHERE name = 'e'").await;
        let read = store.read().await.expect("a view");
        let begin = NoticePosition { number: at(10).micros() - 1, id: Uuid::max() };
        let (mut after, mut seen) = (begin, Vec::new());
        loop {
            let page = read.tokens_ending(after, at(30), 1).await.expect("read");
            let Some(last) = page.last() else { break };
            seen.push(last.id);
            after = NoticePosition { number: last.ends_at.micros(), id: last.id.uuid() };
        }
        ids[1..3].sort_unstable();
        assert_eq!(seen, [ids[1], ids[2], ids[0]], "a page at a time, also of those that end together");
        assert!(read.tokens_ending(NoticePosition::behind(at(30).micros()), at(30), 9).await.expect("read").is_empty());
    }

    async fn preferences_and_devices_are_kept(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, _) = member(&store, &mut rng).await;
        let off = [NoticeKind::Offer, NoticeKind::Rotated].into();
        observe(&store, async |write| {
            write.set_notices_off(ada.id, &[NoticeKind::Policy].into()).await.expect("set");
            write.set_notices_off(ada.id, &off).await.expect("set");
            write.remember_device(ada.id, &[5; 32]).await.expect("kept");
            write.remember_device(ada.id, &[5; 32]).await.expect("kept");
            write.set_notice_position("log", NoticePosition::behind(4)).await.expect("set");
            write.set_notice_position("log", NoticePosition::behind(6)).await.expect("set");
        }).await;
        let read = store.read().await.expect("a view");
        assert_eq!(read.notices_off(ada.id).await.expect("read"), off);
        assert!(read.knows_device(ada.id, &[5; 32]).await.expect("read"));
        assert!(!read.knows_device(ada.id, &[6; 32]).await.expect("read"));
        assert_eq!(read.notice_position("log").await.expect("read"), Some(NoticePosition::behind(6)));
        assert_eq!(read.notice_position("other").await.expect("read"), None);
        drop(read);
        observe(&store, async |write| assert_eq!(write.forget_devices(at(1)).await.expect("done"), 1)).await;
    }
}
