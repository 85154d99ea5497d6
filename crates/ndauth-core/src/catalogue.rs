//! The catalogue: the resource types and actions there are, and the least role that each action needs.
//!
//! It consists of the document that the operator applies, and of ndauth's own permissions, which are fixed. A
//! permission that left the catalogue confers no power, whichever token carries it. A renamed one is found
//! under its former name too, in tokens and in requests. A change of the catalogue never gives a token more
//! than it had under the former name (see [`Catalogue::changes_from`]).

pub(crate) mod change;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::own::OWN;
use crate::{
    Action, Actions, Description, EffectiveGrants, Grant, GrantSet, Grants, InvalidName, InvalidPermission,
    Permission, ResourceIds, ResourceType, Role, Scope, is_own_resource_type, nearest,
};

/// A permission without resources: `action:type`, such as `read:assets`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PermissionName {
    /// The resource type.
    pub resource_type: ResourceType,
    /// The action.
    pub action: Action,
}

/// The catalogue as the operator writes it.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueDocument {
    /// The resource types, by name.
    pub types: BTreeMap<String, TypeDocument>,
}

impl CatalogueDocument {
    /// Adds the resource types of another document that are not here yet.
    #[must_use]
    pub fn with(mut self, other: &CatalogueDocument) -> CatalogueDocument {
        for (name, added) in &other.types {
            self.types.entry(name.clone()).or_insert_with(|| added.clone());
        }
        self
    }
}

/// A resource type as the operator writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeDocument {
    /// A one-line description.
    pub description: String,
    /// Its actions, by name.
    #[serde(default)]
    pub actions: BTreeMap<String, ActionDocument>,
}

/// An action as the operator writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionDocument {
    /// The least role that it requires.
    pub role: Role,
    /// A one-line description of what it allows.
    pub description: String,
    /// Its former names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formerly: Vec<String>,
}

/// The catalogue of permissions that exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    entries: BTreeMap<PermissionName, CatalogueEntry>,
    /// Former names, each with the present one.
    former: BTreeMap<PermissionName, PermissionName>,
    /// Resource types, each with its description.
    types: BTreeMap<ResourceType, Description>,
}

/// The catalogue's entry for a permission.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CatalogueEntry {
    least_role: Role,
    /// The least scope that a token needs to use it.
    least_scope: Scope,
    description: Description,
    formerly: BTreeSet<PermissionName>,
}

/// A permission as the catalogue lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed<'a> {
    /// Its name.
    pub name: &'a PermissionName,
    /// The least role that it requires.
    pub least_role: Role,
    /// The least scope that a token needs to use it.
    pub least_scope: Scope,
    /// A description of what it allows.
    pub description: &'a Description,
    /// Its former names.
    pub formerly: &'a BTreeSet<PermissionName>,
    /// True if it concerns ndauth itself.
    pub own: bool,
}

/// The fault of a document that is not a catalogue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCatalogue {
    /// The name of a type is malformed.
    #[error("`types.{0}`: {1}")]
    Type(String, InvalidPermission),
    /// An action or a former name is malformed.
    #[error("`{1}` of the type `{0}`: {2}")]
    Action(ResourceType, String, InvalidPermission),
    /// The type is one of ndauth's own.
    #[error("`{0}` belongs to ndauth itself: its actions are fixed")]
    Own(ResourceType),
    /// The type has no actions.
    #[error("the type `{0}` has no actions")]
    NoActions(ResourceType),
    /// The description is malformed.
    #[error("the description of `{0}` {1}")]
    Description(String, InvalidName),
    /// A former name is in use.
    #[error("`{former}`, which `{name}` was called before, is the name of a permission")]
    FormerInUse {
        /// The permission that had the former name.
        name: PermissionName,
        /// The former name.
        former: PermissionName,
    },
    /// Two permissions have this former name.
    #[error("`{0}` is the former name of more than one permission")]
    FormerTwice(PermissionName),
}

/// A grant on something that the catalogue does not contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownGrant {
    /// The unknown word: an action, or a resource type.
    pub word: String,
    /// The permission in full, as `action:type`.
    pub named: String,
    /// True if the word is a resource type, none of whose actions are known either.
    pub is_type: bool,
    /// A similar word that may have been meant.
    pub meant: Option<String>,
    /// The present name of the permission, if it was renamed.
    pub renamed_to: Option<PermissionName>,
}

