//! Tokens as both binaries show them.

use std::time::Duration;

use ndauth_core::{Among, Expiry, Grants, Lifetime, Since, Timestamp};
use ndauth_proto::{
    expiry_from_proto, grants_from_proto, lifetime_from_proto, networks_from_proto, orgs_from_proto,
    services_from_proto, timestamp_from_proto, v1,
};

use crate::Failure;

/// A token, read from a response and ready to be shown.
pub struct TokenShown {
    /// The token's id.
    pub id: String,
    /// The name that its owner gave it.
    pub name: String,
    /// The prefix of its newest secret.
    pub prefix: String,
    /// `RO` or `RW`.
    pub scope: &'static str,
    /// The orgs by name; `None` means all.
    pub orgs: Option<Vec<String>>,
    /// The permissions that it carries.
    pub grants: Grants,
    /// The description, if there is one.
    pub description: Option<String>,
    /// The services that accept it, by name; `None` means all.
    pub services: Option<Vec<String>>,
    /// The networks that it may be used from; `None` means all.
    pub networks: Option<Vec<String>>,
    /// The org that owns it, if it is an org token.
    pub owner_org: Option<String>,
    /// `standard`, `long-lived` or `read-only`.
    pub token_type: &'static str,
    /// `active`, `pending`, `suspended`, `expired` or `revoked`.
    pub status: &'static str,
    /// The time of its creation.
    pub created_at: Timestamp,
    /// The time at which it ends.
    pub expiry: Expiry,
    /// The time of its revocation, if it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The time of its last use, if it was used.
    pub last_used_at: Option<Timestamp>,
    /// The client address of its last use.
    pub last_used_ip: Option<String>,
    /// The account that owns it, if it is a personal token.
    pub owner: Option<String>,
    /// The lifetime that it was created with.
    pub lifetime: Lifetime,
    /// The latest expiry to which it may rotate and renew itself; `None` if it may not.
    pub self_rotating_until: Option<Timestamp>,
    /// The suspensions: who suspended it, and when.
    pub suspensions: Vec<(String, Timestamp)>,
    /// The secrets, oldest first.
    pub secrets: Vec<SecretShown>,
    /// The state of its rotation, if one is under way.
    pub rotation: Option<RotationShown>,
    /// The revocation, if the response includes it.
    pub revocation: Option<RevocationShown>,
    /// The places it was used from, if the response includes them.
    pub used_from: Vec<PlaceShown>,
}

/// A secret of a token.
pub struct SecretShown {
    /// The prefix.
    pub prefix: String,
    /// `pending`, `current`, `retiring`, `retired` or `expired`.
    pub state: &'static str,
    /// The time at which it was minted.
    pub minted_at: Timestamp,
    /// The time at which it ends without a rotation or revocation.
    pub ends: Expiry,
    /// The time and the client address of its last use.
    pub last_use: Option<(Timestamp, Option<String>)>,
    /// The time at which it was presented although it is retired.
    pub reused_at: Option<Timestamp>,
}

/// The revocation of a token.
pub struct RevocationShown {
    /// The account or rule that revoked it.
    pub by: String,
    /// The reason: `no longer needed`, `leaked` and the like.
    pub reason: &'static str,
    /// The note of the person who revoked it.
    pub note: Option<String>,
}

/// The state of a rotation.
pub enum RotationShown {
    /// The new secret waits for its confirmation, until this time.
    Pending(Timestamp),
    /// The old secret still works beside the new one.
    Overlap {
        /// The prefix of the old secret.
        prefix: String,
        /// The end of the overlap.
        until: Timestamp,
        /// The reason why the old secret can or cannot be retired yet.
        retirement: v1::Retirement,
        /// The time and the client address of the old secret's last use.
        last_use: Option<(Timestamp, Option<String>)>,
    },
}

