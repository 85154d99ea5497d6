//! The client library against real servers: it decides locally, is never later than the bound, and never
//! guesses.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ndauth_client::{
    Credentials, Ended, Figures, Permission, Reason, Requirement, Scope, Secret, ValidationRequest, Verdict,
    Verifier, VerifierOptions,
};
use ndauth_e2e::proxy::{FaultScope, Proxy, Treatment};
use ndauth_proto::v1::{self, validate_token_response::Outcome};
use ndauth_store::Engine;
use rustix::process::Signal;

use crate::installation::{Installation, Running, soon};
use crate::instances::{Asker, BOUND, Cluster, READER, assert_not_allowed_after_bound};
use crate::on_both;
use crate::requests::{list, new_token, revoke, token_with};

/// The default freshness bound.
const LONG_BOUND: Duration = Duration::from_secs(2);

/// Starts a service's verifier, and waits until it watches.
async fn verifier(servers: &[&str], service: &Secret) -> Verifier {
    let mut servers = servers.iter().map(|url| url.parse().expect("a URL"));
    let mut options = VerifierOptions::new(servers.next().expect("a server"), Credentials::given(service));
    options.others = servers.collect();
    let verifier = Verifier::start(options).expect("it starts");
    tokio::time::timeout(Duration::from_secs(10), verifier.ready()).await.expect("it is ready");
    verifier
}

async fn at(server: &Running, service: &Secret) -> Verifier {
    verifier(&[&server.url.to_string()], service).await
}

fn needs(org: &str, access: Scope, permission: Option<&str>) -> Requirement {
    let permission = permission.map(|text| text.parse::<Permission>().expect("a permission"));
    Requirement::Access { org: org.parse().expect("a slug"), access, permission }
}

/// Returns the reason for which a secret may not write in `ops`: `Ok(None)` if it may, and an error if the
/// verifier cannot decide.
async fn refused(verifier: &Verifier, secret: &str) -> Result<Option<Reason>, Reason> {
    why(verifier, secret, &needs("ops", Scope::Rw, None)).await
}

async fn why(verifier: &Verifier, secret: &str, requirement: &Requirement) -> Result<Option<Reason>, Reason> {
    match verifier.validate(secret, requirement).await {
        Ok(Verdict::Allowed(_)) => Ok(None),
        Ok(Verdict::Refused(refused)) => Ok(Some(refused.reason.expect("a known reason"))),
        Err(problem) => Err(problem.reason),
    }
}

