//! Fields that several requests have.

use std::net::IpAddr;
use std::time::Duration;

use ndauth_authority::{Cursor, Key, Settling, ShutOut, TokenName, TokenOrder, TokenPage, TokenQuery, Which};
use ndauth_core::{Description, Label, OrgSlug, Problem, Timestamp};
use ndauth_proto::{
    description_from_proto, duration_from_proto, org_slug_from_proto, timestamp_from_proto,
    timestamp_to_proto, token_to_proto, v1,
};

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

/// What a list is asked for.
pub(crate) struct Listing<'a> {
    pub(crate) include_revoked: bool,
    pub(crate) page_size: i32,
    pub(crate) page_token: &'a str,
    pub(crate) unused_for: Option<prost_types::Duration>,
    pub(crate) expiring_within: Option<prost_types::Duration>,
    pub(crate) order: i32,
    pub(crate) reverse: bool,
}

pub(crate) fn query(asked: &Listing<'_>) -> Result<TokenQuery, Problem> {
    let TokenPage { include_revoked, limit, .. } = page(asked.include_revoked, asked.page_size, "")?;
    let order = match v1::TokenOrder::try_from(asked.order) {
        Ok(v1::TokenOrder::Unspecified) => TokenOrder::Made,
        Ok(v1::TokenOrder::Name) => TokenOrder::Name,
        Ok(v1::TokenOrder::Expiry) => TokenOrder::End,
        Ok(v1::TokenOrder::LastUse) => TokenOrder::Use,
        Err(_) => return Err(Problem::invalid("order", "there is no such order")),
    };
    let span = |field, told: Option<_>| told.map(|told| duration_from_proto(field, told)).transpose();
    let after = match asked.page_token {
        "" => None,
        text => Some(cursor(text).filter(|cursor| order.fits(&cursor.key)).ok_or_else(|| {
            Problem::invalid("page_token", "not the `next_page_token` of the page before, of the same list")
        })?),
    };
    Ok(TokenQuery {
        include_revoked,
        unused_for: span("unused_for", asked.unused_for)?,
        ends_within: span("expiring_within", asked.expiring_within)?,
        order,
        reverse: asked.reverse,
        after,
        limit,
    })
}

/// A place in a list, as its `next_page_token` tells it.
pub(crate) fn page_token(cursor: Option<&Cursor>) -> String {
    cursor.map_or_else(String::new, |cursor| match &cursor.key {
        Key::Micros(0) => cursor.id.to_string(),
        Key::Micros(micros) => format!("{}@{micros}", cursor.id),
        Key::Text(text) => format!("{}:{text}", cursor.id),
    })
}

fn cursor(text: &str) -> Option<Cursor> {
    let (id, rest) = text.split_at_checked(36)?;
    let key = match rest.chars().next() {
        None => Key::Micros(0),
        Some('@') => Key::Micros(rest[1..].parse().ok()?),
        Some(':') => Key::Text(rest[1..].to_owned()),
        Some(_) => return None,
    };
    Some(Cursor { key, id: id.parse().ok()? })
}

/// A token of the caller's, or of an org.
pub(crate) fn which(org: Option<OrgSlug>, named: Option<Named>) -> Result<Which, Problem> {
    let name = match named {
        Some(Named::Name(name)) => by_name(&name)?,
        Some(Named::Id(id)) => by_id(&id)?,
        None => return Err(which_token()),
    };
    Ok(Which { org, name })
}

/// How a request names a token.
pub(crate) enum Named {
    Name(String),
    Id(String),
}

/// Reads how requests name tokens: each has a type of its own for the same.
macro_rules! named {
    ($($request:ident),*) => {$(
        impl From<v1::$request::Token> for Named {
            fn from(token: v1::$request::Token) -> Named {
                match token {
                    v1::$request::Token::Name(name) => Named::Name(name),
                    v1::$request::Token::Id(id) => Named::Id(id),
                }
            }
        }
    )*};
}

named!(
    get_token_request,
    revoke_token_request,
    rotate_token_request,
    settle_rotation_request,
    renew_token_request,
    suspend_token_request,
    resume_token_request,
    get_org_token_request,
    revoke_org_token_request,
    rotate_org_token_request,
    settle_org_rotation_request,
    renew_org_token_request,
    suspend_org_token_request,
    resume_org_token_request
);

/// The org of a request about one of its tokens.
pub(crate) fn in_org(slug: &str) -> Result<Option<OrgSlug>, Problem> {
    org_slug_from_proto("org", slug).map(Some)
}

pub(crate) fn settling(settling: Option<v1::Settling>) -> Result<Settling, Problem> {
    use v1::settling::Kind;
    match settling.and_then(|settling| settling.kind) {
        Some(Kind::Confirm(v1::ConfirmSecret { prefix })) if prefix.is_empty() => Ok(Settling::Confirm(None)),
        Some(Kind::Confirm(v1::ConfirmSecret { prefix })) => {
            let prefix = prefix.parse().map_err(|why| Problem::invalid("settling.confirm.prefix", why))?;
            Ok(Settling::Confirm(Some(prefix)))
        }
        Some(Kind::Drop(v1::DropSecret {})) => Ok(Settling::Drop),
        Some(Kind::Retire(v1::RetireSecret { anyway })) => Ok(Settling::Retire { anyway }),
        None => Err(Problem::invalid("settling", "say `confirm`, `drop` or `retire`")),
    }
}

/// For how long an old secret serves on.
pub(crate) fn overlap(told: Option<prost_types::Duration>) -> Result<Duration, Problem> {
    told.map_or(Ok(ndauth_core::OVERLAP), |told| duration_from_proto("overlap", told))
}

pub(crate) fn reason(text: &str) -> Result<Option<Description>, Problem> {
    description_from_proto("reason", text)
}

pub(crate) fn created_before(told: Option<prost_types::Timestamp>) -> Result<Option<Timestamp>, Problem> {
    told.map(|told| timestamp_from_proto("created_before", told)).transpose()
}

/// How many tokens in use are told of.
const MOST_TOLD: usize = 1000;

pub(crate) fn shut_out_to_proto(done: &ShutOut) -> v1::ShutOut {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    v1::ShutOut {
        not_before: Some(timestamp_to_proto(done.not_before)),
        tokens: count(done.tokens),
        used_today: done
            .used_today
            .iter()
            .take(MOST_TOLD)
            .map(|view| token_to_proto(view, done.now))
            .collect(),
        used_today_count: count(done.used_today.len()),
    }
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
