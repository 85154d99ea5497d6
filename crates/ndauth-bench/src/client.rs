//! Measures the client library's cost to a service, and how late a revocation can reach a service.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use ndauth_bench::seed::{Seeded, seed};
use ndauth_bench::server::Server;
use ndauth_bench::table::{Bar, FigureRow, median, ratios};
use ndauth_client::{Client, Credentials, Requirement, Verdict, Verifier, VerifierOptions};
use ndauth_core::Secret;
use ndauth_e2e::proxy::{FaultScope, Proxy, Treatment};
use ndauth_proto::v1;
use ndauth_store::Engine;
use ndauth_store::testing::Scratch;
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;
use tokio::time::sleep;

use crate::bench::{Bench, CLIENT_CORE, SERVER_CORE, text};
use crate::requests::{new_token, revoke};
use crate::revocation::{Delay, histogram, milliseconds};

const TOKENS: usize = 100_000;
/// The number of tokens that a service under load validates.
const LOADED_TOKENS: usize = 1000;
/// The bound on how late a change may take effect.
const BOUND: Duration = Duration::from_secs(2);

/// A fault injected into the connection between the service and its server, or into one of the two processes.
#[derive(Clone, Copy)]
enum InjectedFault {
    Treat(Treatment),
    Pause(Paused),
}

#[derive(Clone, Copy)]
enum Paused {
    Server,
    Service,
}

/// The faults, and the number of revocations measured with each.
const FAULTS: [(&str, InjectedFault, usize); 6] = [
    ("the stream delayed 10 s", InjectedFault::Treat(Treatment::Late(Duration::from_secs(10))), 6),
    ("the stream cut", InjectedFault::Treat(Treatment::Cut), 6),
    ("the stream muted", InjectedFault::Treat(Treatment::Muted), 6),
    ("the stream half-open", InjectedFault::Treat(Treatment::Swallowed), 6),
    ("the server paused (SIGSTOP)", InjectedFault::Pause(Paused::Server), 5),
    ("the service suspended (SIGSTOP)", InjectedFault::Pause(Paused::Service), 5),
];

/// A running service that reads from standard input which secret to validate.
struct ServiceProcess {
    child: Child,
    input: ChildStdin,
    reply: BufReader<ChildStdout>,
}

impl ServiceProcess {
    fn command(bench: &Bench, arguments: &[&str]) -> Command {
        let mut command = Command::new("taskset");
        command.args(["-c", &CLIENT_CORE.to_string()]).arg(bench.binary("service")).args(arguments);
        command
    }

