//! Conversions of the inputs that a service caches, between the wire and core.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use ndauth_core::{
    Among, DatedPolicy, Head, InputOwner, InputPlace, Inputs, Level, Org, OrgId, OrgWithPolicies, Owner,
    Policies, Problem, Requirement, Rules, RulesVersion, Scope, SecretRecord, Service, Suspension, Timestamp,
    Token,
};

use crate::convert::{
    expiry_from_proto, expiry_to_proto, grants_from_proto, grants_to_proto, networks_from_proto,
    networks_to_proto, org_slug_from_proto, permission_to_proto, role_from_proto, role_to_proto,
    scope_from_proto, scope_to_proto, timestamp_from_proto, timestamp_to_proto,
};
use crate::policy::{lifetime_from_proto, lifetime_to_proto, policy_from_proto, policy_to_proto};
use crate::{catalogue_from_proto, catalogue_to_proto, v1};

/// Converts a question about a secret to the wire. Returns an error for a question that services never ask.
pub fn requirement_to_proto(
    secret: &str,
    requirement: &Requirement,
    address: Option<IpAddr>,
) -> Result<v1::ValidateTokenRequest, Problem> {
    let asked = v1::ValidateTokenRequest {
        secret: secret.to_owned(),
        client_address: address.map(|address| address.to_string()).unwrap_or_default(),
        ..Default::default()
    };
    match requirement {
        Requirement::Identity => {
            Ok(v1::ValidateTokenRequest { required_access: v1::Access::Identity.into(), ..asked })
        }
        Requirement::Access { org, access, permission } => Ok(v1::ValidateTokenRequest {
            org: org.to_string(),
            required_access: match access {
                Scope::Ro => v1::Access::Ro.into(),
                Scope::Rw => v1::Access::Rw.into(),
            },
            required_permission: permission.as_ref().map(permission_to_proto),
            ..asked
        }),
        Requirement::Account { .. } | Requirement::Survey { .. } => {
            Err(Problem::invalid("requirement", "a service asks for `Identity` or `Access`"))
        }
    }
}

/// Converts the end of a log to the wire.
pub fn head_to_proto(head: Head) -> v1::LogPosition {
    v1::LogPosition { sequence: head.sequence, hash: head.hash.to_vec() }
}

/// Converts the end of a log from the wire.
pub fn head_from_proto(field: &str, head: &v1::LogPosition) -> Result<Head, Problem> {
    Ok(Head { sequence: head.sequence, hash: hash_from_proto(field, &head.hash)? })
}

/// Converts the rules to the wire.
pub fn rules_to_proto(rules: &Rules) -> v1::Rules {
    let service = &rules.service;
    v1::Rules {
        version: rules.version.to_vec(),
        service_id: service.id.to_string(),
        service_name: service.name.to_string(),
        service_orgs: Some(ids_to_proto(&service.orgs)),
        states_address: service.states_address,
        not_before: Some(timestamp_to_proto(rules.not_before)),
        resource_types: catalogue_to_proto(&rules.catalogue),
        service_created_at: Some(timestamp_to_proto(service.created_at)),
    }
}

/// Converts the rules from the wire.
pub fn rules_from_proto(rules: &v1::Rules) -> Result<Rules, Problem> {
    Ok(Rules {
        version: hash_from_proto("rules.version", &rules.version)?,
        service: Service {
            id: id("rules.service_id", &rules.service_id)?,
            name: id("rules.service_name", &rules.service_name)?,
            orgs: ids_from_proto("rules.service_orgs", rules.service_orgs.as_ref())?,
            states_address: rules.states_address,
            created_at: instant("rules.service_created_at", rules.service_created_at)?,
            revoked_at: None,
        },
        catalogue: catalogue_from_proto(&rules.resource_types)?,
        not_before: instant("rules.not_before", rules.not_before)?,
    })
}

/// Converts the inputs that a service caches to the wire.
pub fn inputs_to_proto(inputs: &Inputs, rules: &RulesVersion) -> v1::Inputs {
    let Inputs { secret, token, owner, places } = inputs;
    v1::Inputs {
        decision_version: inputs.decision_version(),
        rules_version: rules.to_vec(),
        token: Some(v1::InputToken {
            id: token.id.to_string(),
            name: token.name.to_string(),
            scope: scope_to_proto(token.scope).into(),
            grants: Some(grants_to_proto(&token.grants)),
            orgs: Some(ids_to_proto(&token.orgs)),
            services: Some(ids_to_proto(&token.services)),
            networks: Some(networks_to_proto(&token.networks)),
            created_at: Some(timestamp_to_proto(token.created_at)),
            lifetime: Some(lifetime_to_proto(token.lifetime)),
            expiry: Some(expiry_to_proto(token.expires_at)),
            suspensions: token.suspensions.iter().map(suspension_to_proto).collect(),
        }),
        secret: Some(v1::InputSecret {
            id: secret.id.to_string(),
            prefix: secret.prefix.to_string(),
            minted_at: Some(timestamp_to_proto(secret.minted_at)),
            authorized_at: Some(timestamp_to_proto(secret.authorized_at)),
            confirmed_at: secret.confirmed_at.map(timestamp_to_proto),
            ends_at: Some(expiry_to_proto(secret.ends_at)),
        }),
        owner: Some(match owner {
            InputOwner::Account { id, handle, disabled_at, last_login_at, not_before } => {
                v1::inputs::Owner::Account(v1::InputAccount {
                    id: id.to_string(),
                    handle: handle.to_string(),
                    disabled_at: disabled_at.map(timestamp_to_proto),
                    last_login_at: last_login_at.map(timestamp_to_proto),
                    not_before: some(*not_before),
                })
            }
            InputOwner::Org(org) => v1::inputs::Owner::Org(org_to_proto(org)),
        }),
        places: places.iter().map(place_to_proto).collect(),
    }
}

