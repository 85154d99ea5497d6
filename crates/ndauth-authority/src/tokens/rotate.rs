//! Rotates tokens: draws a new secret, and confirms, drops or ends the rotation early.

use std::time::Duration;

use ndauth_core::{
    Change, Expiry, ExpiryChoice, Lifetime, Lineage, MAX_LIFETIME, Org, Orgs, Owner, Policies, Refusal,
    Secret, SecretPrefix, SecretRecord, SecretState, Since, Succession, Timestamp, Token, TokenStatus,
    TokenView, may_rotate,
};
use ndauth_store::Read;

use super::secrets::{LockedFamily, Settling, draw, end, settle, unlocked};
use super::which::{Which, no_token};
use crate::access::{Admitted, Operation, Whose};
use crate::change::{Changed, Changing, change};
use crate::orgs::unfrozen;
use crate::{AuthorityError, Credential, TokenWing};

/// A token that was rotated, with its new secret.
#[derive(Debug)]
pub struct Rotated {
    /// The token.
    pub view: TokenView,
    /// Its new secret, returned here and never again.
    pub secret: Secret,
    /// The instant until which that awaits confirmation.
    pub pending_until: Timestamp,
}

impl TokenWing<'_> {
    /// Draws a new secret for a token, which awaits confirmation.
    pub async fn rotate(
        self,
        credential: &Credential,
        whose: &Whose,
        which: &Which,
        overlap: Duration,
        expiry: Option<ExpiryChoice>,
    ) -> Result<Changed<Rotated>, AuthorityError> {
        if overlap > MAX_LIFETIME {
            return Err(AuthorityError::invalid("overlap", "at most 365 days"));
        }
        change(self.0, credential, Operation::RotateToken, whose, |changing| async move {
            let view = self.living(&changing, whose, which).await?;
            let (token, now) = (&view.token, changing.now());
            let records = view.secrets.iter().map(|secret| &secret.record);
            unlocked(may_rotate(records, view.not_before, now), token.name.as_str())?;
            let expires_at = self.rotated_end(&changing, &view, expiry).await?;
            if expires_at == Expiry::Never {
                changing.by.logged_in_recently(now, "rotate a token that never expires")?;
            }
            let kind = token.owner.secret_kind();
            let family = Lineage::Token(token.id);
            let presented = changing.by.presented().map(|held| &held.record);
            let (secret, record) =
                draw(&changing, kind, family, presented, &Succession { overlap, expires_at }).await?;
            let view = self.view(&changing, &changing.by, view.token).await?;
            let owner = Some(view.token.owner);
            let change = Change::SecretMinted { family, owner, secret: record.id };
            let pending_until = end(&record, now);
            Ok(changing.done_to(view.token.name.to_string(), change, Rotated { view, secret, pending_until }))
        })
        .await
    }

    /// Confirms the new secret. A secret that its first use has confirmed already may be named by its prefix.
    pub async fn confirm_rotation(
        self,
        credential: &Credential,
        whose: &Whose,
        which: &Which,
        prefix: Option<SecretPrefix>,
    ) -> Result<Changed<TokenView>, AuthorityError> {
        self.settle_rotation(credential, Operation::ConfirmRotation, whose, which, &Settling::Confirm(prefix))
            .await
    }

    /// Drops the new secret.
    pub async fn drop_rotation(
        self,
        credential: &Credential,
        whose: &Whose,
        which: &Which,
    ) -> Result<Changed<TokenView>, AuthorityError> {
        self.settle_rotation(credential, Operation::DropRotation, whose, which, &Settling::Drop).await
    }

    /// Ends the old secret before its overlap is over, if that is safe, or `anyway`.
    pub async fn retire_secret(
        self,
        credential: &Credential,
        whose: &Whose,
        which: &Which,
        anyway: bool,
    ) -> Result<Changed<TokenView>, AuthorityError> {
        self.settle_rotation(credential, Operation::RetireSecret, whose, which, &Settling::Retire { anyway })
            .await
    }

    async fn settle_rotation(
        self,
        credential: &Credential,
        operation: Operation,
        whose: &Whose,
        which: &Which,
        settling: &Settling,
    ) -> Result<Changed<TokenView>, AuthorityError> {
        change(self.0, credential, operation, whose, |changing| async move {
            let id = match settling {
                // A new secret is power, so the token must be live, and its orgs not frozen.
                Settling::Confirm(_) => self.living(&changing, whose, which).await?.token.id,
                Settling::Drop | Settling::Retire { .. } => self.hold(&changing, whose, which).await?.id,
            };
            let held =
                LockedFamily::hold(&changing, Lineage::Token(id)).await?.ok_or_else(|| no_token(&id))?;
            let settling = &settling.by(&changing.by, &held, changing.now())?;
            let settled = settle(&self.0.uses, &changing, &held, settling).await?;
            let token = changing.find_token(id).await?.ok_or_else(|| no_token(&id))?;
            let view = self.view(&changing, &changing.by, token).await?;
            Ok(match settled {
                Some((change, personal)) => changing.done(change, personal, view),
                None => changing.unchanged(view),
            })
        })
        .await
    }

    /// Returns a token's end once its new secret is confirmed.
    async fn rotated_end(
        self,
        changing: &Changing,
        view: &TokenView,
        expiry: Option<ExpiryChoice>,
    ) -> Result<Expiry, AuthorityError> {
        let (token, now) = (&view.token, changing.now());
        match changing.by.presented() {
            Some(_) if expiry.is_some() => {
                let why = "a token that rotates itself keeps its own lifetime";
                Err(AuthorityError::invalid("expiry", why))
            }
            Some(held) => {
                self.refuse_if_revoked_in_org(changing, token, &held.record).await?;
                let admitted = self.admitted(changing, view).await?;
                let longest = admitted.map_or(Lifetime::Endless, |(_, longest)| longest);
                Ok(token.self_rotated_expiry(longest, now))
            }
            None => chosen_end(token, expiry, self.admitted(changing, view).await?, now),
        }
    }

    /// Locks the token that a change concerns, and returns it as its owner sees it. Refuses one that is dead
    /// or names a frozen org.
    pub(super) async fn living(
        self,
        changing: &Changing,
        whose: &Whose,
        which: &Which,
    ) -> Result<TokenView, AuthorityError> {
        let token = self.hold(changing, whose, which).await?;
        let view = self.view(changing, &changing.by, token).await?;
        alive(&view, changing.now())?;
        self.refuse_frozen_orgs(changing, &view.token).await?;
        Ok(view)
    }

    /// Refuses a token that names a frozen org.
    pub(crate) async fn refuse_frozen_orgs(self, read: &Read, token: &Token) -> Result<(), AuthorityError> {
        if let Orgs::Only(_) = &token.orgs {
            for (org, _) in self.orgs_of(read, token).await? {
                unfrozen(&org)?;
            }
        }
        Ok(())
    }

    /// Refuses a secret that an org of its token revoked with all others, because the new secret would be
    /// admitted there again.
    async fn refuse_if_revoked_in_org(
        self,
        read: &Read,
        token: &Token,
        record: &SecretRecord,
    ) -> Result<(), AuthorityError> {
        for (org, _) in self.orgs_of(read, token).await? {
            if record.judge_minting(org.not_before).is_err() {
                return Err(Refusal::RevokedInOrg { org: org.slug, not_before: org.not_before }.into());
            }
        }
        Ok(())
    }

    /// Returns the orgs in which a token may have power, and their policies.
    pub(crate) async fn orgs_of(
        self,
        read: &Read,
        token: &Token,
    ) -> Result<Vec<(Org, Policies)>, AuthorityError> {
        let mut orgs = Vec::new();
        match (&token.orgs, token.owner) {
            (Orgs::Only(ids), _) => {
                for id in ids {
                    orgs.extend(read.find_org(*id).await?);
                }
            }
            (Orgs::All, Owner::Account(account)) => {
                orgs.extend(read.list_memberships(account).await?.into_iter().map(|member| member.org));
            }
            (Orgs::All, Owner::Org(id)) => orgs.extend(read.find_org(id).await?),
        }
        let mut with_policies = Vec::with_capacity(orgs.len());
        for org in orgs {
            let policies = read.find_policies(org.id).await?;
            with_policies.push((org, policies));
        }
        Ok(with_policies)
    }

    /// Returns the longest lifetime that a secret of a token may have, and the org that limits it. None if no
    /// org does. Every org that the token names counts, as at its creation. For a token of all orgs, only
    /// those count that admit its present secret.
    pub(super) async fn admitted(
        self,
        read: &Read,
        view: &TokenView,
    ) -> Result<Option<(Org, Lifetime)>, AuthorityError> {
        let now = read.now();
        let span = view.shown(now).record.span(&view.token);
        let named = matches!(view.token.orgs, Orgs::Only(_));
        let limits = self.orgs_of(read, &view.token).await?.into_iter();
        let limits = limits.map(|(org, policies)| (org, policies.at(now).longest_lifetime));
        Ok(limits.filter(|(_, longest)| named || span <= *longest).min_by_key(|(_, longest)| *longest))
    }
}

