//! The command line of `ndauthd`, which is its configuration too: see `ndauth_terminal::settings`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use ndauth_authority::Freshness;
use ndauth_authority::limits::CONNECTIONS;
use ndauth_core::{DisplayName, Email, ExpiryChoice, Handle, Label, Networks, OrgSlug, Role, Timestamp};
use ndauth_server::{LogFormat, parse_log_filter, parse_public_url};
use ndauth_terminal::environment::without_empty_variables;
use ndauth_terminal::settings::Layer;

#[derive(Parser)]
#[command(
    name = "ndauthd",
    version,
    about = "A self-hosted token authority: the server, and its operator's commands"
)]
pub(crate) struct NdauthdArguments {
    #[command(flatten)]
    pub(crate) common: GlobalOptions,

    #[command(subcommand)]
    pub(crate) command: NdauthdCommand,
}

/// What every command takes.
#[derive(clap::Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct GlobalOptions {
    /// A TOML file of settings: `ndauthd config example` prints one
    #[arg(long, value_name = "FILE", env = "NDAUTHD_CONFIG", global = true)]
    pub(crate) config: Option<PathBuf>,

    /// The database: `sqlite:PATH` or `postgres://USER@HOST/DATABASE`; a SQLite file in the data folder where
    /// none is named
    #[arg(long, value_name = "URL", env = "NDAUTHD_DATABASE", hide_env_values = true, global = true)]
    pub(crate) database: Option<String>,

    /// A file that holds the password for PostgreSQL
    #[arg(long, value_name = "FILE", env = "NDAUTHD_DATABASE_PASSWORD_FILE", global = true)]
    pub(crate) database_password_file: Option<PathBuf>,

    /// Where ndauthd keeps its own files; `ndauth` in the platform's data folder where none is named
    #[arg(long, value_name = "FOLDER", env = "NDAUTHD_DATA_FOLDER", global = true)]
    pub(crate) data_folder: Option<PathBuf>,

    /// How browsers and clients reach the server, such as `https://auth.example.org`; what is sent to people begins
    /// with it. Where it is not said, the address that it listens on
    #[arg(long, value_name = "URL", env = "NDAUTHD_PUBLIC_URL", value_parser = parse_public_url, global = true)]
    pub(crate) public_url: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum NdauthdCommand {
    /// Serve until told to stop
    Serve(Serve),
    /// Serve a scratch installation on this machine, and say what to type to try it
    Dev(Dev),
    /// Look at the configuration: what is in force and whence, whether it makes sense, an example
    Config {
        #[command(subcommand)]
        command: NdauthdConfigCommand,
    },
    /// Work on the server's database, with or without a running server
    Admin {
        /// How to say what was done
        #[arg(short, long, value_name = "FORMAT", default_value = "text", global = true)]
        format: TextOrJson,

        #[command(subcommand)]
        command: AdminCommand,
    },
    /// Print the reference of every command, or write its pages for `man`
    Manual {
        /// Write a page for `man` of each command to this folder
        #[arg(long, value_name = "FOLDER")]
        man: Option<PathBuf>,

        /// Print the reference of the settings instead
        #[arg(long, conflicts_with = "man")]
        settings: bool,
    },
}

#[derive(clap::Args)]
pub(crate) struct Serve {
    /// Where gRPC and the pages are served
    #[arg(long, value_name = "ADDRESS", env = "NDAUTHD_LISTEN", default_value = LISTEN)]
    pub(crate) listen: SocketAddr,

    /// Where `/livez`, `/readyz` and `/metrics` are served, in plain text
    #[arg(long, value_name = "ADDRESS", env = "NDAUTHD_ADMIN_LISTEN", default_value = "127.0.0.1:7712")]
    pub(crate) admin_listen: SocketAddr,

    /// A file of PEM with the server's certificate and those between it and its authority; read again when
    /// it changes
    #[arg(long, value_name = "FILE", env = "NDAUTHD_TLS_CERTIFICATE")]
    pub(crate) tls_certificate: Option<PathBuf>,

    /// A file of PEM with the certificate's private key
    #[arg(long, value_name = "FILE", env = "NDAUTHD_TLS_KEY")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Let secrets cross the network in plain text, as behind a proxy that speaks TLS
    #[arg(long, env = "NDAUTHD_PLAINTEXT_BEYOND_LOOPBACK", value_parser = BoolishValueParser::new())]
    pub(crate) plaintext_beyond_loopback: bool,

    /// How long the server may take to end once it is told to stop: for calls in flight, and for what is left to write; a
    /// second signal ends it at once
    #[arg(long, value_name = "SECONDS", env = "NDAUTHD_DRAIN_SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) drain_seconds: u64,

