//! Measures the edges: their cost, and how late a revocation can reach each of them.

use std::fs;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use http::StatusCode;
use ndauth_bench::load::{self, BareConnection, LoadCall, ProxyCall, RpcCall, framed};
use ndauth_bench::seed::{Seeded, seed};
use ndauth_bench::server::Server;
use ndauth_bench::table::{Bar, FigureRow, ratios};
use ndauth_client::{Client, Credentials, Requirement, Scope, Verdict, Verifier, VerifierOptions};
use ndauth_core::Secret;
use ndauth_e2e::envoy::check_request;
use ndauth_proto::v1;
use ndauth_store::Engine;
use ndauth_store::testing::Scratch;
use prost::Message;
use serde_json::{Value, json};

use crate::bench::{Bench, SERVER_CORE, text};
use crate::requests::{new_token, revoke};
use crate::revocation::{Delay, histogram, milliseconds};
use crate::validate::{ALLOWED, SHAPE, cost, question, unary};

/// The number of tokens, of ndauth as of `oidc-provider`.
const TOKENS: usize = 10_000;
/// The address and the name of the client behind each channel that states them.
const ADDRESS: &str = "192.0.2.7";
const CLIENT: &str = "curl/8.5.0";
/// The instances' bound on the age of an answer.
const BOUND: Duration = Duration::from_secs(2);
/// The org of the tokens that are revoked.
const ORG: &str = "org-0";

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    costs(bench)?;
    revocations(bench)
}

fn proxy(service: &Secret, tokens: &[(Secret, String)]) -> LoadCall {
    let questions = tokens.iter().map(|(secret, org)| {
        (format!("/edge/verify?org={org}&access=RW"), format!("Bearer {}", secret.expose()))
    });
    let service = service.expose().to_owned();
    LoadCall::from(ProxyCall { service, questions: Rc::new(questions.collect()) })
}

fn envoy(service: &Secret, tokens: &[(Secret, String)]) -> LoadCall {
    let bodies = tokens.iter().map(|(secret, org)| {
        let token = format!("Bearer {}", secret.expose());
        framed(&check_request(Some(&token), &[("org", org), ("access", "RW")], Some(ADDRESS)))
    });
    LoadCall::from(RpcCall {
        path: "/envoy.service.auth.v3.Authorization/Check",
        credential: load::bearer(service),
        bodies: Rc::new(bodies.collect()),
        expected: None,
    })
}

fn introspection(service: &Secret, tokens: &[(Secret, String)]) -> LoadCall {
    let bodies = tokens.iter().map(|(secret, org)| {
        Bytes::from(format!("token={}&org={org}&access=RW&token_type_hint=access_token", secret.expose()))
    });
    LoadCall::from(RpcCall {
        path: "/oauth2/introspect",
        credential: load::bearer(service),
        bodies: Rc::new(bodies.collect()),
        // Of `true`.
        expected: Some(b't'),
    })
}

