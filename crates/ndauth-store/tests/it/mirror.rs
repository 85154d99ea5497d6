use ndauth_core::{Networks, Orgs};
use ndauth_store::testing::execute;

use crate::on_both;
use crate::world::{account, add_token, any_event, member, open, token};

on_both! {
    /// For any length of run, each token is read once, in order, with all its restrictions, and a corrupt one
    /// is reported apart.
    async fn tokens_are_read_run_by_run(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, ops) = member(&store, &mut rng).await;
        let write = store.write("test").await.expect("a change begins");
        let mut made = Vec::new();
        for n in 0..7 {
            let mut token = token(&mut rng, &ada, &format!("t{n}"));
            if n % 2 == 1 {
                token.orgs = Orgs::only([ops.id]).expect("orgs");
                token.networks = Networks::only(["10.0.0.0/8".parse().expect("a network")]).expect("networks");
            }
            let hash = add_token(&write, &mut rng, &token).await;
            made.push((token, hash));
        }
        write.commit(&any_event(&mut rng)).await.expect("committed");
        execute(&store, "UPDATE token SET all_orgs = FALSE WHERE name = 't4'").await;
        let bad = made.remove(4).1;
        made.sort_by_key(|(token, _)| token.id);
        let read = store.read().await.expect("a view");
        for limit in 1..=9_u64 {
            let (mut after, mut sound, mut broken) = (None, Vec::new(), Vec::new());
            while let Some(page) = read.next_tokens(after, limit).await.expect("read") {
                assert!(page.read.sound.len() + page.read.broken.len() <= limit as usize, "{limit}");
                let mut found: Vec<_> = page.read.sound.into_iter().map(|kin| (kin.of, kin.secrets)).collect();
                found.sort_by_key(|(token, _)| token.id);
                assert!(found.iter().all(|(token, _)| after < Some(token.id) && token.id <= page.last), "{limit}");
                after = Some(page.last);
                sound.extend(found.into_iter().map(|(token, secrets)| {
                    assert_eq!(secrets.len(), 1);
                    (token, secrets[0].0)
                }));
                broken.extend(page.read.broken);
            }
            assert_eq!(sound, made, "{limit}");
            assert_eq!(broken, [bad], "{limit}");
        }
    }

    async fn accounts_are_read_run_by_run(scratch: &Scratch) {
        let (store, _, mut rng) = open(scratch).await;
        let (ada, ops) = member(&store, &mut rng).await;
        let write = store.write("test").await.expect("a change begins");
        let mut people = vec![ada.id];
        for n in 0..4 {
            let somebody = account(&mut rng, &format!("u{n}"));
            write.insert_account(&somebody).await.expect("inserted").expect("free");
            people.push(somebody.id);
        }
        write.commit(&any_event(&mut rng)).await.expect("committed");
        people.sort();
        let read = store.read().await.expect("a view");
        for limit in 1..=6_u64 {
            let (mut after, mut seen) = (None, Vec::new());
            while let Some(page) = read.next_accounts(after, limit).await.expect("read") {
                after = Some(page.last);
                let mut found = page.read.sound;
                assert!(found.len() <= limit as usize, "{limit}");
                found.sort_by_key(|person| person.account.id);
                for person in found {
                    let roles: Vec<_> = person.roles.iter().map(|(org, _)| *org).collect();
                    let own = if person.account.id == ada.id { vec![ops.id] } else { Vec::new() };
                    assert_eq!(roles, own);
                    seen.push(person.account.id);
                }
            }
            assert_eq!(seen, people, "{limit}");
        }
    }
}