on_both! {
    async fn a_cached_token_is_decided_locally(at: &Installation) {
        at.people();
        let server = at.serve();
        let owner = server.client(&at.session()).await;
        let service = at.service();
        let asking = server.client(&service).await;
        let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
        let verifier = self::at(&server, &service).await;
        assert_eq!(refused(&verifier, &secret).await, Ok(None));
        let questions = [
            needs("ops", Scope::Ro, None),
            needs("ops", Scope::Rw, Some("write:assets")),
            needs("ops", Scope::Rw, Some("approve:assets")),
            needs("ops", Scope::Ro, Some("fly:assets")),
            needs("dev", Scope::Ro, Some("read:assets:x")),
            needs("dev", Scope::Rw, None),
            Requirement::Identity,
        ];
        for requirement in &questions {
            // The verifier and the server decide alike.
            let here = why(&verifier, &secret, requirement).await;
            let request = ndauth_proto::requirement_to_proto(&secret, requirement, None).expect("a question");
            let there = asking.validate_token(request).await.expect("decided");
            let there = match there.outcome.expect("an outcome") {
                Outcome::Allowed(_) => None,
                Outcome::Refused(refused) => ndauth_proto::reason_from_proto(refused.reason),
            };
            assert_eq!(here, Ok(there), "{requirement:?}");
        }
        let Figures { local, asked, kept, resets, .. } = verifier.figures();
        assert_eq!((local, asked, kept, resets), (7, 1, 1, 1), "it asked once");
        // An org without a cached membership is requested, once.
        for _ in 0..3 {
            assert_eq!(why(&verifier, &secret, &needs("nowhere", Scope::Ro, None)).await, Ok(Some(Reason::NotAMember)));
        }
        assert_eq!(verifier.figures().asked, 2);
        at.run_admin("org create nowhere --admin ada");
        soon(&Ok(None), async || why(&verifier, &secret, &needs("nowhere", Scope::Ro, None)).await).await;
        // The verdict names the token and its owner, and the effective permissions.
        let Ok(Verdict::Allowed(allowed)) = verifier.validate(&secret, &needs("ops", Scope::Ro, None)).await else {
            panic!("allowed")
        };
        assert_eq!((allowed.token_name(), allowed.owner().to_string().as_str()), ("ci", "ada"));
        assert!(format!("{:?}", allowed.effective()).contains("access: Rw, role: Rw, grants: All"), "{allowed:?}");
        let asked = ValidationRequest { secret: &secret, requirement: &questions[0], client_address: None, client: None };
        assert!(!format!("{allowed:?} {asked:?} {verifier:?}").contains(&secret[12..]));
    }

    /// A resumption reaches a service as a revocation does: through the watch and not by the bound.
    async fn resumptions_reach_a_service_through_the_watch(at: &Installation) {
        at.people();
        let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--freshness-bound", "30s"]);
        let mut owner = server.client(&at.session()).await;
        let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
        let verifier = self::at(&server, &at.service()).await;
        soon(&Ok(None), async || refused(&verifier, &secret).await).await;
        let (whose, which) = (Some(v1::Whose::mine()), Some(v1::Which::name("ci")));
        let suspend = v1::SuspendTokenRequest { owner: whose.clone(), which: which.clone() };
        let resume = v1::ResumeTokenRequest { owner: whose, which };
        for round in 0..3 {
            owner.suspend_token(suspend.clone()).await.expect("suspended");
            soon(&Ok(Some(Reason::TokenSuspended)), async || refused(&verifier, &secret).await).await;
            let asked = verifier.figures().asked;
            assert_eq!(refused(&verifier, &secret).await, Ok(Some(Reason::TokenSuspended)));
            assert_eq!(verifier.figures().asked, asked, "round {round}: it is decided here");
            owner.resume_token(resume.clone()).await.expect("resumed");
            soon(&Ok(None), async || refused(&verifier, &secret).await).await;
            at.run_admin("account disable ada");
            soon(&Ok(Some(Reason::AccountDisabled)), async || refused(&verifier, &secret).await).await;
            at.run_admin("account enable ada");
            soon(&Ok(None), async || refused(&verifier, &secret).await).await;
            // A disabled account has to log in again.
            owner = server.client(&at.session()).await;
        }
        // A final refusal is cached, and the server is not asked again.
        owner.revoke_token(revoke("ci")).await.expect("revoked");
        soon(&Ok(Some(Reason::TokenRevoked)), async || refused(&verifier, &secret).await).await;
        let asked = verifier.figures().asked;
        for _ in 0..3 {
            assert_eq!(refused(&verifier, &secret).await, Ok(Some(Reason::TokenRevoked)));
        }
        assert!(verifier.figures().asked <= asked + 1);
    }

    /// An unknown secret is cached for no longer than the bound, and guesses evict no entry.
    async fn unknown_secrets_are_remembered_briefly(at: &Installation) {
        at.people();
        let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--freshness-bound", "500ms"]);
        let owner = server.client(&at.session()).await;
        let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
        let verifier = self::at(&server, &at.service()).await;
        assert_eq!(refused(&verifier, &secret).await, Ok(None));
        let guess = Secret::mint(ndauth_core::SecretKind::Personal, &mut rand::rngs::SysRng).expect("drawn");
        let before = verifier.figures().asked;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(1200) {
            assert_eq!(refused(&verifier, guess.expose()).await, Ok(Some(Reason::SecretUnknown)));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let asked = verifier.figures().asked - before;
        assert!((2..=8).contains(&asked), "it asked {asked} times in more than two bounds");
        for bad in ["", "x", &secret[..48], "ndses_9fefK0k0r4f1UgtpuUsNmC6Fu1W2cqhyY3rNdGb8tg4"] {
            assert!(matches!(verifier.validate(bad, &Requirement::Identity).await, Ok(Verdict::Refused(_))), "{bad}");
        }
        assert_eq!(verifier.figures().asked, before + asked, "these need no server");
        assert_eq!(refused(&verifier, &secret).await, Ok(None));
    }

    async fn uses_are_reported(at: &Installation) {
        at.people();
        let server = at.serve();
        let owner = server.client(&at.session()).await;
        let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
        let verifier = self::at(&server, &at.service()).await;
        let requirement = needs("ops", Scope::Ro, None);
        for address in ["192.0.2.1", "192.0.2.7"] {
            let client_address = Some(address.parse().expect("an address"));
            let question = ValidationRequest { secret: &secret, requirement: &requirement, client_address, client: None };
            assert!(verifier.decide(&question).await.expect("decided").is_allowed());
            // A use from another address is reported again, once a second.
            tokio::time::sleep(Duration::from_millis(1100)).await;
        }
        assert_eq!(verifier.figures().asked, 1);
        soon(&"192.0.2.7".to_owned(), async || {
            let listed = owner.list_tokens(list()).await.expect("listed");
            listed.tokens[0].last_use.as_ref().map(|last| last.address.clone()).unwrap_or_default()
        })
        .await;
    }

    /// A service receives and caches nothing about tokens that it may not validate.
    async fn a_service_of_one_org_sees_that_org_alone(at: &Installation) {
        at.people();
        at.run_admin("account create bob --email bob@example.org");
        at.run_admin("member set dev bob RW");
        let server = at.serve();
        let ours: Secret = at.run_admin("service create ours --org ops").parse().expect("a secret");
        let owner = server.client(&at.session()).await;
        let bob: Secret = at.run_admin("session issue bob").parse().expect("a secret");
        let bob = server.client(&bob).await;
        let (ada, bobs) = (
            owner.create_token(new_token("ci")).await.expect("made").secret,
            bob.create_token(new_token("ci")).await.expect("made").secret,
        );
        let asking = server.client(&ours).await;
        let resolve = async |secret: &str| {
            let question = ndauth_proto::requirement_to_proto(secret, &Requirement::Identity, None);
            let request = v1::ResolveRequest { question: Some(question.expect("a question")), at_least_sequence: 0 };
            asking.resolve(request).await.expect("decided").inputs
        };
        let inputs = resolve(&ada).await.expect("it may be kept");
        let slugs: Vec<&str> = inputs.places.iter().map(|place| place.slug.as_str()).collect();
        assert_eq!(slugs, ["ops"], "it learns nothing about `dev`");
        assert_eq!(resolve(&bobs).await, None, "who has no part in `ops` is nothing to keep");
        let verifier = self::at(&server, &ours).await;
        assert_eq!(refused(&verifier, &ada).await, Ok(None));
        for org in ["dev", "nowhere"] {
            let answer = why(&verifier, &ada, &needs(org, Scope::Ro, None)).await;
            assert_eq!(answer, Ok(Some(Reason::ServiceNotForOrg)));
        }
        // A token that is not cached is validated at the server each time, with the current result.
        for _ in 0..3 {
            assert_eq!(why(&verifier, &bobs, &Requirement::Identity).await, Ok(None));
        }
        bob.revoke_token(revoke("ci")).await.expect("revoked");
        assert_eq!(why(&verifier, &bobs, &Requirement::Identity).await, Ok(Some(Reason::TokenRevoked)));
        assert_eq!(verifier.figures().kept, 1);
        // Its owner's tokens are cached once he joins the org, and are not once he leaves.
        at.run_admin("member set ops bob RW");
        let bobs = bob.create_token(new_token("again")).await.expect("made").secret;
        soon(&Ok(None), async || refused(&verifier, &bobs).await).await;
        at.run_admin("member remove ops bob");
        soon(&Ok(Some(Reason::NotAMember)), async || refused(&verifier, &bobs).await).await;
    }

    /// Every way to take power away or give it back while an entry is in use.
    async fn sec_08_every_way_to_take_power_reaches_what_is_kept(at: &Installation) {
        at.people();
        let server = at.serve();
        let owner = server.client(&at.session()).await;
        let verifier = self::at(&server, &at.service()).await;
        let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
        let with = needs("ops", Scope::Rw, Some("write:assets"));
        let ask = async || why(&verifier, &secret, &with).await;
        soon(&Ok(None), &ask).await;
        let catalogue = at.home().join("catalogue.toml");
        let without = "[types.deployments]\ndescription = 'D'\n[types.deployments.actions.read]\nrole = 'RO'\ndescription = 'R'\n";
        std::fs::write(&catalogue, without).expect("written");
        for (take, reason, give) in [
            ("member set ops ada RO", Reason::RoleTooLow, "member set ops ada RW"),
            ("member remove ops ada", Reason::NotAMember, "member set ops ada RW"),
            ("account disable ada", Reason::AccountDisabled, "account enable ada"),
        ] {
            let asked = verifier.figures().asked;
            at.run_admin(take);
            soon(&Ok(Some(reason)), &ask).await;
            at.run_admin(give);
            soon(&Ok(None), &ask).await;
            assert!(verifier.figures().asked > asked, "{take}: it asked anew");
        }
        at.run_admin("org delete ops --yes");
        soon(&Ok(Some(Reason::OrgDeleted)), &ask).await;
        at.run_admin("org create new --admin ada");
        let mine = needs("new", Scope::Rw, Some("write:assets"));
        let ask = async || why(&verifier, &secret, &mine).await;
        soon(&Ok(None), &ask).await;
        at.run_admin(&format!("catalogue apply {}", catalogue.display()));
        soon(&Ok(Some(Reason::PermissionUnknown)), &ask).await;
        at.run_admin("service revoke registry --yes");
        soon(&Err(Reason::Unavailable), &ask).await;
    }

    /// The key of a cache entry omits nothing (SpiceDB GHSA-4vrg).
    async fn sec_41_each_question_has_its_own_answer(at: &Installation) {
        at.people();
        let server = at.serve();
        let owner = server.client(&at.session()).await;
        let network = ndauth_core::Networks::Only(["192.0.2.0/24".parse().expect("a network")].into());
        let request =
            token_with("ci", |new| new.networks = Some(ndauth_proto::networks_to_proto(&network)));
        let secret = owner.create_token(request).await.expect("made").secret;
        let verifier = self::at(&server, &at.service()).await;
        let other: Secret = at.run_admin("service create other").parse().expect("a secret");
        let other = self::at(&server, &other).await;
        let from = async |verifier: &Verifier, requirement: &Requirement, address: Option<&str>| {
            let client_address = address.map(|address| address.parse().expect("an address"));
            let question = ValidationRequest { secret: &secret, requirement, client_address, client: None };
            match verifier.decide(&question).await.expect("decided") {
                Verdict::Allowed(_) => None,
                Verdict::Refused(refused) => refused.reason,
            }
        };
        for _ in 0..2 {
            for (org, access, address, expected) in [
                ("ops", Scope::Rw, Some("192.0.2.1"), None),
                ("dev", Scope::Rw, Some("192.0.2.1"), Some(Reason::RoleTooLow)),
                ("dev", Scope::Ro, Some("192.0.2.1"), None),
                ("ops", Scope::Rw, Some("198.51.100.1"), Some(Reason::NetworkNotCovered)),
                ("ops", Scope::Rw, None, Some(Reason::AddressUnknown)),
            ] {
                let requirement = needs(org, access, None);
                assert_eq!(from(&verifier, &requirement, address).await, expected, "{org} {access} {address:?}");
                // The other service may not state client addresses, so its requests have none.
                assert_eq!(from(&other, &requirement, address).await, Some(Reason::AddressUnknown));
            }
        }
        assert_eq!(verifier.figures().asked, 1);
    }

    async fn a_long_stream_ends_with_its_token(at: &Installation) {
        at.people();
        let server = at.serve();
        let owner = server.client(&at.session()).await;
        let verifier = self::at(&server, &at.service()).await;
        let lives = async |name: &str, requirement: &Requirement| {
            let secret = owner.create_token(new_token(name)).await.expect("made").secret;
            for _ in 0..2 {
                verifier.validate(&secret, requirement).await.expect("decided");
            }
            let Ok(Verdict::Allowed(allowed)) = verifier.validate(&secret, requirement).await else { panic!("allowed") };
            allowed
        };
        let asks = needs("ops", Scope::Rw, None);
        let reads = needs("ops", Scope::Ro, None);
        let [revoked, demoted, goes_on] =
            [lives("a", &asks).await, lives("b", &asks).await, lives("c", &reads).await].map(|allowed| tokio::spawn(async move { (allowed.revoked().await, Instant::now()) }));
        let begun = Instant::now();
        owner.revoke_token(revoke("a")).await.expect("revoked");
        let (ended, when) = revoked.await.expect("it ends");
        assert!(matches!(ended, Ended::Refused(refused) if refused.reason == Some(Reason::TokenRevoked)));
        assert!(when - begun < Duration::from_secs(2));
        at.run_admin("member set ops ada RO");
        let (ended, _) = demoted.await.expect("it ends");
        assert!(matches!(ended, Ended::Refused(refused) if refused.reason == Some(Reason::RoleTooLow)));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!goes_on.is_finished(), "what still may goes on");
        server.kill();
        let (ended, _) = goes_on.await.expect("it ends");
        assert!(matches!(ended, Ended::Undecided(problem) if problem.reason == Reason::Unavailable));
    }

    /// A verifier resumes at its position after a restart of the server.
    async fn a_verifier_resumes_after_a_restart_of_the_server(at: &Installation) {
        at.people();
        let server = at.serve();
        let (session, service) = (at.session(), at.service());
        let listen = server.url.to_string().trim_start_matches("http://").to_owned();
        let owner = server.client(&session).await;
        let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
        // A new secret is returned before the mirror has its event; a watch sends the change once the mirror
        // has it.
        assert_eq!(Asker(server.client(&service).await).refused(&secret).await, Ok(None));
        let verifier = self::at(&server, &service).await;
        assert_eq!(refused(&verifier, &secret).await, Ok(None));
        server.signal(Signal::TERM);
        assert!(server.ended().success(), "who watches does not keep it");
        let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--listen", &listen]);
        let watches = async || verifier.figures().watches;
        soon(&2, watches).await;
        let before = verifier.figures();
        assert_eq!((before.resets, before.kept), (1, 1), "nothing is forgotten");
        assert_eq!(refused(&verifier, &secret).await, Ok(None));
        assert_eq!(verifier.figures().asked, before.asked, "it goes on");
        server.client(&session).await.revoke_token(revoke("ci")).await.expect("revoked");
        soon(&Ok(Some(Reason::TokenRevoked)), async || refused(&verifier, &secret).await).await;
    }
}

