//! Conversions of concerns between the wire and core.

use ndauth_core::Concern;

use crate::v1::{self, change};

/// Converts a concern to the wire, or returns `None` if it touches nothing that a service caches.
pub fn concern_to_proto(concern: Concern) -> Option<change::Concern> {
    match concern {
        Concern::Token(token) => Some(change::Concern::TokenId(token.to_string())),
        Concern::Account(account)
        | Concern::Session(account, _)
        | Concern::Sessions(account)
        | Concern::Member(_, account) => Some(change::Concern::AccountId(account.to_string())),
        Concern::Org(org) => Some(change::Concern::OrgId(org.to_string())),
        Concern::NewOrg(org, _) => Some(change::Concern::NewOrgId(org.to_string())),
        Concern::Everything => Some(change::Concern::Everything(v1::All {})),
        // The rules travel in a field of their own.
        Concern::Nothing
        | Concern::NewToken(_)
        | Concern::NewAccount(_)
        | Concern::Service(_)
        | Concern::Rules => None,
    }
}

/// Converts a concern from the wire. One that this version cannot read becomes [`Concern::Everything`].
pub fn concern_from_proto(concern: Option<&change::Concern>) -> Concern {
    let known = concern.and_then(|concern| match concern {
        change::Concern::TokenId(id) => id.parse().ok().map(Concern::Token),
        change::Concern::AccountId(id) => id.parse().ok().map(Concern::Account),
        change::Concern::OrgId(id) => id.parse().ok().map(Concern::Org),
        change::Concern::NewOrgId(id) => id.parse().ok().map(|org| Concern::NewOrg(org, None)),
        change::Concern::Everything(v1::All {}) => Some(Concern::Everything),
    });
    known.unwrap_or(Concern::Everything)
}
