//! The commands and flags that hints, messages and documents name: each is one that there is.
//!
//! `docs/cli.md` lists the existing ones, and another test keeps it up to date. Comments and tests are not
//! checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::cargo::root;
use crate::documents;
use crate::floors::crates;

/// The flags of each command, by the words of the command.
struct Commands(BTreeMap<Vec<String>, BTreeSet<String>>);

/// The commands that a file's standalone flags belong to. A flag must exist on all commands of one verb.
const FLAG_OWNERS: [(&str, &[&str]); 15] = [
    ("ndcli/src/login/browser.rs", &["ndcli auth login"]),
    ("ndcli/src/login/oauth.rs", &["ndcli auth print-access-token", "ndauthd serve"]),
    ("ndcli/src/settings/options.rs", &["ndcli token list", "ndcli org show"]),
    ("ndcli/src/commands/auth/login.rs", &["ndcli auth login"]),
    ("ndcli/src/commands/admin/services.rs", &["ndcli admin service rotation retire"]),
    ("ndcli/src/commands/org.rs", &["ndcli org tokens"]),
    ("ndcli/src/commands/policy.rs", &["ndcli org policy set"]),
    ("ndcli/src/commands/tokens/create.rs", &["ndcli token create"]),
    (
        "ndcli/src/commands/tokens/explain.rs",
        &["ndcli auth token explain", "ndcli token explain", "ndcli auth token create", "ndcli token create"],
    ),
    ("ndcli/src/commands/tokens/list.rs", &["ndcli auth token list", "ndcli token list"]),
    ("ndcli/src/commands/tokens/mint.rs", &["ndcli auth token create", "ndcli token create"]),
    ("ndcli/src/commands/tokens/renew.rs", &["ndcli auth token renew", "ndcli token renew"]),
    ("ndcli/src/commands/tokens/revoke.rs", &["ndcli auth token revoke", "ndcli token revoke"]),
    (
        "ndcli/src/commands/tokens/rotate.rs",
        &["ndcli auth token rotation retire", "ndcli token rotation retire"],
    ),
    ("ndcli/src/commands/tokens/sink.rs", &["ndcli auth token create", "ndcli token create"]),
];

impl Commands {
    /// Reads the commands from the reference in `docs/cli.md`.
    fn read(reference: &str) -> Commands {
        let mut commands = BTreeMap::<Vec<String>, BTreeSet<String>>::new();
        let mut open = None;
        for line in reference.lines() {
            let heading = line.trim_start_matches('#').trim();
            if line.starts_with("##") {
                open = heading.starts_with("nd").then(|| words(heading));
                if let Some(command) = &open {
                    commands.entry(command.clone()).or_default();
                }
            } else if let (Some(command), Some(item)) = (&open, line.strip_prefix("- `")) {
                let form = item.split('`').next().unwrap_or_default();
                let flags = form.split([' ', ',']).filter(|word| word.starts_with('-')).map(str::to_owned);
                commands.entry(command.clone()).or_default().extend(flags);
            }
        }
        Commands(commands)
    }

    /// Returns true if the command has the flag: its own, one of every command, or one that clap adds.
    fn has(&self, command: &[String], flag: &str) -> bool {
        let binary = &command[..1];
        let given = ["--help", "--version"].contains(&flag);
        given
            || [command, binary]
                .into_iter()
                .any(|of| self.0.get(of).is_some_and(|flags| flags.contains(flag)))
    }

    /// Returns the error in a text that a file names, if there is one.
    fn wrong(&self, file: &str, named: &Named) -> Option<String> {
        let (Named::Quoted(text) | Named::Flag(text)) = named;
        let words = words(text);
        let flags = flags(&words);
        if let Named::Flag(_) = named {
            let exists = |flag: &&str| self.0.values().any(|flags| flags.contains(*flag));
            let flag = flags.into_iter().find(|flag| !exists(flag))?;
            return Some(format!("no command has `{flag}`"));
        }
        let first = words.first()?.as_str();
        if ["ndcli", "ndauthd"].contains(&first) {
            self.wrong_command(&words, &flags)
        } else if first.starts_with(['-', '{']) {
            // `{}` stands for a command that is written elsewhere.
            let row = FLAG_OWNERS.iter().find(|(of, _)| *of == file);
            let meant: Vec<_> =
                row.into_iter().flat_map(|(_, meant)| *meant).map(|of| self::words(of)).collect();
            flags.into_iter().find_map(|flag| self.wrong_alone(file, flag, &meant))
        } else {
            let is_meant = |command: &&Vec<String>| command.last().is_some_and(|verb| verb == first);
            let meant: Vec<_> = self.0.keys().filter(is_meant).collect();
            // Other programs have flags, too.
            let flag = flags
                .into_iter()
                .find(|flag| !meant.is_empty() && !meant.iter().any(|command| self.has(command, flag)))?;
            Some(format!("no `{first}` has `{flag}`"))
        }
    }

