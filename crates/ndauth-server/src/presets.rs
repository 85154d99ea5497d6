//! Presets: resource types and actions that an operator adds to the catalogue by name.

use clap::ValueEnum;
use ndauth_core::CatalogueDocument;

/// A preset of the catalogue.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Preset {
    /// Builders, caches, registries, runners and instances, as Namespace names them
    Namespace,
}

impl Preset {
    /// Returns the resource types and their actions.
    pub(crate) fn document(self) -> CatalogueDocument {
        let text = match self {
            Preset::Namespace => include_str!("presets/namespace.toml"),
        };
        toml_edit::de::from_str(text).expect("a test reads each")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_reads() {
        for preset in Preset::value_variants() {
            ndauth_core::Catalogue::new(&preset.document()).expect("a catalogue");
        }
    }
}
