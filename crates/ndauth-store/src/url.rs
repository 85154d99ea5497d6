//! Where the database is, and of which kind.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The place of a database. It is shown without its password.
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

/// A text that names no database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `sqlite:PATH` or `postgres://USER@HOST/DATABASE`")]
pub struct InvalidDatabaseUrl;

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(rest) = text.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            // Without a file there is nothing to keep, and each connection would see another database.
            let usable = !path.is_empty() && path != ":memory:" && !path.contains('?');
            return if usable { Ok(DatabaseUrl::Sqlite(path.into())) } else { Err(InvalidDatabaseUrl) };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(DatabaseUrl::Postgres(text.to_owned()));
        }
        Err(InvalidDatabaseUrl)
    }
}

impl DatabaseUrl {
    /// Whether it holds a password.
    pub fn has_password(&self) -> bool {
        let DatabaseUrl::Postgres(url) = self else { return false };
        let (place, parameters) = url.split_once('?').unwrap_or((url, ""));
        let credentials = place.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@'));
        credentials.is_some_and(|(credentials, _)| credentials.contains(':'))
            || parameters.split('&').any(|parameter| parameter.starts_with("password="))
    }

    /// The same place, with this password; a file has none.
    pub fn with_password(&self, password: &str) -> Option<DatabaseUrl> {
        let DatabaseUrl::Postgres(url) = self else { return None };
        let (scheme, rest) = url.split_once("://")?;
        // RFC 3986, section 2.1: whatever is not unreserved.
        let escaped: String = password
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect();
        let (user, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (credentials.split(':').next().unwrap_or_default(), place),
            None => ("", rest),
        };
        Some(DatabaseUrl::Postgres(format!("{scheme}://{user}:{escaped}@{place}")))
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

/// Drops the password before the `@` and every parameter behind the `?`, where one may stand too.
fn without_password(url: &str) -> String {
    let url = url.split_once('?').map_or(url, |(place, _)| place);
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        None => url.to_owned(),
        Some((credentials, place)) => {
            let user = credentials.split_once(':').map_or(credentials, |(user, _)| user);
            format!("{scheme}://{user}@{place}")
        }
    }
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
            ("sqlite:", Err(InvalidDatabaseUrl)),
            ("sqlite::memory:", Err(InvalidDatabaseUrl)),
            ("sqlite:x.db?mode=ro", Err(InvalidDatabaseUrl)),
            ("mysql://x", Err(InvalidDatabaseUrl)),
            ("ndauth.db", Err(InvalidDatabaseUrl)),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
    }

    #[test]
    fn a_password_is_put_in_from_beside() {
        let url = |text: &str| text.parse::<DatabaseUrl>().expect("a URL");
        for (from, to) in [
            ("postgres://nd@db:5432/nd", "postgres://nd:p%40ss%3A%2F@db:5432/nd"),
            ("postgres://nd:old@db/nd?sslmode=require", "postgres://nd:p%40ss%3A%2F@db/nd?sslmode=require"),
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
            ("postgres://nd:s3cret@db:5432/nd?sslmode=require&password=s3cret", "postgres://nd@db:5432/nd"),
            ("postgresql://nd:s3:c@ret@db/nd", "postgresql://nd@db/nd"),
            ("postgres://db/nd", "postgres://db/nd"),
        ] {
            let url: DatabaseUrl = url.parse().expect("a URL");
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("DatabaseUrl({shown})"));
        }
    }
}
