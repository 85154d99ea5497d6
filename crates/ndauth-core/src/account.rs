//! The installation, and its accounts, orgs, memberships, sessions and services.

use std::net::IpAddr;

use crate::{
    AccountId, DisplayName, Email, Expiry, Handle, Label, OrgId, OrgSlug, Orgs, Role, ServiceId, SessionId,
    Timestamp,
};

/// An installation: everything in one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Installation {
    /// Every secret minted before this instant is revoked.
    pub not_before: Timestamp,
    /// The instant at which it was restored from a copy, if nobody has settled yet what becomes of the copy's
    /// secrets.
    pub restored_at: Option<Timestamp>,
    /// The instant at which the operator last settled what becomes of a copy's secrets, if ever.
    pub settled_at: Option<Timestamp>,
}

/// A person who owns tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its immutable name.
    pub handle: Handle,
    /// The address for mail.
    pub email: Email,
    /// The person's name, for display.
    pub name: Option<DisplayName>,
    /// True if it is an operator, who may create orgs and read all audit.
    pub operator: bool,
    /// The instant of its creation.
    pub created_at: Timestamp,
    /// The instant of its person's last login, if ever.
    pub last_login_at: Option<Timestamp>,
    /// The instant at which it was disabled, if it was.
    pub disabled_at: Option<Timestamp>,
    /// Every secret of its tokens minted before this instant is revoked.
    pub not_before: Timestamp,
}

/// The part of an account that a decision reads and that others may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountView<'a> {
    /// Its id.
    pub id: AccountId,
    /// Its immutable name.
    pub handle: &'a Handle,
    /// The instant of its person's last login, if ever.
    pub last_login_at: Option<Timestamp>,
    /// The instant at which it was disabled, if it was.
    pub disabled_at: Option<Timestamp>,
    /// Every secret of its tokens minted before this instant is revoked.
    pub not_before: Timestamp,
}

impl<'a> From<&'a Account> for AccountView<'a> {
    fn from(account: &'a Account) -> AccountView<'a> {
        let Account { id, handle, last_login_at, disabled_at, not_before, .. } = account;
        AccountView {
            id: *id,
            handle,
            last_login_at: *last_login_at,
            disabled_at: *disabled_at,
            not_before: *not_before,
        }
    }
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Org {
    /// Its id.
    pub id: OrgId,
    /// Its immutable name, never reused.
    pub slug: OrgSlug,
    /// Its name for display.
    pub name: Option<DisplayName>,
    /// The instant of its creation.
    pub created_at: Timestamp,
    /// The instant of its deletion, if it was deleted. No token has power in it since.
    pub deleted_at: Option<Timestamp>,
    /// Secrets minted before this instant have no power in it.
    pub not_before: Timestamp,
    /// The instant at which it was frozen, if it was. Nothing in it can be changed since.
    pub frozen_at: Option<Timestamp>,
}

/// An account's role in an org.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The org.
    pub org: Org,
    /// The role.
    pub role: Role,
}

/// An interactive login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The account that it belongs to.
    pub account: AccountId,
    /// The instant at which it began.
    pub created_at: Timestamp,
    /// Its idle expiry: each use moves it.
    pub expires_at: Expiry,
    /// Its absolute end, which no use moves.
    pub ends_at: Expiry,
    /// The instant at which it was ended early, if it was.
    pub revoked_at: Option<Timestamp>,
    /// The instant at which its person last authenticated to begin it; `None` if a device was authorized by a
    /// code.
    pub proved_at: Option<Timestamp>,
    /// The device that it runs on, for people.
    pub device: Option<DisplayName>,
    /// The address from which it began, if known.
    pub address: Option<IpAddr>,
    /// True if it belongs to a browser at the authority's own pages.
    pub browser: bool,
}

impl Session {
    /// Returns true if it has neither expired nor been ended.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && !self.expires_at.is_past(now)
    }
}

/// The identity of a person at another identity provider. A handle or an address never identifies anyone: the
/// provider may give it to somebody else (OpenID Connect Core 1.0, section 5.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The provider.
    pub issuer: String,
    /// The person there.
    pub subject: String,
}

/// An internal service, which may validate secrets and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// The name that the operator gave it.
    pub name: Label,
    /// The orgs it may ask about.
    pub orgs: Orgs,
    /// True if the addresses that it states for its clients are trusted.
    pub states_address: bool,
    /// The instant of its registration.
    pub created_at: Timestamp,
    /// The instant of its revocation, if it was revoked. It may ask nothing since.
    pub revoked_at: Option<Timestamp>,
}
