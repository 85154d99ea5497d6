//! The examples in other languages, with their own gRPC clients.

use std::path::{Path, PathBuf};
use std::process::Command;

use ndauth_core::Secret;

use crate::installation::{Ended, Installation, Running, run, test_path};
use crate::on_both;
use crate::requests::{new_token, revoke};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the command of the Python example, with stubs generated here.
fn python(at: &Installation) -> Command {
    let (python, proto, stubs) =
        (test_path("NDAUTH_TEST_PYTHON"), root().join("proto"), at.home().join("stubs"));
    std::fs::create_dir_all(&stubs).expect("a folder");
    let mut generate = Command::new(&python);
    generate.args(["-m", "grpc_tools.protoc"]).arg("-I").arg(&proto);
    generate.arg(format!("--python_out={}", stubs.display()));
    generate.arg(format!("--grpc_python_out={}", stubs.display()));
    for folder in ["google/api", "ndauth/v1"] {
        for file in std::fs::read_dir(proto.join(folder)).expect("a folder") {
            generate.arg(file.expect("a file").path());
        }
    }
    let ended = run(generate, "");
    assert_eq!(ended.code, 0, "{ended:?}");
    let mut command = Command::new(python);
    command.arg(root().join("docs/examples/python/validate.py")).env("PYTHONPATH", stubs);
    command
}

/// Returns the command of the Node example, beside its packages.
fn node(at: &Installation) -> Command {
    let folder = at.home().join("node");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::copy(root().join("docs/examples/node/validate.mjs"), folder.join("validate.mjs"))
        .expect("copied");
    let packages = folder.join("node_modules");
    std::os::unix::fs::symlink(test_path("NDAUTH_TEST_NODE_MODULES"), packages).expect("linked");
    let mut command = Command::new("node");
    command.arg(folder.join("validate.mjs")).arg(root().join("proto"));
    command
}

/// Validates a token as the example's users would.
fn ask(command: &mut Command, server: &Running, service: &Secret, permission: &str, token: &str) -> Ended {
    let address = server.url.to_string();
    let words = [address.trim_start_matches("http://"), "ops", permission];
    let mut asked = Command::new(command.get_program());
    asked.args(command.get_args()).args(words).env("NDAUTH_SERVICE_SECRET", service.expose());
    asked.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    run(asked, token)
}

on_both! {
    async fn any_language_can_ask(at: &Installation) {
        at.people();
        let server = at.serve();
        let service = at.service();
        let owner = server.client(&at.session()).await;
        let token = owner.create_token(new_token("ci")).await.expect("made").secret;
        let mut examples = [python(at), node(at)];
        for example in &mut examples {
            let allowed = ask(example, &server, &service, "write:assets", &token);
            assert_eq!((allowed.code, allowed.out.as_str()), (0, "allowed: ci of ada\n"), "{allowed:?}");
            let refused = ask(example, &server, &service, "approve:assets:logo", &token);
            assert!(refused.code == 1 && refused.out.contains("this needs `ADMIN`"), "{refused:?}");
            let stranger = "ndsvc_9fefK0k0r4f1UgtpuUsNmC6Fu1W2cqhyY3rNdGb8tg4".parse().expect("a secret");
            let undecided = ask(example, &server, &stranger, "write:assets", &token);
            assert_eq!(undecided.code, 6, "that a service may not ask says nothing of the token: {undecided:?}");
        }
        owner.revoke_token(revoke("ci")).await.expect("revoked");
        for example in &mut examples {
            let dead = ask(example, &server, &service, "write:assets", &token);
            assert!(dead.code == 1 && dead.out.contains("the token was revoked"), "{dead:?}");
        }
    }
}
