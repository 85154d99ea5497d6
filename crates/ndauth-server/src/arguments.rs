//! The command line of `ndauthd`, which is its configuration too: see `ndauth_terminal::settings`.

mod traces;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use ndauth_authority::Freshness;
use ndauth_authority::limits::CONNECTIONS;
use ndauth_core::{
    DisplayName, Email, ExpiryChoice, Handle, Label, Networks, OrgSlug, Orgs, Role, Timestamp,
};
use ndauth_server::{LogFormat, parse_log_filter, parse_mail_from, parse_public_url};
use ndauth_terminal::environment::without_empty_variables;
use ndauth_terminal::settings::Layer;
use ndauth_terminal::{Shell, instant, with_help};

use crate::guide::HELP;

use crate::presets::Preset;
use traces::TraceOptions;

#[derive(Parser)]
#[command(
    name = "ndauthd",
    version,
    about = "A self-hosted token authority: the server and its operator's commands",
    after_help = "Example:\n  ndauthd dev"
)]
pub(crate) struct NdauthdArguments {
    #[command(flatten)]
    pub(crate) common: GlobalOptions,

    #[command(subcommand)]
    pub(crate) command: NdauthdCommand,
}

/// Options of every command.
#[derive(clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalOptions {
    /// TOML file of settings: `ndauthd config example` prints one [default: /etc/ndauth/ndauthd.toml, if it exists]
    #[arg(long, value_name = "FILE", env = "NDAUTHD_CONFIG", global = true)]
    pub(crate) config: Option<PathBuf>,

    /// Database: `sqlite:PATH` or `postgres://USER@HOST/DATABASE` [default: a SQLite file in the data folder]
    #[arg(long, value_name = "URL", env = "NDAUTHD_DATABASE", hide_env_values = true, global = true)]
    pub(crate) database: Option<String>,

    /// File that holds the password for PostgreSQL
    #[arg(long, value_name = "FILE", env = "NDAUTHD_DATABASE_PASSWORD_FILE", global = true)]
    pub(crate) database_password_file: Option<PathBuf>,

    /// Folder for ndauthd's own files [default: `ndauth` in the platform's data folder]
    #[arg(long, value_name = "FOLDER", env = "NDAUTHD_DATA_FOLDER", global = true)]
    pub(crate) data_folder: Option<PathBuf>,

    /// URL under which browsers and clients reach the server, such as `https://auth.example.org` [default: the address
    /// that it listens on]
    #[arg(long, value_name = "URL", env = "NDAUTHD_PUBLIC_URL", value_parser = parse_public_url, global = true)]
    pub(crate) public_url: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum NdauthdCommand {
    /// Run the server
    Serve(Serve),
    /// Run a scratch installation on this machine, to try it
    Dev(Dev),
    /// Ask the running server on this machine if it is ready, for a health check
    Health(AdminListen),
    /// Show, check or exemplify the configuration
    Config {
        #[command(subcommand)]
        command: NdauthdConfigCommand,
    },
    /// Manage the server's database, with or without a running server
    Admin {
        /// Output format
        #[arg(short, long, value_name = "FORMAT", default_value = "text", global = true)]
        format: TextOrJson,

        #[command(subcommand)]
        command: AdminCommand,
    },
    /// Print a completion script for a shell
    Completions {
        /// Shell
        shell: Shell,
    },
    /// Print the reference, or write man pages
    Manual {
        /// Write a man page of each command to this folder
        #[arg(long, value_name = "FOLDER")]
        man: Option<PathBuf>,

        /// Print the reference of the settings
        #[arg(long, conflicts_with = "man")]
        settings: bool,
    },
}

impl NdauthdCommand {
    /// Returns true for a command about this machine's installation, whose configuration it reads.
    pub(crate) fn concerns_the_installation(&self) -> bool {
        match self {
            NdauthdCommand::Serve(_) | NdauthdCommand::Health(_) | NdauthdCommand::Admin { .. } => true,
            NdauthdCommand::Config { command } => !matches!(command, NdauthdConfigCommand::Example),
            NdauthdCommand::Dev(_) | NdauthdCommand::Completions { .. } | NdauthdCommand::Manual { .. } => {
                false
            }
        }
    }
}

