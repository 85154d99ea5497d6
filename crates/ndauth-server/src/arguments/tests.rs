use ndauth_terminal::help_of;

use super::*;

/// Every command that does something itself, with the words that lead to it.
fn leaves(command: &clap::Command, above: &str, found: &mut Vec<(String, clap::Command)>) {
    let path = format!("{above} {}", command.get_name()).trim().to_owned();
    let mut inner = command.get_subcommands().filter(|inner| inner.get_name() != "help").peekable();
    if inner.peek().is_none() {
        found.push((path.clone(), command.clone()));
    }
    inner.for_each(|inner| leaves(inner, &path, found));
}

fn every_leaf() -> Vec<(String, clap::Command)> {
    let mut command = command(&Layer::default());
    command.build();
    let mut found = Vec::new();
    leaves(&command, "", &mut found);
    found
}

#[test]
fn every_command_has_examples_that_parse() {
    for (path, _) in every_leaf() {
        let lines = help_of(HELP, &path).map(|of| of.lines(&path)).unwrap_or_default();
        assert!(!lines.is_empty(), "`{path}` has no example");
        for line in lines {
            let words = line.split(['<', '>']).next().unwrap_or_default().trim_end().split(' ');
            if let Err(error) = command(&Layer::default()).try_get_matches_from(words) {
                panic!("`{line}`: {error}");
            }
        }
    }
    for of in HELP {
        let used = every_leaf()
            .iter()
            .any(|(path, _)| help_of(HELP, path).is_some_and(|used| used.command == of.command));
        assert!(used, "`{}` is no command", of.command);
    }
}

#[test]
fn a_short_help_of_admin_fits_a_screen() {
    for (path, leaf) in every_leaf().into_iter().filter(|(path, _)| path.contains(" admin ")) {
        let text = leaf.term_width(80).render_help().to_string();
        let most = if path.ends_with(" mail test") { 40 } else { 30 };
        assert!(text.lines().count() <= most, "{path}: {text}");
        assert!(
            !text.contains("--data-folder") && text.ends_with("Global options: `ndauthd -h`\n"),
            "{text}"
        );
    }
}

/// Commands that cannot be undone take `--yes`, and it has no other name.
#[test]
fn yes_is_the_one_word_for_not_asking() {
    for line in [
        "ndauthd admin org delete ops --yes",
        "ndauthd admin operator revoke ada --yes",
        "ndauthd admin service revoke registry --yes",
        "ndauthd admin service rotation retire registry --yes",
        "ndauthd admin token revoke ci --owner ada --yes",
        "ndauthd admin after-restore --not-before 2026-11-21 --yes",
    ] {
        if let Err(error) = command(&Layer::default()).try_get_matches_from(line.split(' ')) {
            panic!("`{line}`: {error}");
        }
    }
}
