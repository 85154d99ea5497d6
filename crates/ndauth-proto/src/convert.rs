//! Conversions between the wire and core: `x_to_proto` cannot fail, and the error of `x_from_proto` names the
//! field.

use std::time::Duration;

use ndauth_core::{
    Account, Actions, Description, Effective, Expiry, ExpiryChoice, Factor, Grant, Grants, Label, LastUse,
    Lifetime, Membership, Network, Networks, Org, OrgSlug, Orgs, Permission, Problem, Reason, Refusal,
    Requirement, ResourceIds, Role, Scope, SecretKind, SecretPrefix, Service, Services, Session, Timestamp,
    Who,
};

use crate::hint::hint_for;
use crate::v1;

/// Converts an instant to the wire.
pub fn timestamp_to_proto(instant: Timestamp) -> prost_types::Timestamp {
    let micros = instant.micros();
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1000).expect("under a second in nanoseconds");
    prost_types::Timestamp { seconds: micros.div_euclid(1_000_000), nanos }
}

/// Converts an instant from the wire, truncated to microseconds.
pub fn timestamp_from_proto(field: &str, instant: prost_types::Timestamp) -> Result<Timestamp, Problem> {
    let micros = instant
        .seconds
        .checked_mul(1_000_000)
        .and_then(|micros| micros.checked_add(i64::from(instant.nanos / 1000)))
        .filter(|_| (0..1_000_000_000).contains(&instant.nanos));
    micros
        .and_then(|micros| Timestamp::from_micros(micros).ok())
        .ok_or_else(|| Problem::invalid(field, "not an instant between 1970 and 9999"))
}

/// Converts a duration to the wire.
pub fn duration_to_proto(duration: Duration) -> prost_types::Duration {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    let nanos = i32::try_from(duration.subsec_nanos()).expect("under a second in nanoseconds");
    prost_types::Duration { seconds, nanos }
}

