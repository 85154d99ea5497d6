//! Grants: the permissions that a token carries, and their meet.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::{Action, Actions, Permission, ResourceIds, ResourceType, is_own_resource_type};

/// Actions on some resources of a type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    /// The type.
    pub resource_type: ResourceType,
    /// Which of that type.
    pub resource_ids: ResourceIds,
    /// What may be done to them.
    pub actions: Actions,
}

/// The permissions that a token carries: all but ndauth's own, or a set.
///
/// A set is kept in one normal form (no grant says what a wider one says already), so that two
/// grants are equal exactly where they permit the same. Only a meet makes an empty set, and an
/// empty set permits nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grants {
    /// Every permission that does not concern ndauth itself.
    All,
    /// These.
    Only(GrantSet),
}

/// A set of grants in normal form.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[expect(clippy::box_collection, reason = "a server holds a million tokens, nearly all without a set")]
pub struct GrantSet(Box<BTreeMap<(ResourceType, ResourceIds), Actions>>);

/// Why these are no grants of a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGrants {
    /// A set of nothing.
    #[error("the set is empty: name at least one grant, or say that all are meant")]
    Empty,
    /// A grant of no action.
    #[error("the grant on `{0}` names no action")]
    NoAction(ResourceType),
    /// Any action on what is ndauth's own.
    #[error("actions on `{0}` are named one by one: `*` covers nothing of ndauth itself")]
    AnyOfOurs(ResourceType),
    /// More than a token carries.
    #[error("more than {MAX_ACTIONS} actions are granted in all")]
    TooMany,
}

/// How many pairs of an action and resources a token may carry.
const MAX_ACTIONS: usize = 256;

impl Grants {
    /// The grants of a token that carries these and no more.
    pub fn only(grants: impl IntoIterator<Item = Grant>) -> Result<Grants, InvalidGrants> {
        let mut set = GrantSet::default();
        let mut actions = 0;
        for grant in grants {
            match &grant.actions {
                Actions::Any if is_own_resource_type(&grant.resource_type) => {
                    return Err(InvalidGrants::AnyOfOurs(grant.resource_type));
                }
                Actions::Only(none) if none.is_empty() => {
                    return Err(InvalidGrants::NoAction(grant.resource_type));
                }
                Actions::Any => actions += 1,
                Actions::Only(some) => actions += some.len(),
            }
            if actions > MAX_ACTIONS {
                return Err(InvalidGrants::TooMany);
            }
            set.add(grant);
        }
        if set.0.is_empty() {
            return Err(InvalidGrants::Empty);
        }
        Ok(Grants::Only(set.normal()))
    }

    /// Whether they permit this.
    pub fn permits(&self, asked: &Permission) -> bool {
        match self {
            Grants::All => !is_own_resource_type(&asked.resource_type),
            Grants::Only(set) => set.iter().any(|(resource_type, ids, actions)| {
                *resource_type == asked.resource_type
                    && ids.cover(&asked.resource_ids)
                    && actions.contain(&asked.action)
            }),
        }
    }

    /// What both permit.
    pub fn meet(&self, other: &Grants) -> Grants {
        match (self, other) {
            (Grants::All, Grants::All) => Grants::All,
            (Grants::All, Grants::Only(set)) | (Grants::Only(set), Grants::All) => {
                Grants::Only(set.not_ours())
            }
            (Grants::Only(a), Grants::Only(b)) => Grants::Only(a.meet(b)),
        }
    }
}

impl fmt::Display for Grants {
    /// As people write them: `all`, or `read:assets, write:assets:prod-1`.
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

impl GrantSet {
    /// Each grant of the set, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&ResourceType, &ResourceIds, &Actions)> {
        self.0.iter().map(|((resource_type, ids), actions)| (resource_type, ids, actions))
    }

    pub(crate) fn add(&mut self, grant: Grant) {
        let key = (grant.resource_type, grant.resource_ids);
        let have = self.0.entry(key).or_insert_with(|| Actions::Only(BTreeSet::new()));
        match (have, grant.actions) {
            (Actions::Any, _) => {}
            (have, Actions::Any) => *have = Actions::Any,
            (Actions::Only(have), Actions::Only(more)) => have.extend(more),
        }
    }

    /// The same permissions, each said once, by the widest grant that says it.
    pub(crate) fn normal(self) -> GrantSet {
        let said_wider = |resource_type: &ResourceType, ids: &ResourceIds, action: Option<&Action>| {
            self.iter().any(|(other_type, other_ids, actions)| {
                other_type == resource_type
                    && other_ids != ids
                    && other_ids.cover(ids)
                    && action.map_or(*actions == Actions::Any, |action| actions.contain(action))
            })
        };
        let kept = self.iter().filter_map(|(resource_type, ids, actions)| {
            let kept = match actions {
                Actions::Any => (!said_wider(resource_type, ids, None)).then_some(Actions::Any)?,
                Actions::Only(actions) => {
                    let own: BTreeSet<Action> = actions
                        .iter()
                        .filter(|action| !said_wider(resource_type, ids, Some(action)))
                        .cloned()
                        .collect();
                    (!own.is_empty()).then_some(Actions::Only(own))?
                }
            };
            Some(((resource_type.clone(), ids.clone()), kept))
        });
        GrantSet(Box::new(kept.collect()))
    }

    fn not_ours(&self) -> GrantSet {
        let theirs = self.0.iter().filter(|((resource_type, _), _)| !is_own_resource_type(resource_type));
        GrantSet(Box::new(theirs.map(|(key, actions)| (key.clone(), actions.clone())).collect()))
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
