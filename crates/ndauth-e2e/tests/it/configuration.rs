//! The configuration of both binaries: the source of each value, and the refusal of invalid ones.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use expect_test::expect;
use ndauth_store::Engine;
use serde_json::Value;

use crate::installation::{Ended, Installation, mode, run};

fn ndauthd(at: &Installation, variables: &[(&str, &str)], arguments: &str) -> Ended {
    let mut command = at.command("NDAUTH_TEST_NDAUTHD");
    command.args(arguments.split(' ')).envs(variables.iter().copied()).current_dir(at.home());
    run(command, "")
}

fn ndcli(at: &Installation, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command = at.command("NDAUTH_TEST_NDCLI");
    command.args(arguments).envs(variables.iter().copied());
    run(command, "")
}

/// Returns the effective value of a setting and its source.
fn in_force(ended: &Ended, key: &str) -> (String, String) {
    let report: Value = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{ended:?}"));
    let settings = report["settings"].as_array().expect("settings");
    let setting = settings.iter().find(|setting| setting["key"] == key).expect("it is listed");
    let text = |key: &str| setting[key].as_str().unwrap_or("-").to_owned();
    (text("value"), text("from"))
}

#[tokio::test]
async fn flags_go_before_variables_before_the_file_before_defaults() {
    let at = Installation::new(Engine::Sqlite).await;
    fs::write(
        at.home().join("nd.toml"),
        "listen = \"127.0.0.1:3\"\ndrain-seconds = 3\nlog-format = \"json\"\n",
    )
    .expect("written");
    let show = |variables: &[(&str, &str)], more: &str| {
        ndauthd(&at, variables, &format!("config show -f json --config nd.toml{more}"))
    };
    let variable = [("NDAUTHD_LISTEN", "127.0.0.1:2")];
    for (ended, value, from) in [
        (show(&variable, " --listen 127.0.0.1:1"), "127.0.0.1:1", "flag"),
        (show(&variable, ""), "127.0.0.1:2", "NDAUTHD_LISTEN"),
        (show(&[("NDAUTHD_LISTEN", "")], ""), "127.0.0.1:3", "nd.toml"),
        (ndauthd(&at, &[], "config show -f json"), "127.0.0.1:7711", "default"),
    ] {
        assert_eq!(in_force(&ended, "listen"), (value.to_owned(), from.to_owned()), "{ended:?}");
    }
    assert_eq!(in_force(&show(&[], ""), "drain-seconds"), ("3".to_owned(), "nd.toml".to_owned()));
    let by_variable = ndauthd(&at, &[("NDAUTHD_CONFIG", "nd.toml")], "config show -f json");
    assert_eq!(in_force(&by_variable, "log-format").0, "json");
}

#[tokio::test]
async fn invalid_configuration_is_reported_with_a_suggestion() {
    let at = Installation::new(Engine::Sqlite).await;
    for (file, message) in [
        (
            "listn = \"127.0.0.1:1\"",
            "error: `nd.toml`: there is no setting `listn`\nhint: did you mean `listen`?\n",
        ),
        (
            "listen = \"here\"",
            "error: `nd.toml`: `listen`: `here`: invalid socket address syntax\nhint: see `--help` for what it takes\n",
        ),
        (
            "log-format = \"xml\"",
            "error: `nd.toml`: `log-format`: `xml`: expected one of text, json\nhint: see `--help` for what it takes\n",
        ),
        (
            "log = \"loud\"",
            "error: `nd.toml`: `log`: `loud`: `loud` is not a level: off, error, warn, info, debug, trace\nhint: see `--help` for what it takes\n",
        ),
        (
            "log = \"info,h2=loud\"",
            "error: `nd.toml`: `log`: `info,h2=loud`: `loud` is not a level: off, error, warn, info, debug, trace\nhint: see `--help` for what it takes\n",
        ),
        (
            "[listen]\nx = 1",
            "error: `nd.toml`: `listen` takes one value: a text, a number, true or false\nhint: write it as `KEY = \"VALUE\"`\n",
        ),
        (
            "tls-key = \"k.pem\"",
            "error: a certificate and its key must be given together\nhint: give both `--tls-certificate` and `--tls-key`\n",
        ),
        (
            "listen = \"0.0.0.0:1\"",
            "error: `0.0.0.0:1` is not a loopback address, and secrets would cross the network in plain text\n",
        ),
    ] {
        fs::write(at.home().join("nd.toml"), file).expect("written");
        let ended = ndauthd(&at, &[], "config check --config nd.toml");
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{file}");
        assert!(ended.err.starts_with(message), "{file}: {}", ended.err);
    }
    for command in ["config check", "serve"] {
        let ended = ndauthd(&at, &[("NDAUTHD_LOG", "verbose")], command);
        assert!(ended.code == 2 && ended.err.contains("`verbose` is not a level"), "{command}: {ended:?}");
    }
    fs::write(at.home().join("nd.toml"), "listen = ").expect("written");
    let ended = ndauthd(&at, &[], "serve --config nd.toml");
    assert!(
        ended.code == 2 && ended.err.contains("`nd.toml` is not valid TOML") && ended.err.contains("line 1"),
        "{ended:?}"
    );
    let ended = ndauthd(&at, &[], "serve --config none.toml");
    assert!(ended.code == 2 && ended.err.contains("ndauthd config example"), "{ended:?}");
    let ended = ndauthd(
        &at,
        &[("NDAUTHD_LISTN", "x"), ("NDAUTHD_SERVICE_HOST", "10.0.0.1")],
        "config check --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0",
    );
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(ended.err, "warning: unknown variable NDAUTHD_LISTN: did you mean NDAUTHD_LISTEN?\n");
}