/// Converts a duration from the wire.
pub fn duration_from_proto(field: &str, duration: prost_types::Duration) -> Result<Duration, Problem> {
    let seconds = u64::try_from(duration.seconds).ok();
    let nanos = u32::try_from(duration.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    seconds
        .zip(nanos)
        .map(|(seconds, nanos)| Duration::new(seconds, nanos))
        .ok_or_else(|| Problem::invalid(field, "not a duration of zero or more"))
}

/// Converts a scope to the wire.
pub fn scope_to_proto(scope: Scope) -> v1::Scope {
    match scope {
        Scope::Ro => v1::Scope::Ro,
        Scope::Rw => v1::Scope::Rw,
    }
}

/// Converts a scope from the wire.
pub fn scope_from_proto(field: &str, scope: i32) -> Result<Scope, Problem> {
    match v1::Scope::try_from(scope) {
        Ok(v1::Scope::Ro) => Ok(Scope::Ro),
        Ok(v1::Scope::Rw) => Ok(Scope::Rw),
        Ok(v1::Scope::Unspecified) | Err(_) => {
            Err(Problem::invalid(field, "expected `SCOPE_RO` or `SCOPE_RW`"))
        }
    }
}

/// Converts a role to the wire.
pub fn role_to_proto(role: Role) -> v1::Role {
    match role {
        Role::Ro => v1::Role::Ro,
        Role::Rw => v1::Role::Rw,
        Role::Admin => v1::Role::Admin,
    }
}

/// Converts a role from the wire.
pub fn role_from_proto(field: &str, role: i32) -> Result<Role, Problem> {
    match v1::Role::try_from(role) {
        Ok(v1::Role::Ro) => Ok(Role::Ro),
        Ok(v1::Role::Rw) => Ok(Role::Rw),
        Ok(v1::Role::Admin) => Ok(Role::Admin),
        Ok(v1::Role::Unspecified) | Err(_) => {
            Err(Problem::invalid(field, "expected `ROLE_RO`, `ROLE_RW` or `ROLE_ADMIN`"))
        }
    }
}

/// Converts orgs by slug to the wire.
pub fn orgs_to_proto(orgs: &Orgs<OrgSlug>) -> v1::Orgs {
    let kind = match orgs {
        Orgs::All => v1::orgs::Kind::All(v1::All {}),
        Orgs::Only(slugs) => {
            v1::orgs::Kind::Only(v1::OrgSet { slugs: slugs.iter().map(ToString::to_string).collect() })
        }
    };
    v1::Orgs { kind: Some(kind) }
}

/// Converts orgs by slug from the wire.
pub fn orgs_from_proto(field: &str, orgs: Option<v1::Orgs>) -> Result<Orgs<OrgSlug>, Problem> {
    match orgs.and_then(|orgs| orgs.kind) {
        None => Err(Problem::invalid(field, NEITHER)),
        Some(v1::orgs::Kind::All(v1::All {})) => Ok(Orgs::All),
        Some(v1::orgs::Kind::Only(set)) => {
            let slugs = set
                .slugs
                .iter()
                .map(|slug| org_slug_from_proto(field, slug))
                .collect::<Result<Vec<_>, _>>()?;
            Orgs::only(slugs).map_err(|why| Problem::invalid(field, why))
        }
    }
}

/// Converts the slug of an org from the wire.
pub fn org_slug_from_proto(field: &str, text: &str) -> Result<OrgSlug, Problem> {
    text.parse().map_err(|why| Problem::invalid(field, format!("the name of an org {why}")))
}

/// Converts services by name to the wire.
pub fn services_to_proto(services: &Services<Label>) -> v1::Services {
    let kind = match services {
        Services::All => v1::services::Kind::All(v1::All {}),
        Services::Only(names) => v1::services::Kind::Only(v1::ServiceSet {
            names: names.iter().map(ToString::to_string).collect(),
        }),
    };
    v1::Services { kind: Some(kind) }
}

/// Converts services by name from the wire.
pub fn services_from_proto(field: &str, services: Option<v1::Services>) -> Result<Services<Label>, Problem> {
    match services.and_then(|services| services.kind) {
        None => Err(Problem::invalid(field, NEITHER)),
        Some(v1::services::Kind::All(v1::All {})) => Ok(Services::All),
        Some(v1::services::Kind::Only(set)) => {
            let name = |name: &String| {
                name.parse().map_err(|why| Problem::invalid(field, format!("the name of a service {why}")))
            };
            let names = set.names.iter().map(name).collect::<Result<Vec<Label>, _>>()?;
            Services::only(names).map_err(|why| Problem::invalid(field, why))
        }
    }
}

/// Converts networks to the wire.
pub fn networks_to_proto(networks: &Networks) -> v1::Networks {
    let kind = match networks {
        Networks::All => v1::networks::Kind::All(v1::All {}),
        Networks::Only(some) => {
            v1::networks::Kind::Only(v1::NetworkSet { cidrs: some.iter().map(ToString::to_string).collect() })
        }
    };
    v1::Networks { kind: Some(kind) }
}

/// Converts networks from the wire.
pub fn networks_from_proto(field: &str, networks: Option<v1::Networks>) -> Result<Networks, Problem> {
    match networks.and_then(|networks| networks.kind) {
        None => Err(Problem::invalid(field, NEITHER)),
        Some(v1::networks::Kind::All(v1::All {})) => Ok(Networks::All),
        Some(v1::networks::Kind::Only(set)) => {
            let network = |text: &String| {
                text.parse()
                    .map_err(|why| Problem::invalid(field, format!("`{}`: {why}", text.escape_default())))
            };
            let some = set.cidrs.iter().map(network).collect::<Result<Vec<Network>, _>>()?;
            Networks::only(some).map_err(|why| Problem::invalid(field, why))
        }
    }
}

const NEITHER: &str = "it is missing: say `all`, or list some";

/// Converts a description from the wire; an empty text is none.
pub fn description_from_proto(field: &str, text: &str) -> Result<Option<Description>, Problem> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|why| Problem::invalid(field, why)),
    }
}