/// A place from which a token was used.
pub struct PlaceShown {
    /// The client address, if it was reported.
    pub address: Option<String>,
    /// The client and its version, if they were reported.
    pub client: Option<String>,
    /// The time of the first use.
    pub first_at: Timestamp,
    /// The time of the last use.
    pub last_at: Timestamp,
    /// The number of uses that only read.
    pub reads: u64,
    /// The number of uses that change something.
    pub writes: u64,
}

/// The longest list of permissions that a table shows whole.
const HELD: usize = 28;

/// Of what lives so long, the day of its end says too little.
const SHORT: Duration = Duration::from_secs(2 * 24 * 60 * 60);

impl TokenShown {
    /// Reads a token from a response.
    pub fn read(token: Option<v1::Token>) -> Result<TokenShown, Failure> {
        let token = token.ok_or_else(|| Failure::from(nonsense("it has no token")))?;
        let instant =
            |field, instant: Option<_>| instant.map(|at| timestamp_from_proto(field, at)).transpose();
        let owner = token.owner.as_ref().and_then(|owner| owner.kind.clone());
        let expiry = expiry_from_proto("expiry", token.expiry)?;
        Ok(TokenShown {
            scope: match token.scope() {
                v1::Scope::Ro => "RO",
                v1::Scope::Rw => "RW",
                v1::Scope::Unspecified => "?",
            },
            token_type: match token.r#type() {
                v1::TokenType::Standard => "standard",
                v1::TokenType::LongLived => "long-lived",
                v1::TokenType::ReadOnly => "read-only",
                v1::TokenType::Unspecified => "?",
            },
            status: match token.status() {
                v1::TokenStatus::Active => "active",
                v1::TokenStatus::Pending => "pending",
                v1::TokenStatus::Suspended => "suspended",
                v1::TokenStatus::Expired => "expired",
                v1::TokenStatus::Revoked => "revoked",
                v1::TokenStatus::Unspecified => "?",
            },
            orgs: names(&orgs_from_proto("orgs", token.orgs)?),
            services: names(&services_from_proto("services", token.services)?),
            networks: names(&networks_from_proto("networks", token.networks)?),
            description: Some(token.description).filter(|text| !text.is_empty()),
            owner_org: match &owner {
                Some(v1::owner::Kind::Org(org)) => Some(org.slug.clone()),
                _ => None,
            },
            grants: grants_from_proto("grants", token.grants)?,
            created_at: instant("created_at", token.created_at)?
                .ok_or_else(|| nonsense("the token has no time of creation"))?,
            expiry,
            revoked_at: instant("revoked_at", token.revoked_at)?,
            last_used_at: instant("last_use", token.last_use.as_ref().and_then(|last| last.at))?,
            last_used_ip: token.last_use.and_then(|last| filled(last.address)),
            owner: match owner {
                Some(v1::owner::Kind::Account(account)) => Some(account.handle),
                _ => None,
            },
            lifetime: lifetime_from_proto("lifetime", token.lifetime)?,
            self_rotating_until: instant("self_rotating_until", token.self_rotating_until)?,
            suspensions: token.suspensions.into_iter().map(suspension).collect::<Result<_, _>>()?,
            secrets: token
                .secrets
                .into_iter()
                .map(|message| secret(message, expiry))
                .collect::<Result<_, _>>()?,
            rotation: token.rotation.map(rotation).transpose()?,
            revocation: token.revocation.map(revocation),
            used_from: token.used_from.into_iter().map(place).collect::<Result<_, _>>()?,
            id: token.id,
            name: token.name,
            prefix: token.prefix,
        })
    }

    /// The orgs by name, or `all`.
    pub fn org(&self) -> String {
        names_or_all(self.orgs.as_deref())
    }

    /// Its permissions where it carries a set of them, shortened with a count where they are many; else `RO` or `RW`.
    pub fn held(&self) -> String {
        let names = self.held_whole().replace(',', ", ");
        match names.split_once(", ") {
            Some((first, rest)) if names.chars().count() > HELD => {
                format!("{first} +{}", rest.split(", ").count())
            }
            _ => names,
        }
    }

    /// All its permissions without a blank between them, or `RO` or `RW`.
    pub fn held_whole(&self) -> String {
        match &self.grants {
            Grants::All => self.scope.to_owned(),
            Grants::Only(_) => self.grants.to_string().replace(", ", ","),
        }
    }

    /// Returns the day it ends, or `Never`. For a token with a lifetime of two days or less, returns the
    /// minute.
    pub fn expires(&self) -> String {
        match self.expiry {
            Expiry::At(end) if end.since(self.created_at) <= SHORT => minute(self.expiry),
            expiry => day(expiry),
        }
    }

    /// Returns the permissions that it carries, as text for people.
    pub fn granted(&self) -> String {
        self.grants.to_string()
    }
}