#[derive(clap::Args)]
pub(crate) struct Serve {
    /// Address for gRPC and the pages
    #[arg(long, value_name = "ADDRESS", env = "NDAUTHD_LISTEN", default_value = LISTEN)]
    pub(crate) listen: SocketAddr,

    #[command(flatten)]
    pub(crate) admin: AdminListen,

    /// PEM file with the server's certificate and the intermediate ones; reloaded when it changes
    #[arg(long, value_name = "FILE", env = "NDAUTHD_TLS_CERTIFICATE")]
    pub(crate) tls_certificate: Option<PathBuf>,

    /// PEM file with the certificate's private key
    #[arg(long, value_name = "FILE", env = "NDAUTHD_TLS_KEY")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Allow secrets to cross the network unencrypted, as behind a proxy that terminates TLS
    #[arg(long, env = "NDAUTHD_PLAINTEXT_BEYOND_LOOPBACK", value_parser = BoolishValueParser::new())]
    pub(crate) plaintext_beyond_loopback: bool,

    /// Time to finish calls in flight and writes after a signal to stop; a second signal stops the server at once
    #[arg(long, value_name = "SECONDS", env = "NDAUTHD_DRAIN_SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) drain_seconds: u64,

    /// Longest delay of any change, such as a revocation, in any answer or cache; from 500ms to 30s
    #[arg(long, value_name = "TIME", env = "NDAUTHD_FRESHNESS_BOUND", default_value = "2s", value_parser = bound)]
    pub(crate) freshness_bound: Duration,

    /// Time beyond that bound during which reads are answered while the database is unreachable, such as 10m; such
    /// answers may honour what was revoked meanwhile. Writes have no such time
    #[arg(long, value_name = "TIME", env = "NDAUTHD_STALE_GRACE", default_value = "0s", value_parser = humantime::parse_duration)]
    pub(crate) stale_grace: Duration,

    /// Maximum number of connections
    #[arg(long, value_name = "COUNT", env = "NDAUTHD_MAX_CONNECTIONS", default_value_t = CONNECTIONS.total)]
    pub(crate) max_connections: usize,

    /// Maximum number of connections from one address, or from one IPv6 /64
    #[arg(long, value_name = "COUNT", env = "NDAUTHD_MAX_CONNECTIONS_PER_ADDRESS", default_value_t = CONNECTIONS.share)]
    pub(crate) max_connections_per_address: usize,

    /// Networks of trusted proxies, such as 10.0.0.0/8,192.0.2.7: that limit does not apply to them, and their
    /// X-Forwarded-For is believed
    #[arg(long, value_name = "NETWORKS", env = "NDAUTHD_TRUSTED_PROXIES", value_parser = networks)]
    pub(crate) trusted_proxies: Option<Networks>,

    /// Origins whose scripts may call the HTTP API, such as `https://app.example.org,http://localhost:3000`
    #[arg(long, value_name = "ORIGINS", env = "NDAUTHD_CORS_ORIGINS", value_parser = origins)]
    pub(crate) cors_origins: Option<Origins>,

    /// Timeout for the rest of a request that a client has begun to send
    #[arg(long, value_name = "SECONDS", env = "NDAUTHD_CLIENT_TIMEOUT_SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) client_timeout_seconds: u64,

    /// Idle time after which a session ends; from 5m to the longest lifetime
    #[arg(long, value_name = "TIME", env = "NDAUTHD_SESSION_IDLE", default_value = "12h", value_parser = humantime::parse_duration)]
    pub(crate) session_idle: Duration,

    /// Longest lifetime of a session; up to 365d
    #[arg(long, value_name = "TIME", env = "NDAUTHD_SESSION_LONGEST", default_value = "30d", value_parser = humantime::parse_duration)]
    pub(crate) session_longest: Duration,

    /// Disable login by a code that is typed into a browser
    #[arg(long, env = "NDAUTHD_NO_DEVICE_LOGIN", value_parser = BoolishValueParser::new())]
    pub(crate) no_device_login: bool,

    /// Orgs whose tokens' time to expiry is in the metrics, by token name, such as `acme,ops`; or `all`
    #[arg(long, value_name = "ORGS", env = "NDAUTHD_ORG_TOKEN_EXPIRY", value_parser = all_or_orgs)]
    pub(crate) org_token_expiry: Option<Orgs<OrgSlug>>,

