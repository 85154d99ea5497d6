//! Settings: flags that a variable or a file can set too.
//!
//! The command line alone describes them. A file's value becomes the flag's default, so the order of
//! precedence is flag, variable, file, built-in default, and clap parses them all by the same rules. The key
//! in the file is the flag's name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use ndauth_core::nearest;
use toml_edit::{DocumentMut, Item, TableLike, Value};

use crate::environment::all;
use crate::{Failure, warn};

/// A setting, as the command line describes it.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The argument.
    pub argument: Arg,
    /// The key in a file, which is the flag's name.
    pub key: String,
    /// The environment variable.
    pub variable: String,
}

/// The values that a file sets, as text, by key.
pub type Values = BTreeMap<String, String>;

/// A settings file that was read.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    /// The path of the file, if there is one.
    pub file: Option<PathBuf>,
    /// The values that it sets.
    pub values: Values,
}

/// The source of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag on the command line.
    Flag,
    /// The environment variable of this name.
    Variable(String),
    /// The file at this path.
    File(PathBuf),
    /// The built-in default.
    Default,
}

/// Returns the settings of a command line, those of a command before those of its subcommands. A setting is a
/// flag whose variable begins with one of the prefixes; the flags named in `but` are excluded.
pub fn settings(command: &Command, prefixes: &[&str], but: &[&str]) -> Vec<Setting> {
    let mut found: Vec<Setting> = Vec::new();
    let mut open = vec![command];
    while let Some(command) = open.pop() {
        for argument in command.get_arguments() {
            let (Some(key), Some(variable)) = (argument.get_long(), argument.get_env()) else { continue };
            let variable = variable.to_string_lossy().into_owned();
            let known = found.iter().any(|setting| setting.key == key);
            let is_ours = prefixes.iter().any(|prefix| variable.starts_with(prefix));
            if !known && is_ours && !but.contains(&key) {
                found.push(Setting { argument: argument.clone(), key: key.to_owned(), variable });
            }
        }
        open.extend(command.get_subcommands());
    }
    found
}

/// Reads a TOML file. Returns `None` if it does not exist.
pub fn read(path: &Path) -> Result<Option<DocumentMut>, Failure> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let message = format!("cannot read `{}`: {error}", path.display());
            return Err(Failure::usage(message, "check its owner and its mode"));
        }
    };
    text.parse::<DocumentMut>().map(Some).map_err(|error| {
        let message = format!("`{}` is not valid TOML: {}", path.display(), error.to_string().trim_end());
        Failure::usage(message, "fix the line that it names")
    })
}

/// Reads the values that a table of a file sets. Fails on unknown settings and invalid values.
pub fn values(path: &Path, table: &dyn TableLike, settings: &[Setting]) -> Result<Values, Failure> {
    let mut values = Values::new();
    for (key, item) in table.iter() {
        let setting = find(settings, key).map_err(|failure| failure.of(&format!("`{}`", path.display())))?;
        let text = text(item).ok_or_else(|| {
            let message =
                format!("`{}`: `{key}` takes one value: a text, a number, true or false", path.display());
            Failure::usage(message, "write it as `KEY = \"VALUE\"`")
        })?;
        setting.check(&text).map_err(|failure| failure.of(&format!("`{}`", path.display())))?;
        values.insert(key.to_owned(), text);
    }
    Ok(values)
}

/// Returns the setting of this name. The failure suggests the nearest name.
pub fn find<'a>(settings: &'a [Setting], key: &str) -> Result<&'a Setting, Failure> {
    settings.iter().find(|setting| setting.key == key).ok_or_else(|| {
        let keys = || settings.iter().map(|setting| setting.key.as_str());
        let hint = match nearest(key, keys()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("available: {}", keys().collect::<Vec<_>>().join(", ")),
        };
        Failure::usage(format!("there is no setting `{key}`"), hint)
    })
}

/// Warns of every variable that begins with `prefix` and is in neither `read` nor `ignored`.
pub fn warn_of_unread(prefix: &str, read: &[&str], ignored: fn(&str) -> bool) {
    for (name, _) in all() {
        if name.starts_with(prefix) && !read.contains(&name.as_str()) && !ignored(&name) {
            match nearest(&name, read.iter().copied()) {
                Some(meant) => warn(&format!("unknown variable {name}: did you mean {meant}?")),
                None => warn(&format!("unknown variable {name}")),
            }
        }
    }
}