impl RotationShown {
    /// Returns true if the old secret can safely be retired.
    pub fn is_safe(&self) -> bool {
        matches!(self, RotationShown::Overlap { retirement: v1::Retirement::Safe, .. })
    }

    /// Returns whether the old secret can safely be retired, and why. Empty while the new one awaits confirmation.
    pub fn verdict(&self) -> &'static str {
        match self {
            RotationShown::Pending(_) => "",
            RotationShown::Overlap { retirement, .. } => match retirement {
                v1::Retirement::StillUsed => "not yet safe to retire: it is still used",
                v1::Retirement::NewUnused => "not yet safe to retire: nobody has used the new one",
                v1::Retirement::TooSoon => {
                    "not yet safe to retire: the new one took over less than an hour ago"
                }
                v1::Retirement::Safe => "safe to retire: the new one is in use, and it is idle",
                v1::Retirement::Unspecified => "?",
            },
        }
    }

    /// Describes the rotation for people, as of an instant, with the verdict.
    pub fn describe(&self, now: Timestamp) -> String {
        match self.verdict() {
            "" => self.state(now),
            verdict => format!("{}; {verdict}", self.state(now)),
        }
    }

    /// Describes the rotation for people, as of an instant, without the verdict.
    pub fn state(&self, now: Timestamp) -> String {
        let used = |last: &Option<(Timestamp, Option<String>)>| match last {
            None => "was never used".to_owned(),
            Some((at, from)) => {
                let from = from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
                format!("was last used {}{from}", Since { at: *at, as_of: now })
            }
        };
        match self {
            RotationShown::Pending(until) => {
                format!(
                    "the new secret awaits confirmation until {}, and the old one is valid",
                    until.minute()
                )
            }
            RotationShown::Overlap { prefix, until, last_use, .. } => {
                let until = until.minute();
                format!("the old secret {prefix} is valid until {until}; it {}", used(last_use))
            }
        }
    }
}

fn revocation(of: v1::Revocation) -> RevocationShown {
    let reason = match of.reason() {
        v1::RevocationReason::NoLongerNeeded => "no longer needed",
        v1::RevocationReason::RotatedAway => "rotated away",
        v1::RevocationReason::Leaked => "leaked",
        v1::RevocationReason::OwnerLeft => "owner left",
        v1::RevocationReason::Policy => "policy",
        v1::RevocationReason::Possession => "shown by its holder",
        v1::RevocationReason::Unspecified => "?",
    };
    RevocationShown { by: of.by, reason, note: of.note }
}

fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn instant(field: &str, at: Option<prost_types::Timestamp>) -> Result<Timestamp, Failure> {
    Ok(timestamp_from_proto(field, at.ok_or_else(|| nonsense("a time is missing"))?)?)
}

fn last_use(last: Option<v1::LastUse>) -> Result<Option<(Timestamp, Option<String>)>, Failure> {
    last.map(|last| Ok((instant("last_use", last.at)?, filled(last.address)))).transpose()
}

fn suspension(of: v1::Suspension) -> Result<(String, Timestamp), Failure> {
    use v1::suspension::Level;
    let by = match of.level {
        Some(Level::Owner(_)) => "its owner".to_owned(),
        Some(Level::Operator(_)) => "the operator".to_owned(),
        Some(Level::Org(org)) => format!("the org {org}"),
        None => "?".to_owned(),
    };
    Ok((by, instant("suspensions", of.since)?))
}

