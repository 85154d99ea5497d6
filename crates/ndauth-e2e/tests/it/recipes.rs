//! The recipes for CI systems: the scripts in the very files that the documents show, run against a server as each
//! system would run them, without a home.

mod lint;
mod pipeline;
mod system;

use std::time::{Duration, Instant};

use pipeline::Pipeline;
use system::{System, log};

/// Returns the first secret of a token in a text.
fn secret_in(text: &str) -> String {
    let (_, rest) = text.split_once("ndpat_").unwrap_or_else(|| panic!("no secret: {text}"));
    format!("ndpat_{}", &rest[..43])
}

/// The beginning of what each system's host receives for a new secret.
fn expected_request(system: System) -> &'static str {
    match system {
        System::GitHub => "ndpat_",
        System::GitLab => "PUT /api/v4/projects/17/variables/NDCLI_TOKEN HTTP/1.1\n",
        System::CircleCi => "PUT /api/v2/context/c0ffee/environment-variable/NDCLI_TOKEN HTTP/1.1\n",
        System::Buildkite => "PUT /v2/organizations/acme/clusters/CLUSTER/secrets/SECRET/value HTTP/1.1\n",
        System::Jenkins => {
            "POST /credentials/store/system/domain/_/credential/ndcli-token/config.xml HTTP/1.1\n"
        }
        System::Shell => "{\"bearer_token\":\"ndpat_",
        System::GitHubAction | System::GitLabComponent => panic!("it does not rotate"),
    }
}

/// Returns the parts that each host must find in the request: the pipeline's credential and the new secret.
fn expected_parts(system: System, secret: &str) -> Vec<String> {
    match system {
        System::GitHub | System::Shell => vec![],
        System::GitLab => {
            vec!["PRIVATE-TOKEN: of-the-ci".into(), format!("name=\"value\"\r\n\r\n{secret}\r\n")]
        }
        System::CircleCi => vec!["Circle-Token: of-the-ci".into(), format!("\n\n{{\"value\":\"{secret}\"}}")],
        System::Buildkite => {
            vec!["Authorization: Bearer of-the-ci".into(), format!("\n\n{{\"value\":\"{secret}\"}}")]
        }
        System::Jenkins => vec![
            // `robot:of-the-ci`
            "Authorization: Basic cm9ib3Q6b2YtdGhlLWNp".into(),
            format!("<id>ndcli-token</id><secret>{secret}</secret></org.jenkinsci.plugins."),
        ],
        System::GitHubAction | System::GitLabComponent => panic!("it does not rotate"),
    }
}

