//! The demo: the main scenario, run with the real binaries on a scratch database.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::cargo::{Binaries, build_binaries};
use crate::packages::{self, Job};
use crate::server::{ServerProcess, url};

pub(crate) fn run() -> anyhow::Result<()> {
    packages::provide(Job::Demo)?;
    println!("Building ndauthd, ndcli and an example service: minutes the first time, seconds from then on.");
    play(build_binaries()?)
}

/// Runs the demo with these binaries. Fails at the first step with an unexpected result.
pub(crate) fn play(binaries: Binaries) -> anyhow::Result<()> {
    let demo = Demo::start(binaries)?;

    demo.says("The operator sets up an account, two orgs and a service, on the database itself.");
    demo.operator("catalogue apply --preset namespace")?.shows("change(s)")?;
    demo.operator("account create ada --email ada@example.org")?.shows("account `ada` created")?;
    demo.operator("org create ops")?.shows("org `ops` created")?;
    demo.operator("org create research")?.shows("org `research` created")?;
    demo.operator("member set ops ada ADMIN")?.shows("role `ADMIN`")?;
    demo.operator("member set research ada RO")?.shows("role `RO`")?;
    let service = demo.operator("service create asset-registry")?.secret("ndsvc_")?;
    let session = demo.operator("session issue ada")?.secret("ndses_")?;

    demo.says("Ada logs in, and makes two tokens. Each secret is shown once.");
    demo.person("auth login --with-token", Some(&session))?.shows("Logged in")?;
    let made = demo.person("auth token create --name github-ci --scope rw --expiry 90d", None)?;
    let pipeline = made.shows("it will NOT be shown again")?.value("Token: ")?;
    let made = demo.person("auth token create --name audit --scope ro --org ops --expiry 30d", None)?;
    let reader = made.shows("Org: ops")?.value("Token: ")?;
    demo.person("auth token list", None)?.shows("Total: 2 token(s)")?;

    demo.says("A pipeline has the first as NDCLI_TOKEN. It can say who it is, and make no tokens.");
    demo.with("NDCLI_TOKEN", &pipeline, "whoami", None)?.shows("token github-ci")?;
    let refused = demo.with("NDCLI_TOKEN", &pipeline, "auth token create --name more --scope rw", None)?;
    refused.fails_with(5)?.shows("needs an interactive login")?;

    demo.says(
        "A service asks about what it was shown: by its own secret, which may validate and nothing else.",
    );
    let ask = |question: &str, secret: &str| {
        demo.with("NDCLI_TOKEN", &service, &format!("validate --secret-stdin {question}"), Some(secret))
    };
    ask("--org ops --access rw --permission write:assets", &pipeline)?.shows("allowed")?;
    ask("--org ops --access rw", &reader)?.fails_with(1)?.shows("SCOPE_TOO_NARROW")?;
    ask("--org research --access rw", &pipeline)?.fails_with(1)?.shows("ROLE_TOO_LOW")?;

    demo.says(
        "A token may carry permissions by name. What it could do is shown before it is made, and why it may not, after.",
    );
    let publisher = "auth token create --name publish --scope read:assets,write:assets";
    demo.person(&format!("{publisher} --preview"), None)?.shows("read:assets, write:assets")?;
    let publish =
        demo.person(publisher, None)?.shows("Grants: read:assets, write:assets")?.value("Token: ")?;
    ask("--org ops --permission approve:assets", &publish)?.fails_with(1)?.shows("PERMISSION_NOT_GRANTED")?;
    demo.person("auth token explain publish --org research --permission write:assets", None)?
        .fails_with(1)?
        .shows("Who can change it: an admin of the org")?;

    demo.says("An org has tokens of its own, which outlive whoever made them. This one goes into a file.");
    let grant = r#"{"resource_type":"assets","resource_id":"*","actions":["read"]}"#;
    let file = demo.folder.path().join("deploy.json").display().to_string();
    demo.person("org select ops", None)?.shows("act in ops")?;
    let deploy = format!("token create --name deploy --grant {grant} --expires_in 7d --token_file {file}");
    demo.person(&deploy, None)?.shows("Org token created")?;
    demo.with_token_file(&file, "whoami")?.shows("token deploy")?;
    demo.person("org policy set --longest-lifetime 30d --dry-run", None)?.shows("Nothing was set")?;

    demo.says(
        "A service that links the client library decides by itself. The pipeline publishes there with its NDCLI_TOKEN.",
    );
    let registry = demo.open_registry(&service)?;
    registry.publish(&pipeline)?.shows("201 Created")?;
    registry.publish(&reader)?.shows("403 Forbidden")?;

    demo.says(
        "The pipeline's token leaks. Ada revokes it: the next call is refused, and its holder is told why.",
    );
    demo.person("auth token revoke github-ci --yes", None)?.shows("revoked")?;
    registry.publish(&pipeline)?.shows("the token was revoked just now (")?;
    ask("--org ops --access rw --permission write:assets", &pipeline)?
        .fails_with(1)?
        .shows("TOKEN_REVOKED")?;
    demo.with("NDCLI_TOKEN", &pipeline, "whoami", None)?.fails_with(4)?.shows("was revoked just now (")?;
    demo.person("auth token list", None)?.shows("Total: 2 token(s)")?;
    demo.close()?;

    println!("\nEvery step did what it should. To have this for yourself, in one terminal:\n");
    println!(
        "    cargo install --locked --path crates/ndauth-server && cargo install --locked --path crates/ndcli"
    );
    println!("    ndauthd serve\n\nand in another:\n");
    println!("    ndauthd admin account create YOU --email YOU@EXAMPLE.ORG --operator");
    println!("    ndauthd admin org create ORG --admin YOU");
    println!("    ndauthd admin account invite YOU     # prints a link: open it, and set a password");
    println!("    ndcli auth login");
    println!("    ndcli auth token create --name github-ci --scope rw");
    Ok(())
}

