//! Conversions of tokens between the wire and core, as their viewers see them.

use ndauth_core::{
    Expiry, Handle, Level, OrgSlug, Owner, PresentedOutcome, Problem, Retirement, Revocation,
    RevocationReason, Rotation, SecretState, SecretView, Timestamp, Token, TokenStatus, TokenType, TokenView,
    UsedFrom,
};

use crate::convert::{
    expiry_to_proto, grants_to_proto, last_use_to_proto, networks_to_proto, orgs_to_proto, scope_to_proto,
    services_to_proto, timestamp_to_proto,
};
use crate::policy::lifetime_to_proto;
use crate::v1;
use crate::warning::policy_warning_to_proto;

impl v1::Whose {
    /// Returns the caller's own.
    pub fn mine() -> v1::Whose {
        v1::Whose { kind: Some(v1::whose::Kind::Mine(v1::Mine {})) }
    }

    /// Returns an org, by slug.
    pub fn org(slug: &OrgSlug) -> v1::Whose {
        v1::Whose { kind: Some(v1::whose::Kind::Org(slug.to_string())) }
    }

    /// Returns an account, by handle, for operators.
    pub fn account(handle: &Handle) -> v1::Whose {
        v1::Whose { kind: Some(v1::whose::Kind::Account(handle.to_string())) }
    }
}

impl v1::Which {
    /// Selects by the name that a person uses.
    pub fn name(name: impl Into<String>) -> v1::Which {
        v1::Which { kind: Some(v1::which::Kind::Name(name.into())) }
    }

    /// Selects by the whole id.
    pub fn id(id: impl Into<String>) -> v1::Which {
        v1::Which { kind: Some(v1::which::Kind::Id(id.into())) }
    }
}

/// Converts a token to the wire, as of an instant.
pub fn token_to_proto(view: &TokenView, now: Timestamp) -> v1::Token {
    let token = &view.token;
    v1::Token {
        id: token.id.to_string(),
        name: token.name.to_string(),
        prefix: view.shown(now).record.prefix.to_string(),
        scope: scope_to_proto(token.scope).into(),
        grants: Some(grants_to_proto(&token.grants)),
        orgs: Some(orgs_to_proto(&view.orgs)),
        r#type: token_type_to_proto(token.token_type()).into(),
        status: token_status_to_proto(view.status(now)).into(),
        created_at: Some(timestamp_to_proto(token.created_at)),
        expiry: Some(expiry_to_proto(token.expires_at)),
        revoked_at: token.revoked_at.map(timestamp_to_proto),
        last_use: view.last_use().map(last_use_to_proto),
        description: token.description.as_ref().map(ToString::to_string).unwrap_or_default(),
        services: Some(services_to_proto(&view.services)),
        networks: Some(networks_to_proto(&token.networks)),
        owner: owner_to_proto(view),
        lifetime: Some(lifetime_to_proto(token.lifetime)),
        self_rotating_until: token.self_rotating_until.map(|until| timestamp_to_proto(until.begin())),
        suspensions: suspensions_to_proto(view),
        secrets: view.secrets.iter().map(|secret| secret_to_proto(token, secret, now)).collect(),
        rotation: view.rotation(now).map(|rotation| rotation_to_proto(&rotation, now)),
        revocation: view.revocation.as_ref().map(revocation_to_proto),
        used_from: view.used_from.iter().map(used_from_to_proto).collect(),
        policy_warnings: view.policy_warnings.iter().map(policy_warning_to_proto).collect(),
    }
}

fn owner_to_proto(view: &TokenView) -> Option<v1::Owner> {
    let kind = match (view.token.owner, &view.owner_account, &view.owner_org) {
        (Owner::Account(id), Some(handle), _) => {
            v1::owner::Kind::Account(v1::OwnerAccount { id: id.to_string(), handle: handle.to_string() })
        }
        (Owner::Org(id), _, Some(slug)) => {
            v1::owner::Kind::Org(v1::OwnerOrg { id: id.to_string(), slug: slug.to_string() })
        }
        (Owner::Account(_) | Owner::Org(_), _, _) => return None,
    };
    Some(v1::Owner { kind: Some(kind) })
}

