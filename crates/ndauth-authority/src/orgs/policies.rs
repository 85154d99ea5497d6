//! The policies of an org: shown, tried and set.

use std::time::Duration;

use ndauth_core::{Change, OrgPolicy, OrgSlug, Personal, Policies, Timestamp};
use ndauth_store::Read;

use super::impact::Impact;
use crate::access::{Operation, Whose};
use crate::change::{Changed, change};
use crate::{AuthorityError, Credential, OrgWing};

/// The policies of an org, as of an instant.
#[derive(Debug)]
pub struct PoliciesShown {
    /// All of them.
    pub policies: Policies,
    /// As of when.
    pub now: Timestamp,
}

/// A policy to be set.
#[derive(Clone, Debug)]
pub struct NewPolicy {
    /// What it says.
    pub policy: OrgPolicy,
    /// After how long it takes hold.
    pub effective_in: Duration,
    /// How many policies the org was given before, where that is not to have changed.
    pub expected: Option<usize>,
}

/// A policy that was set, or that would be.
#[derive(Debug)]
pub struct PolicySet {
    /// From when it holds.
    pub takes_hold_at: Timestamp,
    /// What it does.
    pub impact: Impact,
    /// How many policies the org was given, this among them if it was set.
    pub generation: usize,
}

/// The latest that a policy may take hold.
const MOST_NOTICE: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// Under which key an event's personal bytes name a policy's networks.
pub(crate) const NETWORKS: &str = "networks";

impl OrgWing<'_> {
    /// Shows the policies of an org.
    pub async fn get_policies(
        self,
        credential: &Credential,
        slug: &OrgSlug,
    ) -> Result<PoliciesShown, AuthorityError> {
        let whose = Whose::Org(slug.clone());
        let (read, by) = self.0.read_as(credential, Operation::GetOrgPolicy, &whose).await?;
        Ok(PoliciesShown { policies: read.find_policies(by.org()?.id).await?, now: read.now() })
    }

    /// Says what a policy would do to the tokens that live, and sets nothing.
    pub async fn try_policy(
        self,
        credential: &Credential,
        slug: &OrgSlug,
        new: &NewPolicy,
    ) -> Result<Changed<PolicySet>, AuthorityError> {
        let whose = Whose::Org(slug.clone());
        let (read, by) = self.0.read_as(credential, Operation::SetOrgPolicy, &whose).await?;
        let org = by.org()?;
        let takes_hold_at = takes_hold(&read, new)?;
        let generation = read.find_policies(org.id).await?.count();
        let impact = Impact::of(self.0, &read, org, &new.policy, takes_hold_at).await?;
        let value = PolicySet { takes_hold_at, impact, generation };
        Ok(Changed { value, changed: false, sequence: read.head().sequence, now: read.now() })
    }

    /// Gives an org a policy.
    pub async fn set_policy(
        self,
        credential: &Credential,
        slug: &OrgSlug,
        new: &NewPolicy,
    ) -> Result<Changed<PolicySet>, AuthorityError> {
        // Its impact is told as of just before, and not while everyone waits for the lock.
        let PolicySet { impact, .. } = self.try_policy(credential, slug, new).await?.value;
        let whose = Whose::Org(slug.clone());
        let set = change(self.0, credential, Operation::SetOrgPolicy, &whose, |changing| async move {
            let org = changing.by.org()?.id;
            let takes_hold_at = takes_hold(&changing, new)?;
            let before = changing.find_policies(org).await?.count();
            if new.expected.is_some_and(|expected| expected != before) {
                return Err(AuthorityError::PolicyChanged(slug.clone()));
            }
            changing.add_policy(org, takes_hold_at, &new.policy).await?;
            let (policy, networks) = new.policy.apart();
            let change = Change::PolicySet { org, takes_hold_at, policy };
            let personal: Personal = networks.map(|names| (NETWORKS, names)).into_iter().collect();
            Ok(changing.done(change, personal, (takes_hold_at, before + 1)))
        });
        set.await.map(|done| {
            done.map(|(takes_hold_at, generation)| PolicySet { takes_hold_at, impact, generation })
        })
    }
}

fn takes_hold(read: &Read, new: &NewPolicy) -> Result<Timestamp, AuthorityError> {
    let too_late = || AuthorityError::invalid("effective_in", "at most 366 days");
    let within = Some(new.effective_in).filter(|within| *within <= MOST_NOTICE).ok_or_else(too_late)?;
    read.now().checked_add(within).ok_or_else(too_late)
}
