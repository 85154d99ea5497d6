//! A server that is killed with SIGKILL at any moment loses no acknowledged change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ndauth_core::{Head, Reason, Secret};
use ndauth_proto::v1::{self, validate_token_response::Outcome};
use ndauth_store::Clock;
use tokio::task::JoinSet;

use crate::installation::Running;
use crate::on_both;
use crate::requests::{new_token, revoke};

/// The acknowledged state of each token by name: its secret, and true if it was revoked.
type Ledger = BTreeMap<String, (String, bool)>;

/// Creates tokens and revokes most of them until the server is gone. Returns the acknowledged state.
async fn create_and_revoke(
    server: &Running,
    session: &Secret,
    worker: usize,
    round: usize,
    acknowledged: Arc<AtomicUsize>,
) -> JoinSet<Ledger> {
    let client = server.client(session).await;
    let mut work = JoinSet::new();
    work.spawn(async move {
        let mut ledger = Ledger::new();
        for n in 0.. {
            let name = format!("r{round} w{worker} t{n}");
            let Ok(made) = client.create_token(new_token(&name)).await else { return ledger };
            acknowledged.fetch_add(1, Ordering::SeqCst);
            ledger.insert(name.clone(), (made.secret, false));
            // A few stay alive. With the ones that a kill leaves behind, they are fewer than an account may
            // have.
            if n == 0 && round < 2 {
                continue;
            }
            match client.revoke_token(revoke(&name)).await {
                Ok(_) => {
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                    ledger.entry(name).and_modify(|(_, revoked)| *revoked = true);
                }
                // The outcome is unknown: nothing was acknowledged.
                Err(_) => {
                    ledger.remove(&name);
                    return ledger;
                }
            }
        }
        ledger
    });
    work
}

on_both! {
    async fn nothing_acknowledged_is_lost_by_a_kill(at: &Installation) {
        at.people();
        let (session, service) = (at.session(), at.service());
        let mut ledger = Ledger::new();
        for round in 0..6 {
            let server = at.serve();
            let mut workers = Vec::new();
            let acknowledged = Arc::new(AtomicUsize::new(0));
            for worker in 0..3 {
                workers.push(create_and_revoke(&server, &session, worker, round, Arc::clone(&acknowledged)).await);
            }
            while acknowledged.load(Ordering::SeqCst) < 15 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // The kill comes at a different moment in each round.
            tokio::time::sleep(Duration::from_micros(700 * round as u64)).await;
            server.kill();
            for mut worker in workers {
                ledger.extend(worker.join_next().await.expect("a worker").expect("it ends"));
            }
        }
        let revoked = ledger.values().filter(|(_, revoked)| *revoked).count();
        assert!(revoked > 20 && ledger.len() > revoked, "much was acknowledged: {revoked} of {}", ledger.len());

        let server = at.serve();
        let client = server.client(&service).await;
        for (name, (secret, revoked)) in &ledger {
            let request = v1::ValidateTokenRequest {
                secret: secret.clone(),
                required_access: v1::Access::Identity.into(),
                ..Default::default()
            };
            let answer = client.validate_token(request).await.expect("decided");
            let refused = match answer.outcome.expect("an outcome") {
                Outcome::Allowed(_) => None,
                Outcome::Refused(refused) => ndauth_proto::reason_from_proto(refused.reason),
            };
            assert_eq!(refused, revoked.then_some(Reason::TokenRevoked), "{name}");
        }
        let store = at.scratch.store(Clock::Database).await;
        let read = store.read().await.expect("a view");
        let events = read.events_after(0, 1_000_000).await.expect("the log");
        let end = events.iter().try_fold(Head::EMPTY, |head, event| {
            event.follows(&head).then_some(Head { sequence: event.sequence, hash: event.hash })
        });
        assert_eq!(end, Some(read.head()), "the chain holds to its end");
    }
}