fn costs(bench: &mut Bench) -> anyhow::Result<()> {
    let url = bench.sqlite("edges.db");
    let seeded = bench.runtime.block_on(seed(&url, TOKENS))?;
    let ndauthd = Server::ndauthd(SERVER_CORE, &bench.binary("ndauthd"), &text(&url), &[])?;
    let bare = Server::start(SERVER_CORE, &bench.binary("edge"), &[], "")?;
    let file = bench.folder.path().join("tokens");
    let program = bench.oidc_provider.display().to_string();
    let arguments = [program.as_str(), &TOKENS.to_string(), &file.display().to_string()];
    let other = Server::start(SERVER_CORE, "node".as_ref(), &arguments, "")?;
    let other_call = RpcCall {
        path: "/token/introspection",
        // `introspector:introspector-secret`.
        credential: Some("Basic aW50cm9zcGVjdG9yOmludHJvc3BlY3Rvci1zZWNyZXQ=".to_owned()),
        bodies: Rc::new(
            fs::read_to_string(&file)?.lines().map(|token| Bytes::from(format!("token={token}"))).collect(),
        ),
        expected: Some(b't'),
    };
    let Seeded { service, tokens, .. } = &seeded;
    let (verify, check) = (proxy(service, tokens), envoy(service, tokens));
    let introspect = introspection(service, tokens);
    let bodies = tokens.iter().map(|(secret, org)| {
        framed(&v1::ValidateTokenRequest {
            client_address: ADDRESS.to_owned(),
            client: CLIENT.to_owned(),
            ..question(secret, org)
        })
    });
    let validate = LoadCall::from(unary(service, bodies.collect(), ALLOWED));
    // The first use of each token by each client is stored once. From then on, the cost is the usual one.
    for call in [&verify, &validate, &check, &introspect] {
        for _ in 0..2 {
            cost(&ndauthd, call, SHAPE)?;
        }
    }
    cost(&other, &other_call, SHAPE)?;
    std::thread::sleep(Duration::from_secs(6));
    let [mut bares, mut verifies, mut validates, mut checks, mut introspects, mut others] =
        [const { Vec::new() }; 6];
    for _ in 0..bench.rounds {
        bares.push(cost(&bare, &verify, SHAPE)?.1);
        verifies.push(cost(&ndauthd, &verify, SHAPE)?.1);
        validates.push(cost(&ndauthd, &validate, SHAPE)?.1);
        checks.push(cost(&ndauthd, &check, SHAPE)?.1);
        introspects.push(cost(&ndauthd, &introspect, SHAPE)?.1);
        others.push(cost(&other, &other_call, SHAPE)?.1);
    }
    for (name, micros) in [
        ("`GET /edge/verify`: server CPU", &verifies),
        ("the same headers by a bare axum handler: server CPU", &bares),
        ("`ValidateToken`: server CPU", &validates),
        ("Envoy's `Check`: server CPU", &checks),
        ("`POST /oauth2/introspect`: server CPU", &introspects),
        ("introspection by `oidc-provider` in memory: server CPU", &others),
    ] {
        bench.row(FigureRow::new(name, "us", micros, Bar::None));
    }
    for (name, ratios, bar) in [
        ("`GET /edge/verify` over the bare handler", ratios(&verifies, &bares), Bar::AtMost(1.5)),
        ("Envoy's `Check` over `ValidateToken`", ratios(&checks, &validates), Bar::AtMost(1.2)),
        (
            "introspections per CPU second over `oidc-provider`",
            ratios(&others, &introspects),
            Bar::AtLeast(8.0),
        ),
    ] {
        bench.row(FigureRow::new(name, "x", &ratios, bar));
    }
    Ok(())
}

/// A way to ask about a token.
enum Channel {
    /// A request, and its reading: true if it allows, `None` if it decides nothing.
    Bare(LoadCall, fn(StatusCode, &[u8]) -> anyhow::Result<Option<bool>>),
    Library(Box<Verifier>, String),
}

/// The channels, by name.
fn channels(service: &Secret, verifier: &Verifier, token: &Secret) -> Vec<(&'static str, Channel)> {
    let tokens = [(token.to_owned(), ORG.to_owned())];
    let json = json!({ "secret": token.expose(), "org": ORG, "required_access": "RW" }).to_string();
    let rpc = |path, body| {
        let (credential, bodies) = (load::bearer(service), Rc::new(vec![body]));
        LoadCall::from(RpcCall { path, credential, bodies, expected: None })
    };
    let grpc = rpc("/ndauth.v1.ValidationService/ValidateToken", framed(&question(token, ORG)));
    vec![
        ("`ValidateToken`", Channel::Bare(grpc, |_, body| Ok(body.get(5).map(|first| *first == ALLOWED)))),
        (
            "`POST /v1/secrets:validate`",
            Channel::Bare(rpc("/v1/secrets:validate", json.into()), |status, body| {
                let answer: Value = serde_json::from_slice(body)?;
                Ok((status == StatusCode::OK).then(|| answer.get("allowed").is_some()))
            }),
        ),
        (
            "`POST /oauth2/introspect`",
            Channel::Bare(introspection(service, &tokens), |status, body| {
                let answer: Value = serde_json::from_slice(body)?;
                Ok((status == StatusCode::OK).then(|| answer["active"] == true))
            }),
        ),
        (
            "`GET /edge/verify`",
            Channel::Bare(proxy(service, &tokens), |status, _| {
                Ok((status != StatusCode::SERVICE_UNAVAILABLE).then(|| status == StatusCode::OK))
            }),
        ),
        (
            "Envoy's `Check`",
            Channel::Bare(envoy(service, &tokens), |_, body| {
                let Some(message) = body.get(5..) else { return Ok(None) };
                Ok(match CheckResponse::decode(message)?.http_response {
                    Some(HttpResponse::OkResponse(_)) => Some(true),
                    Some(HttpResponse::DeniedResponse(denied)) => {
                        let code = denied.status.map(|status| status.code);
                        (code != Some(503)).then_some(false)
                    }
                    Some(HttpResponse::ErrorResponse(_)) | None => None,
                })
            }),
        ),
        ("the client library", Channel::Library(Box::new(verifier.clone()), token.expose().to_owned())),
    ]
}

