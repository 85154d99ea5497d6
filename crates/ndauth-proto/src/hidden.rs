//! `Debug` for the messages that contain a secret, with the secret redacted.

use std::fmt;

use ndauth_core::redact;

use crate::v1::{
    CreateServiceResponse, CreateTokenResponse, InviteAccountResponse, PresentedSecret, ReportLeakedRequest,
    RevokeSecretRequest, RotateServiceResponse, RotateTokenResponse, ValidateTokenRequest,
};

impl fmt::Debug for PresentedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedSecret").field("secret", &redact(&self.secret)).finish()
    }
}

impl fmt::Debug for RevokeSecretRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevokeSecretRequest").field("secret", &redact(&self.secret)).finish()
    }
}

impl fmt::Debug for ReportLeakedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets: Vec<_> = self.secrets.iter().map(|secret| redact(secret)).collect();
        f.debug_struct("ReportLeakedRequest").field("secrets", &secrets).finish()
    }
}

impl fmt::Debug for CreateTokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CreateTokenResponse { token, secret, changed, sequence, evaluated_at, powerless } = self;
        f.debug_struct("CreateTokenResponse")
            .field("token", token)
            .field("secret", &redact(secret))
            .field("changed", changed)
            .field("sequence", sequence)
            .field("evaluated_at", evaluated_at)
            .field("powerless", powerless)
            .finish()
    }
}

impl fmt::Debug for ValidateTokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ValidateTokenRequest {
            secret,
            org,
            required_access,
            required_permission,
            client_address,
            client,
        } = self;
        f.debug_struct("ValidateTokenRequest")
            .field("secret", &redact(secret))
            .field("org", org)
            .field("required_access", required_access)
            .field("required_permission", required_permission)
            .field("client_address", client_address)
            .field("client", client)
            .finish()
    }
}

impl fmt::Debug for RotateTokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RotateTokenResponse { token, secret, pending_until, changed, sequence, evaluated_at } = self;
        f.debug_struct("RotateTokenResponse")
            .field("token", token)
            .field("secret", &redact(secret))
            .field("pending_until", pending_until)
            .field("changed", changed)
            .field("sequence", sequence)
            .field("evaluated_at", evaluated_at)
            .finish()
    }
}

impl fmt::Debug for CreateServiceResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CreateServiceResponse { secret, changed, sequence, evaluated_at } = self;
        f.debug_struct("CreateServiceResponse")
            .field("secret", &redact(secret))
            .field("changed", changed)
            .field("sequence", sequence)
            .field("evaluated_at", evaluated_at)
            .finish()
    }
}

impl fmt::Debug for RotateServiceResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RotateServiceResponse { secret, pending_until, changed, sequence, evaluated_at } = self;
        f.debug_struct("RotateServiceResponse")
            .field("secret", &redact(secret))
            .field("pending_until", pending_until)
            .field("changed", changed)
            .field("sequence", sequence)
            .field("evaluated_at", evaluated_at)
            .finish()
    }
}

impl fmt::Debug for InviteAccountResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InviteAccountResponse { link: _, ends_at, changed, sequence, evaluated_at } = self;
        f.debug_struct("InviteAccountResponse")
            .field("link", &"…")
            .field("ends_at", ends_at)
            .field("changed", changed)
            .field("sequence", sequence)
            .field("evaluated_at", evaluated_at)
            .finish()
    }
}
