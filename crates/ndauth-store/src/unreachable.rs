//! Why PostgreSQL cannot be connected to, told apart by what the operator does about it.

use std::io::ErrorKind;
use std::time::Duration;

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sea_orm::sqlx::{self, Connection, Postgres, Row, raw_sql};
use tokio::time::timeout;

use crate::StoreError;
use crate::pool::Pool;

/// Why a database cannot be connected to, or must not be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// Nobody listens at the address.
    #[error("connection refused: nothing listens there")]
    Refused,
    /// The host's name leads nowhere.
    #[error("the host's name cannot be resolved: {0}")]
    UnknownHost(String),
    /// No answer came.
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
    /// The encryption could not be agreed on.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// It is starting, stopping, or has no connection left.
    #[error("PostgreSQL is not ready: {0}")]
    NotReady(String),
    /// It follows another database.
    #[error("it is a standby: it would confirm what the primary has long changed")]
    Standby,
    /// The user may not make tables there.
    #[error("the user does not own the database: {0}")]
    NotOwner(String),
    /// Something between hands connections from one client to another.
    #[error("a pooler in transaction mode is in between: session settings do not hold")]
    Pooler,
    /// It is too old.
    #[error("it is PostgreSQL {0}, and ndauth needs 15 or later")]
    TooOld(u32),
    /// Something else.
    #[error("{0}")]
    Other(String),
}

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// The least version, as PostgreSQL writes it.
const LEAST_VERSION: u32 = 15_00_00;

/// Takes a connection from a pool. Where there is none and none can be made, it says why.
pub(crate) async fn acquire(pool: &Pool, of: &PgPool) -> Result<PoolConnection<Postgres>, StoreError> {
    let options = of.connect_options();
    // The pool itself tries until its time is up, and then says that it is.
    if of.size() == 0 && !pool.is_examined() {
        close(connect(&options).await?).await;
        pool.examined();
    }
    match of.acquire().await {
        Err(sqlx::Error::PoolTimedOut) => {
            close(connect(&options).await?).await;
            Err(StoreError::unavailable("every connection to the database is in use"))
        }
        taken => Ok(taken?),
    }
}

/// Connects, and looks whether what is there can be worked with: a primary, of a version that is known, and nothing in
/// between that takes session settings away.
pub(crate) async fn examine(options: &PgConnectOptions) -> Result<(), StoreError> {
    let mut connection = connect(options).await?;
    let sql = "SELECT pg_is_in_recovery() AS standby, current_setting('server_version_num') AS version, \
               current_setting('lock_timeout') AS lock_timeout";
    let asked = timeout(CONNECT, raw_sql(sql).fetch_one(&mut connection)).await;
    let row = match asked {
        Ok(row) => row.map_err(|error| unreachable(options, &error))?,
        Err(_) => return Err(told(options, Unreachable::Silent(CONNECT))),
    };
    let version = row.try_get::<String, _>("version")?.parse().unwrap_or(LEAST_VERSION);
    let held = row.try_get::<String, _>("lock_timeout")? == crate::connect::STATEMENT_LIMIT;
    let standby: bool = row.try_get("standby")?;
    close(connection).await;
    if version < LEAST_VERSION {
        return Err(told(options, Unreachable::TooOld(version / 10_000)));
    }
    if standby {
        return Err(told(options, Unreachable::Standby));
    }
    if held { Ok(()) } else { Err(told(options, Unreachable::Pooler)) }
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    match timeout(CONNECT, PgConnection::connect_with(options)).await {
        Ok(connected) => connected.map_err(|error| unreachable(options, &error)),
        Err(_) => Err(told(options, Unreachable::Silent(CONNECT))),
    }
}

async fn close(connection: PgConnection) {
    // Where it does not close well, it is closed all the same.
    let _ = timeout(CONNECT, connection.close()).await;
}

fn told(options: &PgConnectOptions, cause: Unreachable) -> StoreError {
    let database = options.get_database().unwrap_or(options.get_username());
    let place = format!("{}:{}/{database}", options.get_host(), options.get_port());
    StoreError::Unreachable { place, cause }
}

fn unreachable(options: &PgConnectOptions, error: &sqlx::Error) -> StoreError {
    told(options, Unreachable::from(error))
}

impl Unreachable {
    /// The setting to change, or what to look at.
    pub fn hint(&self) -> &'static str {
        match self {
            Unreachable::Refused => "start PostgreSQL, or check the host and the port in `--database`",
            Unreachable::UnknownHost(_) => "check the host in `--database`",
            Unreachable::Silent(_) => "check the host and the port in `--database`, and what is between",
            Unreachable::Password(_) => "name a file with the password by `--database-password-file`",
            Unreachable::Forbidden(_) => "check the user in `--database`, and PostgreSQL's `pg_hba.conf`",
            Unreachable::NoDatabase(_) => {
                "make it (`createdb --owner USER DATABASE`), or check its name in `--database`"
            }
            Unreachable::Tls(_) => "check `sslmode` and `sslrootcert` in `--database`",
            Unreachable::NotReady(_) => "try again when it is",
            Unreachable::Standby => "name the primary by `--database`, or what always leads to it",
            Unreachable::NotOwner(_) => "let the user own the database: `ALTER DATABASE NAME OWNER TO USER`",
            Unreachable::Pooler => "name PostgreSQL itself by `--database`, or a pooler in session mode",
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
            // sqlx asks for a password in words of its own.
            other if other.to_string().contains("password") => Unreachable::Password(other.to_string()),
            other => Unreachable::Other(other.to_string()),
        }
    }
}