    fn follow(bench: &Bench, url: &str, service: &Secret, tokens: &str) -> anyhow::Result<ServiceProcess> {
        let mut command = ServiceProcess::command(bench, &["follow", url, service.expose(), tokens]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().context("it reads")?;
        let reply = BufReader::new(child.stdout.take().context("it writes")?);
        let mut service = ServiceProcess { child, input, reply };
        ensure!(service.line()? == "ready", "it should be ready");
        Ok(service)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        ensure!(self.reply.read_line(&mut line)? > 0, "the service ended");
        Ok(line.trim_end().to_owned())
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for ServiceProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes the tokens to a file, in the format that the service reads.
fn tokens(bench: &Bench, seeded: &Seeded, count: usize) -> anyhow::Result<String> {
    let file = bench.folder.path().join(format!("tokens-{count}"));
    let mut lines = String::new();
    for (secret, org) in &seeded.tokens[..count] {
        let _ = writeln!(lines, "{} {org}", secret.expose());
    }
    std::fs::write(&file, lines)?;
    Ok(file.display().to_string())
}

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let database = bench.sqlite("client.db");
    let seeded = bench.runtime.block_on(seed(&database, TOKENS))?;
    let server = Server::ndauthd(SERVER_CORE, &bench.binary("ndauthd"), &text(&database), &[])?;
    costs(bench, &seeded, &server)?;
    server.end()?;
    revocations(bench)
}

fn costs(bench: &mut Bench, seeded: &Seeded, server: &Server) -> anyhow::Result<()> {
    let (url, rounds) = (format!("http://{}", server.address), bench.rounds.to_string());
    let all = tokens(bench, seeded, TOKENS)?;
    let mut command = ServiceProcess::command(bench, &["cost", &url, seeded.service.expose(), &all, &rounds]);
    let ended = command.stderr(Stdio::inherit()).output()?;
    ensure!(ended.status.success(), "the service did not measure");
    let reply: Value = serde_json::from_slice(&ended.stdout)?;
    let figures = |value: &Value| -> Vec<f64> {
        value.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
    };
    let mut hot = f64::NAN;
    for among in [1000, TOKENS] {
        let of = &reply[among.to_string()];
        let (ours, baseline) = (figures(&of["ours"]), figures(&of["baseline"]));
        bench.row(FigureRow::new(format!("`Verifier`, {among} known tokens"), "ns", &ours, Bar::None));
        bench.row(FigureRow::new(
            "the same, over SHA-256 and a hash map",
            "x",
            &ratios(&ours, &baseline),
            Bar::AtMost(4.0),
        ));
        let allocations = of["allocations"].as_f64().context("a count")?;
        bench.row(FigureRow::new("the same, allocations in 200,000", "", &[allocations], Bar::AtMost(0.0)));
        if among == 1000 {
            hot = median(&ours);
        }
    }
    let rpc = figures(&reply["rpc"]);
    let over: Vec<f64> = rpc.iter().map(|rpc| rpc / hot).collect();
    bench.row(FigureRow::new(
        "`Verifier` per CPU second over `ValidateToken` by RPC, 1,000 tokens",
        "x",
        &over,
        Bar::AtLeast(50.0),
    ));
    let bytes = reply["bytes"].as_f64().context("a count")?;
    bench.row(FigureRow::new(
        "memory for each of 100,000 that are kept",
        "bytes",
        &[bytes],
        Bar::AtMost(600.0),
    ));
    Ok(())
}

/// Returns the microseconds since the machine booted: the same clock in every process.
fn since_boot() -> i64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}

/// A client that revokes tokens, and the service that must learn of it.
struct RevocationSetup {
    owner: Client,
    service: ServiceProcess,
    proxy: Proxy,
}

impl RevocationSetup {
    /// Revokes a token that the service validates, and waits until the service refuses it.
    fn revoke(
        &mut self,
        bench: &Bench,
        number: usize,
        before: impl FnOnce(&RevocationSetup),
    ) -> anyhow::Result<Delay> {
        let name = format!("c{number}");
        let made = bench.runtime.block_on(self.owner.create_token(new_token(&name))).context("made")?;
        writeln!(self.service.input, "{} org-0", made.secret)?;
        ensure!(self.service.line()? == "known", "it is known before it is revoked");
        before(self);
        let revoked = self.owner.revoke_token(revoke(&name));
        bench.runtime.block_on(revoked).context("revoked")?;
        let revoked = since_boot();
        let reply: Value = serde_json::from_str(&self.service.line()?)?;
        let last = reply["last_allowed"].as_i64().context("a moment")?;
        let wrong = Duration::from_micros(u64::try_from(last - revoked).unwrap_or(0));
        Ok(Delay { wrong, unavailable: reply["end"] == "undecided" })
    }
}

/// Pauses a process for longer than the bound.
fn pause(pid: Pid) {
    let _ = kill_process(pid, Signal::STOP);
    std::thread::spawn(move || {
        std::thread::sleep(BOUND + Duration::from_millis(500));
        let _ = kill_process(pid, Signal::CONT);
    });
}

/// Suspends and resumes a token at one instance, and validates it at a service that watches another instance,
/// until that allows it again. Returns the times for which the service kept refusing, in milliseconds and
/// sorted.
async fn resumption_delays(
    owner: &Client,
    other: &str,
    service: &Secret,
    count: usize,
) -> anyhow::Result<Vec<f64>> {
    let name = || "given back".to_owned();
    let secret = owner.create_token(new_token(&name())).await.context("made")?.secret;
    let options = VerifierOptions::new(other.parse().context("a URL")?, Credentials::given(service));
    let verifier = Verifier::start(options).context("it starts")?;
    verifier.ready().await;
    let allowed =
        async || matches!(verifier.validate(&secret, &Requirement::Identity).await, Ok(Verdict::Allowed(_)));
    let mut late = Vec::new();
    for _ in 0..count {
        let (whose, which) = (Some(v1::Whose::mine()), Some(v1::Which::name(name())));
        owner.suspend_token(v1::SuspendTokenRequest { owner: whose, which }).await.context("suspended")?;
        while allowed().await {
            sleep(Duration::from_micros(200)).await;
        }
        let (whose, which) = (Some(v1::Whose::mine()), Some(v1::Which::name(name())));
        owner.resume_token(v1::ResumeTokenRequest { owner: whose, which }).await.context("resumed")?;
        let resumed = Instant::now();
        let mut last = Duration::ZERO;
        while !allowed().await {
            last = resumed.elapsed();
            ensure!(last < BOUND * 5, "it is never given back");
            sleep(Duration::from_micros(200)).await;
        }
        late.push(last.as_secs_f64() * 1000.0);
    }
    late.sort_by(f64::total_cmp);
    Ok(late)
}

/// Revokes tokens at one instance and measures when the service, which watches another instance, refuses
/// them.
fn revocations(bench: &mut Bench) -> anyhow::Result<()> {
    let scratch = bench.runtime.block_on(Scratch::new(Engine::Postgres));
    let seeded = bench.runtime.block_on(seed(&scratch.url, LOADED_TOKENS))?;
    let some = tokens(bench, &seeded, LOADED_TOKENS)?;
    let ndauthd = bench.binary("ndauthd");
    let one = Server::ndauthd(SERVER_CORE, &ndauthd, &text(&scratch.url), &[])?;
    let other = Server::ndauthd(SERVER_CORE, &ndauthd, &text(&scratch.url), &[])?;
    let proxy = bench.runtime.block_on(Proxy::before(other.address));
    let through = proxy.address;
    let service = ServiceProcess::follow(bench, &format!("http://{through}"), &seeded.service, &some)?;
    let url = format!("http://{}", one.address).parse().context("a URL")?;
    let owner = bench.runtime.block_on(Client::connect(&url, Some(&seeded.session))).context("connected")?;
    let mut setup = RevocationSetup { owner, service, proxy };
    let count = if bench.quick { 200 } else { 1000 };
    let delays =
        (0..count).map(|number| setup.revoke(bench, number, |_| {})).collect::<Result<Vec<_>, _>>()?;
    let sorted = milliseconds(&delays);
    histogram(&format!("{count} revocations, to a service under load"), &sorted);
    let at = |percent: usize| sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)];
    let bound = BOUND.as_secs_f64() * 1000.0;
    let what = format!("revocation to the last wrong answer in a service, {count} times: p50");
    bench.row(FigureRow::new(what, "ms", &[at(50)], Bar::None));
    bench.row(FigureRow::new("the same, p99", "ms", &[at(99)], Bar::AtMost(100.0)));
    bench.row(FigureRow::new("the same, max", "ms", &[at(100)], Bar::AtMost(bound)));
    let url = format!("http://{through}");
    let sorted = bench.runtime.block_on(resumption_delays(&setup.owner, &url, &seeded.service, count / 2))?;
    histogram(&format!("{} tokens resumed, to a service", sorted.len()), &sorted);
    let at = |percent: usize| sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)];
    let what = format!("resumption to the last refusal in a service, {} times: p50", sorted.len());
    bench.row(FigureRow::new(what, "ms", &[at(50)], Bar::None));
    bench.row(FigureRow::new("the same, p99", "ms", &[at(99)], Bar::AtMost(100.0)));
    let mut number = count;
    for (what, fault, count) in FAULTS {
        let mut delays = Vec::new();
        for _ in 0..if bench.quick { count.min(3) } else { count } {
            number += 1;
            delays.push(setup.revoke(bench, number, |setup| match fault {
                InjectedFault::Treat(treatment) => setup.proxy.treat(FaultScope::All, treatment),
                InjectedFault::Pause(Paused::Server) => pause(other.pid()),
                InjectedFault::Pause(Paused::Service) => pause(setup.service.pid()),
            })?);
            setup.proxy.clear_faults();
        }
        let sorted = milliseconds(&delays);
        histogram(what, &sorted);
        let unavailable = delays.iter().filter(|delay| delay.unavailable).count();
        let then =
            if unavailable == 0 { String::new() } else { format!(", then UNAVAILABLE ({unavailable})") };
        let most = *sorted.last().context("a delay")?;
        bench.row(FigureRow::new(
            format!("{what}, {} times: max{then}", delays.len()),
            "ms",
            &[most],
            Bar::AtMost(bound),
        ));
    }
    drop(setup);
    one.end()?;
    other.end()
}