/// Converts the inputs that a service caches from the wire, with the version of their rules.
pub fn inputs_from_proto(inputs: &v1::Inputs) -> Result<(Inputs, RulesVersion), Problem> {
    let owner = match &inputs.owner {
        Some(v1::inputs::Owner::Account(account)) => InputOwner::Account {
            id: id("inputs.account.id", &account.id)?,
            handle: id("inputs.account.handle", &account.handle)?,
            disabled_at: maybe("inputs.account.disabled_at", account.disabled_at)?,
            last_login_at: maybe("inputs.account.last_login_at", account.last_login_at)?,
            not_before: or_min("inputs.account.not_before", account.not_before)?,
        },
        Some(v1::inputs::Owner::Org(org)) => InputOwner::Org(org_from_proto("inputs.org", org)?),
        None => return Err(absent("inputs.owner")),
    };
    let secret = inputs.secret.as_ref().ok_or_else(|| absent("inputs.secret"))?;
    let token = inputs.token.as_ref().ok_or_else(|| absent("inputs.token"))?;
    let secret = SecretRecord {
        id: id("inputs.secret.id", &secret.id)?,
        prefix: id("inputs.secret.prefix", &secret.prefix)?,
        minted_at: instant("inputs.secret.minted_at", secret.minted_at)?,
        authorized_at: instant("inputs.secret.authorized_at", secret.authorized_at)?,
        confirmed_at: maybe("inputs.secret.confirmed_at", secret.confirmed_at)?,
        ends_at: expiry_from_proto("inputs.secret.ends_at", secret.ends_at)?,
    };
    let token = Token {
        id: id("inputs.token.id", &token.id)?,
        owner: match &owner {
            InputOwner::Account { id, .. } => Owner::Account(*id),
            InputOwner::Org(org) => Owner::Org(org.id),
        },
        name: id("inputs.token.name", &token.name)?,
        description: None,
        scope: scope_from_proto("inputs.token.scope", token.scope)?,
        grants: grants_from_proto("inputs.token.grants", token.grants.clone())?,
        orgs: ids_from_proto::<OrgId>("inputs.token.orgs", token.orgs.as_ref())?,
        services: ids_from_proto("inputs.token.services", token.services.as_ref())?,
        networks: networks_from_proto("inputs.token.networks", token.networks.clone())?,
        created_at: instant("inputs.token.created_at", token.created_at)?,
        lifetime: lifetime_from_proto("inputs.token.lifetime", token.lifetime)?,
        expires_at: expiry_from_proto("inputs.token.expiry", token.expiry)?,
        revoked_at: None,
        self_rotating_until: None,
        suspensions: token.suspensions.iter().map(suspension_from_proto).collect::<Result<_, _>>()?,
    };
    let places = inputs.places.iter().map(place_from_proto).collect::<Result<_, _>>()?;
    let rules = hash_from_proto("inputs.rules_version", &inputs.rules_version)?;
    Ok((Inputs { secret, token, owner, places }, rules))
}

fn place_to_proto(place: &InputPlace) -> v1::InputPlace {
    let slug = place.slug().to_string();
    match place {
        InputPlace::Nowhere(_) => v1::InputPlace { slug, ..Default::default() },
        InputPlace::In(ground, role) => v1::InputPlace {
            slug,
            org: Some(org_to_proto(&ground.org)),
            role: role.map(|role| role_to_proto(role).into()),
            policies: ground.policies.iter().map(dated_to_proto).collect(),
        },
    }
}

fn place_from_proto(place: &v1::InputPlace) -> Result<InputPlace, Problem> {
    let Some(org) = &place.org else {
        return Ok(InputPlace::Nowhere(org_slug_from_proto("inputs.places.slug", &place.slug)?));
    };
    let role = place.role.map(|role| role_from_proto("inputs.places.role", role)).transpose()?;
    let policies = place.policies.iter().map(dated_from_proto).collect::<Result<Vec<_>, _>>()?;
    let org = org_from_proto("inputs.places.org", org)?;
    Ok(InputPlace::In(Arc::new(OrgWithPolicies { org, policies: Policies::new(policies) }), role))
}

