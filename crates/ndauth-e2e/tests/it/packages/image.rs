//! The image, as a container.

use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use super::{command, for_this_machine, secret, succeed};
use crate::installation::{Ended, Running, run};

/// The user of the image.
const USER: u32 = 65532;

/// A container of the image, with storage of its own.
struct Container {
    storage: tempfile::TempDir,
    name: String,
    /// The volume for the data.
    data: PathBuf,
}

impl Container {
    fn of(archive: &str, file: &str) -> Container {
        let storage = tempfile::tempdir().expect("a folder");
        let data = storage.path().join("data");
        fs::create_dir(&data).expect("made");
        chown(&data, Some(USER), Some(USER)).expect("given to the user of the image");
        let mut container = Container { storage, name: String::new(), data };
        let from = format!("{archive}:{}", for_this_machine(file).display());
        container.name = container.buildah(&["from", "--quiet", &from]).out.trim_end().to_owned();
        container
    }

    fn command(&self, words: &[&str]) -> Command {
        // The processes of the container end with the first of them.
        let mut command = command(&["unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]);
        command.args(["buildah", "--storage-driver", "vfs", "--root"]).arg(self.storage.path().join("root"));
        command
            .arg("--runroot")
            .arg(self.storage.path().join("run"))
            .args(words)
            .env("HOME", self.storage.path());
        command
    }

    #[track_caller]
    fn buildah(&self, words: &[&str]) -> Ended {
        succeed(self.command(words))
    }

    /// Returns a command of the image's program, with its data in the volume.
    fn ndauthd(&self, settings: &[(&str, &str)], words: &[&str]) -> Command {
        let volume = format!("{}:/var/lib/ndauth", self.data.display());
        let mut command = self.command(&["run", "--isolation", "chroot", "--volume", &volume]);
        for (variable, value) in settings {
            command.args(["--env", &format!("{variable}={value}")]);
        }
        command.args([&self.name, "--", "/usr/bin/ndauthd"]).args(words);
        command
    }

    /// Returns the configuration of the image.
    fn configuration(&self) -> Value {
        let inspected = self.buildah(&["inspect", "--type", "container", &self.name]).out;
        let inspected: Value = serde_json::from_str(&inspected).expect("JSON");
        serde_json::from_str(inspected["Config"].as_str().expect("the configuration")).expect("JSON")
    }
}

#[test]
fn both_formats_describe_the_same_image() {
    let (oci, docker) = (
        Container::of("oci-archive", "_image.oci.tar").configuration(),
        Container::of("docker-archive", "_image.docker.tar").configuration(),
    );
    for image in [&oci, &docker] {
        let config = &image["config"];
        assert_eq!(config["User"], "65532:65532");
        assert_eq!(config["Entrypoint"], serde_json::json!(["/usr/bin/ndauthd"]));
        assert_eq!(config["Cmd"], serde_json::json!(["serve"]));
        let labels = config["Labels"].as_object().expect("labels");
        for label in ["title", "version", "revision", "created", "source", "licenses"] {
            let value = labels.get(&format!("org.opencontainers.image.{label}")).and_then(Value::as_str);
            assert!(value.is_some_and(|value| !value.is_empty()), "{label}: {labels:?}");
        }
    }
    // OCI's format has no health check.
    assert_eq!(
        docker["config"]["Healthcheck"]["Test"],
        serde_json::json!(["CMD", "/usr/bin/ndauthd", "health"])
    );
}

#[test]
fn the_image_serves_and_is_asked() {
    let container = Container::of("docker-archive", "_image.docker.tar");
    // It is reached from outside, so it does not start without TLS unless that is said.
    let refused = run(container.ndauthd(&[], &["serve"]), "");
    assert_eq!(refused.code, 2, "{refused:?}");

    let listen = [
        ("NDAUTHD_LISTEN", "127.0.0.1:0"),
        ("NDAUTHD_ADMIN_LISTEN", "127.0.0.1:0"),
        ("NDAUTHD_LOG_FORMAT", "json"),
    ];
    let server = Running::start(container.ndauthd(&listen, &["serve"]));
    let healthy = succeed(container.ndauthd(&[("NDAUTHD_ADMIN_LISTEN", &server.admin)], &["health"]));
    assert_eq!(healthy.out, "ready\n");
    let admin = |words: &str| {
        let words: Vec<&str> = ["admin"].into_iter().chain(words.split(' ')).collect();
        succeed(container.ndauthd(&[], &words)).out.trim_end().to_owned()
    };
    admin("account create ada --email ada@example.org");
    admin("org create ops --admin ada");
    let session = secret(&admin("session issue ada"), "ndses_");
    let service = secret(&admin("service create assets"), "ndsvc_");
    let ndcli = |token: &str, words: &[&str], stdin: &str| {
        let mut ndcli = command(&[for_this_machine("_ndcli").to_str().expect("text")]);
        ndcli.args(words).env("NDCLI_SERVER", server.url.to_string()).env("NDCLI_TOKEN", token);
        run(ndcli, stdin)
    };
    let created = ndcli(&session, &["auth", "token", "create", "--name", "ci", "--scope", "ro"], "");
    let token = secret(&created.out, "ndpat_");
    let validate = |access| {
        ndcli(&service, &["validate", "--secret-stdin", "--org", "ops", "--access", access], &token).code
    };
    assert_eq!((validate("ro"), validate("rw")), (0, 1));
    drop(server);
    let silent = crate::installation::ReservedPort::new().address.to_string();
    let gone = run(container.ndauthd(&[("NDAUTHD_ADMIN_LISTEN", &silent)], &["health"]), "");
    assert_eq!(gone.code, 6, "{gone:?}");
}

/// The image's files may be read-only: the data is in the volume, and temporary files in memory.
#[test]
fn the_image_serves_on_a_read_only_root() {
    let container = Container::of("oci-archive", "_image.oci.tar");
    let mounted = container.buildah(&["mount", &container.name]).out.trim_end().to_owned();
    let script = "mount --bind \"$0\" \"$0\" && mount --bind \"$1\" \"$0/var/lib/ndauth\" && mount -o remount,bind,ro \"$0\" \
                  && shift && exec chroot --userspec=65532:65532 \"$0\" \"$@\"";
    let mut serve = command(&["unshare", "--mount", "sh", "-c", script, &mounted]);
    serve.arg(&container.data).args(["/usr/bin/ndauthd", "serve"]);
    serve
        .env("NDAUTHD_LISTEN", "127.0.0.1:0")
        .env("NDAUTHD_ADMIN_LISTEN", "127.0.0.1:0")
        .env("NDAUTHD_LOG_FORMAT", "json");
    let server = Running::start(serve);
    assert_eq!(server.get("/readyz"), (200, "ready\n".to_owned()));
    let database = container.data.join("ndauth.db");
    assert!(database.exists());
    server.signal(Signal::TERM);
    assert!(server.ended().success());
}
