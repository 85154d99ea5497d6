//! Callers: the credential that a request presents, and the identity that it stands for.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use ndauth_core::{
    Account, Actor, ClientName, Expiry, Owner, PolicyWarning, Refusal, Requirement, Secret, SecretHash,
    SecretId, SecretKind, SecretPrefix, SecretRecord, Service, Session, Timestamp,
};
use ndauth_store::{Family, Read, SessionSecret};

use super::held::{Held, Judging, OwnerName, orphan, owner_of};
use super::visit::OpenVisit;
use crate::AuthorityError;

/// The credential of a request.
#[derive(Debug)]
pub enum Credential {
    /// No credential.
    Nothing,
    /// A secret, and the address it was presented from.
    Secret {
        /// The secret.
        secret: Secret,
        /// The client's address, if known.
        from: Option<IpAddr>,
        /// The client's name, if known.
        client: Option<ClientName>,
        /// The period in which the secret is valid. It is set once the caller is identified, for the surface
        /// that sends the response.
        life: Arc<OnceLock<Life>>,
        /// The name that the caller gives its service, which must be its own. `None` where the surface has no place
        /// for a name.
        service: Option<String>,
    },
    /// The session secret in a browser's cookie, which the pages alone read.
    Cookie {
        /// The secret.
        secret: Secret,
        /// The browser's address, if known.
        from: Option<IpAddr>,
    },
    /// A browser's session that is identified already, with the view in which a page asks all its questions.
    Visit(Arc<OpenVisit>),
    /// The console: a person at the database's machine who may open the database.
    Console,
}

impl Credential {
    /// Returns the credential of a presented secret whose client is unknown.
    pub fn secret(secret: Secret, from: Option<IpAddr>) -> Credential {
        Credential::Secret { secret, from, client: None, life: Arc::default(), service: None }
    }

    /// Returns the credential of a service that presents its name with its secret.
    pub fn named_service(name: String, secret: Secret, from: Option<IpAddr>) -> Credential {
        Credential::Secret { secret, from, client: None, life: Arc::default(), service: Some(name) }
    }

    /// Returns the name that the caller gives its service, if the surface has a place for it.
    pub(crate) fn service_name(&self) -> Option<&str> {
        match self {
            Credential::Secret { service, .. } => service.as_deref(),
            Credential::Nothing | Credential::Cookie { .. } | Credential::Visit(_) | Credential::Console => {
                None
            }
        }
    }

    /// Returns the hash of the secret, if it is a session's.
    pub(crate) fn session_hash(&self) -> Option<SecretHash> {
        let (Credential::Secret { secret, .. } | Credential::Cookie { secret, .. }) = self else {
            return None;
        };
        (secret.kind() == SecretKind::Session).then(|| secret.hash())
    }

    /// Returns the address that the secret was presented from, if known.
    pub fn from(&self) -> Option<IpAddr> {
        match self {
            Credential::Secret { from, .. } | Credential::Cookie { from, .. } => *from,
            Credential::Visit(visit) => visit.from(),
            Credential::Nothing | Credential::Console => None,
        }
    }
}

/// From when until when a credential serves, and what is announced that will end that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// The instant at which it began.
    pub begun: Timestamp,
    /// When it ends.
    pub ends: Expiry,
    /// The announced policies under which it will be refused, where it is a token's.
    pub policy_warnings: Vec<PolicyWarning>,
}

/// The caller that a live credential stands for.
#[derive(Debug)]
pub(crate) enum Caller {
    /// The console: a person at the database's machine.
    Console,
    /// An account, through a session.
    Session {
        /// The account.
        account: Account,
        /// The session.
        session: Session,
        /// The first characters of its secret.
        prefix: SecretPrefix,
        /// The id of the secret that was presented.
        secret: SecretId,
        /// True if the secret was in a browser's cookie.
        by_cookie: bool,
    },
    /// An account through one of its personal tokens, or an org through one of its own.
    Token {
        /// The token, the secret that was presented, and the owner.
        held: Box<Held>,
        /// The client's address, if known.
        from: Option<IpAddr>,
    },
    /// A service.
    Service {
        /// The service.
        service: Service,
    },
}

impl From<&OpenVisit> for Caller {
    fn from(visit: &OpenVisit) -> Caller {
        Caller::Session {
            account: visit.account.clone(),
            session: visit.session.clone(),
            prefix: visit.prefix,
            secret: visit.secret,
            by_cookie: true,
        }
    }
}