/// Plays a recipe: it installs, checks, publishes and rotates, and goes on with the new secret.
async fn play(system: System) {
    let pipeline = Pipeline::of(system).await;
    let first = pipeline.self_rotating();
    let publishes = |secret: &str| {
        let ended = pipeline.run("publish", secret);
        assert!(ended.code == 0 && ended.out.contains(r#""published_by":"ada""#), "{ended:?}");
        assert!(!log(&ended).contains(&secret[12..]), "the log holds no secret: {ended:?}");
    };
    publishes(&first);

    // The new secret arrives, and the old one keeps working for the overlap.
    let rotates = |secret: &str| {
        let ended = pipeline.run("rotate", secret);
        assert_eq!(ended.code, 0, "{ended:?}");
        let received = pipeline.received();
        let new = secret_in(&received);
        assert_ne!(new, secret);
        let as_sent = received.replace("\r\n\r\n", "\n\n").replace("\r\n", "\n");
        assert!(as_sent.starts_with(expected_request(system)), "{received}");
        for part in expected_parts(system, &new) {
            assert!(received.contains(&part) || as_sent.contains(&part), "{part}: {received}");
        }
        for secret in [secret, &new, "of-the-ci"] {
            assert!(!log(&ended).contains(secret.trim_start_matches("ndpat_")), "{ended:?}");
        }
        new
    };
    let second = rotates(&first);
    publishes(&first);
    publishes(&second);
    // The next run rotates with the new secret.
    let retired = ["auth", "token", "rotation", "retire", "pipeline", "--yes"];
    assert_eq!(pipeline.at.ndcli(&pipeline.server, &retired).code, 0);
    let third = rotates(&second);
    publishes(&third);
    let refused = pipeline.run("publish", &first);
    assert!(
        refused.code == 4 && log(&refused).contains("the secret was replaced by a rotation"),
        "{refused:?}"
    );

    // The host stores the secret and answers with an error: nothing is cut off, and the secret that it stored takes
    // over at its first use.
    if system != System::Shell {
        assert_eq!(pipeline.at.ndcli(&pipeline.server, &retired).code, 0);
        pipeline.refuse(true);
        let failed = pipeline.run("rotate", &third);
        assert!(failed.code != 0 && log(&failed).contains("the old one is still valid"), "{failed:?}");
        publishes(&third);
        let fourth = secret_in(&pipeline.received());
        publishes(&fourth);
        publishes(&third);
    }
    refusals(&pipeline);
}

/// A pipeline fails early, and says why in the form that its system highlights.
fn refusals(pipeline: &Pipeline) {
    let warned = match pipeline.system {
        System::GitHub => "::warning title=ndauth credential::",
        System::GitLab => "\u{1b}[0;33mWARNING: ",
        _ => "warning: ",
    };
    let fails = |secret: &str, message: &str| {
        let ended = pipeline.run("publish", secret);
        assert!(ended.code != 0 && log(&ended).contains(message), "{message}: {ended:?}");
        assert!(!ended.out.contains("published_by"), "{ended:?}");
        ended
    };
    let short = pipeline.token("short", &["--scope", "rw", "--expiry", "10d"]);
    let ended = fails(&short, "ends in 9 days");
    assert!(ended.code == 1 && log(&ended).contains(warned), "{warned}: {ended:?}");

    let absent = fails(
        "",
        match pipeline.system {
            System::Shell => "NDCLI_TOKEN_FILE holds no token: it is empty",
            _ => "NDCLI_TOKEN is set, and empty",
        },
    );
    assert!(absent.code == 4 && log(&absent).contains(warned), "{absent:?}");

    // The service refuses what the token may not do, and names the reason.
    let reader = pipeline.token("reader", &["--scope", "ro", "--expiry", "30d"]);
    let refused = fails(&reader, "403");
    assert!(log(&refused).contains("\"reason\":\"SCOPE_TOO_NARROW\""), "{refused:?}");

    pipeline.token("clock", &["--scope", "ro"]);
    let made = pipeline.at.ndcli(&pipeline.server, &["auth", "token", "show", "clock", "-f", "json"]);
    let now = crate::cli::json(&made)["token"]["created_at"].as_str().and_then(|at| at.parse().ok());
    let now: ndauth_core::Timestamp = now.expect("an instant");
    let end = now.checked_add(Duration::from_secs(2)).expect("an instant").to_string();
    let dead = pipeline.token("dead", &["--scope", "rw", "--expiry", &end]);
    let begun = Instant::now();
    while pipeline.at.ndcli_with(&pipeline.server, &[("NDCLI_TOKEN", &dead)], &["whoami"], "").code == 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not expire");
        std::thread::sleep(Duration::from_millis(100));
    }
    let expired = fails(&dead, "the token expired");
    assert!(expired.code == 4 && log(&expired).contains(warned), "{expired:?}");
}

#[tokio::test]
async fn github_actions_runs_its_recipe() {
    play(System::GitHub).await;
}

#[tokio::test]
async fn gitlab_runs_its_recipe() {
    play(System::GitLab).await;
}

#[tokio::test]
async fn circleci_runs_its_recipe() {
    play(System::CircleCi).await;
}

#[tokio::test]
async fn buildkite_runs_its_recipe() {
    play(System::Buildkite).await;
}

#[tokio::test]
async fn jenkins_runs_its_recipe() {
    play(System::Jenkins).await;
}

#[tokio::test]
async fn a_plain_shell_runs_its_recipe() {
    play(System::Shell).await;
}

/// The action and the component take a bare secret with the server's URL, or a token file alone.
#[tokio::test]
async fn the_action_and_the_component_check_a_token() {
    for (system, job) in [(System::GitHubAction, "action"), (System::GitLabComponent, "ndcli")] {
        let pipeline = Pipeline::of(system).await;
        let secret = pipeline.self_rotating();
        let url = pipeline.server.url.to_string();
        let file = format!("{{\"bearer_token\":\"{secret}\",\"server\":\"{url}\"}}");
        let spaced = format!("{{ \"bearer_token\": \"{secret}\",\n  \"server\": \"{url}\" }}");
        let short = pipeline.token("short", &["--scope", "rw", "--expiry", "10d"]);
        for (token, server, within, code) in [
            (secret.as_str(), url.as_str(), "14d", 0),
            (&file, "", "14d", 0),
            (&file, "", "31d", 1),
            (&spaced, "", "14d", 0),
            (&short, &url, "14d", 1),
            (&short, &url, "7d", 0),
            ("", &url, "14d", 4),
        ] {
            let inputs = [
                ("token", token),
                ("server", server),
                ("fail-within", within),
                ("version", env!("CARGO_PKG_VERSION")),
                ("stage", "test"),
            ];
            let ended = pipeline.run_with(job, token, &inputs);
            assert_eq!(ended.code, code, "{system:?} {within}: {ended:?}");
            // GitHub reads the mask from the log, and shows it to nobody.
            let log = log(&ended);
            let shown = log.lines().filter(|line| !line.starts_with("::add-mask::"));
            assert!(!shown.collect::<String>().contains(&secret[12..]), "{ended:?}");
            let masks = log.contains(&format!("::add-mask::{secret}\n"));
            assert_eq!(masks, system == System::GitHubAction && token.starts_with('{'), "{ended:?}");
        }
    }
}

/// A file that is not the one that was released is not installed.
#[tokio::test]
async fn a_recipe_installs_nothing_that_was_changed() {
    let pipeline = Pipeline::of(System::GitHub).await;
    let secret = pipeline.self_rotating();
    let host = pipeline.at.home().join("host");
    let sums = host.join(concat!("ndauth_", env!("CARGO_PKG_VERSION"), "_checksums.txt"));
    let text = std::fs::read_to_string(&sums).expect("the list");
    let other = if text.starts_with('0') { "1" } else { "0" };
    std::fs::write(&sums, format!("{other}{}", &text[1..])).expect("written");
    let ended = pipeline.run("publish", &secret);
    assert!(ended.code == 1 && ended.err.contains("is not the file that was released"), "{ended:?}");
}
