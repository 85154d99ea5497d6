//! The system packages that a job needs: a table of them, the check for missing ones, and their installation
//! by `apt-get`. Tools from the registries of Rust, Python and Node belong to `tools`.

use std::io::{IsTerminal, stdin};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use anyhow::{anyhow, bail, ensure};
use rustix::process::geteuid;

use crate::cargo::{command, run, search_path};
use crate::postgres;

/// A command of xtask that needs packages. Each job also needs the packages of the jobs before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) enum Job {
    Demo,
    Bench,
    Test,
}

/// A row of the table: programs that a job needs.
struct Prerequisite {
    /// The first job that needs them.
    from: Job,
    name: &'static str,
    purpose: &'static str,
    sign: Sign,
    /// The names of the Debian packages.
    packages: &'static [&'static str],
}

/// The test for a met prerequisite.
enum Sign {
    /// Each program is on the search path, or exists at its absolute path.
    Programs(&'static [&'static str]),
    Check(fn() -> bool),
}

use Job::{Bench, Demo, Test};
use Sign::{Check, Programs};

const PREREQUISITES: [Prerequisite; 24] = [
    Prerequisite {
        from: Demo,
        name: "a C compiler",
        purpose: "links programs, and compiles SQLite",
        sign: Programs(&["cc"]),
        packages: &["gcc", "libc6-dev"],
    },
    Prerequisite {
        from: Bench,
        name: "PostgreSQL's programs",
        purpose: "run throw-away clusters",
        sign: Check(|| postgres::programs().is_ok()),
        packages: &["postgresql"],
    },
    Prerequisite {
        from: Bench,
        name: "setpriv, setsid, taskset, unshare, nsenter and flock",
        purpose: "start a process as another user, in its own session, on one core, on a small disk or alone",
        sign: Programs(&["setpriv", "setsid", "taskset", "unshare", "nsenter", "flock"]),
        packages: &["util-linux"],
    },
    Prerequisite {
        from: Bench,
        name: "Node",
        purpose: "runs the clients that are written in JavaScript, and the baseline of introspection",
        sign: Programs(&["node"]),
        packages: &["nodejs"],
    },
    Prerequisite {
        from: Bench,
        name: "npm",
        purpose: "installs their packages",
        sign: Programs(&["npm"]),
        packages: &["npm"],
    },
    Prerequisite {
        from: Test,
        name: "bash",
        purpose: "runs the commands that the documents show",
        sign: Programs(&["bash"]),
        packages: &["bash"],
    },
    Prerequisite {
        from: Test,
        name: "script",
        purpose: "gives ndcli a terminal",
        sign: Programs(&["script"]),
        packages: &["bsdutils"],
    },
    Prerequisite {
        from: Test,
        name: "curl",
        purpose: "sends the requests that the documents show",
        sign: Programs(&["curl"]),
        packages: &["curl"],
    },
    Prerequisite {
        from: Test,
        name: "psql",
        purpose: "promotes a standby as the runbook shows",
        sign: Programs(&["psql"]),
        packages: &["postgresql-client"],
    },
    Prerequisite {
        from: Test,
        name: "openssl",
        purpose: "shows a certificate as the runbook does",
        sign: Programs(&["openssl"]),
        packages: &["openssl"],
    },
    Prerequisite {
        from: Test,
        name: "strace",
        purpose: "shows which writes reach the disk",
        sign: Programs(&["strace"]),
        packages: &["strace"],
    },
    Prerequisite {
        from: Test,
        name: "mount and umount",
        purpose: "give a test a file system of its own",
        sign: Programs(&["mount", "umount"]),
        packages: &["mount"],
    },
    Prerequisite {
        from: Test,
        name: "Chromium",
        purpose: "opens the pages",
        // The path from which the tests start it.
        sign: Programs(&["/usr/bin/chromium"]),
        packages: &["chromium"],
    },
    Prerequisite {
        from: Test,
        name: "Chromium's driver",
        purpose: "types and clicks for the tests of the pages",
        sign: Programs(&["/usr/bin/chromedriver"]),
        packages: &["chromium-driver"],
    },
    Prerequisite {
        from: Test,
        name: "Java",
        purpose: "runs the validator of the pages' HTML",
        sign: Programs(&["java"]),
        packages: &["default-jre-headless"],
    },
    Prerequisite {
        from: Test,
        name: "Python with venv",
        purpose: "runs the clients in Python, the scripts at the browser, grpcurl and buf",
        sign: Check(has_python_venv),
        packages: &["python3-venv"],
    },
    Prerequisite {
        from: Test,
        name: "debhelper and dpkg-buildpackage",
        purpose: "make the Debian packages",
        sign: Programs(&["dh", "dpkg-buildpackage", "dpkg-deb"]),
        packages: &["debhelper", "dpkg-dev"],
    },
    Prerequisite {
        from: Test,
        name: "strip",
        purpose: "leaves debug information out of what is packaged",
        sign: Programs(&["strip"]),
        packages: &["binutils"],
    },
    Prerequisite {
        from: Test,
        name: "git",
        purpose: "tells the commit that is packaged",
        sign: Programs(&["git"]),
        packages: &["git"],
    },
    Prerequisite {
        from: Test,
        name: "direnv",
        purpose: "loads the variables of a folder",
        sign: Programs(&["direnv"]),
        packages: &["direnv"],
    },
    Prerequisite {
        from: Test,
        name: "lintian",
        purpose: "checks the Debian packages",
        sign: Programs(&["lintian"]),
        packages: &["lintian"],
    },
    Prerequisite {
        from: Test,
        name: "mmdebstrap",
        purpose: "makes a Debian system, in which the packages are installed",
        sign: Programs(&["mmdebstrap"]),
        packages: &["mmdebstrap"],
    },
    Prerequisite {
        from: Test,
        name: "buildah",
        purpose: "makes and runs the image",
        sign: Programs(&["buildah"]),
        packages: &["buildah"],
    },
    Prerequisite {
        from: Test,
        name: "Ruby",
        purpose: "checks Homebrew's formula",
        sign: Programs(&["ruby", "rubocop"]),
        packages: &["ruby", "rubocop"],
    },
];

