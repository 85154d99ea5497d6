//! A connection to a server, and a method for each of its calls.

use std::error::Error;
use std::mem::take;
use std::time::Instant;

use ndauth_core::{OrgSlug, Problem, Reason, Secret, Timestamp};
use ndauth_proto::v1::account_service_client::AccountServiceClient;
use ndauth_proto::v1::admin_service_client::AdminServiceClient;
use ndauth_proto::v1::audit_service_client::AuditServiceClient;
use ndauth_proto::v1::org_service_client::OrgServiceClient;
use ndauth_proto::v1::permission_service_client::PermissionServiceClient;
use ndauth_proto::v1::token_service_client::TokenServiceClient;
use ndauth_proto::v1::validation_service_client::ValidationServiceClient;
use ndauth_proto::{POLICY_WARNING, policy_warning_from_trailer, problem_from_status, v1};
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use crate::dial::root;
use crate::pages::Pages;
use crate::{Call, ConnectError, Observer, Options, ServerUrl, TraceParent};

/// A connection to a server, with the credential that is sent with each call. Clones share the connection.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
    /// Marked as sensitive: its `Debug` hides it, and HTTP/2 keeps it out of its tables.
    bearer: Option<AsciiMetadataValue>,
    observer: Observer,
    trace_parent: Option<AsciiMetadataValue>,
}

impl Client {
    /// Connects to a server with the default options.
    pub async fn connect(server: &ServerUrl, credential: Option<&Secret>) -> Result<Client, ConnectError> {
        Client::connect_with(server, credential, &Options::default()).await
    }

    /// Connects to a server.
    pub async fn connect_with(
        server: &ServerUrl,
        credential: Option<&Secret>,
        options: &Options,
    ) -> Result<Client, ConnectError> {
        let channel = options.connect(server).await?;
        let trace_parent = options.trace_parent.as_ref().map(TraceParent::metadata);
        let observer = options.observer.clone();
        Ok(Client { channel, bearer: credential.map(bearer), observer, trace_parent })
    }

    /// Returns a client over the same connection with another credential.
    #[must_use]
    pub fn with_credential(&self, credential: &Secret) -> Client {
        Client { bearer: Some(bearer(credential)), ..self.clone() }
    }

    /// Returns a client over the same connection whose calls belong to another trace.
    #[must_use]
    pub fn with_trace_parent(&self, trace_parent: &TraceParent) -> Client {
        Client { trace_parent: Some(trace_parent.metadata()), ..self.clone() }
    }

    /// Returns a client over an existing connection.
    pub(crate) fn over(channel: Channel, bearer: AsciiMetadataValue, observer: Observer) -> Client {
        Client { channel, bearer: Some(bearer), observer, trace_parent: None }
    }

    /// Returns the connection and the credential.
    pub(crate) fn into_parts(self) -> (Channel, Option<AsciiMetadataValue>) {
        (self.channel, self.bearer)
    }

    /// Returns the identity that the credential stands for.
    pub async fn who_am_i(&self) -> Result<v1::WhoAmIResponse, Problem> {
        self.ask_who_am_i(v1::WhoAmIRequest {}).await
    }

    /// Lists the orgs where the credential's account is a member. Reads all pages.
    pub async fn list_orgs(&self) -> Result<v1::ListOrgsResponse, Problem> {
        let mut pages = Pages::up_to(usize::MAX);
        loop {
            let (page_size, page_token) = pages.next();
            let mut page = self.ask_list_orgs(v1::ListOrgsRequest { page_size, page_token }).await?;
            if !pages.add(take(&mut page.orgs), take(&mut page.next_page_token))? {
                return Ok(v1::ListOrgsResponse { orgs: pages.into_rows(), ..page });
            }
        }
    }

