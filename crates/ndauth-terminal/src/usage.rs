//! Command lines that are not understood: what is wrong, and what to type instead.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use ndauth_core::Class;

use crate::environment::plain;
use crate::failure::{Failure, exit_code};
use crate::help::{CommandHelp, help_of};
use crate::output::print;
use crate::text::aside;

/// A habit from another tool: a word that this one does not know, and what to type instead.
pub struct Habit {
    /// The last words of the command that was given the word; empty for any.
    pub command: &'static str,
    /// The word: a command, a flag, or an argument.
    pub word: &'static str,
    /// The words to type instead.
    pub instead: &'static str,
}

/// Reports a command line that is not understood, or prints the help that it asks for. Words of the command
/// line are made safe for the terminal, or the log, before they are repeated.
pub fn usage(
    error: &clap::Error,
    command: &clap::Command,
    help: &[CommandHelp],
    habits: &[Habit],
) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let text = error.render();
        let text =
            if io::stdout().is_terminal() && !plain() { text.ansi().to_string() } else { text.to_string() };
        return print(&text).map_or_else(Failure::report, |()| ExitCode::SUCCESS);
    }
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    match explained(error, &path(error, command, &words), help, habits) {
        Some(failure) => failure.report(),
        None => {
            aside(error.to_string().trim_end());
            ExitCode::from(exit_code(Class::Invalid))
        }
    }
}

/// Returns the mistake and the words to type instead. Returns `None` if clap describes it better.
fn explained(error: &clap::Error, path: &str, help: &[CommandHelp], habits: &[Habit]) -> Option<Failure> {
    let asked = |kind| text(error, kind).into_iter().next();
    let instead = |word: &str| {
        let meant = |of: &&Habit| of.word == word && (of.command.is_empty() || path.ends_with(of.command));
        habits.iter().find(meant).map(|of| of.instead)
    };
    let habit = |word: &str| instead(word).map(|instead| format!("type `{instead}`"));
    let listed = format!("`{path} -h` lists what it takes");
    let (message, hint) = match error.kind() {
        ErrorKind::UnknownArgument => {
            let word = asked(ContextKind::InvalidArg)?;
            let meant = asked(ContextKind::SuggestedArg).or(asked(ContextKind::SuggestedSubcommand));
            let hint = habit(&word).or(meant.map(|meant| format!("did you mean `{meant}`?")));
            (format!("`{path}` does not take `{word}`"), hint.unwrap_or(listed))
        }
        ErrorKind::InvalidSubcommand => {
            let word = asked(ContextKind::InvalidSubcommand)?;
            let meant = asked(ContextKind::SuggestedSubcommand);
            let hint = habit(&word).or(meant.map(|meant| format!("did you mean `{path} {meant}`?")));
            (
                format!("there is no command `{path} {word}`"),
                hint.unwrap_or(format!("`{path} -h` lists its commands")),
            )
        }
        ErrorKind::MissingRequiredArgument => {
            let parts = text(error, ContextKind::InvalidArg);
            let once = parts.iter().find_map(|part| instead(part));
            let missing: Vec<String> = parts.iter().map(|part| named(part)).collect();
            let (last, first) = missing.split_last()?;
            let missing =
                if first.is_empty() { last.clone() } else { format!("{} and {last}", first.join(", ")) };
            let examples = help_of(help, path).map(|of| of.lines(path)).unwrap_or_default();
            let flags: Vec<&str> = parts
                .iter()
                .filter_map(|part| part.split(' ').next())
                .filter(|of| of.starts_with("--"))
                .collect();
            // The one that has what is missing, where there is one.
            let with = |line: &&String| flags.iter().all(|flag| line.contains(flag));
            let example = examples.iter().find(with).or(examples.first()).cloned();
            let hint = example.map_or(listed, |line| format!("for example: `{line}`"));
            let hint = once.map_or(hint.clone(), |once| format!("{hint}, or first `{once}`"));
            (format!("`{path}` needs {missing}"), hint)
        }
        ErrorKind::InvalidValue => {
            let (argument, value) = (asked(ContextKind::InvalidArg)?, asked(ContextKind::InvalidValue)?);
            let valid = text(error, ContextKind::ValidValue).join(", ");
            let meant = asked(ContextKind::SuggestedValue).map(|meant| format!("did you mean `{meant}`?"));
            let message = match value.as_str() {
                "" => format!("`{argument}` needs a value"),
                value => format!("`{argument}` cannot be `{value}`"),
            };
            let hint = habit(&value).or(meant);
            (message, hint.unwrap_or(if valid.is_empty() { listed } else { format!("it is one of {valid}") }))
        }
        ErrorKind::ValueValidation => {
            let (argument, value) = (asked(ContextKind::InvalidArg)?, asked(ContextKind::InvalidValue)?);
            let why = std::error::Error::source(error)?.to_string();
            // A parser may know what to type instead.
            let (why, hint) = match why.split_once("\nhint: ") {
                Some((why, hint)) => (why.to_owned(), hint.to_owned()),
                None => (why, format!("`{path} --help` says more")),
            };
            let message = match why.contains(&format!("`{value}`")) {
                true => format!("`{argument}`: {why}"),
                false => format!("`{argument}` cannot be `{value}`: {why}"),
            };
            (message, hint)
        }
        ErrorKind::ArgumentConflict => {
            let argument = asked(ContextKind::InvalidArg)?;
            let prior = text(error, ContextKind::PriorArg).join("`, `");
            if prior.is_empty() || prior == argument {
                return None;
            }
            (
                format!("`{argument}` and `{prior}` cannot be used together"),
                "leave one of them out".to_owned(),
            )
        }
        _ => return None,
    };
    Some(Failure::usage(message, hint))
}