impl Caller {
    /// Returns the kind of caller, for messages to people.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Caller::Console => "the console",
            Caller::Session { session, .. } if session.browser => "a browser's session",
            Caller::Session { .. } => "a session",
            Caller::Token { held, .. } => match held.owner {
                OwnerName::Account(_) => "a personal token",
                OwnerName::Org(_) => "an org's token",
            },
            Caller::Service { .. } => "a service",
        }
    }

    /// Returns the caller that presents a token's secret. Fails if the decision refuses the token.
    pub(crate) fn of_token(
        held: Held,
        from: Option<IpAddr>,
        judging: Judging<'_>,
    ) -> Result<Caller, AuthorityError> {
        judging.decide(&held, None, &Requirement::Identity, from)?;
        Ok(Caller::Token { held: Box::new(held), from })
    }

    /// Refuses a revoked service, and a service's secret that is not in force or was minted before
    /// `not_before`.
    pub(crate) fn judge_service(
        service: &Service,
        secret: &SecretRecord,
        not_before: Timestamp,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        secret.judge(now)?;
        if secret.judge_minting(not_before).is_err() {
            return Err(AuthorityError::ServiceRevoked(not_before));
        }
        match service.revoked_at {
            Some(at) => Err(AuthorityError::ServiceRevoked(at)),
            None => Ok(()),
        }
    }

    /// Returns the caller as an actor of the event log.
    pub(crate) fn actor(&self) -> Actor {
        match self {
            Caller::Console => Actor::Console,
            Caller::Session { account, session, .. } => {
                Actor::Session { account: account.id, session: session.id }
            }
            Caller::Token { held, .. } => match held.token.owner {
                Owner::Account(account) => Actor::Token { account, token: held.token.id },
                Owner::Org(org) => Actor::OrgToken { org, token: held.token.id },
            },
            Caller::Service { service } => Actor::Service { service: service.id },
        }
    }

    /// From when until when what it presented serves, without warnings; none of the console and of services.
    pub(crate) fn life(&self) -> Option<Life> {
        let (begun, ends) = match self {
            Caller::Session { session, .. } => (session.created_at, session.expires_at),
            Caller::Token { held, .. } => {
                (held.record.minted_at, held.token.expires_at.min(held.record.ends_at))
            }
            Caller::Console | Caller::Service { .. } => return None,
        };
        Some(Life { begun, ends, policy_warnings: Vec::new() })
    }

    /// Returns the account on whose behalf the caller acts, if there is one.
    pub(crate) fn account(&self) -> Option<&Account> {
        match self {
            Caller::Session { account, .. } => Some(account),
            Caller::Token { held, .. } => match &held.owner {
                OwnerName::Account(account) => Some(account),
                OwnerName::Org(_) => None,
            },
            Caller::Console | Caller::Service { .. } => None,
        }
    }
}

/// Identifies the caller that a credential stands for, as of a view of the database.
pub(crate) async fn identify(
    read: &Read,
    judging: Judging<'_>,
    credential: &Credential,
) -> Result<Caller, AuthorityError> {
    let (secret, from, by_cookie) = match credential {
        Credential::Console => return Ok(Caller::Console),
        Credential::Nothing => return Err(AuthorityError::CredentialMissing),
        Credential::Secret { secret, from, .. } => (secret, *from, false),
        Credential::Cookie { secret, from } => (secret, *from, true),
        Credential::Visit(visit) => (visit.cookie(), visit.from(), true),
    };
    match secret.kind() {
        SecretKind::Personal | SecretKind::Org | SecretKind::Session | SecretKind::Service => {}
        kind @ (SecretKind::Refresh | SecretKind::Access) => {
            return Err(Refusal::Kind(kind).into());
        }
    }
    if secret.kind() == SecretKind::Session {
        return of_session(read, secret, by_cookie).await;
    }
    let found = read.find_secret(&secret.hash()).await?.ok_or(Refusal::Unknown)?;
    match found.family {
        Family::Session(_) => Err(orphan(&found, "session_id").into()),
        Family::Service(id) => {
            let service = read.find_service(id).await?.ok_or_else(|| orphan(&found, "service_id"))?;
            Caller::judge_service(&service, &found.record, judging.not_before, judging.now)?;
            Ok(Caller::Service { service })
        }
        Family::Token(id) => {
            let token = read.find_token(id).await?.ok_or_else(|| orphan(&found, "token_id"))?;
            let owner = owner_of(read, &token).await?;
            let held = Held { record: found.record, token, owner };
            Caller::of_token(held, from, judging)
        }
    }
}

/// Identifies the account that a session's secret stands for.
async fn of_session(read: &Read, secret: &Secret, by_cookie: bool) -> Result<Caller, AuthorityError> {
    let SessionSecret { secret: found, of } =
        read.find_session_secret(&secret.hash()).await?.ok_or(Refusal::Unknown)?;
    let not_before = read.installation().not_before;
    if found.record.judge_minting(not_before).is_err() {
        return Err(AuthorityError::SessionRevoked(not_before));
    }
    let (session, account) = of.ok_or_else(|| orphan(&found, "session_id"))?;
    // Checked first, because disabling the account also ended the session.
    if account.disabled_at.is_some() {
        return Err(AuthorityError::AccountDisabled);
    }
    if let Some(at) = session.revoked_at {
        return Err(AuthorityError::SessionRevoked(at));
    }
    if session.expires_at.min(found.record.ends_at).is_past(read.now()) {
        return Err(AuthorityError::SessionExpired);
    }
    let (prefix, secret) = (found.record.prefix, found.record.id);
    Ok(Caller::Session { account, session, prefix, secret, by_cookie })
}