/// Converts grants to the wire.
pub fn grants_to_proto(grants: &Grants) -> v1::Grants {
    let kind = match grants {
        Grants::All => v1::grants::Kind::All(v1::All {}),
        Grants::Only(set) => {
            let grants = set.iter().map(|(resource_type, ids, actions)| v1::Grant {
                resource_type: resource_type.to_string(),
                resource_id: ids.to_string(),
                actions: match actions {
                    Actions::Any => vec!["*".to_owned()],
                    Actions::Only(actions) => actions.iter().map(ToString::to_string).collect(),
                },
            });
            v1::grants::Kind::Only(v1::GrantSet { grants: grants.collect() })
        }
    };
    v1::Grants { kind: Some(kind) }
}

/// Converts grants from the wire.
pub fn grants_from_proto(field: &str, grants: Option<v1::Grants>) -> Result<Grants, Problem> {
    match grants.and_then(|grants| grants.kind) {
        None => Err(Problem::invalid(field, NEITHER)),
        Some(v1::grants::Kind::All(v1::All {})) => Ok(Grants::All),
        Some(v1::grants::Kind::Only(set)) => {
            let grants = set.grants.iter().map(|grant| grant_from_proto(field, grant));
            Grants::only(grants.collect::<Result<Vec<_>, _>>()?).map_err(|why| Problem::invalid(field, why))
        }
    }
}

fn grant_from_proto(field: &str, grant: &v1::Grant) -> Result<Grant, Problem> {
    let invalid = |why| Problem::invalid(field, why);
    let actions = match grant.actions.as_slice() {
        [any] if any == "*" => Actions::Any,
        some => Actions::Only(
            some.iter().map(|action| action.parse()).collect::<Result<_, _>>().map_err(invalid)?,
        ),
    };
    Ok(Grant {
        resource_type: grant.resource_type.parse().map_err(invalid)?,
        resource_ids: grant.resource_id.parse().map_err(invalid)?,
        actions,
    })
}

/// Converts a permission to the wire.
pub fn permission_to_proto(permission: &Permission) -> v1::Permission {
    v1::Permission {
        action: permission.action.to_string(),
        resource_type: permission.resource_type.to_string(),
        resource_id: permission.resource_ids.to_string(),
    }
}

/// Converts a permission from the wire.
pub fn permission_from_proto(field: &str, permission: &v1::Permission) -> Result<Permission, Problem> {
    let part = |name: &str| format!("{field}.{name}");
    Ok(Permission {
        action: permission.action.parse().map_err(|why| Problem::invalid(&part("action"), why))?,
        resource_type: permission
            .resource_type
            .parse()
            .map_err(|why| Problem::invalid(&part("resource_type"), why))?,
        resource_ids: permission
            .resource_id
            .parse::<ResourceIds>()
            .map_err(|why| Problem::invalid(&part("resource_id"), why))?,
    })
}

/// Returns the question of a request, or an error if the request is incomplete.
pub fn requirement_from_proto(request: &v1::ValidateTokenRequest) -> Result<Requirement, Problem> {
    let permission = request
        .required_permission
        .as_ref()
        .map(|permission| permission_from_proto("required_permission", permission))
        .transpose()?;
    let access = match v1::Access::try_from(request.required_access) {
        Ok(v1::Access::Ro) => Scope::Ro,
        Ok(v1::Access::Rw) => Scope::Rw,
        Ok(v1::Access::Identity) if request.org.is_empty() && permission.is_none() => {
            return Ok(Requirement::Identity);
        }
        Ok(v1::Access::Identity) => {
            let why = "`ACCESS_IDENTITY` gives no access, so it takes neither an org nor a permission";
            return Err(Problem::invalid("required_access", why));
        }
        Ok(v1::Access::Unspecified) | Err(_) => {
            let why = "expected `ACCESS_RO`, `ACCESS_RW` or `ACCESS_IDENTITY`";
            return Err(Problem::invalid("required_access", why));
        }
    };
    if request.org.is_empty() {
        return Err(Problem::invalid("org", "name the org in which access is needed"));
    }
    Ok(Requirement::Access { org: org_slug_from_proto("org", &request.org)?, access, permission })
}

