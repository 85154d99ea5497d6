//! The command line of `ndauthd`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use etcetera::BaseStrategy;
use ndauth_authority::DatabaseUrl;
use ndauth_core::{Email, ExpiryChoice, Handle, Label, OrgSlug, Role};
use ndauth_server::LogFormat;

use crate::report::Failure;

#[derive(Parser)]
#[command(
    name = "ndauthd",
    version,
    about = "A self-hosted token authority: the server, and its operator's commands"
)]
pub(crate) struct Arguments {
    /// The database: `sqlite:PATH` or `postgres://USER@HOST/DATABASE` [default: a SQLite file in the data folder]
    #[arg(long, value_name = "URL", env = "NDAUTHD_DATABASE", hide_env_values = true, global = true)]
    pub(crate) database: Option<DatabaseUrl>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve until told to stop
    Serve(Serve),
    /// Work on the server's database, with or without a running server
    Admin {
        #[command(subcommand)]
        command: Admin,
    },
}

#[derive(clap::Args)]
pub(crate) struct Serve {
    /// Where gRPC is served
    #[arg(long, value_name = "ADDRESS", env = "NDAUTHD_LISTEN", default_value = "127.0.0.1:7711")]
    pub(crate) listen: SocketAddr,

    /// Where `/livez`, `/readyz` and `/metrics` are served
    #[arg(long, value_name = "ADDRESS", env = "NDAUTHD_ADMIN_LISTEN", default_value = "127.0.0.1:7712")]
    pub(crate) admin_listen: SocketAddr,

    /// Let secrets cross the network in plain text, as behind a proxy that speaks TLS
    #[arg(long, env = "NDAUTHD_PLAINTEXT_BEYOND_LOOPBACK", value_parser = FalseyValueParser::new())]
    pub(crate) plaintext_beyond_loopback: bool,

    /// How long calls in flight may take once the server is told to stop
    #[arg(long, value_name = "SECONDS", env = "NDAUTHD_DRAIN_SECONDS", default_value_t = 10)]
    pub(crate) drain_seconds: u64,

    /// What to log: error, warn, info, debug, or `target=level,…`
    #[arg(long, value_name = "FILTER", env = "NDAUTHD_LOG", default_value = "info")]
    pub(crate) log: String,

    /// How to write log lines
    #[arg(long, value_name = "FORMAT", env = "NDAUTHD_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogLines,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum LogLines {
    /// For people
    Text,
    /// For machines: an object a line
    Json,
}

#[derive(Subcommand)]
pub(crate) enum Admin {
    /// Make, disable or enable accounts
    #[command(subcommand)]
    Account(Account),
    /// Make or delete orgs
    #[command(subcommand)]
    Org(Org),
    /// Say who is a member of an org
    #[command(subcommand)]
    Member(Member),
    /// Begin sessions for accounts
    #[command(subcommand)]
    Session(Session),
    /// Register or revoke internal services
    #[command(subcommand)]
    Service(Service),
    /// Bring the schema to this version, or tell its state
    #[command(subcommand)]
    Migrate(Migrate),
}

#[derive(Subcommand)]
pub(crate) enum Account {
    /// Make an account
    Create {
        /// Its name, for good: a-z, 0-9 and inner hyphens
        handle: Handle,
        /// Where mail goes
        #[arg(long)]
        email: Email,
        /// What the person is called
        #[arg(long)]
        name: Option<Label>,
        /// Let it create orgs and read all audit
        #[arg(long)]
        operator: bool,
    },
    /// Take an account's power at once; its tokens stay, and do nothing
    Disable {
        /// Whose
        handle: Handle,
    },
    /// Give an account its power back
    Enable {
        /// Whose
        handle: Handle,
    },
}

#[derive(Subcommand)]
pub(crate) enum Org {
    /// Make an org
    Create {
        /// Its name, for good: a-z, 0-9 and inner hyphens
        slug: OrgSlug,
        /// What it is called
        #[arg(long)]
        name: Option<Label>,
    },
    /// Delete an org: no token has power in it, and its name is never given out again
    Delete {
        /// Which
        slug: OrgSlug,
    },
}

#[derive(Subcommand)]
pub(crate) enum Member {
    /// Give an account a role in an org
    Set {
        /// Where
        org: OrgSlug,
        /// Who
        handle: Handle,
        /// RO, RW or ADMIN
        role: Role,
    },
    /// Take an account out of an org
    Remove {
        /// Where
        org: OrgSlug,
        /// Who
        handle: Handle,
    },
}

#[derive(Subcommand)]
pub(crate) enum Session {
    /// Begin a session, and print its secret alone on standard output
    Issue {
        /// Whose
        handle: Handle,
        /// How long it lasts: a number of h, d, w or y, up to 365 days, or an RFC 3339 instant
        #[arg(long, value_name = "DURATION", default_value = "12h", value_parser = ExpiryChoice::parse_duration)]
        expires_in: ExpiryChoice,
    },
}

#[derive(Subcommand)]
pub(crate) enum Service {
    /// Register a service, and print its secret alone on standard output
    Create {
        /// What to call it
        name: Label,
        /// An org that it may ask about; may be repeated [default: all]
        #[arg(long, value_name = "SLUG")]
        org: Vec<OrgSlug>,
    },
    /// Revoke a service: it can ask nothing from now on
    Revoke {
        /// Which
        name: Label,
    },
}

#[derive(Subcommand)]
pub(crate) enum Migrate {
    /// Bring the schema to this version
    Up,
    /// Tell which steps of the schema's history the database has taken
    Status,
}

impl From<LogLines> for LogFormat {
    fn from(lines: LogLines) -> LogFormat {
        match lines {
            LogLines::Text => LogFormat::Text,
            LogLines::Json => LogFormat::Json,
        }
    }
}

/// The command line, for which an empty variable is as good as none.
pub(crate) fn command() -> clap::Command {
    without_empty_variables(Arguments::command())
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    command.mut_args(without_empty_variable).mut_subcommands(without_empty_variables)
}

#[expect(clippy::disallowed_methods, reason = "the one place that looks at the environment beside clap")]
fn without_empty_variable(argument: clap::Arg) -> clap::Arg {
    let empty = argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    if empty { argument.env(None::<&str>) } else { argument }
}

/// The database that was named, or a file in the platform's data folder, which is made where needed.
pub(crate) fn database(named: Option<DatabaseUrl>) -> Result<DatabaseUrl, Failure> {
    if let Some(url) = named {
        return Ok(url);
    }
    let home = etcetera::choose_base_strategy().map_err(|_| {
        Failure::usage(
            "there is no home folder to keep the database in",
            "say where: `--database sqlite:PATH`",
        )
    })?;
    let folder: PathBuf = home.data_dir().join("ndauth");
    std::fs::create_dir_all(&folder)?;
    Ok(DatabaseUrl::Sqlite(folder.join("ndauth.db")))
}
