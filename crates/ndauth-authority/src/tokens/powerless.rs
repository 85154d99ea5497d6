//! Tokens that could do nothing: told before they are made, by the decision itself.

use ndauth_core::{
    Asker, Effective, Factor, Grants, OrgSlug, Orgs, Refusal, Requirement, Scope, decide, explain,
};
use ndauth_store::Read;

use crate::access::held::{Ground, Held, Judging, OwnerName, TokenQuestion, ground};
use crate::{AuthorityError, TokenWing};

/// The most orgs in which a token is looked at. One that is for more is not called powerless.
const MOST_ORGS: usize = 64;

impl TokenWing<'_> {
    /// Says why a planned token could do nothing in any of its orgs, where that is so.
    ///
    /// Refuses one that an org's policy makes powerless where it names the org, or where it has no other: the policy is
    /// there to keep such tokens out. The owner's role may be raised any day, and is told of.
    pub(super) async fn powerless(
        self,
        read: &Read,
        planned: &Held,
    ) -> Result<Option<Refusal>, AuthorityError> {
        let catalogue = self.0.catalogue(read).await?;
        let judging = Judging::of(read, &catalogue);
        let orgs = orgs_in_question(read, planned, None).await?;
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

/// Judges whether a token could do anything in an org.
fn power(planned: &Held, ground: Option<&Ground>, org: OrgSlug, judging: Judging<'_>) -> Result<(), Refusal> {
    let survey = Requirement::Survey { org: org.clone() };
    let about = |requirement| TokenQuestion { judging, requirement, asker: Asker::Unstated, address: None };
    let allowed = decide(&planned.case(ground, &about(&survey)))?;
    match (allowed, &planned.token.grants) {
        (Effective::Access { grants: Grants::Only(left), .. }, Grants::Only(carried)) if left.is_empty() => {
            // Nothing is left of what it carries: the refusal of the least of it says why.
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

/// The orgs to ask about. Where there are none, the token itself is judged.
pub(super) async fn orgs_in_question(
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