impl Catalogue {
    /// Reads a document, and adds ndauth's own permissions.
    pub fn new(document: &CatalogueDocument) -> Result<Catalogue, InvalidCatalogue> {
        let mut catalogue =
            Catalogue { entries: BTreeMap::new(), former: BTreeMap::new(), types: BTreeMap::new() };
        for (name, type_document) in &document.types {
            let resource_type: ResourceType =
                name.parse().map_err(|why| InvalidCatalogue::Type(name.clone(), why))?;
            if is_own_resource_type(&resource_type) {
                return Err(InvalidCatalogue::Own(resource_type));
            }
            catalogue.add_type(resource_type, type_document)?;
        }
        for (former, name) in &catalogue.former {
            if catalogue.entries.contains_key(former) {
                let (name, former) = (name.clone(), former.clone());
                return Err(InvalidCatalogue::FormerInUse { name, former });
            }
        }
        for (resource_type, description, actions) in OWN {
            let resource_type: ResourceType = resource_type.parse().expect("the table holds resource types");
            let words = |text: &str| text.parse::<Description>().expect("the table holds descriptions");
            catalogue.types.insert(resource_type.clone(), words(description));
            for (action, least_role, least_scope, description) in actions {
                let action = action.parse().expect("the table holds actions");
                let entry = CatalogueEntry {
                    least_role: *least_role,
                    least_scope: *least_scope,
                    description: words(description),
                    formerly: BTreeSet::new(),
                };
                let name = PermissionName { resource_type: resource_type.clone(), action };
                catalogue.entries.insert(name, entry);
            }
        }
        Ok(catalogue)
    }

    fn add_type(
        &mut self,
        resource_type: ResourceType,
        document: &TypeDocument,
    ) -> Result<(), InvalidCatalogue> {
        let line = |of: &str, text: &str| {
            let description = text.parse::<Description>();
            description.map_err(|why| InvalidCatalogue::Description(of.to_owned(), why))
        };
        if document.actions.is_empty() {
            return Err(InvalidCatalogue::NoActions(resource_type));
        }
        self.types.insert(resource_type.clone(), line(resource_type.as_str(), &document.description)?);
        for (action, described) in &document.actions {
            let invalid =
                |text: &str, why| InvalidCatalogue::Action(resource_type.clone(), text.to_owned(), why);
            let name = PermissionName {
                resource_type: resource_type.clone(),
                action: action.parse().map_err(|why| invalid(action, why))?,
            };
            let mut formerly = BTreeSet::new();
            for text in &described.formerly {
                let former: PermissionName = text.parse().map_err(|why| invalid(text, why))?;
                if is_own_resource_type(&former.resource_type) {
                    return Err(InvalidCatalogue::Own(former.resource_type));
                }
                if self.former.insert(former.clone(), name.clone()).is_some() {
                    return Err(InvalidCatalogue::FormerTwice(former));
                }
                formerly.insert(former);
            }
            let description = line(&name.to_string(), &described.description)?;
            let (least_role, least_scope) = (described.role, described.role.scope());
            self.entries.insert(name, CatalogueEntry { least_role, least_scope, description, formerly });
        }
        Ok(())
    }

    /// Returns the document of this catalogue, without ndauth's own permissions.
    pub fn document(&self) -> CatalogueDocument {
        let mut document = CatalogueDocument::default();
        for (name, entry) in &self.entries {
            if is_own_resource_type(&name.resource_type) {
                continue;
            }
            let resource_type = &name.resource_type;
            let described = document.types.entry(resource_type.to_string()).or_insert_with(|| TypeDocument {
                description: self.describe(resource_type).map(ToString::to_string).unwrap_or_default(),
                actions: BTreeMap::new(),
            });
            let action = ActionDocument {
                role: entry.least_role,
                description: entry.description.to_string(),
                formerly: entry.formerly.iter().map(ToString::to_string).collect(),
            };
            described.actions.insert(name.action.to_string(), action);
        }
        document
    }