/// Faults between a service and its server, and true if the service can still decide.
const FAULTS: [(&str, Treatment, bool); 5] = [
    ("nothing", Treatment::Fair, true),
    ("late", Treatment::Late(Duration::from_millis(30)), true),
    ("muted", Treatment::Muted, false),
    ("swallowed", Treatment::Swallowed, false),
    ("cut", Treatment::Cut, false),
];

/// The client library reports what it lets pass in aggregate: every use, and no look of a long stream.
#[tokio::test]
async fn counts_of_use_are_right_within_a_minute() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    let owner = server.client(&at.session()).await;
    let made = owner
        .create_token(token_with("ci", |new| new.scope = Some(v1::Scope::Rw.into())))
        .await
        .expect("made");
    let verifier = self::at(&server, &at.service()).await;
    // It changes something, though the service states no more than a look.
    let write = needs("ops", Scope::Ro, Some("write:assets"));
    let mut allowed = Vec::new();
    for _ in 0..100 {
        allowed.extend(verifier.validate(&made.secret, &write).await.expect("decided").into_result().ok());
    }
    assert_eq!(allowed.len(), 100);
    let stream = allowed.pop().expect("allowed");
    let stream = tokio::spawn(async move { stream.revoked().await });
    let begun = Instant::now();
    let mut first = true;
    loop {
        let request =
            v1::GetTokenRequest { owner: Some(v1::Whose::mine()), which: Some(v1::Which::name("ci")) };
        let shown = owner.get_token(request).await.expect("shown").token.expect("a token");
        let (reads, writes) =
            shown.used_from.iter().fold((0, 0), |(r, w), from| (r + from.reads, w + from.writes));
        if (reads, writes) == (0, 100) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{reads} reads, {writes} writes");
        assert!(writes < 100 && reads == 0, "{reads} reads, {writes} writes");
        first = false;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(!first, "the rest came later");
    assert!(!stream.is_finished());
}

