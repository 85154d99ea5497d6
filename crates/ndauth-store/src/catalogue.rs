//! The catalogue: one document.

use ndauth_core::{Catalogue, CatalogueDocument, is_own_resource_type};
use sea_orm::EntityTrait;
use sea_orm::sea_query::Expr;
use sha2::{Digest, Sha256};

use crate::{Read, StoreError, Write};
use row::{Column, Entity};

impl Read {
    /// Returns the catalogue.
    pub async fn catalogue(&self) -> Result<Catalogue, StoreError> {
        let corrupt = || StoreError::corrupt("catalogue", "document", 1);
        let row = Entity::find().one(&self.transaction).await?.ok_or_else(corrupt)?;
        let mut document: CatalogueDocument = serde_json::from_str(&row.document).map_err(|_| corrupt())?;
        // A type that has become one of ndauth's own since then is dropped from the document.
        document.types.retain(|name, _| name.parse().is_ok_and(|name| !is_own_resource_type(&name)));
        Catalogue::new(&document).map_err(|_| corrupt())
    }

    /// Returns true, first, if the hash in the catalogue's row matches its document, and second, if it is
    /// still the document that the schema came with, which has no event.
    pub async fn check_catalogue(&self) -> Result<(bool, bool), StoreError> {
        let row = Entity::find().one(&self.transaction).await?;
        let row = row.ok_or_else(|| StoreError::corrupt("catalogue", "document", 1))?;
        let first = row.document == ndauth_migrations::CATALOGUE;
        let hash = Sha256::digest(row.document.as_bytes()).to_vec();
        Ok((row.hash == hash, first))
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

#[expect(unreachable_pub, reason = "what the derive makes is public; the module is not")]
mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "catalogue")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub one: i32,
        pub hash: Vec<u8>,
        pub document: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
