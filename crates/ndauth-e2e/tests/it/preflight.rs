//! `ndauthd config check`: it finds what `ndauthd serve` would die of, in the same words, and changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use ndauth_store::testing::{Scratch, execute, migrate_some};
use ndauth_store::{Clock, DatabaseUrl, Engine, Store};

use crate::installation::{Ended, Installation, run, test_path};

const FREE: [&str; 4] = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];

/// A way to run `ndauthd`: at an installation, with other variables.
struct Case<'a> {
    at: &'a Installation,
    variables: Vec<(&'a str, String)>,
    arguments: Vec<&'a str>,
}

impl Case<'_> {
    fn run(&self, command: &[&str]) -> Ended {
        let mut ndauthd = self.at.command("NDAUTH_TEST_NDAUTHD");
        ndauthd.current_dir(self.at.home()).args(command).args(&self.arguments);
        ndauthd.envs(self.variables.iter().map(|(name, value)| (name, value)));
        run(ndauthd, "")
    }

    /// Checks that `config check` ends as `serve` does, with this message, and has changed nothing before.
    fn assert_fatal(&self, what: &str, code: i32, message: &str) {
        let before = files(self.at);
        let checked = self.run(&["config", "check"]);
        assert_eq!(files(self.at), before, "{what}: a check changes nothing");
        assert!(checked.code == code && checked.err.contains(message), "{what}: {checked:?}");
        let served = self.run(&["serve"]);
        let (_, error) = checked.err.split_once("error: ").expect("an error");
        // The two notice a damaged file by different statements.
        let error = error.replace("Query Error: ", "");
        assert_eq!(served.code, code, "{what}: {served:?}");
        assert!(served.err.ends_with(&format!("error: {error}")), "{what}: {checked:?} and {served:?}");
        assert!(error.contains("\nhint: "), "{what}: {error}");
    }

    /// Checks that `config check` succeeds, and says so, and has changed nothing. Returns the warnings.
    fn assert_fine(&self, what: &str, finding: &str) -> String {
        let before = files(self.at);
        let checked = self.run(&["config", "check"]);
        assert_eq!(files(self.at), before, "{what}: a check changes nothing");
        assert!(checked.code == 0 && checked.out.contains(finding), "{what}: {checked:?}");
        checked.err
    }
}

fn case(at: &Installation) -> Case<'_> {
    Case { at, variables: Vec::new(), arguments: FREE.to_vec() }
}

/// Returns the files of an installation, each with its length and the time of its last change.
fn files(at: &Installation) -> BTreeMap<PathBuf, (u64, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![at.home().to_owned()];
    if let DatabaseUrl::Sqlite(path) = &at.scratch.url {
        folders.push(path.parent().expect("a folder").to_owned());
    }
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("listed") {
            let path = entry.expect("an entry").path();
            let metadata = fs::symlink_metadata(&path).expect("it is there");
            if metadata.is_dir() {
                folders.push(path.clone());
            }
            // Readers share this file with a server.
            let length = if path.to_string_lossy().ends_with("-shm") { 0 } else { metadata.len() };
            let changed = if length == 0 { (0, 0) } else { (metadata.mtime(), metadata.mtime_nsec()) };
            found.insert(path, (length, changed.0, changed.1));
        }
    }
    found
}

async fn spoil(at: &Installation, sql: &[&str]) {
    let store = Store::connect(&at.scratch.url, Clock::Database).await.expect("connected");
    for statement in sql {
        execute(&store, statement).await;
    }
    store.close().await.expect("closed");
}

/// Returns the witness file of an installation.
fn witness(at: &Installation) -> PathBuf {
    let is_witness = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "head");
    files(at).keys().find(is_witness).expect("a witness").clone()
}

/// Changes that are made to a sound database, and the message about what they leave.
const SPOILED: [(&str, &[&str], &str); 3] = [
    ("a restored copy", &["UPDATE installation SET restored_at = 1"], "which does not know what was revoked"),
    ("a catalogue that nobody can read", &["UPDATE catalogue SET document = '{'"], "the table `catalogue`"),
    (
        "the schema of another history",
        &[
            "DELETE FROM seaql_migrations WHERE version = 'm20261129_000014_catalogue'",
            "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_000001_other', 0)",
        ],
        "its schema has `m20991231_000001_other`, which this version does not know",
    ),
];

