//! `ndcli config`.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;
use ndauth_terminal::settings::{self, Origin, Setting, in_force, innermost};
use ndauth_terminal::{Failure, Rows, detailed, print, print_json, quoted, shown};
use serde_json::{Value, json};
use toml_edit::{Item, Table, TableLike};

use super::candidates;
use crate::settings::configuration::{Configuration, PROFILE, PROFILES, edit, known, path};
use crate::settings::{CommonOptions, Format};

#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print a value
    Get {
        /// Setting: the name of a flag, such as `server`
        #[arg(add = ArgValueCandidates::new(candidates::keys))]
        key: String,
        #[command(flatten)]
        in_org: Unsaid,
    },
    /// Keep a value; with `--profile`, in that profile
    Set {
        /// Setting: the name of a flag, such as `server`, or `profile`
        #[arg(add = ArgValueCandidates::new(candidates::keys))]
        key: String,
        /// Value
        value: String,
    },
    /// Remove a value; with `--profile`, from that profile
    Unset {
        /// Setting
        #[arg(add = ArgValueCandidates::new(candidates::keys))]
        key: String,
    },
    /// List every setting and its source
    #[command(alias = "ls")]
    List(Unsaid),
    /// Print the path of the configuration file
    Path,
}

/// Settings of single commands, which `get` and `list` take so that they can show them.
#[derive(Args)]
pub(crate) struct Unsaid {
    #[arg(long = "org", env = "NDCLI_ORG", hide = true, id = "in_org")]
    org: Option<String>,

    #[arg(long, env = "NDCLI_NO_KEYRING", value_parser = BoolishValueParser::new(), hide = true)]
    no_keyring: bool,
}

impl ConfigCommand {
    /// True for commands that must work with a broken configuration file.
    pub(crate) fn mends(&self) -> bool {
        matches!(self, ConfigCommand::Set { .. } | ConfigCommand::Unset { .. } | ConfigCommand::Path)
    }
}

pub(crate) fn run(
    common: &CommonOptions,
    configuration: &Configuration,
    config: &ConfigCommand,
) -> Result<(), Failure> {
    match config {
        ConfigCommand::Get { key, .. } => get(common, configuration, key),
        ConfigCommand::Set { key, value } => set(common, key, value),
        ConfigCommand::Unset { key } => unset(common, key),
        ConfigCommand::List(_) => list(common, configuration),
        ConfigCommand::Path => print(&format!("{}\n", path()?.display())),
    }
}

/// The value in force and where it comes from.
fn value(configuration: &Configuration, setting: &Setting) -> Option<(String, Origin)> {
    let matches = innermost(configuration.matches.as_ref()?);
    Some((in_force(matches, setting)?, configuration.origin(matches, setting)))
}

fn get(common: &CommonOptions, configuration: &Configuration, key: &str) -> Result<(), Failure> {
    let found = if key == PROFILE {
        configuration.profile.clone().map(|name| (name, Origin::Default))
    } else {
        value(configuration, settings::find(&known(), key)?)
    };
    let Some((value, _)) = found else {
        return Err(Failure::failed(format!("`{key}` is not set"), Some("`ndcli config set` sets it")));
    };
    match common.format {
        Format::Json => print_json(&json!({ "key": key, "value": value })),
        Format::Table | Format::Simple | Format::Detailed => print(&format!("{}\n", shown(&value))),
    }
}

fn set(common: &CommonOptions, key: &str, value: &str) -> Result<(), Failure> {
    if key != PROFILE {
        settings::find(&known(), key)?.check(value)?;
    } else if common.profile.is_some() {
        return Err(Failure::usage("a profile cannot name another profile", "leave `--profile` out"));
    }
    let written = keep(common, key, value)?;
    say(
        common,
        &format!("✓ {key} = {}", shown(value)),
        &json!({ "key": key, "value": value, "file": written.display().to_string() }),
    )
}

/// Keeps a value for later commands: in the profile that is named, or above them all.
pub(crate) fn keep(common: &CommonOptions, key: &str, value: &str) -> Result<PathBuf, Failure> {
    edit(|table| {
        if key == PROFILE && profile(table, value).is_none() {
            let hint = format!("make it: `ndcli config set server URL --profile {}`", quoted(value));
            return Err(Failure::usage(format!("there is no profile `{value}`"), hint));
        }
        put(place(table, common.profile.as_deref())?, key, value);
        Ok(())
    })
}

