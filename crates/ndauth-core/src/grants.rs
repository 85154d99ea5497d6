//! Grants: the permissions that a token carries, and their meet.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::{Action, Actions, Permission, ResourceIds, ResourceType, Role, Scope, is_own_resource_type};

/// Actions on some resources of a type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    /// The type.
    pub resource_type: ResourceType,
    /// The resources of that type.
    pub resource_ids: ResourceIds,
    /// The permitted actions.
    pub actions: Actions,
}

/// The permissions that a token carries: all but ndauth's own, or a set.
///
/// A set is kept in one normal form, in which no grant repeats what a wider one covers, so two grants are
/// equal exactly if they permit the same. Only a meet can make an empty set, which permits nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grants {
    /// Every permission that does not concern ndauth itself.
    All,
    /// These.
    Only(GrantSet),
}

/// A set of grants in normal form. Clones share its memory.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct GrantSet(Arc<BTreeMap<(ResourceType, ResourceIds), Actions>>);

/// A cache of the part of one token's grants that a catalogue allows each role within each scope, computed on first
/// use.
#[derive(Debug, Default)]
pub struct EffectiveGrants([[OnceLock<Grants>; 2]; 3]);

/// The fault of invalid grants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGrants {
    /// The set is empty.
    #[error("the set is empty: name at least one grant, or choose all")]
    Empty,
    /// A grant names no action.
    #[error("the grant on `{0}` has no actions")]
    NoAction(ResourceType),
    /// A grant of any action on a resource type of ndauth's own.
    #[error("actions on `{0}` must be named one by one: `*` does not cover ndauth's own types")]
    AnyOwnAction(ResourceType),
    /// They are longer than a token can carry.
    #[error(
        "the grants are too long by {0} bytes: shorten them with patterns such as `prod-*`, \
         or split them between two tokens"
    )]
    TooLong(usize),
}

/// The maximum length of a token's grants in bytes. Every response about the token repeats them, and a
/// thousand responses of this length fit in a message of 4 MiB.
const MAX_TEXT: usize = 3072;
/// The bytes that each grant, and each of its actions, counts in addition to its text.
const OVERHEAD: usize = 8;

impl Grants {
    /// Returns the grants of a token that carries these and no others.
    pub fn only(grants: impl IntoIterator<Item = Grant>) -> Result<Grants, InvalidGrants> {
        let mut set = GrantSet::default();
        for grant in grants {
            match &grant.actions {
                Actions::Any if is_own_resource_type(&grant.resource_type) => {
                    return Err(InvalidGrants::AnyOwnAction(grant.resource_type));
                }
                Actions::Only(none) if none.is_empty() => {
                    return Err(InvalidGrants::NoAction(grant.resource_type));
                }
                Actions::Any | Actions::Only(_) => set.add(grant),
            }
        }
        if set.0.is_empty() {
            return Err(InvalidGrants::Empty);
        }
        Ok(Grants::Only(set.normal()))
    }

    /// Returns true if they permit this.
    pub fn permits(&self, asked: &Permission) -> bool {
        match self {
            Grants::All => !is_own_resource_type(&asked.resource_type),
            Grants::Only(set) => set
                .of_type(&asked.resource_type)
                .any(|(ids, actions)| ids.cover(&asked.resource_ids) && actions.contain(&asked.action)),
        }
    }

    /// Returns the permissions that both permit.
    pub fn meet(&self, other: &Grants) -> Grants {
        match (self, other) {
            (Grants::All, Grants::All) => Grants::All,
            (Grants::All, Grants::Only(set)) | (Grants::Only(set), Grants::All) => {
                Grants::Only(set.without_own_types())
            }
            (Grants::Only(a), Grants::Only(b)) => Grants::Only(a.meet(b)),
        }
    }
}

impl fmt::Display for Grants {
    /// Writes `all`, or a list such as `read:assets, write:assets:prod-1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Grants::Only(set) = self else { return f.write_str("all") };
        let mut between = "";
        for (resource_type, ids, actions) in set.iter() {
            let ids = if *ids == ResourceIds::all() { String::new() } else { format!(":{ids}") };
            let names: Vec<&str> = match actions {
                Actions::Any => vec!["*"],
                Actions::Only(actions) => actions.iter().map(Action::as_str).collect(),
            };
            for action in names {
                write!(f, "{between}{action}:{resource_type}{ids}")?;
                between = ", ";
            }
        }
        Ok(())
    }
}