    /// Returns the error in a whole command line.
    fn wrong_command(&self, words: &[String], flags: &[&str]) -> Option<String> {
        let known = (1..=words.len()).rev().find(|length| self.0.contains_key(&words[..*length]))?;
        let (command, rest) = words.split_at(known);
        let has_more = self.0.keys().any(|other| other.len() > known && other.starts_with(command));
        let is_word = |word: &&String| has_more && word.chars().all(|c| c.is_ascii_lowercase());
        if let Some(word) = rest.first().filter(is_word).filter(|word| *word != "help") {
            return Some(format!("`{}` has no command `{word}`", command.join(" ")));
        }
        let flag = flags.iter().find(|flag| !self.has(command, flag))?;
        Some(format!("`{}` has no `{flag}`", command.join(" ")))
    }

    /// Returns the error in a flag that is named without its command.
    fn wrong_alone(&self, file: &str, flag: &str, meant: &[Vec<String>]) -> Option<String> {
        // A flag of every command needs no row in `FLAG_OWNERS`.
        if self.has(&["ndcli".to_owned()], flag) {
            return None;
        }
        if meant.is_empty() {
            let is_somewhere = self.0.values().any(|flags| flags.contains(flag));
            let of_the_daemon = is_somewhere && !file.starts_with("ndcli/");
            return (!of_the_daemon)
                .then(|| format!("`{flag}` is a flag of which command? Say so in `FLAG_OWNERS`"));
        }
        let on_each = |verb: Option<&String>| {
            meant.iter().filter(|command| command.last() == verb).all(|command| self.has(command, flag))
        };
        let wrong = !meant.iter().any(|command| on_each(command.last()));
        let meant: Vec<_> = meant.iter().map(|command| command.join(" ")).collect();
        wrong.then(|| format!("`{flag}` is no flag of {}", meant.join(" or ")))
    }
}

/// A text in the sources that names a command or a flag.
enum Named {
    /// A text between backticks.
    Quoted(String),
    /// A string literal that is only a flag.
    Flag(String),
}

/// Returns the flags among some words.
fn flags(words: &[String]) -> Vec<&str> {
    let flags = words.iter().filter_map(|word| {
        let flag = word.trim_end_matches([',', ';', '.']).split('=').next().unwrap_or_default();
        let is_one = flag.strip_prefix("--")?.starts_with(|c: char| c.is_ascii_lowercase());
        is_one.then_some(flag)
    });
    flags.collect()
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Returns the texts of a file that name commands or flags: those between backticks, and literals that are
/// only a flag.
fn named(text: &str) -> Vec<Named> {
    let mut literals = Vec::new();
    gather(text.parse().expect("a file of Rust"), &mut literals);
    let mut named = Vec::new();
    for literal in literals {
        named.extend(literal.split('`').skip(1).step_by(2).map(|text| Named::Quoted(text.to_owned())));
        if literal.len() > 2 && literal.starts_with("--") && !literal.contains(' ') {
            named.push(Named::Flag(literal));
        }
    }
    named
}

/// Collects the string literals among some tokens, without comments and tests.
fn gather(tokens: TokenStream, found: &mut Vec<String>) {
    let mut in_tests = false;
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                let text = group.stream().to_string();
                in_tests |= text.starts_with("cfg (test");
                if !text.starts_with("doc =") {
                    gather(group.stream(), found);
                }
            }
            TokenTree::Group(group) => {
                let is_body = group.delimiter() == Delimiter::Brace;
                if !(is_body && in_tests) {
                    gather(group.stream(), found);
                }
                in_tests &= !is_body;
            }
            TokenTree::Punct(punct) => in_tests &= punct.as_char() != ';',
            TokenTree::Literal(literal) => {
                if let syn::Lit::Str(text) = syn::Lit::new(literal) {
                    found.push(text.value());
                }
            }
            TokenTree::Ident(_) => {}
        }
    }
}

fn reference() -> Commands {
    Commands::read(&fs::read_to_string(root().join("docs/cli.md")).expect("the reference"))
}

