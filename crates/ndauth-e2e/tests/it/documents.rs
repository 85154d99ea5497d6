//! The documents: generated parts are fresh, shown transcripts match the real output, and shown commands work.

mod examples;
mod page;
mod runbooks;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use expect_test::{ExpectFile, expect_file};
use ndauth_core::Secret;
use ndauth_store::Engine;
use serde_json::Value;

use crate::dev::dev;
use crate::installation::{Installation, path, run, test_path};
use crate::logins::{choose_password, log_in_by_a_code};
use crate::registry::Registry;

use page::word;
pub(crate) use page::{Page, blocks, read, root};

const FRESH: &str =
    "<!-- Made of the command line: `UPDATE_EXPECT=1 cargo xtask test -E 'test(documents)'` writes it. -->\n";

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

/// The pages with commands or code, and the languages of their blocks. A test below plays each page.
const PLAYED: [(&str, &[&str]); 34] = [
    ("CONTRIBUTING.md", &["sh"]),
    ("README.md", &["sh", "yaml"]),
    ("crates/ndauth-client/examples/asset-registry/README.md", &["sh"]),
    ("docs/api.md", &["js", "python", "sh"]),
    ("docs/audit.md", &["sh"]),
    ("docs/ci/README.md", &["sh", "yaml"]),
    ("docs/cli.md", &["sh"]),
    ("docs/first-day.md", &["console"]),
    ("docs/install.md", &["sh"]),
    // `cargo test --doc` compiles its Rust.
    ("docs/integrate.md", &["rust,no_run", "sh", "toml"]),
    ("docs/integrations/README.md", &["sh"]),
    ("docs/introspection.md", &["sh"]),
    ("docs/leaks.md", &["sh", "yaml"]),
    ("docs/life.md", &["console"]),
    ("docs/logins.md", &["sh"]),
    ("docs/mail.md", &["sh", "toml"]),
    ("docs/operations.md", &["sh"]),
    ("docs/permissions.md", &["console"]),
    // Those of clients are played with the clients.
    ("docs/python.md", &["python"]),
    ("docs/runbooks/certificate.md", &["sh"]),
    ("docs/runbooks/database-gone.md", &["sh"]),
    ("docs/runbooks/expiring-token.md", &["sh"]),
    ("docs/runbooks/failover.md", &["sh"]),
    ("docs/runbooks/full-disk.md", &["sh"]),
    ("docs/runbooks/leaked-token.md", &["sh"]),
    ("docs/runbooks/leaver.md", &["sh"]),
    ("docs/runbooks/limits.md", &["sh"]),
    ("docs/runbooks/lost-operator.md", &["sh"]),
    ("docs/runbooks/mail.md", &["sh"]),
    ("docs/runbooks/refused-sign-ins.md", &["sh"]),
    ("docs/runbooks/restore.md", &["sh"]),
    ("docs/scripts.md", &["console"]),
    ("docs/typescript.md", &["ts"]),
    ("docs/upgrade.md", &["sh"]),
];

#[test]
fn every_page_with_commands_is_played() {
    let mut found = BTreeMap::new();
    for folder in [
        "",
        "crates/ndauth-client/examples/asset-registry/",
        "docs/",
        "docs/adr/",
        "docs/ci/",
        "docs/integrations/",
        "docs/runbooks/",
    ] {
        for entry in std::fs::read_dir(root().join(folder)).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            let page = format!("{folder}{}", name.display());
            if page.ends_with(".md") {
                let text = read(&page);
                let languages: BTreeSet<_> = blocks(&text).map(|(language, _)| language.to_owned()).collect();
                found.insert(page, &languages - &BTreeSet::from(["text".to_owned()]));
            }
        }
    }
    found.retain(|_, languages| !languages.is_empty());
    let expected = PLAYED.map(|(page, languages)| {
        (page.to_owned(), languages.iter().map(|language| (*language).to_owned()).collect())
    });
    assert_eq!(found, expected.into());
}

#[tokio::test]
async fn contributors_build_only() {
    let mut page = Page::open("CONTRIBUTING.md").await;
    page.play();
    page.close();
}

