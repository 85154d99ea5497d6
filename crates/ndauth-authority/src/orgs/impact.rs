//! What a policy would do to the tokens that live.

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
    /// The last use of it, if any; where the org does not own it, the last use in the org.
    pub last_use: Option<LastUse>,
    /// Why it would be refused.
    pub reason: Reason,
}

/// An org as it is now, and as it will be under a policy.
struct Survey<'a> {
    now: Ground,
    then: Ground,
    requirement: Requirement,
    /// As of when the policy takes hold.
    judging: Judging<'a>,
    roles: BTreeMap<AccountId, Role>,
    accounts: BTreeMap<AccountId, Account>,
    /// True where the policy lets tokens be used from some networks alone.
    limits_networks: bool,
}

/// A token that was used within this time is in use.
const IN_USE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const PAGE: u64 = 1000;

impl Impact {
    /// Judges every token that may do something in an org now as it will be judged when a policy takes hold, if it is
    /// used from where it was last. What expires before is left out.
    pub(super) async fn of(
        authority: &Authority,
        read: &Read,
        org: &Org,
        policy: &OrgPolicy,
        takes_hold_at: Timestamp,
    ) -> Result<Impact, AuthorityError> {
        let catalogue = authority.catalogue(read).await?;
        let judging = Judging::of(read, &catalogue);
        let mut survey = Survey::new(read, org, policy, Judging { now: takes_hold_at, ..judging }).await?;
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
                    // Of the tokens of others the admins see what was done in the org.
                    false => {
                        let used_there = used_there.get(&view.token.id).copied();
                        view.seen_by(Viewer::OrgAdmin(&org.slug, used_there))
                    }
                };
                survey.add(&mut impact, view, judging)?;
            }
        }
    }

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

impl<'a> Survey<'a> {
    async fn new(
        read: &Read,
        org: &Org,
        policy: &OrgPolicy,
        judging: Judging<'a>,
    ) -> Result<Survey<'a>, AuthorityError> {
        let members = read.list_members(org.id).await?;
        let accounts = read.accounts_by_id(members.iter().map(|member| member.account)).await?;
        let alone = DatedPolicy { set_at: read.now(), takes_hold_at: read.now(), policy: policy.clone() };
        let ground = |policies| Ground { org: org.clone(), role: None, policies };
        Ok(Survey {
            now: ground(read.find_policies(org.id).await?),
            then: ground(Policies::new([alone])),
            requirement: Requirement::Survey { org: org.slug.clone() },
            judging,
            roles: members.iter().map(|member| (member.account, member.role)).collect(),
            accounts,
            limits_networks: policy.networks != Networks::All,
        })
    }

    /// Adds what becomes of a token, where it lives until then and may do something in the org now.
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
            // Used elsewhere than it is for, it was refused already.
            Ok(_) | Err(_) => {}
        }
        Ok(())
    }

    /// The owner of a token, who stands in the org from here on.
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