#[test]
fn unknown_flags_and_commands_are_found() {
    let commands = reference();
    let sink = "ndcli/src/commands/tokens/sink.rs";
    for (text, expected) in [
        ("ndcli auth token create --force", None),
        ("ndcli auth token rotation confirm {}", None),
        ("ndcli token list --org ops -f json --server=x", None),
        ("ndcli config set server URL --profile {name}", None),
        ("create --like NAME", None),
        ("--force", None),
        ("--server", None),
        ("{finish} --token-file", None),
        ("a text of somebody's", None),
        ("ndcli auth token rotate --force", Some("`ndcli auth token rotate` has no `--force`")),
        ("ndcli auth tokne list", Some("`ndcli auth` has no command `tokne`")),
        ("ndauthd admin account invite --no-such", Some("`ndauthd admin account invite` has no `--no-such`")),
        ("rotate --force", Some("no `rotate` has `--force`")),
        ("pg_dump --format=custom", None),
        ("ndcli help environment", None),
        ("--overwrite", Some("`--overwrite` is no flag of ndcli auth token create or ndcli token create")),
    ] {
        let named = Named::Quoted(text.to_owned());
        assert_eq!(commands.wrong(sink, &named).as_deref(), expected, "{text}");
    }
    let alone = |flag: &str| commands.wrong(sink, &Named::Flag(flag.to_owned()));
    assert_eq!((alone("--force"), alone("--no-such")), (None, Some("no command has `--no-such`".to_owned())));
    let elsewhere = commands.wrong("ndcli/src/commands/config.rs", &Named::Quoted("--force".to_owned()));
    assert_eq!(elsewhere.as_deref(), Some("`--force` is a flag of which command? Say so in `FLAG_OWNERS`"));
    let text = "/// Not `--a`.\nfn f() { say(\"do `b \\\n   --c` now\", \"--d\"); }\n#[cfg(test)] mod tests { const X: &str = \"`--e`\"; }";
    let named = named(text);
    assert!(matches!(&named[..], [Named::Quoted(_), Named::Flag(_)]), "{}", named.len());
}

#[test]
fn every_command_and_flag_in_a_hint_exists() {
    let commands = reference();
    let mut wrong = BTreeSet::new();
    for (package, files, _) in crates() {
        if ["xtask", "ndauth-bench", "ndauth-e2e"].contains(&package.as_str()) {
            continue;
        }
        for (path, text) in files.iter().filter(|(path, _)| !path.ends_with(Path::new("tests.rs"))) {
            let file = Path::new(&package).join(path).display().to_string();
            for named in named(text) {
                // A guide names the flags of other tools, and what to type instead.
                if path.ends_with("guide.rs") && matches!(named, Named::Flag(_)) {
                    continue;
                }
                let why = commands.wrong(&file, &named);
                let (Named::Quoted(text) | Named::Flag(text)) = named;
                wrong.extend(why.map(|why| format!("{file}: `{text}`: {why}")));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} are wrong\n\n{}",
        wrong.len(),
        wrong.into_iter().collect::<Vec<_>>().join("\n")
    );
}

/// Returns the command lines that a document names: in its blocks of commands, and between backticks.
fn shown(text: &str) -> Vec<String> {
    let mut shown = Vec::new();
    let mut block = None;
    for line in text.lines() {
        if let Some(language) = line.strip_prefix("```") {
            block = block.is_none().then_some(language);
        } else if block.is_some_and(|language| ["sh", "console", "yaml"].contains(&language)) {
            let starts = ["ndcli ", "ndauthd "].iter().flat_map(|binary| line.match_indices(binary));
            // Not within a path.
            let starts = starts.filter(|(at, _)| !line[..*at].ends_with(|c: char| !" (`".contains(c)));
            let end = ['#', '`', ')', ':'];
            shown.extend(starts.filter_map(|(at, _)| line[at..].split(end).next()).map(str::to_owned));
        }
    }
    let prose: Vec<&str> = documents::prose(text).map(|(_, line)| line).collect();
    shown.extend(prose.join(" ").split('`').skip(1).step_by(2).map(str::to_owned));
    shown.retain(|text| text.starts_with("ndcli ") || text.starts_with("ndauthd "));
    shown
}

#[test]
fn every_command_and_flag_in_a_document_exists() {
    let commands = reference();
    let mut wrong = BTreeSet::new();
    let mut seen = 0;
    for (page, text) in documents::pages() {
        if page.ends_with("cli.md") {
            continue;
        }
        for line in shown(&text) {
            seen += 1;
            let words = words(&line);
            let why = commands.wrong_command(&words, &flags(&words));
            wrong.extend(why.map(|why| format!("{}: `{line}`: {why}", page.display())));
        }
    }
    assert!(seen >= 100, "{seen}");
    assert_eq!(wrong, BTreeSet::new());
}
