//! The configuration: flags, variables and the file, combined into the options of the server.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory};
use etcetera::BaseStrategy;
use ndauth_authority::limits::{CONNECTIONS, Limit};
use ndauth_authority::{DatabaseUrl, Freshness, LoginSettings, check_folder};
use ndauth_server::front::Limits;
use ndauth_server::{MailSettings, ServeOptions, TlsFiles, parse_mail_from, parse_mail_route};
use ndauth_terminal::environment::variable;
use ndauth_terminal::settings::{self, Layer, Setting, in_force, innermost, warn_of_unread};
use ndauth_terminal::{Failure, Rows, print, print_json};
use serde_json::{Value, json};

use crate::arguments::{GlobalOptions, MailOptions, NdauthdArguments, Origins, Serve, TextOrJson};

/// The location of the database, and of ndauthd's own files.
#[derive(Clone)]
pub(crate) struct DataLocation {
    pub(crate) database: DatabaseUrl,
    pub(crate) data: Option<PathBuf>,
    /// The files that the database's password was read from.
    pub(crate) secret_files: Vec<PathBuf>,
}

/// The key of the setting that names the file.
const CONFIG: &str = "config";

/// Lists every setting.
pub(crate) fn known() -> Vec<Setting> {
    settings::settings(&NdauthdArguments::command(), &["NDAUTHD_", "OTEL_"], &[CONFIG])
}

/// Returns the configuration file of an installation from packages, if there is one. A file that may not be looked at
/// is not absent.
pub(crate) fn installed() -> Option<&'static Path> {
    Some(Path::new("/etc/ndauth/ndauthd.toml")).filter(|file| !matches!(file.try_exists(), Ok(false)))
}

/// Reads the configuration file, if there is one.
pub(crate) fn load(file: Option<&Path>) -> Result<Layer, Failure> {
    let Some(file) = file else { return Ok(Layer::default()) };
    let document = settings::read(file)?.ok_or_else(|| {
        let message = format!("there is no file `{}`", file.display());
        Failure::usage(message, "`ndauthd config example` prints one to begin with")
    })?;
    let values = settings::values(file, document.as_table(), &known())?;
    Ok(Layer { file: Some(file.to_owned()), values })
}

/// Warns of every `NDAUTHD_…` variable that nothing reads. Such a variable is not an error: an orchestrator
/// that has a service called `ndauthd` sets some of its own.
pub(crate) fn warn_of_unread_variables() {
    let known = known();
    let read: Vec<&str> =
        known.iter().map(|setting| setting.variable.as_str()).chain(["NDAUTHD_CONFIG"]).collect();
    warn_of_unread("NDAUTHD_", &read, |name| {
        name.starts_with("NDAUTHD_PORT") || name.starts_with("NDAUTHD_SERVICE_")
    });
}

/// Returns the location of the database: the one that was named, or a file in the data folder.
pub(crate) fn location(
    common: &GlobalOptions,
    matches: &ArgMatches,
    layer: &Layer,
) -> Result<DataLocation, Failure> {
    let data = match &common.data_folder {
        Some(folder) => Some(folder.clone()),
        None => etcetera::choose_base_strategy().ok().map(|home| home.data_dir().join("ndauth")),
    };
    let database = match (&common.database, &data) {
        // A text that is not a URL may still hold a password, so it is not repeated.
        (Some(text), _) => text.parse::<DatabaseUrl>().map_err(|why| {
            Failure::usage(
                format!("`--database` or NDAUTHD_DATABASE names no database: {why}"),
                "see `ndauthd --help`",
            )
        })?,
        (None, Some(data)) => DatabaseUrl::Sqlite(data.join("ndauth.db")),
        (None, None) => {
            return Err(Failure::usage(
                "there is no home folder to keep the database in",
                "set `--data-folder FOLDER`, or `--database sqlite:PATH`",
            ));
        }
    };
    let on_the_command_line = innermost(matches).value_source("database") == Some(ValueSource::CommandLine);
    if on_the_command_line && database.has_password() {
        return Err(Failure::usage(
            "a password on the command line can be read by everyone on this machine",
            "keep it in a file, and name that: `--database-password-file FILE`",
        ));
    }
    let configured = layer.values.get("database").and_then(|text| text.parse::<DatabaseUrl>().ok());
    let config = layer.file.clone().filter(|_| configured.is_some_and(|database| database.has_password()));
    let secret_files = config.into_iter().chain(common.database_password_file.clone()).collect();
    let database = match &common.database_password_file {
        None => database,
        Some(file) => {
            let unreadable = |error| {
                Failure::usage(
                    format!("cannot read `{}`: {error}", file.display()),
                    "check its owner and its mode",
                )
            };
            let text = std::fs::read_to_string(credential(file)).map_err(unreadable)?;
            database.with_password(text.trim_end_matches(['\r', '\n'])).ok_or_else(|| {
                Failure::usage("a SQLite file has no password", "leave `--database-password-file` out")
            })?
        }
    };
    Ok(DataLocation { database, data, secret_files })
}

