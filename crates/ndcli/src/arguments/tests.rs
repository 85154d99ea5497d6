use clap::Command;
use ndauth_terminal::help_of;

use super::*;
use crate::guide::HABITS;

/// Every command that does something itself, with the words that lead to it.
fn leaves(command: &Command, above: &str, found: &mut Vec<(String, Command)>) {
    let path = format!("{above} {}", command.get_name()).trim().to_owned();
    let mut inner = command.get_subcommands().filter(|inner| !inner.is_hide_set()).peekable();
    if inner.peek().is_none() {
        found.push((path.clone(), command.clone()));
    }
    inner.for_each(|inner| leaves(inner, &path, found));
}

fn every_leaf() -> Vec<(String, Command)> {
    let mut command = command(&Configuration::default());
    command.build();
    let mut found = Vec::new();
    leaves(&command, "", &mut found);
    found
}

/// The words of an example, as a shell splits them.
fn words(line: &str) -> Vec<String> {
    let line = line.split(['<', '>']).next().unwrap_or_default();
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn every_command_has_examples_that_parse() {
    for (path, _) in every_leaf() {
        let lines = help_of(HELP, &path).map(|of| of.lines(&path)).unwrap_or_default();
        assert!(!lines.is_empty(), "`{path}` has no example");
        for line in lines {
            let parsed = command(&Configuration::default()).try_get_matches_from(words(&line));
            if let Err(error) = parsed {
                panic!("`{line}`: {error}");
            }
        }
    }
}

#[test]
fn every_help_is_of_a_command() {
    let leaves = every_leaf();
    for of in HELP {
        let used =
            leaves.iter().any(|(path, _)| help_of(HELP, path).is_some_and(|used| used.command == of.command));
        assert!(used, "`{}` is no command", of.command);
    }
}

#[test]
fn a_short_help_fits_a_screen_and_leaves_global_options_out() {
    for (path, leaf) in every_leaf() {
        let text = leaf.term_width(80).render_help().to_string();
        let most = match path.rsplit(' ').next() {
            Some("create") if path.contains(" token ") => 40,
            Some("set") if path.contains(" policy ") => 40,
            _ => 30,
        };
        assert!(text.lines().count() <= most, "{} lines\n{text}", text.lines().count());
        assert!(!text.contains("--plaintext-beyond-loopback"), "{text}");
        assert!(text.contains("Example") && text.ends_with("Global options: `ndcli -h`\n"), "{text}");
    }
    let top = command(&Configuration::default()).term_width(80).render_help().to_string();
    assert!(top.contains("--plaintext-beyond-loopback") && top.contains("Example:"), "{top}");
}

#[test]
fn a_long_help_lists_global_options() {
    for (path, mut leaf) in every_leaf() {
        let text = leaf.render_long_help().to_string();
        assert!(text.contains("--plaintext-beyond-loopback"), "{path}: {text}");
    }
}

#[test]
fn habits_of_other_tools_mean_the_same() {
    for (habit, meant) in [
        ("login --device", "auth login --device"),
        ("logout", "auth logout"),
        ("auth whoami", "whoami"),
        ("auth token rm ci --yes", "auth token revoke ci --yes"),
        ("auth token delete ci", "auth token revoke ci"),
        ("auth token ls -o json", "auth token list -f json"),
        ("token ls --output json --org acme", "token list -f json --org acme"),
        ("auth token create ci --scope rw --ttl 7d", "auth token create --name ci --scope rw --expiry 7d"),
        (
            "auth token create --name ci --scope rw --expires_in 7d -o token",
            "auth token create --name ci --scope rw --expires-in 7d --output token",
        ),
        ("org ls", "org list"),
        ("org member rm ada --org acme", "org member remove ada --org acme"),
        ("auth sessions rm 019f", "auth sessions revoke 019f"),
    ] {
        for line in [habit, meant] {
            let words = std::iter::once("ndcli").chain(line.split(' '));
            if let Err(error) = command(&Configuration::default()).try_get_matches_from(words) {
                panic!("`{line}`: {error}");
            }
        }
    }
}

#[test]
fn what_to_type_instead_exists() {
    let commands: Vec<String> = {
        let mut root = command(&Configuration::default());
        root.build();
        let mut found = Vec::new();
        leaves(&root, "", &mut found);
        found.into_iter().map(|(path, _)| path).collect()
    };
    for habit in HABITS.iter().filter(|habit| habit.instead.starts_with("ndcli")) {
        let known =
            commands.iter().any(|path| format!("{} ", habit.instead).starts_with(&format!("{path} ")));
        assert!(known, "`{}`", habit.instead);
    }
}

#[test]
fn an_org_that_is_missing_is_reported_with_all_else() {
    let missing = |line: &str, configuration: &Configuration| {
        let error = command(configuration).try_get_matches_from(line.split(' ')).err()?;
        match error.get(clap::error::ContextKind::InvalidArg) {
            Some(clap::error::ContextValue::Strings(missing)) => Some(missing.join(" ")),
            _ => Some(error.to_string()),
        }
    };
    let (none, mut some) = (Configuration::default(), Configuration::default());
    some.layer.values.insert("org".to_owned(), "acme".to_owned());
    let create = "ndcli token create";
    assert_eq!(missing(create, &none).as_deref(), Some("--name <NAME> --scope <SCOPE> --org <SLUG>"));
    assert_eq!(missing(create, &some).as_deref(), Some("--name <NAME> --scope <SCOPE>"));
    let offer = "ndcli org offer";
    assert_eq!(missing(offer, &none).as_deref(), Some("--role <ROLE> --org <SLUG> <HANDLE>"));
    for line in
        ["ndcli token list --user", "ndcli token explain", "ndcli org members acme", "ndcli config get org"]
    {
        assert_eq!(missing(line, &none), None, "{line}");
    }
}