#[tokio::test]
async fn the_example_is_a_configuration() {
    let at = Installation::new(Engine::Sqlite).await;
    let example = ndauthd(&at, &[], "config example").out;
    // The example's commented lines with a default are uncommented here: they must state the defaults.
    let plain: String = example
        .lines()
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|line| {
                    line.contains(" = ")
                        && !line.contains("URL")
                        && !line.contains("FILE")
                        && !line.contains("FOLDER")
                        && !line.contains("NETWORKS")
                        && !line.contains("ORIGINS")
                        && !line.contains("ORGS")
                        && !["ROUTE", "ADDRESS", "NAME"]
                            .iter()
                            .any(|kind| line.ends_with(&format!("\"{kind}\"")))
                })
                .unwrap_or(line)
        })
        .fold(String::new(), |text, line| text + line + "\n");
    assert_eq!(
        plain.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count(),
        18,
        "{plain}"
    );
    fs::write(at.home().join("nd.toml"), &plain).expect("written");
    let ended = ndauthd(&at, &[], "config check --config nd.toml");
    assert_eq!(ended.code, 0, "{ended:?}\n{plain}");
    let secret = ndauthd(&at, &[], "config show");
    assert!(secret.out.contains("│ listen "), "{secret:?}");
}

#[tokio::test]
async fn a_password_comes_from_a_file_and_is_shown_nowhere() {
    let at = Installation::new(Engine::Postgres).await;
    fs::write(at.home().join("password"), "s3cret/\n").expect("written");
    let url = at.database();
    let show = [("NDAUTHD_DATABASE_PASSWORD_FILE", "password"), ("NDAUTHD_DATABASE", url.as_str())];
    let ended = ndauthd(&at, &show, "config show -f json");
    assert!(!ended.out.contains("s3cret") && ended.err.is_empty(), "{ended:?}");
    assert_eq!(in_force(&ended, "database").0, url, "it has none in it");
    // The cluster trusts everyone, so only the reading of the file is tested and not the password.
    let ended = ndauthd(&at, &show, "admin account list");
    assert_eq!(ended.code, 0, "{ended:?}");
    let ended = ndauthd(&at, &[("NDAUTHD_DATABASE_PASSWORD_FILE", "none")], "admin account list");
    assert!(ended.code == 2 && ended.err.contains("cannot read `none`"), "{ended:?}");
}

#[tokio::test]
async fn another_users_files_are_left_alone() {
    let at = Installation::new(Engine::Sqlite).await;
    let root = rustix::process::geteuid().is_root();
    // A user other than root uses a file that belongs to root.
    let file = if root { at.home().join("theirs.db") } else { "/etc/passwd".into() };
    if root {
        fs::write(&file, "").expect("written");
        chown(&file, Some(65534), Some(65534)).expect("given away");
    }
    let database = format!("sqlite:{}", file.display());
    // Root's other commands become that user: the tests of packages show it.
    let commands =
        ["serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0", "admin account list", "config check"];
    for command in if root { &commands[..1] } else { &commands } {
        let ended = ndauthd(&at, &[("NDAUTHD_DATABASE", &database)], command);
        assert_eq!((ended.code, ended.out.as_str()), (5, ""), "{ended:?}");
        assert!(
            ended.err.contains("belongs to the user") && ended.err.contains("hint: run it as that user"),
            "{ended:?}"
        );
    }
    if root {
        assert_eq!(fs::metadata(&file).expect("it is there").len(), 0, "nothing was written");
    }
}

