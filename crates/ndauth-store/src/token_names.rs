//! Look-ups of tokens by what people see of them: a secret's prefix, the beginning of an id, or a former
//! name.

use ndauth_core::{Label, Owner, SecretPrefix, Token};
use sea_orm::prelude::Uuid;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use crate::tokens::{has_prefix, owned_by, token, underived};
use crate::{Read, StoreError};

impl Read {
    /// Returns the tokens of an owner, or of all owners, that have a secret with this prefix, up to a limit.
    pub async fn find_tokens_of_prefix(
        &self,
        owner: Option<Owner>,
        prefix: SecretPrefix,
        most: u64,
    ) -> Result<Vec<Token>, StoreError> {
        self.some_tokens(owner, underived().filter(has_prefix(prefix)), most).await
    }

    /// Returns the tokens of an owner, or of all owners, with ids in a range, up to a limit.
    pub async fn find_tokens_between(
        &self,
        owner: Option<Owner>,
        low: Uuid,
        high: Uuid,
        most: u64,
    ) -> Result<Vec<Token>, StoreError> {
        let between = underived().filter(token::Column::Id.gte(low)).filter(token::Column::Id.lte(high));
        self.some_tokens(owner, between, most).await
    }

    /// Returns the tokens of an owner that had this name and no longer have it, up to a limit.
    pub async fn find_former_tokens_named(
        &self,
        owner: Owner,
        name: &Label,
        most: u64,
    ) -> Result<Vec<Token>, StoreError> {
        let former = underived()
            .filter(token::Column::Name.eq(name.as_str()))
            .filter(token::Column::LiveName.is_null());
        self.some_tokens(Some(owner), former, most).await
    }

    async fn some_tokens(
        &self,
        owner: Option<Owner>,
        query: Select<token::Entity>,
        most: u64,
    ) -> Result<Vec<Token>, StoreError> {
        let query = match owner {
            Some(owner) => query.filter(owned_by(owner)),
            None => query,
        };
        let rows = query.order_by_asc(token::Column::Id).limit(most).all(&self.transaction).await?;
        self.tokens_from_rows(rows).await
    }
}
