//! Token exchange (RFC 8693): derives a short-lived token from a session, which a person's tools show to
//! services. It manages nothing, may do no more than was requested, and dies with the session.

use std::time::Duration;

use ndauth_core::{
    Account, Change, Grants, Lifetime, Networks, OrgSlug, Orgs, Owner, Personal, Scope, Secret, SecretId,
    SecretKind, SecretRecord, Services, Session, Timestamp, Token, TokenId,
};
use ndauth_store::{Family, Read};
use rand::rngs::SysRng;

use super::codes::{ENDED, GrantError};
use super::sessions::Visitor;
use crate::access::{Operation, Whose};
use crate::change::change;
use crate::tokens::member_orgs;
use crate::{AuthorityError, Credential, LoginWing};

/// The requested power of a derived token.
#[derive(Clone, Debug)]
pub struct ExchangeRequest {
    /// The access that it offers; none stands for all that its person has.
    pub scope: Option<Scope>,
    /// The org that it is for; none stands for all of the person's orgs.
    pub org: Option<OrgSlug>,
}

/// A derived token.
#[derive(Debug)]
pub struct Exchanged {
    /// Its secret, returned here and never again.
    pub secret: Secret,
    /// The access that it offers.
    pub scope: Scope,
    /// Its lifetime.
    pub lasts: Duration,
}

/// The lifetime of a derived token.
const LASTS: Duration = Duration::from_secs(15 * 60);
/// The most derived tokens of one account that have not expired, revoked or not.
const MOST: u64 = 200;

const NO_SESSION: GrantError = GrantError::InvalidGrant("only a session's secret can be exchanged");

impl LoginWing<'_> {
    /// Derives a token from the session that a secret belongs to.
    pub async fn exchange(
        self,
        subject: &str,
        visitor: &Visitor,
        asked: &ExchangeRequest,
    ) -> Result<Exchanged, GrantError> {
        let subject: Secret =
            subject.parse().map_err(|_| GrantError::InvalidGrant("the subject token is not a secret"))?;
        if subject.kind() != SecretKind::Session {
            return Err(NO_SESSION);
        }
        let credential = Credential::secret(subject, visitor.address);
        let exchanged =
            change(self.0, &credential, Operation::IssueTokens, &Whose::Mine, |write| async move {
                let (account, session) = write.by.session().map_err(|_| NO_SESSION)?;
                let now = write.now();
                // Locked, so that a concurrent end of the session waits, or this waits and finds the session
                // ended.
                let session = write.lock_session(session.id).await?;
                let session = session.filter(|session| session.is_live(now)).ok_or(ENDED)?;
                if write.count_derived(account.id).await? >= MOST {
                    return Err(AuthorityError::TooManyTries { after: LASTS }.into());
                }
                let orgs = target(&write, account, asked.org.as_ref()).await?;
                let secret = Secret::mint(SecretKind::Access, &mut SysRng)?;
                let token = derived(&session, asked.scope.unwrap_or(Scope::Rw), orgs, now)?;
                let (scope, lasts) = (token.scope, token.expires_at.left(now).unwrap_or(LASTS));
                write.insert_derived_token(&token, session.id).await?;
                let record = SecretRecord::first(SecretId::new(now, &mut SysRng)?, secret.prefix(), now);
                write.insert_secret(Family::Token(token.id), &record, &secret.hash(), None).await?;
                let change =
                    Change::TokenDerived { token: token.id, owner: token.owner, session: session.id };
                Ok::<_, GrantError>(write.done(change, Personal::new(), Exchanged { secret, scope, lasts }))
            });
        exchanged.await.map(|done| done.value)
    }
}

/// Returns the org that a token is for, if its person is a member, or all orgs if none is named.
async fn target(read: &Read, account: &Account, org: Option<&OrgSlug>) -> Result<Orgs, GrantError> {
    let Some(slug) = org else { return Ok(Orgs::All) };
    let found = member_orgs(read, account.id, &Orgs::Only([slug.clone()].into())).await;
    found.map_err(|error| match error {
        AuthorityError::NotAMember(_) | AuthorityError::OrgFrozen(_) => {
            GrantError::InvalidTarget(error.to_string())
        }
        other => other.into(),
    })
}

/// Returns a token of a session's account, which ends with the session at the latest.
fn derived(session: &Session, scope: Scope, orgs: Orgs, now: Timestamp) -> Result<Token, GrantError> {
    let expires_at = Lifetime::For(LASTS).expiry(now).min(session.ends_at);
    let device = session.device.as_ref().and_then(|device| device.as_str().parse().ok());
    Ok(Token {
        id: TokenId::new(now, &mut SysRng)?,
        owner: Owner::Account(session.account),
        name: device.unwrap_or_else(|| "a session".parse().expect("it is a name")),
        description: None,
        scope,
        grants: Grants::All,
        orgs,
        services: Services::All,
        networks: Networks::All,
        created_at: now,
        lifetime: Lifetime::For(expires_at.left(now).unwrap_or(LASTS)),
        expires_at,
        revoked_at: None,
        self_rotating_until: None,
        suspensions: [].into(),
    })
}