fn suspensions_to_proto(view: &TokenView) -> Vec<v1::Suspension> {
    use v1::suspension::Level as On;
    let by_org = view.suspended_in.iter().map(|(org, since)| (On::Org(org.to_string()), *since));
    let everywhere = view.token.suspensions.iter().filter_map(|of| match of.level {
        Level::Owner => Some((On::Owner(v1::All {}), of.since)),
        Level::Operator => Some((On::Operator(v1::All {}), of.since)),
        Level::Org(_) => None,
    });
    let suspension =
        |(level, since)| v1::Suspension { level: Some(level), since: Some(timestamp_to_proto(since)) };
    everywhere.chain(by_org).map(suspension).collect()
}

fn secret_to_proto(token: &Token, secret: &SecretView, now: Timestamp) -> v1::TokenSecret {
    // No secret outlives its token.
    let token_ends_at = token.revoked_at.map_or(token.expires_at, |at| token.expires_at.min(Expiry::At(at)));
    v1::TokenSecret {
        prefix: secret.record.prefix.to_string(),
        state: secret_state_to_proto(secret.record.state(now)).into(),
        minted_at: Some(timestamp_to_proto(secret.record.minted_at)),
        ends_at: Some(expiry_to_proto(secret.record.ends_at.min(token_ends_at))),
        last_use: secret.last_use.map(last_use_to_proto),
        reused_at: secret.reused_at.map(timestamp_to_proto),
    }
}

/// Converts the state of a secret to the wire.
pub fn secret_state_to_proto(state: SecretState) -> v1::SecretState {
    match state {
        SecretState::Pending => v1::SecretState::Pending,
        SecretState::Current => v1::SecretState::Current,
        SecretState::Retiring => v1::SecretState::Retiring,
        SecretState::Retired(_) => v1::SecretState::Retired,
        SecretState::Expired(_) => v1::SecretState::Expired,
    }
}

fn rotation_to_proto(rotation: &Rotation<'_>, now: Timestamp) -> v1::Rotation {
    let end = |secret: &SecretView| match secret.record.ends_at {
        Expiry::At(end) => timestamp_to_proto(end),
        Expiry::Never => timestamp_to_proto(now),
    };
    let stage = match rotation {
        Rotation::Pending(new) => v1::rotation::Stage::PendingUntil(end(new)),
        Rotation::Overlap { old, retirement } => v1::rotation::Stage::Overlap(v1::Overlap {
            prefix: old.record.prefix.to_string(),
            until: Some(end(old)),
            retirement: match retirement {
                Retirement::StillUsed(_) => v1::Retirement::StillUsed,
                Retirement::NewUnused => v1::Retirement::NewUnused,
                Retirement::TooSoon => v1::Retirement::TooSoon,
                Retirement::Safe(_) => v1::Retirement::Safe,
            }
            .into(),
            last_use: old.last_use.map(last_use_to_proto),
        }),
    };
    v1::Rotation { stage: Some(stage) }
}

fn revocation_to_proto(revocation: &Revocation) -> v1::Revocation {
    v1::Revocation {
        by: revocation.by.clone(),
        reason: revocation_reason_to_proto(revocation.reason).into(),
        note: revocation.note.as_ref().map(ToString::to_string),
    }
}

fn used_from_to_proto(place: &UsedFrom) -> v1::UsedFrom {
    v1::UsedFrom {
        address: place.address.map(|address| address.to_string()).unwrap_or_default(),
        client: place.client.as_ref().map(ToString::to_string).unwrap_or_default(),
        first_at: Some(timestamp_to_proto(place.first_at)),
        last_at: Some(timestamp_to_proto(place.last_at)),
        reads: place.counts.reads,
        writes: place.counts.writes,
    }
}

