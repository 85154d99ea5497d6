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

/// A catalogue that is to follow the present one.
#[derive(Clone, Debug)]
pub enum NextCatalogue {
    /// This one, whole.
    Whole(CatalogueDocument),
    /// The present one with the resource types of this that it lacks.
    With(CatalogueDocument),
}

/// The changes that a new catalogue makes.
#[derive(Debug)]
pub struct CatalogueApplied {
    /// The changes.
    pub changes: Vec<CatalogueChange>,
    /// The number of live tokens that name something which the new catalogue removes or renames.
    pub tokens: usize,
    /// The number of added permissions that live tokens carried by name before, without power, counted for
    /// each token.
    pub revived: usize,
}

const PAGE: u64 = 1000;

impl Authority {
    /// Returns the catalogue of permissions.
    pub async fn list_permissions(&self, credential: &Credential) -> Result<Arc<Catalogue>, AuthorityError> {
        let (read, _) = self.read_as(credential, Operation::ListPermissions, &Whose::Mine).await?;
        self.catalogue(&read).await
    }
}

impl NextCatalogue {
    /// The whole document, given the present catalogue.
    fn after(&self, present: &Catalogue) -> CatalogueDocument {
        match self {
            NextCatalogue::Whole(document) => document.clone(),
            NextCatalogue::With(more) => present.document().with(more),
        }
    }
}

impl OperatorWing<'_> {
    /// Returns the changes that a new catalogue would make, and changes nothing.
    pub async fn try_catalogue(
        self,
        credential: &Credential,
        next: &NextCatalogue,
    ) -> Result<Changed<CatalogueApplied>, AuthorityError> {
        let (read, _) = self.0.read_as(credential, Operation::ApplyCatalogue, &Whose::Anyone).await?;
        let present = self.0.catalogue(&read).await?;
        let value = compare(&read, &present, &next.after(&present)).await?;
        Ok(Changed { value, changed: false, sequence: read.head().sequence, now: read.now() })
    }

    /// Replaces the catalogue. An equal one changes nothing.
    pub async fn apply_catalogue(
        self,
        credential: &Credential,
        next: &NextCatalogue,
    ) -> Result<Changed<CatalogueApplied>, AuthorityError> {
        change(self.0, credential, Operation::ApplyCatalogue, &Whose::Anyone, |mut changing| async move {
            // The present catalogue is read under the lock, so no other catalogue comes in between.
            changing.lock_head().await?;
            let present = changing.catalogue().await?;
            let document = next.after(&present);
            let applied = compare(&changing, &present, &document).await?;
            if applied.changes.is_empty() {
                return Ok(changing.unchanged(applied));
            }
            changing.set_catalogue(&document).await?;
            let change = Change::CatalogueApplied { catalogue: document };
            Ok(changing.done(change, Personal::new(), applied))
        })
        .await
    }
}

/// Returns the changes that a new catalogue makes. Fails if it may not follow the present one.
async fn compare(
    read: &Read,
    present: &Catalogue,
    document: &CatalogueDocument,
) -> Result<CatalogueApplied, AuthorityError> {
    let next = Catalogue::new(document).map_err(|why| AuthorityError::invalid("catalogue", why))?;
    let changes = next.changes_from(present).map_err(|why| AuthorityError::invalid("catalogue", why))?;
    let (mut tokens, mut revived, mut gaining) = (0, 0, BTreeMap::new());
    if changes.iter().any(changes_meaning) {
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
            "`{to}` cannot replace `{from}`: {count} live token(s) carry `{to}` from before, and would gain it"
        );
        return Err(AuthorityError::invalid("catalogue", why));
    }
    Ok(CatalogueApplied { changes, tokens, revived })
}

/// Returns true if a change may give the names that tokens carry another meaning.
fn changes_meaning(change: &CatalogueChange) -> bool {
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

/// Visits every live token that carries a set of grants.
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
