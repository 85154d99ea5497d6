//! Measures the cost of creating a token, relative to the bare statements that it takes.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use ndauth_bench::seed::{Seeded, SeededSession, seed};
use ndauth_bench::server::Server;
use ndauth_bench::table::{Bar, FigureRow, ratios};
use ndauth_client::Client;
use ndauth_core::{Secret, SecretKind};
use ndauth_store::testing::Scratch;
use ndauth_store::{DatabaseUrl, Engine};
use rand::rngs::SysRng;
use rusqlite::types::Value;

use crate::bench::{Bench, SERVER_CORE, text};

const TOKENS: usize = 10_000;
/// The number of tokens created at once. An account may have 25 tokens, and has 10.
const CONCURRENT_CREATES: usize = 12;
/// The number of times that this many are created in a round.
const TIMES: usize = 15;

const SECRET: &str = "secret.id, secret.hash, secret.prefix, secret.token_id, secret.session_id, secret.service_id, \
    secret.minted_at, secret.confirmed_at, secret.ends_at, secret.last_used_at, secret.last_used_address";
const ACCOUNT: &str = "account.id, account.handle, account.email, account.name, account.operator, account.created_at, \
    account.last_login_at, account.disabled_at";
const TOKEN: &str = "token.id, token.account_id, token.org_id, token.name, token.live_name, token.description, \
    token.scope, token.all_orgs, token.all_grants, token.all_services, token.all_networks, token.created_at, \
    token.lifetime, token.expires_at, token.revoked_at";

/// Returns the statements of `CreateToken`, as PostgreSQL's log shows them. Values that differ each time are
/// named parameters.
fn statements(engine: Engine) -> Vec<String> {
    let (now, locked, begin) = match engine {
        Engine::Sqlite => ("", "", "BEGIN IMMEDIATE"),
        Engine::Postgres => {
            (", (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now", " FOR UPDATE", "BEGIN")
        }
    };
    let asked = [
        begin.to_owned(),
        format!(
            "SELECT sequence, head.hash, not_before, restored_at, catalogue.hash AS catalogue{now} \
             FROM head, installation, catalogue WHERE head.id = 1"
        ),
        format!("SELECT {ACCOUNT} FROM account WHERE account.id = :account LIMIT 1{locked}"),
        format!("SELECT {SECRET} FROM secret WHERE secret.hash = :presented LIMIT 1"),
        "SELECT session.id, session.account_id, session.created_at, session.expires_at, session.revoked_at \
         FROM session WHERE session.id = :session LIMIT 1"
            .to_owned(),
        format!("SELECT {ACCOUNT} FROM account WHERE account.id = :account LIMIT 1"),
        format!("SELECT {TOKEN} FROM token WHERE token.account_id = :account AND token.live_name = :name LIMIT 1"),
        format!(
            "SELECT COUNT(*) FROM (SELECT {TOKEN} FROM token WHERE token.account_id = :account \
             AND token.revoked_at IS NULL AND token.expires_at > 1795358429073048 AND token.id IN \
             (SELECT secret.token_id FROM secret WHERE secret.token_id IS NOT NULL AND secret.minted_at >= 0)) AS t"
        ),
        "INSERT INTO token (id, account_id, name, live_name, scope, all_orgs, all_grants, all_services, all_networks, \
         created_at, lifetime, expires_at) VALUES (:token, :account, :name, :name, 'RW', TRUE, TRUE, TRUE, TRUE, \
         1795358429073048, 7776000000000, 1803134429073048)"
            .to_owned(),
        "INSERT INTO secret (id, hash, prefix, token_id, minted_at, confirmed_at, ends_at) VALUES (:token, :hash, \
         'ndpat_dOVuaK', :token, 1795358429073048, 1795358429073048, 9223372036854775807)"
            .to_owned(),
        format!("SELECT {SECRET} FROM secret WHERE secret.token_id IN (:token)"),
        format!("SELECT sequence, hash FROM head WHERE id = 1{locked}"),
    ];
    asked.into_iter().chain(append(engine)).chain(["COMMIT".to_owned()]).collect()
}