/// A scratch folder with a running server.
struct Demo {
    folder: TempDir,
    binaries: Binaries,
    server: ServerProcess,
}

/// The running example service, which the client library guards.
struct AssetRegistry {
    child: Child,
    http: String,
}

/// The output and the exit code of a command.
struct CommandOutput {
    out: String,
    err: String,
    code: Option<i32>,
}

impl Demo {
    fn start(binaries: Binaries) -> anyhow::Result<Demo> {
        let folder = tempfile::tempdir()?;
        println!("\n$ ndauthd serve    (on a scratch SQLite file and a free port)");
        let server = ServerProcess::start(&binaries.ndauthd, &database(folder.path()))?;
        Ok(Demo { folder, binaries, server })
    }

    fn says(&self, what: &str) {
        println!("\n# {what}");
    }

    fn operator(&self, arguments: &str) -> anyhow::Result<CommandOutput> {
        let mut command = alone(&self.binaries.ndauthd);
        command.arg("admin").args(arguments.split(' '));
        self.play(command, &format!("ndauthd admin {arguments}"), None)
    }

    fn person(&self, arguments: &str, stdin: Option<&str>) -> anyhow::Result<CommandOutput> {
        let mut command = alone(&self.binaries.ndcli);
        command.args(arguments.split(' '));
        self.play(command, &format!("ndcli {arguments}"), stdin)
    }

    fn with(
        &self,
        variable: &str,
        secret: &str,
        arguments: &str,
        stdin: Option<&str>,
    ) -> anyhow::Result<CommandOutput> {
        let mut command = alone(&self.binaries.ndcli);
        command.args(arguments.split(' ')).env(variable, secret);
        self.play(command, &format!("{variable}={}… ndcli {arguments}", prefix(secret)), stdin)
    }

    /// Runs ndcli with the credential in a file.
    fn with_token_file(&self, file: &str, arguments: &str) -> anyhow::Result<CommandOutput> {
        let mut command = alone(&self.binaries.ndcli);
        command.args(arguments.split(' ')).env("NDCLI_TOKEN_FILE", file);
        self.play(command, &format!("NDCLI_TOKEN_FILE={file} ndcli {arguments}"), None)
    }

