//! Fields that several requests have.

use std::net::IpAddr;

use ndauth_authority::{TokenName, TokenPage};
use ndauth_core::{Label, Problem};

const DEFAULT_PAGE: u64 = 100;
const LARGEST_PAGE: u64 = 1000;

pub(crate) fn page(include_revoked: bool, size: i32, token: &str) -> Result<TokenPage, Problem> {
    let limit = match u64::try_from(size) {
        Ok(0) => DEFAULT_PAGE,
        Ok(size) => size.min(LARGEST_PAGE),
        Err(_) => return Err(Problem::invalid("page_size", "less than nothing")),
    };
    let after =
        match token {
            "" => None,
            token => Some(token.parse().map_err(|_| {
                Problem::invalid("page_token", "not the `next_page_token` of the page before")
            })?),
        };
    Ok(TokenPage { include_revoked, after, limit })
}

pub(crate) fn label(name: &str) -> Result<Label, Problem> {
    name.parse().map_err(|why| Problem::invalid("name", format!("the name {why}")))
}

pub(crate) fn by_name(name: &str) -> Result<TokenName, Problem> {
    label(name).map(TokenName::Name)
}

pub(crate) fn by_id(id: &str) -> Result<TokenName, Problem> {
    id.parse().map(TokenName::Id).map_err(|why| Problem::invalid("id", why))
}

pub(crate) fn which_token() -> Problem {
    Problem::invalid("token", "say which, by `name` or by `id`")
}

/// An address; empty where none is known.
pub(crate) fn address_from_proto(field: &str, text: &str) -> Result<Option<IpAddr>, Problem> {
    match text {
        "" => Ok(None),
        text => match text.parse::<IpAddr>() {
            Ok(address) => Ok(Some(address.to_canonical())),
            Err(_) => Err(Problem::invalid(field, "expected an IPv4 or IPv6 address")),
        },
    }
}
