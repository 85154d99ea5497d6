//! Who there is: the installation, accounts, orgs, memberships, sessions and services.

use std::net::IpAddr;

use crate::{
    AccountId, DisplayName, Email, Expiry, Handle, Label, OrgId, OrgSlug, Orgs, Role, ServiceId, SessionId,
    Timestamp,
};

/// The whole of what one database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Installation {
    /// Every secret minted before is revoked.
    pub not_before: Timestamp,
    /// When it was restored from a copy, if nobody has said yet what becomes of the secrets in it.
    pub restored_at: Option<Timestamp>,
    /// When the operator last said what becomes of the secrets in a copy, if ever.
    pub settled_at: Option<Timestamp>,
}

/// A person who owns tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its immutable name.
    pub handle: Handle,
    /// Where mail goes.
    pub email: Email,
    /// What the person is called.
    pub name: Option<DisplayName>,
    /// Whether it may create orgs and read all audit.
    pub operator: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its person logged in last, if ever.
    pub last_login_at: Option<Timestamp>,
    /// Since when it has no power, if so.
    pub disabled_at: Option<Timestamp>,
    /// Every secret of its tokens that was minted before is revoked.
    pub not_before: Timestamp,
}

/// An account as a decision sees it, and as others are told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountView<'a> {
    /// Its id.
    pub id: AccountId,
    /// Its immutable name.
    pub handle: &'a Handle,
    /// When its person logged in last, if ever.
    pub last_login_at: Option<Timestamp>,
    /// Since when it has no power, if so.
    pub disabled_at: Option<Timestamp>,
    /// Every secret of its tokens that was minted before is revoked.
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
    /// Its immutable name, never given out again.
    pub slug: OrgSlug,
    /// What it is called.
    pub name: Option<DisplayName>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when no token has power in it, if so.
    pub deleted_at: Option<Timestamp>,
    /// No secret that was minted before has power in it.
    pub not_before: Timestamp,
    /// Since when nothing in it can be changed, if so.
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
    /// Whose it is.
    pub account: AccountId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends, unless it is used before: each use moves it.
    pub expires_at: Expiry,
    /// When it ends however it is used.
    pub ends_at: Expiry,
    /// When it was ended early, if so.
    pub revoked_at: Option<Timestamp>,
    /// When its person last proved who they are, to begin it; none where a device was let in by a code.
    pub proved_at: Option<Timestamp>,
    /// What it runs on, for people.
    pub device: Option<DisplayName>,
    /// From where it began, where that is known.
    pub address: Option<IpAddr>,
    /// Whether it is a browser's at ndauthd's own pages.
    pub browser: bool,
}

impl Session {
    /// Whether it has not ended, in any way.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && !self.expires_at.is_past(now)
    }
}

/// A person as another identity provider knows them: never by a handle or an address, which it may give to somebody
/// else (OpenID Connect Core 1.0, section 5.7).
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
    /// What the operator calls it.
    pub name: Label,
    /// The orgs it may ask about.
    pub orgs: Orgs,
    /// Whether it is believed when it states its client's address.
    pub states_address: bool,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Since when it may ask nothing, if so.
    pub revoked_at: Option<Timestamp>,
}
