//! The rules for other scanners in `docs/scanners`, and pre-commit.

use super::*;
use crate::documents::{blocks, read};

/// The texts that a rule is judged by, each with the number of secrets in it.
fn cases() -> Vec<(String, usize)> {
    let mut cases: Vec<(String, usize)> =
        SecretKind::ALL.map(|kind| (format!("key = \"{}\"", secret(kind)), 1)).into();
    let personal = secret(SecretKind::Personal);
    let page = read("docs/token-format.md");
    let (_, vectors) = page.split_once("## Test vectors").expect("the vectors");
    // Published samples, and strings that are no secrets.
    cases.extend(vectors.lines().map(|line| (line.to_owned(), 0)));
    cases.extend([
        (format!("https://x:{personal}@example.org"), 1),
        (format!("token%3D{personal}&x"), 1),
        (format!("{personal} {}", secret(SecretKind::Org)), 2),
        (personal[..48].to_owned(), 0),
        (format!("{personal}A"), 0),
        (personal.to_uppercase(), 0),
        (personal.replace("ndpat_", "ndxxx_"), 0),
        (format!("{}V", &personal[..48]), 0),
        (format!("ndpat_{}", "A".repeat(43)), 0),
        ("nothing at all".to_owned(), 0),
    ]);
    cases
}

/// The plugin runs in detect-secrets itself, on files.
#[test]
fn detect_secrets_finds_every_kind_with_the_plugin() {
    let tree = Tree::new();
    let mut expected = Vec::new();
    for (number, (text, count)) in cases().into_iter().enumerate() {
        let file = format!("case-{number:02}.txt");
        tree.write(&file, format!("\n{text}\n"));
        expected.extend(std::iter::repeat_n((file, 2), count));
    }
    let plugin = root().join("docs/scanners/detect_secrets_ndauth.py");
    let mut scan = tree.command(test_path("NDAUTH_TEST_PYTHON").with_file_name("detect-secrets"));
    scan.args(["scan", "--all-files", "--plugin"]).arg(plugin).arg(".");
    let ended = run(scan, "");
    assert_eq!(ended.code, 0, "{ended:?}");
    let report: Value = serde_json::from_str(&ended.out).expect("JSON");
    let mut found = Vec::new();
    for (file, secrets) in report["results"].as_object().expect("results") {
        let secrets = secrets.as_array().expect("secrets").iter();
        for secret in secrets.filter(|secret| secret["type"] == "ndauth Secret") {
            found.push((
                file.trim_start_matches("./").to_owned(),
                secret["line_number"].as_u64().expect("a line"),
            ));
        }
    }
    found.sort();
    assert_eq!(found, expected);
}

/// gitleaks itself cannot be had here. Its file is parsed, and its expression, which is of the syntax that Go and Python
/// share, is applied as gitleaks does: the secret is a group, and the allowed expressions are searched for in it.
#[test]
fn the_rule_for_gitleaks_finds_every_kind() {
    let script = r#"
import json, re, sys, tomllib
with open(sys.argv[1], "rb") as file:
    rules = tomllib.load(file)["rules"]
assert len(rules) == 1 and not set(rules[0]) - {"id", "description", "regex", "secretGroup", "keywords", "allowlists"}
rule = rules[0]
allowed = [re.compile(text) for allowlist in rule["allowlists"] for text in allowlist["regexes"]]
def secrets(text):
    if not any(keyword in text.lower() for keyword in rule["keywords"]):
        return
    for match in re.finditer(rule["regex"], text):
        secret = match.group(rule["secretGroup"])
        if not any(expression.search(secret) for expression in allowed):
            yield secret
print(json.dumps([len(list(secrets(text))) for text in json.load(sys.stdin)]))
"#;
    let cases = cases();
    let mut python = Command::new(test_path("NDAUTH_TEST_PYTHON"));
    python.args(["-c", script]).arg(root().join("docs/scanners/gitleaks.toml"));
    let texts: Vec<&str> = cases.iter().map(|(text, _)| text.as_str()).collect();
    let ended = run(python, &serde_json::to_string(&texts).expect("plain data"));
    assert_eq!(ended.code, 0, "{ended:?}");
    let found: Vec<usize> = serde_json::from_str(&ended.out).expect("numbers");
    for ((text, expected), found) in cases.iter().zip(found) {
        assert_eq!(found, *expected, "{text}");
    }
}

/// pre-commit itself installs the hook that this repository declares, and runs it.
#[test]
fn pre_commit_refuses_a_secret() {
    let hooks = Tree::with_git();
    hooks.write(".pre-commit-hooks.yaml", read(".pre-commit-hooks.yaml"));
    hooks.git(&["add", "."]);
    hooks.git(&["commit", "--quiet", "--message=hooks"]);
    let revision = hooks.git(&["rev-parse", "HEAD"]).out.trim().to_owned();

    let tree = Tree::with_git();
    let page = read("docs/leaks.md");
    let (_, configuration) =
        blocks(&page).find(|(language, _)| *language == "yaml").expect("a configuration");
    let configuration =
        configuration.replace("https://github.com/ndauth/ndauth", &hooks.path().display().to_string());
    let configuration = configuration.replace("v0.1.0", &revision);
    tree.write(".pre-commit-config.yaml", configuration);
    tree.write("clean.txt", "clean\n");
    tree.git(&["add", "."]);
    let pre_commit = test_path("NDAUTH_TEST_PYTHON").with_file_name("pre-commit");
    let run_hooks = |arguments: &[&str]| {
        let mut hook = tree.command(&pre_commit);
        hook.args(arguments);
        run(hook, "")
    };
    let installed = run_hooks(&["install"]);
    assert_eq!(installed.code, 0, "{installed:?}");
    tree.git(&["commit", "--quiet", "--message=clean"]);
    tree.write("leak.txt", format!("{}\n", secret(SecretKind::Personal)));
    tree.git(&["add", "leak.txt"]);
    // pre-commit puts aside what is not staged, so a clean work tree does not hide it.
    tree.write("leak.txt", "clean\n");
    let ended = tree.try_git(&["commit", "--message=leak"]);
    let all = format!("{}{}", ended.out, ended.err);
    assert!(ended.code == 1 && all.contains("leak.txt:1:1"), "{ended:?}");
    assert_eq!(tree.git(&["log", "--format=%s"]).out, "clean\n");
    // In CI, on everything.
    tree.git(&["reset", "--quiet", "--hard"]);
    let ended = run_hooks(&["run", "--all-files"]);
    assert_eq!(ended.code, 0, "{ended:?}");
}
