//! The configuration: a TOML file of settings, with a profile for each further server.
//!
//! ```toml
//! server = "https://ndauth.example.org"
//! profile = "home"                  # the default profile
//!
//! [profiles.home]                   # overrides the settings above
//! server = "http://127.0.0.1:7711"
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args, Command};
use ndauth_terminal::environment::variable;
use ndauth_terminal::settings::{self, Layer, Origin, Setting, warn_of_unread};
use ndauth_terminal::{Failure, nearest, quoted};
use toml_edit::{DocumentMut, Table};

use super::files::{folder, replace};
use super::options::{CommonOptions, InOrg, Keeping};
use super::token_file::CredentialSource;

/// The configuration in use.
#[derive(Default)]
pub(crate) struct Configuration {
    /// The values that the file sets, overridden by the profile's.
    pub(crate) layer: Layer,
    /// The source of the credential.
    credential: CredentialSource,
    /// The server that the token file names, if it is that source. It overrides the layer.
    of_token_file: Layer,
    /// The profile in use, if there is one.
    pub(crate) profile: Option<String>,
    /// The names of all profiles.
    pub(crate) profiles: Vec<String>,
    /// The matches of the command line, which override the file.
    pub(crate) matches: Option<ArgMatches>,
}

/// The key that selects the default profile.
pub(crate) const PROFILE: &str = "profile";
/// The key of the server's URL.
const SERVER: &str = "server";
/// The table that holds the profiles.
pub(crate) const PROFILES: &str = "profiles";

/// Variables that are read and that no flag corresponds to.
pub(crate) const OTHER_VARIABLES: [(&str, &str); 4] = [
    ("NDCLI_TOKEN", "the credential: a personal token, a session or a service's secret"),
    (
        "NDCLI_TOKEN_FILE",
        "a file that holds the credential, alone or as `{\"bearer_token\": …, \"server\": …}`; NDCLI_TOKEN takes \
         precedence. The `server` in it takes precedence over the configuration; NDCLI_SERVER and `--server` over it",
    ),
    ("NDCLI_PROFILE", "the profile of the configuration to use: another server, other settings"),
    (
        "TRACEPARENT",
        "the trace that the calls belong to (W3C Trace Context), where the server exports traces",
    ),
];

/// Returns every setting: the options of every command, the org that commands act in, and the place of stored
/// logins.
pub(crate) fn known() -> Vec<Setting> {
    let command =
        Keeping::augment_args(InOrg::augment_args(CommonOptions::augment_args(Command::new("ndcli"))));
    settings::settings(&command, &["NDCLI_"], &[PROFILE])
}

impl Configuration {
    /// Reads the file, and the profile that is named or that the file selects. The server comes from the token file if
    /// the credential does.
    pub(crate) fn load(
        profile: Option<&str>,
        credential: CredentialSource,
    ) -> Result<Configuration, Failure> {
        let of_token_file = of_token_file(&credential);
        Ok(Configuration { credential, of_token_file, ..Configuration::read(profile)? })
    }

    fn read(profile: Option<&str>) -> Result<Configuration, Failure> {
        let path = match (path(), profile) {
            (Ok(path), _) => path,
            // Without a home folder there is no file.
            (Err(_), None) => return Ok(Configuration::default()),
            (Err(failure), Some(_)) => return Err(failure),
        };
        let Some(document) = settings::read(&path)? else {
            return match profile {
                None => Ok(Configuration::default()),
                Some(profile) => Err(no_profile(profile, &[], &path)),
            };
        };
        let known = known();
        let mut plain = document.as_table().clone();
        let nonsense = |what: &str| {
            let message = format!("`{}`: {what}", path.display());
            Failure::usage(message, "fix it by hand: `ndcli config path` prints its path")
        };
        let default = match plain.remove(PROFILE) {
            None => None,
            Some(item) => {
                Some(settings::text(&item).ok_or_else(|| nonsense("`profile` must be the name of one"))?)
            }
        };
        let mut profiles = BTreeMap::new();
        if let Some(item) = plain.remove(PROFILES) {
            let tables = item.as_table_like().ok_or_else(|| nonsense("`profiles` holds a table for each"))?;
            for (name, item) in tables.iter() {
                let table = item.as_table_like().ok_or_else(|| nonsense("a profile is a table"))?;
                profiles.insert(name.to_owned(), settings::values(&path, table, &known)?);
            }
        }
        let mut values = settings::values(&path, &plain, &known)?;
        let profile = profile.map(str::to_owned).or(default);
        let names: Vec<String> = profiles.keys().cloned().collect();
        if let Some(name) = &profile {
            values.extend(profiles.remove(name).ok_or_else(|| no_profile(name, &names, &path))?);
        }
        let profiles = names;
        let layer = Layer { file: Some(path), values };
        Ok(Configuration { layer, profile, profiles, ..Configuration::default() })
    }

    /// Returns the command line with the values of the files as its defaults.
    pub(crate) fn beneath(&self, command: Command) -> Command {
        self.of_token_file.beneath(self.layer.beneath(command))
    }

    /// Returns the source of the effective value of a setting.
    pub(crate) fn origin(&self, matches: &ArgMatches, setting: &Setting) -> Origin {
        match self.of_token_file.origin(matches, setting) {
            Origin::Default => self.layer.origin(matches, setting),
            origin => origin,
        }
    }

    /// Records in the options where the server's URL and the credential come from.
    pub(crate) fn trace(&self, common: &mut CommonOptions, matches: &ArgMatches) {
        let known = known();
        let setting = settings::find(&known, SERVER).expect("`server` is a setting");
        common.server_from = self.origin(matches, setting);
        common.credential = self.credential.clone();
    }
}

/// Returns the setting that a token file makes.
fn of_token_file(credential: &CredentialSource) -> Layer {
    let CredentialSource::File(content) = credential else { return Layer::default() };
    let server = content.server.iter().map(|server| (SERVER.to_owned(), server.to_string()));
    Layer { file: Some(content.path.clone()), values: server.collect() }
}

fn no_profile(name: &str, profiles: &[String], path: &Path) -> Failure {
    let message = format!("there is no profile `{name}` in `{}`", path.display());
    match nearest(name, profiles.iter().map(String::as_str)) {
        Some(meant) => Failure::usage(message, format!("did you mean `{meant}`?")),
        None => Failure::usage(
            message,
            format!("make it: `ndcli config set server URL --profile {}`", quoted(name)),
        ),
    }
}

/// Returns the path of `config.toml` in the platform's configuration folder.
pub(crate) fn path() -> Result<PathBuf, Failure> {
    Ok(folder()?.join("config.toml"))
}

/// Changes the file atomically.
pub(crate) fn edit(change: impl FnOnce(&mut Table) -> Result<(), Failure>) -> Result<PathBuf, Failure> {
    let path = path()?;
    let mut document = settings::read(&path)?.unwrap_or_else(DocumentMut::new);
    change(document.as_table_mut())?;
    replace(&path, document.to_string().as_bytes())?;
    Ok(path)
}

/// Warns of every unread `NDCLI_…` variable: most are misspelt.
pub(crate) fn warn_of_unread_variables() {
    let known = known();
    let read: Vec<&str> = known
        .iter()
        .map(|setting| setting.variable.as_str())
        .chain(OTHER_VARIABLES.iter().map(|(name, _)| *name))
        .collect();
    warn_of_unread("NDCLI_", &read, |_| false);
}

/// Returns the profile that the variable selects, if it is set.
pub(crate) fn profile_variable() -> Option<String> {
    variable("NDCLI_PROFILE")?.into_string().ok()
}
