//! Manuals generated from the command line: man pages, and a reference in Markdown.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, Command};

use crate::Failure;

/// Writes a man page for a command and each of its subcommands to a folder. Returns the names of the files.
pub fn write_pages(command: &Command, folder: &Path) -> Result<Vec<String>, Failure> {
    std::fs::create_dir_all(folder)?;
    let mut names = Vec::new();
    for (path, command) in tree(command) {
        let title = path.join("-");
        let file = format!("{title}.1");
        let examples = examples(&command);
        let page =
            command.after_help("").name(title.clone()).bin_name(path.join(" ")).disable_help_subcommand(true);
        let mut text = Vec::new();
        clap_mangen::Man::new(page).title(title).date("").source("ndauth").render(&mut text)?;
        if !examples.is_empty() {
            // Each on a line of its own, as it is typed.
            let lines: String =
                examples.iter().map(|line| line.replace('\\', "\\\\").replace('-', "\\-") + "\n").collect();
            text.extend_from_slice(format!(".SH EXAMPLES\n.nf\n{lines}.fi\n").as_bytes());
        }
        std::fs::write(folder.join(&file), text)?;
        names.push(file);
    }
    Ok(names)
}

/// Returns the reference of a command and its subcommands in Markdown. Deeper commands have deeper headings,
/// to level 6.
pub fn reference(command: &Command) -> String {
    let mut text = String::new();
    for (path, command) in tree(command) {
        let level = "#".repeat((path.len() + 1).min(6));
        let _ = writeln!(text, "{level} {}\n", path.join(" "));
        section(&mut text, &path, &command);
    }
    text.trim_end().to_owned() + "\n"
}

/// The examples below the help of a command: the lines that are indented.
fn examples(command: &Command) -> Vec<String> {
    let below = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    below.lines().filter_map(|line| line.strip_prefix("  ").map(str::to_owned)).collect()
}

/// A command and all beneath it that are not hidden, each with the words that lead to it.
fn tree(command: &Command) -> Vec<(Vec<String>, Command)> {
    let mut built = command.clone();
    built.build();
    let mut found = Vec::new();
    gather(&built, &mut vec![built.get_name().to_owned()], &mut found);
    found
}

fn gather(command: &Command, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, Command)>) {
    found.push((path.clone(), command.clone()));
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help")
    {
        path.push(inner.get_name().to_owned());
        gather(inner, path, found);
        path.pop();
    }
}

fn section(text: &mut String, path: &[String], command: &Command) {
    let about = command.get_long_about().or_else(|| command.get_about());
    if let Some(about) = about {
        let _ = writeln!(text, "{about}\n");
    }
    let usage = command.clone().bin_name(path.join(" ")).render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let _ = writeln!(text, "```text\n{usage}\n```\n");
    let examples = examples(command);
    if !examples.is_empty() {
        let _ = writeln!(text, "```sh\n{}\n```\n", examples.join("\n"));
    }
    let inner: Vec<&Command> = command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set() && inner.get_name() != "help")
        .collect();
    if !inner.is_empty() {
        for command in inner {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "- `{}`: {about}", command.get_name());
        }
        text.push('\n');
    }
    // Options of every command are described once, under the top command.
    let own = |argument: &&Arg| {
        !argument.is_hide_set()
            && (path.len() == 1 || !argument.is_global_set())
            && !["help", "version"].contains(&argument.get_id().as_str())
    };
    let arguments: Vec<&Arg> = command.get_arguments().filter(own).collect();
    for argument in &arguments {
        let _ = writeln!(text, "- `{}`: {}", form(argument), sentence(argument));
    }
    if !arguments.is_empty() {
        text.push('\n');
    }
}

/// Formats an argument as a person types it.
fn form(argument: &Arg) -> String {
    let takes_value = argument.get_action().takes_values();
    let names = argument.get_value_names().unwrap_or_default();
    let value = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    match (argument.get_short(), argument.get_long()) {
        (_, None) => format!("<{value}>"),
        (short, Some(long)) => {
            let short = short.map(|short| format!("-{short}, ")).unwrap_or_default();
            if takes_value { format!("{short}--{long} <{value}>") } else { format!("{short}--{long}") }
        }
    }
}

fn sentence(argument: &Arg) -> String {
    let help = argument.get_long_help().or_else(|| argument.get_help());
    let mut text = help.map(|help| help.to_string().replace('\n', " ")).unwrap_or_default();
    let takes_value = argument.get_action().takes_values();
    let possible = argument.get_possible_values();
    if takes_value && !possible.is_empty() && !argument.is_hide_possible_values_set() {
        let names: Vec<String> = possible.iter().map(|value| format!("`{}`", value.get_name())).collect();
        let _ = write!(text, " (one of {})", names.join(", "));
    }
    let default = argument.get_default_values();
    if takes_value && !default.is_empty() && !argument.is_hide_default_value_set() {
        let values: Vec<_> = default.iter().map(|value| value.to_string_lossy()).collect();
        let _ = write!(text, " (default: `{}`)", values.join(" "));
    }
    if let Some(variable) = argument.get_env().filter(|_| !argument.is_hide_env_set()) {
        let _ = write!(text, " (variable: `{}`)", variable.to_string_lossy());
    }
    text
}