#[tokio::test]
async fn the_readme_s_commands_work() {
    let mut page = Page::open("README.md").await;
    for _start in ["the demo", "the tests", "a scratch installation", "a server"] {
        page.play();
    }
    let shown = page.play();
    choose_password(page.server(), word(&shown, "code=").trim_start_matches("code="));
    let shown = page.play();
    assert!(shown.contains("Name: github-ci"), "{shown}");
    let secret = word(&shown, "ndpat_");
    let [create] = page.named("Use it in a pipeline").try_into().expect("one command");
    let service = word(&page.type_in(&create), "ndsvc_");
    let registry = Registry::start(&page.at, page.server(), &service.parse().expect("a secret"));
    page.replace("https://assets.example.org", format!("http://{}", registry.http));
    std::fs::write(page.at.home().join("token"), &secret).expect("written");
    page.set("NDCLI_TOKEN", secret);
    let shown = page.play();
    assert!(shown.contains("token github-ci") && shown.contains("[]"), "{shown}");
    page.set("SERVICE_SECRET", service);
    let shown = page.play();
    assert!(shown.contains("allowed"), "{shown}");
    page.close();
}

#[tokio::test]
async fn operating_is_as_it_is_shown() {
    let mut page = Page::open("docs/operations.md").await;
    page.play();
    page.close();
}

#[tokio::test]
async fn logging_in_is_as_it_is_shown() {
    let mut page = Page::open("docs/logins.md").await;
    page.serve(&[]);
    let shown = page.play();
    choose_password(page.server(), word(&shown, "code=").trim_start_matches("code="));
    page.at.run_admin("org create ops --admin ada");

    let [by_a_browser, by_a_code] = page.lines().try_into().expect("two ways");
    page.type_in(&by_a_browser);
    let words = by_a_code.strip_prefix("ndcli auth login ").expect("a login");
    let words = words.split('#').next().unwrap_or_default().split_whitespace();
    log_in_by_a_code(&page.at, page.server(), &words.collect::<Vec<_>>());

    for line in page.lines() {
        page.log_in();
        let listed = page.at.ndcli(page.server(), &["auth", "sessions", "list", "-f", "json"]);
        let listed: Value = serde_json::from_str(&listed.out).expect("JSON");
        let other =
            listed["sessions"].as_array().and_then(|rows| rows.iter().find(|row| row["current"] == false));
        page.replace("ID", other.map_or("", |row| row["id"].as_str().expect("an id")));
        page.type_in(&line);
    }

    page.at.run_admin("account enable ada");
    page.log_in();
    let registry = Registry::start(&page.at, page.server(), &page.at.service());
    page.replace("https://assets.example.org/…", format!("http://{}/orgs/ops/assets", registry.http));
    let shown = page.play();
    assert!(shown.contains("[]"), "{shown}");
    page.close();
}

#[tokio::test]
async fn a_service_is_made_as_it_is_shown() {
    let mut page = Page::open("docs/integrate.md").await;
    page.at.people();
    assert_eq!(page.play().matches("ndsvc_").count(), 3);
    page.close();
    let text = read("docs/integrate.md");
    let (_, dependency) = blocks(&text).find(|(language, _)| *language == "toml").expect("the dependency");
    let shown = dependency.split_once("version = \"").and_then(|(_, rest)| rest.split('"').next());
    assert_eq!(shown, env!("CARGO_PKG_VERSION").rsplit_once('.').map(|(version, _)| version));
}

#[tokio::test]
async fn a_proxy_s_secret_is_made_and_rotated_as_it_is_shown() {
    let mut page = Page::open("docs/integrations/README.md").await;
    page.at.people();
    for _secret in ["the first", "the next"] {
        assert_eq!(page.play().matches("ndsvc_").count(), 1);
    }
    page.close();
}

