//! Options that many commands take.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use ndauth_client::ServerUrl;
use ndauth_core::OrgSlug;
use ndauth_terminal::Failure;
use ndauth_terminal::settings::Origin;

use super::token_file::CredentialSource;
use super::values::{org, timeout};

/// The options that every command takes.
#[derive(Args, Clone)]
#[command(next_help_heading = "Global options")]
pub(crate) struct CommonOptions {
    /// Output format
    #[arg(
        short,
        long,
        alias = "output",
        short_alias = 'o',
        value_name = "FORMAT",
        env = "NDCLI_FORMAT",
        default_value = "table",
        global = true
    )]
    pub(crate) format: Format,

    /// Server to talk to
    #[arg(
        long,
        value_name = "URL",
        env = "NDCLI_SERVER",
        default_value = "http://127.0.0.1:7711",
        global = true
    )]
    pub(crate) server: ServerUrl,

    /// The source of the server's URL.
    #[arg(skip = Origin::Default)]
    pub(crate) server_from: Origin,

    /// The source of the credential.
    #[arg(skip)]
    pub(crate) credential: CredentialSource,

    /// Configuration profile: another server, other settings
    #[arg(long, value_name = "NAME", env = "NDCLI_PROFILE", global = true)]
    pub(crate) profile: Option<String>,

    /// Credential; other users of this machine can see it, so prefer NDCLI_TOKEN or NDCLI_TOKEN_FILE
    #[arg(long, value_name = "SECRET", global = true)]
    pub(crate) token: Option<String>,

    /// PEM file of certificate authorities to trust, instead of the system's
    #[arg(long, value_name = "FILE", env = "NDCLI_CA_FILE", global = true)]
    pub(crate) ca_file: Option<PathBuf>,

    /// How long to retry while the server is unreachable or cannot decide
    #[arg(long, value_name = "DURATION", env = "NDCLI_TIMEOUT", default_value = "30s", value_parser = timeout, global = true)]
    pub(crate) timeout: Duration,

    /// Log each call to standard error, with its duration
    #[arg(short, long, env = "NDCLI_VERBOSE", value_parser = BoolishValueParser::new(), global = true)]
    pub(crate) verbose: bool,

    /// Renew tokens that end within 7 days: the one in use, if it is self-rotating, or your own
    #[arg(long, env = "NDCLI_AUTO_REFRESH_TOKEN", value_parser = BoolishValueParser::new(), global = true)]
    pub(crate) auto_refresh_token: bool,

    /// Allow sending the credential unencrypted to another machine
    #[arg(long, env = "NDCLI_PLAINTEXT_BEYOND_LOOPBACK", value_parser = BoolishValueParser::new(), global = true)]
    pub(crate) plaintext_beyond_loopback: bool,
}

/// The org that a command acts in.
#[derive(Args)]
pub(crate) struct InOrg {
    /// Org to act in [default: the selected org]
    #[arg(long = "org", value_name = "SLUG", env = "NDCLI_ORG", hide_env_values = true, value_parser = org, id = "in_org")]
    pub(crate) selected: Option<OrgSlug>,
}

impl InOrg {
    /// Returns the org that was named or selected, or a failure if there is none.
    pub(crate) fn require(&self) -> Result<&OrgSlug, Failure> {
        self.selected.as_ref().ok_or_else(|| {
            Failure::usage(
                "no org is selected",
                "use `--org NAME`, or `ndcli org select NAME` for this and later commands",
            )
        })
    }
}

/// The storage of a login.
#[derive(Args)]
pub(crate) struct Keeping {
    /// Keep the login in a file instead of the system's keyring
    #[arg(long, env = "NDCLI_NO_KEYRING", value_parser = BoolishValueParser::new())]
    pub(crate) no_keyring: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table
    Table,
    /// JSON, as in the HTTP API
    Json,
    /// One line each
    Simple,
    /// Every field
    Detailed,
}