fn token_type_to_proto(token_type: TokenType) -> v1::TokenType {
    match token_type {
        TokenType::Standard => v1::TokenType::Standard,
        TokenType::LongLived => v1::TokenType::LongLived,
        TokenType::ReadOnly => v1::TokenType::ReadOnly,
    }
}

fn token_status_to_proto(status: TokenStatus) -> v1::TokenStatus {
    match status {
        TokenStatus::Active => v1::TokenStatus::Active,
        TokenStatus::Pending => v1::TokenStatus::Pending,
        TokenStatus::Suspended => v1::TokenStatus::Suspended,
        TokenStatus::Expired => v1::TokenStatus::Expired,
        TokenStatus::Revoked => v1::TokenStatus::Revoked,
    }
}

/// Converts the reason of a revocation to the wire.
pub fn revocation_reason_to_proto(reason: RevocationReason) -> v1::RevocationReason {
    match reason {
        RevocationReason::NoLongerNeeded => v1::RevocationReason::NoLongerNeeded,
        RevocationReason::RotatedAway => v1::RevocationReason::RotatedAway,
        RevocationReason::Leaked => v1::RevocationReason::Leaked,
        RevocationReason::OwnerLeft => v1::RevocationReason::OwnerLeft,
        RevocationReason::Policy => v1::RevocationReason::Policy,
        RevocationReason::Possession => v1::RevocationReason::Possession,
    }
}

/// Converts the outcome of a leaked secret's report to the wire.
pub fn leak_outcome_to_proto(outcome: PresentedOutcome) -> v1::LeakOutcome {
    match outcome {
        PresentedOutcome::Revoked => v1::LeakOutcome::Revoked,
        PresentedOutcome::Retired => v1::LeakOutcome::Retired,
        PresentedOutcome::RotationDropped => v1::LeakOutcome::RotationDropped,
        PresentedOutcome::SessionEnded => v1::LeakOutcome::SessionEnded,
        PresentedOutcome::AlreadyDead => v1::LeakOutcome::AlreadyDead,
        PresentedOutcome::ReuseRecorded => v1::LeakOutcome::ReuseRecorded,
        PresentedOutcome::ServiceReported => v1::LeakOutcome::ServiceReported,
        PresentedOutcome::Unknown => v1::LeakOutcome::Unknown,
        PresentedOutcome::Malformed => v1::LeakOutcome::Malformed,
    }
}

/// Converts the outcome of a leaked secret's report from the wire. Returns `None` for one that a later server knows.
pub fn leak_outcome_from_proto(outcome: i32) -> Option<PresentedOutcome> {
    let outcome = v1::LeakOutcome::try_from(outcome).ok()?;
    PresentedOutcome::ALL.into_iter().find(|known| leak_outcome_to_proto(*known) == outcome)
}

/// Converts the reason of a revocation from the wire.
pub fn revocation_reason_from_proto(field: &str, reason: i32) -> Result<RevocationReason, Problem> {
    Ok(match v1::RevocationReason::try_from(reason) {
        Ok(v1::RevocationReason::NoLongerNeeded) => RevocationReason::NoLongerNeeded,
        Ok(v1::RevocationReason::RotatedAway) => RevocationReason::RotatedAway,
        Ok(v1::RevocationReason::Leaked) => RevocationReason::Leaked,
        Ok(v1::RevocationReason::OwnerLeft) => RevocationReason::OwnerLeft,
        Ok(v1::RevocationReason::Policy) => RevocationReason::Policy,
        Ok(v1::RevocationReason::Possession) => RevocationReason::Possession,
        Ok(v1::RevocationReason::Unspecified) | Err(_) => {
            let why = "expected a reason, such as `NO_LONGER_NEEDED`";
            return Err(Problem::invalid(field, why));
        }
    })
}
