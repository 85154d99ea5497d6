//! The catalogue on the wire.

use ndauth_core::Catalogue;

use crate::{role_to_proto, v1};

/// The catalogue, on the wire, by resource type.
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