    #[command(flatten)]
    pub(crate) traces: TraceOptions,

    #[command(flatten)]
    pub(crate) mail: MailOptions,

    /// Log filter: off, error, warn, info, debug, trace, or `target=level,…`
    #[arg(long, value_name = "FILTER", env = "NDAUTHD_LOG", default_value = "info", value_parser = parse_log_filter)]
    pub(crate) log: String,

    /// Log format
    #[arg(long, value_name = "FORMAT", env = "NDAUTHD_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogLines,
}

/// The way that mail goes.
#[derive(clap::Args)]
pub(crate) struct MailOptions {
    /// Mail notices to people: by `smtp://HOST:PORT`, `smtps://HOST:PORT`, `sendmail:PROGRAM` or `folder:FOLDER`
    /// [default: none are mailed]
    #[arg(long = "mail", value_name = "ROUTE", env = "NDAUTHD_MAIL", hide_env_values = true)]
    pub(crate) route: Option<String>,

    /// Sender of mail, such as `ndauth <ndauth@example.org>`
    #[arg(long = "mail-from", value_name = "ADDRESS", env = "NDAUTHD_MAIL_FROM", value_parser = sender)]
    pub(crate) from: Option<Sender>,

    /// Name to log in by at the mail server
    #[arg(long = "mail-user", value_name = "NAME", env = "NDAUTHD_MAIL_USER")]
    pub(crate) user: Option<String>,

    /// File that holds the password for the mail server
    #[arg(long = "mail-password-file", value_name = "FILE", env = "NDAUTHD_MAIL_PASSWORD_FILE")]
    pub(crate) password_file: Option<PathBuf>,

    /// PEM file of the authorities for the mail server's certificate [default: the system's]
    #[arg(long = "mail-authorities", value_name = "FILE", env = "NDAUTHD_MAIL_AUTHORITIES")]
    pub(crate) authorities: Option<PathBuf>,

    /// Allow unencrypted mail beyond this machine
    #[arg(long = "mail-plaintext", env = "NDAUTHD_MAIL_PLAINTEXT", value_parser = BoolishValueParser::new())]
    pub(crate) plaintext: bool,
}

/// The sender of mail, which was checked.
#[derive(Clone, Debug)]
pub(crate) struct Sender(pub(crate) String);

fn sender(text: &str) -> Result<Sender, String> {
    parse_mail_from(text).map(|_| Sender(text.to_owned()))
}

/// The operator's port.
#[derive(clap::Args)]
pub(crate) struct AdminListen {
    /// Address for `/livez`, `/readyz` and `/metrics`, in plain text
    #[arg(
        long = "admin-listen",
        value_name = "ADDRESS",
        env = "NDAUTHD_ADMIN_LISTEN",
        default_value = "127.0.0.1:7712",
        id = "admin_listen"
    )]
    pub(crate) listen: SocketAddr,
}

/// The default address for gRPC and the pages.
pub(crate) const LISTEN: &str = "127.0.0.1:7711";

/// A bound that answers can be kept within.
fn bound(text: &str) -> Result<Duration, String> {
    let bound = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if Freshness::BOUNDS.contains(&bound) { Ok(bound) } else { Err("it is from 500ms to 30s".to_owned()) }
}

/// Origins of browsers.
#[derive(Clone, Debug)]
pub(crate) struct Origins(pub(crate) Vec<String>);

/// Origins with commas between them. No word stands for all of them.
fn origins(text: &str) -> Result<Origins, String> {
    let each =
        text.split(',').map(|one| parse_public_url(one.trim()).map_err(|why| format!("`{one}`: {why}")));
    each.collect::<Result<_, _>>().map(Origins)
}

/// `all`, or orgs with commas between them. No org is called `all`.
fn all_or_orgs(text: &str) -> Result<Orgs<OrgSlug>, String> {
    if text.trim() == "all" {
        return Ok(Orgs::All);
    }
    let each = text.split(',').map(|one| one.trim().parse().map_err(|why| format!("`{one}`: {why}")));
    Orgs::only(each.collect::<Result<Vec<_>, String>>()?).map_err(|why| why.to_string())
}

