//! The URL of the database, and its engine.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use sea_orm::sqlx;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};

/// The URL of a database. It is shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite:PATH`: a file of SQLite.
    Sqlite(PathBuf),
    /// `postgres://…`: a PostgreSQL database, by its whole URL.
    Postgres(String),
}

/// The database engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file of SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// The way in which a PostgreSQL database is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseTls {
    /// The host, or the folder of the socket.
    pub host: String,
    /// True if it is reached through a socket of this machine.
    pub is_socket: bool,
    /// The level of protection.
    pub mode: TlsMode,
    /// A file with authorities that are trusted in addition to the public ones.
    pub root: Option<PathBuf>,
    /// The files of the client certificate and of its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// The protection of a connection to a database, by PostgreSQL's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// None: `disable`, and `allow` too.
    Plain,
    /// `prefer`: encrypted if the database offers that.
    IfOffered,
    /// `require`: encrypted, whatever the server's certificate.
    AnyCertificate,
    /// `verify-ca`: encrypted, with any server that has a certificate of a trusted authority, including the
    /// public ones.
    AnyName,
    /// `verify-full`: encrypted, with the named host only.
    Verified,
}

/// The fault of a text that is not a database URL. It repeats no part that may be a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDatabaseUrl {
    /// It is not of a known form.
    #[error("expected `sqlite:PATH` or `postgres://USER@HOST/DATABASE`")]
    Form,
    /// It is an invalid URL of PostgreSQL.
    #[error("the URL is invalid: {0}")]
    Nonsense(String),
    /// An `@` follows a `?`.
    #[error("an `@` or `?` within a part of the URL is written as `%40` or `%3F`")]
    Unescaped,
    /// It has an unknown parameter.
    #[error("there is no parameter `{name}` in a URL: expected one of {}", PARAMETERS.join(", "))]
    UnknownParameter {
        /// The parameter's name.
        name: String,
    },
    /// It has a parameter twice.
    #[error("the parameter `{0}` is given twice")]
    Repeated(String),
    /// Its `sslmode` is unknown.
    #[error("`sslmode` must be one of {}", MODES.join(", "))]
    UnknownMode,
    /// It has one of two parameters that need each other.
    #[error("`sslcert` and `sslkey` must be given together")]
    HalfPair,
    /// It names authorities, but its mode verifies nothing.
    #[error("`sslrootcert` has no effect without `sslmode=verify-full`")]
    UnusedRoot,
}

/// The parameters of a PostgreSQL URL.
const PARAMETERS: [&str; 9] =
    ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "port", "dbname", "user", "password"];
/// The modes of `sslmode`, from none to the safest.
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(rest) = text.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            // An in-memory database would be lost, and each connection would see another one.
            let usable = !path.is_empty() && path != ":memory:" && !path.contains('?');
            return if usable { Ok(DatabaseUrl::Sqlite(path.into())) } else { Err(InvalidDatabaseUrl::Form) };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            postgres_tls(text)?;
            return Ok(DatabaseUrl::Postgres(text.to_owned()));
        }
        Err(InvalidDatabaseUrl::Form)
    }
}

/// Parses a URL of PostgreSQL as sqlx does, and refuses what sqlx ignores.
fn postgres_tls(url: &str) -> Result<DatabaseTls, InvalidDatabaseUrl> {
    let mut parameters = parameters(url)?;
    if parameters.get("sslmode").is_some_and(|mode| !MODES.contains(&&**mode)) {
        return Err(InvalidDatabaseUrl::UnknownMode);
    }
    let options: PgConnectOptions =
        url.parse().map_err(|why: sqlx::Error| InvalidDatabaseUrl::Nonsense(bottom(&why)))?;
    let mut file = |name| parameters.remove(name).map(PathBuf::from);
    let root = file("sslrootcert");
    let client = match (file("sslcert"), file("sslkey")) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some((certificate, key)),
        _ => return Err(InvalidDatabaseUrl::HalfPair),
    };
    // The variables of libpq (`PGSSLMODE`, …) fill in what the URL leaves open.
    let mode = match options.get_ssl_mode() {
        PgSslMode::Disable | PgSslMode::Allow => TlsMode::Plain,
        PgSslMode::Prefer => TlsMode::IfOffered,
        PgSslMode::Require => TlsMode::AnyCertificate,
        PgSslMode::VerifyCa => TlsMode::AnyName,
        PgSslMode::VerifyFull => TlsMode::Verified,
    };
    if root.is_some() && !matches!(mode, TlsMode::AnyName | TlsMode::Verified) {
        return Err(InvalidDatabaseUrl::UnusedRoot);
    }
    let socket = options.get_socket().map(|folder| folder.display().to_string());
    let host = socket.unwrap_or_else(|| options.get_host().to_owned());
    Ok(DatabaseTls { is_socket: host.starts_with('/'), host, mode, root, client })
}