    /// Runs a command, and prints the command line and all its output.
    fn play(&self, mut command: Command, shown: &str, stdin: Option<&str>) -> anyhow::Result<CommandOutput> {
        match stdin {
            Some(secret) => println!("\n$ echo {}… | {shown}", prefix(secret)),
            None => println!("\n$ {shown}"),
        }
        let mut child = command
            .env("NDAUTHD_DATABASE", url(&database(self.folder.path())))
            .env("NDCLI_SERVER", format!("http://{}", self.server.address))
            .env("XDG_CONFIG_HOME", self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let (Some(mut pipe), Some(secret)) = (child.stdin.take(), stdin) {
            writeln!(pipe, "{secret}")?;
        }
        let ended = child.wait_with_output()?;
        let outcome = CommandOutput {
            out: String::from_utf8(ended.stdout)?,
            err: String::from_utf8(ended.stderr)?,
            code: ended.status.code(),
        };
        print!("{}{}", outcome.out, outcome.err);
        Ok(outcome)
    }

    /// Starts the guarded example service.
    fn open_registry(&self, service: &str) -> anyhow::Result<AssetRegistry> {
        let ndauth = format!("http://{}", self.server.address);
        println!("\n$ ASSETS_NDAUTH_SECRET={}… asset-registry {ndauth} assets.db", prefix(service));
        let mut child = alone(&self.binaries.asset_registry)
            .args([ndauth, self.folder.path().join("assets.db").display().to_string()])
            .env("ASSETS_NDAUTH_SECRET", service)
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().context("its output is piped")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        print!("{line}");
        let http = line.split_whitespace().nth(2).context("it should have said where it listens")?.to_owned();
        Ok(AssetRegistry { child, http })
    }

    fn close(self) -> anyhow::Result<()> {
        self.server.end()?;
        let path = self.folder.path().to_owned();
        self.folder.close()?;
        ensure!(fs::metadata(path).is_err(), "the scratch folder is still there");
        Ok(())
    }
}

impl AssetRegistry {
    /// Publishes an asset with a token, and prints the response.
    fn publish(&self, secret: &str) -> anyhow::Result<CommandOutput> {
        println!(
            "\n> PUT http://{}/orgs/ops/assets/logo    (authorization: Bearer {}…)",
            self.http,
            prefix(secret)
        );
        let mut stream = TcpStream::connect(&self.http)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "PUT /orgs/ops/assets/logo HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: 6\r\n\
             authorization: Bearer {secret}\r\n\r\n<svg/>",
            self.http
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer has a head and a body")?;
        let out = format!("{}\n{body}\n", head.lines().next().unwrap_or_default());
        print!("{out}");
        Ok(CommandOutput { out, err: String::new(), code: Some(0) })
    }
}

impl Drop for AssetRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl CommandOutput {
    /// Fails unless the command succeeded and printed this text.
    fn shows(&self, expected: &str) -> anyhow::Result<&CommandOutput> {
        self.ended(0, expected)
    }

    /// Fails unless the command ended with this code. The returned output then counts as a success.
    fn fails_with(self, code: i32) -> anyhow::Result<CommandOutput> {
        ensure!(self.code == Some(code), "it should have ended with {code}, and did with {:?}", self.code);
        Ok(CommandOutput { code: Some(0), ..self })
    }

    fn ended(&self, code: i32, expected: &str) -> anyhow::Result<&CommandOutput> {
        ensure!(self.code == Some(code), "it should have ended with {code}, and did with {:?}", self.code);
        let printed = self.out.contains(expected) || self.err.contains(expected);
        ensure!(printed, "it should have printed `{expected}`");
        Ok(self)
    }

    /// Returns the secret, which must be alone on standard output.
    fn secret(&self, marker: &str) -> anyhow::Result<String> {
        self.ended(0, marker)?;
        let secret = self.out.trim_end();
        ensure!(secret.starts_with(marker) && secret.len() == 49, "a secret should stand alone there");
        Ok(secret.to_owned())
    }

    /// Returns the rest of the line that begins with a label.
    fn value(&self, label: &str) -> anyhow::Result<String> {
        let line = self.out.lines().find_map(|line| line.strip_prefix(label));
        line.map(str::to_owned).with_context(|| format!("a line `{label}` should be there"))
    }
}

/// Returns a command without the user's own `NDCLI_` and `NDAUTHD_` variables.
fn alone(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if ["NDCLI_", "NDAUTHD_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

fn database(folder: &Path) -> PathBuf {
    folder.join("ndauth.db")
}

fn prefix(secret: &str) -> &str {
    &secret[..12]
}
