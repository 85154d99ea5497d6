//! What is kept of one secret.

use std::sync::{Arc, Weak};

use ndauth_core::{InputGround, InputPlace, Inputs, Noted, OrgId};
use quick_cache::sync::Cache;

use super::Shared;
use super::memory::Stamp;

/// What is kept of one secret, and what that is worth.
pub(crate) struct Entry {
    pub(crate) inputs: Inputs,
    pub(super) stamp: Stamp,
    /// When the server was last told of a use.
    pub(super) noted: Noted,
    /// Where it is kept.
    pub(super) home: Weak<Shared>,
}

/// Orgs as they were told last: those who stand in one share it.
pub(super) struct Grounds(Cache<OrgId, Arc<InputGround>>);

/// How many orgs are shared.
const GROUNDS: usize = 1024;

impl Grounds {
    pub(super) fn new() -> Grounds {
        Grounds(Cache::new(GROUNDS))
    }

    /// Lets inputs share what others have of the same orgs already.
    pub(super) fn share(&self, inputs: &mut Inputs) {
        for place in &mut inputs.places {
            let InputPlace::In(ground, _) = place else { continue };
            match self.0.get(&ground.org.id).filter(|known| **known == **ground) {
                Some(known) => *ground = known,
                None => self.0.insert(ground.org.id, Arc::clone(ground)),
            }
        }
        inputs.places.shrink_to_fit();
    }
}
