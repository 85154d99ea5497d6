//! Access: the scope that a token offers, and the role that an account has in an org.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The access that a token offers or a request needs. The meet of two is the lesser (`min`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// `RO`: list and query.
    Ro,
    /// `RW`: also change.
    Rw,
}

/// The role of an account in an org.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// `RO`: list and query.
    Ro,
    /// `RW`: also change.
    Rw,
    /// `ADMIN`: also manage the org.
    Admin,
}

/// A text that is neither a scope nor a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct InvalidAccess(&'static str);

impl Scope {
    /// Returns it as people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::Ro => "RO",
            Scope::Rw => "RW",
        }
    }
}

impl Role {
    /// Returns it as people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Ro => "RO",
            Role::Rw => "RW",
            Role::Admin => "ADMIN",
        }
    }

    /// Returns the greatest scope that a token can use under this role.
    pub const fn scope(self) -> Scope {
        match self {
            Role::Ro => Scope::Ro,
            Role::Rw | Role::Admin => Scope::Rw,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = InvalidAccess;

    /// Accepts either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Scope::Ro, Scope::Rw]
            .into_iter()
            .find(|scope| scope.as_str().eq_ignore_ascii_case(text))
            .ok_or(InvalidAccess("`RW` or `RO`"))
    }
}

impl FromStr for Role {
    type Err = InvalidAccess;

    /// Accepts either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Role::Ro, Role::Rw, Role::Admin]
            .into_iter()
            .find(|role| role.as_str().eq_ignore_ascii_case(text))
            .ok_or(InvalidAccess("`RO`, `RW` or `ADMIN`"))
    }
}
