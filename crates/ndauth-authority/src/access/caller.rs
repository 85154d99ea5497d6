//! Who calls: what was presented, and whom it stands for.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use ndauth_core::{
    Account, Actor, ClientName, Expiry, Owner, Refusal, Requirement, Secret, SecretId, SecretKind,
    SecretPrefix, SecretRecord, Service, Session, Timestamp,
};
use ndauth_store::{Family, Read};

use super::held::{Held, Judging, OwnerName, orphan, owner_of};
use crate::AuthorityError;

/// What comes with a call.
#[derive(Debug)]
pub enum Credential {
    /// Nothing.
    Nothing,
    /// A secret, and the address it was presented from.
    Secret {
        /// The secret.
        secret: Secret,
        /// From where, where that is known.
        from: Option<IpAddr>,
        /// By which client, where that is known.
        client: Option<ClientName>,
        /// From when until when it serves: told once it is known, for whoever answers the call.
        life: Arc<OnceLock<Life>>,
    },
    /// Whoever sits at the machine of the database and may open it.
    Console,
}

impl Credential {
    /// A secret that was presented, and no more is known.
    pub fn secret(secret: Secret, from: Option<IpAddr>) -> Credential {
        Credential::Secret { secret, from, client: None, life: Arc::default() }
    }

    /// From where it was presented, where that is known.
    pub fn from(&self) -> Option<IpAddr> {
        match self {
            Credential::Secret { from, .. } => *from,
            Credential::Nothing | Credential::Console => None,
        }
    }
}

/// From when until when a credential serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// When it began.
    pub begun: Timestamp,
    /// When it ends.
    pub ends: Timestamp,
}

/// Whom a live credential stands for.
#[derive(Debug)]
pub(crate) enum Caller {
    /// Whoever sits at the machine of the database.
    Console,
    /// An account, through a session.
    Session {
        /// The account.
        account: Account,
        /// The session.
        session: Session,
        /// The first characters of its secret.
        prefix: SecretPrefix,
        /// Which of its secrets was presented.
        secret: SecretId,
    },
    /// An account through one of its personal tokens, or an org through one of its own.
    Token {
        /// The token, the secret that was presented, and the owner.
        held: Box<Held>,
        /// From where, where that is known.
        from: Option<IpAddr>,
    },
    /// A service.
    Service {
        /// The service.
        service: Service,
    },
}

impl Caller {
    /// What kind of caller it is, for people.
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

    /// A token that presents itself, if it lives.
    pub(crate) fn of_token(
        held: Held,
        from: Option<IpAddr>,
        judging: Judging<'_>,
    ) -> Result<Caller, AuthorityError> {
        judging.decide(&held, None, &Requirement::Identity, from)?;
        Ok(Caller::Token { held: Box::new(held), from })
    }

    /// A service that presents itself, if it lives.
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

    /// It as the log names it.
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

    /// From when until when what it presented serves; none where it has no end.
    pub(crate) fn life(&self) -> Option<Life> {
        let (begun, ends) = match self {
            Caller::Session { session, .. } => (session.created_at, session.expires_at),
            Caller::Token { held, .. } => {
                (held.record.minted_at, held.token.expires_at.min(held.record.ends_at))
            }
            Caller::Console | Caller::Service { .. } => return None,
        };
        match ends {
            Expiry::At(ends) => Some(Life { begun, ends }),
            Expiry::Never => None,
        }
    }

    /// The account on whose behalf it acts.
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

/// Finds out whom a credential stands for, in the state that a view shows.
pub(crate) async fn identify(
    read: &Read,
    judging: Judging<'_>,
    credential: &Credential,
) -> Result<Caller, AuthorityError> {
    let (secret, from) = match credential {
        Credential::Console => return Ok(Caller::Console),
        Credential::Nothing => return Err(AuthorityError::CredentialMissing),
        Credential::Secret { secret, from, .. } => (secret, *from),
    };
    match secret.kind() {
        SecretKind::Personal | SecretKind::Org | SecretKind::Session | SecretKind::Service => {}
        kind @ (SecretKind::Refresh | SecretKind::Access) => {
            return Err(Refusal::Kind(kind).into());
        }
    }
    let found = read.find_secret(&secret.hash()).await?.ok_or(Refusal::Unknown)?;
    match found.family {
        Family::Session(id) => {
            let not_before = read.installation().not_before;
            if found.record.judge_minting(not_before).is_err() {
                return Err(AuthorityError::SessionRevoked(not_before));
            }
            let session = read.find_session(id).await?.ok_or_else(|| orphan(&found, "session_id"))?;
            let account =
                read.find_account(session.account).await?.ok_or_else(|| orphan(&found, "session_id"))?;
            // It is why the session ended, too.
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
            Ok(Caller::Session { account, session, prefix, secret })
        }
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