/// Returns the parameters after the `?`, all of which must be known.
fn parameters(url: &str) -> Result<HashMap<String, String>, InvalidDatabaseUrl> {
    let mut known = HashMap::new();
    let (_, text) = url.split_once('?').unwrap_or((url, ""));
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        if !PARAMETERS.contains(&&*name) {
            // If the `?` belongs to a password, the rest of the password follows it.
            let within = text.contains('@');
            return Err(if within {
                InvalidDatabaseUrl::Unescaped
            } else {
                InvalidDatabaseUrl::UnknownParameter { name: name.into_owned() }
            });
        }
        if known.insert(name.clone().into_owned(), value.into_owned()).is_some() {
            return Err(InvalidDatabaseUrl::Repeated(name.into_owned()));
        }
    }
    Ok(known)
}

fn bottom(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), bottom)
}

impl DatabaseTls {
    /// Returns true if no network lies in between.
    pub fn is_local(&self) -> bool {
        let address = || self.host.trim_matches(['[', ']']).parse::<IpAddr>();
        self.is_socket || self.host == "localhost" || address().is_ok_and(|address| address.is_loopback())
    }
}

impl DatabaseUrl {
    /// Returns the way in which it is reached, or `None` for a file.
    pub fn tls(&self) -> Option<DatabaseTls> {
        let DatabaseUrl::Postgres(url) = self else { return None };
        postgres_tls(url).ok()
    }

    /// Returns true if it contains a password.
    pub fn has_password(&self) -> bool {
        let DatabaseUrl::Postgres(url) = self else { return false };
        let (place, parameters) = url.split_once('?').unwrap_or((url, ""));
        let credentials = place.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@'));
        credentials.is_some_and(|(credentials, _)| credentials.contains(':'))
            || parameters.split('&').any(is_password)
    }

    /// Returns the same URL with this password, or `None` for a file.
    pub fn with_password(&self, password: &str) -> Option<DatabaseUrl> {
        let DatabaseUrl::Postgres(url) = self else { return None };
        let (scheme, rest) = url.split_once("://")?;
        // RFC 3986, section 2.1: all but some unreserved characters are escaped.
        let escaped: String = password
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect();
        let (rest, parameters) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        let (user, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (credentials.split(':').next().unwrap_or_default(), place),
            None => ("", rest),
        };
        Some(DatabaseUrl::Postgres(format!("{scheme}://{user}:{escaped}@{place}{parameters}")))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseUrl::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            DatabaseUrl::Postgres(url) => f.write_str(&without_password(url)),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

/// Removes the password, which is before the `@` or among the parameters.
fn without_password(url: &str) -> String {
    let (place, parameters) = url.split_once('?').unwrap_or((url, ""));
    let shown =
        match place.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?))) {
            None => place.to_owned(),
            Some((scheme, (credentials, place))) => {
                let user = credentials.split_once(':').map_or(credentials, |(user, _)| user);
                format!("{scheme}://{user}@{place}")
            }
        };
    let parameters: Vec<&str> = parameters.split('&').filter(|parameter| !is_password(parameter)).collect();
    let parameters = parameters.join("&");
    if parameters.is_empty() { shown } else { format!("{shown}?{parameters}") }
}