#[tokio::test]
async fn a_check_finds_databases_that_are_not_served() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        for (what, sql, message) in SPOILED {
            let at = Installation::new(engine).await;
            at.people();
            spoil(&at, sql).await;
            let code = if what.starts_with("a catalogue") { 1 } else { 6 };
            case(&at).assert_fatal(what, code, message);
        }
        let at = Installation::new(engine).await;
        at.people();
        let file = witness(&at);
        let seen = fs::read_to_string(&file).expect("read");
        fs::write(&file, format!("9{seen}")).expect("written");
        case(&at).assert_fatal("an older copy", 6, "is an older copy: its log ends at");
        fs::write(&file, "?").expect("written");
        case(&at).assert_fatal("a witness that nobody can read", 6, "it does not contain the end of a log");
    }
}

#[tokio::test]
async fn a_check_finds_files_and_folders_that_cannot_be_used() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let (text, nowhere) = (at.home().join("text.db"), at.home().join("nowhere/x.db"));
    fs::write(&text, "not a database at all, but long enough to be looked at as one").expect("written");
    for (what, database, code, message) in [
        ("no database", format!("sqlite:{}", text.display()), 6, "hint: check `--database`"),
        ("no folder", format!("sqlite:{}", nowhere.display()), 6, "No such file or directory"),
    ] {
        Case { variables: vec![("NDAUTHD_DATABASE", database)], ..case(&at) }
            .assert_fatal(what, code, message);
    }
    let unmade = [("HOME", text.display().to_string()), ("NDAUTHD_DATABASE", String::new())];
    Case { variables: unmade.to_vec(), ..case(&at) }.assert_fatal(
        "no data folder",
        1,
        "cannot make the data folder",
    );
    // A database that is gone or empty, whose witness is still there.
    let DatabaseUrl::Sqlite(file) = &at.scratch.url else { panic!("a file") };
    for emptied in [false, true] {
        fs::remove_file(file).expect("it is there");
        if emptied {
            fs::write(file, "").expect("written");
        }
        case(&at).assert_fatal("a lost installation", 6, "shows that there was an installation");
        fs::write(file, "").expect("written");
    }
}

/// Returns a command that runs `ndauthd` where a folder is a disk that nobody can write.
fn on_read_only_disk(at: &Installation, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
    command.arg("mount -t tmpfs -o ro none \"$0\" && exec \"$@\"").arg(folder);
    command.arg(test_path("NDAUTH_TEST_NDAUTHD")).args(arguments).args(FREE);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", at.home());
    command.env("NDAUTHD_DATABASE", format!("sqlite:{}", folder.join("ndauth.db").display()));
    command
}

#[tokio::test]
async fn a_check_finds_a_disk_that_cannot_be_written() {
    let at = Installation::new(Engine::Sqlite).await;
    let folder = at.home().join("disk");
    fs::create_dir(&folder).expect("made");
    for command in [&["config", "check"] as &[&str], &["serve"]] {
        let ended = run(on_read_only_disk(&at, &folder, command), "");
        assert!(ended.code == 6 && ended.err.contains("Read-only file system"), "{command:?}: {ended:?}");
    }
    // PostgreSQL is served without a data folder. It is only that older copies are not noticed.
    let at = Installation::new(Engine::Postgres).await;
    fs::create_dir(at.home().join("disk")).expect("made");
    let mut command = on_read_only_disk(&at, &at.home().join("disk"), &["config", "check"]);
    command.env("NDAUTHD_DATABASE", at.database()).env("NDAUTHD_DATA_FOLDER", at.home().join("disk"));
    let ended = run(command, "");
    assert!(ended.code == 0 && ended.out.contains("can be served"), "{ended:?}");
    assert!(ended.err.starts_with("warning: the end of the log would be recorded nowhere"), "{ended:?}");
}

#[tokio::test]
async fn a_check_finds_addresses_that_cannot_be_listened_on() {
    let at = Installation::new(Engine::Sqlite).await;
    for (what, arguments, code, message) in [
        (
            "another machine's",
            ["--listen", "192.0.2.1:7711", "--admin-listen", "127.0.0.1:0"],
            1,
            "cannot listen on `192.0.2.1:7711`: Cannot assign requested address",
        ),
        (
            "another machine's, for the operator",
            ["--listen", "127.0.0.1:0", "--admin-listen", "192.0.2.1:7712"],
            1,
            "hint: set `--listen` and `--admin-listen` to addresses of this machine",
        ),
        (
            "one for both",
            ["--listen", "127.0.0.1:7711", "--admin-listen", "127.0.0.1:7711"],
            2,
            "are one address, which is served once",
        ),
        (
            "one within the other",
            ["--listen", "127.0.0.1:7711", "--admin-listen", "0.0.0.0:7711"],
            2,
            "are one address, which is served once",
        ),
    ] {
        let arguments = [&arguments[..], &["--plaintext-beyond-loopback"]].concat();
        Case { arguments, ..case(&at) }.assert_fatal(what, code, message);
    }
}