impl Channel {
    async fn ask(&self, connection: &mut BareConnection) -> anyhow::Result<Option<bool>> {
        match self {
            Channel::Bare(call, read) => {
                let (status, body) = connection.call(call).await?;
                read(status, &body)
            }
            Channel::Library(verifier, secret) => {
                let org = ORG.parse().context("a slug")?;
                let requirement = Requirement::Access { org, access: Scope::Rw, permission: None };
                match verifier.validate(secret, &requirement).await {
                    Ok(verdict) => Ok(Some(matches!(verdict, Verdict::Allowed(_)))),
                    Err(_) => Ok(None),
                }
            }
        }
    }
}

/// Revokes tokens at one instance, and asks another by each channel until that refuses them.
fn revocations(bench: &mut Bench) -> anyhow::Result<()> {
    let scratch = bench.runtime.block_on(Scratch::new(Engine::Postgres));
    let seeded = bench.runtime.block_on(seed(&scratch.url, 1000))?;
    let ndauthd = bench.binary("ndauthd");
    let one = Server::ndauthd(SERVER_CORE, &ndauthd, &text(&scratch.url), &[])?;
    let other = Server::ndauthd(SERVER_CORE, &ndauthd, &text(&scratch.url), &[])?;
    let count = if bench.quick { 50 } else { 300 };
    let local = tokio::task::LocalSet::new();
    let here = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let delays = local.block_on(&here, delays(&seeded, one.address, other.address, count))?;
    for (name, delays) in delays {
        let sorted = milliseconds(&delays);
        histogram(&format!("{count} revocations, by {name}"), &sorted);
        let at = |percent: usize| sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)];
        let what = format!("revocation to the last wrong answer by {name}, {count} times: p99");
        bench.row(FigureRow::new(what, "ms", &[at(99)], Bar::AtMost(100.0)));
        let most = Bar::AtMost(BOUND.as_secs_f64() * 1000.0);
        bench.row(FigureRow::new("the same, max", "ms", &[at(100)], most));
    }
    one.end()?;
    other.end()
}

async fn delays(
    seeded: &Seeded,
    one: SocketAddr,
    other: SocketAddr,
    count: usize,
) -> anyhow::Result<Vec<(&'static str, Vec<Delay>)>> {
    let url = format!("http://{one}").parse().context("a URL")?;
    let owner = Client::connect(&url, Some(&seeded.session)).await.context("connected")?;
    let url = format!("http://{other}").parse().context("a URL")?;
    let options = VerifierOptions::new(url, Credentials::given(&seeded.service));
    let verifier = Verifier::start(options).context("it starts")?;
    verifier.ready().await;
    let mut connection = BareConnection::connect(other).await?;
    let mut all: Vec<(&'static str, Vec<Delay>)> = Vec::new();
    for round in 0..count {
        let number = channels(&seeded.service, &verifier, &seeded.tokens[0].0).len();
        for index in 0..number {
            let name = format!("e{round}-{index}");
            let made = owner.create_token(new_token(&name)).await.context("made")?;
            let token: Secret = made.secret.parse().context("a secret")?;
            let (channel, asked) = channels(&seeded.service, &verifier, &token).swap_remove(index);
            ensure!(asked.ask(&mut connection).await? == Some(true), "it is known before it is revoked");
            owner.revoke_token(revoke(&name)).await.context("revoked")?;
            let (revoked, mut wrong) = (Instant::now(), Duration::ZERO);
            loop {
                match asked.ask(&mut connection).await? {
                    Some(true) => wrong = revoked.elapsed(),
                    Some(false) => break,
                    None => {}
                }
                ensure!(revoked.elapsed() < BOUND * 5, "it never ended");
                tokio::time::sleep(Duration::from_micros(500)).await;
            }
            let delay = Delay { wrong, unavailable: false };
            match all.iter_mut().find(|(known, _)| *known == channel) {
                Some((_, delays)) => delays.push(delay),
                None => all.push((channel, vec![delay])),
            }
        }
    }
    Ok(all)
}
