//! Measures the cost of a validation, relative to a call that does nothing.

use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use ndauth_bench::load::{self, LoadCall, LoadResult, RpcCall, Shape, framed};
use ndauth_bench::seed::{Seeded, seed};
use ndauth_bench::server::Server;
use ndauth_bench::table::{Bar, FigureRow, median, ratios};
use ndauth_client::Client;
use ndauth_core::{Actions, Grant, Grants, Secret, SecretKind};
use ndauth_proto::v1;
use rand::rngs::SysRng;

use crate::bench::{Bench, SERVER_CORE, text};

/// The number of seeded tokens.
const TOKENS: usize = 100_000;
/// The number of tokens in one batch.
const BATCH: usize = 100;
/// The maximum number of grants of this kind on a token.
const MOST_GRANTS: usize = 90;
/// The number of tokens that batches validate.
const BATCHED_TOKENS: usize = 1000;

pub(crate) const SHAPE: Shape =
    Shape { connections: 8, streams: 16, rate: None, gentle: false, time: Duration::from_secs(2) };

/// The first byte of a `ValidateTokenResponse` that allows, and of one that refuses.
pub(crate) const ALLOWED: u8 = 0x0a;
const REFUSED: u8 = 0x12;

pub(crate) fn question(secret: &Secret, org: &str) -> v1::ValidateTokenRequest {
    v1::ValidateTokenRequest {
        secret: secret.expose().to_owned(),
        org: org.to_owned(),
        required_access: v1::Access::Rw.into(),
        ..Default::default()
    }
}

/// Returns the call that validates with one of these requests.
pub(crate) fn unary(service: &Secret, bodies: Vec<Bytes>, expected: u8) -> RpcCall {
    RpcCall {
        path: "/ndauth.v1.ValidationService/ValidateToken",
        credential: load::bearer(service),
        bodies: Rc::new(bodies),
        expected: Some(expected),
    }
}

/// Returns the call that validates one of the first tokens.
pub(crate) fn about(seeded: &Seeded, tokens: usize) -> RpcCall {
    let bodies = seeded.tokens[..tokens].iter().map(|(secret, org)| framed(&question(secret, org)));
    unary(&seeded.service, bodies.collect(), ALLOWED)
}

/// Returns the calls that validate a batch of 100: with a token of one grant, and with one of the maximum
/// number of grants.
fn granted(bench: &Bench, server: &Server, seeded: &Seeded) -> anyhow::Result<[RpcCall; 2]> {
    let url = format!("http://{}", server.address).parse().context("a URL")?;
    let owner = bench.runtime.block_on(Client::connect(&url, Some(&seeded.session))).context("connected")?;
    let org = &seeded.tokens[0].1;
    let call = |name: &str, count: usize| -> anyhow::Result<RpcCall> {
        let grant = |number: usize| -> anyhow::Result<Grant> {
            Ok(Grant {
                resource_type: "assets".parse()?,
                resource_ids: format!("r-{number:03}").parse()?,
                actions: Actions::Only([("read".parse()?)].into()),
            })
        };
        let grants = Grants::only((0..count).map(grant).collect::<anyhow::Result<Vec<_>>>()?)?;
        let mut new = crate::requests::new_token(name);
        let token = new.token.as_mut().context("a token")?;
        token.grants = Some(ndauth_proto::grants_to_proto(&grants));
        let secret: Secret =
            bench.runtime.block_on(owner.create_token(new)).context("made")?.secret.parse()?;
        let asked = v1::ValidateTokenRequest {
            required_access: v1::Access::Ro.into(),
            required_permission: Some(v1::Permission {
                action: "read".to_owned(),
                resource_type: "assets".to_owned(),
                resource_id: "r-000".to_owned(),
            }),
            ..question(&secret, org)
        };
        Ok(RpcCall {
            path: "/ndauth.v1.ValidationService/ValidateTokens",
            credential: load::bearer(&seeded.service),
            bodies: Rc::new(vec![framed(&v1::ValidateTokensRequest { questions: vec![asked; BATCH] })]),
            expected: None,
        })
    };
    Ok([call("one grant", 1)?, call("the most grants", MOST_GRANTS)?])
}