/// Returns a scalar value as text, or `None` for dates, arrays and tables.
pub fn text(item: &Item) -> Option<String> {
    match item.as_value()? {
        Value::String(text) => Some(text.value().clone()),
        Value::Integer(number) => Some(number.value().to_string()),
        Value::Float(number) => Some(number.value().to_string()),
        Value::Boolean(yes) => Some(yes.value().to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::InlineTable(_) => None,
    }
}

impl Setting {
    /// Returns true if the setting is a switch, either on or off.
    pub fn is_switch(&self) -> bool {
        matches!(self.argument.get_action(), ArgAction::SetTrue)
    }

    /// Returns the built-in default, if there is one.
    pub fn default(&self) -> Option<String> {
        if self.is_switch() {
            return Some("false".to_owned());
        }
        self.argument.get_default_values().first().map(|value| value.to_string_lossy().into_owned())
    }

    /// Checks that a text is a valid value of the setting.
    pub fn check(&self, text: &str) -> Result<(), Failure> {
        let refused =
            |why: String| Failure::usage(format!("`{}`: {why}", self.key), "see `--help` for what it takes");
        if self.is_switch() {
            return match text {
                "true" | "false" => Ok(()),
                _ => Err(refused(format!("expected true or false, and not `{text}`"))),
            };
        }
        let argument = self.argument.clone().env(None::<&str>).global(false).required(false);
        let command = Command::new("check").no_binary_name(true).arg(argument);
        match command.try_get_matches_from([format!("--{}={text}", self.key)]) {
            Ok(_) => Ok(()),
            Err(error) => Err(refused(why(&error))),
        }
    }
}

/// Explains why a value is invalid.
fn why(error: &clap::Error) -> String {
    let value = match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => format!("`{value}`: "),
        _ => String::new(),
    };
    if let Some(ContextValue::Strings(valid)) = error.get(ContextKind::ValidValue) {
        return format!("{value}expected one of {}", valid.join(", "));
    }
    match std::error::Error::source(error) {
        Some(source) => format!("{value}{source}"),
        None => error.kind().as_str().unwrap_or("not a value it can have").to_owned(),
    }
}

impl Layer {
    /// Returns the command line with the file's values as its defaults.
    pub fn beneath(&self, command: Command) -> Command {
        let set = |argument: Arg| match argument.get_long().and_then(|key| self.values.get(key)) {
            Some(text) if argument.get_env().is_some() => argument.default_value(text.clone()),
            _ => argument,
        };
        command.mut_args(set).mut_subcommands(|command| self.beneath(command))
    }

    /// Returns the source of the effective value of a setting.
    pub fn origin(&self, matches: &ArgMatches, setting: &Setting) -> Origin {
        match (matches.value_source(setting.argument.get_id().as_str()), &self.file) {
            (Some(ValueSource::CommandLine), _) => Origin::Flag,
            (Some(ValueSource::EnvVariable), _) => Origin::Variable(setting.variable.clone()),
            (_, Some(file)) if self.values.contains_key(&setting.key) => Origin::File(file.clone()),
            _ => Origin::Default,
        }
    }
}

/// Returns the effective value as text, if there is one.
pub fn in_force(matches: &ArgMatches, setting: &Setting) -> Option<String> {
    let id = setting.argument.get_id().as_str();
    if setting.is_switch() {
        return Some(matches.get_flag(id).to_string());
    }
    let mut raw = matches.try_get_raw(id).ok().flatten()?;
    raw.next().map(|value| value.to_string_lossy().into_owned())
}

/// Returns the matches of the innermost subcommand.
pub fn innermost(matches: &ArgMatches) -> &ArgMatches {
    match matches.subcommand() {
        Some((_, inner)) => innermost(inner),
        None => matches,
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Flag => f.write_str("flag"),
            Origin::Variable(name) => f.write_str(name),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}

#[cfg(test)]
mod tests;
