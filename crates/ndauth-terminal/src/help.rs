//! Help of a command line: what every command takes is listed once, and each command has an example.

use clap::{Arg, Command};

/// The additions to the help of a command.
pub struct CommandHelp {
    /// The last words of the command, such as `token create`: the longest match counts.
    pub command: &'static str,
    /// The usage line after the command, if clap's own line would hide required arguments; empty otherwise.
    pub usage: &'static str,
    /// Command lines to type. `{}` stands for the command itself.
    pub examples: &'static [&'static str],
}

/// The help of a command line: global options stay out of the short help of subcommands, and examples go below.
#[must_use]
pub fn with_help(command: Command, help: &[CommandHelp]) -> Command {
    let binary = command.get_name().to_owned();
    let globals: Vec<Arg> = command.get_arguments().filter(|arg| arg.is_global_set()).cloned().collect();
    command.mut_subcommands(|inner| describe(inner, &binary, &globals, help))
}

/// Finds the help of a command by its full path, such as `ndcli auth token create`.
pub fn help_of<'a>(help: &'a [CommandHelp], path: &str) -> Option<&'a CommandHelp> {
    let ends = |of: &&CommandHelp| {
        path.strip_suffix(of.command).is_some_and(|rest| rest.is_empty() || rest.ends_with(' '))
    };
    help.iter().filter(ends).max_by_key(|of| of.command.len())
}

impl CommandHelp {
    /// The examples, each as it is typed.
    pub fn lines(&self, path: &str) -> Vec<String> {
        self.examples.iter().map(|line| line.replace("{}", path)).collect()
    }
}

fn describe(mut command: Command, above: &str, globals: &[Arg], help: &[CommandHelp]) -> Command {
    let path = format!("{above} {}", command.get_name());
    let binary = path.split(' ').next().unwrap_or_default().to_owned();
    let mut globals = globals.to_vec();
    for global in &globals {
        if command.get_arguments().all(|own| own.get_id() != global.get_id()) {
            let global = beside(&command, global.clone()).hide_short_help(true);
            command = command.arg(global);
        }
    }
    // The options of a group of commands are global only within the group.
    let known = |arg: &Arg| globals.iter().any(|global| global.get_id() == arg.get_id());
    let more: Vec<Arg> =
        command.get_arguments().filter(|arg| arg.is_global_set() && !known(arg)).cloned().collect();
    globals.extend(more);
    let mut below = String::new();
    if let Some(extra) = help_of(help, &path) {
        if !extra.usage.is_empty() {
            command = command.override_usage(format!("{path} {}", extra.usage));
        }
        if let [first, rest @ ..] = extra.lines(&path).as_slice() {
            below = format!("{}:\n  {first}\n", if rest.is_empty() { "Example" } else { "Examples" });
            below.extend(rest.iter().map(|line| format!("  {line}\n")));
            below.push('\n');
        }
    }
    below += &format!("Global options: `{binary} -h`");
    command.after_help(below).mut_subcommands(|inner| describe(inner, &path, &globals, help))
}

/// A global option beside those of one command: a letter or a name that the command uses itself is left to it.
fn beside(command: &Command, global: Arg) -> Arg {
    let taken = command.get_arguments().any(|own| {
        let aliases = global.get_all_aliases().unwrap_or_default();
        own.get_long().is_some_and(|long| aliases.contains(&long))
    });
    if taken { global.alias(None).short_alias(None) } else { global }
}
