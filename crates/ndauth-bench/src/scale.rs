//! Measures the cost of a hundred times as many tokens.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use ndauth_bench::load::{self, Shape};
use ndauth_bench::seed::{Seeded, seed};
use ndauth_bench::server::Server;
use ndauth_bench::table::{Bar, FigureRow, median, ratios};
use ndauth_client::Client;
use ndauth_core::Owner;
use ndauth_proto::v1;
use ndauth_store::testing::execute;
use ndauth_store::{Clock, DatabaseUrl, Store, TokenOrder, TokenQuery};

use crate::bench::{Bench, SERVER_CORE, text};
use crate::validate::about;

const FEW: usize = 10_000;

/// A running server with this number of tokens.
struct SeededServer {
    server: Server,
    seeded: Seeded,
    client: Client,
    tokens: usize,
}

fn start(bench: &Bench, tokens: usize) -> anyhow::Result<SeededServer> {
    let url = bench.sqlite(&format!("scale-{tokens}.db"));
    let seeded = bench.runtime.block_on(seed(&url, tokens))?;
    let server = Server::ndauthd(SERVER_CORE, &bench.binary("ndauthd"), &text(&url), &[])?;
    let address = format!("http://{}", server.address).parse().context("a URL")?;
    let client =
        bench.runtime.block_on(Client::connect(&address, Some(&seeded.session))).context("connected")?;
    Ok(SeededServer { server, seeded, client, tokens })
}

impl SeededServer {
    /// Returns the median times of a validation, of creating a token and of a list, in microseconds.
    fn times(&self, bench: &Bench, round: usize) -> anyhow::Result<[f64; 3]> {
        let call = about(&self.seeded, self.tokens);
        let shape = Shape {
            connections: 4,
            streams: 4,
            rate: Some(4000.0),
            gentle: false,
            time: Duration::from_secs(2),
        };
        let validate = load::run(self.server.address, &call.into(), shape)?;
        load::ensure_all_correct(&validate)?;
        let (mut creates, mut lists) = (Vec::new(), Vec::new());
        bench.runtime.block_on(async {
            for n in 0..20 {
                let name = format!("bench {round} {n}");
                let begun = Instant::now();
                self.client.create_token(crate::requests::new_token(&name)).await.context("made")?;
                creates.push(micros(begun));
                let begun = Instant::now();
                self.client
                    .list_tokens(v1::ListTokensRequest {
                        owner: Some(v1::Whose::mine()),
                        ..Default::default()
                    })
                    .await
                    .context("listed")?;
                lists.push(micros(begun));
                self.client.revoke_token(crate::requests::revoke(&name)).await.context("revoked")?;
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
    bench.row(FigureRow::new(format!("memory per token, at {many}"), "bytes", &[bytes], Bar::AtMost(400.0)));
    let loaded = much.server.loaded.context("it reported how long loading took")?.as_secs_f64();
    // The limit is ten seconds for a million tokens.
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let limit = 10.0 * many as f64 / 1e6;
    bench.row(FigureRow::new(format!("loading {many} tokens, SQLite"), "s", &[loaded], Bar::AtMost(limit)));
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
        bench.row(FigureRow::new(
            format!("{many} tokens over {FEW}: {what}, p50"),
            "x",
            &ratios(many_, few),
            Bar::AtMost(1.3),
        ));
    }
    few.server.end()?;
    much.server.end()?;
    lists(bench, many)?;
    tidying(bench, many)
}

/// Moves all tokens to one org, each with an expiry and a last use of its own.
async fn spread(store: &Store) {
    let spread = "UPDATE token SET account_id = NULL, org_id = (SELECT id FROM org ORDER BY slug LIMIT 1), \
                  live_name = NULL, expires_at = expires_at + abs(random() % 1000000000), \
                  last_used_at = created_at - abs(random() % 1000000000)";
    execute(store, spread).await;
    execute(store, "ANALYZE").await;
}

/// Moves all tokens of a database to the org whose slug is first, and makes every member an admin.
pub(crate) async fn give_all_to_one_org(url: &DatabaseUrl) -> anyhow::Result<()> {
    let store = Store::connect(url, Clock::Database).await?;
    spread(&store).await;
    execute(&store, "UPDATE membership SET role = 'ADMIN'").await;
    Ok(store.close().await?)
}

/// Measures the first page of each list of an org that owns all tokens.
fn lists(bench: &mut Bench, many: usize) -> anyhow::Result<()> {
    let url = bench.sqlite("lists.db");
    let times = bench.runtime.block_on(async {
        seed(&url, many).await?;
        let store = Store::connect(&url, Clock::Database).await?;
        spread(&store).await;
        let read = store.read().await?;
        let org = read.list_orgs().await?.into_iter().min_by(|a, b| a.slug.cmp(&b.slug)).context("an org")?;
        let mut times = Vec::new();
        for order in [TokenOrder::Made, TokenOrder::Name, TokenOrder::End, TokenOrder::Use] {
            for reverse in [false, true] {
                let mut query = TokenQuery::all(false, 100);
                (query.order, query.reverse) = (order, reverse);
                let mut taken = Vec::new();
                for _ in 0..20 {
                    let begun = Instant::now();
                    let (tokens, next) = read.list_tokens(Owner::Org(org.id), &query).await?;
                    anyhow::ensure!(tokens.len() == 100 && next.is_some(), "a page is whole");
                    read.view_tokens(tokens).await?;
                    taken.push(micros(begun) / 1000.0);
                }
                times.push((format!("{order:?}{}", if reverse { ", reversed" } else { "" }), median(&taken)));
            }
        }
        drop(read);
        store.close().await?;
        anyhow::Ok(times)
    })?;
    for (order, time) in times {
        let what = format!("first page of an org's {many} tokens by {order}");
        bench.row(FigureRow::new(what, "ms", &[time], Bar::AtMost(50.0)));
    }
    Ok(())
}

/// Measures `ndauthd admin tidy` with no dead tokens, and with one dead token in a hundred.
fn tidying(bench: &mut Bench, many: usize) -> anyhow::Result<()> {
    let url = bench.sqlite("tidying.db");
    let dead = many / 100;
    bench.runtime.block_on(seed(&url, many))?;
    let ndauthd = bench.binary("ndauthd");
    let tidy = || -> anyhow::Result<f64> {
        let begun = Instant::now();
        let ended =
            Command::new(&ndauthd).args(["admin", "tidy"]).env("NDAUTHD_DATABASE", text(&url)).output()?;
        anyhow::ensure!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        Ok(begun.elapsed().as_secs_f64())
    };
    let none = tidy()?;
    bench.runtime.block_on(async {
        let store = Store::connect(&url, Clock::Database).await?;
        let long_ago =
            format!("UPDATE token SET expires_at = 1 WHERE id IN (SELECT id FROM token LIMIT {dead})");
        execute(&store, &long_ago).await;
        store.close().await?;
        anyhow::Ok(())
    })?;
    let some = tidy()?;
    let what = format!("`ndauthd admin tidy` with {many} tokens, none dead");
    bench.row(FigureRow::new(what, "s", &[none], Bar::AtMost(1.0)));
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let each = (some - none) * 1e6 / dead as f64;
    let what = format!("the same with {dead} dead, for each of them");
    bench.row(FigureRow::new(what, "us", &[each], Bar::AtMost(1000.0)));
    Ok(())
}