/// Returns the statements that append an event, list it under its two subjects, and move the head.
fn append(engine: Engine) -> Vec<String> {
    const EVENT: &str = "INSERT INTO event (sequence, public_bytes, personal_bytes, salt, personal_hash, hash) \
         SELECT sequence + 1, :public, :salt, :salt, :salt, :event FROM head WHERE id = 1";
    const LIST: &str = "INSERT INTO event_subject (subject, sequence) \
         SELECT :account, sequence + 1 FROM head WHERE id = 1 \
         UNION ALL SELECT :token, sequence + 1 FROM head WHERE id = 1 ON CONFLICT DO NOTHING";
    const MOVE: &str = "UPDATE head SET sequence = sequence + 1, hash = :event WHERE id = 1";
    match engine {
        Engine::Sqlite => [EVENT, LIST, MOVE].map(str::to_owned).into(),
        Engine::Postgres => vec![format!(
            "WITH appended AS ({EVENT}), listed AS ({LIST}), moved AS ({MOVE} RETURNING id) \
             SELECT pg_notify('ndauth_head', '') FROM moved"
        )],
    }
}

/// The stored content of an event, about as large as a real one.
const PUBLIC: [u8; 220] = [b'x'; 220];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Creates tokens through a server, several at once, and revokes them. Returns the number created in a
/// second.
fn through(bench: &Bench, clients: &[Client], round: usize) -> anyhow::Result<f64> {
    let mut spent = Duration::ZERO;
    for time in 0..TIMES {
        let begun = Instant::now();
        let name = |number: usize| format!("made {round} {time} {number}");
        bench.runtime.block_on(async {
            let mut making = tokio::task::JoinSet::new();
            for number in 0..CONCURRENT_CREATES {
                let (client, name) = (clients[number % clients.len()].clone(), name(number));
                making.spawn(async move { client.create_token(crate::requests::new_token(&name)).await });
            }
            while let Some(made) = making.join_next().await {
                made?.context("made")?;
            }
            anyhow::Ok(())
        })?;
        spent += begun.elapsed();
        bench.runtime.block_on(async {
            for number in 0..CONCURRENT_CREATES {
                clients[0].revoke_token(crate::requests::revoke(&name(number))).await.context("revoked")?;
            }
            anyhow::Ok(())
        })?;
    }
    Ok(per_second(CONCURRENT_CREATES * TIMES, spent))
}

#[expect(clippy::cast_precision_loss, reason = "a count")]
fn per_second(count: usize, spent: Duration) -> f64 {
    count as f64 / spent.as_secs_f64()
}

/// Runs the same statements with pgbench, on one connection.
fn by_pgbench(pgbench: &Path, folder: &Path, url: &str, seeded: &Seeded) -> anyhow::Result<f64> {
    let SeededSession { account, session } = seeded.caller;
    let mut script = "\\set n random(1, 9223372036854775807)\n".to_owned();
    for statement in statements(Engine::Postgres) {
        let statement = statement
            .replace(":account", &format!("'{account}'::uuid"))
            .replace(":session", &format!("'{session}'::uuid"))
            .replace(":presented", &format!("'\\x{}'::bytea", hex(seeded.session.hash().bytes())))
            .replace(":token", "lpad(to_hex(:n::bigint), 32, '0')::uuid")
            .replace(":hash", "decode(lpad(to_hex(:n::bigint), 64, '0'), 'hex')")
            .replace(":event", "decode(lpad(to_hex(:n::bigint), 64, '0'), 'hex')")
            .replace(":name", "'raw ' || :n::bigint")
            .replace(":public", &format!("'\\x{}'::bytea", hex(&PUBLIC)))
            .replace(":salt", &format!("'\\x{}'::bytea", hex(&[7; 32])));
        let _ = writeln!(script, "{statement};");
    }
    let file = folder.join("create.sql");
    std::fs::write(&file, script)?;
    let mut command = Command::new(pgbench);
    command
        .args(["--no-vacuum", "--protocol=prepared", "--client=1", "--time=2", "--file"])
        .arg(&file)
        .arg(url);
    let output = command.stdin(Stdio::null()).output().context("`pgbench` runs")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "pgbench: {said}{}", String::from_utf8_lossy(&output.stderr));
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next());
    rate.and_then(|rate| rate.parse().ok()).context("pgbench reports a rate")
}