    /// Lists the sessions of the credential's account. Reads all pages.
    pub async fn list_sessions(&self) -> Result<v1::ListSessionsResponse, Problem> {
        let mut pages = Pages::up_to(usize::MAX);
        loop {
            let (page_size, page_token) = pages.next();
            let mut page = self.ask_list_sessions(v1::ListSessionsRequest { page_size, page_token }).await?;
            if !pages.add(take(&mut page.sessions), take(&mut page.next_page_token))? {
                return Ok(v1::ListSessionsResponse { sessions: pages.into_rows(), ..page });
            }
        }
    }

    /// Lists every permission in the catalogue. Reads all pages.
    pub async fn list_permissions(&self) -> Result<v1::ListPermissionsResponse, Problem> {
        let mut pages = Pages::up_to(usize::MAX);
        loop {
            let (page_size, page_token) = pages.next();
            let mut page =
                self.ask_list_permissions(v1::ListPermissionsRequest { page_size, page_token }).await?;
            if !pages.add(take(&mut page.resource_types), take(&mut page.next_page_token))? {
                return Ok(v1::ListPermissionsResponse { resource_types: pages.into_rows(), ..page });
            }
        }
    }

    /// Lists the members of an org. Reads all pages.
    pub async fn every_member(&self, org: &OrgSlug) -> Result<v1::ListMembersResponse, Problem> {
        let mut pages = Pages::up_to(usize::MAX);
        loop {
            let (page_size, page_token) = pages.next();
            let org = org.to_string();
            let mut page = self.list_members(v1::ListMembersRequest { org, page_size, page_token }).await?;
            if !pages.add(take(&mut page.members), take(&mut page.next_page_token))? {
                return Ok(v1::ListMembersResponse { members: pages.into_rows(), ..page });
            }
        }
    }

    /// Lists up to `limit` tokens, over as many pages as that takes. The request's own page size and page
    /// token are ignored.
    pub async fn every_token(
        &self,
        request: &v1::ListTokensRequest,
        limit: usize,
    ) -> Result<v1::ListTokensResponse, Problem> {
        let mut pages = Pages::up_to(limit);
        loop {
            let (page_size, page_token) = pages.next();
            let request = v1::ListTokensRequest { page_size, page_token, ..request.clone() };
            let mut page = self.list_tokens(request).await?;
            if !pages.add(take(&mut page.tokens), take(&mut page.next_page_token))? {
                return Ok(v1::ListTokensResponse { tokens: pages.into_rows(), ..page });
            }
        }
    }

    /// Lists up to `limit` personal tokens that may have power in an org, over as many pages as that takes.
    pub async fn every_personal_token(
        &self,
        org: &OrgSlug,
        limit: usize,
    ) -> Result<v1::ListPersonalTokensResponse, Problem> {
        let mut pages = Pages::up_to(limit);
        loop {
            let (page_size, page_token) = pages.next();
            let org = org.to_string();
            let request = v1::ListPersonalTokensRequest { org, page_size, page_token };
            let mut page = self.list_personal_tokens(request).await?;
            if !pages.add(take(&mut page.tokens), take(&mut page.next_page_token))? {
                return Ok(v1::ListPersonalTokensResponse { tokens: pages.into_rows(), ..page });
            }
        }
    }

    /// Lists the memberships that are offered to the caller, or by an org. Reads all pages.
    pub async fn every_membership_offer(
        &self,
        whose: v1::Whose,
    ) -> Result<v1::ListMembershipOffersResponse, Problem> {
        let mut pages = Pages::up_to(usize::MAX);
        loop {
            let (page_size, page_token) = pages.next();
            let owner = Some(whose.clone());
            let request = v1::ListMembershipOffersRequest { owner, page_size, page_token };
            let mut page = self.list_membership_offers(request).await?;
            if !pages.add(take(&mut page.offers), take(&mut page.next_page_token))? {
                return Ok(v1::ListMembershipOffersResponse { offers: pages.into_rows(), ..page });
            }
        }
    }

