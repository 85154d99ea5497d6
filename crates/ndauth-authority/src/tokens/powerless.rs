//! Tokens that could do nothing: reported before they are made, by the decision itself.

use ndauth_core::{
    Asker, Effective, Factor, Grants, OrgSlug, Orgs, Refusal, Requirement, Scope, decide, explain,
};
use ndauth_store::Read;

use crate::access::held::{Ground, Held, Judging, OwnerName, TokenQuestion, ground};
use crate::{AuthorityError, TokenWing};

/// The most orgs in which a token for all orgs is judged. With more orgs it is not called powerless.
const MOST_ORGS: usize = 64;

impl TokenWing<'_> {
    /// Returns the reason why a planned token could do nothing in any of its orgs, if that is so.
    ///
    /// Refuses a token that an org's policy makes powerless, if the token names the org or has no other,
    /// because the policy is there to keep such tokens out. A role that is too low is only reported, because
    /// it may be raised any day.
    pub(super) async fn powerless(
        self,
        read: &Read,
        planned: &Held,
    ) -> Result<Option<Refusal>, AuthorityError> {
        let catalogue = self.0.catalogue(read).await?;
        let judging = Judging::of(read, &catalogue);
        let orgs = orgs_to_judge(read, planned, None).await?;
        let names_them = matches!(planned.token.orgs, Orgs::Only(_));
        if orgs.len() > MOST_ORGS && !names_them {
            return Ok(None);
        }
        let (mut useful, mut refusals) = (false, Vec::new());
        for org in orgs.into_iter().flatten() {
            let ground = ground(read, &planned.owner, &org).await?;
            match power(planned, ground.as_ref(), org, judging) {
                Ok(()) if names_them => useful = true,
                Ok(()) => return Ok(None),
                Err(refusal) if names_them && refusal.factor() == Factor::Policy => {
                    return Err(refusal.into());
                }
                Err(refusal) => refusals.push(refusal),
            }
        }
        let by_policy = |refusal: &Refusal| refusal.factor() == Factor::Policy;
        match refusals.iter().position(|refusal| !by_policy(refusal)) {
            _ if useful || refusals.is_empty() => Ok(None),
            Some(other) => Ok(Some(refusals.swap_remove(other))),
            None => Err(refusals.swap_remove(0).into()),
        }
    }
}

/// Refuses a token that could do nothing in an org.
fn power(planned: &Held, ground: Option<&Ground>, org: OrgSlug, judging: Judging<'_>) -> Result<(), Refusal> {
    let survey = Requirement::Survey { org: org.clone() };
    let about = |requirement| TokenQuestion { judging, requirement, asker: Asker::Unstated, address: None };
    let allowed = decide(&planned.case(ground, &about(&survey)))?;
    match (allowed, &planned.token.grants) {
        (Effective::Access { grants: Grants::Only(left), .. }, Grants::Only(carried)) if left.is_empty() => {
            // Nothing is left of its grants. The refusal of the least of them is the reason.
            let permission = judging.catalogue.least_permission(carried);
            let access = Requirement::Access { org, access: Scope::Ro, permission };
            let findings = explain(&planned.case(ground, &about(&access)));
            let within =
                |factor| matches!(factor, Factor::Catalogue | Factor::Scope | Factor::Grants | Factor::Role);
            findings
                .into_iter()
                .filter(|finding| within(finding.factor))
                .find_map(|finding| finding.refusal)
                .map_or(Ok(()), Err)
        }
        _ => Ok(()),
    }
}

/// Returns the orgs in which a token is judged. A single none stands for the token itself, if there are no
/// orgs.
pub(super) async fn orgs_to_judge(
    read: &Read,
    held: &Held,
    named: Option<&OrgSlug>,
) -> Result<Vec<Option<OrgSlug>>, AuthorityError> {
    if let Some(org) = named {
        return Ok(vec![Some(org.clone())]);
    }
    let orgs: Vec<OrgSlug> = match (read.name_orgs(&held.token.orgs).await?, &held.owner) {
        (Orgs::Only(orgs), _) => orgs.into_iter().collect(),
        (Orgs::All, OwnerName::Org(org)) => vec![org.slug.clone()],
        (Orgs::All, OwnerName::Account(account)) => {
            let memberships = read.list_memberships(account.id).await?;
            memberships.into_iter().map(|membership| membership.org.slug).collect()
        }
    };
    if orgs.is_empty() { Ok(vec![None]) } else { Ok(orgs.into_iter().map(Some).collect()) }
}