/// Returns true if a parameter is the password. Its name may contain escapes.
fn is_password(parameter: &str) -> bool {
    form_urlencoded::parse(parameter.as_bytes()).any(|(name, _)| name == "password")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let path = |text: &str| Ok(DatabaseUrl::Sqlite(text.into()));
        for (text, expected) in [
            ("sqlite:/var/lib/ndauth/ndauth.db", path("/var/lib/ndauth/ndauth.db")),
            ("sqlite:///var/lib/ndauth/ndauth.db", path("/var/lib/ndauth/ndauth.db")),
            ("sqlite://ndauth.db", path("ndauth.db")),
            ("sqlite:a b.db", path("a b.db")),
            ("sqlite:", Err(InvalidDatabaseUrl::Form)),
            ("sqlite::memory:", Err(InvalidDatabaseUrl::Form)),
            ("sqlite:x.db?mode=ro", Err(InvalidDatabaseUrl::Form)),
            ("mysql://x", Err(InvalidDatabaseUrl::Form)),
            ("ndauth.db", Err(InvalidDatabaseUrl::Form)),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
    }

    #[test]
    fn a_separate_password_is_inserted() {
        let url = |text: &str| text.parse::<DatabaseUrl>().expect("a URL");
        for (from, to) in [
            ("postgres://nd@db:5432/nd", "postgres://nd:p%40ss%3A%2F@db:5432/nd"),
            ("postgres://nd:old@db/nd?sslmode=require", "postgres://nd:p%40ss%3A%2F@db/nd?sslmode=require"),
            ("postgres://nd@db/nd?user=a@b", "postgres://nd:p%40ss%3A%2F@db/nd?user=a@b"),
        ] {
            assert_eq!(url(from).with_password("p@ss:/"), Some(url(to)));
            assert!(url(to).has_password() && !url("postgres://nd@db/nd").has_password());
        }
        assert!(url("postgres://db/nd?password=x").has_password());
        assert_eq!(url("sqlite:x.db").with_password("x"), None);
    }

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            (
                "postgres://nd:s3cret@db:5432/nd?sslmode=require&password=s3cret",
                "postgres://nd@db:5432/nd?sslmode=require",
            ),
            ("postgres://db/nd?p%61ssword=s3cret", "postgres://db/nd"),
            ("postgresql://nd:s3:c@ret@db/nd", "postgresql://nd@db/nd"),
            ("postgres://db/nd", "postgres://db/nd"),
        ] {
            let url: DatabaseUrl = url.parse().expect("a URL");
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("DatabaseUrl({shown})"));
        }
    }

    #[test]
    fn parameters_that_sqlx_ignores_are_refused() {
        use InvalidDatabaseUrl as Why;
        let unknown = |name: &str| Some(Why::UnknownParameter { name: name.to_owned() });
        let nonsense = |why: &str| Why::Nonsense(why.to_owned());
        for (url, expected) in [
            ("postgres://db/nd?sslmode=verify-full&sslrootcert=/ca.pem", None),
            ("postgres:///nd?host=/run/postgresql&port=5433&user=nd&dbname=x", None),
            ("postgres://db/nd?ssl-mode=require", unknown("ssl-mode")),
            ("postgres://db/nd?connect_timeout=3", unknown("connect_timeout")),
            ("postgres://nd:pa?ss@db/nd", Some(Why::Unescaped)),
            (
                "postgres://db/nd?sslmode=verify-full&sslmode=disable",
                Some(Why::Repeated("sslmode".to_owned())),
            ),
            ("postgres://db/nd?sslmode=full", Some(Why::UnknownMode)),
            ("postgres://db/nd?sslcert=a.pem", Some(Why::HalfPair)),
            ("postgres://db/nd?sslmode=require&sslrootcert=ca.pem", Some(Why::UnusedRoot)),
            ("postgres://db:x/nd", Some(nonsense("invalid port number"))),
        ] {
            assert_eq!(url.parse::<DatabaseUrl>().err(), expected, "{url}");
        }
        let why = "postgres://db/nd?pool=3".parse::<DatabaseUrl>().expect_err("unknown");
        assert_eq!(
            why.to_string(),
            "there is no parameter `pool` in a URL: expected one of sslmode, sslrootcert, sslcert, sslkey, host, port, dbname, user, \
             password"
        );
    }

    #[test]
    fn tls_settings_are_read_from_the_url() {
        for (url, mode, local) in [
            ("postgres://db/nd", TlsMode::IfOffered, false),
            ("postgres://db/nd?sslmode=allow", TlsMode::Plain, false),
            ("postgres://127.0.0.1/nd?sslmode=disable", TlsMode::Plain, true),
            ("postgres://[::1]/nd", TlsMode::IfOffered, true),
            ("postgres://localhost/nd", TlsMode::IfOffered, true),
            ("postgres://%2Frun%2Fpostgresql/nd", TlsMode::IfOffered, true),
            ("postgres://x/nd?host=/run/postgresql", TlsMode::IfOffered, true),
            ("postgres://localhost/nd?host=db&sslmode=verify-ca", TlsMode::AnyName, false),
            ("postgres://10.0.0.1/nd?sslmode=require", TlsMode::AnyCertificate, false),
            ("postgres://db/nd?sslmode=verify-full", TlsMode::Verified, false),
        ] {
            let tls = url.parse::<DatabaseUrl>().expect("a URL").tls().expect("by a network");
            assert_eq!((tls.mode, tls.is_local()), (mode, local), "{url}");
        }
        let url =
            "postgres://db/nd?sslmode=verify-full&sslrootcert=/etc/c%20a.pem&sslcert=c.pem&sslkey=k.pem";
        let tls = url.parse::<DatabaseUrl>().expect("a URL").tls().expect("by a network");
        assert_eq!(tls.root, Some("/etc/c a.pem".into()));
        assert_eq!(tls.client, Some(("c.pem".into(), "k.pem".into())));
    }
}
