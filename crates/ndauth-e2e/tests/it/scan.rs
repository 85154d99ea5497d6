//! `ndcli scan`, on trees and in git, and the rules for other scanners. No server runs.

mod third_parties;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use expect_test::expect;
use ndauth_core::{Secret, SecretKind};
use rand::rngs::SysRng;
use rustix::process::geteuid;
use serde_json::Value;
use tempfile::TempDir;

use crate::cli::json;
use crate::documents::root;
use crate::installation::{Ended, path, run, test_path};

/// A folder with some secret of each kind, which are on no line of this file.
struct Tree {
    folder: TempDir,
}

fn secret(kind: SecretKind) -> String {
    Secret::mint(kind, &mut SysRng).expect("drawn").expose().to_owned()
}

impl Tree {
    fn new() -> Tree {
        let tree = Tree { folder: tempfile::tempdir().expect("a folder") };
        // Everybody may enter it.
        fs::set_permissions(tree.path(), fs::Permissions::from_mode(0o755)).expect("set");
        tree
    }

    fn with_git() -> Tree {
        let tree = Tree::new();
        tree.git(&["init", "--quiet", "--initial-branch=main"]);
        tree
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        let file = self.path().join(file);
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::write(file, text).expect("written");
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path())
            .env_clear()
            .env("PATH", path())
            .env("HOME", self.path().join("home"));
        for (name, value) in [("NAME", "Ada"), ("EMAIL", "ada@example.org")] {
            command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
        }
        command
    }

    fn git(&self, arguments: &[&str]) -> Ended {
        let ended = self.try_git(arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {ended:?}");
        ended
    }

    fn try_git(&self, arguments: &[&str]) -> Ended {
        let mut git = self.command("git");
        git.args(arguments);
        run(git, "")
    }

    fn scan(&self, arguments: &[&str]) -> Ended {
        let mut scan = self.command(test_path("NDAUTH_TEST_NDCLI"));
        scan.arg("scan").args(arguments);
        run(scan, "")
    }

    /// Returns the places that a search lists, sorted.
    #[track_caller]
    fn found(&self, arguments: &[&str]) -> Vec<String> {
        let ended = self.scan(&[arguments, &["-f", "json"]].concat());
        let report: Value = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{ended:?}"));
        let leaks = report["leaks"].as_array().expect("leaks");
        assert_eq!(ended.code, i32::from(!leaks.is_empty()), "{ended:?}");
        let place = |leak: &Value| {
            format!("{}:{}:{}", leak["file"].as_str().expect("a file"), leak["line"], leak["column"])
        };
        leaks.iter().map(place).collect()
    }
}