fn dated_to_proto(dated: &DatedPolicy) -> v1::InputPolicy {
    v1::InputPolicy {
        set_at: Some(timestamp_to_proto(dated.set_at)),
        takes_hold_at: Some(timestamp_to_proto(dated.takes_hold_at)),
        policy: Some(policy_to_proto(&dated.policy)),
    }
}

fn dated_from_proto(dated: &v1::InputPolicy) -> Result<DatedPolicy, Problem> {
    Ok(DatedPolicy {
        set_at: instant("inputs.places.policies.set_at", dated.set_at)?,
        takes_hold_at: instant("inputs.places.policies.takes_hold_at", dated.takes_hold_at)?,
        policy: policy_from_proto("inputs.places.policies.policy", dated.policy.clone())?,
    })
}

fn org_to_proto(org: &Org) -> v1::InputOrg {
    v1::InputOrg {
        id: org.id.to_string(),
        slug: org.slug.to_string(),
        created_at: Some(timestamp_to_proto(org.created_at)),
        deleted_at: org.deleted_at.map(timestamp_to_proto),
        not_before: some(org.not_before),
        frozen_at: org.frozen_at.map(timestamp_to_proto),
    }
}

fn org_from_proto(field: &str, org: &v1::InputOrg) -> Result<Org, Problem> {
    Ok(Org {
        id: id(field, &org.id)?,
        slug: org_slug_from_proto(field, &org.slug)?,
        name: None,
        created_at: instant(field, org.created_at)?,
        deleted_at: maybe(field, org.deleted_at)?,
        not_before: or_min(field, org.not_before)?,
        frozen_at: maybe(field, org.frozen_at)?,
    })
}

fn suspension_to_proto(of: &Suspension) -> v1::InputSuspension {
    use v1::input_suspension::Level as On;
    let level = match of.level {
        Level::Owner => On::Owner(v1::All {}),
        Level::Operator => On::Operator(v1::All {}),
        Level::Org(org) => On::OrgId(org.to_string()),
    };
    v1::InputSuspension { level: Some(level), since: Some(timestamp_to_proto(of.since)) }
}

fn suspension_from_proto(of: &v1::InputSuspension) -> Result<Suspension, Problem> {
    use v1::input_suspension::Level as On;
    let level = match &of.level {
        Some(On::Owner(_)) => Level::Owner,
        Some(On::Operator(_)) => Level::Operator,
        Some(On::OrgId(org)) => Level::Org(id("inputs.token.suspensions.org_id", org)?),
        None => return Err(absent("inputs.token.suspensions.level")),
    };
    Ok(Suspension { level, since: instant("inputs.token.suspensions.since", of.since)? })
}

/// Converts the instant before which secrets are revoked; absent if none are.
fn some(not_before: Timestamp) -> Option<prost_types::Timestamp> {
    (not_before > Timestamp::MIN).then(|| timestamp_to_proto(not_before))
}

fn or_min(field: &str, value: Option<prost_types::Timestamp>) -> Result<Timestamp, Problem> {
    Ok(maybe(field, value)?.unwrap_or(Timestamp::MIN))
}

fn ids_to_proto<Id: Ord + ToString>(ids: &Among<Id>) -> v1::IdsOrAll {
    let kind = match ids {
        Among::All => v1::ids_or_all::Kind::All(v1::All {}),
        Among::Only(some) => {
            v1::ids_or_all::Kind::Only(v1::IdSet { ids: some.iter().map(ToString::to_string).collect() })
        }
    };
    v1::IdsOrAll { kind: Some(kind) }
}

fn ids_from_proto<Id>(field: &str, ids: Option<&v1::IdsOrAll>) -> Result<Among<Id>, Problem>
where
    Id: Ord + FromStr<Err: std::fmt::Display>,
{
    match ids.and_then(|ids| ids.kind.as_ref()) {
        None => Err(absent(field)),
        Some(v1::ids_or_all::Kind::All(v1::All {})) => Ok(Among::All),
        Some(v1::ids_or_all::Kind::Only(set)) => {
            Ok(Among::Only(set.ids.iter().map(|text| id(field, text)).collect::<Result<_, _>>()?))
        }
    }
}

fn id<Id: FromStr<Err: std::fmt::Display>>(field: &str, text: &str) -> Result<Id, Problem> {
    text.parse().map_err(|why| Problem::invalid(field, why))
}

fn instant(field: &str, value: Option<prost_types::Timestamp>) -> Result<Timestamp, Problem> {
    timestamp_from_proto(field, value.ok_or_else(|| absent(field))?)
}

fn maybe(field: &str, value: Option<prost_types::Timestamp>) -> Result<Option<Timestamp>, Problem> {
    value.map(|value| timestamp_from_proto(field, value)).transpose()
}

fn hash_from_proto(field: &str, bytes: &[u8]) -> Result<[u8; 32], Problem> {
    bytes.try_into().map_err(|_| Problem::invalid(field, "expected 32 bytes"))
}

fn absent(field: &str) -> Problem {
    Problem::invalid(field, "it is missing")
}