/// The command that was given, such as `ndcli auth token create`.
fn path(error: &clap::Error, command: &clap::Command, words: &[String]) -> String {
    if let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) {
        let usage = usage.to_string();
        let words = usage.trim_start_matches("Usage:").split_whitespace();
        let words = words.take_while(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
        return words.collect::<Vec<_>>().join(" ");
    }
    let (mut path, mut command) = (command.get_name().to_owned(), command);
    for word in words.iter().skip(1) {
        if let Some(inner) = command.find_subcommand(word) {
            path += &format!(" {}", inner.get_name());
            command = inner;
        }
    }
    path
}

/// An argument that is missing; of a group, the flags there are.
fn named(part: &str) -> String {
    match part.strip_prefix('<').and_then(|part| part.strip_suffix('>')).filter(|part| part.contains('|')) {
        Some(group) => {
            let flags =
                group.split('|').filter_map(|of| of.split(' ').next()).map(|flag| format!("`{flag}`"));
            format!("one of {}", flags.collect::<Vec<_>>().join(", "))
        }
        None => format!("`{part}`"),
    }
}

/// The texts of a kind that an error carries.
fn text(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    const HELP: [CommandHelp; 1] =
        [CommandHelp { command: "make", usage: "", examples: &["{} --name ci --size 3"] }];
    const HABITS: [Habit; 3] = [
        Habit { command: "", word: "--json", instead: "--format json" },
        Habit { command: "tool", word: "new", instead: "tool make" },
        Habit { command: "", word: "--org <SLUG>", instead: "tool select SLUG" },
    ];

    fn message_and_hint(words: &[&str]) -> String {
        let make = Command::new("make")
            .arg(Arg::new("name").long("name").value_name("NAME").required(true))
            .arg(
                Arg::new("size")
                    .long("size")
                    .value_name("SIZE")
                    .required(true)
                    .value_parser(clap::value_parser!(u8)),
            )
            .arg(Arg::new("kind").long("kind").value_name("KIND").value_parser(["small", "large"]))
            .arg(Arg::new("bare").long("bare").num_args(0).conflicts_with("kind"));
        let command = Command::new("tool").subcommand_required(true).subcommand(make);
        let error = command.clone().try_get_matches_from(words).expect_err("it is wrong");
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let path = path(&error, &command, &words);
        let failure = explained(&error, &path, &HELP, &HABITS).expect("it is explained");
        format!("{} | {}", failure.message, failure.hint.expect("a hint"))
    }

    #[test]
    fn each_mistake_has_a_next_step() {
        for (line, expected) in [
            ("tool mkae", "there is no command `tool mkae` | did you mean `tool make`?"),
            ("tool new", "there is no command `tool new` | type `tool make`"),
            ("tool xyz", "there is no command `tool xyz` | `tool -h` lists its commands"),
            (
                "tool make",
                "`tool make` needs `--name <NAME>` and `--size <SIZE>` | for example: `tool make --name ci --size 3`",
            ),
            ("tool make --nmae x", "`tool make` does not take `--nmae` | did you mean `--name`?"),
            ("tool make --json", "`tool make` does not take `--json` | type `--format json`"),
            ("tool make --kind samll", "`--kind <KIND>` cannot be `samll` | did you mean `small`?"),
            ("tool make --kind zzz", "`--kind <KIND>` cannot be `zzz` | it is one of small, large"),
            (
                "tool make --name x --size x",
                "`--size <SIZE>` cannot be `x`: invalid digit found in string | `tool make --help` says more",
            ),
            (
                "tool make --name x --size 1 --bare --kind small",
                "`--bare` and `--kind <KIND>` cannot be used together | leave one of them out",
            ),
        ] {
            assert_eq!(message_and_hint(&line.split(' ').collect::<Vec<_>>()), expected, "{line}");
        }
    }
}