    /// Lists up to `limit` accounts, for an operator, over as many pages as that takes. With a beginning, only
    /// those whose handle or address begins with it.
    pub async fn every_account(
        &self,
        begins_with: Option<&str>,
        limit: usize,
    ) -> Result<v1::ListAccountsResponse, Problem> {
        let mut pages = Pages::up_to(limit);
        loop {
            let (page_size, page_token) = pages.next();
            let begins_with = begins_with.map(str::to_owned);
            let request = v1::ListAccountsRequest { begins_with, page_size, page_token };
            let mut page = self.list_accounts(request).await?;
            if !pages.add(take(&mut page.accounts), take(&mut page.next_page_token))? {
                return Ok(v1::ListAccountsResponse { accounts: pages.into_rows(), ..page });
            }
        }
    }

    /// Lists all orgs, for an operator. Reads all pages.
    pub async fn every_org(&self, include_deleted: bool) -> Result<v1::ListAllOrgsResponse, Problem> {
        let mut pages = Pages::up_to(usize::MAX);
        loop {
            let (page_size, page_token) = pages.next();
            let request = v1::ListAllOrgsRequest { include_deleted, page_size, page_token };
            let mut page = self.list_all_orgs(request).await?;
            if !pages.add(take(&mut page.orgs), take(&mut page.next_page_token))? {
                return Ok(v1::ListAllOrgsResponse { orgs: pages.into_rows(), ..page });
            }
        }
    }

    /// Lists all services, for an operator. Reads all pages.
    pub async fn every_service(&self, include_revoked: bool) -> Result<v1::ListServicesResponse, Problem> {
        let mut pages = Pages::up_to(usize::MAX);
        loop {
            let (page_size, page_token) = pages.next();
            let request = v1::ListServicesRequest { include_revoked, page_size, page_token };
            let mut page = self.list_services(request).await?;
            if !pages.add(take(&mut page.services), take(&mut page.next_page_token))? {
                return Ok(v1::ListServicesResponse { services: pages.into_rows(), ..page });
            }
        }
    }

    /// Sends a message with the credential, and reports the call to the observer.
    async fn call<Q, A, F>(
        &self,
        rpc: &'static str,
        message: Q,
        send: impl FnOnce(Channel, Request<Q>) -> F,
    ) -> Result<A, Problem>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let mut request = Request::new(message);
        if let Some(bearer) = &self.bearer {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        if let Some(trace_parent) = &self.trace_parent {
            request.metadata_mut().insert("traceparent", trace_parent.clone());
        }
        let begun = Instant::now();
        let outcome = send(self.channel.clone(), request).await;
        let metadata = match &outcome {
            Ok(response) => response.metadata(),
            Err(status) => status.metadata(),
        };
        let request_id = request_id(metadata);
        let timestamp = |name| metadata.get(name)?.to_str().ok()?.parse::<Timestamp>().ok();
        let credential = timestamp(CREDENTIAL_BEGUN).zip(timestamp(CREDENTIAL_ENDS));
        let policy_warnings = metadata.get_all(POLICY_WARNING).iter();
        let policy_warnings =
            policy_warnings.filter_map(|value| policy_warning_from_trailer(value.to_str().ok()?)).collect();
        let answer = outcome.map(Response::into_inner).map_err(|status| problem(&status));
        let failed = answer.as_ref().err().map(|problem| problem.reason);
        self.observer.report(|| Call {
            rpc,
            request_id,
            took: begun.elapsed(),
            failed,
            credential,
            policy_warnings,
        });
        answer
    }
}

/// The trailers in which the server reports the begin and the end of the credential's validity (RFC 3339).
const CREDENTIAL_BEGUN: &str = "ndauth-credential-begun";
const CREDENTIAL_ENDS: &str = "ndauth-credential-ends";
/// The largest response that is read: a batch of verdicts with the most grants that there may be fits.
pub(crate) const LARGEST_RESPONSE: usize = 64 * 1024 * 1024;

