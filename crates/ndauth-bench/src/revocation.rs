//! Measures how late a revocation can reach another instance, with and without faults between it and its
//! database.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use ndauth_bench::load::{self, ServiceConnection, Shape};
use ndauth_bench::seed::seed;
use ndauth_bench::server::Server;
use ndauth_bench::table::{Bar, FigureRow};
use ndauth_client::Client;
use ndauth_core::Secret;
use ndauth_e2e::proxy::{FaultScope, Proxy, Treatment};
use ndauth_store::testing::Scratch;
use ndauth_store::{DatabaseUrl, Engine};
use rustix::process::Signal;

use crate::bench::{Bench, SERVER_CORE};
use crate::requests::{new_token, revoke};
use crate::validate::{about, question};

/// The instances' bound on the age of an answer.
const BOUND: Duration = Duration::from_secs(2);
const TOKENS: usize = 10_000;

const LISTENER: FaultScope = FaultScope::Said("LISTEN \"ndauth_head\"");
const READER: FaultScope = FaultScope::Said("ndauth mirror");

/// The faults, and the number of revocations measured with each.
const FAULTS: [(&str, FaultScope, Treatment, usize); 7] = [
    ("LISTEN cut", LISTENER, Treatment::Cut, 40),
    ("LISTEN muted", LISTENER, Treatment::Muted, 40),
    ("LISTEN half-open", LISTENER, Treatment::Swallowed, 40),
    ("the reader's connection 100 ms late", READER, Treatment::Late(Duration::from_millis(100)), 20),
    ("the reader's connection muted", READER, Treatment::Muted, 6),
    ("every connection half-open", FaultScope::All, Treatment::Swallowed, 6),
    ("every connection cut", FaultScope::All, Treatment::Cut, 6),
];

/// Two instances, and the clients that use them.
struct Pair {
    owner: Client,
    address: std::net::SocketAddr,
    service: Secret,
}

/// The measured effect of one revocation.
pub(crate) struct Delay {
    /// The time of the last wrong answer, counted from the response to the revocation.
    pub(crate) wrong: Duration,
    /// True if the instance could not decide at the end.
    pub(crate) unavailable: bool,
}