    /// How late any change may be, such as a revocation: no answer is older, and none is kept for longer; from
    /// 500ms to 30s
    #[arg(long, value_name = "TIME", env = "NDAUTHD_FRESHNESS_BOUND", default_value = "2s", value_parser = bound)]
    pub(crate) freshness_bound: Duration,

    /// For how long beyond that a server whose database cannot be reached goes on answering services about what reads,
    /// such as 10m; these answers may honour what was revoked meanwhile. There is no such time for what writes
    #[arg(long, value_name = "TIME", env = "NDAUTHD_STALE_GRACE", default_value = "0s", value_parser = humantime::parse_duration)]
    pub(crate) stale_grace: Duration,

    /// How many connections there may be
    #[arg(long, value_name = "COUNT", env = "NDAUTHD_MAX_CONNECTIONS", default_value_t = CONNECTIONS.total)]
    pub(crate) max_connections: usize,

    /// How many of them from one address, or from one network /64 of IPv6
    #[arg(long, value_name = "COUNT", env = "NDAUTHD_MAX_CONNECTIONS_PER_ADDRESS", default_value_t = CONNECTIONS.share)]
    pub(crate) max_connections_per_address: usize,

    /// The networks of proxies that many clients are behind, which that does not bound, such as
    /// 10.0.0.0/8,192.0.2.7; what they say in X-Forwarded-For of a client's address is believed
    #[arg(long, value_name = "NETWORKS", env = "NDAUTHD_TRUSTED_PROXIES", value_parser = networks)]
    pub(crate) trusted_proxies: Option<Networks>,

    /// How long a client may keep the server waiting for what it has begun to send
    #[arg(long, value_name = "SECONDS", env = "NDAUTHD_CLIENT_TIMEOUT_SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) client_timeout_seconds: u64,

    /// A session ends when it was not used for so long; from 5m to what is the longest
    #[arg(long, value_name = "TIME", env = "NDAUTHD_SESSION_IDLE", default_value = "12h", value_parser = humantime::parse_duration)]
    pub(crate) session_idle: Duration,

    /// And after so long in any case; up to 365d
    #[arg(long, value_name = "TIME", env = "NDAUTHD_SESSION_LONGEST", default_value = "30d", value_parser = humantime::parse_duration)]
    pub(crate) session_longest: Duration,

    /// Let no device in by a code that its person types into a browser
    #[arg(long, env = "NDAUTHD_NO_DEVICE_LOGIN", value_parser = BoolishValueParser::new())]
    pub(crate) no_device_login: bool,

    /// What to log: off, error, warn, info, debug, trace, or `target=level,…`
    #[arg(long, value_name = "FILTER", env = "NDAUTHD_LOG", default_value = "info", value_parser = parse_log_filter)]
    pub(crate) log: String,

    /// How to write log lines
    #[arg(long, value_name = "FORMAT", env = "NDAUTHD_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogLines,
}

/// Where gRPC and the pages are served where nothing else is said.
pub(crate) const LISTEN: &str = "127.0.0.1:7711";

/// A bound that answers can be kept within.
fn bound(text: &str) -> Result<Duration, String> {
    let bound = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if Freshness::BOUNDS.contains(&bound) { Ok(bound) } else { Err("it is from 500ms to 30s".to_owned()) }
}

/// Networks with commas between them.
fn networks(text: &str) -> Result<Networks, String> {
    let each = text.split(',').map(|one| one.trim().parse().map_err(|why| format!("`{one}`: {why}")));
    let networks = each.collect::<Result<Vec<_>, String>>()?;
    Networks::only(networks).map_err(|why| why.to_string())
}

#[derive(clap::Args)]
pub(crate) struct Dev {
    /// Keep the installation in this folder, and use the one that is there
    #[arg(long, value_name = "FOLDER")]
    pub(crate) keep: Option<PathBuf>,

    /// Where gRPC and the pages are served: an address of this machine alone
    #[arg(long, value_name = "ADDRESS", default_value = LISTEN)]
    pub(crate) listen: SocketAddr,

