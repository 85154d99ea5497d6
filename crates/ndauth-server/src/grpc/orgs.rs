//! `OrgService`.

use std::time::Duration;

use ndauth_authority::{
    Acceptance, Announced, BrokenToken, Changed, Impact, MemberShown, NewOrg, NewPolicy, OfferShown,
    PolicySet, Whose,
};
use ndauth_core::{DatedPolicy, OrgPolicy, Problem, Timestamp};
use ndauth_proto::v1::org_service_server::OrgService;
use ndauth_proto::{
    duration_from_proto, last_use_to_proto, org_slug_from_proto, org_to_proto, policy_from_proto,
    policy_to_proto, reason_to_proto, role_from_proto, role_to_proto, timestamp_to_proto, token_to_proto, v1,
};
use tonic::{Request, Response, Status, async_trait};

use super::fields::{display_name, handle, member_page, page, paged, token_id, whose};
use super::service::{GrpcService, answer, taken};
use crate::cursors::page_token;

/// The most broken tokens that a response lists.
const MOST_BROKEN: usize = 10_000;

#[async_trait]
impl OrgService for GrpcService {
    async fn create_org(
        &self,
        request: Request<v1::CreateOrgRequest>,
    ) -> Result<Response<v1::CreateOrgResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let name = Some(request.name.as_str()).filter(|name| !name.is_empty());
            let new = NewOrg {
                slug: org_slug_from_proto("slug", &request.slug)?,
                name: name.map(|name| display_name("name", name)).transpose()?,
                admin: None,
            };
            let Changed { value, changed, sequence, now } =
                self.authority.orgs().create(&credential, &new).await?;
            let (org, evaluated_at) = (Some(org_to_proto(&value, Some(1))), Some(timestamp_to_proto(now)));
            Ok(v1::CreateOrgResponse { org, changed, sequence, evaluated_at })
        })
        .await
    }

    async fn get_org(
        &self,
        request: Request<v1::GetOrgRequest>,
    ) -> Result<Response<v1::GetOrgResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let org = org_slug_from_proto("org", &request.org)?;
            let shown = self.authority.orgs().get(&credential, &org).await?;
            let org = Some(org_to_proto(&shown.org, Some(shown.members)));
            Ok(v1::GetOrgResponse { org, role: role_to_proto(shown.role).into() })
        })
        .await
    }

    async fn freeze_org(
        &self,
        request: Request<v1::FreezeOrgRequest>,
    ) -> Result<Response<v1::FreezeOrgResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let org = org_slug_from_proto("org", &request.org)?;
            let Changed { value, changed, sequence, now } =
                self.authority.orgs().freeze(&credential, &org).await?;
            let (org, evaluated_at) = (Some(org_to_proto(&value, None)), Some(timestamp_to_proto(now)));
            Ok(v1::FreezeOrgResponse { org, changed, sequence, evaluated_at })
        })
        .await
    }

    async fn unfreeze_org(
        &self,
        request: Request<v1::UnfreezeOrgRequest>,
    ) -> Result<Response<v1::UnfreezeOrgResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let org = org_slug_from_proto("org", &request.org)?;
            let Changed { value, changed, sequence, now } =
                self.authority.orgs().unfreeze(&credential, &org).await?;
            let (org, evaluated_at) = (Some(org_to_proto(&value, None)), Some(timestamp_to_proto(now)));
            Ok(v1::UnfreezeOrgResponse { org, changed, sequence, evaluated_at })
        })
        .await
    }

    async fn list_members(
        &self,
        request: Request<v1::ListMembersRequest>,
    ) -> Result<Response<v1::ListMembersResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let org = org_slug_from_proto("org", &request.org)?;
            let page = member_page(request.page_size, &request.page_token)?;
            let listed = self.authority.orgs().list_members(&credential, &org, &page).await?;
            Ok(v1::ListMembersResponse {
                members: listed.members.iter().map(member_to_proto).collect(),
                next_page_token: listed.next.map_or_else(String::new, |handle| handle.to_string()),
            })
        })
        .await
    }

    async fn add_member(
        &self,
        request: Request<v1::AddMemberRequest>,
    ) -> Result<Response<v1::AddMemberResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let org = org_slug_from_proto("org", &request.org)?;
            let handle = handle("handle", &request.handle)?;
            let role = role_from_proto("role", request.role)?;
            let Changed { value, changed, sequence, now } =
                self.authority.orgs().add_member(&credential, &org, &handle, role).await?;
            let (member, evaluated_at) = (Some(member_to_proto(&value)), Some(timestamp_to_proto(now)));
            Ok(v1::AddMemberResponse { member, changed, sequence, evaluated_at })
        })
        .await
    }

    async fn set_member(
        &self,
        request: Request<v1::SetMemberRequest>,
    ) -> Result<Response<v1::SetMemberResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let org = org_slug_from_proto("org", &request.org)?;
            let handle = handle("handle", &request.handle)?;
            let role = role_from_proto("role", request.role)?;
            let Changed { value, changed, sequence, now } =
                self.authority.orgs().set_member(&credential, &org, &handle, role).await?;
            let (member, evaluated_at) = (Some(member_to_proto(&value)), Some(timestamp_to_proto(now)));
            Ok(v1::SetMemberResponse { member, changed, sequence, evaluated_at })
        })
        .await
    }

    async fn remove_member(
        &self,
        request: Request<v1::RemoveMemberRequest>,
    ) -> Result<Response<v1::RemoveMemberResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let org = org_slug_from_proto("org", &request.org)?;
            let handle = handle("handle", &request.handle)?;
            let Changed { value: (), changed, sequence, now } =
                self.authority.orgs().remove_member(&credential, &org, &handle).await?;
            Ok(v1::RemoveMemberResponse { changed, sequence, evaluated_at: Some(timestamp_to_proto(now)) })
        })
        .await
    }

    async fn offer_membership(
        &self,
        request: Request<v1::OfferMembershipRequest>,
    ) -> Result<Response<v1::OfferMembershipResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let org = org_slug_from_proto("org", &request.org)?;
            let handle = handle("handle", &request.handle)?;
            let role = role_from_proto("role", request.role)?;
            let Changed { value, changed, sequence, now } =
                self.authority.orgs().offer_membership(&credential, &org, &handle, role).await?;
            let (offer, evaluated_at) = (Some(offer_to_proto(&value)), Some(timestamp_to_proto(now)));
            Ok(v1::OfferMembershipResponse { offer, changed, sequence, evaluated_at })
        })
        .await
    }

    async fn list_membership_offers(
        &self,
        request: Request<v1::ListMembershipOffersRequest>,
    ) -> Result<Response<v1::ListMembershipOffersResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let whose = whose(request.owner)?;
            let listed = self.authority.orgs().list_offers(&credential, &whose).await?;
            let by = |offer: &OfferShown| match whose {
                Whose::Org(_) => offer.handle.to_string(),
                Whose::Mine | Whose::Account(_) | Whose::Anyone => offer.org.to_string(),
            };
            let (offers, next_page_token) = paged(listed.rows, by, request.page_size, &request.page_token)?;
            Ok(v1::ListMembershipOffersResponse {
                offers: offers.iter().map(offer_to_proto).collect(),
                next_page_token,
                evaluated_at: Some(timestamp_to_proto(listed.now)),
            })
        })
        .await
    }

    async fn accept_membership_offer(
        &self,
        request: Request<v1::AcceptMembershipOfferRequest>,
    ) -> Result<Response<v1::AcceptMembershipOfferResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let org = org_slug_from_proto("org", &request.org)?;
            let role = role_from_proto("role", request.role)?;
            let accepted = if request.dry_run {
                self.authority.orgs().preview_acceptance(&credential, &org, role).await?
            } else {
                self.authority.orgs().accept_offer(&credential, &org, role).await?
            };
            let Changed { value: Acceptance { offer, tokens }, changed, sequence, now } = accepted;
            Ok(v1::AcceptMembershipOfferResponse {
                offer: Some(offer_to_proto(&offer)),
                tokens: tokens.iter().map(|view| token_to_proto(view, now)).collect(),
                changed,
                sequence,
                evaluated_at: Some(timestamp_to_proto(now)),
            })
        })
        .await
    }

    async fn decline_membership_offer(
        &self,
        request: Request<v1::DeclineMembershipOfferRequest>,
    ) -> Result<Response<v1::DeclineMembershipOfferResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let org = org_slug_from_proto("org", &request.org)?;
            let Changed { value: (), changed, sequence, now } =
                self.authority.orgs().decline_offer(&credential, &org).await?;
            let evaluated_at = Some(timestamp_to_proto(now));
            Ok(v1::DeclineMembershipOfferResponse { changed, sequence, evaluated_at })
        })
        .await
    }

    async fn withdraw_membership_offer(
        &self,
        request: Request<v1::WithdrawMembershipOfferRequest>,
    ) -> Result<Response<v1::WithdrawMembershipOfferResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let org = org_slug_from_proto("org", &request.org)?;
            let handle = handle("handle", &request.handle)?;
            let Changed { value: (), changed, sequence, now } =
                self.authority.orgs().withdraw_offer(&credential, &org, &handle).await?;
            let evaluated_at = Some(timestamp_to_proto(now));
            Ok(v1::WithdrawMembershipOfferResponse { changed, sequence, evaluated_at })
        })
        .await
    }

    async fn get_org_policy(
        &self,
        request: Request<v1::GetOrgPolicyRequest>,
    ) -> Result<Response<v1::GetOrgPolicyResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let org = org_slug_from_proto("org", &request.org)?;
            let shown = self.authority.orgs().get_policies(&credential, &org).await?;
            let ruling = shown.policies.ruling(shown.now);
            let to_come = |policy: &DatedPolicy| v1::PolicyToCome {
                policy: Some(policy_to_proto(&policy.policy)),
                set_at: Some(timestamp_to_proto(policy.set_at)),
                takes_hold_at: Some(timestamp_to_proto(policy.takes_hold_at)),
            };
            Ok(v1::GetOrgPolicyResponse {
                policy: Some(policy_to_proto(ruling.map_or(&OrgPolicy::OPEN, |policy| &policy.policy))),
                set_at: ruling.map(|policy| timestamp_to_proto(policy.set_at)),
                to_come: shown.policies.to_come(shown.now).into_iter().map(to_come).collect(),
                evaluated_at: Some(timestamp_to_proto(shown.now)),
                generation: count(shown.policies.count()),
            })
        })
        .await
    }

    async fn set_org_policy(
        &self,
        request: Request<v1::SetOrgPolicyRequest>,
    ) -> Result<Response<v1::SetOrgPolicyResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let org = org_slug_from_proto("org", &request.org)?;
            let new = new_policy(&request)?;
            let most = usize::try_from(request.max_tokens);
            let most = most.map_err(|_| Problem::invalid("max_tokens", "it is negative"))?;
            let set = if request.dry_run {
                self.authority.orgs().try_policy(&credential, &org, &new).await?
            } else {
                self.authority.orgs().set_policy(&credential, &org, &new).await?
            };
            let Changed { value, changed, sequence, now } = set;
            let PolicySet { takes_hold_at, impact, generation, kept } = value;
            let kept = kept.iter().map(|kept| v1::PolicyToCome {
                policy: Some(policy_to_proto(&kept.policy)),
                set_at: changed.then(|| timestamp_to_proto(now)),
                takes_hold_at: Some(timestamp_to_proto(kept.takes_hold_at)),
            });
            Ok(v1::SetOrgPolicyResponse {
                takes_hold_at: Some(timestamp_to_proto(takes_hold_at)),
                impact: Some(impact_to_proto(&impact, most.min(MOST_BROKEN), now)),
                generation: count(generation),
                changed,
                sequence,
                evaluated_at: Some(timestamp_to_proto(now)),
                kept: kept.collect(),
                policy: Some(policy_to_proto(&new.policy)),
            })
        })
        .await
    }

    async fn list_personal_tokens(
        &self,
        request: Request<v1::ListPersonalTokensRequest>,
    ) -> Result<Response<v1::ListPersonalTokensResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let org = org_slug_from_proto("org", &request.org)?;
            let page = page(false, request.page_size, &request.page_token)?;
            let listed = self.authority.tokens().list_personal_tokens(&credential, &org, page).await?;
            Ok(v1::ListPersonalTokensResponse {
                tokens: listed.views.iter().map(|view| token_to_proto(view, listed.now)).collect(),
                next_page_token: page_token(listed.next.as_ref()),
                evaluated_at: Some(timestamp_to_proto(listed.now)),
            })
        })
        .await
    }

    async fn suspend_personal_token(
        &self,
        request: Request<v1::SuspendPersonalTokenRequest>,
    ) -> Result<Response<v1::SuspendPersonalTokenResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let (org, id) = (org_slug_from_proto("org", &request.org)?, token_id("id", &request.id)?);
            let Changed { value, changed, sequence, now } =
                self.authority.tokens().suspend_personal_token(&credential, &org, id).await?;
            let (token, evaluated_at) = (Some(token_to_proto(&value, now)), Some(timestamp_to_proto(now)));
            Ok(v1::SuspendPersonalTokenResponse { token, changed, sequence, evaluated_at })
        })
        .await
    }

    async fn resume_personal_token(
        &self,
        request: Request<v1::ResumePersonalTokenRequest>,
    ) -> Result<Response<v1::ResumePersonalTokenResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let (org, id) = (org_slug_from_proto("org", &request.org)?, token_id("id", &request.id)?);
            let Changed { value, changed, sequence, now } =
                self.authority.tokens().resume_personal_token(&credential, &org, id).await?;
            let (token, evaluated_at) = (Some(token_to_proto(&value, now)), Some(timestamp_to_proto(now)));
            Ok(v1::ResumePersonalTokenResponse { token, changed, sequence, evaluated_at })
        })
        .await
    }
}