#[tokio::test]
async fn the_asset_registry_is_used_as_it_is_shown() {
    let mut page = Page::open("crates/ndauth-client/examples/asset-registry/README.md").await;
    page.serve(&[]);
    page.at.people();
    page.log_in();
    let token = page.type_in("ndcli auth token create --name ci --scope rw -o token");
    page.set("NDCLI_TOKEN", word(&token, "ndpat_"));
    let service = word(&page.play(), "ndsvc_");
    let registry = Registry::start(&page.at, page.server(), &service.parse().expect("a secret"));
    page.replace("http://127.0.0.1:8080", format!("http://{}", registry.http));
    std::fs::write(page.at.home().join("logo.svg"), "<svg/>").expect("written");
    let shown = page.play();
    assert!(shown.contains(r#""published_by":"ada""#), "{shown}");
    page.close();
}

#[tokio::test]
async fn a_pipeline_and_a_folder_get_their_tokens_as_it_is_shown() {
    let mut page = Page::open("docs/ci/README.md").await;
    page.serve(&[]);
    page.at.people();
    page.log_in();
    let packages = test_path("NDAUTH_TEST_RECIPE_NODE_MODULES");
    page.set("PATH", format!("{}:{}/.bin", path().display(), packages.display()));
    page.replace("gh secret set NDCLI_TOKEN", "cat > stored");
    page.replace("ndcli auth status", "NDCLI_TOKEN=$(cat stored) ndcli auth status");
    // The files name the server.
    page.replace("NDCLI_TOKEN_FILE=token.json", "env -u NDCLI_SERVER NDCLI_TOKEN_FILE=token.json");
    page.replace("direnv exec", "env -u NDCLI_SERVER direnv exec");
    page.play();
    let shown = page.play();
    assert!(shown.contains("token pipeline"), "{shown}");
    let shown = page.play();
    assert!(shown.contains("token deploy"), "{shown}");
    // The action, and the component.
    let inputs: Vec<String> = read("action.yml").lines().map(str::to_owned).collect();
    for line in ["token", "server", "fail-within", "version"] {
        assert!(inputs.contains(&format!("  {line}:")), "{line}");
    }
    page.play();
    page.play();
    page.play();
    for (program, token) in [("direnv", "laptop"), ("dotenvx", "notebook")] {
        let shown = page.play();
        assert!(shown.contains(&format!("token {token}")), "{program}: {shown}");
    }
    // Without a terminal it asks for no other place, and keeps the key in `.env.keys`.
    page.type_in("dotenvx encrypt --quiet < /dev/null");
    let shown = page.type_in("dotenvx run --quiet -- ndcli whoami; cat .env");
    assert!(shown.contains("token notebook") && !shown.contains("ndpat_"), "{shown}");
    let ignored = std::fs::read_to_string(page.at.home().join(".gitignore")).expect("the list");
    for file in [".ndauth.json", ".env", ".env.keys"] {
        assert!(ignored.lines().any(|line| line == file) && page.at.home().join(file).exists(), "{file}");
    }
    page.close();
}

#[tokio::test]
async fn what_stops_a_token_is_as_it_is_written() {
    play_section("docs/life.md", "Suspend, revoke, freeze", 10).await;
}

/// Runs the commands that a section names, with samples for their placeholders. Each finds a living token and a
/// person who is logged in.
async fn play_section(document: &str, section: &str, at_least: usize) {
    let mut page = Page::open(document).await;
    page.serve(&[]);
    page.at.run_admin("account create ada --email ada@example.org");
    page.at.run_admin("org create ops --admin ada");
    // The name of a token, and of a service.
    page.at.run_admin("service create ci");
    page.set("SERVICE_SECRET", page.at.run_admin("service create asset-registry"));
    for (placeholder, sample) in [("NAME", "ci"), ("HANDLE", "ada"), ("ORG", "ops")] {
        page.replace(placeholder, sample);
    }
    page.log_in();
    page.type_in("ndcli org select ops");
    let commands = page.named(section);
    assert!(commands.len() >= at_least, "{commands:?}");
    for command in commands {
        page.at.run_admin("account enable ada");
        page.log_in();
        // A command that gives power back finds what the one before it took.
        if !["resume", "unfreeze"].iter().any(|word| command.contains(word)) {
            page.type_in("ndcli auth token revoke ci --yes || true; rm -f token");
            page.type_in("ndcli auth token create --name ci --scope rw --to-file token");
            let listed = page.at.ndcli(page.server(), &["auth", "token", "list", "-f", "json"]);
            let listed: Value = serde_json::from_str(&listed.out).expect("JSON");
            page.replace("ID", listed["tokens"][0]["id"].as_str().expect("a token"));
        }
        page.type_in(&command);
    }
}

/// The expression for scanners finds each vector that a server could mint, and no other secret.
#[test]
fn the_expression_for_scanners_finds_what_is_minted() {
    let page = read("docs/token-format.md");
    let (_, vectors) = page.split_once("## Test vectors").expect("the vectors");
    let (_, scanners) = page.split_once("## For scanners").expect("the expression");
    let (_, expression) = blocks(scanners).next().expect("the expression");
    let script =
        "import re, sys\nfor found in re.finditer(sys.argv[1], sys.stdin.read()): print(found.group())";
    let mut python = Command::new(test_path("NDAUTH_TEST_PYTHON"));
    python.args(["-c", script, expression]);
    let ended = run(python, vectors);
    assert_eq!(ended.code, 0, "{ended:?}");
    let (secrets, others): (Vec<&str>, Vec<&str>) =
        ended.out.lines().partition(|found| found.parse::<Secret>().is_ok());
    let minted = |word: &&str| {
        let secret = word.parse::<Secret>();
        secret.is_ok_and(|secret| secret.expose()["ndpat_".len()..].chars().all(char::is_alphanumeric))
    };
    let is_apart = |c: char| c == '`' || c == '\\';
    let expected: Vec<&str> = vectors.split(is_apart).filter(minted).collect();
    assert_eq!(secrets, expected);
    assert_eq!(others, Vec::<&str>::new(), "there are no false alarms");
}

#[tokio::test]
async fn leaks_are_reported_and_found_as_it_is_shown() {
    let mut page = Page::open("docs/leaks.md").await;
    page.serve(&[]);
    page.at.people();
    page.log_in();
    let create = "ndcli auth token create --scope ro --to-file";
    page.type_in(&format!("{create} leaked.txt first; {create} token second"));
    let secret = std::fs::read_to_string(page.at.home().join("token")).expect("a secret");
    page.set("NDCLI_TOKEN", secret.trim_end().to_owned());
    page.replace("https://ndauth.example.org", page.server().url.to_string());
    assert!(page.play().contains("its token is revoked"));
    assert!(page.play().contains("REVOKED"));
    page.type_in(
        "ndcli auth logout; rm leaked.txt token; mkdir src; touch config.yml src/main.rs; git init --quiet",
    );
    page.type_in(
        "git config user.name Ada; git config user.email ada@example.org; git add src; git commit -m one",
    );
    for _searched_or_installed in ["by hand", "pre-commit", "git"] {
        page.play();
    }
    page.type_in("git add config.yml; git commit -m two");
    page.close();
}

#[tokio::test]
async fn a_first_day_is_as_it_is_shown() {
    play("docs/first-day.md").await;
}

#[tokio::test]
async fn the_life_of_a_token_is_as_it_is_shown() {
    play("docs/life.md").await;
}

#[tokio::test]
async fn permissions_are_as_they_are_shown() {
    play("docs/permissions.md").await;
}

#[tokio::test]
async fn json_is_as_it_is_shown() {
    play("docs/scripts.md").await;
}

/// Runs the transcripts of a document against a server of `ndauthd dev`.
async fn play(document: &str) {
    let at = Installation::new(Engine::Sqlite).await;
    let folder = at.home().join("dev");
    let dev = dev(&at, &["--keep", folder.to_str().expect("text")]);
    let setting = |name: &str| {
        dev.lines.iter().find_map(|line| line.strip_prefix(name)).expect("it is printed").to_owned()
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
        .register_bin("ndcli", test_path("NDAUTH_TEST_NDCLI"))
        .register_bin("ndauthd", test_path("NDAUTH_TEST_NDAUTHD"))
        .case(root().join(document));
    cases.run();
}
