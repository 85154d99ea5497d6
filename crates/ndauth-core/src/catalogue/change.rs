//! The changes from one catalogue to the next.

use std::fmt;

use super::{Catalogue, CatalogueEntry, PermissionName};
use crate::{ResourceType, Role, is_own_resource_type};

/// The effect of the next catalogue on a permission or a type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CatalogueChange {
    /// A permission is added.
    Added {
        /// The permission.
        name: PermissionName,
        /// The least role that it requires.
        role: Role,
    },
    /// A permission is renamed.
    Renamed {
        /// Its former name.
        from: PermissionName,
        /// Its present name.
        to: PermissionName,
    },
    /// A permission requires another role.
    Role {
        /// The permission.
        name: PermissionName,
        /// The role that it required.
        from: Role,
        /// The role that it requires.
        to: Role,
    },
    /// The description of a permission changes.
    Described {
        /// The permission.
        name: PermissionName,
    },
    /// The description of a type changes.
    TypeDescribed {
        /// The type.
        resource_type: ResourceType,
    },
    /// A former name is dropped: the permission is no longer found under it.
    Forgotten {
        /// The former name.
        former: PermissionName,
        /// The permission that was found under it.
        name: PermissionName,
    },
    /// A permission is removed: no token has power through it.
    Removed {
        /// The permission.
        name: PermissionName,
    },
}

/// The fault of a catalogue that cannot replace another, since some token would gain power.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{to}` cannot replace `{from}`: {why}")]
pub struct InvalidChange {
    /// The former name.
    pub from: PermissionName,
    /// The new one.
    pub to: PermissionName,
    /// The reason, for people.
    pub why: String,
}

impl Catalogue {
    /// Returns the changes from an earlier catalogue to this one, if this one may replace it.
    ///
    /// A renamed permission maps to equal or narrower power only. Its new name stood for nothing before. It
    /// replaces one permission only. It does not join the actions of another type that existed, since a token
    /// may have them all. It requires the same role or a higher one. A former name of another permission
    /// never becomes the name of a new one.
    pub fn changes_from(&self, before: &Catalogue) -> Result<Vec<CatalogueChange>, InvalidChange> {
        let mut changes = Vec::new();
        let mut renamed = Vec::new();
        for (name, entry) in &self.entries {
            match before.entries.get(name) {
                Some(old) => check_kept(name, entry, old, &mut changes)?,
                None if before.former.contains_key(name) => {
                    let was = &before.former[name];
                    let why = format!("it stands for `{was}`, and tokens with it would gain this");
                    return Err(refused(was, name, why));
                }
                None => match source(name, entry, before)? {
                    Some(from) => {
                        changes.push(CatalogueChange::Renamed { from: from.clone(), to: name.clone() });
                        if let Some(old) =
                            before.entries.get(&from).filter(|old| old.least_role != entry.least_role)
                        {
                            let (from, to) = (old.least_role, entry.least_role);
                            changes.push(CatalogueChange::Role { name: name.clone(), from, to });
                        }
                        renamed.push(from);
                    }
                    None => {
                        changes.push(CatalogueChange::Added { name: name.clone(), role: entry.least_role });
                    }
                },
            }
        }
        for name in before.entries.keys() {
            if !self.entries.contains_key(name) && !renamed.contains(name) {
                changes.push(CatalogueChange::Removed { name: name.clone() });
            }
        }
        for (former, name) in &before.former {
            if !self.former.contains_key(former) && self.resolve(name).is_some() {
                changes.push(CatalogueChange::Forgotten { former: former.clone(), name: name.clone() });
            }
        }
        for (resource_type, description) in &self.types {
            let was = before.types.get(resource_type).filter(|_| !is_own_resource_type(resource_type));
            if was.is_some_and(|was| was != description) {
                changes.push(CatalogueChange::TypeDescribed { resource_type: resource_type.clone() });
            }
        }
        changes.sort();
        Ok(changes)
    }
}

/// Checks a permission that keeps its name: it may keep former names that it had, and never gain any.
fn check_kept(
    name: &PermissionName,
    entry: &CatalogueEntry,
    old: &CatalogueEntry,
    changes: &mut Vec<CatalogueChange>,
) -> Result<(), InvalidChange> {
    if let Some(from) = entry.formerly.difference(&old.formerly).next() {
        return Err(refused(
            from,
            name,
            format!("it was there before, and tokens with `{from}` would gain it"),
        ));
    }
    if entry.least_role != old.least_role {
        let (from, to) = (old.least_role, entry.least_role);
        changes.push(CatalogueChange::Role { name: name.clone(), from, to });
    }
    if entry.description != old.description && !is_own_resource_type(&name.resource_type) {
        changes.push(CatalogueChange::Described { name: name.clone() });
    }
    Ok(())
}

/// Returns the permission that a new one replaces, if it replaces one.
fn source(
    name: &PermissionName,
    entry: &CatalogueEntry,
    before: &Catalogue,
) -> Result<Option<PermissionName>, InvalidChange> {
    let mut there = entry.formerly.iter().filter(|former| before.entries.contains_key(former));
    let from = there.next();
    if let (Some(from), Some(other)) = (from, there.next()) {
        let why = format!("it would be what `{other}` was, too, and tokens with one would gain the other");
        return Err(refused(from, name, why));
    }
    let old = from.and_then(|from| before.entries.get_key_value(from));
    // The former names of the replaced permission may move with it. Any other stands for something else, or
    // for nothing.
    let strange = entry
        .formerly
        .iter()
        .find(|former| Some(*former) != from && !old.is_some_and(|(_, old)| old.formerly.contains(former)));
    if let Some(strange) = strange {
        return Err(refused(strange, name, format!("there was no `{strange}`")));
    }
    match old {
        Some((from, old)) if entry.least_role < old.least_role => {
            let why = format!("it needs `{}`, and that needed `{}`", entry.least_role, old.least_role);
            Err(refused(from, name, why))
        }
        Some((from, _))
            if from.resource_type != name.resource_type && before.types.contains_key(&name.resource_type) =>
        {
            let why =
                format!("`{}` was there, and tokens with all its actions would gain it", name.resource_type);
            Err(refused(from, name, why))
        }
        _ => Ok(from.cloned()),
    }
}

fn refused(from: &PermissionName, to: &PermissionName, why: String) -> InvalidChange {
    InvalidChange { from: from.clone(), to: to.clone(), why }
}

impl fmt::Display for CatalogueChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CatalogueChange::Added { name, role } => write!(f, "+ {name} ({role})"),
            CatalogueChange::Renamed { from, to } => write!(f, "~ {from} is called {to}"),
            CatalogueChange::Role { name, from, to } => write!(f, "~ {name} needs {to}, and needed {from}"),
            CatalogueChange::Described { name } => write!(f, "~ {name}: new description"),
            CatalogueChange::TypeDescribed { resource_type } => {
                write!(f, "~ {resource_type}: new description")
            }
            CatalogueChange::Forgotten { former, name } => {
                write!(f, "- {former}, which {name} was called before")
            }
            CatalogueChange::Removed { name } => write!(f, "- {name}"),
        }
    }
}
