//! The policies of an org: shown, tried and set.

use std::time::Duration;

use ndauth_core::{AnnouncedPolicy, Change, OrgPolicy, OrgSlug, Personal, Policies, Timestamp};
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
    /// The fate of those that are announced for later.
    pub announced: Announced,
    /// How many policies the org was given before, where that is not to have changed.
    pub expected: Option<usize>,
}

/// The fate of the policies that are announced for later than one that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// They stay, with what the new one changes and they do not.
    Keep,
    /// They are withdrawn.
    Withdraw,
}

/// A policy that was set, or that would be.
#[derive(Debug)]
pub struct PolicySet {
    /// From when it holds.
    pub takes_hold_at: Timestamp,
    /// What it does.
    pub impact: Impact,
    /// The number of policies the org was given, this and those that stay among them if it was set.
    pub generation: usize,
    /// The policies announced for later that stay, as they read with it, the first to take hold first.
    pub kept: Vec<AnnouncedPolicy>,
}

/// The latest that a policy may take hold.
const MOST_NOTICE: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// The most policies that may be announced at once: each stays beside each that is set.
const MOST_ANNOUNCED: usize = 16;
/// Under which key an event's personal bytes name the networks of its policies, a line for each.
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
        let policies = read.find_policies(org.id).await?;
        let mut kept = to_set(&read, new, &policies)?;
        let AnnouncedPolicy { takes_hold_at, policy } = kept.remove(0);
        let impact = Impact::of(self.0, &read, org, &policy, takes_hold_at).await?;
        let value = PolicySet { takes_hold_at, impact, generation: policies.count(), kept };
        Ok(Changed { value, changed: false, sequence: read.head().sequence, now: read.now() })
    }

    /// Gives an org a policy. Those that are announced for later stay, or are withdrawn, in the same change.
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
            let before = changing.find_policies(org).await?;
            if new.expected.is_some_and(|expected| expected != before.count()) {
                return Err(AuthorityError::PolicyChanged(slug.clone()));
            }
            let policies = to_set(&changing, new, &before)?;
            changing.add_policies(org, &policies).await?;
            let (public, personal) = apart(&policies);
            let change = Change::PolicySet { org, policies: public };
            Ok(changing.done(change, personal, (before.count() + policies.len(), policies)))
        });
        set.await.map(|done| {
            done.map(|(generation, mut kept)| {
                let takes_hold_at = kept.remove(0).takes_hold_at;
                PolicySet { takes_hold_at, impact, generation, kept }
            })
        })
    }
}

/// The policies to be set by a request: the new one, and after it those announced for later that stay.
fn to_set(read: &Read, new: &NewPolicy, before: &Policies) -> Result<Vec<AnnouncedPolicy>, AuthorityError> {
    let (now, takes_hold_at) = (read.now(), takes_hold(read, new)?);
    let mut policies = vec![AnnouncedPolicy { takes_hold_at, policy: new.policy.clone() }];
    if new.announced == Announced::Keep {
        let kept = before.kept_beside(&policies[0], now);
        policies.extend(kept);
    }
    let sooner = before.to_come(now).iter().filter(|to_come| to_come.takes_hold_at < takes_hold_at).count();
    if takes_hold_at > now && sooner + policies.len() > MOST_ANNOUNCED {
        let why = format!("{MOST_ANNOUNCED} policies are announced, the most that there may be");
        return Err(AuthorityError::invalid("effective_in", why));
    }
    Ok(policies)
}

fn takes_hold(read: &Read, new: &NewPolicy) -> Result<Timestamp, AuthorityError> {
    let too_late = || AuthorityError::invalid("effective_in", "at most 366 days");
    let within = Some(new.effective_in).filter(|within| *within <= MOST_NOTICE).ok_or_else(too_late)?;
    read.now().checked_add(within).ok_or_else(too_late)
}

/// Takes the names of their networks from policies: an event's public bytes, and its personal ones.
fn apart(policies: &[AnnouncedPolicy]) -> (Vec<AnnouncedPolicy>, Personal) {
    let (mut public, mut names) = (Vec::new(), Vec::new());
    for AnnouncedPolicy { takes_hold_at, policy } in policies {
        let (policy, networks) = policy.apart();
        public.push(AnnouncedPolicy { takes_hold_at: *takes_hold_at, policy });
        names.push(networks.unwrap_or_default());
    }
    let named = names.iter().any(|names| !names.is_empty());
    (public, named.then(|| (NETWORKS, names.join("\n"))).into_iter().collect())
}

/// Puts the names of their networks into the policies of an event. Where the names were erased, no network is left.
pub(crate) fn name_networks(policies: &mut [AnnouncedPolicy], names: Option<&str>) {
    let mut names = names.unwrap_or_default().lines();
    for announced in policies {
        announced.policy = announced.policy.clone().together(names.next());
    }
}
