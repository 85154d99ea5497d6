//! Trailers of answers: how long the credential serves, and what is announced that will end that.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use ndauth_authority::Life;
use ndauth_core::Expiry;
use ndauth_proto::{POLICY_WARNING, policy_warning_to_trailer};

/// The trailers that report the begin and the end of the credential's validity, as RFC 3339 timestamps.
const CREDENTIAL_BEGUN: HeaderName = HeaderName::from_static("ndauth-credential-begun");
const CREDENTIAL_ENDS: HeaderName = HeaderName::from_static("ndauth-credential-ends");

/// The headers of what is to be known of a credential.
pub(crate) const CREDENTIAL_HEADERS: [HeaderName; 3] =
    [CREDENTIAL_BEGUN, CREDENTIAL_ENDS, HeaderName::from_static(POLICY_WARNING)];

/// Adds what is to be known of a credential that was presented.
pub(super) fn add_life(trailers: &mut HeaderMap, life: &Life) {
    let mut add = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            trailers.append(name, value);
        }
    };
    if let Expiry::At(ends) = life.ends {
        add(CREDENTIAL_BEGUN, life.begun.to_string());
        add(CREDENTIAL_ENDS, ends.to_string());
    }
    for warning in &life.policy_warnings {
        add(HeaderName::from_static(POLICY_WARNING), policy_warning_to_trailer(warning));
    }
}