/// Sets a value, and keeps what a person wrote around the one before.
fn put(table: &mut dyn TableLike, key: &str, text: &str) {
    let mut value = toml_edit::Value::from(text);
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => {
            table.insert(key, Item::Value(value));
        }
    }
}

fn unset(common: &CommonOptions, key: &str) -> Result<(), Failure> {
    let mut had = false;
    edit(|table| {
        let place: Option<&mut dyn TableLike> = match &common.profile {
            None => Some(table),
            Some(name) => profile(table, name),
        };
        // A key that is there goes, known or not; `profiles` is no value.
        had = place.is_some_and(|place| {
            let value = place.get(key).is_some_and(Item::is_value);
            value && place.remove(key).is_some()
        });
        if !had && key != PROFILE {
            settings::find(&known(), key)?;
        }
        Ok(())
    })?;
    let sentence = if had { format!("✓ {key} is no longer set") } else { format!("{key} was not set") };
    say(common, &sentence, &json!({ "key": key, "was_set": had }))
}

/// The table of a profile, or the one that stands above them all.
fn place<'a>(table: &'a mut Table, name: Option<&str>) -> Result<&'a mut dyn TableLike, Failure> {
    let Some(name) = name else { return Ok(table) };
    let profiles = table.entry(PROFILES).or_insert_with(|| {
        let mut profiles = Table::new();
        // No `[profiles]` by itself above the first of them.
        profiles.set_implicit(true);
        Item::Table(profiles)
    });
    let nonsense = || Failure::usage("`profiles` is not a table", "fix it by hand: `ndcli config path`");
    let profiles = profiles.as_table_like_mut().ok_or_else(nonsense)?;
    profiles.entry(name).or_insert_with(toml_edit::table).as_table_like_mut().ok_or_else(nonsense)
}

fn profile<'a>(table: &'a mut Table, name: &str) -> Option<&'a mut dyn TableLike> {
    table.get_mut(PROFILES)?.as_table_like_mut()?.get_mut(name)?.as_table_like_mut()
}

fn list(common: &CommonOptions, configuration: &Configuration) -> Result<(), Failure> {
    let entry = |setting: Setting| {
        let (value, origin) = value(configuration, &setting)
            .map_or((None, "-".to_owned()), |(value, origin)| (Some(value), origin.to_string()));
        (setting.key, value, origin)
    };
    let entries: Vec<(String, Option<String>, String)> = known().into_iter().map(entry).collect();
    let text = |value: &Option<String>| value.clone().unwrap_or("-".to_owned());
    match common.format {
        Format::Table => print(
            &Rows {
                titles: ["KEY", "VALUE", "FROM"],
                rows: entries
                    .iter()
                    .map(|(key, value, from)| [key.clone(), text(value), from.clone()])
                    .collect(),
                last_width: 0,
            }
            .table(),
        )?,
        Format::Simple => {
            let line = |(key, value, _): &(String, Option<String>, String)| {
                format!("{key}={}\n", shown(&text(value)))
            };
            print(&entries.iter().map(line).collect::<String>())?;
        }
        Format::Detailed => {
            let fields: Vec<(&str, String)> = entries
                .iter()
                .map(|(key, value, from)| (key.as_str(), format!("{} ({from})", text(value))))
                .collect();
            print(&detailed(&fields))?;
        }
        Format::Json => {
            let settings: Vec<Value> = entries
                .iter()
                .map(|(key, value, from)| json!({ "key": key, "value": value, "from": from }))
                .collect();
            return print_json(&json!({
                "file": path().ok().map(|path| path.display().to_string()),
                "profile": configuration.profile,
                "profiles": configuration.profiles,
                "settings": settings,
            }));
        }
    }
    if common.format == Format::Simple || configuration.profiles.is_empty() {
        return Ok(());
    }
    let used = configuration.profile.as_deref().unwrap_or("none");
    print(&format!("Profile: {} (available: {})\n", shown(used), shown(&configuration.profiles.join(", "))))
}

fn say(common: &CommonOptions, text: &str, json: &Value) -> Result<(), Failure> {
    match common.format {
        Format::Json => print_json(json),
        Format::Table | Format::Simple | Format::Detailed => print(&format!("{text}\n")),
    }
}
