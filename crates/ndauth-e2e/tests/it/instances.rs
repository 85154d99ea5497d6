//! Several instances on one PostgreSQL, each behind a proxy that injects faults: a change at one instance is
//! in force at all within the bound, or they report that they cannot decide.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ndauth_client::Client;
use ndauth_core::{Reason, Secret};
use ndauth_e2e::proxy::{FaultScope, Proxy, Treatment};
use ndauth_proto::v1::{self, validate_token_response::Outcome};
use ndauth_store::{DatabaseUrl, Engine};
use rustix::process::Signal;

use crate::front::{call, framed, raw};
use crate::installation::{Installation, Running, soon};
use crate::outages::head_queries;
use crate::requests::{new_token, revoke, token_with};

/// The freshness bound of the instances, small so that the tests are quick.
pub(crate) const BOUND: Duration = Duration::from_millis(500);

/// An instance, and the proxy between it and its database.
pub(crate) struct Instance {
    pub(crate) server: Running,
    pub(crate) proxy: Proxy,
}

/// Several instances on one database.
pub(crate) struct Cluster {
    pub(crate) at: Installation,
    pub(crate) instances: Vec<Instance>,
    pub(crate) service: Secret,
    session: Secret,
}

/// The connection of the mirror's reader, and the connection that receives notifications of changes.
pub(crate) const READER: FaultScope = FaultScope::Said("ndauth mirror");
const LISTENER: FaultScope = FaultScope::Said("LISTEN \"ndauth_head\"");

impl Cluster {
    pub(crate) async fn of(count: usize) -> Cluster {
        Cluster::on(Installation::new(Engine::Postgres).await, count).await
    }

    pub(crate) async fn on(at: Installation, count: usize) -> Cluster {
        at.people();
        let (service, session) = (at.service(), at.session());
        let mut instances = Vec::new();
        for _ in 0..count {
            instances.push(Cluster::start(&at).await);
        }
        Cluster { at, instances, service, session }
    }

    async fn start(at: &Installation) -> Instance {
        let bound = format!("{}ms", BOUND.as_millis());
        Cluster::start_with(at, &["--freshness-bound", &bound]).await
    }

    pub(crate) async fn start_with(at: &Installation, more: &[&str]) -> Instance {
        let DatabaseUrl::Postgres(url) = &at.scratch.url else { panic!("PostgreSQL") };
        let host = url.split('@').nth(1).and_then(|rest| rest.split('/').next()).expect("a host");
        let real: SocketAddr = host.parse().expect("an address");
        let proxy = Proxy::before(real).await;
        let mut command = at.command("NDAUTH_TEST_NDAUTHD");
        command.env("NDAUTHD_DATABASE", url.replace(host, &proxy.address.to_string()));
        let server = at.serve_as(command, more);
        Instance { server, proxy }
    }

    pub(crate) async fn asks(&self, instance: usize) -> Asker {
        Asker(self.instances[instance].server.client(&self.service).await)
    }

    pub(crate) async fn owner(&self, instance: usize) -> Client {
        self.instances[instance].server.client(&self.session).await
    }
}

/// A service's client that validates at one instance.
#[derive(Clone)]
pub(crate) struct Asker(pub(crate) Client);

impl Asker {
    /// Returns the reason for which a secret may not write in `ops`: `Ok(None)` if it may, and an error if
    /// the instance cannot decide.
    pub(crate) async fn refused(&self, secret: &str) -> Result<Option<Reason>, Reason> {
        let request = v1::ValidateTokenRequest {
            secret: secret.to_owned(),
            org: "ops".to_owned(),
            required_access: v1::Access::Rw.into(),
            ..Default::default()
        };
        let answer = self.0.validate_token(request).await.map_err(|problem| problem.reason)?;
        Ok(match answer.outcome.expect("an outcome") {
            Outcome::Allowed(_) => None,
            Outcome::Refused(refused) => ndauth_proto::reason_from_proto(refused.reason),
        })
    }
}