impl EffectiveGrants {
    /// Returns the part that a role allows within a scope. Calls `leave` to compute it on first use.
    pub(crate) fn within(&self, role: Role, scope: Scope, leave: impl FnOnce() -> Grants) -> Grants {
        let [ro, rw, admin] = &self.0;
        let [read, write] = match role {
            Role::Ro => ro,
            Role::Rw => rw,
            Role::Admin => admin,
        };
        let left = match scope {
            Scope::Ro => read,
            Scope::Rw => write,
        };
        left.get_or_init(leave).clone()
    }
}

impl GrantSet {
    /// Returns each grant of the set, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&ResourceType, &ResourceIds, &Actions)> {
        self.0.iter().map(|((resource_type, ids), actions)| (resource_type, ids, actions))
    }

    /// Returns true if it is empty, which only the result of a meet can be.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the grants on one type.
    fn of_type<'a>(
        &'a self,
        resource_type: &ResourceType,
    ) -> impl Iterator<Item = (&'a ResourceIds, &'a Actions)> {
        // The ids of `ResourceIds::all()` sort before any others.
        let first = (resource_type.clone(), ResourceIds::all());
        let rest = self.0.range(first..).map(|((of, ids), actions)| (of, ids, actions));
        let resource_type = resource_type.clone();
        rest.take_while(move |(of, ..)| **of == resource_type).map(|(_, ids, actions)| (ids, actions))
    }

    /// Refuses a set that is longer than a new token's grants may be.
    pub fn judge_length(&self) -> Result<(), InvalidGrants> {
        let length = |(resource_type, ids, actions): (&ResourceType, &ResourceIds, &Actions)| {
            let actions = match actions {
                Actions::Any => OVERHEAD,
                Actions::Only(some) => some.iter().map(|action| action.as_str().len() + OVERHEAD).sum(),
            };
            resource_type.as_str().len() + ids.text().len() + OVERHEAD + actions
        };
        match self.iter().map(length).sum::<usize>().checked_sub(MAX_TEXT) {
            None | Some(0) => Ok(()),
            Some(more) => Err(InvalidGrants::TooLong(more)),
        }
    }

    pub(crate) fn add(&mut self, grant: Grant) {
        let key = (grant.resource_type, grant.resource_ids);
        let have = Arc::make_mut(&mut self.0).entry(key).or_insert_with(|| Actions::Only(BTreeSet::new()));
        match (have, grant.actions) {
            (Actions::Any, _) => {}
            (have, Actions::Any) => *have = Actions::Any,
            (Actions::Only(have), Actions::Only(more)) => have.extend(more),
        }
    }

    /// Returns the same permissions in normal form: each is named once, by the widest grant that covers it.
    pub(crate) fn normal(&self) -> GrantSet {
        let mut grants: Vec<_> = self.iter().collect();
        // Sorted so, everything that a grant covers follows it, with nothing else in between.
        grants.sort_by_key(|(resource_type, ids, _)| (*resource_type, ids.text(), ids.is_one()));
        let mut kept = BTreeMap::new();
        let mut wider: Vec<(&ResourceType, &ResourceIds, &Actions)> = Vec::new();
        for (resource_type, ids, actions) in grants {
            let covers = |(of, wide, _): &(&ResourceType, &ResourceIds, &Actions)| {
                *of == resource_type && wide.cover(ids)
            };
            while wider.pop_if(|grant| !covers(grant)).is_some() {}
            let left = match actions {
                Actions::Any => {
                    (!wider.iter().any(|(.., said)| **said == Actions::Any)).then_some(Actions::Any)
                }
                Actions::Only(actions) => {
                    let is_said = |action: &Action| wider.iter().any(|(.., said)| said.contain(action));
                    let own: BTreeSet<Action> =
                        actions.iter().filter(|action| !is_said(action)).cloned().collect();
                    (!own.is_empty()).then_some(Actions::Only(own))
                }
            };
            kept.extend(left.map(|left| ((resource_type.clone(), ids.clone()), left)));
            wider.push((resource_type, ids, actions));
        }
        GrantSet(Arc::new(kept))
    }

    fn without_own_types(&self) -> GrantSet {
        let theirs = self.0.iter().filter(|((resource_type, _), _)| !is_own_resource_type(resource_type));
        GrantSet(Arc::new(theirs.map(|(key, actions)| (key.clone(), actions.clone())).collect()))
    }

    fn meet(&self, other: &GrantSet) -> GrantSet {
        let mut both = GrantSet::default();
        for (resource_type, ids, actions) in self.iter() {
            for (other_type, other_ids, other_actions) in other.iter() {
                if resource_type != other_type {
                    continue;
                }
                if let (Some(resource_ids), Some(actions)) =
                    (ids.meet(other_ids), actions.meet(other_actions))
                {
                    both.add(Grant { resource_type: resource_type.clone(), resource_ids, actions });
                }
            }
        }
        both.normal()
    }
}

#[cfg(test)]
mod tests;
