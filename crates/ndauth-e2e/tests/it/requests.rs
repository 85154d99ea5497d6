//! Requests that several tests send.

use ndauth_core::{ExpiryChoice, Grants, Lifetime, Networks, Orgs, Scope, Services};
use ndauth_proto::{
    expiry_choice_to_proto, grants_to_proto, networks_to_proto, orgs_to_proto, scope_to_proto,
    services_to_proto, v1,
};

/// A token that may do all its owner may, and does not end.
pub(crate) fn new_token(name: &str) -> v1::CreateTokenRequest {
    v1::CreateTokenRequest {
        name: name.to_owned(),
        scope: scope_to_proto(Scope::Rw).into(),
        orgs: Some(orgs_to_proto(&Orgs::All)),
        grants: Some(grants_to_proto(&Grants::All)),
        expiry: Some(expiry_choice_to_proto(ExpiryChoice::In(Lifetime::Endless))),
        description: String::new(),
        services: Some(services_to_proto(&Services::All)),
        networks: Some(networks_to_proto(&Networks::All)),
        self_rotating: false,
        pending: false,
    }
}

/// The revocation of the token that holds a name.
pub(crate) fn revoke(name: &str) -> v1::RevokeTokenRequest {
    v1::RevokeTokenRequest {
        token: Some(v1::revoke_token_request::Token::Name(name.to_owned())),
        reason: String::new(),
    }
}
