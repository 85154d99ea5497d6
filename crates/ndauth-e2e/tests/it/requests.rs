//! Requests that several tests send.

use ndauth_core::{ExpiryChoice, Grants, Lifetime, Networks, Orgs, Scope, Services};
use ndauth_proto::{
    expiry_choice_to_proto, grants_to_proto, networks_to_proto, orgs_to_proto, scope_to_proto,
    services_to_proto, v1,
};

/// Returns the request for a token that may do everything that its owner may, and never expires.
pub(crate) fn new_token(name: &str) -> v1::CreateTokenRequest {
    let token = v1::NewToken {
        name: name.to_owned(),
        scope: Some(scope_to_proto(Scope::Rw).into()),
        orgs: Some(orgs_to_proto(&Orgs::All)),
        grants: Some(grants_to_proto(&Grants::All)),
        expiry: Some(expiry_choice_to_proto(ExpiryChoice::In(Lifetime::Endless))),
        description: None,
        services: Some(services_to_proto(&Services::All)),
        networks: Some(networks_to_proto(&Networks::All)),
        self_rotating_until: None,
        pending: false,
    };
    v1::CreateTokenRequest { owner: Some(v1::Whose::mine()), token: Some(token) }
}

/// Returns the same request with changes.
pub(crate) fn token_with(name: &str, change: impl FnOnce(&mut v1::NewToken)) -> v1::CreateTokenRequest {
    let mut request = new_token(name);
    change(request.token.as_mut().expect("it is there"));
    request
}

/// Returns the request for a list of the caller's own tokens.
pub(crate) fn list() -> v1::ListTokensRequest {
    v1::ListTokensRequest { owner: Some(v1::Whose::mine()), ..Default::default() }
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
