//! Fields that several requests have.

use std::net::IpAddr;

use ndauth_authority::{MemberPage, MintedWhen, TokenOrder, TokenPage, TokenQuery, Which, Whose};
use ndauth_core::{DisplayName, Handle, Label, Problem, TokenId};
use ndauth_proto::{duration_from_proto, org_slug_from_proto, timestamp_from_proto, v1};

use crate::cursors::cursor;

const DEFAULT_PAGE: u64 = 100;
const LARGEST_PAGE: u64 = 1000;

/// Returns the number of rows of a page.
pub(crate) fn limit(page_size: i32) -> Result<u64, Problem> {
    match u64::try_from(page_size) {
        Ok(0) => Ok(DEFAULT_PAGE),
        Ok(size) => Ok(size.min(LARGEST_PAGE)),
        Err(_) => Err(Problem::invalid("page_size", "it is negative")),
    }
}

pub(crate) fn page(include_revoked: bool, size: i32, token: &str) -> Result<TokenPage, Problem> {
    let limit = limit(size)?;
    let after =
        match token {
            "" => None,
            token => Some(token.parse().map_err(|_| {
                Problem::invalid("page_token", "not the `next_page_token` of the page before")
            })?),
        };
    Ok(TokenPage { include_revoked, after, limit })
}

/// Reads the page of a list of members. Its token is the last handle of the page before.
pub(crate) fn member_page(size: i32, token: &str) -> Result<MemberPage, Problem> {
    let TokenPage { limit, .. } = page(false, size, "")?;
    let after =
        match token {
            "" => None,
            token => Some(token.parse::<Handle>().map_err(|_| {
                Problem::invalid("page_token", "not the `next_page_token` of the page before")
            })?),
        };
    Ok(MemberPage { after, limit })
}

/// Reads the query of a list of tokens.
pub(crate) fn query(asked: &v1::ListTokensRequest) -> Result<TokenQuery, Problem> {
    let TokenPage { include_revoked, limit, .. } = page(asked.include_revoked, asked.page_size, "")?;
    let order = match asked.order.map(v1::TokenOrder::try_from) {
        None | Some(Ok(v1::TokenOrder::Created)) => TokenOrder::Made,
        Some(Ok(v1::TokenOrder::Name)) => TokenOrder::Name,
        Some(Ok(v1::TokenOrder::Expiry)) => TokenOrder::End,
        Some(Ok(v1::TokenOrder::LastUse)) => TokenOrder::Use,
        Some(Ok(v1::TokenOrder::Unspecified) | Err(_)) => {
            return Err(Problem::invalid("order", "unknown order"));
        }
    };
    let span = |field, value: Option<_>| value.map(|value| duration_from_proto(field, value)).transpose();
    let after = match asked.page_token.as_str() {
        "" => None,
        text => Some(cursor(text).filter(|cursor| order.fits(&cursor.key)).ok_or_else(|| {
            Problem::invalid("page_token", "not the `next_page_token` of the page before, of the same list")
        })?),
    };
    Ok(TokenQuery {
        include_revoked,
        unused_for: span("unused_for", asked.unused_for)?,
        ends_within: span("expiring_within", asked.expiring_within)?,
        search: None,
        order,
        reverse: asked.reverse,
        after,
        limit,
    })
}

/// Reads the owner whose tokens a request is about.
pub(crate) fn whose(whose: Option<v1::Whose>) -> Result<Whose, Problem> {
    use v1::whose::Kind;
    match whose.and_then(|whose| whose.kind) {
        Some(Kind::Mine(v1::Mine {})) => Ok(Whose::Mine),
        Some(Kind::Org(slug)) => org_slug_from_proto("owner.org", &slug).map(Whose::Org),
        Some(Kind::Account(name)) => handle("owner.account", &name).map(Whose::Account),
        None => Err(Problem::invalid("owner", "it is missing: say `mine`, or name an `org`")),
    }
}

/// Reads the token that a request names.
pub(crate) fn which(which: Option<v1::Which>) -> Result<Which, Problem> {
    use v1::which::Kind;
    let text = |field, text: String| match text.len() {
        0 => Err(Problem::invalid(field, "it is empty")),
        1..=LONGEST_NAME => Ok(text),
        _ => Err(Problem::invalid(field, "it is longer than any name")),
    };
    match which.and_then(|which| which.kind) {
        Some(Kind::Name(name)) => text("which.name", name).map(Which::Name),
        Some(Kind::Prefix(prefix)) => text("which.prefix", prefix).map(Which::Prefix),
        Some(Kind::Id(id)) => token_id("which.id", &id).map(Which::Id),
        None => Err(Problem::invalid("which", "set `name`, `id` or `prefix`")),
    }
}

