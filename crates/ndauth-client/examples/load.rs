//! A rough load, bounded in time: validations by a service, then tokens made and revoked by a session.
//!
//! ```sh
//! cargo run --release --package ndauth-client --example load -- URL NDSES NDSVC [SECONDS]
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ndauth_client::Client;
use ndauth_core::{ExpiryChoice, Grants, Networks, Orgs, Problem, Scope, Secret, Services};
use ndauth_proto::{
    expiry_choice_to_proto, grants_to_proto, networks_to_proto, orgs_to_proto, scope_to_proto,
    services_to_proto, v1,
};

const CONNECTIONS: usize = 4;
const STREAMS: usize = 8;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [url, session, service, rest @ ..] = words.as_slice() else {
        return Err("usage: load URL NDSES NDSVC [SECONDS]".into());
    };
    let seconds: u64 = rest.first().map_or(Ok(5), |text| text.parse())?;
    let limit = Duration::from_secs(seconds.min(60));
    let (url, session, service) = (url.parse()?, session.parse::<Secret>()?, service.parse::<Secret>()?);

    let owner = Client::connect(&url, Some(&session)).await?;
    let made = owner.create_token(new_token("load")).await?;
    let question = v1::ValidateTokenRequest {
        secret: made.secret,
        required_access: v1::Access::Identity.into(),
        ..Default::default()
    };
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(Client::connect(&url, Some(&service)).await?);
    }
    report("validate", limit, &clients, STREAMS, |client, _| {
        let (client, question) = (client.clone(), question.clone());
        async move { client.validate_token(question).await.map(drop) }
    })
    .await;
    report("create and revoke", limit, std::slice::from_ref(&owner), STREAMS, |client, n| {
        let client = client.clone();
        async move {
            let name = format!("load {n}");
            client.create_token(new_token(&name)).await?;
            client.revoke_token(by_name(&name)).await.map(drop)
        }
    })
    .await;
    owner.revoke_token(by_name("load")).await?;
    Ok(())
}

/// Repeats a call on each client, several at a time, and prints the number of successful calls per second.
async fn report<F>(
    what: &str,
    limit: Duration,
    clients: &[Client],
    streams: usize,
    call: impl Fn(&Client, u64) -> F,
) where
    F: Future<Output = Result<(), Problem>> + Send + 'static,
{
    let (number, done, failed) =
        (AtomicU64::new(0), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let begun = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    let start = |running: &mut tokio::task::JoinSet<()>, client: usize| {
        let n = number.fetch_add(1, Ordering::Relaxed);
        let (answer, done, failed) = (call(&clients[client], n), Arc::clone(&done), Arc::clone(&failed));
        running.spawn(async move {
            match answer.await {
                Ok(()) => done.fetch_add(1, Ordering::Relaxed),
                Err(_) => failed.fetch_add(1, Ordering::Relaxed),
            };
        });
    };
    for n in 0..clients.len() * streams {
        start(&mut running, n % clients.len());
    }
    let mut n = 0;
    while running.join_next().await.is_some() {
        if begun.elapsed() < limit {
            start(&mut running, n % clients.len());
            n += 1;
        }
    }
    let (done, failed) = (done.load(Ordering::Relaxed), failed.load(Ordering::Relaxed));
    let rate = done as f64 / begun.elapsed().as_secs_f64();
    println!("{what}: {rate:.0} a second ({done} done, {failed} failed)");
}

fn new_token(name: &str) -> v1::CreateTokenRequest {
    let token = v1::NewToken {
        name: name.to_owned(),
        scope: Some(scope_to_proto(Scope::Ro).into()),
        orgs: Some(orgs_to_proto(&Orgs::All)),
        grants: Some(grants_to_proto(&Grants::All)),
        expiry: Some(expiry_choice_to_proto(ExpiryChoice::PERSONAL)),
        services: Some(services_to_proto(&Services::All)),
        networks: Some(networks_to_proto(&Networks::All)),
        description: None,
        self_rotating_until: None,
        pending: false,
    };
    v1::CreateTokenRequest { owner: Some(v1::Whose::mine()), token: Some(token) }
}

fn by_name(name: &str) -> v1::RevokeTokenRequest {
    v1::RevokeTokenRequest {
        owner: Some(v1::Whose::mine()),
        which: Some(v1::Which::name(name)),
        reason: v1::RevocationReason::NoLongerNeeded.into(),
        note: None,
    }
}
