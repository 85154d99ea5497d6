//! Conversions of the catalogue between the wire and core.

use ndauth_core::{ActionDocument, Catalogue, CatalogueDocument, Problem, TypeDocument};

use crate::{role_from_proto, role_to_proto, v1};

/// Converts the catalogue to the wire, by resource type.
pub fn catalogue_to_proto(catalogue: &Catalogue) -> Vec<v1::ResourceType> {
    let mut types: Vec<v1::ResourceType> = Vec::new();
    for listed in catalogue.list() {
        let action = v1::Action {
            name: listed.name.action.to_string(),
            description: listed.description.to_string(),
            least_role: role_to_proto(listed.least_role).into(),
            formerly: listed.formerly.iter().map(ToString::to_string).collect(),
        };
        let of = &listed.name.resource_type;
        match types.last_mut() {
            Some(last) if last.name == of.as_str() => last.actions.push(action),
            _ => types.push(v1::ResourceType {
                name: of.to_string(),
                description: catalogue.describe(of).map(ToString::to_string).unwrap_or_default(),
                own: listed.own,
                actions: vec![action],
            }),
        }
    }
    types
}

/// Converts the catalogue from the wire. ndauth's own resource types are those of this version.
pub fn catalogue_from_proto(types: &[v1::ResourceType]) -> Result<Catalogue, Problem> {
    let mut document = CatalogueDocument::default();
    for resource_type in types.iter().filter(|resource_type| !resource_type.own) {
        let mut actions = std::collections::BTreeMap::new();
        for action in &resource_type.actions {
            let action_document = ActionDocument {
                role: role_from_proto("least_role", action.least_role)?,
                description: action.description.clone(),
                formerly: action.formerly.clone(),
            };
            actions.insert(action.name.clone(), action_document);
        }
        let description = resource_type.description.clone();
        document.types.insert(resource_type.name.clone(), TypeDocument { description, actions });
    }
    Catalogue::new(&document).map_err(|why| Problem::invalid("resource_types", why))
}