impl Pair {
    /// Revokes a token at one instance, and validates it at the other until that refuses it, or still cannot
    /// decide after one and a half times the bound.
    async fn revoke(&self, number: usize, before: impl AsyncFnOnce()) -> anyhow::Result<Delay> {
        let name = format!("r{number}");
        let made = self.owner.create_token(new_token(&name)).await.context("made")?;
        let secret: Secret = made.secret.parse().context("a secret")?;
        let mut connection = ServiceConnection::connect(self.address, &self.service).await?;
        let request = question(&secret, "org-0");
        ensure!(connection.ask(&request).await? == Some(true), "it is known before it is revoked");
        before().await;
        self.owner.revoke_token(revoke(&name)).await.context("revoked")?;
        let revoked = Instant::now();
        let mut wrong = Duration::ZERO;
        loop {
            match connection.ask(&request).await? {
                Some(true) => wrong = revoked.elapsed(),
                Some(false) => return Ok(Delay { wrong, unavailable: false }),
                None if revoked.elapsed() > BOUND * 3 / 2 => return Ok(Delay { wrong, unavailable: true }),
                None => {}
            }
            ensure!(revoked.elapsed() < BOUND * 5, "it never ended");
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
    }
}

pub(crate) fn milliseconds(delays: &[Delay]) -> Vec<f64> {
    let mut all: Vec<f64> = delays.iter().map(|delay| delay.wrong.as_secs_f64() * 1000.0).collect();
    all.sort_by(f64::total_cmp);
    all
}

/// Prints the number of values in each interval.
pub(crate) fn histogram(what: &str, sorted: &[f64]) {
    let bounds = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, f64::INFINITY];
    let mut intervals = Vec::new();
    let mut from = 0.0;
    for to in bounds {
        let count = sorted.iter().filter(|value| **value >= from && **value < to).count();
        if count > 0 {
            intervals.push(format!("< {to} ms: {count}"));
        }
        from = to;
    }
    eprintln!("  {what}: {}", intervals.join(", "));
}

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let scratch = bench.runtime.block_on(Scratch::new(Engine::Postgres));
    let DatabaseUrl::Postgres(url) = &scratch.url else { unreachable!("a scratch of PostgreSQL") };
    let seeded = bench.runtime.block_on(seed(&scratch.url, TOKENS))?;
    let host = url.split('@').nth(1).and_then(|rest| rest.split('/').next()).context("a host")?;
    let real = host.parse().context("an address")?;
    let proxy = bench.runtime.block_on(Proxy::before(real));
    let through = url.replace(host, &proxy.address.to_string());
    let ndauthd = bench.binary("ndauthd");
    let one = Server::ndauthd(SERVER_CORE, &ndauthd, url, &[])?;
    let other = Server::ndauthd(SERVER_CORE, &ndauthd, &through, &[])?;

    let call = about(&seeded, TOKENS);
    let most = load::run(
        other.address,
        &call.clone().into(),
        Shape { connections: 8, streams: 16, rate: None, gentle: false, time: Duration::from_secs(2) },
    )?;
    let rate = most.rate() / 2.0;
    let owner = format!("http://{}", one.address).parse().context("a URL")?;
    let pair = Pair {
        owner: bench.runtime.block_on(Client::connect(&owner, Some(&seeded.session))).context("connected")?,
        address: other.address,
        service: seeded.service.expose().parse().context("a secret")?,
    };
    let count = if bench.quick { 200 } else { 1000 };
    let local = tokio::task::LocalSet::new();
    let here = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let delays = local.block_on(&here, async {
        let loading = load::start_load(other.address, call.clone(), rate);
        let mut delays = Vec::new();
        for number in 0..count {
            delays.push(pair.revoke(number, async || {}).await?);
        }
        let outcome = loading.end().await?;
        ensure!(outcome.bad == 0, "{} answers under load were wrong", outcome.bad);
        Ok(delays)
    })?;
    let sorted = milliseconds(&delays);
    histogram(&format!("{count} revocations under {rate:.0} validations a second"), &sorted);
    let at = |percent: usize| sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)];
    bench.row(FigureRow::new(
        format!("revocation to the last wrong answer elsewhere, {count} times: p50"),
        "ms",
        &[at(50)],
        Bar::None,
    ));
    bench.row(FigureRow::new("the same, p99", "ms", &[at(99)], Bar::AtMost(100.0)));
    let bound = BOUND.as_secs_f64() * 1000.0;
    bench.row(FigureRow::new("the same, max", "ms", &[at(100)], Bar::AtMost(bound)));

    let mut number = count;
    for (what, which, treatment, count) in FAULTS {
        let mut delays = Vec::new();
        for _ in 0..if bench.quick { count.min(6) } else { count } {
            number += 1;
            // No fault has been injected since the last round, so every connection is back.
            let delay = local.block_on(&here, async {
                tokio::time::sleep(Duration::from_millis(300)).await;
                pair.revoke(number, async || {
                    proxy.treat(which, treatment);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                })
                .await
            })?;
            delays.push(delay);
            proxy.clear_faults();
            local.block_on(&here, back(&pair, &seeded.tokens[0].0))?;
        }
        let sorted = milliseconds(&delays);
        histogram(what, &sorted);
        let unavailable = delays.iter().filter(|delay| delay.unavailable).count();
        let then =
            if unavailable == 0 { String::new() } else { format!(", then UNAVAILABLE ({unavailable})") };
        bench.row(FigureRow::new(
            format!("{what}, {} times: max{then}", delays.len()),
            "ms",
            &[*sorted.last().context("a delay")?],
            Bar::AtMost(bound),
        ));
    }
    let mut paused = Vec::new();
    for _ in 0..5 {
        number += 1;
        let delay = local.block_on(
            &here,
            pair.revoke(number, async || {
                let _ = other.signal(Signal::STOP);
                let pid = other.pid();
                tokio::task::spawn(async move {
                    tokio::time::sleep(BOUND + Duration::from_millis(300)).await;
                    let _ = rustix::process::kill_process(pid, Signal::CONT);
                });
            }),
        )?;
        paused.push(delay);
    }
    let sorted = milliseconds(&paused);
    histogram("the instance paused", &sorted);
    bench.row(FigureRow::new(
        "the instance paused (SIGSTOP), 5 times: max",
        "ms",
        &[*sorted.last().context("a delay")?],
        Bar::AtMost(bound),
    ));
    one.end()?;
    other.end()
}

/// Waits until the instance answers again.
async fn back(pair: &Pair, good: &Secret) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut connection = ServiceConnection::connect(pair.address, &pair.service).await?;
    while connection.ask(&question(good, "org-0")).await? != Some(true) {
        ensure!(begun.elapsed() < Duration::from_secs(10), "it does not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
