//! The impact of a policy on live tokens.

use std::collections::BTreeMap;
use std::time::Duration;

use ndauth_core::{
    Account, AccountId, Asker, DatedPolicy, Factor, Label, LastUse, Networks, Org, OrgPolicy, Owner,
    Policies, Reason, Requirement, Role, SecretPrefix, Timestamp, TokenId, TokenView, Viewer, decide,
};
use ndauth_store::{Read, TokenPage};

use super::members::missing;
use crate::access::held::{Ground, Held, Judging, OwnerName, TokenQuestion};
use crate::{Authority, AuthorityError};

/// The impact of a policy on live tokens.
#[derive(Debug, Default)]
pub struct Impact {
    /// The number of tokens that may do something in the org now.
    pub tokens: usize,
    /// Those of them that may do nothing there under the policy, most recently used first.
    pub broken: Vec<BrokenToken>,
    /// The number of the other tokens whose last address is unknown, so that the policy's networks may break
    /// them.
    pub address_unknown: usize,
}

/// A token that a policy breaks.
#[derive(Debug)]
pub struct BrokenToken {
    /// The token's id.
    pub id: TokenId,
    /// Its name.
    pub name: Label,
    /// The owner's handle, or the org's slug.
    pub owner: String,
    /// The first characters of its newest secret.
    pub prefix: SecretPrefix,
    /// Its last use, if any. If the org does not own it, its last use in the org.
    pub last_use: Option<LastUse>,
    /// The reason why it would be refused.
    pub reason: Reason,
}

/// An org as it is now, and as it will be under a policy.
struct Survey<'a> {
    now: Ground,
    then: Ground,
    requirement: Requirement,
    /// The inputs as of the instant at which the policy takes hold.
    judging: Judging<'a>,
    roles: BTreeMap<AccountId, Role>,
    accounts: BTreeMap<AccountId, Account>,
    /// True if the policy restricts the networks.
    limits_networks: bool,
}

/// The time since its last use within which a token counts as in use.
const IN_USE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const PAGE: u64 = 1000;

impl Impact {
    /// Judges every token that may do something in an org now, as it will be judged when a policy takes hold
    /// and the token is used from its last address. Tokens that expire before are left out. `before` are the org's
    /// policies now.
    pub(crate) async fn of(
        authority: &Authority,
        read: &Read,
        org: &Org,
        (before, policy, takes_hold_at): (Policies, &OrgPolicy, Timestamp),
    ) -> Result<Impact, AuthorityError> {
        let catalogue = authority.catalogue(read).await?;
        let judging = Judging::of(read, &catalogue);
        let mut survey =
            Survey::new(read, org, (before, policy), Judging { now: takes_hold_at, ..judging }).await?;
        let mut impact = Impact::default();
        let mut after = None;
        loop {
            let page = TokenPage { include_revoked: false, after, limit: PAGE };
            let tokens = read.list_tokens_of_org(org.id, true, page).await?;
            after = tokens.last().map(|token| token.id);
            if after.is_none() {
                impact.broken.sort_by_key(|token| std::cmp::Reverse(token.last_use.map(|last| last.at)));
                return Ok(impact);
            }
            let views = read.view_tokens(tokens).await?;
            let used_there = authority.used_in(read, org, &views).await?;
            for view in views {
                let view = authority.uses.complete(view);
                let view = match view.token.owner == Owner::Org(org.id) {
                    true => view,
                    // Of other owners' tokens the admins see only the uses in the org.
                    false => {
                        let used_there = used_there.get(&view.token.id).copied();
                        view.seen_by(Viewer::OrgAdmin(&org.slug, used_there))
                    }
                };
                survey.add(&mut impact, view, judging)?;
            }
        }
    }

    /// Returns the number of broken tokens that were used within the last 30 days.
    pub fn broken_in_use(&self, now: Timestamp) -> usize {
        let lately = |token: &&BrokenToken| token.last_use.is_some_and(|last| now.since(last.at) <= IN_USE);
        self.broken.iter().filter(lately).count()
    }

    /// Returns the number of broken tokens for each reason, largest first.
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

impl<'a> Survey<'a> {
    async fn new(
        read: &Read,
        org: &Org,
        (before, policy): (Policies, &OrgPolicy),
        judging: Judging<'a>,
    ) -> Result<Survey<'a>, AuthorityError> {
        let members = read.list_members(org.id).await?;
        let accounts = read.accounts_by_id(members.iter().map(|member| member.account)).await?;
        let alone = DatedPolicy { set_at: read.now(), takes_hold_at: read.now(), policy: policy.clone() };
        let ground = |policies| Ground { org: org.clone(), role: None, policies };
        Ok(Survey {
            now: ground(before),
            then: ground(Policies::new([alone])),
            requirement: Requirement::Survey { org: org.slug.clone() },
            judging,
            roles: members.iter().map(|member| (member.account, member.role)).collect(),
            accounts,
            limits_networks: policy.networks != Networks::All,
        })
    }

    /// Judges a token and adds the result, if the token lives until then and may do something in the org now.
    fn add(&mut self, impact: &mut Impact, view: TokenView, now: Judging<'_>) -> Result<(), AuthorityError> {
        let owner = self.owner(view.token.owner)?;
        let record = view.shown(now.now).record.clone();
        let (last_use, prefix) = (view.last_use(), record.prefix);
        let address = last_use.and_then(|last| last.address);
        let held = Held { record, token: view.token, owner };
        let question = |judging, address| TokenQuestion {
            judging,
            requirement: &self.requirement,
            asker: Asker::Unstated,
            address,
        };
        let ends_before = held.token.expires_at.is_past(self.judging.now);
        if ends_before || decide(&held.case(Some(&self.now), &question(now, None))).is_err() {
            return Ok(());
        }
        impact.tokens += 1;
        match decide(&held.case(Some(&self.then), &question(self.judging, address))) {
            Err(refusal) if refusal.factor() == Factor::Policy => {
                let (owner, reason) = (held.owner.name().to_owned(), refusal.reason());
                let Held { token, .. } = held;
                let (id, name) = (token.id, token.name);
                impact.broken.push(BrokenToken { id, name, owner, prefix, last_use, reason });
            }
            Ok(_) if address.is_none() && self.limits_networks => impact.address_unknown += 1,
            // If another factor refuses it, such as its networks, the policy does not break it.
            Ok(_) | Err(_) => {}
        }
        Ok(())
    }

    /// Returns the owner of a token, and sets the role by which the survey judges it.
    fn owner(&mut self, owner: Owner) -> Result<OwnerName, AuthorityError> {
        let (owner, role) = match owner {
            Owner::Org(_) => (OwnerName::Org(self.now.org.clone()), None),
            Owner::Account(id) => {
                let account = self.accounts.get(&id).ok_or_else(|| missing(id))?;
                (OwnerName::Account(account.clone()), self.roles.get(&id).copied())
            }
        };
        (self.now.role, self.then.role) = (role, role);
        Ok(owner)
    }
}
