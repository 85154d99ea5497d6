//! Parsers of the values that options take.

use std::time::Duration;

use ndauth_core::{
    ExpiryChoice, Handle, InvalidExpiry, InvalidName, InvalidNetwork, InvalidPermission, Label, Network,
    OrgSlug, Permission,
};
use ndauth_terminal::instant;

/// Parses the slug of an org.
pub(crate) fn org(text: &str) -> Result<OrgSlug, String> {
    text.parse().map_err(|why: InvalidName| format!("the name of an org {why}"))
}

/// Parses the handle of an account.
pub(crate) fn handle(text: &str) -> Result<Handle, String> {
    text.parse().map_err(|why: InvalidName| format!("the name of an account {why}"))
}

/// Parses a permission such as `read:assets`.
pub(crate) fn permission(text: &str) -> Result<Permission, String> {
    text.parse().map_err(|why: InvalidPermission| why.to_string())
}

/// Parses a length of time such as `7d`; `0` is allowed.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|why| format!("{why}: expected a duration such as `7d` or `24h`"))
}

/// Parses a timeout such as `30s`; zero is an error.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration.is_zero() => Err("it must not be zero".to_owned()),
        Ok(duration) => Ok(duration),
        Err(why) => Err(format!("{why}: expected a duration such as `30s` or `500ms`")),
    }
}

/// Parses a network such as `10.0.0.0/8`.
pub(crate) fn network(text: &str) -> Result<Network, String> {
    text.parse().map_err(|why: InvalidNetwork| why.to_string())
}

/// Parses the expiry of a token.
pub(crate) fn expiry(text: &str) -> Result<ExpiryChoice, InvalidExpiry> {
    match instant(text) {
        _ if text == "never" => ExpiryChoice::parse_preset(text),
        Ok(end) => Ok(ExpiryChoice::At(end)),
        Err(_) => ExpiryChoice::parse_duration(text),
    }
}

/// Parses the name of a service.
pub(crate) fn service(text: &str) -> Result<Label, String> {
    text.parse().map_err(|why: InvalidName| format!("the name of a service {why}"))
}
