//! The refusal of a secret.

use std::fmt;

use ndauth_core::{
    Class, Factor, Permission, Problem, Reason, Refusal, Role, Scope, SecretKind, Timestamp, Who,
};
use ndauth_proto::{
    factor_from_proto, permission_from_proto, reason_from_proto, role_from_proto, scope_from_proto,
    timestamp_from_proto, v1,
};

/// A refusal: its reason, and the remedy.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The reason, for programs. `None` if this version does not know it.
    pub reason: Option<Reason>,
    /// The first factor that refused. `None` if this version does not know it.
    pub factor: Option<Factor>,
    /// The reason, for people.
    pub message: String,
    /// The next step, for people. Empty if there is no general one.
    pub hint: String,
    /// The time since when this has been so, if the holder of the secret may know it.
    pub since: Option<Timestamp>,
    /// The permissions that the token lacks, if that is the reason.
    pub missing_permissions: Vec<Permission>,
    /// The scope that the token lacks, if that is the reason.
    pub missing_scope: Option<Scope>,
    /// The role that the owner lacks, if that is the reason.
    pub missing_role: Option<Role>,
    /// The party that can change it. `None` if this version does not know.
    pub who_can_change_it: Option<Who>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Refused {
    /// Returns true if the secret has no power, whatever the requirement.
    pub(crate) fn is_total(&self) -> bool {
        self.factor.is_some_and(Factor::is_total)
    }

    /// Returns true if the refusal is permanent.
    pub(crate) fn is_final(&self) -> bool {
        self.factor.is_some_and(Factor::is_final)
    }

    /// Returns the class of the refusal: `NotAuthenticated` if the secret is unknown or has no power at all,
    /// `NotPermitted` if it may not do this.
    pub fn class(&self) -> Class {
        match (self.reason, self.factor) {
            (Some(reason), _) => reason.class(),
            (None, None) => Class::NotAuthenticated,
            (None, Some(_)) if self.is_total() => Class::NotAuthenticated,
            (None, Some(_)) => Class::NotPermitted,
        }
    }
}

impl From<&Refused> for Problem {
    fn from(refused: &Refused) -> Problem {
        let reason = refused.reason.unwrap_or(match refused.class() {
            Class::NotPermitted => Reason::NotPermitted,
            _ => Reason::SecretUnknown,
        });
        Problem {
            missing_permissions: refused.missing_permissions.clone(),
            ..Problem::new(reason, refused.message.clone())
        }
    }
}

impl Refused {
    /// The refusal of a secret of this kind; `None` where the text is no secret.
    pub(crate) fn of(refusal: &Refusal, kind: Option<SecretKind>) -> Refused {
        let reason = refusal.reason();
        Refused {
            reason: Some(reason),
            factor: Some(refusal.factor()),
            message: refusal.to_string(),
            hint: ndauth_proto::hint_for(reason, kind).unwrap_or_default().to_owned(),
            since: refusal.since(),
            missing_permissions: refusal.missing_permission().cloned().into_iter().collect(),
            missing_scope: refusal.missing_scope(),
            missing_role: refusal.missing_role(),
            who_can_change_it: Some(reason.who_can_change_it()),
        }
    }
}

impl From<v1::Refused> for Refused {
    /// Leaves out values that this version does not know.
    fn from(refused: v1::Refused) -> Refused {
        let permission = |permission| permission_from_proto("missing_permissions", permission).ok();
        let reason = reason_from_proto(refused.reason);
        Refused {
            reason,
            factor: factor_from_proto(refused.factor),
            missing_permissions: refused.missing_permissions.iter().filter_map(permission).collect(),
            missing_scope: refused
                .missing_scope
                .and_then(|scope| scope_from_proto("missing_scope", scope).ok()),
            missing_role: refused.missing_role.and_then(|role| role_from_proto("missing_role", role).ok()),
            since: refused.since.and_then(|since| timestamp_from_proto("since", since).ok()),
            who_can_change_it: reason.map(Reason::who_can_change_it),
            message: refused.message,
            hint: refused.hint,
        }
    }
}