impl Settling {
    /// Returns the settlement that a caller may make. A token may only confirm the secret that it presents.
    fn by(&self, by: &Admitted, held: &LockedFamily, now: Timestamp) -> Result<Settling, AuthorityError> {
        let (Settling::Confirm(prefix), Some(presented)) = (self, by.presented()) else {
            return Ok(self.clone());
        };
        let pending = held.in_state(SecretState::Pending, now);
        let meant = prefix.or(pending.map(|found| found.record.prefix));
        if meant.is_some_and(|meant| meant != presented.record.prefix) {
            return Err(by.session_required());
        }
        Ok(Settling::Confirm(Some(presented.record.prefix)))
    }
}

/// Returns a token's end when a person rotates it. A lifetime that the person chose and an org no longer
/// admits is refused.
fn chosen_end(
    token: &Token,
    expiry: Option<ExpiryChoice>,
    admitted: Option<(Org, Lifetime)>,
    now: Timestamp,
) -> Result<Expiry, AuthorityError> {
    if let (Some(choice), Some((org, longest))) = (expiry, &admitted)
        && let Ok(lifetime) = choice.lifetime(now)
        && lifetime > *longest
    {
        let (org, longest) = (org.slug.clone(), *longest);
        return Err(Refusal::LifetimeTooLong { org, lifetime, longest }.into());
    }
    let longest = admitted.map_or(Lifetime::Endless, |(_, longest)| longest);
    token.rotated_expiry(expiry, longest, now).map_err(|why| AuthorityError::invalid("expiry", why))
}

/// Refuses a dead token.
pub(super) fn alive(view: &TokenView, now: Timestamp) -> Result<(), AuthorityError> {
    let status = view.status(now);
    if !status.is_dead() {
        return Ok(());
    }
    let how = match (status, view.token.revoked_at, view.token.expires_at) {
        (TokenStatus::Revoked, Some(at), _) => format!("was revoked {}", Since { at, as_of: now }),
        (TokenStatus::Revoked, None, _) => {
            format!("was revoked with all tokens minted before {}", view.not_before)
        }
        (_, _, Expiry::At(at)) if view.token.expires_at.is_past(now) => {
            format!("expired {}", Since { at, as_of: now })
        }
        _ => "expired: its secret was not used in time".to_owned(),
    };
    Err(AuthorityError::TokenDead { name: view.token.name.clone(), how })
}
