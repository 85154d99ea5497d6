//! The environment: read here and by clap, and nowhere else in a binary.

use std::ffi::{OsStr, OsString};

/// The value of a variable, unless it is empty.
pub fn variable(name: impl AsRef<OsStr>) -> Option<OsString> {
    stated(name).filter(|value| !value.is_empty())
}

/// The value of a variable, empty or not.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn stated(name: impl AsRef<OsStr>) -> Option<OsString> {
    std::env::var_os(name.as_ref())
}

/// Every variable there is, by name. What is not text is left out.
pub fn all() -> Vec<(String, String)> {
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(text).collect()
}

/// Whether nothing may be coloured (no-color.org, bixense.com/clicolors).
pub fn plain() -> bool {
    variable("NO_COLOR").is_some()
        || variable("CLICOLOR").is_some_and(|value| value == "0")
        || variable("TERM").is_some_and(|term| term == "dumb")
}

/// A command line for which an empty variable is as good as none.
pub fn without_empty_variables(command: clap::Command) -> clap::Command {
    command.mut_args(without_empty_variable).mut_subcommands(without_empty_variables)
}

fn without_empty_variable(argument: clap::Arg) -> clap::Arg {
    let empty = argument.get_env().and_then(stated).is_some_and(|value| value.is_empty());
    if empty { argument.env(None::<&str>) } else { argument }
}
