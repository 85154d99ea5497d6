//! gRPC: one file per service, and the gate that every call passes.

mod accounts;
mod admin;
mod audit;
mod fields;
mod orgs;
mod permissions;
mod service;
mod tokens;
mod trailers;
mod unary;
mod validation;
mod watching;

mod routing;

mod pending;

mod gate;

use std::sync::Arc;

use ndauth_authority::Authority;
use ndauth_proto::v1::account_service_server::AccountServiceServer;
use ndauth_proto::v1::admin_service_server::AdminServiceServer;
use ndauth_proto::v1::audit_service_server::AuditServiceServer;
use ndauth_proto::v1::org_service_server::OrgServiceServer;
use ndauth_proto::v1::permission_service_server::PermissionServiceServer;
use ndauth_proto::v1::token_service_server::TokenServiceServer;
use ndauth_proto::v1::validation_service_server::SERVICE_NAME as VALIDATION;
use ndauth_proto::v1::watch_service_server::WatchServiceServer;
use ndauth_proto::{DESCRIPTOR, DETAILS_DESCRIPTOR};
use tokio::sync::watch;
use tonic::service::Routes;
use tonic_health::server::HealthReporter;

use crate::front::Limits;
pub(crate) use gate::{CallPermit, ConnectionGate, Gate, PAGE_WITHIN, SMALL, without_response};
pub(crate) use pending::PendingCall;
pub(crate) use routing::CallRoute;
pub(crate) use service::credential_kind;
use service::{GrpcService, MAX_NAME, MAX_REPORT, MAX_REQUEST};
pub(crate) use trailers::CREDENTIAL_HEADERS;
pub(crate) use unary::{ResponseBody, unframed};

/// Builds the gate in front of every service and the pages, and the reporter of their health. Must be called
/// on the runtime that the database's connections live on. Requests must arrive within the client timeout.
/// Watches end once the server is `stopped`, so that their clients go elsewhere.
pub(crate) fn gate(
    authority: Arc<Authority>,
    pages: axum::Router,
    limits: &Limits,
    issuer: String,
    stopped: watch::Receiver<bool>,
) -> Result<(Arc<Gate>, HealthReporter), tonic_reflection::server::Error> {
    let service = GrpcService {
        authority,
        issuer: issuer.as_str().into(),
        client_timeout: limits.client_timeout,
        stopped,
    };
    let (health, health_service) = tonic_health::server::health_reporter();
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTOR)
            .register_encoded_file_descriptor_set(DETAILS_DESCRIPTOR)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let routes = Routes::new(health_service.max_decoding_message_size(MAX_NAME))
        .add_service(reflection().build_v1()?.max_decoding_message_size(MAX_NAME))
        .add_service(reflection().build_v1alpha()?.max_decoding_message_size(MAX_NAME))
        .add_service(TokenServiceServer::new(service.clone()).max_decoding_message_size(MAX_REQUEST))
        .add_service(OrgServiceServer::new(service.clone()).max_decoding_message_size(MAX_REQUEST))
        .add_service(AuditServiceServer::new(service.clone()).max_decoding_message_size(MAX_REQUEST))
        .add_service(AdminServiceServer::new(service.clone()).max_decoding_message_size(MAX_REQUEST))
        .add_service(PermissionServiceServer::new(service.clone()).max_decoding_message_size(MAX_REQUEST))
        .add_service(WatchServiceServer::new(service.clone()).max_decoding_message_size(MAX_REPORT))
        .add_service(AccountServiceServer::new(service.clone()).max_decoding_message_size(MAX_REQUEST));
    Ok((Gate::new(routes, pages, service, limits.trusted_proxies.clone(), issuer), health))
}

/// Sets the health of every service.
pub(crate) async fn set_health(health: &HealthReporter, serving: bool) {
    let status =
        if serving { tonic_health::ServingStatus::Serving } else { tonic_health::ServingStatus::NotServing };
    for name in [
        "",
        <TokenServiceServer<GrpcService> as tonic::server::NamedService>::NAME,
        VALIDATION,
        <WatchServiceServer<GrpcService> as tonic::server::NamedService>::NAME,
        <AccountServiceServer<GrpcService> as tonic::server::NamedService>::NAME,
        <OrgServiceServer<GrpcService> as tonic::server::NamedService>::NAME,
        <AuditServiceServer<GrpcService> as tonic::server::NamedService>::NAME,
        <AdminServiceServer<GrpcService> as tonic::server::NamedService>::NAME,
        <PermissionServiceServer<GrpcService> as tonic::server::NamedService>::NAME,
    ] {
        health.set_service_status(name, status).await;
    }
}

#[cfg(test)]
mod tests;