/// Generates a method for each RPC from its name, its service, the RPC, its request and its response.
macro_rules! calls {
    ($($(#[$doc:meta])* $shown:vis $name:ident: $service:ident.$rpc:ident($request:ident) -> $answer:ident;)*) => {
        impl Client {$(
            $(#[$doc])*
            $shown async fn $name(&self, request: v1::$request) -> Result<v1::$answer, Problem> {
                let rpc = stringify!($request).trim_end_matches("Request");
                let send = |channel, request| async move {
                    $service::new(channel).max_decoding_message_size(LARGEST_RESPONSE).$rpc(request).await
                };
                self.call(rpc, request, send).await
            }
        )*}
    };
}

calls! {
    ask_who_am_i: AccountServiceClient.who_am_i(WhoAmIRequest) -> WhoAmIResponse;
    ask_list_orgs: AccountServiceClient.list_orgs(ListOrgsRequest) -> ListOrgsResponse;
    ask_list_sessions: AccountServiceClient.list_sessions(ListSessionsRequest) -> ListSessionsResponse;
    ask_list_permissions:
        PermissionServiceClient.list_permissions(ListPermissionsRequest) -> ListPermissionsResponse;

    /// Returns which notices are mailed to the credential's account.
    pub get_notices: AccountServiceClient.get_notices(GetNoticesRequest) -> GetNoticesResponse;
    /// Turns kinds of notices off and on.
    pub set_notices: AccountServiceClient.set_notices(SetNoticesRequest) -> SetNoticesResponse;
    /// Ends sessions of the credential's account.
    pub revoke_sessions: AccountServiceClient.revoke_sessions(RevokeSessionsRequest) -> RevokeSessionsResponse;

    /// Creates a token.
    pub create_token: TokenServiceClient.create_token(CreateTokenRequest) -> CreateTokenResponse;
    /// Lists a page of tokens.
    pub list_tokens: TokenServiceClient.list_tokens(ListTokensRequest) -> ListTokensResponse;
    /// Shows a token.
    pub get_token: TokenServiceClient.get_token(GetTokenRequest) -> GetTokenResponse;
    /// Changes the description of a token.
    pub update_token: TokenServiceClient.update_token(UpdateTokenRequest) -> UpdateTokenResponse;
    /// Revokes a token.
    pub revoke_token: TokenServiceClient.revoke_token(RevokeTokenRequest) -> RevokeTokenResponse;
    /// Rotates a token: mints a new secret.
    pub rotate_token: TokenServiceClient.rotate_token(RotateTokenRequest) -> RotateTokenResponse;
    /// Makes a token's new secret take over.
    pub confirm_rotation: TokenServiceClient.confirm_rotation(ConfirmRotationRequest) -> ConfirmRotationResponse;
    /// Drops a token's new secret.
    pub drop_rotation: TokenServiceClient.drop_rotation(DropRotationRequest) -> DropRotationResponse;
    /// Retires a token's old secret before its overlap is over.
    pub retire_secret: TokenServiceClient.retire_secret(RetireSecretRequest) -> RetireSecretResponse;
    /// Renews a token: sets a later expiry.
    pub renew_token: TokenServiceClient.renew_token(RenewTokenRequest) -> RenewTokenResponse;
    /// Suspends a token.
    pub suspend_token: TokenServiceClient.suspend_token(SuspendTokenRequest) -> SuspendTokenResponse;
    /// Resumes a suspended token.
    pub resume_token: TokenServiceClient.resume_token(ResumeTokenRequest) -> ResumeTokenResponse;
    /// Revokes what a secret belongs to. Needs no credential.
    pub revoke_secret: TokenServiceClient.revoke_secret(RevokeSecretRequest) -> RevokeSecretResponse;
    /// Reports up to 1000 secrets as leaked, which ends them. Needs no credential.
    pub report_leaked: TokenServiceClient.report_leaked(ReportLeakedRequest) -> ReportLeakedResponse;
    /// Revokes all tokens, or all that were minted before an instant, or previews the effect.
    pub revoke_all_tokens: TokenServiceClient.revoke_all_tokens(RevokeAllTokensRequest) -> RevokeAllTokensResponse;
    /// Explains what a token may do, and why it may not do the rest.
    pub explain_token: TokenServiceClient.explain_token(ExplainTokenRequest) -> ExplainTokenResponse;

    /// Validates a secret against a requirement.
    pub validate_token: ValidationServiceClient.validate_token(ValidateTokenRequest) -> ValidateTokenResponse;
    /// Validates up to 1000 secrets.
    pub validate_tokens:
        ValidationServiceClient.validate_tokens(ValidateTokensRequest) -> ValidateTokensResponse;
    /// Validates a secret, and returns the inputs that the verdict follows from.
    pub resolve: ValidationServiceClient.resolve(ResolveRequest) -> ResolveResponse;

    /// Creates an org.
    pub create_org: OrgServiceClient.create_org(CreateOrgRequest) -> CreateOrgResponse;
    /// Shows an org.
    pub get_org: OrgServiceClient.get_org(GetOrgRequest) -> GetOrgResponse;
    /// Lists a page of the members of an org.
    pub list_members: OrgServiceClient.list_members(ListMembersRequest) -> ListMembersResponse;
    /// Adds an account to an org with a role, for an operator.
    pub add_member: OrgServiceClient.add_member(AddMemberRequest) -> AddMemberResponse;
    /// Changes the role of a member.
    pub set_member: OrgServiceClient.set_member(SetMemberRequest) -> SetMemberResponse;
    /// Removes an account from an org.
    pub remove_member: OrgServiceClient.remove_member(RemoveMemberRequest) -> RemoveMemberResponse;
    /// Offers a membership of an org.
    pub offer_membership: OrgServiceClient.offer_membership(OfferMembershipRequest) -> OfferMembershipResponse;
    /// Lists a page of the memberships that are offered to the caller, or by an org.
    pub list_membership_offers:
        OrgServiceClient.list_membership_offers(ListMembershipOffersRequest) -> ListMembershipOffersResponse;
    /// Accepts an offered membership, or previews the effect of accepting it.
    pub accept_membership_offer:
        OrgServiceClient.accept_membership_offer(AcceptMembershipOfferRequest) -> AcceptMembershipOfferResponse;
    /// Declines an offered membership.
    pub decline_membership_offer:
        OrgServiceClient.decline_membership_offer(DeclineMembershipOfferRequest) -> DeclineMembershipOfferResponse;
    /// Withdraws a membership that an org offers.
    pub withdraw_membership_offer:
        OrgServiceClient.withdraw_membership_offer(WithdrawMembershipOfferRequest) -> WithdrawMembershipOfferResponse;
    /// Shows the policy of an org.
    pub get_org_policy: OrgServiceClient.get_org_policy(GetOrgPolicyRequest) -> GetOrgPolicyResponse;
    /// Sets the policy of an org, or previews the effect of one.
    pub set_org_policy: OrgServiceClient.set_org_policy(SetOrgPolicyRequest) -> SetOrgPolicyResponse;

    /// Freezes an org.
    pub freeze_org: OrgServiceClient.freeze_org(FreezeOrgRequest) -> FreezeOrgResponse;
    /// Unfreezes an org.
    pub unfreeze_org: OrgServiceClient.unfreeze_org(UnfreezeOrgRequest) -> UnfreezeOrgResponse;
    /// Lists a page of the personal tokens that may have power in an org.
    pub list_personal_tokens:
        OrgServiceClient.list_personal_tokens(ListPersonalTokensRequest) -> ListPersonalTokensResponse;
    /// Suspends a personal token in an org.
    pub suspend_personal_token:
        OrgServiceClient.suspend_personal_token(SuspendPersonalTokenRequest) -> SuspendPersonalTokenResponse;
    /// Resumes a personal token in an org.
    pub resume_personal_token:
        OrgServiceClient.resume_personal_token(ResumePersonalTokenRequest) -> ResumePersonalTokenResponse;

    /// Lists a page of the events of a history.
    pub list_events: AuditServiceClient.list_events(ListEventsRequest) -> ListEventsResponse;
    /// Returns a page of the events of a history, as they are stored in the log.
    pub export_events: AuditServiceClient.export_events(ExportEventsRequest) -> ExportEventsResponse;
    /// Lists a page of refused attempts.
    pub list_refused_attempts:
        AuditServiceClient.list_refused_attempts(ListRefusedAttemptsRequest) -> ListRefusedAttemptsResponse;

    /// Creates an account, for an operator.
    pub create_account: AdminServiceClient.create_account(CreateAccountRequest) -> CreateAccountResponse;
    /// Lists a page of accounts, for an operator.
    pub list_accounts: AdminServiceClient.list_accounts(ListAccountsRequest) -> ListAccountsResponse;
    /// Shows an account, for an operator.
    pub get_account: AdminServiceClient.get_account(GetAccountRequest) -> GetAccountResponse;
    /// Makes a link by which a person sets the password of an unused account, for an operator.
    pub invite_account: AdminServiceClient.invite_account(InviteAccountRequest) -> InviteAccountResponse;
    /// Disables an account, for an operator.
    pub disable_account: AdminServiceClient.disable_account(DisableAccountRequest) -> DisableAccountResponse;
    /// Enables an account, for an operator.
    pub enable_account: AdminServiceClient.enable_account(EnableAccountRequest) -> EnableAccountResponse;
    /// Ends every session of an account, for an operator.
    pub sign_out_account: AdminServiceClient.sign_out_account(SignOutAccountRequest) -> SignOutAccountResponse;
    /// Lists a page of all orgs, for an operator.
    pub list_all_orgs: AdminServiceClient.list_all_orgs(ListAllOrgsRequest) -> ListAllOrgsResponse;
    /// Registers a service, for an operator.
    pub create_service: AdminServiceClient.create_service(CreateServiceRequest) -> CreateServiceResponse;
    /// Lists a page of services, for an operator.
    pub list_services: AdminServiceClient.list_services(ListServicesRequest) -> ListServicesResponse;
    /// Draws a new secret for a service, for an operator.
    pub rotate_service: AdminServiceClient.rotate_service(RotateServiceRequest) -> RotateServiceResponse;
    /// Makes the new secret of a service take over, for an operator.
    pub confirm_service_rotation:
        AdminServiceClient.confirm_service_rotation(ConfirmServiceRotationRequest) -> ConfirmServiceRotationResponse;
    /// Drops the new secret of a service, for an operator.
    pub drop_service_rotation:
        AdminServiceClient.drop_service_rotation(DropServiceRotationRequest) -> DropServiceRotationResponse;
    /// Retires the earlier secret of a service before its overlap is over, for an operator.
    pub retire_service_secret:
        AdminServiceClient.retire_service_secret(RetireServiceSecretRequest) -> RetireServiceSecretResponse;
    /// Revokes a service, for an operator.
    pub revoke_service: AdminServiceClient.revoke_service(RevokeServiceRequest) -> RevokeServiceResponse;
    /// Returns the counts and the health of the installation, for an operator.
    pub get_installation: AdminServiceClient.get_installation(GetInstallationRequest) -> GetInstallationResponse;
}

pub(crate) fn bearer(secret: &Secret) -> AsciiMetadataValue {
    let text = format!("Bearer {}", secret.expose());
    let mut value = AsciiMetadataValue::try_from(text).expect("a secret is plain text");
    value.set_sensitive(true);
    value
}

pub(crate) fn request_id(metadata: &MetadataMap) -> Option<String> {
    Some(metadata.get("x-request-id")?.to_str().ok()?.to_owned())
}

/// Returns the problem of a failed call: the server's own words, or the failure of the connection.
pub(crate) fn problem(status: &Status) -> Problem {
    match status.source() {
        // A status that the server sent has no source here.
        Some(why) if status.code() != Code::Cancelled => {
            Problem::new(Reason::Unavailable, format!("the connection to the server broke: {}", root(why)))
        }
        _ => problem_from_status(status),
    }
}