/// Reads a secret, which ends with its token at the latest.
fn secret(message: v1::TokenSecret, token: Expiry) -> Result<SecretShown, Failure> {
    let ends = match (expiry_from_proto("secrets", message.ends_at)?, token) {
        (Expiry::At(own), Expiry::At(token)) => Expiry::At(own.min(token)),
        (Expiry::Never, end) | (end, Expiry::Never) => end,
    };
    Ok(SecretShown {
        state: match message.state() {
            v1::SecretState::Pending => "pending",
            v1::SecretState::Current => "current",
            v1::SecretState::Retiring => "retiring",
            v1::SecretState::Retired => "retired",
            v1::SecretState::Expired => "expired",
            v1::SecretState::Unspecified => "?",
        },
        minted_at: instant("secrets", message.minted_at)?,
        ends,
        last_use: last_use(message.last_use)?,
        reused_at: message.reused_at.map(|at| instant("secrets", Some(at))).transpose()?,
        prefix: message.prefix,
    })
}

fn rotation(message: v1::Rotation) -> Result<RotationShown, Failure> {
    use v1::rotation::Stage;
    match message.stage {
        Some(Stage::PendingUntil(until)) => Ok(RotationShown::Pending(instant("rotation", Some(until))?)),
        Some(Stage::Overlap(overlap)) => Ok(RotationShown::Overlap {
            retirement: overlap.retirement(),
            until: instant("rotation", overlap.until)?,
            last_use: last_use(overlap.last_use)?,
            prefix: overlap.prefix,
        }),
        None => Err(nonsense("a rotation has no stage").into()),
    }
}

fn place(message: v1::UsedFrom) -> Result<PlaceShown, Failure> {
    Ok(PlaceShown {
        address: filled(message.address),
        client: filled(message.client),
        first_at: instant("used_from", message.first_at)?,
        last_at: instant("used_from", message.last_at)?,
        reads: message.reads,
        writes: message.writes,
    })
}

/// Returns the names, or `None` for all.
fn names<T: Ord + ToString>(among: &Among<T>) -> Option<Vec<String>> {
    match among {
        Among::All => None,
        Among::Only(some) => Some(some.iter().map(ToString::to_string).collect()),
    }
}

/// Names, or `all` where none limit it.
pub fn names_or_all(names: Option<&[String]>) -> String {
    names.map_or("all".to_owned(), |names| names.join(", "))
}

/// The day of an end, or `Never`.
pub fn day(expiry: Expiry) -> String {
    match expiry {
        Expiry::At(end) => end.date(),
        Expiry::Never => "Never".to_owned(),
    }
}

/// Returns the minute of an expiry, or `Never`.
pub fn minute(expiry: Expiry) -> String {
    match expiry {
        Expiry::At(end) => end.minute(),
        Expiry::Never => "Never".to_owned(),
    }
}

/// Formats the time since an instant, as lists show it: `now`, `2m`, `3h`, `6d`, and after a week the date.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(then).as_secs();
    match seconds {
        0..60 => "now".to_owned(),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        86_400..604_800 => format!("{}d", seconds / 86_400),
        _ if then.to_utc().year() == now.to_utc().year() => then.date()[5..].to_owned(),
        _ => then.date(),
    }
}

/// Returns the people who can change a refusal, in words.
pub fn who_can_change(refused: &v1::Refused) -> Option<&'static str> {
    match refused.who_can_change_it() {
        v1::Who::Unspecified | v1::Who::Nobody => None,
        v1::Who::Caller => Some("the token's user"),
        v1::Who::Owner => Some("the token's owner"),
        v1::Who::OrgAdmin => Some("an admin of the org"),
        v1::Who::Operator => Some("the operator of the server"),
        v1::Who::Service => Some("the operator of the service that asks"),
    }
}