fn new_policy(request: &v1::SetOrgPolicyRequest) -> Result<NewPolicy, Problem> {
    Ok(NewPolicy {
        policy: policy_from_proto("policy", request.policy.clone())?,
        effective_in: match request.effective_in {
            None => Duration::ZERO,
            Some(duration) => duration_from_proto("effective_in", duration)?,
        },
        announced: if request.withdraw_announced { Announced::Withdraw } else { Announced::Keep },
        expected: request.expected_generation.map(|count| usize::try_from(count).unwrap_or(usize::MAX)),
    })
}

fn member_to_proto(member: &MemberShown) -> v1::Member {
    v1::Member {
        account_id: member.account.to_string(),
        handle: member.handle.to_string(),
        role: role_to_proto(member.role).into(),
        since: Some(timestamp_to_proto(member.since)),
    }
}

fn offer_to_proto(offer: &OfferShown) -> v1::MembershipOffer {
    v1::MembershipOffer {
        org: offer.org.to_string(),
        org_name: offer.org_name.as_ref().map(ToString::to_string).unwrap_or_default(),
        handle: offer.handle.to_string(),
        role: role_to_proto(offer.role).into(),
        made_by: offer.made_by.to_string(),
        made_at: Some(timestamp_to_proto(offer.made_at)),
        ends_at: Some(timestamp_to_proto(offer.ends_at)),
    }
}

fn impact_to_proto(impact: &Impact, most: usize, now: Timestamp) -> v1::PolicyImpact {
    let breaks =
        |(reason, tokens)| v1::PolicyBreaks { reason: reason_to_proto(reason).into(), tokens: count(tokens) };
    let broken = |token: &BrokenToken| v1::BrokenToken {
        id: token.id.to_string(),
        name: token.name.to_string(),
        owner: token.owner.clone(),
        prefix: token.prefix.to_string(),
        last_use: token.last_use.map(last_use_to_proto),
        reason: reason_to_proto(token.reason).into(),
    };
    v1::PolicyImpact {
        tokens: count(impact.tokens),
        broken: count(impact.broken.len()),
        broken_in_use: count(impact.broken_in_use(now)),
        address_unknown: count(impact.address_unknown),
        by_reason: impact.by_reason().into_iter().map(breaks).collect(),
        broken_tokens: impact.broken.iter().take(most).map(broken).collect(),
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