/// Networks with commas between them.
fn networks(text: &str) -> Result<Networks, String> {
    let each = text.split(',').map(|one| one.trim().parse().map_err(|why| format!("`{one}`: {why}")));
    let networks = each.collect::<Result<Vec<_>, String>>()?;
    Networks::only(networks).map_err(|why| why.to_string())
}

#[derive(clap::Args)]
pub(crate) struct Dev {
    /// Keep the installation in this folder, and reuse it
    #[arg(long, value_name = "FOLDER")]
    pub(crate) keep: Option<PathBuf>,

    /// Loopback address for gRPC and the pages
    #[arg(long, value_name = "ADDRESS", default_value = LISTEN)]
    pub(crate) listen: SocketAddr,

    /// Loopback address for `/livez`, `/readyz` and `/metrics`
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
    /// Print a file with every setting and its default
    Example,
    /// Check the settings, certificates and database without serving
    Check(Serve),
    /// Show the effective settings and their sources
    Show {
        /// Output format
        #[arg(short, long, value_name = "FORMAT", default_value = "text")]
        format: TextOrJson,

        #[command(flatten)]
        serve: Serve,
    },
}

#[derive(Subcommand)]
pub(crate) enum AdminCommand {
    /// Manage accounts
    #[command(subcommand)]
    Account(AdminAccountCommand),
    /// Manage operators
    #[command(subcommand)]
    Operator(AdminOperatorCommand),
    /// Create, list or delete orgs
    #[command(subcommand)]
    Org(AdminOrgCommand),
    /// Manage memberships
    #[command(subcommand)]
    Member(AdminMemberCommand),
    /// Issue or list sessions
    #[command(subcommand)]
    Session(AdminSessionCommand),
    /// Manage internal services and their secrets
    #[command(subcommand)]
    Service(AdminServiceCommand),
    /// List, revoke, suspend or resume any token
    #[command(subcommand)]
    Token(AdminTokenCommand),
    /// Show or replace the catalogue of permissions
    #[command(subcommand)]
    Catalogue(AdminCatalogueCommand),
    /// Export the event log
    #[command(subcommand)]
    Events(AdminEventsCommand),
    /// Look at the mails that wait, or send a test
    #[command(subcommand)]
    Mail(AdminMailCommand),
    /// Check that the database agrees with its event log
    Check,
    /// Remove what has been dead for long, as the server does hourly
    ///
    /// Tokens and services 400 days after their end, tokens that were never used after 30, sessions after 1.
    Tidy,
    /// Copy the database to a new file, even while it is served
    Backup {
        /// File to write
        file: PathBuf,
    },
    /// Replace the database by a copy; `after-restore` puts it into service
    Restore {
        /// File that `backup` wrote
        file: PathBuf,
    },
    /// Put a restored copy into service, and decide about its secrets
    ///
    /// The copy has forgotten what was revoked since it was made.
    #[command(group = clap::ArgGroup::new("settlement").required(true))]
    AfterRestore {
        /// Replay what the copy has forgotten, from an `events export` of the newer database
        #[arg(long, value_name = "EXPORT", group = "settlement")]
        replay: Option<PathBuf>,

        /// Revoke every secret made before: 2026-11-21, an RFC 3339 instant, or now
        #[arg(long, value_name = "WHEN", group = "settlement", value_parser = instant_or_now)]
        not_before: Option<InstantOrNow>,

        /// Revoke nothing: what the lost events revoked is valid again
        #[arg(long, group = "settlement")]
        accept_loss: bool,

        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Migrate the schema, or show its state
    #[command(subcommand)]
    Migrate(AdminMigrateCommand),
}

#[derive(Subcommand)]
pub(crate) enum AdminAccountCommand {
    /// Create an account
    Create {
        /// Permanent name: a-z, 0-9 and inner hyphens
        handle: Handle,
        /// E-mail address
        #[arg(long)]
        email: Email,
        /// Person's name
        #[arg(long)]
        name: Option<DisplayName>,
        /// Make it an operator
        #[arg(long)]
        operator: bool,
    },
    /// Print a link to set a password; earlier links stop working
    Invite {
        /// Account
        handle: Handle,
    },
    /// Change the e-mail address or the name of an account
    #[command(group = clap::ArgGroup::new("update").required(true).multiple(true))]
    Update {
        /// Account
        handle: Handle,
        /// New e-mail address
        #[arg(long, group = "update")]
        email: Option<Email>,
        /// New name of the person
        #[arg(long, group = "update")]
        name: Option<DisplayName>,
    },
    /// List accounts
    #[command(alias = "ls")]
    List,
    /// Disable an account at once; its tokens stay, without power
    Disable {
        /// Account
        handle: Handle,
    },
    /// Enable an account
    Enable {
        /// Account
        handle: Handle,
    },
    /// Erase the personal data of a disabled account, for good
    Erase {
        /// Account
        handle: Handle,
        /// Skip the confirmation
        #[arg(long)]
        yes: bool,
    },
    /// End every session of an account; its tokens stay valid
    SignOut {
        /// Account
        handle: Handle,
    },
}

#[derive(Subcommand)]
pub(crate) enum AdminMailCommand {
    /// Show how many mails wait or were given up, and why
    Status,
    /// Send a test mail, and report what the mail server says
    Test {
        /// Address to send it to
        address: Email,

        #[command(flatten)]
        mail: MailOptions,
    },
}

#[derive(Subcommand)]
pub(crate) enum AdminOperatorCommand {
    /// Make an account an operator
    ///
    /// An operator creates orgs, adds members without their consent, and revokes all tokens of others.
    Grant {
        /// Account
        handle: Handle,
    },
    /// Take the operator's rights from an account, at once
    Revoke {
        /// Account
        handle: Handle,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum AdminOrgCommand {
    /// Create an org
    Create {
        /// Permanent name: a-z, 0-9 and inner hyphens
        slug: OrgSlug,
        /// Display name
        #[arg(long)]
        name: Option<DisplayName>,
        /// First admin
        #[arg(long, value_name = "HANDLE")]
        admin: Option<Handle>,
    },
    /// List orgs
    List {
        /// Include deleted orgs
        #[arg(long)]
        all: bool,
    },
    /// Delete an org; its name is never given out again
    #[command(alias = "rm")]
    Delete {
        /// Org: its slug, its id, or the beginning of its id
        org: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum AdminMemberCommand {
    /// Give an account a role in an org
    Set {
        /// Org
        org: OrgSlug,
        /// Account
        handle: Handle,
        /// Role: RO, RW or ADMIN
        role: Role,
    },
    /// List memberships
    #[command(alias = "ls")]
    List {
        /// Only members of this org
        #[arg(long, value_name = "SLUG")]
        org: Option<OrgSlug>,
        /// Only this account
        #[arg(long, value_name = "HANDLE")]
        account: Option<Handle>,
    },
    /// Remove an account from an org
    #[command(alias = "rm")]
    Remove {
        /// Org
        org: OrgSlug,
        /// Account
        handle: Handle,
    },
}

#[derive(Subcommand)]
pub(crate) enum AdminSessionCommand {
    /// Issue a session, and print its secret
    Issue {
        /// Account
        handle: Handle,
        /// Lifetime or end: 12h, 30d, 2027-01-31
        #[arg(long, visible_alias = "expiry", value_name = "WHEN", default_value = "12h", value_parser = expiry)]
        expires_in: ExpiryChoice,
    },
    /// List sessions
    #[command(alias = "ls")]
    List {
        /// Only sessions of this account
        #[arg(long, value_name = "HANDLE")]
        account: Option<Handle>,
        /// Include those that have ended
        #[arg(long)]
        all: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum AdminServiceCommand {
    /// Register a service, and print its secret
    Create {
        /// Name
        name: Label,
        /// Org that it may ask about; repeatable [default: all]
        #[arg(long, value_name = "SLUG")]
        org: Vec<OrgSlug>,
        /// Trust the client addresses that it states, for tokens bound to networks
        #[arg(long)]
        states_client_address: bool,
    },
    /// List services
    #[command(alias = "ls")]
    List {
        /// Include revoked services
        #[arg(long)]
        all: bool,
    },
    /// Give a service a new secret, and print it
    Rotate {
        /// Service: its name, its id, the beginning of its id, or the prefix of its secret
        service: String,
        /// How long the old secret stays valid once the new one is used, such as 24h, 30m or 0
        #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
        overlap: Duration,
    },
    /// Finish or undo a rotation
    #[command(subcommand)]
    Rotation(AdminRotationCommand),
    /// Revoke a service
    #[command(aliases = ["rm", "delete"])]
    Revoke {
        /// Service: its name, its id, the beginning of its id, or the prefix of its secret
        service: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum AdminRotationCommand {
    /// Let the new secret take over now
    Confirm {
        /// Service: its name, its id, the beginning of its id, or the prefix of its secret
        service: String,
    },
    /// Drop the new secret before it takes over; the old one stays valid
    Drop {
        /// Service: its name, its id, the beginning of its id, or the prefix of its secret
        service: String,
    },
    /// End the old secret before its overlap is over
    Retire {
        /// Service: its name, its id, the beginning of its id, or the prefix of its secret
        service: String,
        /// Retire it even where it is still in use
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum AdminTokenCommand {
    /// List tokens
    #[command(alias = "ls")]
    List {
        /// Only tokens of this account
        #[arg(long, value_name = "HANDLE")]
        owner: Option<Handle>,
        /// Include revoked tokens
        #[arg(long)]
        all: bool,
    },
    /// Revoke a token
    #[command(aliases = ["rm", "delete"])]
    Revoke {
        /// Token: its id, the beginning of its id, or with --owner its name
        token: String,
        /// Account that owns it
        #[arg(long, value_name = "HANDLE")]
        owner: Option<Handle>,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Suspend a token until it is resumed
    Suspend {
        /// Token: its id, the beginning of its id, or with --owner its name
        token: String,
        /// Account that owns it
        #[arg(long, value_name = "HANDLE")]
        owner: Option<Handle>,
    },
    /// Resume a token, whoever suspended it
    Resume {
        /// Token: its id, the beginning of its id, or with --owner its name
        token: String,
        /// Account that owns it
        #[arg(long, value_name = "HANDLE")]
        owner: Option<Handle>,
    },
}

#[derive(Subcommand)]
pub(crate) enum AdminCatalogueCommand {
    /// Print the catalogue, as a file for `apply`
    Show,
    /// Replace the catalogue by what a file says, or add the types of a preset
    Apply {
        /// A TOML file: `ndauthd admin catalogue show` prints one
        #[arg(required_unless_present = "preset")]
        file: Option<PathBuf>,
        /// Add the resource types of a preset that are not there yet, and keep what is there
        #[arg(long, value_name = "PRESET", conflicts_with = "file")]
        preset: Option<Preset>,
        /// Say what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum AdminEventsCommand {
    /// Write the log to standard output, one JSON object per line
    Export {
        /// Only events after this one
        #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
        after: u64,
    },
    /// Remove old events for good; the rest of the log still verifies
    Prune {
        /// Remove events before this instant
        #[arg(long, value_name = "INSTANT", value_parser = ndauth_terminal::instant)]
        before: Timestamp,
        /// Skip the confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Find what a secret, read from standard input, belongs to, and what happened to it
    FindSecret,
}

#[derive(Subcommand)]
pub(crate) enum AdminMigrateCommand {
    /// Migrate the schema to this version
    Up,
    /// Show which migrations are applied
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

/// The command line on top of what a file sets. An empty variable counts as unset.
pub(crate) fn command(layer: &Layer) -> clap::Command {
    without_empty_variables(layer.beneath(with_help(NdauthdArguments::command(), HELP)))
}

fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|why| format!("{why}: expected a duration such as `24h` or `0`"))
}

/// Parses when a session is to end.
fn expiry(text: &str) -> Result<ExpiryChoice, ndauth_core::InvalidExpiry> {
    instant(text).map_or_else(|_| ExpiryChoice::parse_duration(text), |end| Ok(ExpiryChoice::At(end)))
}

fn instant_or_now(text: &str) -> Result<InstantOrNow, String> {
    if text == "now" {
        return Ok(InstantOrNow::Now);
    }
    instant(text).map(InstantOrNow::Instant).map_err(|why| format!("{why}, or `now`"))
}

#[cfg(test)]
mod tests;
