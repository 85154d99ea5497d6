//! All of a kind, or a set of them: orgs, services, networks.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::{Network, OrgId, ServiceId};

/// All of a kind, or a set of them. Nothing that is empty or absent ever stands for all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Among<T: Ord> {
    /// All there are.
    All,
    /// These. Empty only as the result of a meet, and then it means none.
    Only(Several<T>),
}

/// A set that takes only the size of a pointer in its owner, since most owners have none.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
#[expect(clippy::box_collection, reason = "a server holds a million tokens, nearly all without a set")]
pub struct Several<T: Ord>(Box<BTreeSet<T>>);

/// The orgs in which a token offers power, or about which a service may ask: by id, or by slug
/// (`Orgs<OrgSlug>`). For a token, all means those where its owner is a member at the time.
pub type Orgs<T = OrgId> = Among<T>;

/// The services at which a token can be used: by id, or by name (`Services<Label>`).
pub type Services<T = ServiceId> = Among<T>;

/// The networks from which a token can be used.
pub type Networks = Among<Network>;

/// The fault of an invalid set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSet {
    /// It is empty.
    #[error("the set is empty: name at least one, or choose all")]
    Empty,
    /// It is larger than the limit for what each request has to search.
    #[error("the set has more than {MOST} members")]
    TooMany,
}

/// The maximum number of members of a set.
const MOST: usize = 256;

impl<T: Ord> Among<T> {
    /// Returns the same set by name. Members that no longer have a name are left out.
    pub fn named<Name: Ord>(&self, name: impl Fn(&T) -> Option<Name>) -> Among<Name> {
        match self {
            Among::All => Among::All,
            Among::Only(some) => Among::Only(some.iter().filter_map(name).collect()),
        }
    }
}

impl<T: Ord + Clone> Among<T> {
    /// Returns a set of these and no others.
    pub fn only(some: impl IntoIterator<Item = T>) -> Result<Among<T>, InvalidSet> {
        let some: Several<T> = some.into_iter().collect();
        match some.len() {
            0 => Err(InvalidSet::Empty),
            count if count > MOST => Err(InvalidSet::TooMany),
            _ => Ok(Among::Only(some)),
        }
    }

    /// Returns true if this is a member.
    pub fn contain(&self, one: &T) -> bool {
        match self {
            Among::All => true,
            Among::Only(some) => some.contains(one),
        }
    }

    /// Returns the members of both.
    pub fn meet(&self, other: &Among<T>) -> Among<T> {
        match (self, other) {
            (Among::All, some) | (some, Among::All) => some.clone(),
            (Among::Only(a), Among::Only(b)) => Among::Only(a.intersection(b).cloned().collect()),
        }
    }
}

impl Networks {
    /// The addresses in both, as networks. [`Among::meet`] has only those networks that stand in both.
    pub(crate) fn overlap(&self, other: &Networks) -> Networks {
        match (self, other) {
            (Networks::All, some) | (some, Networks::All) => some.clone(),
            (Networks::Only(a), Networks::Only(b)) => {
                let within = |inner: &Several<Network>, outer: &Several<Network>| -> Vec<Network> {
                    inner.iter().filter(|one| outer.iter().any(|outer| outer.covers(one))).copied().collect()
                };
                Networks::Only(within(a, b).into_iter().chain(within(b, a)).collect())
            }
        }
    }
}

impl<T: Ord> Deref for Several<T> {
    type Target = BTreeSet<T>;

    fn deref(&self) -> &BTreeSet<T> {
        &self.0
    }
}

impl<T: Ord + fmt::Debug> fmt::Debug for Several<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Ord> FromIterator<T> for Several<T> {
    fn from_iter<I: IntoIterator<Item = T>>(some: I) -> Several<T> {
        Several(Box::new(some.into_iter().collect()))
    }
}

impl<T: Ord, const N: usize> From<[T; N]> for Several<T> {
    fn from(some: [T; N]) -> Several<T> {
        some.into_iter().collect()
    }
}

impl<T: Ord> IntoIterator for Several<T> {
    type Item = T;
    type IntoIter = std::collections::btree_set::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T: Ord> IntoIterator for &'a Several<T> {
    type Item = &'a T;
    type IntoIter = std::collections::btree_set::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl Networks {
    /// Returns true if an address lies in one of them.
    pub fn hold(&self, address: IpAddr) -> bool {
        match self {
            Among::All => true,
            Among::Only(networks) => networks.iter().any(|network| network.holds(address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_set;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn org() -> impl Strategy<Value = OrgId> {
        (0..6_u128).prop_map(|n| OrgId::from_uuid(Uuid::from_u128(n)))
    }

    fn orgs() -> impl Strategy<Value = Orgs> {
        prop_oneof![1 => Just(Orgs::All), 4 => btree_set(org(), 0..5).prop_map(|some| Orgs::Only(some.into_iter().collect()))]
    }

    proptest! {
        #[test]
        fn meet_is_a_meet(a in orgs(), b in orgs(), c in orgs(), x in org()) {
            prop_assert_eq!(a.meet(&b), b.meet(&a));
            prop_assert_eq!(a.meet(&b).meet(&c), a.meet(&b.meet(&c)));
            prop_assert_eq!(a.meet(&a), a.clone());
            prop_assert_eq!(a.meet(&b).contain(&x), a.contain(&x) && b.contain(&x));
            prop_assert_eq!(a.meet(&b).meet(&a), a.meet(&b));
        }
    }

    #[test]
    fn no_orgs_is_not_all_orgs() {
        assert_eq!(Orgs::<OrgId>::only([]), Err(InvalidSet::Empty));
        let many = |count: u128| Orgs::only((0..count).map(|n| OrgId::from_uuid(Uuid::from_u128(n))));
        assert!(many(256).is_ok());
        assert_eq!(many(257), Err(InvalidSet::TooMany));
    }
}