/// Installs the missing packages of a job. If this process cannot, the error names the commands to run.
pub(crate) fn provide(job: Job) -> anyhow::Result<()> {
    let lacking = missing(job);
    if lacking.is_empty() {
        return Ok(());
    }
    eprintln!("{}", report(&lacking));
    let Some(prefix) = root_prefix() else { bail!("packages are missing\n{}", hint(&lacking)) };
    for words in commands(prefix, &lacking) {
        let (program, arguments) = words.split_first().expect("a command has a program");
        run(command(program, arguments)).map_err(|error| anyhow!("{error:#}\n{}", hint(&lacking)))?;
    }
    let left = missing(job);
    ensure!(left.is_empty(), "the packages are installed, and this is still missing:\n{}", list(&left));
    Ok(())
}

fn prerequisites(job: Job) -> impl Iterator<Item = &'static Prerequisite> {
    PREREQUISITES.iter().filter(move |need| need.from <= job)
}

fn missing(job: Job) -> Vec<&'static Prerequisite> {
    let met = |need: &Prerequisite| match need.sign {
        Programs(programs) => programs.iter().all(|program| is_there(program)),
        Check(check) => check(),
    };
    prerequisites(job).filter(|need| !met(need)).collect()
}

fn is_there(program: &str) -> bool {
    // Joining an absolute path replaces the folder.
    search_path().iter().any(|folder| {
        let file = folder.join(program).metadata();
        file.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    })
}

/// Returns true if `python3 -m venv` works: Debian packages its requirements separately.
fn has_python_venv() -> bool {
    succeeds("python3", &["-c", "import ensurepip, venv"])
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let status = command(program, arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Returns the words to put before a command so that root runs it, or `None` if this process cannot install
/// packages.
fn root_prefix() -> Option<&'static [&'static str]> {
    if !is_there("apt-get") {
        None
    } else if geteuid().is_root() {
        Some(&[])
    } else if is_there("sudo") && (stdin().is_terminal() || succeeds("sudo", &["-n", "true"])) {
        Some(&["sudo"])
    } else {
        None
    }
}

/// Returns the commands that install the missing packages.
fn commands<'a>(prefix: &[&'a str], lacking: &[&'a Prerequisite]) -> [Vec<&'a str>; 2] {
    let packages = lacking.iter().flat_map(|need| need.packages);
    let install = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes"];
    let install = install.iter().chain(&["--no-install-recommends"]).chain(packages);
    let update = ["apt-get", "update"];
    [prefix.iter().chain(&update).copied().collect(), prefix.iter().chain(install).copied().collect()]
}

fn report(lacking: &[&Prerequisite]) -> String {
    format!("This needs programs that are not installed:\n{}", list(lacking))
}

/// Returns one line for each prerequisite.
fn list(lacking: &[&Prerequisite]) -> String {
    let line = |need: &&Prerequisite| {
        format!("  {}: {} (Debian: {})", need.name, need.purpose, need.packages.join(", "))
    };
    lacking.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn hint(lacking: &[&Prerequisite]) -> String {
    let [update, install] = commands(&[], lacking).map(|words| words.join(" "));
    format!(
        "hint: on Debian, run these commands as root; on another system, install the equivalents:\n\n    \
         {update}\n    {install}"
    )
}

#[cfg(test)]
mod tests;
