//! The documents: generated parts are fresh, and shown transcripts match the real output.

use std::path::PathBuf;
use std::process::Command;

use expect_test::{ExpectFile, expect_file};
use ndauth_store::Engine;

use crate::dev::dev;
use crate::installation::{Installation, path, run, told};
use crate::logins::{choose_password, person_at_a_browser};

const FRESH: &str =
    "<!-- Made of the command line: `UPDATE_EXPECT=1 cargo xtask test -E 'test(documents)'` writes it. -->\n";

fn root() -> PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../..").into()
}

fn printed(at: &Installation, binary: &str, arguments: &[&str]) -> String {
    let mut command = at.command(binary);
    command.args(arguments);
    let ended = run(command, "");
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{ended:?}");
    ended.out
}

fn fresh(file: &ExpectFile, text: &str) {
    file.assert_eq(&format!("{FRESH}\n{}\n", text.trim_end()));
}

#[tokio::test]
async fn the_references_are_fresh() {
    let at = Installation::new(Engine::Sqlite).await;
    let manuals =
        ["NDAUTH_TEST_NDCLI", "NDAUTH_TEST_NDAUTHD"].map(|binary| printed(&at, binary, &["manual"]));
    let text = format!("# Every command\n\n{}", manuals.join("\n"));
    fresh(&expect_file!["../../../../docs/cli.md"], &text);
    let settings = printed(&at, "NDAUTH_TEST_NDAUTHD", &["manual", "--settings"]);
    fresh(&expect_file!["../../../../docs/configuration.md"], &settings);
}

/// Runs the README's commands in order, with a person at a browser for the ones that need it.
#[tokio::test]
async fn the_readme_s_commands_work() {
    let at = Installation::new(Engine::Sqlite).await;
    let server = at.serve();
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
    let mut blocks =
        readme.split("and, on the same machine:").nth(1).expect("it shows them").split("```sh\n").skip(1);
    let person = at.home().join("person");
    std::fs::write(&person, person_at_a_browser()).expect("written");
    std::fs::set_permissions(&person, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .expect("made runnable");
    let mut play = || {
        let script = blocks.next().and_then(|block| block.split("```").next()).expect("a block of commands");
        let mut bash = Command::new("bash");
        bash.env_clear()
            .env("PATH", path())
            .env("HOME", at.home())
            .env("NDAUTHD_DATABASE", at.database())
            .env("NDCLI_NO_KEYRING", "true")
            .env("BROWSER", &person);
        bash.env("NDCLI_SERVER", server.url.to_string()).args(["-e", "-o", "pipefail", "-c", script]);
        let ended = run(bash, "");
        assert_eq!(ended.code, 0, "{ended:?}");
        ended
    };
    let (_, code) = play()
        .out
        .trim_end()
        .rsplit_once("code=")
        .map(|(link, code)| (link.to_owned(), code.to_owned()))
        .expect("a link");
    choose_password(&server, &code);
    let ended = play();
    assert!(ended.out.contains("Token: ndpat_") && ended.out.contains("Name: github-ci"), "{ended:?}");
}

#[tokio::test]
async fn a_first_day_is_as_it_is_shown() {
    play("first-day.md").await;
}

#[tokio::test]
async fn the_life_of_a_token_is_as_it_is_shown() {
    play("life.md").await;
}

#[tokio::test]
async fn permissions_are_as_they_are_shown() {
    play("permissions.md").await;
}

/// Runs the transcripts of a document against a server of `ndauthd dev`.
async fn play(document: &str) {
    let at = Installation::new(Engine::Sqlite).await;
    let folder = at.home().join("dev");
    let dev = dev(&at, &["--keep", folder.to_str().expect("text")]);
    let setting = |name: &str| {
        dev.lines.iter().find_map(|line| line.strip_prefix(name)).expect("it is told").to_owned()
    };
    let config = at.home().join("config");
    let mut login = at.command("NDAUTH_TEST_NDCLI");
    login.args(["auth", "login", "--with-token"]).env("XDG_CONFIG_HOME", &config);
    login.env("NDCLI_SERVER", setting("export NDCLI_SERVER="));
    let session = std::fs::read_to_string(folder.join("session")).expect("the session's secret");
    assert_eq!(run(login, &session).code, 0);
    // Files that the transcripts write belong in the home folder. Each test is a process of its own.
    std::env::set_current_dir(at.home()).expect("at home");
    let cases = trycmd::TestCases::new();
    cases
        .env("HOME", at.home().to_string_lossy())
        .env("XDG_CONFIG_HOME", config.to_string_lossy())
        .env("NDCLI_SERVER", setting("export NDCLI_SERVER="))
        .env("NDAUTHD_DATABASE", format!("sqlite:{}", folder.join("ndauth.db").display()))
        .register_bin("ndcli", told("NDAUTH_TEST_NDCLI"))
        .register_bin("ndauthd", told("NDAUTH_TEST_NDAUTHD"))
        .case(root().join("docs").join(document));
    cases.run();
}