fn address(server: &Running) -> SocketAddr {
    server.url.to_string().trim_start_matches("http://").parse().expect("an address")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cached_verdict_is_never_later_than_the_bound_whatever_fails() {
    let cluster = Cluster::of(1).await;
    let owner = cluster.owner(0).await;
    let proxy = Proxy::before(address(&cluster.instances[0].server)).await;
    let verifier = verifier(&[&format!("http://{}", proxy.address)], &cluster.service).await;
    for (what, treatment, knows) in FAULTS {
        let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
        let good = owner.create_token(new_token("good")).await.expect("made").secret;
        for secret in [&secret, &good] {
            soon(&Ok(None), async || refused(&verifier, secret).await).await;
        }
        proxy.treat(FaultScope::All, treatment);
        owner.revoke_token(revoke("ci")).await.expect("revoked");
        let last =
            assert_not_allowed_after_bound(async || refused(&verifier, &secret).await, Instant::now(), what)
                .await;
        let expected = if knows { Ok(Some(Reason::TokenRevoked)) } else { Err(Reason::Unavailable) };
        assert_eq!(last, expected, "{what}");
        let answer = refused(&verifier, &good).await;
        assert!(answer == Ok(None) || !knows && answer == Err(Reason::Unavailable), "{what}: {answer:?}");
        proxy.clear_faults();
        soon(&Ok(None), async || refused(&verifier, &good).await).await;
        assert_eq!(refused(&verifier, &secret).await, Ok(Some(Reason::TokenRevoked)), "{what}");
        owner.revoke_token(revoke("good")).await.expect("revoked");
    }
}

/// Two instances take turns, and one of them lags by nearly the bound: once a token is refused, it is never
/// allowed again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_round_robin_a_refused_token_stays_refused() {
    let cluster = Cluster::of(2).await;
    let owner = cluster.owner(0).await;
    let addresses = [0, 1].map(|instance| address(&cluster.instances[instance].server));
    let round_robin = Proxy::among(&addresses).await;
    cluster.instances[1].proxy.treat(READER, Treatment::Late(Duration::from_millis(60)));
    let url = format!("http://{}", round_robin.address);
    let verifiers = [
        verifier(&[&url], &cluster.service).await,
        verifier(&[&url], &cluster.service).await,
        verifier(&[&url, &cluster.instances[0].server.url.to_string()], &cluster.service).await,
    ];
    for round in 0..5 {
        let name = format!("t{round}");
        let secret = owner.create_token(new_token(&name)).await.expect("made").secret;
        for verifier in &verifiers {
            assert_eq!(refused(verifier, &secret).await, Ok(None), "round {round}: never unknown");
        }
        owner.revoke_token(revoke(&name)).await.expect("revoked");
        let since = Instant::now();
        let mut dead = [false; 3];
        while since.elapsed() < BOUND + Duration::from_millis(100) {
            for (verifier, dead) in verifiers.iter().zip(&mut dead) {
                let asked = since.elapsed();
                match refused(verifier, &secret).await {
                    Ok(None) => assert!(!*dead && asked <= BOUND, "round {round}: allowed after {asked:?}"),
                    answer => *dead |= answer == Ok(Some(Reason::TokenRevoked)),
                }
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(dead, [true; 3], "round {round}");
        // The next connection goes to the other instance.
        round_robin.treat(FaultScope::All, Treatment::Cut);
        tokio::time::sleep(Duration::from_millis(10)).await;
        round_robin.clear_faults();
    }
}

/// The classic race: an answer under way during the revocation must not be cached.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_09_no_answer_from_before_a_revocation_is_kept() {
    let cluster = Cluster::of(1).await;
    let owner = cluster.owner(0).await;
    let proxy = Proxy::before(address(&cluster.instances[0].server)).await;
    proxy.treat(FaultScope::All, Treatment::Late(Duration::from_millis(3)));
    let verifier = verifier(&[&format!("http://{}", proxy.address)], &cluster.service).await;
    for round in 0..60 {
        let name = format!("t{round}");
        let secret = owner.create_token(new_token(&name)).await.expect("made").secret;
        let asking = tokio::spawn({
            let (verifier, secret) = (verifier.clone(), secret.clone());
            async move { refused(&verifier, &secret).await }
        });
        tokio::time::sleep(Duration::from_micros(400 * (round % 10))).await;
        owner.revoke_token(revoke(&name)).await.expect("revoked");
        asking.await.expect("answered").expect("decided");
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert_eq!(refused(&verifier, &secret).await, Ok(Some(Reason::TokenRevoked)), "round {round}");
    }
}

/// A thousand services, as many as a large installation has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_services_watch_one_instance() {
    let at = Installation::new(Engine::Postgres).await;
    at.people();
    let (server, service) = (at.serve(), at.service());
    let owner = server.client(&at.session()).await;
    let mut verifiers = Vec::new();
    for _ in 0..1000 {
        let options = VerifierOptions::new(server.url.clone(), Credentials::given(&service));
        verifiers.push(Verifier::start(options).expect("it starts"));
    }
    for verifier in &verifiers {
        tokio::time::timeout(Duration::from_secs(30), verifier.ready()).await.expect("ready");
    }
    let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
    for verifier in &verifiers {
        assert_eq!(refused(verifier, &secret).await, Ok(None));
    }
    owner.revoke_token(revoke("ci")).await.expect("revoked");
    tokio::time::sleep(LONG_BOUND).await;
    for verifier in &verifiers {
        assert_eq!(refused(verifier, &secret).await, Ok(Some(Reason::TokenRevoked)));
    }
    let age = |verifier: &Verifier| verifier.figures().age;
    let fresh =
        verifiers.iter().filter(|verifier| age(verifier).is_some_and(|age| age <= LONG_BOUND)).count();
    assert_eq!(fresh, 1000, "of 1000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_validations_of_one_secret_share_one_request() {
    let cluster = Cluster::of(1).await;
    let owner = cluster.owner(0).await;
    let verifier = verifier(&[&cluster.instances[0].server.url.to_string()], &cluster.service).await;
    let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
    let requirement = needs("ops", Scope::Rw, None);
    let question =
        ValidationRequest { secret: &secret, requirement: &requirement, client_address: None, client: None };
    let verdicts = verifier.batch(&[question; 500]).await;
    assert!(verdicts.iter().all(|verdict| verdict.as_ref().is_ok_and(Verdict::is_allowed)));
    let asked = verifier.figures().asked;
    assert_eq!(asked, 1, "they were joined");
    // An invalid request does not affect the others.
    let nonsense = Requirement::Account { permission: None };
    let nonsense = ValidationRequest { requirement: &nonsense, ..question };
    let verdicts = verifier.batch(&[question, nonsense]).await;
    assert!(verdicts[0].as_ref().is_ok_and(Verdict::is_allowed));
    assert_eq!(verdicts[1].as_ref().expect_err("nonsense").reason, Reason::InvalidArgument);
}

/// The file with the service's secret is read again when it changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_s_secret_may_be_changed_beneath_it() {
    let cluster = Cluster::of(1).await;
    let at = &cluster.at;
    let owner = cluster.owner(0).await;
    let file = at.home().join("service");
    std::fs::write(&file, format!("{}\n", cluster.service.expose())).expect("written");
    let url = cluster.instances[0].server.url.clone();
    let options = VerifierOptions::new(url, Credentials::from_file(&file).expect("a secret"));
    let verifier = Verifier::start(options).expect("it starts");
    verifier.ready().await;
    let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
    assert_eq!(refused(&verifier, &secret).await, Ok(None));
    let rotated = at.run_admin("service rotate registry --overlap 0");
    std::fs::write(&file, rotated.lines().last().expect("a secret")).expect("written");
    let more = owner.create_token(new_token("more")).await.expect("made").secret;
    soon(&Ok(None), async || refused(&verifier, &more).await).await;
    // While the file is incomplete or missing, the previous secret remains in use.
    std::fs::write(&file, "nonsense").expect("written");
    let third = owner.create_token(new_token("third")).await.expect("made").secret;
    assert_eq!(refused(&verifier, &third).await, Ok(None));
    std::fs::remove_file(&file).expect("removed");
    let fourth = owner.create_token(new_token("fourth")).await.expect("made").secret;
    assert_eq!(refused(&verifier, &fourth).await, Ok(None));
}
