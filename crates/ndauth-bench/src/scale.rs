//! What a hundred times as many tokens cost.

use std::time::{Duration, Instant};

use anyhow::Context;
use ndauth_bench::load::{self, Shape};
use ndauth_bench::seed::{Seeded, seed};
use ndauth_bench::server::Server;
use ndauth_bench::table::{Bar, Row, median, ratios};
use ndauth_client::Client;
use ndauth_proto::v1;

use crate::validate::about;
use crate::{ANSWERING, Bench, text};

const FEW: usize = 10_000;

/// A server with so many tokens.
struct Installation {
    server: Server,
    seeded: Seeded,
    client: Client,
    tokens: usize,
}

fn start(bench: &Bench, tokens: usize) -> anyhow::Result<Installation> {
    let url = bench.sqlite(&format!("scale-{tokens}.db"));
    let seeded = bench.runtime.block_on(seed(&url, tokens))?;
    let server = Server::ndauthd(ANSWERING, &bench.binary("ndauthd"), &text(&url), &[])?;
    let address = format!("http://{}", server.address).parse().context("a URL")?;
    let client =
        bench.runtime.block_on(Client::connect(&address, Some(&seeded.session))).context("connected")?;
    Ok(Installation { server, seeded, client, tokens })
}

impl Installation {
    /// What validating, making a token and listing take, in microseconds at the middle.
    fn times(&self, bench: &Bench, round: usize) -> anyhow::Result<[f64; 3]> {
        let call = about(&self.seeded, self.tokens);
        let shape = Shape {
            connections: 4,
            streams: 4,
            rate: Some(4000.0),
            gentle: false,
            time: Duration::from_secs(2),
        };
        let validate = load::run(self.server.address, &call, shape)?;
        load::all_good(&validate)?;
        let (mut creates, mut lists) = (Vec::new(), Vec::new());
        bench.runtime.block_on(async {
            for n in 0..20 {
                let name = format!("bench {round} {n}");
                let begun = Instant::now();
                self.client.create_token(crate::revocation::new_token(&name)).await.context("made")?;
                creates.push(micros(begun));
                let begun = Instant::now();
                self.client.list_tokens(v1::ListTokensRequest::default()).await.context("listed")?;
                lists.push(micros(begun));
                let token = Some(v1::revoke_token_request::Token::Name(name));
                self.client
                    .revoke_token(v1::RevokeTokenRequest { token, reason: String::new() })
                    .await
                    .context("revoked")?;
            }
            anyhow::Ok(())
        })?;
        Ok([validate.percentile(50.0), median(&creates), median(&lists)])
    }
}

fn micros(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e6
}

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let many = match (bench.quick, bench.full) {
        (true, _) => 200_000,
        (_, true) => 10_000_000,
        _ => 1_000_000,
    };
    let (few, much) = (start(bench, FEW)?, start(bench, many)?);
    #[expect(clippy::cast_precision_loss, reason = "bytes")]
    let bytes = (much.server.resident()? - few.server.resident()?) as f64 / (many - FEW) as f64;
    bench.row(Row::new(format!("memory per token, at {many}"), "bytes", &[bytes], Bar::AtMost(400.0)));
    let loaded = much.server.loaded.context("it told how long loading took")?.as_secs_f64();
    // A million in ten seconds.
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let limit = 10.0 * many as f64 / 1e6;
    bench.row(Row::new(format!("loading {many} tokens, SQLite"), "s", &[loaded], Bar::AtMost(limit)));
    let (mut of_few, mut of_many) = ([const { Vec::new() }; 3], [const { Vec::new() }; 3]);
    for round in 0..bench.rounds {
        for (installation, times) in [(&few, &mut of_few), (&much, &mut of_many)] {
            for (times, time) in times.iter_mut().zip(installation.times(bench, round)?) {
                times.push(time);
            }
        }
    }
    for (what, (few, many_)) in
        ["validate", "create", "first page of list"].iter().zip(of_few.iter().zip(&of_many))
    {
        bench.row(Row::new(
            format!("{many} tokens over {FEW}: {what}, p50"),
            "x",
            &ratios(many_, few),
            Bar::AtMost(1.3),
        ));
    }
    few.server.end()?;
    much.server.end()
}
