//! What starting costs: of the command line, of a call, of the server. Ratios to `/bin/true` in the same run, alternating.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::cargo::{build_binaries, root};
use crate::server::{Server, url};

/// How often each command is run; the medians are told.
const RUNS: usize = 41;
/// How often the server is started.
const STARTS: usize = 11;
/// How long a server is let be before its memory is looked at.
const IDLE: Duration = Duration::from_secs(3);

/// What was measured, and what it must not exceed.
struct Row {
    what: &'static str,
    median: f64,
    least: f64,
    most: f64,
    unit: &'static str,
    bar: f64,
}

pub(crate) fn run() -> anyhow::Result<()> {
    let (ndauthd, ndcli) = build_binaries(true)?;
    let folder = tempfile::tempdir()?;
    let mut starts = Vec::new();
    for run in 0..STARTS {
        let database = folder.path().join(format!("{run}.db"));
        // The second start is that of a small database that is there.
        Server::start(&ndauthd, &database)?.end()?;
        let server = Server::start(&ndauthd, &database)?;
        starts.push(server.ready_after.as_secs_f64() * 1000.0);
        server.end()?;
    }
    let database = folder.path().join("calls.db");
    let server = Server::start(&ndauthd, &database)?;
    let admin = |arguments: &str| -> anyhow::Result<String> {
        let mut command = Command::new(&ndauthd);
        command.arg("admin").args(arguments.split(' ')).env("NDAUTHD_DATABASE", url(&database));
        let output = command.stdin(Stdio::null()).output()?;
        ensure!(output.status.success(), "`ndauthd admin {arguments}` failed");
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    admin("account create ada --email ada@example.org")?;
    let session = admin("session issue ada")?;
    let mut help = Command::new(&ndcli);
    help.arg("--help");
    let mut call = Command::new(&ndcli);
    call.args(["auth", "token", "list"])
        .env("NDCLI_SERVER", format!("http://{}", server.address))
        .env("NDCLI_TOKEN", &session);
    let mut commands = [Command::new("/bin/true"), help, call];
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..RUNS {
        for (command, times) in commands.iter_mut().zip(&mut times) {
            let begun = Instant::now();
            let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
            ensure!(status.success(), "{command:?} failed");
        }
    }
    std::thread::sleep(IDLE);
    let memory = server.resident_megabytes()?;
    server.end()?;

    let [nothing, help, call] = times;
    let beyond = median(&nothing);
    let ratios: Vec<f64> = help.iter().map(|time| time / beyond).collect();
    let rows = [
        row("/bin/true", &nothing, "ms", f64::INFINITY),
        row("ndcli --help", &help, "ms", f64::INFINITY),
        row("ndcli --help, in /bin/true's", &ratios, "x", 3.0),
        row("ndcli auth token list: one RPC", &call, "ms", 5.0),
        row("ndauthd: start to ready, SQLite", &starts, "ms", 100.0),
        row("ndauthd: resident, idle", &[memory], "MB", 30.0),
    ];
    tell(&rows)
}

fn row(what: &'static str, values: &[f64], unit: &'static str, bar: f64) -> Row {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    Row { what, median: median(values), least, most, unit, bar }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// A table for people and a file for programs. What is over its bar fails.
fn tell(rows: &[Row]) -> anyhow::Result<()> {
    println!("| what | median | least | most | bar |\n|---|---|---|---|---|");
    let mut json = Vec::new();
    for Row { what, median, least, most, unit, bar } in rows {
        let at_most = if bar.is_finite() { format!("{bar} {unit}") } else { "-".to_owned() };
        println!("| {what} | {median:.2} {unit} | {least:.2} | {most:.2} | {at_most} |");
        let bar = if bar.is_finite() { bar.to_string() } else { "null".to_owned() };
        json.push(format!(
            "{{\"what\":\"{what}\",\"unit\":\"{unit}\",\"median\":{median:.3},\"least\":{least:.3},\"most\":{most:.3},\"bar\":{bar}}}"
        ));
    }
    let file = root().join("target/bench.json");
    fs::write(&file, format!("[{}]\n", json.join(",\n ")))?;
    println!("\nalso in {}", file.display());
    let over: Vec<&str> = rows.iter().filter(|row| row.median > row.bar).map(|row| row.what).collect();
    ensure!(over.is_empty(), "over the bar: {}", over.join(", "));
    Ok(())
}
