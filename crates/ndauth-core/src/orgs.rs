//! Which orgs: all, or a set.

use std::collections::BTreeSet;

use crate::OrgId;

/// The orgs that a token offers power in, or that a service may ask about: by their ids, or
/// (`Orgs<OrgSlug>`) as people name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Orgs<T = OrgId> {
    /// All: for a token, those where its owner is a member at the time.
    All,
    /// These. Not empty but in the result of a meet, and then none.
    Only(BTreeSet<T>),
}

/// A set of no orgs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the set is empty: name at least one org, or say that all are meant")]
pub struct InvalidOrgs;

impl<T: Ord + Clone> Orgs<T> {
    /// These orgs and no others.
    pub fn only(orgs: impl IntoIterator<Item = T>) -> Result<Orgs<T>, InvalidOrgs> {
        let orgs: BTreeSet<T> = orgs.into_iter().collect();
        if orgs.is_empty() { Err(InvalidOrgs) } else { Ok(Orgs::Only(orgs)) }
    }

    /// Whether this org is one of them.
    pub fn contain(&self, org: &T) -> bool {
        match self {
            Orgs::All => true,
            Orgs::Only(orgs) => orgs.contains(org),
        }
    }

    /// The orgs in both.
    pub fn meet(&self, other: &Orgs<T>) -> Orgs<T> {
        match (self, other) {
            (Orgs::All, orgs) | (orgs, Orgs::All) => orgs.clone(),
            (Orgs::Only(a), Orgs::Only(b)) => Orgs::Only(a.intersection(b).cloned().collect()),
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
        prop_oneof![1 => Just(Orgs::All), 4 => btree_set(org(), 0..5).prop_map(Orgs::Only)]
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
        assert_eq!(Orgs::<OrgId>::only([]), Err(InvalidOrgs));
    }
}
