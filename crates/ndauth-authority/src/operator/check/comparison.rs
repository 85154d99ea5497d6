//! The rows of a database, compared with the state that its log records.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ndauth_core::{
    AccountId, AnnouncedPolicy, Catalogue, DatedPolicy, Expiry, Level, OrgId, Owner, Policies, Role,
    Timestamp, Token,
};
use ndauth_store::{Read, StoreError, TokenPage};

use super::recorded::{Existence, PAGE, Recorded};
use crate::AuthorityError;

/// A comparison in progress.
pub(super) struct Comparison<'a> {
    read: &'a Read,
    recorded: Recorded,
    faults: Vec<String>,
    rows: u64,
}

impl<'a> Comparison<'a> {
    /// Creates a comparison of a view with the recorded state, which adds to the faults found before.
    pub(super) fn new(read: &'a Read, recorded: Recorded, faults: Vec<String>) -> Comparison<'a> {
        Comparison { read, recorded, faults, rows: 0 }
    }

    /// Runs the comparison. Returns the number of rows compared, and all faults.
    pub(super) async fn run(mut self) -> Result<(u64, Vec<String>), AuthorityError> {
        self.catalogue().await?;
        self.policies().await?;
        self.accounts().await?;
        self.orgs().await?;
        self.services().await?;
        self.sessions().await?;
        self.members().await?;
        self.offers().await?;
        self.tokens().await?;
        let recorded = self.recorded.not_before.unwrap_or(Timestamp::MIN);
        let found = self.read.installation().not_before;
        if recorded != found {
            let fault =
                format!("secrets minted before {found} are revoked, and the log says before {recorded}");
            self.faults.push(fault);
        }
        Ok((self.rows, self.faults))
    }

    async fn catalogue(&mut self) -> Result<(), AuthorityError> {
        let Some(catalogue) = self.sound(self.read.catalogue().await)? else { return Ok(()) };
        let (hashed, first) = self.read.check_catalogue().await?;
        let as_recorded = match self.recorded.catalogue.take() {
            None => first,
            // Parsed, because a document may state the same thing twice.
            Some(recorded) => Catalogue::new(&recorded).is_ok_and(|recorded| recorded == catalogue),
        };
        if !as_recorded || !hashed {
            self.faults.push("the catalogue differs from the log".to_owned());
        }
        Ok(())
    }

    async fn policies(&mut self) -> Result<(), AuthorityError> {
        let Some(orgs) = self.sound(self.read.list_orgs().await)? else { return Ok(()) };
        for org in orgs {
            let Some(policies) = self.sound(self.read.find_policies(org.id).await)? else { continue };
            let recorded = self.recorded.policies.remove(&org.id).unwrap_or_default();
            self.rows += recorded.len() as u64;
            let recorded = recorded.into_iter().zip(0_i64..).map(
                |(AnnouncedPolicy { takes_hold_at, policy }, order)| {
                    let set_at = Timestamp::from_micros(order).unwrap_or(Timestamp::MIN);
                    DatedPolicy { set_at, takes_hold_at, policy }
                },
            );
            if !Policies::new(recorded).has_same_policies_as(&policies) {
                self.faults.push(format!("the policies of the org `{}` differ from the log", org.slug));
            }
        }
        Ok(())
    }

    async fn accounts(&mut self) -> Result<(), AuthorityError> {
        let Some(accounts) = self.sound(self.read.list_accounts().await)? else { return Ok(()) };
        for row in &accounts {
            if self.recorded.not_before_of(Owner::Account(row.id)) != row.not_before {
                let fault = "revokes other secrets than the log says";
                self.faults.push(format!("the account `{}` {fault}", row.id));
            }
            if self.recorded.operators.contains(&row.id) != row.operator {
                let fault = if row.operator {
                    "is an operator, and the log does not say so"
                } else {
                    "is no operator, and the log says that it is"
                };
                self.faults.push(format!("the account `{}` {fault}", row.id));
            }
        }
        let recorded = std::mem::take(&mut self.recorded.accounts);
        let rows = accounts.iter().map(|row| (row.id, row.disabled_at));
        self.compare("account", "disabled", rows, recorded);
        Ok(())
    }

    async fn orgs(&mut self) -> Result<(), AuthorityError> {
        let Some(orgs) = self.sound(self.read.list_orgs().await)? else { return Ok(()) };
        for row in &orgs {
            let not_before = self.recorded.not_before_of(Owner::Org(row.id));
            let frozen_at = self.recorded.frozen.get(&row.id).copied();
            if (not_before, frozen_at) != (row.not_before, row.frozen_at) {
                let fault = "revokes secrets or is frozen differently from the log";
                self.faults.push(format!("the org `{}` {fault}", row.id));
            }
        }
        let recorded = std::mem::take(&mut self.recorded.orgs);
        self.compare("org", "deleted", orgs.iter().map(|row| (row.id, row.deleted_at)), recorded);
        Ok(())
    }

    async fn services(&mut self) -> Result<(), AuthorityError> {
        let Some(services) = self.sound(self.read.list_services().await)? else { return Ok(()) };
        let recorded = std::mem::take(&mut self.recorded.services);
        self.compare("service", "revoked", services.iter().map(|row| (row.id, row.revoked_at)), recorded);
        Ok(())
    }

    async fn sessions(&mut self) -> Result<(), AuthorityError> {
        let Some(sessions) = self.sound(self.read.list_sessions().await)? else { return Ok(()) };
        for row in &sessions {
            self.recorded.end_signed_out(row);
        }
        let recorded = std::mem::take(&mut self.recorded.sessions);
        self.compare("session", "ended", sessions.iter().map(|row| (row.id, row.revoked_at)), recorded);
        Ok(())
    }

    async fn members(&mut self) -> Result<(), AuthorityError> {
        let Some(members) = self.sound(self.read.list_every_member().await)? else { return Ok(()) };
        self.rows += members.len() as u64;
        for member in members {
            let recorded = self.recorded.members.remove(&(member.org, member.account));
            self.faults.extend(fault_of_member(member.org, member.account, member.role, recorded));
        }
        for (org, account) in std::mem::take(&mut self.recorded.members).into_keys() {
            self.faults.push(format!(
                "the account `{account}` is not a member of the org `{org}`, and the log says that it is"
            ));
        }
        Ok(())
    }

    /// Compares the offers. Those that expired may be there or not.
    async fn offers(&mut self) -> Result<(), AuthorityError> {
        let Some(offers) = self.sound(self.read.list_every_offer().await)? else { return Ok(()) };
        self.rows += offers.len() as u64;
        for offer in offers {
            let recorded = self.recorded.offers.remove(&offer.id);
            let as_recorded = recorded.is_some_and(|recorded| {
                (recorded.org, recorded.role, recorded.ends_at) == (offer.org, offer.role, offer.ends_at)
            });
            if !as_recorded {
                self.faults.push(format!("the offer `{}` differs from the log", offer.id));
            }
        }
        for (id, offer) in std::mem::take(&mut self.recorded.offers) {
            if !Expiry::At(offer.ends_at).is_past(self.read.now()) {
                self.faults.push(format!("the log records the offer `{id}`, which does not exist"));
            }
        }
        Ok(())
    }

    async fn tokens(&mut self) -> Result<(), AuthorityError> {
        let mut rows = Vec::new();
        let mut after = None;
        loop {
            let page = TokenPage { include_revoked: true, after, limit: PAGE };
            let Some(tokens) = self.sound(self.read.list_every_token(page).await)? else { return Ok(()) };
            after = tokens.last().map(|token| token.id);
            if after.is_none() {
                break;
            }
            rows.extend(tokens.iter().map(|token| (token.id, token.revoked_at)));
            tokens.iter().for_each(|token| self.token(token));
            let tokens =
                tokens.into_iter().filter(|token| self.recorded.has_watermark(token.owner)).collect();
            for view in self.sound(self.read.view_tokens(tokens).await)?.unwrap_or_default() {
                self.recorded.end_revoked_with_all(&view);
            }
        }
        let recorded = std::mem::take(&mut self.recorded.tokens);
        self.compare("token", "revoked", rows.into_iter(), recorded);
        Ok(())
    }

    /// Compares a token's suspensions and its end.
    fn token(&mut self, token: &Token) {
        let levels: BTreeSet<Level> = token.suspensions.iter().map(|of| of.level).collect();
        if self.recorded.suspended.remove(&token.id).unwrap_or_default() != levels {
            self.faults.push(format!("the token `{}` is suspended differently from the log", token.id));
        }
        if self.recorded.ends.get(&token.id).is_some_and(|end| *end != token.expires_at) {
            self.faults.push(format!("the token `{}` ends at another time than the log says", token.id));
        }
    }

    /// Returns the rows. A corrupt row is recorded as a fault and does not stop the check.
    fn sound<T>(&mut self, outcome: Result<T, StoreError>) -> Result<Option<T>, AuthorityError> {
        match outcome {
            Ok(rows) => Ok(Some(rows)),
            Err(error @ StoreError::Corrupt { .. }) => {
                self.faults.push(error.to_string());
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Compares which things exist, and when they ended.
    fn compare<Id: Ord + Copy + fmt::Display>(
        &mut self,
        what: &str,
        end: &str,
        rows: impl Iterator<Item = (Id, Option<Timestamp>)>,
        mut recorded: BTreeMap<Id, Existence>,
    ) {
        for (id, ended) in rows {
            self.rows += 1;
            let fault = match recorded.remove(&id) {
                None => format!("the {what} `{id}` exists, and the log does not record it"),
                Some(existence) => match (existence.ended, ended) {
                    (recorded, found) if recorded == found => continue,
                    (Some(at), None) => {
                        format!("the {what} `{id}` lives, and the log says it was {end} at {at}")
                    }
                    (recorded, found) => {
                        let found = found.map_or("no time".to_owned(), |at| at.to_string());
                        let recorded = recorded.map_or("that it was not".to_owned(), |at| at.to_string());
                        format!("the {what} `{id}` was {end} at {found}, and the log says {recorded}")
                    }
                },
            };
            self.faults.push(fault);
        }
        let missing = recorded.into_keys();
        self.faults
            .extend(missing.map(|id| format!("the log records the {what} `{id}`, which does not exist")));
    }
}

fn fault_of_member(org: OrgId, account: AccountId, found: Role, recorded: Option<Role>) -> Option<String> {
    let place = format!("the account `{account}` in the org `{org}`");
    match recorded {
        None => Some(format!("{place} is a member, and the log does not say so")),
        Some(role) if role != found => {
            Some(format!("{place} has the role `{found}`, and the log says `{role}`"))
        }
        Some(_) => None,
    }
}
