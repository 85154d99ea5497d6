//! A service that validates through the client library. It measures the cost of that, and how late a
//! revocation reaches it.
//!
//! `service cost URL NDSVC TOKENS ROUNDS` measures, and prints one line of JSON.
//! `service follow URL NDSVC TOKENS` reads one secret on each line of its input. It validates the secret
//! under load until the secret is refused, or validation has been unavailable for some time, and prints one
//! line of JSON.

use std::alloc::System;
use std::collections::HashMap;
use std::hint::black_box;
use std::io::BufRead;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use ndauth_bench::table::median;
use ndauth_client::{
    Client, Credentials, Requirement, Scope, Secret, ValidationRequest, Verdict, Verifier, VerifierOptions,
};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use sha2::{Digest, Sha256};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Tokens, and the requirement that each is validated against.
type Questions = Vec<(String, Requirement)>;

/// The number of concurrent validations while nothing is cached yet.
const MOST_CONCURRENT: usize = 64;
/// The number of validations in one measurement.
const QUESTIONS: usize = 200_000;
/// The number of RPCs in one measurement.
const RPCS: usize = 20_000;
/// The number of other validations before each one that counts.
const LOAD: usize = 50;
/// The timeout after which a token that cannot be validated is reported as undecided.
const TIME_LIMIT: Duration = Duration::from_secs(3);

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match words.as_slice() {
        ["cost", url, service, tokens, rounds] => {
            cost(&runtime, url, service, &read(tokens)?, rounds.parse()?)
        }
        ["follow", url, service, tokens] => runtime.block_on(follow(url, service, &read(tokens)?)),
        _ => bail!("usage: service cost URL NDSVC TOKENS ROUNDS | service follow URL NDSVC TOKENS"),
    }
}

/// Reads a secret and the slug of an org from each line.
fn read(file: &str) -> anyhow::Result<Questions> {
    let text = std::fs::read_to_string(file)?;
    text.lines().map(parse_token_line).collect()
}

fn verifier(url: &str, service: &Secret) -> anyhow::Result<Verifier> {
    let mut options = VerifierOptions::new(url.parse()?, Credentials::given(service));
    options.capacity = 250_000;
    Ok(Verifier::start(options)?)
}

/// Validates all tokens once, so that they are cached.
async fn learn(verifier: &Verifier, asked: &Questions) -> anyhow::Result<()> {
    let mut running = JoinSet::new();
    for (secret, requirement) in asked {
        if running.len() == MOST_CONCURRENT {
            running.join_next().await;
        }
        let (verifier, secret, requirement) = (verifier.clone(), secret.clone(), requirement.clone());
        running.spawn(async move { verifier.validate(&secret, &requirement).await.map(drop) });
    }
    while running.join_next().await.is_some() {}
    Ok(())
}

/// Returns the CPU time of this thread, or of the whole process.
fn cpu(clock: ClockId) -> Duration {
    let now = clock_gettime(clock);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Returns the mean CPU time of one of `count` operations, in nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "a count")]
fn each(clock: ClockId, count: usize, work: impl FnOnce()) -> f64 {
    let before = cpu(clock);
    work();
    (cpu(clock) - before).as_nanos() as f64 / count as f64
}

fn question<'a>(asked: &'a Questions, draw: &mut u64, among: usize) -> ValidationRequest<'a> {
    *draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let (secret, requirement) = &asked[usize::try_from(*draw >> 33).unwrap_or(0) % among];
    ValidationRequest { secret, requirement, client_address: None, client: None }
}