#[test]
fn a_tree_is_searched_as_grep_does() {
    let tree = Tree::new();
    let personal = secret(SecretKind::Personal);
    for (number, kind) in SecretKind::ALL.into_iter().enumerate() {
        tree.write(&format!("kinds/{number}.txt"), format!("\n  value: {}\n", secret(kind)));
    }
    tree.write(".env", format!("TOKEN={personal}"));
    tree.write("program.bin", [b"\x7fELF\0\0".as_slice(), personal.as_bytes(), b"\0\xff"].concat());
    tree.write("sample.md", "`ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U`, and ndpat_short");
    tree.write("fixture.txt", format!("{personal} # ndauth:allow"));
    // What ignore files name, and what git keeps of its own.
    tree.write(".gitignore", "build/\n*.log\n");
    tree.write("build/out.js", &personal);
    tree.write("deep/debug.log", &personal);
    tree.write(".git/config", &personal);
    tree.write("deep/.ndauthignore", "/samples/*\n!/samples/real.txt\n");
    tree.write("deep/samples/a.txt", &personal);
    tree.write("deep/samples/real.txt", &personal);
    tree.write("deep/.ignore", "other.txt\n");
    tree.write("deep/other.txt", &personal);
    // A link leads out of the tree, or in a circle.
    let outside = Tree::new();
    outside.write("secret.txt", &personal);
    symlink(outside.path(), tree.path().join("outside")).expect("linked");
    symlink(outside.path().join("secret.txt"), tree.path().join("outside.txt")).expect("linked");
    symlink(tree.path(), tree.path().join("deep/circle")).expect("linked");

    let kinds = (0..6).map(|number| format!("kinds/{number}.txt:2:10"));
    let own = [".env:1:7", "deep/samples/real.txt:1:1"].map(str::to_owned);
    let expected: Vec<String> = own.into_iter().chain(kinds).chain(["program.bin:1:7".to_owned()]).collect();
    assert_eq!(tree.found(&[]), expected);
    assert_eq!(tree.found(&["deep"]), ["deep/samples/real.txt:1:1"]);
    // A file that is named is searched whatever git ignores, but for those exempt; so is the target of a link.
    assert_eq!(tree.found(&["build/out.js", "deep/samples/a.txt"]), ["build/out.js:1:1"]);
    assert_eq!(tree.found(&["outside.txt", "outside"]).len(), 2);
    // Nothing is read beyond the tree, and nothing is said of the secrets but their prefixes.
    let ended = tree.scan(&[]);
    assert!(!format!("{}{}", ended.out, ended.err).contains(&personal[12..]), "{ended:?}");
    assert_eq!(ended.out.matches("ndpat_").count() + ended.out.matches("ndacc_").count(), 5, "{}", ended.out);

    let clean = tree.scan(&["sample.md", "fixture.txt"]);
    assert_eq!((clean.code, clean.out.as_str(), clean.err.as_str()), (0, "", "no secrets in 2 files\n"));
    let missing = tree.scan(&["sample.md", "typo"]);
    assert_eq!(missing.code, 2, "{missing:?}");
    assert_eq!(
        missing.err,
        "error: there is no file or folder `typo`\nhint: name files or folders that exist\n"
    );
    let mut piped = tree.command(test_path("NDAUTH_TEST_NDCLI"));
    piped.args(["scan", "-"]);
    assert_eq!(run(piped, &format!("+{personal}\n")).code, 1);
}

