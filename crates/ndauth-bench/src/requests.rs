//! Requests that several benchmarks send.

use std::time::Duration;

use ndauth_core::{ExpiryChoice, Grants, Lifetime, Networks, Orgs, Scope, Services};
use ndauth_proto::v1;

/// Returns the request that creates a token of the caller for 90 days.
pub(crate) fn new_token(name: &str) -> v1::CreateTokenRequest {
    let token = v1::NewToken {
        name: name.to_owned(),
        scope: Some(ndauth_proto::scope_to_proto(Scope::Rw).into()),
        orgs: Some(ndauth_proto::orgs_to_proto(&Orgs::All)),
        grants: Some(ndauth_proto::grants_to_proto(&Grants::All)),
        expiry: Some(ndauth_proto::expiry_choice_to_proto(ExpiryChoice::In(Lifetime::For(
            Duration::from_secs(90 * 24 * 60 * 60),
        )))),
        description: None,
        services: Some(ndauth_proto::services_to_proto(&Services::All)),
        networks: Some(ndauth_proto::networks_to_proto(&Networks::All)),
        self_rotating_until: None,
        pending: false,
    };
    v1::CreateTokenRequest { owner: Some(v1::Whose::mine()), token: Some(token) }
}

/// Returns the request that revokes the caller's token of this name.
pub(crate) fn revoke(name: &str) -> v1::RevokeTokenRequest {
    v1::RevokeTokenRequest {
        owner: Some(v1::Whose::mine()),
        which: Some(v1::Which::name(name)),
        reason: v1::RevocationReason::NoLongerNeeded.into(),
        note: None,
    }
}
