//! `OrgService`.

use std::time::Duration;

use ndauth_authority::{BrokenToken, Impact, MemberShown, NewOrg, NewPolicy, PolicySet};
use ndauth_core::{DatedPolicy, Handle, Org, OrgPolicy, Problem, Timestamp};
use ndauth_proto::v1::org_service_server::OrgService;
use ndauth_proto::v1::{
    self, CreateOrgRequest, CreateOrgResponse, FreezeOrgRequest, FreezeOrgResponse, GetOrgPolicyRequest,
    GetOrgPolicyResponse, GetOrgRequest, GetOrgResponse, ListMembersRequest, ListMembersResponse,
    RemoveMemberRequest, RemoveMemberResponse, SetMemberRequest, SetMemberResponse, SetOrgPolicyRequest,
    SetOrgPolicyResponse, UnfreezeOrgRequest, UnfreezeOrgResponse,
};
use ndauth_proto::{
    duration_from_proto, last_use_to_proto, org_slug_from_proto, policy_from_proto, policy_to_proto,
    reason_to_proto, role_from_proto, role_to_proto, timestamp_to_proto,
};
use tonic::{Request, Response, Status, async_trait};

use crate::grpc::{Service, credential, refused, status};

/// How many broken tokens are told of.
const MOST_BROKEN: usize = 10_000;

