//! Token files: the server in one, and pipelines that have no home.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use serde_json::{Value, json};

use crate::installation::{Ended, Installation, ReservedPort, Running, run, test_path};
use crate::on_both;

/// Runs `ndcli` with these variables and no others, as a user without a name and so without a home.
fn bare(variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    bare_with(variables, arguments, "")
}

fn bare_with(variables: &[(&str, &str)], arguments: &[&str], stdin: &str) -> Ended {
    let mut command = Command::new("/usr/bin/unshare");
    command.args(["--user", "--map-user=4242"]).arg(test_path("NDAUTH_TEST_NDCLI")).args(arguments);
    // Nobody may write to `/proc`.
    command.env_clear().envs(variables.iter().copied()).current_dir("/proc");
    run(command, stdin)
}

/// Creates a token of `ada` in a file that names its server. Returns the path.
fn token_file(at: &Installation, server: &Running, more: &[&str]) -> String {
    at.people();
    at.log_in(server);
    let path = at.home().join("token.json").display().to_string();
    let create = ["auth", "token", "create", "--name", "ci", "--scope", "rw", "--token-file", &path];
    let ended = at.ndcli(server, &[&create, more].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    path
}

fn read(path: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("the file")).expect("JSON")
}

on_both! {
    async fn a_login_goes_to_the_configured_server_and_not_to_that_of_a_token_file(at: &Installation) {
        let server = at.serve();
        at.people();
        let (url, session) = (server.url.to_string(), at.session());
        let silent = ReservedPort::new();
        let file = at.home().join("token.json");
        let secret = format!("ndpat_{}", "A".repeat(43));
        let text = json!({ "bearer_token": secret, "server": format!("http://{}", silent.address) });
        fs::write(&file, text.to_string()).expect("written");
        let ndcli = |token_file: &str, arguments: &[&str]| {
            let mut command = at.command("NDAUTH_TEST_NDCLI");
            command.args(arguments).env("NDCLI_TOKEN_FILE", token_file).env("NDCLI_TIMEOUT", "1s");
            run(command, session.expose())
        };
        assert_eq!(ndcli("", &["config", "set", "server", &url]).code, 0);
        let path = file.to_str().expect("text");
        let login = ndcli(path, &["auth", "login", "--with-token"]);
        assert!(login.code == 0 && login.out.contains(&url), "{login:?}");
        assert_eq!(ndcli(path, &["whoami"]).code, 6, "it is the file's credential, and goes to the file's server");
        // Neither needs the file.
        let logout = ndcli("/none", &["auth", "logout"]);
        assert!(logout.code == 0 && logout.out.contains(&url), "{logout:?}");
    }

    async fn a_token_file_is_all_that_a_pipeline_needs(at: &Installation) {
        let server = at.serve();
        let path = token_file(at, &server, &["--expiry", "30d", "--self-rotating"]);
        let kept = read(&path);
        assert_eq!(kept["server"], server.url.to_string());
        assert!(kept["bearer_token"].as_str().is_some_and(|secret| secret.starts_with("ndpat_")));
        let variables = [("NDCLI_TOKEN_FILE", path.as_str())];
        let who = bare(&variables, &["whoami", "-f", "simple"]);
        assert_eq!((who.code, who.err.as_str()), (0, ""), "{who:?}");
        let status = bare(&variables, &["auth", "status", "--strict", "-f", "json"]);
        let status: Value = serde_json::from_str(&status.out).expect("JSON");
        assert_eq!((&status["server"], &status["server_from"]), (&json!(server.url.to_string()), &json!(path)));
        let list = bare(&variables, &["config", "list", "-f", "json"]);
        let list: Value = serde_json::from_str(&list.out).expect("JSON");
        let setting = list["settings"].as_array().and_then(|rows| rows.iter().find(|row| row["key"] == "server"));
        let expected = json!({ "key": "server", "value": server.url.to_string(), "from": path });
        assert_eq!(setting, Some(&expected));
        assert_eq!(list["file"], Value::Null, "without a home there is no configuration");

        // It rotates itself over the same file, which still names the server.
        let rotated = bare(&variables, &["auth", "token", "rotate", "ci", "--token-file", &path]);
        assert_eq!(rotated.code, 0, "{rotated:?}");
        assert_eq!(read(&path)["server"], kept["server"]);
        assert_ne!(read(&path)["bearer_token"], kept["bearer_token"]);
        // A command receives the same, where that was said, and the secret alone elsewhere.
        for (more, begins) in [(&["--with-server"][..], "{\"bearer_token\":\"ndpat_"), (&[], "ndpat_")] {
            bare(&variables, &["auth", "token", "rotation", "retire", "ci", "--yes"]);
            let sent = at.home().join("sent").display().to_string();
            let command = format!("cat > '{sent}'");
            let words = [&["auth", "token", "rotate", "ci", "--to-command", &command], more].concat();
            let rotated = bare(&variables, &words);
            assert_eq!(rotated.code, 0, "{rotated:?}");
            let text = fs::read_to_string(&sent).expect("sent");
            assert!(text.starts_with(begins), "{begins}");
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
            let with = [variables[0], ("NDCLI_SERVER", &server.url.to_string())];
            let who = bare(&with, &["whoami"]);
            assert_eq!(who.code, 0, "{who:?}");
        }
    }

    /// Precedence: flag and variable, token file, configuration, default.
    async fn a_secret_goes_only_to_the_server_in_its_file_unless_a_person_names_another(at: &Installation) {
        let server = at.serve();
        let path = token_file(at, &server, &[]);
        let other = TcpListener::bind("127.0.0.1:0").expect("a port");
        other.set_nonblocking(true).expect("set");
        let other_url = format!("http://{}", other.local_addr().expect("an address"));
        let home = at.home().join("elsewhere").display().to_string();
        let config = [("XDG_CONFIG_HOME", home.as_str())];
        assert_eq!(bare(&config, &["config", "set", "server", &other_url]).code, 0);
        assert_eq!(bare(&config, &["config", "set", "server", &other_url, "--profile", "other"]).code, 0);
        let file = [config[0], ("NDCLI_TOKEN_FILE", path.as_str())];
        for more in [&[][..], &["--profile", "other"]] {
            let who = bare(&file, &[&["whoami"], more].concat());
            assert_eq!(who.code, 0, "{who:?}");
        }
        // Broken files are sent nowhere.
        let broken = at.home().join("broken.json").display().to_string();
        let secret = read(&path)["bearer_token"].clone();
        for named in [json!(null), json!(7), json!(""), json!("ftp://x"), json!("https://x/path")] {
            let text = json!({ "bearer_token": secret, "server": named }).to_string();
            fs::write(&broken, text).expect("written");
            let who = bare(&[config[0], ("NDCLI_TOKEN_FILE", &broken)], &["whoami"]);
            assert!(who.code == 4 && who.err.contains("is no URL of a server"), "{named}: {who:?}");
        }
        assert!(other.accept().is_err(), "nothing was sent to the configuration's server");

        // The person said so.
        let dead = ReservedPort::new();
        let dead_url = format!("http://{}", dead.address);
        let by_variable = [file[0], file[1], ("NDCLI_SERVER", dead_url.as_str())];
        for (variables, flags, source) in [
            (&file[..], &["--server", dead_url.as_str()][..], "flag"),
            (&by_variable, &[], "NDCLI_SERVER"),
        ] {
            let who = bare(variables, &[&["whoami", "--timeout", "1ms"], flags].concat());
            assert!(who.code == 6 && who.err.contains(&dead_url), "{source}: {who:?}");
            let got = bare(variables, &[&["config", "list", "-f", "simple"], flags].concat());
            assert!(got.out.contains(&format!("server={dead_url}\n")), "{got:?}");
        }
        // The credential in force is another one, so its server is another one, too.
        let secret = secret.as_str().expect("text");
        let variable = [file[0], file[1], ("NDCLI_TOKEN", secret)];
        for (variables, flags) in [(&variable[..], &[][..]), (&file, &["--token", secret])] {
            let got = bare(variables, &[&["config", "get", "server"], flags].concat());
            assert_eq!(got.out, format!("{other_url}\n"), "{got:?}");
        }
        // A file that is a pipe can be read once.
        let pipe = at.home().join("pipe").display().to_string();
        assert!(Command::new("/usr/bin/mkfifo").arg(&pipe).status().expect("it runs").success());
        let (to, text) = (pipe.clone(), fs::read_to_string(&path).expect("read"));
        let writer = std::thread::spawn(move || fs::write(to, text).expect("written"));
        let who = bare(&[config[0], ("NDCLI_TOKEN_FILE", &pipe)], &["whoami"]);
        assert_eq!(who.code, 0, "{who:?}");
        writer.join().expect("it was read");
        // A file without a server.
        let alone = json!({ "bearer_token": secret }).to_string();
        for text in [secret, &alone] {
            fs::write(&broken, text).expect("written");
            let got = bare(&[config[0], ("NDCLI_TOKEN_FILE", &broken)], &["config", "get", "server"]);
            assert_eq!(got.out, format!("{other_url}\n"), "{got:?}");
        }
    }

    /// As in many containers: no home, no other variables, a user without a name, and nothing that may be written.
    async fn a_pipeline_needs_no_home_no_user_and_no_folder(at: &Installation) {
        let server = at.serve();
        let path = token_file(at, &server, &["--expiry", "30d", "--self-rotating"]);
        let secret = read(&path)["bearer_token"].as_str().expect("text").to_owned();
        let service = at.service();
        let url = server.url.to_string();
        let anyone = |token: &str, arguments: &[&str], stdin: &str| {
            let ended = bare_with(&[("NDCLI_TOKEN", token), ("NDCLI_SERVER", &url)], arguments, stdin);
            assert!(ended.code == 0 && ended.err.is_empty(), "{arguments:?}: {ended:?}");
        };
        for line in [
            "whoami",
            "auth status --strict --fail-within 14d",
            "auth token list",
            "auth token show ci",
            "auth token explain --org ops --permission write:assets",
            "permissions list",
            "config list",
            "org list",
        ] {
            anyone(&secret, &line.split(' ').collect::<Vec<_>>(), "");
        }
        let nothing = bare(&[("NDCLI_SERVER", &url), ("NDCLI_TOKEN", "")], &["whoami"]);
        assert!(nothing.code == 4 && nothing.err.contains("NDCLI_TOKEN is set, and empty"), "{nothing:?}");
        anyone(service.expose(), &["validate", "--secret-stdin", "--org", "ops", "--access", "rw"], &secret);
        anyone(&secret, &["auth", "token", "rotate", "ci", "--to-command", "cat > /dev/null"], "");
    }
}
