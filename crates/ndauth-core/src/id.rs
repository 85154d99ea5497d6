//! Typed ids: each is a UUIDv7 (RFC 9562, section 5.7), so ids sort by the time they were made.

use std::fmt;
use std::str::FromStr;

use rand_core::TryCryptoRng;
use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

use crate::Timestamp;

/// A text that is not a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected a UUID such as `019a8b2e-7c00-7000-8000-000000000000`")]
pub struct InvalidId;

fn uuid_v7<R: TryCryptoRng>(now: Timestamp, rng: &mut R) -> Result<Uuid, R::Error> {
    let mut random = [0; 10];
    rng.try_fill_bytes(&mut random)?;
    let millis = u64::try_from(now.micros() / 1000).expect("a timestamp is not before 1970");
    Ok(Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes an id for something that is created `now`.
            pub fn new<R: TryCryptoRng>(now: Timestamp, rng: &mut R) -> Result<Self, R::Error> {
                uuid_v7(now, rng).map(Self)
            }

            /// Returns the id with this UUID.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// Returns the UUID of this id.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let id = Uuid::try_parse(text).map_err(|_| InvalidId)?;
                // One form each: no braces, no capitals, and all hyphens.
                let is_canonical = id.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text;
                is_canonical.then_some(Self(id)).ok_or(InvalidId)
            }
        }
    )*};
}

ids! {
    /// The id of an account.
    AccountId
    /// The id of an org.
    OrgId
    /// The id of a token, which is a family of secrets.
    TokenId
    /// The id of one secret of a token or a service.
    SecretId
    /// The id of a session.
    SessionId
    /// The id of an offered membership.
    OfferId
    /// The id of a mail.
    MailId
    /// The id of a service.
    ServiceId
    /// The id of an installation: the beginning of its first event's hash, which all its copies share.
    InstallationId
}