fn cost(runtime: &Runtime, url: &str, service: &str, asked: &Questions, rounds: usize) -> anyhow::Result<()> {
    let service: Secret = service.parse()?;
    let _entered = runtime.enter();
    let verifier = verifier(url, &service)?;
    runtime.block_on(verifier.ready());
    runtime.block_on(learn(&verifier, &asked[..1].to_vec()))?;
    let before = ALLOCATOR.stats();
    runtime.block_on(learn(&verifier, asked))?;
    // Lets the connections free their buffers, so that these do not count.
    runtime.block_on(tokio::time::sleep(Duration::from_millis(600)));
    let after = ALLOCATOR.stats();
    let kept = verifier.figures().kept;
    ensure!(kept == asked.len(), "{kept} of {} are kept", asked.len());
    let live = |stats: stats_alloc::Stats| stats.bytes_allocated as i64 - stats.bytes_deallocated as i64;
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let bytes = (live(after) - live(before)) as f64 / kept as f64;

    let mut report = serde_json::Map::new();
    report.insert("bytes".to_owned(), json!(bytes));
    for among in [asked.len().min(1000), asked.len()] {
        let plain: HashMap<[u8; 32], Arc<String>> = asked[..among]
            .iter()
            .map(|(secret, _)| (Sha256::digest(secret).into(), Arc::new(secret[..12].to_owned())))
            .collect();
        let (mut ours, mut baseline, mut allocations) = (Vec::new(), Vec::new(), 0);
        // The watch runs between measurements. During a measurement, this thread does nothing else.
        for round in 0..=rounds {
            runtime.block_on(tokio::time::sleep(Duration::from_millis(300)));
            let mut draw = round as u64 + 1;
            let region = Region::new(ALLOCATOR);
            let mut allowed = 0;
            let took = each(ClockId::ThreadCPUTime, QUESTIONS, || {
                for _ in 0..QUESTIONS {
                    let verdict = verifier.decide_now(&question(asked, &mut draw, among));
                    allowed += usize::from(black_box(verdict).is_some_and(|verdict| verdict.is_allowed()));
                }
            });
            let change = region.change();
            ensure!(allowed == QUESTIONS, "{allowed} of {QUESTIONS} were allowed at once");
            let mut draw = round as u64 + 1;
            let base = each(ClockId::ThreadCPUTime, QUESTIONS, || {
                for _ in 0..QUESTIONS {
                    let ValidationRequest { secret, .. } = question(asked, &mut draw, among);
                    let hash: [u8; 32] = Sha256::digest(secret).into();
                    black_box(plain.get(&hash).cloned());
                }
            });
            if round > 0 {
                ours.push(took);
                baseline.push(base);
                allocations = change.allocations;
            }
        }
        report.insert(
            among.to_string(),
            json!({ "ours": ours, "baseline": baseline, "allocations": allocations }),
        );
    }
    let mut rpcs = Vec::new();
    for _ in 0..rounds {
        let client = runtime.block_on(Client::connect(&url.parse()?, Some(&service)))?;
        let took = each(ClockId::ProcessCPUTime, RPCS, || runtime.block_on(ask_all(&client, asked)));
        rpcs.push(took);
    }
    report.insert("rpc".to_owned(), json!(rpcs));
    eprintln!("rpc: {:.0} ns", median(&rpcs));
    println!("{}", serde_json::Value::Object(report));
    Ok(())
}

/// Validates on the server, with a limited number of concurrent calls.
async fn ask_all(client: &Client, asked: &Questions) {
    let mut running = JoinSet::new();
    for (secret, requirement) in asked.iter().take(1000).cycle().take(RPCS) {
        if running.len() == MOST_CONCURRENT {
            running.join_next().await;
        }
        let Ok(request) = ndauth_proto::requirement_to_proto(secret, requirement, None) else { return };
        let client = client.clone();
        running.spawn(async move { client.validate_token(request).await.map(drop) });
    }
    while running.join_next().await.is_some() {}
}

/// Returns the microseconds since the machine booted: the same clock in every process.
fn since_boot() -> i64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}

async fn follow(url: &str, service: &str, asked: &Questions) -> anyhow::Result<()> {
    let verifier = verifier(url, &service.parse()?)?;
    verifier.ready().await;
    learn(&verifier, asked).await?;
    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    println!("ready");
    let mut draw = 1;
    while let Some(line) = lines.recv().await {
        let (secret, requirement) = &parse_token_line(&line)?;
        while !matches!(verifier.validate(secret, requirement).await, Ok(Verdict::Allowed(_))) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        println!("known");
        let (mut last_allowed, mut undecided, mut questions) = (0, None, 0_u64);
        let begun = Instant::now();
        let end = loop {
            for _ in 0..LOAD {
                let _ = black_box(verifier.decide_now(&question(asked, &mut draw, asked.len())));
            }
            questions += LOAD as u64 + 1;
            match verifier.validate(secret, requirement).await {
                Ok(Verdict::Allowed(_)) => (last_allowed, undecided) = (since_boot(), None),
                Ok(Verdict::Refused(_)) => break "refused",
                Err(_) if undecided.get_or_insert_with(Instant::now).elapsed() > TIME_LIMIT => {
                    break "undecided";
                }
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        };
        #[expect(clippy::cast_precision_loss, reason = "a count")]
        let rate = questions as f64 / begun.elapsed().as_secs_f64();
        println!("{}", json!({ "last_allowed": last_allowed, "end": end, "rate": rate }));
    }
    Ok(())
}

fn parse_token_line(line: &str) -> anyhow::Result<(String, Requirement)> {
    let (secret, org) = line.split_once(' ').context("a secret and an org")?;
    Ok((secret.to_owned(), Requirement::Access { org: org.parse()?, access: Scope::Rw, permission: None }))
}
