//! The policies of an org: shown, tried and set.

use std::collections::BTreeMap;
use std::time::Duration;

use ndauth_core::{
    AccountId, Asker, Change, DatedPolicy, Factor, Label, LastUse, Networks, Org, OrgPolicy, OrgSlug, Owner,
    Personal, Policies, Reason, Requirement, Role, SecretPrefix, Timestamp, TokenId, decide,
};
use ndauth_store::{Read, TokenPage};

use super::members::missing;
use crate::access::held::{Ground, Held, Judging, OwnerName, TokenQuestion};
use crate::access::{Operation, Whose};
use crate::change::Changed;
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

/// What a policy does to the tokens that live.
#[derive(Debug, Default)]
pub struct Impact {
    /// How many may do something in the org now.
    pub tokens: usize,
    /// Those of them that may do nothing there under the policy, used last first.
    pub broken: Vec<BrokenToken>,
    /// How many of the others were used, or may be, from where nobody knows, so that its networks may
    /// break them.
    pub address_unknown: usize,
}

/// A token that a policy breaks.
#[derive(Debug)]
pub struct BrokenToken {
    /// Which.
    pub id: TokenId,
    /// Its name.
    pub name: Label,
    /// A handle, or the org's slug.
    pub owner: String,
    /// The first characters of its newest secret.
    pub prefix: SecretPrefix,
    /// When it was last used, if ever.
    pub last_use: Option<LastUse>,
    /// Why it would be refused.
    pub reason: Reason,
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

/// A token that was used within this time is in use.
const IN_USE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The latest that a policy may take hold.
const MOST_NOTICE: Duration = Duration::from_secs(366 * 24 * 60 * 60);
const PAGE: u64 = 1000;
/// Under which key an event's personal bytes name a policy's networks.
pub(crate) const NETWORKS: &str = "networks";

impl Impact {
    /// How many of the broken tokens were used lately.
    pub fn broken_in_use(&self, now: Timestamp) -> usize {
        let lately = |token: &&BrokenToken| token.last_use.is_some_and(|last| now.since(last.at) <= IN_USE);
        self.broken.iter().filter(lately).count()
    }

    /// How many are broken for which reason, most first.
    pub fn by_reason(&self) -> Vec<(Reason, usize)> {
        let mut counts: Vec<(Reason, usize)> = Vec::new();
        for token in &self.broken {
            match counts.iter_mut().find(|(reason, _)| *reason == token.reason) {
                Some((_, count)) => *count += 1,
                None => counts.push((token.reason, 1)),
            }
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }
}

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
        let impact = self.impact(&read, org, &new.policy, takes_hold_at).await?;
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
        let set = self.0.change(credential, Operation::SetOrgPolicy, &whose, |changing| async move {
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

    /// Judges every token that may do something in an org now as it will be judged when a policy takes hold, if
    /// it is used from where it was last. What expires before is left out.
    async fn impact(
        self,
        read: &Read,
        org: &Org,
        policy: &OrgPolicy,
        takes_hold_at: Timestamp,
    ) -> Result<Impact, AuthorityError> {
        let catalogue = self.0.catalogue(read).await?;
        let judging = Judging::of(read, &catalogue);
        let members = read.list_members(org.id).await?;
        let accounts = read.accounts_by_id(members.iter().map(|member| member.account)).await?;
        let (now, present) = (read.now(), read.find_policies(org.id).await?);
        let then = Policies::new([DatedPolicy { set_at: now, takes_hold_at: now, policy: policy.clone() }]);
        let roles: BTreeMap<AccountId, Role> =
            members.iter().map(|member| (member.account, member.role)).collect();
        let mut before = Ground { org: org.clone(), role: None, policies: present };
        let mut after_it = Ground { org: org.clone(), role: None, policies: then };
        let survey = Requirement::Survey { org: org.slug.clone() };
        let mut impact = Impact::default();
        let mut after = None;
        loop {
            let page = TokenPage { include_revoked: false, after, limit: PAGE };
            let tokens = read.list_tokens_of_org(org.id, true, page).await?;
            after = tokens.last().map(|token| token.id);
            if after.is_none() {
                break;
            }
            for view in read.view_tokens(tokens).await? {
                let view = self.0.tokens().with_latest_use(view);
                let (owner, role) = match view.token.owner {
                    Owner::Org(_) => (OwnerName::Org(org.clone()), None),
                    Owner::Account(id) => {
                        let account = accounts.get(&id).ok_or_else(|| missing(id))?;
                        (OwnerName::Account(account.clone()), roles.get(&id).copied())
                    }
                };
                (before.role, after_it.role) = (role, role);
                let last_use = view.last_use();
                let address = last_use.and_then(|last| last.address);
                let question = |address, now| TokenQuestion {
                    judging: Judging { now, ..judging },
                    requirement: &survey,
                    asker: Asker::Unstated,
                    address,
                };
                let record = view.shown(now).record.clone();
                let prefix = record.prefix;
                let held = Held { record, token: view.token.clone(), owner };
                let lives = !held.token.expires_at.is_past(takes_hold_at);
                if !lives || decide(&held.case(Some(&before), &question(None, now))).is_err() {
                    continue;
                }
                impact.tokens += 1;
                match decide(&held.case(Some(&after_it), &question(address, takes_hold_at))) {
                    Err(refusal) if refusal.factor() == Factor::Policy => impact.broken.push(BrokenToken {
                        id: view.token.id,
                        name: view.token.name,
                        owner: held.owner.name().to_owned(),
                        prefix,
                        last_use,
                        reason: refusal.reason(),
                    }),
                    Ok(_) if address.is_none() && policy.networks != Networks::All => {
                        impact.address_unknown += 1;
                    }
                    // Used elsewhere than it is for, it was refused already.
                    Ok(_) | Err(_) => {}
                }
            }
        }
        impact.broken.sort_by_key(|token| std::cmp::Reverse(token.last_use.map(|last| last.at)));
        Ok(impact)
    }
}

fn takes_hold(read: &Read, new: &NewPolicy) -> Result<Timestamp, AuthorityError> {
    let too_late = || AuthorityError::invalid("effective_in", "at most 366 days");
    let within = Some(new.effective_in).filter(|within| *within <= MOST_NOTICE).ok_or_else(too_late)?;
    read.now().checked_add(within).ok_or_else(too_late)
}
