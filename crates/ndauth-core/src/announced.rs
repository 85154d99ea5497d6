//! The effect of announced policies on a case: judged by the one decision, as of when they take hold.

use crate::{AccountView, Case, DatedPolicy, Factor, OrgView, OwnerView, PolicyWarning, permit};

impl Case<'_> {
    /// Returns the first announced policy of the org that will refuse the case. `None` where it is refused already, or
    /// where none will.
    pub fn policy_warning(&self) -> Option<PolicyWarning> {
        let OrgView::Org(org, _, policies) = self.org else { return None };
        let to_come = policies.to_come(self.now);
        if to_come.is_empty() || permit(self).is_err() {
            return None;
        }
        to_come.into_iter().find_map(|next| {
            let refusal =
                permit(&self.under(next)).err().filter(|refusal| refusal.factor() == Factor::Policy)?;
            let (reason, message) = (refusal.reason(), refusal.to_string());
            Some(PolicyWarning { org: org.slug.clone(), takes_hold_at: next.takes_hold_at, reason, message })
        })
    }

    /// The case when an announced policy takes hold. Where that asks for no later login than the policy of today, the
    /// owner is expected to log in as they do today.
    fn under(&self, next: &DatedPolicy) -> Self {
        let now = next.takes_hold_at;
        let is_as_today = |login_within| match self.org {
            OrgView::Org(_, _, policies) => policies.at(self.now).login_within <= login_within,
            OrgView::None => false,
        };
        let owner = match self.owner {
            OwnerView::Account(account) if is_as_today(next.policy.login_within) => {
                OwnerView::Account(AccountView { last_login_at: Some(now), ..account })
            }
            owner => owner,
        };
        Case { owner, now, ..*self }
    }
}