/// Converts the expiry that is requested for a token to the wire.
pub fn expiry_choice_to_proto(choice: ExpiryChoice) -> v1::ExpiryChoice {
    let kind = match choice {
        ExpiryChoice::In(Lifetime::For(lifetime)) => {
            v1::expiry_choice::Kind::Lifetime(duration_to_proto(lifetime))
        }
        ExpiryChoice::In(Lifetime::Endless) => v1::expiry_choice::Kind::Never(v1::Never {}),
        ExpiryChoice::At(instant) => v1::expiry_choice::Kind::At(timestamp_to_proto(instant)),
    };
    v1::ExpiryChoice { kind: Some(kind) }
}

/// Converts the expiry that is requested for a token from the wire.
pub fn expiry_choice_from_proto(
    field: &str,
    choice: Option<v1::ExpiryChoice>,
) -> Result<ExpiryChoice, Problem> {
    match choice.and_then(|choice| choice.kind) {
        None => Err(Problem::invalid(
            field,
            "set `lifetime`, `at` or `never`: an absent value means none of them",
        )),
        Some(v1::expiry_choice::Kind::Lifetime(lifetime)) => {
            duration_from_proto(field, lifetime).map(|lifetime| ExpiryChoice::In(Lifetime::For(lifetime)))
        }
        Some(v1::expiry_choice::Kind::At(instant)) => {
            timestamp_from_proto(field, instant).map(ExpiryChoice::At)
        }
        Some(v1::expiry_choice::Kind::Never(v1::Never {})) => Ok(ExpiryChoice::In(Lifetime::Endless)),
    }
}

/// Converts an expiry to the wire.
pub fn expiry_to_proto(expiry: Expiry) -> v1::Expiry {
    let kind = match expiry {
        Expiry::At(instant) => v1::expiry::Kind::At(timestamp_to_proto(instant)),
        Expiry::Never => v1::expiry::Kind::Never(v1::Never {}),
    };
    v1::Expiry { kind: Some(kind) }
}

/// Converts an expiry from the wire.
pub fn expiry_from_proto(field: &str, expiry: Option<v1::Expiry>) -> Result<Expiry, Problem> {
    match expiry.and_then(|expiry| expiry.kind) {
        None => Err(Problem::invalid(field, "neither `at` nor `never`")),
        Some(v1::expiry::Kind::At(instant)) => timestamp_from_proto(field, instant).map(Expiry::At),
        Some(v1::expiry::Kind::Never(v1::Never {})) => Ok(Expiry::Never),
    }
}

/// Converts the last use of a token to the wire.
pub fn last_use_to_proto(last: LastUse) -> v1::LastUse {
    v1::LastUse {
        at: Some(timestamp_to_proto(last.at)),
        address: last.address.map(|address| address.to_string()).unwrap_or_default(),
    }
}

/// Converts an account to the wire.
pub fn account_to_proto(account: &Account) -> v1::Account {
    v1::Account {
        id: account.id.to_string(),
        handle: account.handle.to_string(),
        email: account.email.to_string(),
        name: account.name.as_ref().map(ToString::to_string).unwrap_or_default(),
        operator: account.operator,
    }
}

/// Converts a session to the wire.
pub fn session_to_proto(session: &Session, prefix: &SecretPrefix) -> v1::Session {
    v1::Session {
        id: session.id.to_string(),
        prefix: prefix.to_string(),
        created_at: Some(timestamp_to_proto(session.created_at)),
        expiry: Some(expiry_to_proto(session.expires_at)),
        device: session.device.as_ref().map(ToString::to_string).unwrap_or_default(),
        address: session.address.map(|address| address.to_string()).unwrap_or_default(),
        last_seen_at: None,
        current: false,
        browser: session.browser,
    }
}

/// Converts a service to the wire, with its orgs by slug.
pub fn service_to_proto(service: &Service, orgs: &Orgs<OrgSlug>) -> v1::Service {
    v1::Service {
        id: service.id.to_string(),
        name: service.name.to_string(),
        orgs: Some(orgs_to_proto(orgs)),
        states_address: service.states_address,
    }
}

/// Converts an org to the wire, with the number of its members if they were counted.
pub fn org_to_proto(org: &Org, members: Option<usize>) -> v1::Org {
    v1::Org {
        id: org.id.to_string(),
        slug: org.slug.to_string(),
        name: org.name.as_ref().map(ToString::to_string).unwrap_or_default(),
        created_at: Some(timestamp_to_proto(org.created_at)),
        members: members.map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
        frozen_at: org.frozen_at.map(timestamp_to_proto),
    }
}

