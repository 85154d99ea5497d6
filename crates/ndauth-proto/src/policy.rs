//! Conversions of org policies between the wire and core.

use ndauth_core::{Lifetime, OrgPolicy, Problem};

use crate::{duration_from_proto, duration_to_proto, networks_from_proto, networks_to_proto, v1};

/// Converts a policy to the wire.
pub fn policy_to_proto(policy: &OrgPolicy) -> v1::OrgPolicy {
    v1::OrgPolicy {
        longest_lifetime: Some(lifetime_to_proto(policy.longest_lifetime)),
        personal_tokens: policy.personal_tokens,
        networks: Some(networks_to_proto(&policy.networks)),
        login_within: Some(lifetime_to_proto(policy.login_within)),
        suspend_on_reuse: policy.suspend_on_reuse,
        require_grants: policy.require_grants,
        no_all_org_tokens: policy.no_all_org_tokens,
    }
}

/// Converts a policy from the wire. It must be complete.
pub fn policy_from_proto(field: &str, policy: Option<v1::OrgPolicy>) -> Result<OrgPolicy, Problem> {
    let policy = policy.ok_or_else(|| Problem::invalid(field, "expected the whole policy"))?;
    let part = |name: &str| format!("{field}.{name}");
    Ok(OrgPolicy {
        longest_lifetime: limit_from_proto(&part("longest_lifetime"), policy.longest_lifetime)?,
        personal_tokens: policy.personal_tokens,
        networks: networks_from_proto(&part("networks"), policy.networks)?,
        login_within: limit_from_proto(&part("login_within"), policy.login_within)?,
        suspend_on_reuse: policy.suspend_on_reuse,
        require_grants: policy.require_grants,
        no_all_org_tokens: policy.no_all_org_tokens,
    })
}

/// The longest limit of a policy: ten years.
const MOST_SECONDS: u64 = 10 * 365 * 24 * 60 * 60;

/// Converts a lifetime to the wire.
pub fn lifetime_to_proto(lifetime: Lifetime) -> v1::Lifetime {
    let kind = match lifetime {
        Lifetime::For(duration) => v1::lifetime::Kind::AtMost(duration_to_proto(duration)),
        Lifetime::Endless => v1::lifetime::Kind::Never(v1::Never {}),
    };
    v1::Lifetime { kind: Some(kind) }
}

/// Converts a lifetime from the wire.
pub fn lifetime_from_proto(field: &str, lifetime: Option<v1::Lifetime>) -> Result<Lifetime, Problem> {
    match lifetime.and_then(|lifetime| lifetime.kind) {
        None => Err(Problem::invalid(field, "it is missing: say `never`, or a duration")),
        Some(v1::lifetime::Kind::Never(v1::Never {})) => Ok(Lifetime::Endless),
        Some(v1::lifetime::Kind::AtMost(duration)) => duration_from_proto(field, duration).map(Lifetime::For),
    }
}

/// Converts a limit of a policy from the wire: whole seconds, up to ten years.
fn limit_from_proto(field: &str, lifetime: Option<v1::Lifetime>) -> Result<Lifetime, Problem> {
    match lifetime_from_proto(field, lifetime)? {
        Lifetime::For(duration)
            if duration.subsec_nanos() != 0 || !(1..=MOST_SECONDS).contains(&duration.as_secs()) =>
        {
            Err(Problem::invalid(field, "expected whole seconds, from 1 second to 10 years"))
        }
        limit => Ok(limit),
    }
}