#[async_trait]
impl OrgService for Service {
    async fn create_org(
        &self,
        request: Request<CreateOrgRequest>,
    ) -> Result<Response<CreateOrgResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let new = NewOrg {
            slug: org_slug_from_proto("slug", &request.slug).map_err(refused)?,
            name: match request.name.as_str() {
                "" => None,
                name => Some(name.parse().map_err(|why| refused(Problem::invalid("name", why)))?),
            },
            admin: None,
        };
        let made = self.authority.create_org(&credential, &new).await;
        let (org, sequence) = made.map_err(|error| status(&error))?;
        Ok(Response::new(CreateOrgResponse { org: Some(org_to_proto(&org, 1)), sequence }))
    }

    async fn get_org(&self, request: Request<GetOrgRequest>) -> Result<Response<GetOrgResponse>, Status> {
        let credential = credential(&request)?;
        let org = org_slug_from_proto("org", &request.get_ref().org).map_err(refused)?;
        let shown = self.authority.get_org(&credential, &org).await.map_err(|error| status(&error))?;
        Ok(Response::new(GetOrgResponse {
            org: Some(org_to_proto(&shown.org, shown.members)),
            role: role_to_proto(shown.role).into(),
        }))
    }

    async fn freeze_org(
        &self,
        request: Request<FreezeOrgRequest>,
    ) -> Result<Response<FreezeOrgResponse>, Status> {
        let credential = credential(&request)?;
        let org = org_slug_from_proto("org", &request.get_ref().org).map_err(refused)?;
        let done = self.authority.set_frozen(&credential, &org, true).await;
        let (changed, sequence) = done.map_err(|error| status(&error))?;
        Ok(Response::new(FreezeOrgResponse { changed, sequence }))
    }

    async fn unfreeze_org(
        &self,
        request: Request<UnfreezeOrgRequest>,
    ) -> Result<Response<UnfreezeOrgResponse>, Status> {
        let credential = credential(&request)?;
        let org = org_slug_from_proto("org", &request.get_ref().org).map_err(refused)?;
        let done = self.authority.set_frozen(&credential, &org, false).await;
        let (changed, sequence) = done.map_err(|error| status(&error))?;
        Ok(Response::new(UnfreezeOrgResponse { changed, sequence }))
    }

    async fn list_members(
        &self,
        request: Request<ListMembersRequest>,
    ) -> Result<Response<ListMembersResponse>, Status> {
        let credential = credential(&request)?;
        let org = org_slug_from_proto("org", &request.get_ref().org).map_err(refused)?;
        let members = self.authority.list_members(&credential, &org).await.map_err(|error| status(&error))?;
        Ok(Response::new(ListMembersResponse { members: members.iter().map(member_to_proto).collect() }))
    }

    async fn set_member(
        &self,
        request: Request<SetMemberRequest>,
    ) -> Result<Response<SetMemberResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let org = org_slug_from_proto("org", &request.org).map_err(refused)?;
        let handle = handle(&request.handle).map_err(refused)?;
        let role = role_from_proto("role", request.role).map_err(refused)?;
        let set = self.authority.set_member(&credential, &org, &handle, role).await;
        let (member, sequence) = set.map_err(|error| status(&error))?;
        Ok(Response::new(SetMemberResponse { member: Some(member_to_proto(&member)), sequence }))
    }

    async fn remove_member(
        &self,
        request: Request<RemoveMemberRequest>,
    ) -> Result<Response<RemoveMemberResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let org = org_slug_from_proto("org", &request.org).map_err(refused)?;
        let handle = handle(&request.handle).map_err(refused)?;
        let removed = self.authority.remove_member(&credential, &org, &handle).await;
        Ok(Response::new(RemoveMemberResponse { sequence: removed.map_err(|error| status(&error))? }))
    }

    async fn get_org_policy(
        &self,
        request: Request<GetOrgPolicyRequest>,
    ) -> Result<Response<GetOrgPolicyResponse>, Status> {
        let credential = credential(&request)?;
        let org = org_slug_from_proto("org", &request.get_ref().org).map_err(refused)?;
        let shown = self.authority.get_policies(&credential, &org).await.map_err(|error| status(&error))?;
        let ruling = shown.policies.ruling(shown.now);
        let to_come = |policy: &DatedPolicy| v1::PolicyToCome {
            policy: Some(policy_to_proto(&policy.policy)),
            set_at: Some(timestamp_to_proto(policy.set_at)),
            takes_hold_at: Some(timestamp_to_proto(policy.takes_hold_at)),
        };
        Ok(Response::new(GetOrgPolicyResponse {
            policy: Some(policy_to_proto(ruling.map_or(&OrgPolicy::OPEN, |policy| &policy.policy))),
            set_at: ruling.map(|policy| timestamp_to_proto(policy.set_at)),
            to_come: shown.policies.to_come(shown.now).into_iter().map(to_come).collect(),
            evaluated_at: Some(timestamp_to_proto(shown.now)),
            generation: count(shown.policies.count()),
        }))
    }

    async fn set_org_policy(
        &self,
        request: Request<SetOrgPolicyRequest>,
    ) -> Result<Response<SetOrgPolicyResponse>, Status> {
        let credential = credential(&request)?;
        let request = request.into_inner();
        let org = org_slug_from_proto("org", &request.org).map_err(refused)?;
        let new = new_policy(&request).map_err(refused)?;
        let most = usize::try_from(request.max_tokens)
            .map_err(|_| refused(Problem::invalid("max_tokens", "less than nothing")))?;
        let set = if request.dry_run {
            self.authority.try_policy(&credential, &org, &new).await
        } else {
            self.authority.set_policy(&credential, &org, &new).await
        };
        let PolicySet { takes_hold_at, impact, sequence, generation, now } =
            set.map_err(|error| status(&error))?;
        Ok(Response::new(SetOrgPolicyResponse {
            takes_hold_at: Some(timestamp_to_proto(takes_hold_at)),
            impact: Some(impact_to_proto(&impact, most.min(MOST_BROKEN), now)),
            sequence: sequence.unwrap_or_default(),
            evaluated_at: Some(timestamp_to_proto(now)),
            generation: count(generation),
        }))
    }
}

fn new_policy(request: &SetOrgPolicyRequest) -> Result<NewPolicy, Problem> {
    Ok(NewPolicy {
        policy: policy_from_proto("policy", request.policy.clone())?,
        effective_in: match request.effective_in {
            None => Duration::ZERO,
            Some(duration) => duration_from_proto("effective_in", duration)?,
        },
        expected: request.expected_generation.map(|count| usize::try_from(count).unwrap_or(usize::MAX)),
    })
}

fn handle(text: &str) -> Result<Handle, Problem> {
    text.parse().map_err(|why| Problem::invalid("handle", format!("the name of an account {why}")))
}

fn org_to_proto(org: &Org, members: usize) -> v1::Org {
    v1::Org {
        id: org.id.to_string(),
        slug: org.slug.to_string(),
        name: org.name.as_ref().map(ToString::to_string).unwrap_or_default(),
        created_at: Some(timestamp_to_proto(org.created_at)),
        members: count(members),
        frozen_at: org.frozen_at.map(timestamp_to_proto),
    }
}

fn member_to_proto(member: &MemberShown) -> v1::Member {
    v1::Member {
        account_id: member.account.to_string(),
        handle: member.handle.to_string(),
        role: role_to_proto(member.role).into(),
        since: Some(timestamp_to_proto(member.since)),
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