    /// Returns every permission, by type and action.
    pub fn list(&self) -> impl Iterator<Item = Listed<'_>> {
        self.entries.iter().map(|(name, entry)| Listed {
            name,
            least_role: entry.least_role,
            least_scope: entry.least_scope,
            description: &entry.description,
            formerly: &entry.formerly,
            own: is_own_resource_type(&name.resource_type),
        })
    }

    /// Returns the description of a type, if the type exists.
    pub fn describe(&self, resource_type: &ResourceType) -> Option<&Description> {
        self.types.get(resource_type)
    }

    /// Returns the least role that a permission requires, or `None` if there is no such permission.
    pub fn least_role(&self, permission: &Permission) -> Option<Role> {
        self.resolve(&PermissionName::of(permission)).map(|(_, entry)| entry.least_role)
    }

    /// Returns the least scope that a permission requires, or `None` if there is no such permission.
    pub fn scope_of(&self, permission: &Permission) -> Option<Scope> {
        self.resolve(&PermissionName::of(permission)).map(|(_, entry)| entry.least_scope)
    }

    /// Returns true if grants permit this, under its present name or a former one.
    pub fn permit(&self, grants: &Grants, asked: &Permission) -> bool {
        if grants.permits(asked) {
            return true;
        }
        let Some((name, entry)) = self.resolve(&PermissionName::of(asked)) else { return false };
        std::iter::once(name)
            .chain(&entry.formerly)
            .any(|known| grants.permits(&known.with(asked.resource_ids.clone())))
    }

    /// Returns the part of these grants that a role and a scope allow: by present names, without permissions
    /// that no longer exist.
    pub fn within(&self, grants: &Grants, role: Role, scope: Scope) -> Grants {
        let Grants::Only(set) = grants else { return Grants::All };
        let mut left = GrantSet::default();
        for (resource_type, ids, actions) in set.iter() {
            let named = self.named(resource_type, actions).filter_map(|known| self.resolve(&known));
            for (name, _) in named.filter(|(_, entry)| entry.least_role <= role && entry.least_scope <= scope)
            {
                left.add(Grant {
                    resource_type: name.resource_type.clone(),
                    resource_ids: ids.clone(),
                    actions: Actions::Only([name.action.clone()].into()),
                });
            }
        }
        Grants::Only(left.normal())
    }

    /// Returns the same as [`Catalogue::within`], computed once for each role and scope.
    pub(crate) fn within_once(
        &self,
        known: &EffectiveGrants,
        grants: &Grants,
        role: Role,
        scope: Scope,
    ) -> Grants {
        known.within(role, scope, || self.within(grants, role, scope))
    }

    /// Returns the permissions, by present and former names, that actions on a type cover.
    fn named<'a>(
        &'a self,
        resource_type: &'a ResourceType,
        actions: &'a Actions,
    ) -> Box<dyn Iterator<Item = PermissionName> + 'a> {
        let name =
            |action: &Action| PermissionName { resource_type: resource_type.clone(), action: action.clone() };
        match actions {
            Actions::Only(some) => Box::new(some.iter().map(name)),
            Actions::Any => {
                let first = name(&Action::FIRST);
                let present = self.entries.range(first.clone()..).map(|(name, _)| name);
                let former = self.former.range(first..).map(|(name, _)| name);
                let of_type = move |name: &&PermissionName| name.resource_type == *resource_type;
                Box::new(present.take_while(of_type).chain(former.take_while(of_type)).cloned())
            }
        }
    }

    /// Returns the least scope with which everything that these grants name can be done.
    pub fn least_scope(&self, grants: &GrantSet) -> Scope {
        let named = |name: &PermissionName| {
            grants.iter().any(|(resource_type, _, actions)| {
                *resource_type == name.resource_type && actions.contain(&name.action)
            })
        };
        let scopes = self.entries.iter().filter(|(name, _)| named(name)).map(|(_, entry)| entry.least_scope);
        scopes.max().unwrap_or(Scope::Ro)
    }

    /// Returns the permission among these grants that requires the least role.
    pub fn least_permission(&self, grants: &GrantSet) -> Option<Permission> {
        let permissions = grants.iter().flat_map(|(resource_type, ids, actions)| {
            let known = self.named(resource_type, actions).filter_map(|named| self.resolve(&named));
            known.map(move |(name, entry)| (entry.least_role, name, ids))
        });
        let (_, name, ids) = permissions.min_by_key(|(least_role, ..)| *least_role)?;
        Some(Permission {
            action: name.action.clone(),
            resource_type: name.resource_type.clone(),
            resource_ids: ids.clone(),
        })
    }

    /// Returns the first of these grants that names a permission or a type that does not exist.
    pub fn first_unknown(&self, grants: &GrantSet) -> Option<UnknownGrant> {
        grants.iter().find_map(|(resource_type, _, actions)| {
            let actions_there = || {
                let of_type = self.entries.keys().filter(|name| name.resource_type == *resource_type);
                of_type.map(|name| name.action.as_str())
            };
            match actions {
                Actions::Any if actions_there().next().is_none() => {
                    Some(self.unknown_type(resource_type, None))
                }
                Actions::Any => None,
                Actions::Only(actions) => actions.iter().find_map(|action| {
                    let name =
                        PermissionName { resource_type: resource_type.clone(), action: action.clone() };
                    if self.entries.contains_key(&name) {
                        return None;
                    }
                    let renamed_to = self.former.get(&name).cloned();
                    if actions_there().next().is_none() && renamed_to.is_none() {
                        return Some(self.unknown_type(resource_type, Some(action)));
                    }
                    let meant = nearest(action.as_str(), actions_there()).map(str::to_owned);
                    let (word, named) = (action.to_string(), name.to_string());
                    Some(UnknownGrant { word, named, is_type: false, meant, renamed_to })
                }),
            }
        })
    }

    fn unknown_type(&self, resource_type: &ResourceType, action: Option<&Action>) -> UnknownGrant {
        let types = self.entries.keys().map(|name| name.resource_type.as_str());
        UnknownGrant {
            word: resource_type.to_string(),
            named: format!("{}:{resource_type}", action.map_or("*", Action::as_str)),
            is_type: true,
            meant: nearest(resource_type.as_str(), types).map(str::to_owned),
            renamed_to: None,
        }
    }

    /// Returns the permissions named in a token's grants that left the catalogue or were renamed, each with
    /// its present name if it has one.
    pub fn outdated(&self, grants: &GrantSet) -> Vec<(String, Option<PermissionName>)> {
        let mut outdated = Vec::new();
        for (resource_type, _, actions) in grants.iter() {
            let known = self.entries.keys().any(|name| name.resource_type == *resource_type);
            match actions {
                Actions::Any if !known => outdated.push((format!("*:{resource_type}"), None)),
                Actions::Any => {}
                Actions::Only(actions) => {
                    for action in actions {
                        let name =
                            PermissionName { resource_type: resource_type.clone(), action: action.clone() };
                        if !self.entries.contains_key(&name) {
                            outdated.push((name.to_string(), self.former.get(&name).cloned()));
                        }
                    }
                }
            }
        }
        outdated
    }

    /// Returns the permission of this name, or the one that had it formerly.
    fn resolve(&self, name: &PermissionName) -> Option<(&PermissionName, &CatalogueEntry)> {
        self.entries.get_key_value(self.former.get(name).unwrap_or(name))
    }
}