/// Runs a load. Returns its result, and the server's CPU time for each call in microseconds.
pub(crate) fn cost(
    server: &Server,
    call: &(impl Clone + Into<LoadCall>),
    shape: Shape,
) -> anyhow::Result<(LoadResult, f64)> {
    let before = server.cpu()?;
    let outcome = load::run(server.address, &call.clone().into(), shape)?;
    let cpu = server.cpu()?.checked_sub(before).context("time goes on")?;
    load::ensure_all_correct(&outcome)?;
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let micros = cpu.as_secs_f64() * 1e6 / outcome.good as f64;
    Ok((outcome, micros))
}

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let url = bench.sqlite("validate.db");
    let seeded = bench.runtime.block_on(seed(&url, TOKENS))?;
    let ndauthd = Server::ndauthd(SERVER_CORE, &bench.binary("ndauthd"), &text(&url), &[])?;
    let empty = Server::start(SERVER_CORE, &bench.binary("empty"), &[], "")?;
    let stock = Server::start(SERVER_CORE, &bench.binary("stock"), &[], "")?;
    let validate = about(&seeded, TOKENS);
    let nothing = RpcCall {
        path: "/ndauth.bench.Empty/Nothing",
        credential: None,
        bodies: Rc::new(vec![framed(&())]),
        expected: None,
    };
    let few = about(&seeded, BATCHED_TOKENS);
    let batches: Vec<Bytes> = seeded.tokens[..BATCHED_TOKENS]
        .chunks(BATCH)
        .map(|tokens| {
            let questions = tokens.iter().map(|(secret, org)| question(secret, org)).collect();
            framed(&v1::ValidateTokensRequest { questions })
        })
        .collect();
    let batch = RpcCall {
        path: "/ndauth.v1.ValidationService/ValidateTokens",
        credential: load::bearer(&seeded.service),
        bodies: Rc::new(batches),
        expected: None,
    };
    // The first use of each token is stored once. From then on, the cost is the usual one.
    for _ in 0..3 {
        cost(&ndauthd, &validate, SHAPE)?;
    }
    std::thread::sleep(Duration::from_secs(6));
    let [mut nothings, mut validates, mut stocks, mut fews, mut batched, mut rates] =
        [const { Vec::new() }; 6];
    for _ in 0..bench.rounds {
        let (outcome, micros) = cost(&empty, &nothing, SHAPE)?;
        rates.push(outcome.rate());
        nothings.push(micros);
        validates.push(cost(&ndauthd, &validate, SHAPE)?.1);
        stocks.push(cost(&stock, &nothing, SHAPE)?.1);
        fews.push(cost(&ndauthd, &few, SHAPE)?.1);
        #[expect(clippy::cast_precision_loss, reason = "a count")]
        batched.push(cost(&ndauthd, &batch, SHAPE)?.1 / BATCH as f64);
    }
    bench.row(FigureRow::new("an empty call: server CPU", "us", &nothings, Bar::None));
    bench.row(FigureRow::new("`ValidateToken`, 100,000 tokens: server CPU", "us", &validates, Bar::None));
    bench.row(FigureRow::new(
        "the same, calls per CPU second over empty",
        "x",
        &ratios(&nothings, &validates),
        Bar::AtLeast(0.85),
    ));
    bench.row(FigureRow::new(
        "the same, over an empty call on stock tonic",
        "x",
        &ratios(&stocks, &validates),
        Bar::AtLeast(1.6),
    ));
    bench.row(FigureRow::new(
        "`ValidateTokens` of 100, 1,000 tokens: per token over unary",
        "x",
        &ratios(&fews, &batched),
        Bar::AtLeast(8.0),
    ));

    let [plain, most] = granted(bench, &ndauthd, &seeded)?;
    let [mut plains, mut mosts] = [const { Vec::new() }; 2];
    for _ in 0..bench.rounds {
        plains.push(cost(&ndauthd, &plain, SHAPE)?.1);
        mosts.push(cost(&ndauthd, &most, SHAPE)?.1);
    }
    bench.row(FigureRow::new(
        "`ValidateTokens` of 100, the most grants: over one grant",
        "x",
        &ratios(&mosts, &plains),
        Bar::AtMost(4.0),
    ));

    let rate = median(&rates) / 2.0;
    let open = Shape { rate: Some(rate), time: Duration::from_secs(3), ..SHAPE };
    let (mut nothings, mut validates) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        nothings.push(cost(&empty, &nothing, open)?.0.percentile(99.0));
        validates.push(cost(&ndauthd, &validate, open)?.0.percentile(99.0));
    }
    bench.row(FigureRow::new(
        format!("p99 at {rate:.0}/s, half of what empty can"),
        "us",
        &validates,
        Bar::None,
    ));
    bench.row(FigureRow::new("the same, over empty", "x", &ratios(&validates, &nothings), Bar::AtMost(1.25)));
    unknown(bench, &ndauthd, &seeded, &validate, rate / 2.0)
}

/// Measures the effect on good requests of concurrent requests with unknown secrets, each a different one.
fn unknown(
    bench: &mut Bench,
    ndauthd: &Server,
    seeded: &Seeded,
    good: &RpcCall,
    rate: f64,
) -> anyhow::Result<()> {
    let shape = Shape { rate: Some(rate), time: Duration::from_secs(3), ..SHAPE };
    let (mut without, mut with, mut statements) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        without.push(cost(ndauthd, good, shape)?.0.percentile(99.0));
        let drawn =
            || anyhow::Ok(framed(&question(&Secret::mint(SecretKind::Personal, &mut SysRng)?, "org-1")));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let bodies = (0..(rate * 4.0) as usize).map(|_| drawn()).collect::<anyhow::Result<Vec<_>>>()?;
        let bad = unary(&seeded.service, bodies, REFUSED);
        let before = head_queries(ndauthd)?;
        let mut outcomes =
            load::run_all(ndauthd.address, &[(good.clone().into(), shape), (bad.into(), shape)])?;
        let asked = head_queries(ndauthd)? - before;
        load::ensure_all_correct(&outcomes[0])?;
        load::ensure_all_correct(&outcomes[1])?;
        let took = outcomes[0].took.max(outcomes[1].took);
        statements.push(asked / took.as_secs_f64());
        with.push(outcomes.remove(0).percentile(99.0));
    }
    bench.row(FigureRow::new(
        "as many unknown secrets: good requests' p99 over without",
        "x",
        &ratios(&with, &without),
        Bar::AtMost(1.5),
    ));
    bench.row(FigureRow::new(
        "the same: statements to the database a second",
        "/s",
        &statements,
        Bar::AtMost(210.0),
    ));
    Ok(())
}

fn head_queries(server: &Server) -> anyhow::Result<f64> {
    let page = server.page("/metrics")?;
    let line = page
        .lines()
        .find(|line| line.starts_with("ndauth_head_questions_total"))
        .context("it is reported")?;
    Ok(line.rsplit(' ').next().context("a number")?.parse()?)
}