/// Runs the same statements on an SQLite file, in this process.
fn raw(connection: &rusqlite::Connection, seeded: &Seeded) -> anyhow::Result<f64> {
    let statements = statements(Engine::Sqlite);
    let begun = Instant::now();
    for _ in 0..CONCURRENT_CREATES * TIMES {
        let drawn = *Secret::mint(SecretKind::Personal, &mut SysRng)?.hash().bytes();
        let value = |name: &str| match name {
            ":account" => Value::Blob(seeded.caller.account.as_bytes().to_vec()),
            ":session" => Value::Blob(seeded.caller.session.as_bytes().to_vec()),
            ":presented" => Value::Blob(seeded.session.hash().bytes().to_vec()),
            ":token" => Value::Blob(drawn[..16].to_vec()),
            ":name" => Value::Text(hex(&drawn[..8])),
            ":public" => Value::Blob(PUBLIC.to_vec()),
            ":salt" => Value::Blob(vec![7; 32]),
            _ => Value::Blob(drawn.to_vec()),
        };
        for statement in &statements {
            let mut statement = connection.prepare_cached(statement)?;
            for index in 1..=statement.parameter_count() {
                let value = value(statement.parameter_name(index).context("it has a name")?);
                statement.raw_bind_parameter(index, value)?;
            }
            let mut rows = statement.raw_query();
            while rows.next()?.is_some() {}
        }
    }
    let rate = per_second(CONCURRENT_CREATES * TIMES, begun.elapsed());
    // The server's tokens are revoked too, so that an account has few live ones.
    connection.execute("UPDATE token SET revoked_at = 1, live_name = NULL WHERE length(name) = 16", [])?;
    Ok(rate)
}

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let scratch = [Engine::Postgres; 2].map(|engine| bench.runtime.block_on(Scratch::new(engine)));
    let urls =
        [scratch[0].url.clone(), scratch[1].url.clone(), bench.sqlite("made.db"), bench.sqlite("raw.db")];
    let mut seeded = Vec::new();
    for url in &urls {
        seeded.push(bench.runtime.block_on(seed(url, TOKENS))?);
    }
    let connect = |server: &Server, seeded: &Seeded| {
        let address = format!("http://{}", server.address).parse().context("a URL")?;
        let client =
            || bench.runtime.block_on(Client::connect(&address, Some(&seeded.session))).context("connected");
        (0..4).map(|_| client()).collect::<anyhow::Result<Vec<Client>>>()
    };
    let ndauthd = bench.binary("ndauthd");
    let postgres = Server::ndauthd(SERVER_CORE, &ndauthd, &text(&urls[0]), &[])?;
    let sqlite = Server::ndauthd(SERVER_CORE, &ndauthd, &text(&urls[2]), &[])?;
    let (on_postgres, on_sqlite) = (connect(&postgres, &seeded[0])?, connect(&sqlite, &seeded[2])?);
    let DatabaseUrl::Sqlite(path) = &urls[3] else { unreachable!("a file of SQLite") };
    let file = rusqlite::Connection::open(path)?;
    file.pragma_update(None, "journal_mode", "WAL")?;
    file.pragma_update(None, "synchronous", "FULL")?;
    file.pragma_update(None, "foreign_keys", true)?;
    let [mut ours, mut pgbench, mut ours_on_file, mut on_file] = [const { Vec::new() }; 4];
    for round in 0..bench.rounds {
        ours.push(through(bench, &on_postgres, round)?);
        pgbench.push(by_pgbench(&bench.pgbench, bench.folder.path(), &text(&urls[1]), &seeded[1])?);
        ours_on_file.push(through(bench, &on_sqlite, round)?);
        on_file.push(raw(&file, &seeded[3])?);
    }
    bench.row(FigureRow::new("creates on PostgreSQL", "/s", &ours, Bar::None));
    bench.row(FigureRow::new(
        "the same, over pgbench with its statements on one connection",
        "x",
        &ratios(&ours, &pgbench),
        Bar::AtLeast(0.5),
    ));
    bench.row(FigureRow::new("creates on SQLite", "/s", &ours_on_file, Bar::None));
    bench.row(FigureRow::new(
        "the same, over its statements raw in one process, FULL",
        "x",
        &ratios(&ours_on_file, &on_file),
        Bar::AtLeast(0.4),
    ));
    postgres.end()?;
    sqlite.end()
}
