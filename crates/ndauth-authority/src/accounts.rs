//! Who the caller is, and where it is a member.

use ndauth_core::{
    Account, Membership, OrgSlug, Orgs, Role, SecretPrefix, Service, Session, Timestamp, TokenView,
};

use crate::access::Operation;
use crate::held::OwnerName;
use crate::{Authority, AuthorityError, Caller, Credential};

/// Who a caller is.
#[derive(Debug)]
pub struct WhoAmI {
    /// By what it is known.
    pub identity: Identity,
    /// As of when.
    pub now: Timestamp,
}

/// By what a caller is known.
#[derive(Debug)]
pub enum Identity {
    /// An account's session, and the first characters of its secret.
    Session(Account, Session, SecretPrefix),
    /// An account's personal token.
    Token(Account, Box<TokenView>),
    /// An org's token.
    OrgToken(Box<TokenView>),
    /// A service, and its orgs by name.
    Service(Service, Orgs<OrgSlug>),
}

impl Authority {
    /// Says who the caller is.
    pub async fn who_am_i(&self, credential: &Credential) -> Result<WhoAmI, AuthorityError> {
        let operation = Operation::WhoAmI;
        let (read, caller, _) = self.read_as(credential, operation).await?;
        let identity = match caller {
            Caller::Session { account, session, prefix } => Identity::Session(account, session, prefix),
            Caller::Token { held, .. } => {
                let view = Box::new(self.view(&read, held.token).await?);
                match held.owner {
                    OwnerName::Account(account) => Identity::Token(account, view),
                    OwnerName::Org(_) => Identity::OrgToken(view),
                }
            }
            Caller::Service { service } => {
                let orgs = read.name_orgs(&service.orgs).await?;
                Identity::Service(service, orgs)
            }
            Caller::Console => {
                return Err(AuthorityError::NotPermitted { caller: "the console", operation });
            }
        };
        Ok(WhoAmI { identity, now: read.now() })
    }

    /// Lists the orgs where the caller's account is a member, by slug; for a token, those of them in
    /// which it offers power; for an org's token, that org.
    pub async fn list_orgs(&self, credential: &Credential) -> Result<Vec<Membership>, AuthorityError> {
        let operation = Operation::ListOrgs;
        let (read, caller, _) = self.read_as(credential, operation).await?;
        if let Caller::Token { held, .. } = &caller
            && let OwnerName::Org(org) = &held.owner
        {
            return Ok(vec![Membership { org: org.clone(), role: Role::Admin }]);
        }
        let Some(account) = caller.account() else {
            return Err(AuthorityError::NotPermitted { caller: caller.kind(), operation });
        };
        let mut memberships = read.list_memberships(account.id).await?;
        if let Caller::Token { held, .. } = &caller {
            memberships.retain(|membership| held.token.orgs.contain(&membership.org.id));
        }
        Ok(memberships)
    }
}