/// Returns the path at which a file with a secret is read: the copy of the same name that systemd passed to this
/// service (systemd.exec(5), `LoadCredential=`), or else the file itself.
fn credential(file: &Path) -> PathBuf {
    let passed = variable("CREDENTIALS_DIRECTORY").zip(file.file_name());
    let passed = passed.map(|(folder, name)| Path::new(&folder).join(name));
    passed.filter(|copy| copy.exists()).unwrap_or_else(|| file.to_owned())
}

/// Returns true for a file that systemd reads as root and passes to the service, where the unit names it.
pub(crate) fn is_passed_by_systemd(file: &Path) -> bool {
    file.starts_with("/etc/credstore")
}

/// Fails if this user may not read one of the files.
pub(crate) fn require_readable(files: &[PathBuf]) -> Result<(), Failure> {
    for file in files {
        std::fs::File::open(file).map_err(|error| {
            let message = format!("the server's user cannot read `{}`: {error}", file.display());
            Failure::usage(message, "check its owner and its mode")
        })?;
    }
    Ok(())
}

impl DataLocation {
    /// Creates the data folder, if it is used. Returns an error only if the folder was named, or holds the
    /// database. Without a data folder, an older copy of a PostgreSQL database is not noticed, which the log
    /// reports.
    pub(crate) fn made(self, common: &GlobalOptions) -> Result<DataLocation, Failure> {
        self.with_folder(common, |data| std::fs::create_dir_all(data))
    }

    /// Fails if [`DataLocation::made`] would fail. Creates nothing.
    pub(crate) fn makeable(self, common: &GlobalOptions) -> Result<DataLocation, Failure> {
        self.with_folder(common, |data| match data.ancestors().find(|folder| folder.exists()) {
            Some(folder) if folder == data && folder.is_dir() => Ok(()),
            Some(folder) => check_folder(folder),
            None => check_folder(Path::new(".")),
        })
    }

    fn with_folder(
        self,
        common: &GlobalOptions,
        make: impl Fn(&Path) -> std::io::Result<()>,
    ) -> Result<DataLocation, Failure> {
        let Some(data) = &self.data else { return Ok(self) };
        let needed = common.data_folder.is_some() || common.database.is_none();
        if !needed && matches!(self.database, DatabaseUrl::Sqlite(_)) {
            return Ok(self);
        }
        match make(data) {
            Ok(()) => Ok(self),
            Err(_) if !needed => Ok(DataLocation { data: None, ..self }),
            Err(error) => {
                let message = format!("cannot make the data folder `{}`: {error}", data.display());
                Err(Failure::failed(message, Some("name another: `--data-folder FOLDER`")))
            }
        }
    }
}

/// The shortest idle time of a session, and the longest lifetime of one.
const MIN_IDLE: Duration = Duration::from_secs(5 * 60);
const LONGEST_SESSION: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fn logins(serve: &Serve) -> Result<LoginSettings, Failure> {
    let Serve { session_idle: idle, session_longest: longest, no_device_login, .. } = *serve;
    if longest > LONGEST_SESSION {
        return Err(Failure::usage(
            "no session lasts longer than 365 days",
            "set `--session-longest` to less",
        ));
    }
    if idle < MIN_IDLE || idle > longest {
        let message = "`--session-idle` must be from 5m to `--session-longest`";
        return Err(Failure::usage(message, "set `--session-idle`, or `--session-longest`"));
    }
    Ok(LoginSettings { idle, longest, device: !no_device_login })
}

/// Combines the settings of mail, if any is sent.
pub(crate) fn mail_settings(mail: &MailOptions) -> Result<Option<MailSettings>, Failure> {
    let Some(route) = &mail.route else { return Ok(None) };
    // A text that is no route may still hold a password, so it is not repeated.
    let route = parse_mail_route(route).map_err(|why| {
        Failure::usage(
            format!("`--mail` or NDAUTHD_MAIL is no way for mail: {why}"),
            "see `ndauthd serve --help`",
        )
    })?;
    let from = mail.from.as_ref().and_then(|sender| parse_mail_from(&sender.0).ok());
    let from = from.ok_or_else(|| {
        let hint = "set `--mail-from` to an address that your mail server sends from";
        Failure::usage("mail has no sender", hint)
    })?;
    let login = match (&mail.user, &mail.password_file) {
        (None, None) => None,
        (Some(user), Some(file)) => Some((user.clone(), credential(file))),
        _ => {
            return Err(Failure::usage(
                "a name at the mail server and its password must be given together",
                "give both `--mail-user` and `--mail-password-file`",
            ));
        }
    };
    let (authorities, plaintext) = (mail.authorities.clone(), mail.plaintext);
    Ok(Some(MailSettings { route, from, login, authorities, plaintext }))
}