/// Converts a membership to the wire.
pub fn membership_to_proto(membership: &Membership) -> v1::Membership {
    v1::Membership {
        org_id: membership.org.id.to_string(),
        slug: membership.org.slug.to_string(),
        name: membership.org.name.as_ref().map(ToString::to_string).unwrap_or_default(),
        role: role_to_proto(membership.role).into(),
    }
}

/// Converts the effective power in an org to the wire, or returns `None` if only the identity was requested.
pub fn effective_to_proto(effective: &Effective, org: &OrgSlug) -> Option<v1::Effective> {
    let Effective::Access { org: id, access, role, grants } = effective else {
        return None;
    };
    Some(v1::Effective {
        org_id: id.to_string(),
        org_slug: org.to_string(),
        access: scope_to_proto(*access).into(),
        role: role_to_proto(*role).into(),
        grants: Some(grants_to_proto(grants)),
    })
}

/// A refusal of a secret of this kind, on the wire. The kind is `None` where the text is no secret.
pub fn refusal_to_proto(refusal: &Refusal, kind: Option<SecretKind>) -> v1::Refused {
    v1::Refused {
        reason: reason_to_proto(refusal.reason()).into(),
        factor: factor_to_proto(refusal.factor()).into(),
        message: refusal.to_string(),
        hint: hint_for(refusal.reason(), kind).unwrap_or_default().to_owned(),
        since: refusal.since().map(timestamp_to_proto),
        missing_permissions: refusal.missing_permission().map(permission_to_proto).into_iter().collect(),
        missing_scope: refusal.missing_scope().map(|scope| scope_to_proto(scope).into()),
        missing_role: refusal.missing_role().map(|role| role_to_proto(role).into()),
        who_can_change_it: who_to_proto(refusal.reason().who_can_change_it()).into(),
    }
}

/// Converts the party that can do something about a refusal to the wire.
pub fn who_to_proto(who: Who) -> v1::Who {
    match who {
        Who::Caller => v1::Who::Caller,
        Who::Owner => v1::Who::Owner,
        Who::OrgAdmin => v1::Who::OrgAdmin,
        Who::Operator => v1::Who::Operator,
        Who::Service => v1::Who::Service,
        Who::Nobody => v1::Who::Nobody,
    }
}

/// Converts a reason to the wire, where its code follows `REASON_`.
pub fn reason_to_proto(reason: Reason) -> v1::Reason {
    v1::Reason::from_str_name(&format!("REASON_{}", reason.code())).unwrap_or(v1::Reason::Unspecified)
}

/// Converts a reason from the wire, or returns `None` if this version does not know it.
pub fn reason_from_proto(reason: i32) -> Option<Reason> {
    Reason::from_code(v1::Reason::try_from(reason).ok()?.as_str_name().strip_prefix("REASON_")?)
}

/// Converts a factor to the wire.
pub fn factor_to_proto(factor: Factor) -> v1::Factor {
    match factor {
        Factor::Secret => v1::Factor::Secret,
        Factor::NotBefore => v1::Factor::NotBefore,
        Factor::Life => v1::Factor::Life,
        Factor::Owner => v1::Factor::Owner,
        Factor::Service => v1::Factor::Service,
        Factor::Catalogue => v1::Factor::Catalogue,
        Factor::Scope => v1::Factor::Scope,
        Factor::Grants => v1::Factor::Grants,
        Factor::Orgs => v1::Factor::Orgs,
        Factor::Role => v1::Factor::Role,
        Factor::Audience => v1::Factor::Audience,
        Factor::Network => v1::Factor::Network,
        Factor::Policy => v1::Factor::Policy,
        Factor::Suspension => v1::Factor::Suspension,
        Factor::Lockdown => v1::Factor::Lockdown,
    }
}

/// Converts a factor from the wire, or returns `None` if this version does not know it.
pub fn factor_from_proto(factor: i32) -> Option<Factor> {
    Factor::ALL.into_iter().find(|known| i32::from(factor_to_proto(*known)) == factor)
}
