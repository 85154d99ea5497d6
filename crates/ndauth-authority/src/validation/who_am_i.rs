//! The identity of the caller, and the orgs where it is a member.

use std::net::IpAddr;

use ndauth_core::{
    Account, ClientName, LastUse, Membership, OrgSlug, Orgs, Refusal, Role, Scope, SecretHash, SecretKind,
    SecretPrefix, Service, Session, Timestamp, TokenView,
};

use super::validate::{broken, judge_service, refuse_dead, token_caller};
use crate::access::held::OwnerName;
use crate::access::{Operation, Whose};
use crate::validation::mirror::effects::{Effect, Effects};
use crate::validation::mirror::{Found, Known, Stale, View, asking};
use crate::{AuthorityError, Caller, Credential, Life, ValidationWing};

/// The identity of a caller, as of an instant.
#[derive(Debug)]
pub struct WhoAmI {
    /// The identity.
    pub identity: CallerIdentity,
    /// The instant of the response.
    pub now: Timestamp,
}

/// The identity of a caller.
#[derive(Debug)]
pub enum CallerIdentity {
    /// An account's session, and the first characters of its secret.
    Session(Account, Session, SecretPrefix),
    /// An account's personal token.
    Token(Account, Box<TokenView>),
    /// An org's token.
    OrgToken(Box<TokenView>),
    /// A service, and its orgs by name.
    Service(Service, Orgs<OrgSlug>),
}

impl ValidationWing<'_> {
    /// Returns the identity of the caller.
    pub async fn who_am_i(self, credential: &Credential) -> Result<WhoAmI, AuthorityError> {
        if let Credential::Secret { secret, from, client, life, .. } = credential
            && matches!(secret.kind(), SecretKind::Personal | SecretKind::Org | SecretKind::Service)
        {
            let (who, known) = self.identify_presented(&secret.hash(), *from, client.as_ref()).await?;
            if let Some(known) = known {
                let _ = life.set(known);
            }
            return Ok(who);
        }
        let (read, by) = self.0.read_as(credential, Operation::WhoAmI, &Whose::Mine).await?;
        let identity = match by.caller {
            Caller::Session { account, session, prefix, .. } => {
                CallerIdentity::Session(account, session, prefix)
            }
            Caller::Console | Caller::Token { .. } | Caller::Service { .. } => return Err(by.refused()),
        };
        Ok(WhoAmI { identity, now: read.now() })
    }

    /// Returns the identity that a token's or a service's secret stands for, from the mirror.
    async fn identify_presented(
        self,
        hash: &SecretHash,
        from: Option<IpAddr>,
        client: Option<&ClientName>,
    ) -> Result<(WhoAmI, Option<Life>), AuthorityError> {
        let whose = asking(|view, effects| match self.whose(view, hash, from, effects) {
            Ok((identity, life)) => Found::Held(Ok((WhoAmI { identity, now: view.now }, life))),
            Err(error @ AuthorityError::Refused(Refusal::Unknown)) => Found::Missed(Err(error)),
            Err(error) => Found::Held(Err(error)),
        });
        self.ask(Stale::Never, whose, from, |_| client).await?
    }

    fn whose<'v>(
        self,
        view: &View<'v>,
        hash: &SecretHash,
        from: Option<IpAddr>,
        effects: &mut Effects<'v>,
    ) -> Result<(CallerIdentity, Option<Life>), AuthorityError> {
        self.0.standing.admit(Operation::WhoAmI, view.installation())?;
        match view.secret(hash).ok_or(Refusal::Unknown)? {
            Known::Service(known) => {
                let (record, service) = &**known;
                judge_service(view, service, record, from, effects)?;
                let identity =
                    CallerIdentity::Service(Service::clone(service), view.name_orgs(&service.orgs));
                Ok((identity, None))
            }
            Known::Token(family, which, noted) => {
                let caller = token_caller(view, family, *which, from, effects)?;
                let policy_warnings = view.policy_warnings(&family.token, family.secret(*which), from);
                let life =
                    caller.life().map(|life| Life { policy_warnings: policy_warnings.clone(), ..life });
                let Caller::Token { held, .. } = caller else { return Err(Refusal::Unknown.into()) };
                let last = LastUse { at: view.now, address: from };
                effects.add(Effect::Passed {
                    noted,
                    family,
                    which: *which,
                    access: Scope::Ro,
                    last,
                    org: None,
                    question: 0,
                });
                let shown = view.show(family, held.record.id, last)?;
                let shown = Box::new(TokenView { policy_warnings, ..shown });
                let identity = match held.owner {
                    OwnerName::Account(account) => CallerIdentity::Token(account, shown),
                    OwnerName::Org(_) => CallerIdentity::OrgToken(shown),
                };
                Ok((identity, life))
            }
            Known::Dead(death, dead) => Err(refuse_dead(view, *death, dead, from, effects).into()),
            Known::Broken => Err(broken(hash)),
        }
    }

    /// Lists the orgs where the caller's account is a member, by slug. For a token, these are the ones in
    /// which it offers power; for an org's token, that org.
    pub async fn list_orgs(self, credential: &Credential) -> Result<Vec<Membership>, AuthorityError> {
        let (read, by) = self.0.read_as(credential, Operation::ListOrgs, &Whose::Mine).await?;
        let token = by.presented();
        if let Some(OwnerName::Org(org)) = token.map(|held| &held.owner) {
            return Ok(vec![Membership { org: org.clone(), role: Role::Admin }]);
        }
        let mut memberships = read.list_memberships(by.account()?.id).await?;
        if let Some(held) = token {
            memberships.retain(|membership| held.token.orgs.contain(&membership.org.id));
        }
        Ok(memberships)
    }
}