#[test]
fn the_output_has_places_kinds_and_prefixes() {
    let tree = Tree::new();
    tree.write("a.yml", format!("key: {}\n", secret(SecretKind::Service)));
    let name = secret(SecretKind::Personal);
    tree.write(&format!("{name}.txt"), format!("\n{}", secret(SecretKind::Org)));
    for format in ["table", "simple", "detailed"] {
        let ended = tree.scan(&["-f", format]);
        assert_eq!(ended.code, 1);
        let all = format!("{}{}", ended.out, ended.err);
        assert!(!all.contains(&name[12..]), "not in the name of a file either: {all}");
        assert!(all.contains("a.yml") && all.contains("service") && all.contains("org token"), "{all}");
        assert!(all.ends_with("hint: if one was shared, end it: `ndcli auth token leaked --secret-stdin`; a sample needs `ndauth:allow` on its line\n"), "{all}");
    }
    let report = tree.scan(&["-f", "json", "a.yml"]);
    let report: Value = serde_json::from_str(&report.out).expect("JSON");
    let mut leak = report["leaks"][0].clone();
    assert_eq!(leak["prefix"].as_str().map(str::len), Some(12));
    leak["prefix"] = "ndsvc_xxxxxx".into();
    expect![[r#"{"file":"a.yml","line":1,"column":6,"kind":"SERVICE","prefix":"ndsvc_xxxxxx"}"#]]
        .assert_eq(&leak.to_string());
    assert_eq!(
        (&report["files"], &report["more"], &report["unread"]),
        (&1.into(), &0.into(), &Value::Array(Vec::new()))
    );
}

/// What cannot be read is not called clean.
#[test]
fn an_unreadable_file_is_reported() {
    let tree = Tree::new();
    tree.write("open.txt", "nothing");
    tree.write("closed.txt", "nothing known");
    tree.write("folder/inner.txt", "nothing known");
    for (name, mode) in [("closed.txt", 0o000), ("folder", 0o000)] {
        fs::set_permissions(tree.path().join(name), fs::Permissions::from_mode(mode)).expect("set");
    }
    let scan = |arguments: &[&str]| {
        let mut scan = tree.command(test_path("NDAUTH_TEST_NDCLI"));
        scan.arg("scan").args(arguments);
        if geteuid().is_root() {
            // Root may read everything, so somebody else asks.
            scan.uid(65534).gid(65534);
        }
        run(scan, "")
    };
    let ended = scan(&[]);
    assert_eq!(ended.code, 6, "{ended:?}");
    assert_eq!(ended.out, "");
    for line in [
        "warning: closed.txt was not searched: Permission denied (os error 13)",
        "warning: folder was not searched: Permission denied (os error 13)",
        "error: no secrets in 1 file, and 2 could not be searched",
    ] {
        assert!(ended.err.lines().any(|found| found == line), "{line}: {}", ended.err);
    }
    let listed = scan(&["-f", "json", "closed.txt"]);
    assert_eq!(listed.code, 6, "{listed:?}");
    let listed: Value = serde_json::from_str(&listed.out).expect("JSON");
    assert_eq!(listed["unread"][0]["file"], "closed.txt");
    // A secret counts more than what is not known.
    tree.write("open.txt", secret(SecretKind::Personal));
    let ended = scan(&[]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("closed.txt was not searched"), "{ended:?}");
    fs::set_permissions(tree.path().join("folder"), fs::Permissions::from_mode(0o755)).expect("set");
}

/// A large file takes no more memory than a small one, and hides nothing at its end.
#[test]
fn a_large_file_is_streamed() {
    let tree = Tree::new();
    let file = fs::File::create(tree.path().join("large.img")).expect("made");
    file.set_len(200 * 1024 * 1024).expect("a sparse file");
    drop(file);
    let mut text = fs::OpenOptions::new().append(true).open(tree.path().join("large.img")).expect("opened");
    std::io::Write::write_all(&mut text, format!("\n{}", secret(SecretKind::Access)).as_bytes())
        .expect("written");
    // The address space is a hundred megabytes, so that the file does not fit in.
    let mut scan = tree.command("prlimit");
    scan.arg("--as=104857600").arg(test_path("NDAUTH_TEST_NDCLI")).args(["scan", "-f", "simple"]);
    let ended = run(scan, "");
    assert!(
        ended.code == 1 && ended.out.starts_with("large.img:2:1: short-lived access [ndacc_"),
        "{ended:?}"
    );
}

/// What is staged is searched, and not what lies in the work tree.
#[test]
fn the_index_is_searched_and_not_the_work_tree() {
    let tree = Tree::with_git();
    let personal = secret(SecretKind::Personal);
    tree.write("staged.txt", format!("a\nb {personal}\n"));
    tree.write("clean.txt", "clean");
    tree.write("with space/ünï\n.txt", format!("{personal}\n"));
    tree.write(".gitignore", ".env\n");
    tree.write(".env", &personal);
    tree.git(&["add", "."]);
    // There is no commit yet. The work tree says the opposite of the index.
    tree.write("staged.txt", "clean");
    tree.write("clean.txt", &personal);
    let odd = "with space/ünï\n.txt:1:1";
    assert_eq!(tree.found(&["--staged"]), ["staged.txt:2:3", odd]);
    assert_eq!(tree.found(&["--staged", "clean.txt"]), Vec::<String>::new());
    assert_eq!(tree.found(&["--staged", "staged.txt"]), ["staged.txt:2:3"]);
    tree.git(&["add", "staged.txt", "clean.txt"]);
    assert_eq!(tree.found(&["--staged"]), ["clean.txt:1:1", odd]);
    // What git ignores and somebody adds all the same is staged.
    tree.git(&["rm", "--quiet", "--cached", "-r", "with space", "clean.txt"]);
    tree.git(&["add", "--force", ".env"]);
    assert_eq!(tree.found(&["--staged"]), [".env:1:1"]);
    tree.git(&["commit", "--quiet", "--message=first"]);
    assert_eq!(tree.found(&["--staged"]), Vec::<String>::new(), "it is committed already");

    // Renamed, changed, deleted, of another type, and exempt by the index's own file.
    tree.git(&["mv", ".env", "moved.env"]);
    symlink("moved.env", tree.path().join("link")).expect("linked");
    tree.write("samples/a.txt", &personal);
    tree.git(&["add", "link", "samples"]);
    assert_eq!(tree.found(&["--staged"]), ["moved.env:1:1", "samples/a.txt:1:1"]);
    tree.write("samples/.ndauthignore", "a.txt\n");
    assert_eq!(tree.found(&["--staged"]).len(), 2, "that file is not staged");
    tree.git(&["add", "samples"]);
    assert_eq!(tree.found(&["--staged"]), ["moved.env:1:1"]);
    tree.git(&["rm", "--quiet", "--force", "moved.env"]);
    assert_eq!(tree.found(&["--staged"]), Vec::<String>::new());
    // From a folder within, all that is staged is searched; a path is that of the folder.
    tree.write("deep/a.txt", &personal);
    tree.git(&["add", "deep"]);
    let within = |arguments: &[&str]| {
        let mut scan = tree.command(test_path("NDAUTH_TEST_NDCLI"));
        scan.current_dir(tree.path().join("deep")).arg("scan").args(arguments);
        run(scan, "")
    };
    assert!(within(&["--staged"]).out.contains("deep/a.txt:1:1"));
    assert_eq!(within(&["--staged", "a.txt"]).code, 1);
    assert_eq!(json(&within(&["--staged", "none.txt", "-f", "json"]))["files"], 0);
}

/// A commit of a part of the changes has an index of its own, which git names to its hooks.
#[test]
fn a_hook_keeps_a_secret_out_of_the_history() {
    let tree = Tree::with_git();
    let hook = tree.path().join(".git/hooks/pre-commit");
    // As `docs/leaks.md` shows it.
    fs::write(&hook, "#!/bin/sh\nexec ndcli scan --staged\n").expect("written");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("set");
    tree.write("a.txt", "clean\n");
    tree.git(&["add", "a.txt"]);
    tree.git(&["commit", "--quiet", "--message=clean"]);
    tree.write("a.txt", format!("{}\n", secret(SecretKind::Personal)));
    tree.write("b.txt", "clean\n");
    tree.git(&["add", "b.txt"]);
    for (arguments, expected) in [
        (["commit", "--message=all", "--all"].as_slice(), 1),
        (&["commit", "--message=named", "a.txt"], 1),
        (&["commit", "--quiet", "--message=rest", "b.txt"], 0),
    ] {
        let ended = tree.try_git(arguments);
        assert_eq!(ended.code, expected, "{arguments:?}: {ended:?}");
        // git shows what a hook prints on standard error.
        assert_eq!(ended.err.contains("a.txt:1:1"), expected == 1, "{ended:?}");
    }
    assert_eq!(tree.git(&["log", "--format=%s"]).out, "rest\nclean\n");
}

#[test]
fn without_git_nothing_is_called_clean() {
    let tree = Tree::new();
    let ended = tree.scan(&["--staged"]);
    assert_eq!(ended.code, 6, "{ended:?}");
    assert!(ended.err.contains("hint: run it in the work tree of a git repository"), "{ended:?}");
    let mut scan = tree.command(test_path("NDAUTH_TEST_NDCLI"));
    scan.args(["scan", "--staged"]).env("PATH", "/nowhere");
    assert_eq!(run(scan, "").code, 6);
    // Contents that git has lost.
    let tree = Tree::with_git();
    tree.write("a.txt", "lost");
    tree.git(&["add", "a.txt"]);
    fs::remove_dir_all(tree.path().join(".git/objects")).expect("removed");
    fs::create_dir_all(tree.path().join(".git/objects")).expect("made");
    let ended = tree.scan(&["--staged"]);
    assert!(ended.code == 6 && ended.err.contains("a.txt was not searched"), "{ended:?}");
}

/// The project's own tree holds samples alone.
#[test]
fn our_own_tree_is_clean() {
    let mut scan = Command::new(test_path("NDAUTH_TEST_NDCLI"));
    let ended = run(
        {
            scan.env_clear().arg("scan").arg(root());
            scan
        },
        "",
    );
    assert_eq!(ended.code, 0, "{ended:?}");
}
