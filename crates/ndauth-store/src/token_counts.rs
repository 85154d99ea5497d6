//! The number of an owner's live tokens, by their age and by their last use.

use std::time::Duration;

use ndauth_core::Owner;
use sea_orm::sea_query::{Expr, ExprTrait, Func, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, QuerySelect, QueryTrait};

use crate::tokens::{owned_by, token, underived};
use crate::{Read, StoreError};

/// The ages for which tokens are counted.
pub const AGES: [Duration; 4] = [days(7), days(30), days(90), days(365)];
/// The times since a last use for which tokens are counted.
pub const IDLE: [Duration; 3] = [days(1), days(7), days(30)];

/// A token that ends within this time expires soon.
pub const SOON: Duration = days(14);
/// A token without a use for this time is unused.
pub const UNUSED: Duration = days(90);

/// The number of an owner's live tokens: neither revoked nor expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenCounts {
    /// All of them.
    pub live: u64,
    /// Those made within each of [`AGES`].
    pub made_within: [u64; 4],
    /// Those used within each of [`IDLE`].
    pub used_within: [u64; 3],
    /// Those that were never used.
    pub never_used: u64,
    /// Those that end within [`SOON`].
    pub ends_soon: u64,
    /// Those without a use for [`UNUSED`]. A token that was never used counts from its creation.
    pub unused: u64,
}

const fn days(count: u64) -> Duration {
    Duration::from_secs(count * 24 * 60 * 60)
}

impl Read {
    /// Counts an owner's live tokens.
    pub async fn count_tokens(&self, owner: Owner) -> Result<TokenCounts, StoreError> {
        let now = self.now();
        let before = |span| now.checked_sub(span).map_or(0, ndauth_core::Timestamp::micros);
        let after = now.checked_add(SOON).unwrap_or(ndauth_core::Timestamp::MAX).micros();
        let used = || {
            let used =
                Func::coalesce([token::Column::LastUsedAt.into_expr(), token::Column::CreatedAt.into_expr()]);
            SimpleExpr::from(used)
        };
        // As text, because a sum has different types on the two engines.
        let count = |condition: SimpleExpr| {
            let one = Expr::case(condition, 1).finally(0);
            SimpleExpr::from(Func::coalesce([SimpleExpr::from(Func::sum(one)), Expr::value(0)]))
                .cast_as("text")
        };
        let mut conditions: Vec<SimpleExpr> = vec![token::Column::Id.is_not_null()];
        conditions.extend(AGES.map(|age| token::Column::CreatedAt.gte(before(age))));
        conditions.extend(IDLE.map(|idle| token::Column::LastUsedAt.gte(before(idle))));
        conditions.push(token::Column::LastUsedAt.is_null());
        conditions.push(token::Column::ExpiresAt.lt(after));
        conditions.push(used().lt(before(UNUSED)));
        let mut query = underived()
            .select_only()
            .filter(owned_by(owner))
            .filter(token::Column::RevokedAt.is_null())
            .filter(token::Column::ExpiresAt.gt(now.micros()));
        for (number, condition) in conditions.into_iter().enumerate() {
            query = query.column_as(count(condition), format!("c{number}"));
        }
        let statement = query.build(self.transaction.get_database_backend());
        let row = self.transaction.query_one_raw(statement).await?;
        let row = row.ok_or_else(|| StoreError::corrupt("token", "id", "count"))?;
        let counted = |number: usize| -> Result<u64, StoreError> {
            let text: String = row.try_get("", &format!("c{number}"))?;
            text.parse().map_err(|_| StoreError::corrupt("token", "id", "count"))
        };
        Ok(TokenCounts {
            live: counted(0)?,
            made_within: [counted(1)?, counted(2)?, counted(3)?, counted(4)?],
            used_within: [counted(5)?, counted(6)?, counted(7)?],
            never_used: counted(8)?,
            ends_soon: counted(9)?,
            unused: counted(10)?,
        })
    }
}