/// Parses a token's whole id.
pub(crate) fn token_id(field: &str, id: &str) -> Result<TokenId, Problem> {
    id.parse().map_err(|why| Problem::invalid(field, why))
}

/// Parses an account's handle.
pub(crate) fn handle(field: &str, text: &str) -> Result<Handle, Problem> {
    text.parse().map_err(|why| Problem::invalid(field, format!("the name of an account {why}")))
}

/// The longest name of a token, in bytes.
const LONGEST_NAME: usize = 400;

/// Reads the tokens to revoke at once. Revoking all of them must be stated explicitly.
pub(crate) fn minted_when(
    which: Option<v1::revoke_all_tokens_request::Which>,
) -> Result<MintedWhen, Problem> {
    use v1::revoke_all_tokens_request::Which;
    match which {
        Some(Which::CreatedBefore(before)) => {
            timestamp_from_proto("created_before", before).map(MintedWhen::Before)
        }
        Some(Which::All(v1::All {})) => Ok(MintedWhen::Ever),
        None => Err(Problem::invalid("which", "it is missing: set `all` or `created_before`")),
    }
}

/// Parses the name of a token or a service.
pub(crate) fn label(field: &str, name: &str) -> Result<Label, Problem> {
    name.parse().map_err(|why| Problem::invalid(field, format!("the name {why}")))
}

/// Parses the display name of an org.
pub(crate) fn display_name(field: &str, name: &str) -> Result<DisplayName, Problem> {
    name.parse().map_err(|why| Problem::invalid(field, format!("the name {why}")))
}

/// Parses a text, if there is one.
pub(crate) fn optional<T>(
    text: Option<&String>,
    read: impl FnOnce(&str) -> Result<T, Problem>,
) -> Result<Option<T>, Problem> {
    text.map(|text| read(text)).transpose()
}

/// Returns a page of rows after a place, and its `next_page_token`. The key of each row is unique, and is the
/// place.
pub(crate) fn paged<T>(
    mut rows: Vec<T>,
    key: impl Fn(&T) -> String,
    size: i32,
    after: &str,
) -> Result<(Vec<T>, String), Problem> {
    let TokenPage { limit, .. } = page(false, size, "")?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    // Sorted by bytes, as the place is compared; a database may sort text differently.
    rows.sort_by_cached_key(&key);
    let mut rest =
        rows.into_iter().skip_while(|row| !after.is_empty() && key(row).as_str() <= after).peekable();
    let part: Vec<T> = rest.by_ref().take(limit).collect();
    let next = match (part.last(), rest.peek()) {
        (Some(last), Some(_)) => key(last),
        _ => String::new(),
    };
    Ok((part, next))
}

/// Parses an address. An empty text is an unknown one.
pub(crate) fn address_from_proto(field: &str, text: &str) -> Result<Option<IpAddr>, Problem> {
    match text {
        "" => Ok(None),
        text => match text.parse::<IpAddr>() {
            Ok(address) => Ok(Some(address.to_canonical())),
            Err(_) => Err(Problem::invalid(field, "expected an IPv4 or IPv6 address")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No request that destroys power takes an absent field for "everything".
    #[test]
    fn whose_and_which_must_be_explicit() {
        use v1::revoke_all_tokens_request::Which;
        for (refused, field) in [(minted_when(None).map(drop), "which"), (whose(None).map(drop), "owner")] {
            let problem = refused.expect_err("it is refused");
            assert_eq!((problem.reason.code(), problem.field.as_deref()), ("INVALID_ARGUMENT", Some(field)));
        }
        assert!(whose(Some(v1::Whose { kind: None })).is_err() && which(None).is_err());
        assert_eq!(minted_when(Some(Which::All(v1::All {}))), Ok(MintedWhen::Ever), "all is said");
    }

    #[test]
    fn each_row_is_in_one_page_however_the_rows_are_sorted() {
        let (mut listed, mut after) = (Vec::new(), String::new());
        for _ in 0..3 {
            let rows = vec!["b", "a-1", "a", "c", "A"];
            let (part, next) = paged(rows, |row| (*row).to_owned(), 2, &after).expect("a page");
            listed.extend(part);
            after = next;
        }
        assert_eq!((listed, after.as_str()), (vec!["A", "a", "a-1", "b", "c"], ""));
    }
}
