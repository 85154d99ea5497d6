//! Reading: opens a view of the database, once the caller is identified and admitted.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndauth_core::{
    Account, Class, Counts, Handle, LastUse, Org, Owner, Refusal, Scope, Timestamp, TokenId, TokenView,
};
use ndauth_store::{Read, Use};

use crate::access::held::Judging;
use crate::access::{Admitted, Operation, Reach, caller};
use crate::observations::attempts::{AttemptKind, Attempter};
use crate::{Authority, AuthorityError, Caller, Credential, Life, Whose};

/// A list, as of an instant.
#[derive(Debug)]
pub struct AsOf<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// The instant before which every minted secret is revoked.
    pub not_before: Timestamp,
    /// The instant of the view.
    pub now: Timestamp,
}

impl Authority {
    /// Opens a view for an operation, once the caller is identified and admitted.
    pub(crate) async fn read_as(
        &self,
        credential: &Credential,
        operation: Operation,
        whose: &Whose,
    ) -> Result<(Arc<Read>, Admitted), AuthorityError> {
        let (read, caller) = match credential {
            Credential::Visit(visit) => (Arc::clone(&visit.read), Ok(Caller::from(&**visit))),
            _ => {
                let read = Arc::new(match credential.session_hash() {
                    Some(hash) => self.store.read_with_session(&hash).await?,
                    None => self.store.read().await?,
                });
                let caller = self.identify(&read, credential).await;
                (read, caller)
            }
        };
        self.standing.admit(operation, read.installation())?;
        self.note_presented(&read, credential, &caller).await?;
        let attempter = caller.as_ref().map_or(Attempter::Unknown, attempter);
        let admitted = match caller {
            Ok(caller) => self.admit(&read, caller, operation, whose).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &admitted
            && !operation.reads()
        {
            self.note_refused(error, attempter, credential, &read).await?;
        }
        let by = admitted?;
        self.observe(credential, &by, &read);
        Ok((read, by))
    }

    /// Refuses a credential that identifies nobody, before a request that is costly to parse is read.
    pub async fn recognize(&self, credential: &Credential) -> Result<(), AuthorityError> {
        let read = self.store.read().await?;
        self.standing.admit(Operation::WhoAmI, read.installation())?;
        self.identify(&read, credential).await.map(drop)
    }

    /// Admits a caller, as of a view.
    pub(crate) async fn admit(
        &self,
        read: &Read,
        caller: Caller,
        operation: Operation,
        whose: &Whose,
    ) -> Result<Admitted, AuthorityError> {
        let catalogue = self.catalogue(read).await?;
        let judging = Judging::of(read, &catalogue);
        match whose {
            Whose::Org(slug) => Admitted::in_org(read, caller, operation, slug, judging).await,
            Whose::Mine | Whose::Account(_) | Whose::Anyone => {
                Admitted::new(caller, operation, whose.kind(), judging)
            }
        }
    }

    /// Identifies the caller that a credential stands for, as of a view.
    pub(crate) async fn identify(
        &self,
        read: &Read,
        credential: &Credential,
    ) -> Result<Caller, AuthorityError> {
        let catalogue = self.catalogue(read).await?;
        caller::identify(read, Judging::of(read, &catalogue), credential).await
    }

    /// Notes that a change was refused to a caller, in the org where its role is too low if that is why.
    async fn note_refused(
        &self,
        error: &AuthorityError,
        by: Attempter,
        credential: &Credential,
        read: &Read,
    ) -> Result<(), AuthorityError> {
        let reason = error.reason();
        if !matches!(reason.class(), Class::NotPermitted | Class::NotAuthenticated) {
            return Ok(());
        }
        let org = match error {
            AuthorityError::RoleTooLow { org, .. } => read.find_org_by_slug(org).await?.map(|org| org.id),
            _ => None,
        };
        self.attempts.note(AttemptKind::Change, by, org, credential.from(), reason, read.now());
        Ok(())
    }

    /// Notes the presentation of a secret: for the response, the period in which it is valid, and the use of
    /// a retired one.
    async fn note_presented(
        &self,
        read: &Read,
        credential: &Credential,
        caller: &Result<Caller, AuthorityError>,
    ) -> Result<(), AuthorityError> {
        let Credential::Secret { secret, life, .. } = credential else { return Ok(()) };
        match caller {
            Ok(caller) => {
                if let Some(known) = caller.life() {
                    let policy_warnings = match caller {
                        Caller::Token { held, from } => {
                            self.validation().policy_warnings(&held.token, &held.record, *from)
                        }
                        Caller::Console | Caller::Session { .. } | Caller::Service { .. } => Vec::new(),
                    };
                    // The first to know says so.
                    let _ = life.set(Life { policy_warnings, ..known });
                }
            }
            Err(AuthorityError::Refused(Refusal::Replaced(_))) => {
                if let Some(found) = read.find_secret(&secret.hash()).await? {
                    self.follow_ups.reused(found.record.id, read.now(), credential.from());
                }
            }
            Err(_) => {}
        }
        Ok(())
    }

    /// Notes that a credential was used.
    fn observe(&self, credential: &Credential, by: &Admitted, read: &Read) {
        let (held, from) = match &by.caller {
            Caller::Token { held, from } => (held, from),
            Caller::Session { secret, .. } => {
                let last = LastUse { at: read.now(), address: credential.from() };
                let counts = Counts::one(Scope::Ro);
                return self.uses.note(Use { secret: *secret, client: None, last, counts }, None);
            }
            Caller::Console | Caller::Service { .. } => return,
        };
        let (record, last) = (&held.record, LastUse { at: read.now(), address: *from });
        let client = match credential {
            Credential::Secret { client, .. } => client.clone(),
            _ => None,
        };
        let counts = Counts::one(if by.operation.reads() { Scope::Ro } else { Scope::Rw });
        let org = match &by.reach {
            Reach::Org(org, _) => Some(org.id),
            Reach::All | Reach::Itself(_) => None,
        };
        self.uses.note(Use { secret: record.id, client, last, counts }, org);
        // Presenting a pending secret to revoke it does not confirm it, because it is to end itself and not
        // its token.
        if by.operation != Operation::RevokeToken {
            self.follow_ups.used(record, read.now());
        }
    }
}

impl Authority {
    /// Returns the last uses in an org of tokens that it does not own. Its admins see no other uses of them.
    pub(crate) async fn used_in(
        &self,
        read: &Read,
        org: &Org,
        views: &[TokenView],
    ) -> Result<BTreeMap<TokenId, LastUse>, AuthorityError> {
        let others = views.iter().filter(|view| view.token.owner != Owner::Org(org.id));
        let ids: Vec<TokenId> = others.map(|view| view.token.id).collect();
        let mut uses = read.last_uses_in(org.id, &ids).await?;
        self.uses.complete_in(org.id, views, &mut uses);
        Ok(uses)
    }
}

/// Returns a caller as the one who tried what is refused.
fn attempter(caller: &Caller) -> Attempter {
    match caller {
        Caller::Console => Attempter::Unknown,
        Caller::Session { account, .. } => Attempter::Account(account.id),
        Caller::Token { held, .. } => Attempter::Token(held.token.id, held.token.owner),
        Caller::Service { service } => Attempter::Service(service.id),
    }
}

/// Returns the account of this handle.
pub(crate) async fn account(read: &Read, handle: &Handle) -> Result<Account, AuthorityError> {
    read.find_account_by_handle(handle).await?.ok_or_else(|| AuthorityError::none("account", handle))
}