#[tokio::test]
async fn ndcli_stores_valid_settings_and_refuses_others() {
    let at = Installation::new(Engine::Sqlite).await;
    let config = |arguments: &[&str]| ndcli(&at, &[], &[&["config"], arguments].concat());
    let file = at.home().join(".config/ndcli/config.toml");
    assert_eq!(config(&["path"]).out, format!("{}\n", file.display()));
    for (arguments, code, message) in [
        (&["set", "server", "https://nd.example.org"] as &[&str], 0, "✓ server = https://nd.example.org\n"),
        (&["set", "sever", "x"], 2, "error: there is no setting `sever`\nhint: did you mean `server`?\n"),
        (
            &["set", "format", "yaml"],
            2,
            "error: `format`: `yaml`: expected one of table, json, simple, detailed\nhint: see `--help` for what it takes\n",
        ),
        (
            &["set", "timeout", "0s"],
            2,
            "error: `timeout`: `0s`: it must not be zero\nhint: see `--help` for what it takes\n",
        ),
        (
            &["set", "verbose", "yes"],
            2,
            "error: `verbose`: expected true or false, and not `yes`\nhint: see `--help` for what it takes\n",
        ),
        (&["set", "token", "x"], 2, "error: there is no setting `token`\n"),
        (
            &["set", "profile", "home"],
            2,
            "error: there is no profile `home`\nhint: make it: `ndcli config set server URL --profile home`\n",
        ),
        (&["set", "server", "http://127.0.0.1:1", "--profile", "home"], 0, "✓ server = http://127.0.0.1:1\n"),
        (&["set", "profile", "home"], 0, "✓ profile = home\n"),
        (&["get", "server"], 0, "http://127.0.0.1:1\n"),
        (&["get", "profile"], 0, "home\n"),
        (&["get", "ca-file"], 1, "error: `ca-file` is not set\nhint: `ndcli config set` sets it\n"),
        (&["unset", "profile"], 0, "✓ profile is no longer set\n"),
        (&["get", "server"], 0, "https://nd.example.org\n"),
        (&["get", "server", "--profile", "hoem"], 2, "error: there is no profile `hoem` in `"),
        (&["unset", "format"], 0, "format was not set\n"),
    ] {
        let ended = config(arguments);
        let said = format!("{}{}", ended.out, ended.err);
        assert_eq!(ended.code, code, "{arguments:?}: {ended:?}");
        assert!(said.starts_with(message), "{arguments:?}: {said}");
    }
    assert_eq!((mode(&file), mode(file.parent().expect("a folder"))), (0o600, 0o700));
    expect![[r#"
        server = "https://nd.example.org"

        [profiles.home]
        server = "http://127.0.0.1:1"
    "#]]
    .assert_eq(&fs::read_to_string(&file).expect("text"));
    let listed = ndcli(
        &at,
        &[("NDCLI_PROFILE", "home"), ("NDCLI_FORMAT", "json")],
        &["config", "list", "--timeout", "3s"],
    );
    let path = file.display().to_string();
    for (key, value, from) in [
        ("server", "http://127.0.0.1:1", path.as_str()),
        ("format", "json", "NDCLI_FORMAT"),
        ("timeout", "3s", "flag"),
        ("verbose", "false", "default"),
    ] {
        assert_eq!(in_force(&listed, key), (value.to_owned(), from.to_owned()));
    }
}

#[tokio::test]
async fn comments_in_the_configuration_file_are_kept() {
    let at = Installation::new(Engine::Sqlite).await;
    let file = at.home().join(".config/ndcli/config.toml");
    fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    fs::write(&file, "# mine\nserver = \"http://127.0.0.1:1\" # here\nsevrer = \"x\"\n").expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("as editors do");
    let ended = ndcli(&at, &[], &["whoami"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("there is no setting `sevrer`\nhint: did you mean `server`?"), "{ended:?}");
    assert_eq!(ndcli(&at, &[], &["config", "unset", "sevrer"]).code, 0);
    for (key, value) in [("format", "json"), ("server", "http://127.0.0.1:2")] {
        assert_eq!(ndcli(&at, &[], &["config", "set", key, value]).code, 0);
    }
    let text = fs::read_to_string(&file).expect("text");
    assert_eq!(text, "# mine\nserver = \"http://127.0.0.1:2\" # here\nformat = \"json\"\n");
    let ended = ndcli(&at, &[], &["config", "unset", "fromat"]);
    assert!(ended.code == 2 && ended.err.contains("did you mean `format`?"), "{ended:?}");
    ndcli(&at, &[], &["config", "set", "server", "http://127.0.0.1:3", "--profile", "home"]);
    let ended = ndcli(&at, &[], &["config", "unset", "profiles"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(
        fs::read_to_string(&file).expect("text").contains("[profiles.home]"),
        "all of them would be lost"
    );
    // A profile that is not in use is checked, too.
    for (more, message) in [
        ("[profiles.lab]\nsevrer = \"x\"\n", "did you mean `server`?"),
        ("[[profile]]\n", "`profile` must be the name of one"),
    ] {
        fs::write(&file, more).expect("written");
        let ended = ndcli(&at, &[], &["whoami"]);
        assert!(ended.code == 2 && ended.err.contains(message), "{ended:?}");
    }
}

/// A configuration file that is a symbolic link is changed at its target, whose folder keeps its permissions.
#[tokio::test]
async fn a_linked_configuration_file_is_changed_at_its_target() {
    let at = Installation::new(Engine::Sqlite).await;
    let (own, dotfiles) = (at.home().join(".config/ndcli"), at.home().join("dotfiles"));
    fs::create_dir_all(&own).expect("made");
    fs::create_dir(&dotfiles).expect("made");
    fs::set_permissions(&dotfiles, fs::Permissions::from_mode(0o755)).expect("open to others");
    fs::write(dotfiles.join("ndcli.toml"), "format = \"json\"\n").expect("written");
    std::os::unix::fs::symlink(dotfiles.join("ndcli.toml"), own.join("config.toml")).expect("linked");
    assert_eq!(ndcli(&at, &[], &["config", "set", "timeout", "3s"]).code, 0);
    let text = fs::read_to_string(dotfiles.join("ndcli.toml")).expect("text");
    assert_eq!(text, "format = \"json\"\ntimeout = \"3s\"\n");
    assert!(fs::symlink_metadata(own.join("config.toml")).expect("there").is_symlink());
    assert_eq!((mode(&own), mode(&dotfiles)), (0o700, 0o755));
}

/// A secret in the wrong argument is not repeated in an error message, which may end up in a log.
#[tokio::test]
async fn no_failure_repeats_a_secret() {
    let at = Installation::new(Engine::Sqlite).await;
    let secret = "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U";
    for (variables, arguments) in [
        (&[("NDCLI_SERVER", secret)] as &[(&str, &str)], &["whoami"] as &[&str]),
        (&[], &["auth", "login", secret]),
        (&[], &["auth", "token", "revoke", "ci", "--format", secret]),
        (&[], &["config", "set", "server", secret]),
        (&[], &["help", secret]),
    ] {
        let ended = ndcli(&at, variables, arguments);
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.err.contains("ndpat_Jj8IYR…") && !ended.err.contains(&secret[..20]), "{ended:?}");
    }
    let url = "postgresql+asyncpg://nd:s3cret@db/nd";
    for (variables, arguments) in [
        (&[("NDAUTHD_DATABASE", url)] as &[(&str, &str)], "admin account list"),
        (&[("NDAUTHD_DATABASE", url)], "config show"),
    ] {
        let ended = ndauthd(&at, variables, arguments);
        assert!(ended.code == 2 && ended.err.contains("names no database"), "{ended:?}");
        assert!(!ended.err.contains("s3cret"), "{ended:?}");
    }
}

/// If the home folder is missing or not writable, an explicit database is enough.
#[tokio::test]
async fn the_data_folder_is_made_only_where_it_is_used() {
    let at = Installation::new(Engine::Sqlite).await;
    let nowhere = [("HOME", "/proc/nowhere")];
    assert_eq!(ndauthd(&at, &nowhere, "admin account list").code, 0);
    assert_eq!(ndauthd(&at, &nowhere, "config check").code, 0);
    let ended = ndauthd(&at, &[("HOME", "/proc/nowhere"), ("NDAUTHD_DATABASE", "")], "admin account list");
    assert!(ended.code == 1 && ended.err.contains("cannot make the data folder"), "{ended:?}");
    assert_eq!(ndauthd(&at, &[("NDAUTHD_DATABASE", "")], "config show").code, 0);
    assert!(!at.home().join(".local").exists(), "looking makes nothing");
}