/// Validates repeatedly for three times the bound. Fails if a request that was sent later than the bound is
/// still allowed. Returns the last answer.
pub(crate) async fn assert_not_allowed_after_bound(
    refused: impl AsyncFn() -> Result<Option<Reason>, Reason>,
    since: Instant,
    what: &str,
) -> Result<Option<Reason>, Reason> {
    loop {
        let asked = since.elapsed();
        let answer = refused().await;
        assert!(answer != Ok(None) || asked <= BOUND, "{what}: allowed {asked:?} after it was revoked");
        if asked > BOUND * 3 {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_at_one_instance_is_in_force_at_all() {
    let cluster = Cluster::of(3).await;
    let (owner, asker) = (cluster.owner(0).await, cluster.asks(1).await);
    for round in 0..40 {
        let name = format!("t{round}");
        let secret = owner.create_token(new_token(&name)).await.expect("made").secret;
        // The secret is never unknown, although another instance has only just created it.
        assert_eq!(asker.refused(&secret).await, Ok(None), "round {round}");
        owner.revoke_token(revoke(&name)).await.expect("revoked");
        let since = Instant::now();
        // The name is free at once, and names only the new token.
        let again = owner.create_token(new_token(&name)).await.expect("made again").secret;
        assert_eq!(asker.refused(&again).await, Ok(None), "round {round}");
        // An instance that knows the newer token knows that the older one is revoked.
        assert_eq!(
            asker.refused(&secret).await,
            Ok(Some(Reason::TokenRevoked)),
            "round {round}: {:?}",
            since.elapsed()
        );
        owner.revoke_token(revoke(&name)).await.expect("revoked");
    }
}

/// Every way to take power away, through every listener.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_08_every_way_to_take_power_reaches_every_instance() {
    let cluster = Cluster::of(3).await;
    let at = &cluster.at;
    let owner = cluster.owner(0).await;
    let mut askers = Vec::new();
    for instance in 0..3 {
        askers.push(cluster.asks(instance).await);
    }
    let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
    let everywhere = async |expected: Option<Reason>| {
        for asker in &askers {
            soon(&Ok(expected), async || asker.refused(&secret).await).await;
        }
    };
    everywhere(None).await;
    for (take, reason, give) in [
        ("member set ops ada RO", Reason::RoleTooLow, "member set ops ada RW"),
        ("member remove ops ada", Reason::NotAMember, "member set ops ada RW"),
        ("account disable ada", Reason::AccountDisabled, "account enable ada"),
        ("service revoke registry --yes", Reason::ServiceRevoked, ""),
    ] {
        at.run_admin(take);
        for asker in &askers {
            soon(&true, async || {
                let answer = asker.refused(&secret).await;
                answer == Ok(Some(reason)) || answer == Err(reason)
            })
            .await;
        }
        if !give.is_empty() {
            at.run_admin(give);
            everywhere(None).await;
        }
    }
}

/// Faults between an instance and its database: the affected connections, and true if the instance can still
/// decide.
const FAULTS: [(&str, FaultScope, Treatment, bool); 10] = [
    ("nothing", FaultScope::All, Treatment::Fair, true),
    ("LISTEN cut", LISTENER, Treatment::Cut, true),
    ("LISTEN muted", LISTENER, Treatment::Muted, true),
    ("LISTEN swallowed", LISTENER, Treatment::Swallowed, true),
    ("the reader late", READER, Treatment::Late(Duration::from_millis(20)), true),
    ("the reader muted", READER, Treatment::Muted, false),
    ("the reader swallowed", READER, Treatment::Swallowed, false),
    ("the reader cut", READER, Treatment::Cut, false),
    ("all swallowed", FaultScope::All, Treatment::Swallowed, false),
    ("all cut", FaultScope::All, Treatment::Cut, false),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_is_never_later_than_the_bound_whatever_fails() {
    let cluster = Cluster::of(2).await;
    let (owner, asker) = (cluster.owner(0).await, cluster.asks(1).await);
    let proxy = &cluster.instances[1].proxy;
    for (what, which, treatment, knows) in FAULTS {
        let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
        let good = owner.create_token(new_token("good")).await.expect("made").secret;
        soon(&Ok(None), async || asker.refused(&secret).await).await;
        proxy.treat(which, treatment);
        tokio::time::sleep(Duration::from_millis(20)).await;
        owner.revoke_token(revoke("ci")).await.expect("revoked");
        let last =
            assert_not_allowed_after_bound(async || asker.refused(&secret).await, Instant::now(), what).await;
        let expected = if knows { Ok(Some(Reason::TokenRevoked)) } else { Err(Reason::Unavailable) };
        assert_eq!(last, expected, "{what}");
        // A good secret is never refused.
        let answer = asker.refused(&good).await;
        assert!(answer == Ok(None) || answer == Err(Reason::Unavailable), "{what}: {answer:?}");
        proxy.clear_faults();
        let begun = Instant::now();
        while asker.refused(&good).await != Ok(None) {
            assert!(begun.elapsed() < Duration::from_secs(5), "{what}: it comes back by itself");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(asker.refused(&secret).await, Ok(Some(Reason::TokenRevoked)), "{what}");
        owner.revoke_token(revoke("good")).await.expect("revoked");
    }
}

/// An instance that is paused, as by a debugger or a suspended machine, resumes with a stale mirror.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_instance_does_not_answer_from_its_stale_mirror() {
    let cluster = Cluster::of(2).await;
    let (owner, asker) = (cluster.owner(0).await, cluster.asks(1).await);
    for round in 0..3 {
        let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
        soon(&Ok(None), async || asker.refused(&secret).await).await;
        cluster.instances[1].server.signal(Signal::STOP);
        owner.revoke_token(revoke("ci")).await.expect("revoked");
        tokio::time::sleep(BOUND + Duration::from_millis(100)).await;
        // The request arrives during the pause, and is answered afterwards.
        let asking = tokio::spawn({
            let (asker, secret) = (asker.clone(), secret.clone());
            async move { asker.refused(&secret).await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        cluster.instances[1].server.signal(Signal::CONT);
        let answer = asking.await.expect("answered");
        assert_ne!(answer, Ok(None), "round {round}");
        soon(&Ok(Some(Reason::TokenRevoked)), async || asker.refused(&secret).await).await;
    }
}

/// The classic race: a look-up begins before a revocation and ends after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_09_no_answer_from_before_a_revocation_comes_after_it() {
    let cluster = Cluster::of(2).await;
    let owner = cluster.owner(0).await;
    cluster.instances[1].proxy.treat(READER, Treatment::Late(Duration::from_millis(5)));
    let mut rounds = Vec::new();
    for round in 0..60 {
        let secret = owner.create_token(new_token(&format!("t{round}"))).await.expect("made").secret;
        let asker = cluster.asks(1).await;
        let (sender, receiver) = tokio::sync::watch::channel(None::<Instant>);
        rounds.push(tokio::spawn(async move {
            let mut answers = 0;
            loop {
                let revoked = *receiver.borrow();
                let late = revoked.is_some_and(|at| at.elapsed() > BOUND);
                let answer = asker.refused(&secret).await;
                assert!(!(late && answer == Ok(None)), "round {round}: allowed after the bound");
                answers += 1;
                if revoked.is_some_and(|at| at.elapsed() > BOUND + Duration::from_millis(200)) {
                    return answers;
                }
                tokio::time::sleep(Duration::from_millis(4)).await;
            }
        }));
        owner.revoke_token(revoke(&format!("t{round}"))).await.expect("revoked");
        sender.send_replace(Some(Instant::now()));
    }
    let mut answers = 0;
    for round in rounds {
        answers += round.await.expect("it ends well");
    }
    assert!(answers > 2000, "it was asked often: {answers}");
}

/// An expired token is refused at its instant, without any cleanup.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_10_what_expires_is_refused_at_its_instant() {
    let cluster = Cluster::of(2).await;
    let (owner, asker) = (cluster.owner(0).await, cluster.asks(1).await);
    let lifetime = Duration::from_secs(61);
    let ends = ndauth_core::ExpiryChoice::In(ndauth_core::Lifetime::For(lifetime));
    let request = token_with("short", |new| new.expiry = Some(ndauth_proto::expiry_choice_to_proto(ends)));
    let secret = owner.create_token(request).await.expect("made").secret;
    assert_eq!(asker.refused(&secret).await, Ok(None));
    // The clock cannot be set here, so the expiry is moved in the database, without an event. Only the
    // answer's maximum cache age bounds the delay.
    let made = Instant::now();
    let request = v1::ValidateTokenRequest {
        secret: secret.clone(),
        required_access: v1::Access::Identity.into(),
        ..Default::default()
    };
    let answer = asker.0.validate_token(request).await.expect("decided");
    let age: Duration = answer.max_cache_age.expect("an age").try_into().expect("a duration");
    assert!(age <= BOUND && made.elapsed() < lifetime, "{age:?}");
    let store = cluster.at.scratch.store(ndauth_store::Clock::Database).await;
    let ends = store.read().await.expect("a view").now().micros() + 1_500_000;
    ndauth_store::testing::execute(
        &store,
        &format!("UPDATE token SET expires_at = {ends} WHERE name = 'short'"),
    )
    .await;
    // An instance that starts now reads the new expiry.
    let late = Cluster::start(&cluster.at).await;
    let asker = Asker(late.server.client(&cluster.service).await);
    let begun = Instant::now();
    let mut allowed = 0;
    let refused = loop {
        match asker.refused(&secret).await {
            Ok(None) => allowed += 1,
            other => break other,
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "it ends");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(refused, Ok(Some(Reason::TokenExpired)));
    assert!(allowed > 0, "it lived before");
}

/// Instances that are killed and restarted have forgotten nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_12_what_is_revoked_stays_so_when_all_instances_die() {
    let mut cluster = Cluster::of(2).await;
    let owner = cluster.owner(0).await;
    let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
    owner.revoke_token(revoke("ci")).await.expect("revoked");
    for instance in cluster.instances.drain(..) {
        instance.server.kill();
    }
    let reborn = Cluster::start(&cluster.at).await;
    let asker = Asker(reborn.server.client(&cluster.service).await);
    assert_eq!(asker.refused(&secret).await, Ok(Some(Reason::TokenRevoked)));
}

/// The requests that wait share one query to the database, however many they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_requests_share_one_query() {
    let cluster = Cluster::of(1).await;
    let asker = cluster.asks(0).await;
    let server = &cluster.instances[0].server;
    let (before, begun) = (head_queries(server), Instant::now());
    let mut asking = Vec::new();
    for _ in 0..64 {
        let asker = asker.clone();
        asking.push(tokio::spawn(async move {
            for _ in 0..25 {
                let unknown =
                    Secret::mint(ndauth_core::SecretKind::Personal, &mut rand::rngs::SysRng).expect("drawn");
                assert_eq!(asker.refused(unknown.expose()).await, Ok(Some(Reason::SecretUnknown)));
            }
        }));
    }
    for one in asking {
        one.await.expect("it ends well");
    }
    let asked = head_queries(server) - before;
    let most = begun.elapsed().as_millis() as u64 / 5 + 10;
    assert!(asked <= most && asked < 800, "{asked} head questions for 1600 unknown secrets, at most {most}");
}

/// The stale grace, which an operator may allow: reads continue without the database, for a limited time and
/// for services only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_within_the_stale_grace_are_marked_stale() {
    const GRACE: Duration = Duration::from_secs(4);
    let at = Installation::new(Engine::Postgres).await;
    at.people();
    let (service, session) = (at.service(), at.session());
    let more = ["--freshness-bound", "500ms", "--stale-grace", "4s"];
    let Instance { server, proxy } = Cluster::start_with(&at, &more).await;
    let owner = server.client(&session).await;
    let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
    let client = server.client(&service).await;
    let ask = async |access: v1::Access, action: &str, secret: &str| {
        let permission = (!action.is_empty()).then(|| v1::Permission {
            action: action.to_owned(),
            resource_type: "assets".to_owned(),
            resource_id: "*".to_owned(),
        });
        let request = v1::ValidateTokenRequest {
            secret: secret.to_owned(),
            org: "ops".to_owned(),
            required_access: access.into(),
            required_permission: permission,
            ..Default::default()
        };
        let answer = client.validate_token(request).await.map_err(|problem| problem.reason)?;
        Ok((matches!(answer.outcome, Some(Outcome::Allowed(_))), answer.stale))
    };
    assert_eq!(ask(v1::Access::Ro, "", &secret).await, Ok((true, false)));
    assert_eq!(ask(v1::Access::Ro, "write", &secret).await, Ok((true, false)));
    let token = server.client(&secret.parse().expect("a secret")).await;
    token.who_am_i().await.expect("it is known");
    proxy.treat(FaultScope::All, Treatment::Cut);
    let cut = Instant::now();
    soon(&Ok((true, true)), async || ask(v1::Access::Ro, "", &secret).await).await;
    assert_eq!(ask(v1::Access::Ro, "read", &secret).await, Ok((true, true)));
    // Writes are never answered from the stale mirror: the action alone can require write access.
    for (access, action) in [(v1::Access::Rw, ""), (v1::Access::Rw, "read"), (v1::Access::Ro, "write")] {
        assert_eq!(ask(access, action, &secret).await, Err(Reason::Unavailable), "{access:?} {action}");
    }
    // An unknown secret may have been created in the meantime.
    let unknown = Secret::mint(ndauth_core::SecretKind::Personal, &mut rand::rngs::SysRng).expect("drawn");
    assert_eq!(ask(v1::Access::Ro, "", unknown.expose()).await, Err(Reason::Unavailable));
    // ndauth's own API has no stale grace.
    assert_eq!(token.who_am_i().await.map(drop).map_err(|problem| problem.reason), Err(Reason::Unavailable));
    // The grace ends on time.
    while cut.elapsed() < BOUND + GRACE {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ask(v1::Access::Ro, "", &secret).await, Err(Reason::Unavailable));
    proxy.clear_faults();
    soon(&Ok((true, false)), async || ask(v1::Access::Rw, "", &secret).await).await;
}

/// An older copy of the database appears beneath a running instance: it forgets nothing, and reports that it
/// waits for the operator.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_does_not_serve_an_older_copy_of_its_log() {
    let cluster = Cluster::of(1).await;
    let (owner, asker) = (cluster.owner(0).await, cluster.asks(0).await);
    let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
    owner.revoke_token(revoke("ci")).await.expect("revoked");
    assert_eq!(asker.refused(&secret).await, Ok(Some(Reason::TokenRevoked)));
    let export = cluster.at.home().join("events.jsonl");
    std::fs::write(&export, cluster.at.run_admin("events export")).expect("written");
    let store = cluster.at.scratch.store(ndauth_store::Clock::Database).await;
    ndauth_store::testing::undo_last_revocation(&store).await;
    let since = Instant::now();
    loop {
        match asker.refused(&secret).await {
            Err(Reason::Unavailable) => break,
            answer => assert_eq!(answer, Ok(Some(Reason::TokenRevoked)), "it is not forgotten"),
        }
        assert!(since.elapsed() < BOUND * 2, "it is noticed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let server = &cluster.instances[0].server;
    soon(&503, async || server.get("/readyz").0).await;
    cluster.at.run_admin(&format!("after-restore --replay {}", export.display()));
    soon(&Ok(Some(Reason::TokenRevoked)), async || asker.refused(&secret).await).await;
    soon(&200, async || server.get("/readyz").0).await;
}

/// A caller with a deadline gets a response at its deadline, even if the database hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_past_its_deadline_fails_with_deadline_exceeded() {
    let at = Installation::new(Engine::Postgres).await;
    let service = format!("Bearer {}", at.service().expose());
    let Instance { server, proxy } = Cluster::start_with(&at, &["--freshness-bound", "30s"]).await;
    let mut client = raw(&server).await;
    proxy.treat(FaultScope::All, Treatment::Swallowed);
    let unknown = Secret::mint(ndauth_core::SecretKind::Personal, &mut rand::rngs::SysRng).expect("drawn");
    let headers =
        [("content-type", "application/grpc"), ("authorization", &*service), ("grpc-timeout", "300m")];
    let begun = Instant::now();
    let path = "/ndauth.v1.ValidationService/ValidateToken";
    let (headers, _) = call(&mut client, path, &headers, &framed(unknown.expose())).await.expect("answered");
    assert_eq!(headers["grpc-status"], "4", "{headers:?}");
    assert!(begun.elapsed() >= Duration::from_millis(300) && begun.elapsed() < Duration::from_secs(2));
}