    /// Where `/livez`, `/readyz` and `/metrics` are served
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7712")]
    pub(crate) admin_listen: SocketAddr,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum LogLines {
    /// For people
    Text,
    /// For machines: an object a line
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TextOrJson {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Subcommand)]
pub(crate) enum NdauthdConfigCommand {
    /// Print a file with every setting, its meaning and its default
    Example,
    /// Say whether the settings make sense, without serving: files are there, certificates fit their keys
    Check(Serve),
    /// List every setting in force, and where it comes from; passwords are hidden
    Show {
        /// How to print them
        #[arg(short, long, value_name = "FORMAT", default_value = "text")]
        format: TextOrJson,

        #[command(flatten)]
        serve: Serve,
    },
}

#[derive(Subcommand)]
pub(crate) enum AdminCommand {
    /// Make, invite, list, disable, enable or sign out accounts
    #[command(subcommand)]
    Account(AdminAccountCommand),
    /// Make, list or delete orgs
    #[command(subcommand)]
    Org(AdminOrgCommand),
    /// Say or list who is a member of an org
    #[command(subcommand)]
    Member(AdminMemberCommand),
    /// Begin or list sessions
    #[command(subcommand)]
    Session(AdminSessionCommand),
    /// Register, list, rotate or revoke internal services
    #[command(subcommand)]
    Service(AdminServiceCommand),
    /// List or revoke anybody's tokens
    #[command(subcommand)]
    Token(AdminTokenCommand),
    /// Show or replace the catalogue: the resource types and actions there are, and the role each needs
    #[command(subcommand)]
    Catalogue(AdminCatalogueCommand),
    /// Read the log of all changes
    #[command(subcommand)]
    Events(AdminEventsCommand),
    /// Compare all that the database holds with itself and with the log
    Check,
    /// Remove what is dead for 400 days (never used: 30, sessions: 1), as the server does by itself once an hour
    Tidy,
    /// Copy the database to a new file, while it is served
    Backup {
        /// The file to write
        file: PathBuf,
    },
    /// Put a copy in the place of the database; it is not served before `after-restore`
    Restore {
        /// The copy: a file that `backup` wrote
        file: PathBuf,
    },
    /// Put a restored copy into service, and decide which of its secrets stay valid: the copy has forgotten
    /// what was revoked since it was made
    #[command(group = clap::ArgGroup::new("settlement").required(true))]
    AfterRestore {
        /// Do again what the copy has forgotten, from what `events export` wrote of the newer database
        #[arg(long, value_name = "EXPORT", group = "settlement")]
        replay: Option<PathBuf>,

        /// Revoke every secret minted before: an RFC 3339 instant, or `now`
        #[arg(long, value_name = "INSTANT", group = "settlement", value_parser = instant_or_now)]
        not_before: Option<InstantOrNow>,

        /// Revoke nothing: what the lost events revoked lives again
        #[arg(long, group = "settlement")]
        accept_loss: bool,
    },
    /// Bring the schema to this version, or tell its state
    #[command(subcommand)]
    Migrate(AdminMigrateCommand),
}

#[derive(Subcommand)]
pub(crate) enum AdminAccountCommand {
    /// Make an account
    Create {
        /// Its name, for good: a-z, 0-9 and inner hyphens
        handle: Handle,
        /// Where mail goes
        #[arg(long)]
        email: Email,
        /// What the person is called
        #[arg(long)]
        name: Option<DisplayName>,
        /// Let it create orgs and read all audit
        #[arg(long)]
        operator: bool,
    },
    /// Print a link by which an account's person sets a password in a browser; those made before end
    Invite {
        /// Whose
        handle: Handle,
    },
    /// List accounts
    List,
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
    /// End every session of an account; its tokens go on
    SignOut {
        /// Whose
        handle: Handle,
    },
}

#[derive(Subcommand)]
pub(crate) enum AdminOrgCommand {
    /// Make an org
    Create {
        /// Its name, for good: a-z, 0-9 and inner hyphens
        slug: OrgSlug,
        /// What it is called
        #[arg(long)]
        name: Option<DisplayName>,
        /// Its first admin
        #[arg(long, value_name = "HANDLE")]
        admin: Option<Handle>,
    },
    /// List orgs
    List {
        /// Deleted ones too
        #[arg(long)]
        all: bool,
    },
    /// Delete an org: no token has power in it, and its name is never given out again
    Delete {
        /// Which
        slug: OrgSlug,
    },
}

#[derive(Subcommand)]
pub(crate) enum AdminMemberCommand {
    /// Give an account a role in an org
    Set {
        /// Where
        org: OrgSlug,
        /// Who
        handle: Handle,
        /// RO, RW or ADMIN
        role: Role,
    },
    /// List who is a member
    List {
        /// Of this org alone
        #[arg(long, value_name = "SLUG")]
        org: Option<OrgSlug>,
        /// This account alone
        #[arg(long, value_name = "HANDLE")]
        account: Option<Handle>,
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
pub(crate) enum AdminSessionCommand {
    /// Begin a session, and print its secret alone on standard output
    Issue {
        /// Whose
        handle: Handle,
        /// How long it lasts: a number of h, d, w or y, up to 365 days, or an RFC 3339 instant
        #[arg(long, value_name = "DURATION", default_value = "12h", value_parser = ExpiryChoice::parse_duration)]
        expires_in: ExpiryChoice,
    },
    /// List sessions that have not ended
    List {
        /// Of this account alone
        #[arg(long, value_name = "HANDLE")]
        account: Option<Handle>,
        /// Those that have ended too
        #[arg(long)]
        all: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum AdminServiceCommand {
    /// Register a service, and print its secret alone on standard output
    Create {
        /// What to call it
        name: Label,
        /// An org that it may ask about; may be repeated [default: all]
        #[arg(long, value_name = "SLUG")]
        org: Vec<OrgSlug>,
        /// Believe the address that it states of its client, as where tokens are bound to networks
        #[arg(long)]
        states_client_address: bool,
    },
    /// List services
    List {
        /// Revoked ones too
        #[arg(long)]
        all: bool,
    },
    /// Give a service a new secret, and print it alone on standard output; it takes over at its first use
    Rotate {
        /// Which
        name: Label,
        /// How long the secret it had serves on once the new one took over, such as `24h` or `30m`; `0` ends it then
        #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
        overlap: Duration,
        /// Make no new secret: let the one that waits take over now
        #[arg(long, group = "settling", conflicts_with = "overlap")]
        confirm: bool,
        /// Make no new secret: drop the one that waits
        #[arg(long, group = "settling", conflicts_with = "overlap")]
        drop: bool,
        /// Make no new secret: end the old one before its overlap is over
        #[arg(long, group = "settling", conflicts_with = "overlap")]
        retire: bool,
        /// End the old one though somebody uses it still
        #[arg(long, requires = "retire")]
        anyway: bool,
    },
    /// Revoke a service: it can ask nothing from now on
    Revoke {
        /// Which
        name: Label,
    },
}

#[derive(Subcommand)]
pub(crate) enum AdminTokenCommand {
    /// List tokens
    List {
        /// Of this account alone
        #[arg(long, value_name = "HANDLE")]
        owner: Option<Handle>,
        /// Revoked ones too
        #[arg(long)]
        all: bool,
    },
    /// Revoke a token: by its id, or by its owner and the name it has there
    Revoke {
        /// Its id, or its name with `--owner`
        token: String,
        /// Whose it is
        #[arg(long, value_name = "HANDLE")]
        owner: Option<Handle>,
    },
    /// Take a token's power for now: by its id, or by its owner and the name it has there
    Suspend {
        /// Its id, or its name with `--owner`
        token: String,
        /// Whose it is
        #[arg(long, value_name = "HANDLE")]
        owner: Option<Handle>,
    },
    /// Give a token back what anybody took of its power
    Resume {
        /// Its id, or its name with `--owner`
        token: String,
        /// Whose it is
        #[arg(long, value_name = "HANDLE")]
        owner: Option<Handle>,
    },
}

#[derive(Subcommand)]
pub(crate) enum AdminCatalogueCommand {
    /// Print the catalogue as a file that `apply` takes
    Show,
    /// Replace the catalogue by what a file says
    Apply {
        /// A TOML file: `ndauthd admin catalogue show` prints one
        file: PathBuf,
        /// Say what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum AdminEventsCommand {
    /// Write the log to standard output, a line of JSON an event, for `after-restore` and for keeping
    Export {
        /// Only what comes after this event
        #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
        after: u64,
    },
}

#[derive(Subcommand)]
pub(crate) enum AdminMigrateCommand {
    /// Bring the schema to this version
    Up,
    /// Tell which steps of the schema's history the database has taken
    Status,
}

/// An instant, or the one that is now where it is judged.
#[derive(Clone, Copy)]
pub(crate) enum InstantOrNow {
    Instant(Timestamp),
    Now,
}

impl From<LogLines> for LogFormat {
    fn from(lines: LogLines) -> LogFormat {
        match lines {
            LogLines::Text => LogFormat::Text,
            LogLines::Json => LogFormat::Json,
        }
    }
}

/// The command line on top of what a file sets. For it an empty variable is as good as none.
pub(crate) fn command(layer: &Layer) -> clap::Command {
    without_empty_variables(layer.beneath(NdauthdArguments::command()))
}

fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|why| format!("{why}: expected a duration such as `24h` or `0`"))
}

fn instant_or_now(text: &str) -> Result<InstantOrNow, String> {
    if text == "now" {
        return Ok(InstantOrNow::Now);
    }
    text.parse().map(InstantOrNow::Instant).map_err(|why: ndauth_core::InvalidTimestamp| why.to_string())
}
