//! Measures the cost of the HTTP API, relative to gRPC and to a handler that only parses and prints the same JSON.

use std::rc::Rc;

use anyhow::Context;
use bytes::Bytes;
use ndauth_bench::load::{self, RpcCall, framed};
use ndauth_bench::seed::seed;
use ndauth_bench::server::Server;
use ndauth_bench::table::{Bar, FigureRow, ratios};
use ndauth_proto::v1;
use serde_json::json;

use crate::bench::{Bench, SERVER_CORE, text};
use crate::validate::{SHAPE, about, cost};

const TOKENS: usize = 100_000;
/// The number of tokens on a page, all of one org.
const PAGE: usize = 100;
/// The sixth byte of `{"allowed":…`.
const ALLOWED: u8 = b'o';

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    validations(bench)?;
    pages(bench)
}

fn validations(bench: &mut Bench) -> anyhow::Result<()> {
    let url = bench.sqlite("json.db");
    let seeded = bench.runtime.block_on(seed(&url, TOKENS))?;
    let ndauthd = Server::ndauthd(SERVER_CORE, &bench.binary("ndauthd"), &text(&url), &[])?;
    let bare = Server::start(SERVER_CORE, &bench.binary("json"), &[], "")?;
    let bodies = seeded.tokens.iter().map(|(secret, org)| {
        Bytes::from(json!({ "secret": secret.expose(), "org": org, "required_access": "RW" }).to_string())
    });
    let json = RpcCall {
        path: "/v1/secrets:validate",
        credential: load::bearer(&seeded.service),
        bodies: Rc::new(bodies.collect()),
        expected: Some(ALLOWED),
    };
    let grpc = about(&seeded, TOKENS);
    for _ in 0..3 {
        cost(&ndauthd, &grpc, SHAPE)?;
    }
    std::thread::sleep(std::time::Duration::from_secs(6));
    let [mut bares, mut jsons, mut grpcs] = [const { Vec::new() }; 3];
    for _ in 0..bench.rounds {
        bares.push(cost(&bare, &json, SHAPE)?.1);
        jsons.push(cost(&ndauthd, &json, SHAPE)?.1);
        grpcs.push(cost(&ndauthd, &grpc, SHAPE)?.1);
    }
    bench.row(FigureRow::new("`POST /v1/secrets:validate`: server CPU", "us", &jsons, Bar::None));
    bench.row(FigureRow::new("the same JSON by a bare axum handler: server CPU", "us", &bares, Bar::None));
    bench.row(FigureRow::new(
        "`POST /v1/secrets:validate` over the bare handler",
        "x",
        &ratios(&jsons, &bares),
        Bar::AtMost(2.0),
    ));
    bench.row(FigureRow::new("the same, over `ValidateToken`", "x", &ratios(&jsons, &grpcs), Bar::None));
    Ok(())
}

/// Measures a page of an org's tokens, which is transcoded beside the database's connections.
fn pages(bench: &mut Bench) -> anyhow::Result<()> {
    let url = bench.sqlite("pages.db");
    let seeded = bench.runtime.block_on(seed(&url, 1000))?;
    bench.runtime.block_on(crate::scale::give_all_to_one_org(&url))?;
    let ndauthd = Server::ndauthd(SERVER_CORE, &bench.binary("ndauthd"), &text(&url), &[])?;
    let org = seeded.tokens.iter().map(|(_, org)| org).min().context("an org")?.clone();
    let request = v1::ListTokensRequest {
        owner: Some(v1::Whose { kind: Some(v1::whose::Kind::Org(org.clone())) }),
        page_size: i32::try_from(PAGE)?,
        ..Default::default()
    };
    let call = |path, body| RpcCall {
        path,
        credential: load::bearer(&seeded.session),
        bodies: Rc::new(vec![body]),
        expected: None,
    };
    let grpc = call("/ndauth.v1.TokenService/ListTokens", framed(&request));
    let path: &'static str = Box::leak(format!("/v1/orgs/{org}/tokens?page_size={PAGE}").into_boxed_str());
    let json = call(path, Bytes::new());
    let shape = load::Shape { connections: 2, streams: 4, ..SHAPE };
    let [mut jsons, mut grpcs] = [const { Vec::new() }; 2];
    for _ in 0..bench.rounds {
        grpcs.push(cost(&ndauthd, &grpc, shape)?.1);
        jsons.push(cost(&ndauthd, &json, shape)?.1);
    }
    bench.row(FigureRow::new("a page of 100 tokens by gRPC: server CPU", "us", &grpcs, Bar::None));
    bench.row(FigureRow::new(
        "the same by the HTTP API, over gRPC",
        "x",
        &ratios(&jsons, &grpcs),
        Bar::AtMost(1.5),
    ));
    Ok(())
}
