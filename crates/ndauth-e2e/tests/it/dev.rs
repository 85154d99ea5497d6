//! `ndauthd dev`: the commands that it prints work when typed.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use ndauth_store::Engine;
use rustix::process::{Pid, Signal, kill_process};

use crate::installation::{Installation, KillOnDrop, path, run, test_path};

pub(crate) struct Dev {
    child: KillOnDrop,
    /// The printed commands.
    pub(crate) lines: Vec<String>,
    /// The whole output.
    said: String,
}

pub(crate) fn dev(at: &Installation, arguments: &[&str]) -> Dev {
    let mut command = Command::new(test_path("NDAUTH_TEST_NDAUTHD"));
    command.args(["dev", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]).args(arguments);
    command
        .env_clear()
        .env("HOME", at.home())
        .env("NDCLI_NO_KEYRING", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = KillOnDrop(command.spawn().expect("it starts"));
    let mut said = String::new();
    let mut lines = Vec::new();
    for line in BufReader::new(child.0.stdout.take().expect("piped")).lines() {
        let line = line.expect("text");
        lines.extend(line.strip_prefix("    ").map(str::to_owned));
        said += &line;
        said.push('\n');
        // The last line of the output.
        if line.ends_with("admin check") {
            return Dev { child, lines, said };
        }
    }
    panic!("it ended: {said}");
}

/// Runs the lines in one shell. Returns the output and each exit code.
fn typed(at: &Installation, lines: &[String]) -> (String, Vec<i32>) {
    let script: String = lines.iter().map(|line| format!("{line}\necho \"exit $?\"\n")).collect();
    let mut bash = Command::new("bash");
    bash.env_clear()
        .env("PATH", path())
        .env("HOME", at.home())
        .env("NDCLI_NO_KEYRING", "true")
        .args(["-c", &script]);
    let ended = run(bash, "");
    let codes = ended.out.lines().filter_map(|line| line.strip_prefix("exit ")?.parse().ok()).collect();
    (ended.out + &ended.err, codes)
}

/// Stops the server, as Ctrl-C does.
pub(crate) fn end(mut dev: Dev) {
    let pid = i32::try_from(dev.child.0.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, Signal::INT).expect("signalled");
    assert!(dev.child.0.wait().expect("ended").success());
}

#[tokio::test]
async fn the_printed_commands_of_dev_work_and_its_folder_is_removed() {
    let at = Installation::new(Engine::Sqlite).await;
    let dev = dev(&at, &[]);
    let (text, codes) = typed(&at, &dev.lines);
    // Only the validation of the token that was just revoked exits with 1.
    let expected: Vec<i32> = (0..dev.lines.len()).map(|line| i32::from(line == 8)).collect();
    assert_eq!(codes, expected, "{text}");
    assert!(dev.lines[7].contains("revoke") && dev.lines[8].contains("validate"), "{}", dev.said);
    for part in ["allowed", "TOKEN_REVOKED", "no problems found", "acme (ADMIN), sandbox (RO)"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let folder = dev.lines[0].strip_prefix("cd ").expect("the folder comes first").to_owned();
    assert!(std::path::Path::new(&folder).exists());
    end(dev);
    assert!(!std::path::Path::new(&folder).exists(), "a scratch installation is gone");
}

#[tokio::test]
async fn a_kept_dev_installation_is_reused() {
    let at = Installation::new(Engine::Sqlite).await;
    let keep = at.home().join("it's kept");
    let keep = keep.to_str().expect("text");
    let first = dev(&at, &["--keep", keep]);
    let (text, _) = typed(&at, &first.lines[..4]);
    assert!(text.contains("exit 0"), "{text}");
    end(first);
    let second = dev(&at, &["--keep", keep]);
    let (text, codes) = typed(&at, &[&second.lines[..3], &second.lines[4..5]].concat());
    assert!(codes.iter().all(|code| *code == 0) && text.contains("│ ci "), "{text}");
    assert!(second.said.contains("kept in that folder"));
    end(second);
}

#[tokio::test]
async fn dev_refuses_foreign_folders_databases_and_addresses() {
    let at = Installation::new(Engine::Sqlite).await;
    let home = at.home().to_str().expect("text");
    std::fs::write(at.home().join("mine"), "x").expect("written");
    let scratch = at.database();
    for (arguments, database, message) in [
        (vec!["dev", "--keep", home], "", "contains files that `ndauthd dev` did not make"),
        (vec!["dev"], scratch.as_str(), "makes its own database"),
        (vec!["dev", "--listen", "0.0.0.0:0"], "", "is for this machine only"),
    ] {
        let mut command = at.command("NDAUTH_TEST_NDAUTHD");
        command.env("NDAUTHD_DATABASE", database).args(&arguments);
        let ended = run(command, "");
        assert!(ended.code == 2 && ended.err.contains(message), "{arguments:?}: {ended:?}");
        assert_eq!(ended.out, "");
    }
    assert!(!at.home().join("made-by-ndauthd-dev").exists());
}
