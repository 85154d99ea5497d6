//! The owner of the things that a request concerns.

use ndauth_core::{Handle, OrgSlug};

use super::table::Kind;

/// The owner of the things that a request concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The caller's own.
    Mine,
    /// Those of this org.
    Org(OrgSlug),
    /// Those of this account, for operators.
    Account(Handle),
    /// Anybody's, for operators.
    Anyone,
}

impl Whose {
    /// Returns the kind of row that the access table has for it.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Whose::Mine => Kind::Mine,
            Whose::Org(_) => Kind::Org,
            Whose::Account(_) | Whose::Anyone => Kind::Anyone,
        }
    }
}
