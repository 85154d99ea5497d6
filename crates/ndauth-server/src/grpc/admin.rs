//! `AdminService`.

use std::time::Duration;

use ndauth_authority::{
    AccountListed, AccountQuery, Changed, Engine, InstallationView, Link, ManagedPage, NewAccount,
    NewService, OrgSummary, RotatedService, ServiceView, Settling,
};
use ndauth_core::{Email, OVERLAP, Problem, ServiceId, Timestamp};
use ndauth_proto::v1::admin_service_server::AdminService;
use ndauth_proto::{
    account_to_proto, duration_from_proto, duration_to_proto, expiry_to_proto, membership_to_proto,
    org_to_proto, orgs_from_proto, secret_state_to_proto, service_to_proto, timestamp_to_proto, v1,
};
use tonic::{Request, Response, Status, async_trait};

use super::fields::{display_name, handle, label, limit};
use super::service::{Failed, GrpcService, answer, taken};
use crate::http::links::invitation_url;

#[async_trait]
impl AdminService for GrpcService {
    async fn create_account(
        &self,
        request: Request<v1::CreateAccountRequest>,
    ) -> Result<Response<v1::CreateAccountResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let email = request.email.parse::<Email>();
            let name = Some(request.name.as_str()).filter(|name| !name.is_empty());
            let new = NewAccount {
                handle: handle("handle", &request.handle)?,
                email: email.map_err(|why| Problem::invalid("email", format!("the address {why}")))?,
                name: name.map(|name| display_name("name", name)).transpose()?,
                operator: false,
            };
            let Changed { value, changed, sequence, now } =
                self.authority.operator().create_account(&credential, &new).await?;
            let account = Some(managed_account(&AccountListed { account: value, unused: true }));
            Ok(v1::CreateAccountResponse { account, changed, sequence, evaluated_at: evaluated(now) })
        })
        .await
    }

    async fn list_accounts(
        &self,
        request: Request<v1::ListAccountsRequest>,
    ) -> Result<Response<v1::ListAccountsResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let after = after(&request.page_token)?;
            let query =
                AccountQuery { begins_with: request.begins_with, after, limit: limit(request.page_size)? };
            let page = self.authority.operator().list_accounts_page(&credential, &query).await?;
            Ok(v1::ListAccountsResponse {
                accounts: page.rows.iter().map(managed_account).collect(),
                next_page_token: next(&page, |view| view.account.handle.to_string()),
                evaluated_at: evaluated(page.now),
            })
        })
        .await
    }

    async fn get_account(
        &self,
        request: Request<v1::GetAccountRequest>,
    ) -> Result<Response<v1::GetAccountResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let handle = handle("handle", &request.handle)?;
            let details = self.authority.operator().get_account(&credential, &handle).await?;
            Ok(v1::GetAccountResponse {
                account: Some(managed_account(&details.view)),
                memberships: details.memberships.iter().map(membership_to_proto).collect(),
                tokens: u32::try_from(details.tokens).unwrap_or(u32::MAX),
                sessions: u32::try_from(details.sessions).unwrap_or(u32::MAX),
                evaluated_at: evaluated(details.now),
            })
        })
        .await
    }

    async fn invite_account(
        &self,
        request: Request<v1::InviteAccountRequest>,
    ) -> Result<Response<v1::InviteAccountResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let handle = handle("handle", &request.handle)?;
            let Changed { value: Link { code, ends_at, .. }, changed, sequence, now } =
                self.authority.logins().invite(&credential, &handle).await?;
            Ok(v1::InviteAccountResponse {
                link: invitation_url(&self.issuer, code.expose()),
                ends_at: evaluated(ends_at),
                changed,
                sequence,
                evaluated_at: evaluated(now),
            })
        })
        .await
    }

    async fn disable_account(
        &self,
        request: Request<v1::DisableAccountRequest>,
    ) -> Result<Response<v1::DisableAccountResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let handle = handle("handle", &request.handle)?;
            let Changed { changed, sequence, now, .. } =
                self.authority.operator().disable_account(&credential, &handle).await?;
            Ok(v1::DisableAccountResponse { changed, sequence, evaluated_at: evaluated(now) })
        })
        .await
    }

    async fn enable_account(
        &self,
        request: Request<v1::EnableAccountRequest>,
    ) -> Result<Response<v1::EnableAccountResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let handle = handle("handle", &request.handle)?;
            let Changed { changed, sequence, now, .. } =
                self.authority.operator().enable_account(&credential, &handle).await?;
            Ok(v1::EnableAccountResponse { changed, sequence, evaluated_at: evaluated(now) })
        })
        .await
    }

    async fn sign_out_account(
        &self,
        request: Request<v1::SignOutAccountRequest>,
    ) -> Result<Response<v1::SignOutAccountResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let handle = handle("handle", &request.handle)?;
            let Changed { value, changed, sequence, now } =
                self.authority.operator().sign_out(&credential, &handle).await?;
            let ended = u32::try_from(value).unwrap_or(u32::MAX);
            Ok(v1::SignOutAccountResponse { ended, changed, sequence, evaluated_at: evaluated(now) })
        })
        .await
    }

    async fn list_all_orgs(
        &self,
        request: Request<v1::ListAllOrgsRequest>,
    ) -> Result<Response<v1::ListAllOrgsResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let (after, limit) = (after(&request.page_token)?, limit(request.page_size)?);
            let listed = self.authority.operator();
            let page =
                listed.list_orgs_page(&credential, request.include_deleted, after.as_ref(), limit).await?;
            Ok(v1::ListAllOrgsResponse {
                orgs: page.rows.iter().map(managed_org).collect(),
                next_page_token: next(&page, |view| view.org.slug.to_string()),
                evaluated_at: evaluated(page.now),
            })
        })
        .await
    }

    async fn create_service(
        &self,
        request: Request<v1::CreateServiceRequest>,
    ) -> Result<Response<v1::CreateServiceResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let new = NewService {
                name: label("name", &request.name)?,
                orgs: orgs_from_proto("orgs", request.orgs)?,
                states_address: request.states_address,
            };
            let Changed { value, changed, sequence, now } =
                self.authority.operator().create_service(&credential, &new).await?;
            let (secret, evaluated_at) = (value.expose().to_owned(), evaluated(now));
            Ok(v1::CreateServiceResponse { secret, changed, sequence, evaluated_at })
        })
        .await
    }

    async fn list_services(
        &self,
        request: Request<v1::ListServicesRequest>,
    ) -> Result<Response<v1::ListServicesResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let (after, limit) = (after::<ServiceId>(&request.page_token)?, limit(request.page_size)?);
            let listed = self.authority.operator();
            let page = listed.list_services_page(&credential, request.include_revoked, after, limit).await?;
            let service = |view| managed_service(view, page.now);
            Ok(v1::ListServicesResponse {
                services: page.rows.iter().map(service).collect(),
                next_page_token: next(&page, |view| view.service.id.to_string()),
                evaluated_at: evaluated(page.now),
            })
        })
        .await
    }

    async fn rotate_service(
        &self,
        request: Request<v1::RotateServiceRequest>,
    ) -> Result<Response<v1::RotateServiceResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let name = label("name", &request.name)?;
            let overlap = request.overlap.map(|overlap| duration_from_proto("overlap", overlap));
            let overlap: Duration = overlap.transpose()?.unwrap_or(OVERLAP);
            let Changed { value: RotatedService { secret, pending_until }, changed, sequence, now } =
                self.authority.operator().rotate_service(&credential, &name, overlap).await?;
            Ok(v1::RotateServiceResponse {
                secret: secret.expose().to_owned(),
                pending_until: evaluated(pending_until),
                changed,
                sequence,
                evaluated_at: evaluated(now),
            })
        })
        .await
    }

    async fn confirm_service_rotation(
        &self,
        request: Request<v1::ConfirmServiceRotationRequest>,
    ) -> Result<Response<v1::ConfirmServiceRotationResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let name = label("name", &request.name)?;
            let Changed { changed, sequence, now, .. } = self
                .authority
                .operator()
                .settle_service(&credential, &name, &Settling::Confirm(None))
                .await?;
            Ok(v1::ConfirmServiceRotationResponse { changed, sequence, evaluated_at: evaluated(now) })
        })
        .await
    }

    async fn drop_service_rotation(
        &self,
        request: Request<v1::DropServiceRotationRequest>,
    ) -> Result<Response<v1::DropServiceRotationResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let name = label("name", &request.name)?;
            let Changed { changed, sequence, now, .. } =
                self.authority.operator().settle_service(&credential, &name, &Settling::Drop).await?;
            Ok(v1::DropServiceRotationResponse { changed, sequence, evaluated_at: evaluated(now) })
        })
        .await
    }

    async fn retire_service_secret(
        &self,
        request: Request<v1::RetireServiceSecretRequest>,
    ) -> Result<Response<v1::RetireServiceSecretResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let name = label("name", &request.name)?;
            let settling = Settling::Retire { anyway: request.anyway };
            let Changed { changed, sequence, now, .. } =
                self.authority.operator().settle_service(&credential, &name, &settling).await?;
            Ok(v1::RetireServiceSecretResponse { changed, sequence, evaluated_at: evaluated(now) })
        })
        .await
    }

    async fn revoke_service(
        &self,
        request: Request<v1::RevokeServiceRequest>,
    ) -> Result<Response<v1::RevokeServiceResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let name = label("name", &request.name)?;
            let Changed { value: (), changed, sequence, now } =
                self.authority.operator().revoke_service(&credential, &name).await?;
            Ok(v1::RevokeServiceResponse { changed, sequence, evaluated_at: evaluated(now) })
        })
        .await
    }

    async fn get_installation(
        &self,
        request: Request<v1::GetInstallationRequest>,
    ) -> Result<Response<v1::GetInstallationResponse>, Status> {
        answer(async {
            let (credential, v1::GetInstallationRequest {}) = taken(request)?;
            let seen = self.authority.operator().get_installation(&credential).await?;
            Ok(installation(&seen))
        })
        .await
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a field of a message is an option")]
fn evaluated(now: Timestamp) -> Option<prost_types::Timestamp> {
    Some(timestamp_to_proto(now))
}

/// Parses the place in a list after which a page begins.
fn after<T: std::str::FromStr>(page_token: &str) -> Result<Option<T>, Failed> {
    let foreign = |_| Problem::invalid("page_token", "not the `next_page_token` of the page before");
    match page_token {
        "" => Ok(None),
        place => Ok(Some(place.parse().map_err(foreign)?)),
    }
}

/// Returns the `next_page_token` of a page, given each row's place in the list.
fn next<T>(page: &ManagedPage<T>, place: impl Fn(&T) -> String) -> String {
    page.rows.last().filter(|_| page.more).map(place).unwrap_or_default()
}

fn managed_account(view: &AccountListed) -> v1::ManagedAccount {
    let AccountListed { account, unused } = view;
    v1::ManagedAccount {
        account: Some(account_to_proto(account)),
        created_at: Some(timestamp_to_proto(account.created_at)),
        last_login_at: account.last_login_at.map(timestamp_to_proto),
        disabled_at: account.disabled_at.map(timestamp_to_proto),
        unused: *unused,
    }
}

fn managed_org(view: &OrgSummary) -> v1::ManagedOrg {
    v1::ManagedOrg {
        org: Some(org_to_proto(&view.org, Some(view.members))),
        deleted_at: view.org.deleted_at.map(timestamp_to_proto),
    }
}

fn managed_service(view: &ServiceView, now: Timestamp) -> v1::ManagedService {
    let secrets = view.secrets.iter().map(|secret| v1::ServiceSecret {
        prefix: secret.prefix.to_string(),
        state: secret_state_to_proto(secret.state(now)).into(),
        minted_at: Some(timestamp_to_proto(secret.minted_at)),
        ends_at: Some(expiry_to_proto(secret.ends_at)),
    });
    v1::ManagedService {
        service: Some(service_to_proto(&view.service, &view.orgs)),
        created_at: Some(timestamp_to_proto(view.service.created_at)),
        revoked_at: view.service.revoked_at.map(timestamp_to_proto),
        secrets: secrets.collect(),
    }
}

fn installation(seen: &InstallationView) -> v1::GetInstallationResponse {
    let engine = match seen.engine {
        Engine::Sqlite => v1::DatabaseEngine::Sqlite,
        Engine::Postgres => v1::DatabaseEngine::Postgresql,
    };
    v1::GetInstallationResponse {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        engine: engine.into(),
        counts: Some(v1::InstallationCounts {
            accounts: seen.counts.accounts,
            disabled_accounts: seen.counts.disabled,
            operators: seen.counts.operators,
            orgs: seen.counts.orgs,
            tokens: seen.counts.tokens,
            sessions: seen.counts.sessions,
            services: seen.counts.services,
        }),
        sequence: seen.sequence,
        mirror_sequence: seen.mirror_sequence,
        mirror_age: seen.mirror_age.map(duration_to_proto),
        mirror_bound: Some(duration_to_proto(seen.mirror_bound)),
        changes_failing_for: seen.changes_failing_for.map(duration_to_proto),
        settled_at: seen.settled_at.map(timestamp_to_proto),
        secrets_revoked_before: Some(seen.not_before)
            .filter(|instant| *instant > Timestamp::MIN)
            .map(timestamp_to_proto),
        evaluated_at: Some(timestamp_to_proto(seen.now)),
    }
}
