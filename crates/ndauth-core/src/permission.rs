//! A permission: an action, on resources of a type.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use smol_str::SmolStr;

/// An action, such as `read`: 1 to 40 of a-z, 0-9, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action(SmolStr);

/// A resource type, such as `assets` or `github/runner-profile`: 1 to 80 of a-z, 0-9, `-`, `_`, and inner
/// `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceType(SmolStr);

/// The resources of a type: one id, all ids with a common beginning (`prod-*`), or all (`*`).
///
/// Two of these are nested or disjoint and never overlap in part, so their meet is one of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceIds {
    /// All ids that begin with this text; with the empty text, all.
    StartingWith(SmolStr),
    /// The resource with this id.
    One(SmolStr),
}

/// The actions: any, or some.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actions {
    /// `*`: every action that exists now or later.
    Any,
    /// These. Empty only as the result of a meet.
    Only(BTreeSet<Action>),
}

/// An action on resources of a type; `read:assets` is short for `read:assets:*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission {
    /// The action.
    pub action: Action,
    /// The type of the resources.
    pub resource_type: ResourceType,
    /// The resources of that type.
    pub resource_ids: ResourceIds,
}

/// The fault of a text that is not a permission, or not a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPermission {
    /// It is not of the form `action:type` or `action:type:id`.
    #[error("expected `ACTION:TYPE` or `ACTION:TYPE:ID`, such as `read:assets`")]
    Shape,
    /// It is not an action.
    #[error("an action is 1 to 40 of a-z, 0-9, `-` and `_`")]
    Action,
    /// It is not a resource type.
    #[error("a resource type is 1 to 80 of a-z, 0-9, `-`, `_` and inner `/`")]
    ResourceType,
    /// It is not a resource id.
    #[error("a resource id is 1 to 200 visible ASCII characters; `*` stands alone or last")]
    ResourceId,
}

impl Action {
    /// A bound that sorts before every action. It is not itself an action.
    pub(crate) const FIRST: Action = Action(SmolStr::new_static(""));

    /// Returns the action as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ResourceType {
    /// Returns the type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ResourceIds {
    /// Returns `*`.
    pub fn all() -> ResourceIds {
        ResourceIds::StartingWith(SmolStr::default())
    }

    /// Returns the id, or the beginning of the ids.
    pub(crate) fn text(&self) -> &str {
        match self {
            ResourceIds::StartingWith(text) | ResourceIds::One(text) => text,
        }
    }

    /// Returns true for a single id.
    pub(crate) fn is_one(&self) -> bool {
        matches!(self, ResourceIds::One(_))
    }

    /// Returns true if every id of `other` is one of these.
    pub fn cover(&self, other: &ResourceIds) -> bool {
        match (self, other) {
            (
                ResourceIds::StartingWith(start),
                ResourceIds::StartingWith(other) | ResourceIds::One(other),
            ) => other.starts_with(start.as_str()),
            (ResourceIds::One(one), ResourceIds::One(other)) => one == other,
            (ResourceIds::One(_), ResourceIds::StartingWith(_)) => false,
        }
    }

    /// Returns the ids in both, if there are any.
    pub fn meet(&self, other: &ResourceIds) -> Option<ResourceIds> {
        if self.cover(other) { Some(other.clone()) } else { other.cover(self).then(|| self.clone()) }
    }
}

impl Actions {
    /// Returns true if this action is among them.
    pub fn contain(&self, action: &Action) -> bool {
        match self {
            Actions::Any => true,
            Actions::Only(actions) => actions.contains(action),
        }
    }

    /// Returns the actions in both, or `None` if there are none.
    pub fn meet(&self, other: &Actions) -> Option<Actions> {
        match (self, other) {
            (Actions::Any, some) | (some, Actions::Any) => Some(some.clone()),
            (Actions::Only(a), Actions::Only(b)) => {
                let both: BTreeSet<Action> = a.intersection(b).cloned().collect();
                (!both.is_empty()).then_some(Actions::Only(both))
            }
        }
    }
}

fn within(text: &str, max: usize, more: &[u8]) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || more.contains(&b);
    (1..=max).contains(&text.len()) && text.bytes().all(fits)
}

impl FromStr for Action {
    type Err = InvalidPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if within(text, 40, b"-_") { Ok(Action(text.into())) } else { Err(InvalidPermission::Action) }
    }
}

impl FromStr for ResourceType {
    type Err = InvalidPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let segments_ok = text.split('/').all(|segment| !segment.is_empty());
        if within(text, 80, b"-_/") && segments_ok {
            Ok(ResourceType(text.into()))
        } else {
            Err(InvalidPermission::ResourceType)
        }
    }
}

impl FromStr for ResourceIds {
    type Err = InvalidPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let visible = text.bytes().all(|b| b.is_ascii_graphic());
        if !(1..=200).contains(&text.len()) || !visible {
            return Err(InvalidPermission::ResourceId);
        }
        match text.split_once('*') {
            None => Ok(ResourceIds::One(text.into())),
            Some((start, "")) => Ok(ResourceIds::StartingWith(start.into())),
            Some(_) => Err(InvalidPermission::ResourceId),
        }
    }
}

impl FromStr for Permission {
    type Err = InvalidPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (action, rest) = text.split_once(':').ok_or(InvalidPermission::Shape)?;
        let (resource_type, ids) = rest.split_once(':').unwrap_or((rest, "*"));
        Ok(Permission {
            action: action.parse()?,
            resource_type: resource_type.parse()?,
            resource_ids: ids.parse()?,
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ResourceIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResourceIds::One(id) => f.write_str(id),
            ResourceIds::StartingWith(start) => write!(f, "{start}*"),
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.action, self.resource_type)?;
        if self.resource_ids == ResourceIds::all() {
            return Ok(());
        }
        write!(f, ":{}", self.resource_ids)
    }
}
