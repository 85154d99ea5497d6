//! The process environment. Only this module and clap read it.

use std::ffi::{OsStr, OsString};

/// Returns the value of an environment variable, unless it is unset or empty.
pub fn variable(name: impl AsRef<OsStr>) -> Option<OsString> {
    stated(name).filter(|value| !value.is_empty())
}

/// Returns the value of an environment variable, which may be empty.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn stated(name: impl AsRef<OsStr>) -> Option<OsString> {
    std::env::var_os(name.as_ref())
}

/// Returns every environment variable with its value, except those that are not UTF-8.
pub fn all() -> Vec<(String, String)> {
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(text).collect()
}

/// Returns true if the environment forbids colours (no-color.org, bixense.com/clicolors).
pub fn plain() -> bool {
    variable("NO_COLOR").is_some()
        || variable("CLICOLOR").is_some_and(|value| value == "0")
        || variable("TERM").is_some_and(|term| term == "dumb")
}

/// Returns the command line with empty variables treated as unset.
pub fn without_empty_variables(command: clap::Command) -> clap::Command {
    command.mut_args(without_empty_variable).mut_subcommands(without_empty_variables)
}

fn without_empty_variable(argument: clap::Arg) -> clap::Arg {
    let empty = argument.get_env().and_then(stated).is_some_and(|value| value.is_empty());
    if empty { argument.env(None::<&str>) } else { argument }
}
