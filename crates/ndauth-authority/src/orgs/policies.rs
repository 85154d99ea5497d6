//! The policies of an org: shown, previewed and set.

use std::time::Duration;

use ndauth_core::{
    AnnouncedPolicy, Change, Membership, OrgId, OrgPolicy, OrgSlug, Personal, Policies, Timestamp,
};
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
    /// The instant of the response.
    pub now: Timestamp,
}

/// An org that the caller is a member of, with its policies.
#[derive(Debug)]
pub struct MyOrg {
    /// The org, and the caller's role in it.
    pub membership: Membership,
    /// Its policies.
    pub policies: Policies,
}

/// A policy to be set.
#[derive(Clone, Debug)]
pub struct NewPolicy {
    /// The policy.
    pub policy: OrgPolicy,
    /// The time after which it takes hold.
    pub effective_in: Duration,
    /// The fate of the policies that are announced for later.
    pub announced: Announced,
    /// The number of policies that the org must have been given before, if the caller requires it.
    pub expected: Option<usize>,
}

/// The fate of the policies that are announced for later than one that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// They stay, and take over the new policy's changes, except to the settings that they change themselves.
    Keep,
    /// They are withdrawn.
    Withdraw,
}

/// A policy that was set, or that would be.
#[derive(Debug)]
pub struct PolicySet {
    /// The instant from which it holds.
    pub takes_hold_at: Timestamp,
    /// Its impact on live tokens.
    pub impact: Impact,
    /// The number of policies that the org was given, including this one and those that stay if it was set.
    pub generation: usize,
    /// The policies announced for later that stay, as they read with it, the first to take hold first.
    pub kept: Vec<AnnouncedPolicy>,
}

/// The latest that a policy may take hold.
const MOST_NOTICE: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// The most policies that may be announced at a time. Each of them stays when another is set.
const MOST_ANNOUNCED: usize = 16;
/// The key in an event's personal bytes for the names of its policies' networks, a line for each policy.
pub(crate) const NETWORKS: &str = "networks";

impl OrgWing<'_> {
    /// Returns the policies of an org.
    pub async fn get_policies(
        self,
        credential: &Credential,
        slug: &OrgSlug,
    ) -> Result<PoliciesShown, AuthorityError> {
        let whose = Whose::Org(slug.clone());
        let (read, by) = self.0.read_as(credential, Operation::GetOrgPolicy, &whose).await?;
        Ok(PoliciesShown { policies: read.find_policies(by.org()?.id).await?, now: read.now() })
    }

    /// Lists the orgs of which the caller is a member, with their policies, by slug.
    pub async fn list_mine(self, credential: &Credential) -> Result<Vec<MyOrg>, AuthorityError> {
        let (read, by) = self.0.read_as(credential, Operation::ListOrgs, &Whose::Mine).await?;
        let memberships = read.list_memberships(by.account()?.id).await?;
        let ids: Vec<OrgId> = memberships.iter().map(|membership| membership.org.id).collect();
        let mut policies = read.policies(&ids).await?;
        let with_policies = |membership: Membership| MyOrg {
            policies: policies.remove(&membership.org.id).unwrap_or_default(),
            membership,
        };
        // Each member may read the policies of the org.
        let may_read = |membership: &Membership| by.may_with_role(Operation::GetOrgPolicy, membership.role);
        Ok(memberships.into_iter().filter(may_read).map(with_policies).collect())
    }

    /// Returns an org of which the caller is a member, with its policies.
    pub async fn find_mine(self, credential: &Credential, slug: &OrgSlug) -> Result<MyOrg, AuthorityError> {
        let whose = Whose::Org(slug.clone());
        let (read, by) = self.0.read_as(credential, Operation::GetOrgPolicy, &whose).await?;
        let (org, role) = (by.org()?.clone(), by.role()?);
        let policies = read.find_policies(org.id).await?;
        Ok(MyOrg { membership: Membership { org, role }, policies })
    }

    /// Returns the impact of a policy on live tokens, and sets nothing.
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
        // It reads all of the org's tokens, so few are computed at a time.
        let _share = self.0.policy_impacts.take(Some(org.id), 1)?;
        let impact = Impact::of(self.0, &read, org, (policies.clone(), &policy, takes_hold_at)).await?;
        let value = PolicySet { takes_hold_at, impact, generation: policies.count(), kept };
        Ok(Changed { value, changed: false, sequence: read.head().sequence, now: read.now() })
    }

    /// Gives an org a policy. The policies that are announced for later stay or are withdrawn in the same
    /// change.
    pub async fn set_policy(
        self,
        credential: &Credential,
        slug: &OrgSlug,
        new: &NewPolicy,
    ) -> Result<Changed<PolicySet>, AuthorityError> {
        // The impact is computed beforehand, so that nobody waits for it while the lock is held.
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

/// Returns the policies that a request sets: the new one, followed by those announced for later that stay.
fn to_set(read: &Read, new: &NewPolicy, before: &Policies) -> Result<Vec<AnnouncedPolicy>, AuthorityError> {
    let (now, takes_hold_at) = (read.now(), takes_hold(read, new)?);
    let mut policies = vec![AnnouncedPolicy { takes_hold_at, policy: new.policy.clone() }];
    if new.announced == Announced::Keep {
        let kept = before.rebased_onto(&policies[0], now);
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

/// Splits policies into an event's public part, and its personal part with the names of their networks.
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

/// Puts the names of their networks into the policies of an event. If the names were erased, no network is
/// left.
pub(crate) fn name_networks(policies: &mut [AnnouncedPolicy], names: Option<&str>) {
    let mut names = names.unwrap_or_default().lines();
    for announced in policies {
        announced.policy = announced.policy.clone().together(names.next());
    }
}
