//! The catalogue: one document.

use ndauth_core::{Catalogue, CatalogueDocument};
use sea_orm::EntityTrait;
use sea_orm::sea_query::Expr;
use sha2::{Digest, Sha256};

use crate::row::catalogue::{Column, Entity};
use crate::{Read, StoreError, Write};

impl Read {
    /// The catalogue.
    pub async fn catalogue(&self) -> Result<Catalogue, StoreError> {
        let corrupt = || StoreError::corrupt("catalogue", "document", 1);
        let row = Entity::find().one(&self.transaction).await?.ok_or_else(corrupt)?;
        let document: CatalogueDocument = serde_json::from_str(&row.document).map_err(|_| corrupt())?;
        Catalogue::new(&document).map_err(|_| corrupt())
    }
}

impl Write {
    /// Replaces the catalogue.
    pub async fn set_catalogue(&self, document: &CatalogueDocument) -> Result<(), StoreError> {
        let text = serde_json::to_string(document).expect("a document is plain data");
        let hash = Sha256::digest(text.as_bytes()).to_vec();
        Entity::update_many()
            .col_expr(Column::Hash, Expr::value(hash))
            .col_expr(Column::Document, Expr::value(text))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }
}
