//! The catalogue: listed by anyone, replaced by the operator.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndauth_core::{
    Actions, Catalogue, CatalogueChange, CatalogueDocument, Change, GrantSet, Grants, PermissionName,
    Personal,
};
use ndauth_store::{Read, TokenPage};

use crate::access::{Operation, Whose};
use crate::change::{Changed, change};
use crate::{Authority, AuthorityError, Credential, OperatorWing};

/// What a new catalogue changes.
#[derive(Debug)]
pub struct CatalogueApplied {
    /// What changes.
    pub changes: Vec<CatalogueChange>,
    /// How many tokens that live name something that is gone by it, or has another name.
    pub tokens: usize,
    /// How many tokens that live carried what comes to be by it, under that name, and had no power by it.
    pub revived: usize,
}

const PAGE: u64 = 1000;

impl Authority {
    /// Every permission there is.
    pub async fn list_permissions(&self, credential: &Credential) -> Result<Arc<Catalogue>, AuthorityError> {
        let (read, _) = self.read_as(credential, Operation::ListPermissions, &Whose::Mine).await?;
        self.catalogue(&read).await
    }
}

impl OperatorWing<'_> {
    /// Says what a new catalogue would change, and changes nothing.
    pub async fn try_catalogue(
        self,
        credential: &Credential,
        document: &CatalogueDocument,
    ) -> Result<Changed<CatalogueApplied>, AuthorityError> {
        let (read, _) = self.0.read_as(credential, Operation::ApplyCatalogue, &Whose::Anyone).await?;
        let value = compare(&read, &*self.0.catalogue(&read).await?, document).await?;
        Ok(Changed { value, changed: false, sequence: read.head().sequence, now: read.now() })
    }

    /// Replaces the catalogue. One that says the same changes nothing.
    pub async fn apply_catalogue(
        self,
        credential: &Credential,
        document: &CatalogueDocument,
    ) -> Result<Changed<CatalogueApplied>, AuthorityError> {
        change(self.0, credential, Operation::ApplyCatalogue, &Whose::Anyone, |mut changing| async move {
            // No other catalogue comes between the one that is compared with and this: it is read behind the lock.
            changing.lock_head().await?;
            let present = changing.catalogue().await?;
            let applied = compare(&changing, &present, document).await?;
            if applied.changes.is_empty() {
                return Ok(changing.unchanged(applied));
            }
            changing.set_catalogue(document).await?;
            let change = Change::CatalogueApplied { catalogue: document.clone() };
            Ok(changing.done(change, Personal::new(), applied))
        })
        .await
    }
}

/// What a new catalogue changes, if it may follow the present one.
async fn compare(
    read: &Read,
    present: &Catalogue,
    document: &CatalogueDocument,
) -> Result<CatalogueApplied, AuthorityError> {
    let next = Catalogue::new(document).map_err(|why| AuthorityError::invalid("catalogue", why))?;
    let changes = next.changes_from(present).map_err(|why| AuthorityError::invalid("catalogue", why))?;
    let (mut tokens, mut revived, mut gaining) = (0, 0, BTreeMap::new());
    if changes.iter().any(moves_names) {
        each_live_token_with_grants(read, |_, grants| {
            let carries = |name: &PermissionName| {
                grants.iter().any(|(resource_type, _, actions)| match actions {
                    Actions::Any => false,
                    Actions::Only(some) => {
                        *resource_type == name.resource_type && some.contains(&name.action)
                    }
                })
            };
            tokens += usize::from(next.outdated(grants) != present.outdated(grants));
            for change in &changes {
                match change {
                    CatalogueChange::Added { name, .. } => revived += usize::from(carries(name)),
                    CatalogueChange::Renamed { to, .. } if carries(to) => {
                        *gaining.entry(change.clone()).or_insert(0) += 1;
                    }
                    _ => {}
                }
            }
        })
        .await?;
    }
    if let Some((CatalogueChange::Renamed { from, to }, count)) = gaining.into_iter().next() {
        let why = format!(
            "`{to}` cannot be what `{from}` was: {count} token(s) that live carry `{to}` from before, and would gain it"
        );
        return Err(AuthorityError::invalid("catalogue", why));
    }
    Ok(CatalogueApplied { changes, tokens, revived })
}

/// Whether what tokens carry may mean something else by it.
fn moves_names(change: &CatalogueChange) -> bool {
    match change {
        CatalogueChange::Added { .. }
        | CatalogueChange::Renamed { .. }
        | CatalogueChange::Forgotten { .. }
        | CatalogueChange::Removed { .. } => true,
        CatalogueChange::Role { .. }
        | CatalogueChange::Described { .. }
        | CatalogueChange::TypeDescribed { .. } => false,
    }
}

/// Looks at every token that lives and carries a set of grants.
pub(crate) async fn each_live_token_with_grants(
    read: &Read,
    mut look: impl FnMut(&ndauth_core::Token, &GrantSet),
) -> Result<(), AuthorityError> {
    let mut after = None;
    loop {
        let tokens = read.list_every_token(TokenPage { include_revoked: false, after, limit: PAGE }).await?;
        after = tokens.last().map(|token| token.id);
        if after.is_none() {
            return Ok(());
        }
        for token in tokens.iter().filter(|token| !token.expires_at.is_past(read.now())) {
            if let Grants::Only(set) = &token.grants {
                look(token, set);
            }
        }
    }
}