/// Reads an instant that every valid response holds.
pub fn required_timestamp(
    field: &str,
    instant: Option<impl Into<Option<prost_types::Timestamp>>>,
) -> Result<Timestamp, Failure> {
    let instant = instant.and_then(Into::into).ok_or_else(|| nonsense("a time is missing"))?;
    Ok(timestamp_from_proto(field, instant)?)
}

/// Returns the problem of a response that no server of ndauth sends.
pub fn nonsense(what: &str) -> ndauth_core::Problem {
    ndauth_core::Problem::new(
        ndauth_core::Reason::Internal,
        format!("invalid response from the server: {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    /// A token with these permissions, or with all.
    fn token(permissions: &[&str]) -> TokenShown {
        let grants = permissions.iter().map(|text| {
            let permission: ndauth_core::Permission = text.parse().expect("a permission");
            ndauth_core::Grant {
                resource_type: permission.resource_type,
                resource_ids: permission.resource_ids,
                actions: ndauth_core::Actions::Only([permission.action].into()),
            }
        });
        let grants = match permissions {
            [] => Grants::All,
            _ => Grants::only(grants).expect("grants"),
        };
        let at = ndauth_proto::timestamp_to_proto(at("2026-11-22T12:00:00Z"));
        TokenShown::read(Some(v1::Token {
            scope: v1::Scope::Rw.into(),
            orgs: Some(ndauth_proto::orgs_to_proto(&Among::<ndauth_core::OrgSlug>::All)),
            services: Some(ndauth_proto::services_to_proto(&Among::All)),
            networks: Some(ndauth_proto::networks_to_proto(&Among::All)),
            grants: Some(ndauth_proto::grants_to_proto(&grants)),
            created_at: Some(at),
            expiry: Some(ndauth_proto::expiry_to_proto(Expiry::At(self::at("2026-12-01T00:00:00Z")))),
            lifetime: Some(ndauth_proto::lifetime_to_proto(Lifetime::Endless)),
            secrets: vec![v1::TokenSecret {
                minted_at: Some(at),
                ends_at: Some(ndauth_proto::expiry_to_proto(Expiry::Never)),
                ..Default::default()
            }],
            ..Default::default()
        }))
        .expect("a token")
    }

    #[test]
    fn a_token_shows_what_it_holds() {
        for (permissions, expected) in [
            (&[] as &[&str], "RW"),
            (&["read:assets"], "read:assets"),
            (&["read:assets", "write:assets"], "read:assets, write:assets"),
            (&["read:assets:prod-1"], "read:assets:prod-1"),
            (&["read:assets", "write:assets", "read:audit"], "read:assets +2"),
            (&["access:a-resource-type-of-some-length"], "access:a-resource-type-of-some-length"),
        ] {
            assert_eq!(token(permissions).held(), expected);
        }
    }

    #[test]
    fn what_is_not_limited_is_said_to_be_all() {
        let token = token(&[]);
        assert_eq!(token.org(), "all");
        for names in [&token.services, &token.networks] {
            assert_eq!(names_or_all(names.as_deref()), "all");
        }
    }

    #[test]
    fn a_secret_ends_with_its_token() {
        let token = token(&[]);
        assert_eq!(token.secrets[0].ends, token.expiry);
    }

    #[test]
    fn times_since_an_instant_are_formatted_for_lists() {
        let now = at("2026-11-22T12:00:00Z");
        for (then, expected) in [
            ("2026-11-22T12:00:30Z", "now"),
            ("2026-11-22T11:59:01Z", "now"),
            ("2026-11-22T11:58:00Z", "2m"),
            ("2026-11-22T11:00:01Z", "59m"),
            ("2026-11-22T11:00:00Z", "1h"),
            ("2026-11-21T12:00:00Z", "1d"),
            ("2026-11-15T12:00:01Z", "6d"),
            ("2026-11-15T12:00:00Z", "11-15"),
            ("2025-11-15T12:00:00Z", "2025-11-15"),
        ] {
            assert_eq!(ago(at(then), now), expected, "{then}");
        }
    }
}
