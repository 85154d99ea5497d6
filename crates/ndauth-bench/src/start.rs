//! Measures starts: of the command line, of a call, and of the server.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;
use ndauth_bench::server::Server;
use ndauth_bench::table::{Bar, FigureRow, ratios};

use crate::bench::{Bench, SERVER_CORE, text};

/// The time that a server idles before its memory is measured.
const IDLE: Duration = Duration::from_secs(3);

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let (ndauthd, ndcli) = (bench.binary("ndauthd"), bench.binary("ndcli"));
    let mut starts = Vec::new();
    for run in 0..bench.rounds {
        let database = text(&bench.sqlite(&format!("start-{run}.db")));
        // The second start finds a small existing database.
        Server::ndauthd(SERVER_CORE, &ndauthd, &database, &[])?.end()?;
        let server = Server::ndauthd(SERVER_CORE, &ndauthd, &database, &[])?;
        starts.push(server.ready_after.as_secs_f64() * 1000.0);
        server.end()?;
    }
    let database = text(&bench.sqlite("calls.db"));
    let server = Server::ndauthd(SERVER_CORE, &ndauthd, &database, &[])?;
    let admin = |arguments: &str| -> anyhow::Result<String> {
        let mut command = Command::new(&ndauthd);
        command.arg("admin").args(arguments.split(' ')).env("NDAUTHD_DATABASE", &database);
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
    for _ in 0..bench.rounds * 6 {
        for (command, times) in commands.iter_mut().zip(&mut times) {
            let begun = Instant::now();
            let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
            ensure!(status.success(), "{command:?} failed");
        }
    }
    std::thread::sleep(IDLE);
    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
    let memory = server.resident()? as f64 / 1e6;
    server.end()?;
    let [nothing, help, call] = times;
    bench.row(FigureRow::new("/bin/true", "ms", &nothing, Bar::None));
    bench.row(FigureRow::new(
        "`ndcli --help`, in /bin/true's",
        "x",
        &ratios(&help, &nothing),
        Bar::AtMost(3.0),
    ));
    bench.row(FigureRow::new("`ndcli auth token list`: one RPC", "ms", &call, Bar::AtMost(5.0)));
    bench.row(FigureRow::new("ndauthd: start to ready, SQLite", "ms", &starts, Bar::AtMost(100.0)));
    bench.row(FigureRow::new("ndauthd: resident, idle", "MB", &[memory], Bar::AtMost(30.0)));
    Ok(())
}