/// A user without privileges, in a network of its own, where ports below 1024 need one.
#[tokio::test]
async fn a_check_finds_a_port_that_may_not_be_listened_on() {
    let at = Installation::new(Engine::Sqlite).await;
    for words in [&["config", "check"] as &[&str], &["serve"]] {
        let mut command = Command::new("unshare");
        command.args([
            "--user",
            "--map-root-user",
            "--net",
            "setpriv",
            "--bounding-set=-all",
            "--inh-caps=-all",
        ]);
        command.arg(test_path("NDAUTH_TEST_NDAUTHD")).args(words);
        command.args([
            "--listen",
            "0.0.0.0:443",
            "--admin-listen",
            "0.0.0.0:0",
            "--plaintext-beyond-loopback",
        ]);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", at.home());
        command.env("NDAUTHD_DATABASE", at.database());
        let ended = run(command, "");
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.err.contains("cannot listen on `0.0.0.0:443`: Permission denied"), "{ended:?}");
        assert!(ended.err.contains("to ports that this user may listen on"), "{ended:?}");
    }
}

/// A port and a lock that are taken cause a warning: the configured server itself may have them.
#[tokio::test]
async fn a_check_beside_a_running_server_warns() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let at = Installation::new(engine).await;
        at.people();
        let server = at.serve();
        let address = server.url.to_string().trim_start_matches("http://").trim_end_matches('/').to_owned();
        let admin = server.admin.clone();
        let arguments = vec!["--listen", &address, "--admin-listen", &admin];
        let warned = Case { arguments, ..case(&at) }.assert_fine("beside a server", "can be served\n");
        for (of, flag) in [(&address, "--listen"), (&admin, "--admin-listen")] {
            let warning =
                format!("warning: another process listens on `{of}` (`{flag}`): `ndauthd serve` starts once");
            assert!(warned.contains(&warning), "{warned}");
        }
        let locked = format!("another server uses `{}`: process {}", at.scratch.url, server.pid());
        assert_eq!(warned.contains(&locked), engine == Engine::Sqlite, "{warned}");
        assert_eq!(server.get("/readyz").0, 200, "it is not disturbed");
        assert!(server.client(&at.session()).await.list_orgs().await.is_ok());
    }
}

#[tokio::test]
async fn a_check_says_what_serving_begins_with() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let at = Installation::new(engine).await;
        assert_eq!(case(&at).assert_fine("as it should be", "can be served\n"), "");
        at.people();
        assert_eq!(case(&at).assert_fine("in use", "can be served\n"), "");
        let server = at.serve();
        at.run_admin("account disable ada");
        server.kill();
        assert_eq!(case(&at).assert_fine("after a crash", "can be served\n"), "");
        // A newer version has served it: this one does, too.
        spoil(
            &at,
            &["INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_000001_new', 0)"],
        )
        .await;
        let warned = case(&at).assert_fine("newer", "can be served\n");
        assert!(
            warned.starts_with("warning: 1 migration(s) of the database are unknown to this version"),
            "{warned}"
        );
        assert!(at.run_admin("migrate status").ends_with("m20991231_000001_new  newer"));
        drop(at.serve());
        // A database of an earlier version, and one with nothing in it.
        for (steps, finding) in [(5, "11 migration(s) of `"), (0, "there is no installation in `")] {
            let scratch = Scratch::new(engine).await;
            if steps > 0 {
                migrate_some(&scratch.url, steps).await;
            }
            let url = match &scratch.url {
                DatabaseUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
                DatabaseUrl::Postgres(url) => url.clone(),
            };
            let other = Case { variables: vec![("NDAUTHD_DATABASE", url)], ..case(&at) };
            assert_eq!(other.assert_fine(finding, finding), "");
            if let DatabaseUrl::Sqlite(path) = &scratch.url {
                assert_eq!(path.exists(), steps > 0, "a check creates nothing");
            }
        }
    }
    let at = Installation::new(Engine::Sqlite).await;
    let new = Case { variables: vec![("NDAUTHD_DATABASE", String::new())], ..case(&at) };
    assert_eq!(new.assert_fine("a new data folder", "there is no installation in `sqlite:"), "");
}