impl PermissionName {
    fn of(permission: &Permission) -> PermissionName {
        PermissionName { resource_type: permission.resource_type.clone(), action: permission.action.clone() }
    }

    fn with(&self, resource_ids: ResourceIds) -> Permission {
        Permission { action: self.action.clone(), resource_type: self.resource_type.clone(), resource_ids }
    }
}

impl FromStr for PermissionName {
    type Err = InvalidPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (action, resource_type) = text.split_once(':').ok_or(InvalidPermission::Shape)?;
        Ok(PermissionName { resource_type: resource_type.parse()?, action: action.parse()? })
    }
}

impl TryFrom<String> for PermissionName {
    type Error = InvalidPermission;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PermissionName> for String {
    fn from(name: PermissionName) -> String {
        name.to_string()
    }
}

impl fmt::Display for PermissionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.action, self.resource_type)
    }
}

impl fmt::Display for UnknownGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.renamed_to {
            return write!(f, "`{}` is called `{name}` now", self.named);
        }
        if self.is_type {
            write!(f, "there is no resource type `{}`", self.word)?;
        } else {
            write!(f, "there is no permission `{}`", self.named)?;
        }
        match &self.meant {
            Some(meant) => write!(f, ": did you mean `{meant}`?"),
            None => f.write_str(", and none is similar"),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
