//! The causes for which PostgreSQL cannot be connected to, distinguished by what the operator does about
//! them.

use std::io::ErrorKind;
use std::time::Duration;

use sea_orm::sqlx;

/// The cause for which a database cannot be connected to, or must not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// Nothing listens at the address.
    #[error("connection refused: nothing listens there")]
    Refused,
    /// The host's name cannot be resolved.
    #[error("the host's name cannot be resolved: {0}")]
    UnknownHost(String),
    /// No response came within the timeout.
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// The password is wrong, or there is none.
    #[error("the password is wrong or missing: {0}")]
    Password(String),
    /// This user may not connect from here.
    #[error("PostgreSQL refuses this user: {0}")]
    Forbidden(String),
    /// There is no database of that name.
    #[error("{0}")]
    NoDatabase(String),
    /// The TLS handshake failed.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// It is starting or stopping, or has no connection left.
    #[error("PostgreSQL is not ready: {0}")]
    NotReady(String),
    /// It is a standby.
    #[error("it is a standby: its data may be older than the primary's")]
    Standby,
    /// The user may not create tables there.
    #[error("the user does not own the database: {0}")]
    NotOwner(String),
    /// A pooler in transaction mode lies in between, which hands connections from one client to another.
    #[error("a pooler in transaction mode is in between: session settings are lost")]
    Pooler,
    /// It is too old.
    #[error("it is PostgreSQL {0}, and ndauth needs 15 or later")]
    TooOld(u32),
    /// Any other cause.
    #[error("{0}")]
    Other(String),
}

impl Unreachable {
    /// Returns the setting to change, or the thing to check.
    pub fn hint(&self) -> &'static str {
        match self {
            Unreachable::Refused => "start PostgreSQL, or check the host and the port in `--database`",
            Unreachable::UnknownHost(_) => "check the host in `--database`",
            Unreachable::Silent(_) => "check the host and the port in `--database`, and the network between",
            Unreachable::Password(_) => "name a file with the password: `--database-password-file FILE`",
            Unreachable::Forbidden(_) => "check the user in `--database`, and PostgreSQL's `pg_hba.conf`",
            Unreachable::NoDatabase(_) => {
                "make it (`createdb --owner USER DATABASE`), or check its name in `--database`"
            }
            Unreachable::Tls(_) => "check `sslmode` and `sslrootcert` in `--database`",
            Unreachable::NotReady(_) => "try again when it is ready",
            Unreachable::Standby => {
                "set `--database` to the primary, or to an address that always leads to it"
            }
            Unreachable::NotOwner(_) => {
                "make the user the database's owner: `ALTER DATABASE NAME OWNER TO USER`"
            }
            Unreachable::Pooler => "set `--database` to PostgreSQL itself, or to a pooler in session mode",
            Unreachable::TooOld(_) => "use PostgreSQL 15 or later",
            Unreachable::Other(_) => "check `--database`",
        }
    }
}

impl From<&sqlx::Error> for Unreachable {
    fn from(error: &sqlx::Error) -> Unreachable {
        match error {
            sqlx::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => Unreachable::Refused,
            sqlx::Error::Io(error) if error.to_string().contains("lookup address") => {
                Unreachable::UnknownHost(error.to_string())
            }
            // A TLS handshake that failed.
            sqlx::Error::Io(error) if error.kind() == ErrorKind::InvalidData => {
                Unreachable::Tls(distrust(&error.to_string()))
            }
            sqlx::Error::Tls(why) => Unreachable::Tls(why.to_string()),
            sqlx::Error::Database(database) => {
                let said = database.message().to_owned();
                match database.code().unwrap_or_default().as_ref() {
                    "28P01" => Unreachable::Password(said),
                    "28000" => Unreachable::Forbidden(said),
                    "3D000" => Unreachable::NoDatabase(said),
                    "42501" => Unreachable::NotOwner(said),
                    "08P01" if said.contains("startup parameter") => Unreachable::Pooler,
                    "57P03" | "53300" | "57P01" => Unreachable::NotReady(said),
                    _ => Unreachable::Other(said),
                }
            }
            // sqlx has its own message for a missing password.
            other if other.to_string().contains("password") => Unreachable::Password(other.to_string()),
            other => Unreachable::Other(other.to_string()),
        }
    }
}

/// Returns the reason why a certificate is not trusted: in rustls's words, except where these are one of its
/// own names.
fn distrust(why: &str) -> String {
    if why.contains("UnknownIssuer") || why.contains("BadSignature") {
        return "the database's certificate is not signed by a trusted authority".to_owned();
    }
    why.to_owned()
}