/// Combines the settings into the options of the server.
pub(crate) fn serve_options(
    location: DataLocation,
    common: &GlobalOptions,
    serve: &Serve,
) -> Result<ServeOptions, Failure> {
    let tls = match (&serve.tls_certificate, &serve.tls_key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => {
            Some(TlsFiles { certificate: certificate.clone(), key: credential(key) })
        }
        _ => {
            return Err(Failure::usage(
                "a certificate and its key must be given together",
                "give both `--tls-certificate` and `--tls-key`",
            ));
        }
    };
    let mail_password = serve.mail.password_file.as_deref().map(credential);
    Ok(ServeOptions {
        listen: serve.listen,
        admin_listen: serve.admin.listen,
        database: location.database,
        secret_files: location.secret_files.into_iter().chain(mail_password).collect(),
        data: location.data,
        tls,
        plaintext_beyond_loopback: serve.plaintext_beyond_loopback,
        drain: Duration::from_secs(serve.drain_seconds),
        freshness: Freshness { bound: serve.freshness_bound, stale_grace: serve.stale_grace },
        limits: Limits {
            connections: Limit {
                total: serve.max_connections,
                share: serve.max_connections_per_address.min(serve.max_connections),
                ..CONNECTIONS
            },
            trusted_proxies: serve.trusted_proxies.clone(),
            client_timeout: Duration::from_secs(serve.client_timeout_seconds),
            ..Limits::default()
        },
        public_url: common.public_url.clone(),
        cors_origins: serve.cors_origins.clone().map(|Origins(origins)| origins).unwrap_or_default(),
        traces: serve.traces.settings(),
        org_token_expiry: serve.org_token_expiry.clone(),
        logins: logins(serve)?,
        mail: mail_settings(&serve.mail)?,
    })
}

/// Shows the effective settings and their sources.
pub(crate) fn show(
    layer: &Layer,
    matches: &ArgMatches,
    location: &DataLocation,
    format: TextOrJson,
) -> Result<(), Failure> {
    let inner = innermost(matches);
    let mut rows = Vec::new();
    for setting in known() {
        let value = match setting.key.as_str() {
            // The database is shown without its password. If none is named, the default one is shown.
            "database" => Some(location.database.to_string()),
            "data-folder" => location.data.as_ref().map(|data| data.display().to_string()),
            _ => in_force(inner, &setting),
        };
        rows.push((setting.key.clone(), value, layer.origin(inner, &setting).to_string()));
    }
    match format {
        TextOrJson::Text => {
            let row = |(key, value, from): (String, Option<String>, String)| {
                [key, value.unwrap_or("-".to_owned()), from]
            };
            let rows = rows.into_iter().map(row).collect();
            print(&Rows { titles: ["KEY", "VALUE", "FROM"], rows, last_width: 0 }.table())
        }
        TextOrJson::Json => {
            let object = |(key, value, from): (String, Option<String>, String)| json!({ "key": key, "value": value, "from": from });
            let settings: Vec<Value> = rows.into_iter().map(object).collect();
            print_json(&json!({ "settings": settings }))
        }
    }
}

/// Returns an example file with every setting, its meaning and its default.
pub(crate) fn example() -> String {
    let mut text = String::from(
        "# The settings of ndauthd: `ndauthd serve --config FILE`. A flag overrides a variable, a variable\n\
         # overrides this file. What is commented out is the default.\n",
    );
    for setting in known() {
        let help = setting.argument.get_help().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(text, "\n# {help}");
        // A setting without a default shows the kind of its value.
        let names = setting.argument.get_value_names().unwrap_or_default();
        let value = setting.default().or_else(|| names.first().map(ToString::to_string)).unwrap_or_default();
        let value = match (setting.is_switch(), value.parse::<i64>()) {
            (true, _) | (_, Ok(_)) => value,
            _ => format!("\"{value}\""),
        };
        let _ = writeln!(text, "# {} = {value}", setting.key);
    }
    text
}

/// Returns the reference of the settings, in Markdown.
pub(crate) fn reference() -> String {
    let mut text = String::from(
        "# The settings of ndauthd\n\n\
         Each is a flag, a variable, and a key of the TOML file that `--config` (or `NDAUTHD_CONFIG`) names. A flag takes precedence\n\
         over its variable, the variable over the file, the file over the default. A variable that is empty counts as\n\
         unset. Without `--config`, the file is `/etc/ndauth/ndauthd.toml`, if it exists. `ndauthd config example` prints a file to begin with, `config check` validates one, and `config\n\
         show` prints the effective settings and their sources.\n\n\
         | key, and flag | variable | default | |\n|---|---|---|---|\n",
    );
    for setting in known() {
        let help = setting.argument.get_help().map(ToString::to_string).unwrap_or_default();
        let default = setting.default().map_or("-".to_owned(), |default| format!("`{default}`"));
        let possible: Vec<String> = match setting.is_switch() {
            true => Vec::new(),
            false => setting
                .argument
                .get_possible_values()
                .iter()
                .map(|value| format!("`{}`", value.get_name()))
                .collect(),
        };
        let possible =
            if possible.is_empty() { String::new() } else { format!(": {}", possible.join(" or ")) };
        let _ =
            writeln!(text, "| `{}` | `{}` | {default} | {help}{possible} |", setting.key, setting.variable);
    }
    text
}
